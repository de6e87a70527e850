//! What each event does, case by case.

use std::time::Duration;

use cronfleet_core::id::ProcessId;
use cronfleet_core::job::{DaemonSpec, Restart};
use cronfleet_core::order::{ExitStatus, SlotState, StopCause};
use cronfleet_core::order_book::SurveyedBoot;
use cronfleet_core::run::Reason;
use cronfleet_core::slot_book::SlotInput;

use crate::world::{JOB, World, daemon, running, spec};

#[test]
fn a_slot_starts_runs_and_is_put_right_at_once_when_it_is_killed() {
    let mut world = World::new();
    world.want(vec![daemon(JOB, 1, 1, "a", spec())]);
    assert_eq!(world.state(0), Some(SlotState::Starting));
    world.start_all();
    assert_eq!(world.state(0), Some(SlotState::Starting));
    world.advance(Duration::from_secs(1));
    assert_eq!(world.state(0), Some(SlotState::Running));
    let first = world.process(0);
    world.end(
        first,
        ExitStatus::Signalled {
            signal: 9,
            has_core: false,
        },
    );
    assert_ne!(world.process(0), first, "started again without a wait");
    let report = world.book.process_report(first).unwrap();
    assert_eq!((report.index, report.lost), (0, None));
}

#[test]
fn scaling_touches_the_highest_indexes_only() {
    let mut world = running(3);
    let first: Vec<ProcessId> = (0..3).map(|index| world.process(index)).collect();
    world.want(vec![daemon(JOB, 2, 5, "a", spec())]);
    world.start_all();
    assert_eq!(world.indexes(), (0..5).collect());
    world.want(vec![daemon(JOB, 3, 2, "a", spec())]);
    assert_eq!(world.state(4), Some(SlotState::Stopping));
    world.end_all();
    assert_eq!(world.indexes(), (0..2).collect());
    assert_eq!(world.state(2), None, "the slot is gone");
    assert_eq!(first[..2], [world.process(0), world.process(1)]);
    let stopped = world.book.process_reports().next().unwrap();
    assert_eq!(
        stopped.end.as_ref().unwrap().stopped_for,
        Some(StopCause::ScaledDown)
    );
}

#[test]
fn a_changed_launch_replaces_one_life_at_a_time() {
    let mut world = running(3);
    let first: Vec<ProcessId> = (0..3).map(|index| world.process(index)).collect();
    world.want(vec![daemon(JOB, 2, 3, "b", spec())]);
    for round in 0..3_u32 {
        let stopping = (0..3)
            .filter(|i| world.state(*i) == Some(SlotState::Stopping))
            .count();
        assert_eq!(stopping, 1, "round {round}");
        world.end_all();
        world.start_all();
        world.advance(Duration::from_millis(900));
        let stopping = (0..3)
            .filter(|i| world.state(*i) == Some(SlotState::Stopping))
            .count();
        assert_eq!(
            stopping, 0,
            "the new one must run before the next is stopped"
        );
        world.advance(Duration::from_millis(100));
    }
    for index in 0..3 {
        assert_eq!(world.state(index), Some(SlotState::Running));
        assert!(!first.contains(&world.process(index)));
        assert_eq!(world.book.slot_report(JOB, index).unwrap().job_version, 2);
    }
    assert_eq!(world.history.len(), 6);
}

#[test]
fn what_fails_at_once_waits_longer_and_longer_and_ends_up_in_a_crash_loop() {
    let mut world = World::new();
    world.want(vec![daemon(JOB, 1, 1, "a", spec())]);
    let mut waits = Vec::new();
    for _ in 0..6 {
        world.start_all();
        let process = world.process(0);
        world.end(process, ExitStatus::Exited(1));
        let before = world.boot;
        while world.starting.is_empty() {
            world.boot = world.book.next_wake().boot.unwrap();
            world.feed(SlotInput::Tick);
        }
        waits.push((world.boot - before).as_secs_f64());
    }
    for (wait, expected) in waits.iter().zip([1.0, 2.0, 4.0, 30.0, 30.0, 30.0]) {
        assert!((wait / expected - 1.0).abs() <= 0.21, "{waits:?}");
    }
    world.start_all();
    assert_eq!(world.state(0), Some(SlotState::CrashLoop));
    world.advance(Duration::from_secs(59));
    assert_eq!(world.state(0), Some(SlotState::CrashLoop), "not proven yet");
    world.advance(Duration::from_secs(1));
    assert_eq!(world.state(0), Some(SlotState::Running));
}

#[test]
fn what_cannot_start_is_a_crash_loop_at_once_and_a_change_forgives_it() {
    let mut world = World::new();
    world.want(vec![daemon(JOB, 1, 1, "a", spec())]);
    let process = world.process(0);
    world.starting.clear();
    world.feed(SlotInput::StartFailed {
        process,
        reason: Reason::CommandMissing,
        detail: "/bin/worker".into(),
    });
    assert_eq!(world.state(0), Some(SlotState::CrashLoop));
    assert!(world.book.slot_report(JOB, 0).unwrap().retry_at.is_some());
    world.want(vec![daemon(JOB, 2, 1, "b", spec())]);
    assert_eq!(world.state(0), Some(SlotState::Starting));
    assert_eq!(world.starting.len(), 1);
}

#[test]
fn what_the_policy_denies_rests_until_policy_or_job_changes() {
    let mut world = World::new();
    world.want(vec![daemon(JOB, 1, 2, "a", spec())]);
    let deny = |world: &mut World| {
        for process in std::mem::take(&mut world.starting).into_keys() {
            world.feed(SlotInput::StartFailed {
                process,
                reason: Reason::PolicyDenied,
                detail: "run_as.deny_root: root has uid 0".into(),
            });
        }
    };
    let is_resting = |world: &World| {
        let report = world.book.slot_report(JOB, 0).unwrap();
        let is_denied = matches!(
            report.last_end,
            Some(ExitStatus::NotStarted {
                reason: Reason::PolicyDenied,
                ..
            })
        );
        report.state == SlotState::CrashLoop && report.retry_at.is_none() && is_denied
    };
    deny(&mut world);
    assert!(is_resting(&world));
    let tries = world.history.len();
    world.advance(Duration::from_secs(7 * 86_400));
    assert_eq!(world.history.len(), tries, "it does not try for a week");
    world.feed(SlotInput::PolicyChanged);
    assert_eq!(
        world.starting.len(),
        2,
        "both try again under another policy"
    );
    deny(&mut world);
    assert!(is_resting(&world));
    world.want(vec![daemon(JOB, 2, 2, "b", spec())]);
    assert_eq!(world.starting.len(), 2, "and when the job is another");
    deny(&mut world);
    world.feed(SlotInput::Restart {
        job: JOB,
        index: Some(0),
    });
    assert_eq!(world.starting.len(), 1, "and when somebody asks for it");
    world.start_all();
    assert_eq!(world.state(0), Some(SlotState::Starting));
}

#[test]
fn what_ends_well_stays_ended_if_it_restarts_on_failure_only() {
    let policy = DaemonSpec {
        restart: Restart::OnFailure,
        ..spec()
    };
    let mut world = World::new();
    world.want(vec![daemon(JOB, 1, 1, "a", policy)]);
    world.start_all();
    let process = world.process(0);
    world.end(process, ExitStatus::Exited(0));
    assert_eq!(world.state(0), Some(SlotState::Stopped));
    world.advance(Duration::from_secs(3_600));
    world.recover(SurveyedBoot::Same);
    assert_eq!(
        world.state(0),
        Some(SlotState::Stopped),
        "also over a restart of the agent"
    );
    world.feed(SlotInput::Restart {
        job: JOB,
        index: None,
    });
    assert_eq!(world.starting.len(), 1);
}

#[test]
fn an_operator_restarts_all_one_after_the_other_or_one_at_once() {
    let mut world = running(3);
    world.feed(SlotInput::Restart {
        job: JOB,
        index: None,
    });
    assert_eq!(world.ends.len(), 1);
    for _ in 0..3 {
        world.end_all();
        world.start_all();
        world.advance(Duration::from_secs(1));
    }
    assert_eq!((world.history.len(), world.ends.len()), (6, 0));
    world.feed(SlotInput::Restart {
        job: JOB,
        index: Some(2),
    });
    assert_eq!(world.ends.len(), 1);
    assert_eq!(world.state(2), Some(SlotState::Stopping));
}

#[test]
fn what_ignores_the_stop_signal_is_killed_after_its_grace_and_again_every_second() {
    let mut world = running(1);
    world.is_deaf = true;
    world.want(Vec::new());
    assert_eq!(world.state(0), Some(SlotState::Stopping));
    world.advance(Duration::from_millis(4_999));
    assert!(world.ends.is_empty());
    world.advance(Duration::from_millis(1));
    assert_eq!(world.ends.len(), 1);
    world.ends.clear();
    world.advance(Duration::from_secs(1));
    assert_eq!(world.ends.len(), 1, "killed again");
    world.end_all();
    assert_eq!(world.state(0), None);
}

#[test]
fn a_restart_of_the_agent_adopts_and_one_of_the_host_starts_anew() {
    let mut world = running(2);
    let (first, second) = (world.process(0), world.process(1));
    world.ends.insert(second, ExitStatus::Exited(3));
    world.recover(SurveyedBoot::Same);
    assert_eq!(world.process(0), first);
    assert_ne!(world.process(1), second);
    assert_eq!(world.state(0), Some(SlotState::Running));
    let report = world.book.process_report(second).unwrap();
    assert_eq!(report.end.as_ref().unwrap().status, ExitStatus::Exited(3));
    world.start_all();
    world.alive.clear();
    world.recover(SurveyedBoot::New);
    assert_eq!(world.starting.len(), 2);
    let lost = world.book.process_report(first).unwrap();
    assert_eq!(lost.lost, Some(Reason::HostRebooted));
}

#[test]
fn a_compacted_ledger_makes_the_same_book() {
    let mut world = running(3);
    let second = world.process(1);
    world.end(second, ExitStatus::Exited(1));
    world.start_all();
    world.ledger = world.book.snapshot();
    let before: Vec<_> = world
        .book
        .slot_reports()
        .map(|r| (r.index, r.process, r.restarts))
        .collect();
    world.recover(SurveyedBoot::Same);
    let after: Vec<_> = world
        .book
        .slot_reports()
        .map(|r| (r.index, r.process, r.restarts))
        .collect();
    assert_eq!(before, after);
    assert!(world.book.process_report(second).is_some());
}

#[test]
fn a_process_that_never_started_is_told_to_be_over() {
    let mut world = World::new();
    world.want(vec![daemon(JOB, 1, 2, "a", spec())]);
    // The center has heard of both by now. One is given up while it is prepared, the other is found prepared by the next agent.
    let given_up = world.process(0);
    world.feed(SlotInput::NeverStarted { process: given_up });
    world.starting.remove(&given_up);
    let found = world.process(1);
    world.recover(SurveyedBoot::Same);
    for (process, expected) in [
        (given_up, Reason::SpawnFailed),
        (found, Reason::AgentRestarted),
    ] {
        let report = world.book.process_report(process).unwrap();
        assert!(
            matches!(&report.end.as_ref().unwrap().status,
                ExitStatus::NotStarted { reason, .. } if *reason == expected),
            "{report:?}"
        );
        assert_eq!(report.start, None);
    }
}
