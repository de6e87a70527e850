//! Readiness, health, age and memory.

use std::collections::BTreeSet;
use std::time::Duration;

use cronfleet_core::job::{
    ADDRESS_DEFAULT, Check, DaemonSpec, Endpoint, Health, Probe, Readiness, Recycle, Restart,
};
use cronfleet_core::order::{ExitStatus, NextStep, ProbeKind, SlotState, StopCause};
use cronfleet_core::order_book::SurveyedBoot;
use cronfleet_core::slot_book::SlotInput;

use crate::world::{JOB, World, daemon, spec};

fn probe() -> Probe {
    Probe {
        check: Check::Tcp(Endpoint {
            address: ADDRESS_DEFAULT,
            port: 80,
            adds_slot: true,
        }),
        initial_delay: Duration::from_secs(2),
        period: Duration::from_secs(5),
        timeout: Duration::from_secs(1),
    }
}

pub(crate) fn probed() -> DaemonSpec {
    DaemonSpec {
        readiness: Some(Readiness {
            probe: probe(),
            successes: 2,
            start_timeout: Duration::from_secs(30),
        }),
        health: Some(Health {
            probe: probe(),
            failures: 3,
            successes: 2,
        }),
        ..spec()
    }
}

fn world(policy: DaemonSpec) -> World {
    let mut world = World::new();
    world.want(vec![daemon(JOB, 1, 1, "a", policy)]);
    world.start_all();
    world
}

/// A slot whose process was found ready a moment ago.
fn ready() -> World {
    let mut world = world(probed());
    for wait in [2, 5] {
        world.advance(Duration::from_secs(wait));
        world.answer_all(Ok(()));
    }
    assert_eq!(world.state(0), Some(SlotState::Running));
    world
}

fn ended_for(world: &World) -> Vec<Option<StopCause>> {
    let reports = world.book.process_reports();
    reports
        .map(|report| report.end.as_ref().unwrap().stopped_for)
        .collect()
}

#[test]
fn a_process_is_ready_once_its_probe_has_said_so_often_enough_in_a_row() {
    let mut world = world(probed());
    world.advance(Duration::from_millis(1_999));
    assert!(world.probes.is_empty(), "not before the delay");
    assert_eq!(world.next_step(0), Some(NextStep::Ready));
    for (answer, wait) in [(Ok(()), 1), (Err("refused"), 5_000), (Ok(()), 5_000)] {
        world.advance(Duration::from_millis(wait));
        assert_eq!(world.probes.len(), 1);
        world.answer_all(answer);
        assert_eq!(world.state(0), Some(SlotState::Starting));
    }
    world.advance(Duration::from_secs(5));
    world.answer_all(Ok(()));
    assert_eq!(world.state(0), Some(SlotState::Running));
    let probe = world.book.slot_report(JOB, 0).unwrap().probe.unwrap();
    assert_eq!((probe.kind, probe.is_ok), (ProbeKind::Readiness, true));
}

#[test]
fn a_good_answer_does_not_shorten_the_start_period() {
    let mut policy = probed();
    policy.start_period = Duration::from_secs(60);
    if let Some(readiness) = &mut policy.readiness {
        readiness.start_timeout = Duration::from_secs(100);
    }
    let mut world = world(policy);
    for _ in 0..2 {
        world.advance(Duration::from_secs(5));
        world.answer_all(Ok(()));
    }
    assert_eq!(world.state(0), Some(SlotState::Starting));
    world.advance(Duration::from_secs(49));
    assert_eq!(world.state(0), Some(SlotState::Starting));
    assert!(world.probes.is_empty(), "the question is answered");
    world.advance(Duration::from_secs(1));
    assert_eq!(world.state(0), Some(SlotState::Running));
}

#[test]
fn what_is_not_ready_in_time_is_stopped_and_has_failed() {
    let mut world = world(probed());
    for round in 0..4 {
        let process = world.process(0);
        world.advance(Duration::from_secs(2));
        world.answer_all(Err("refused"));
        world.advance(Duration::from_secs(28));
        assert_eq!(world.state(0), Some(SlotState::Stopping), "round {round}");
        world.end_all();
        assert_eq!(ended_for(&world).last(), Some(&Some(StopCause::NotReady)));
        world.probes.clear();
        while world.starting.is_empty() {
            world.boot = world.book.next_wake().boot.unwrap();
            world.feed(SlotInput::Tick);
        }
        world.start_all();
        assert_ne!(world.process(0), process);
    }
    // The failures lie further apart than the window is wide, but they are all in a row.
    assert_eq!(world.state(0), Some(SlotState::CrashLoop));
}

#[test]
fn an_unhealthy_process_is_stopped_and_started_again() {
    let mut world = ready();
    let process = world.process(0);
    world.advance(Duration::from_secs(2));
    for round in 0..3 {
        assert_eq!(world.state(0), Some(SlotState::Running), "round {round}");
        world.answer_all(Err("status 503"));
        world.advance(Duration::from_secs(5));
    }
    assert_eq!(world.state(0), Some(SlotState::Stopping));
    world.end_all();
    assert_eq!(ended_for(&world), [Some(StopCause::Unhealthy)]);
    assert_ne!(world.process(0), process, "the first time at once");
}

#[test]
fn bad_answers_are_forgotten_after_enough_good_ones() {
    let mut world = ready();
    world.advance(Duration::from_secs(2));
    let bad = Err("slow");
    for answer in [bad, bad, Ok(()), Ok(()), bad, bad, Ok(()), Ok(())] {
        world.answer_all(answer);
        world.advance(Duration::from_secs(5));
    }
    assert_eq!(world.state(0), Some(SlotState::Running));
    for answer in [bad, Ok(()), bad, Ok(()), bad] {
        world.answer_all(answer);
        world.advance(Duration::from_secs(5));
    }
    assert_eq!(
        world.state(0),
        Some(SlotState::Stopping),
        "one in between is not enough"
    );
}

#[test]
fn one_probe_is_under_way_at_a_time() {
    let mut world = ready();
    world.advance(Duration::from_secs(60));
    assert_eq!(world.probes.len(), 1);
    world.advance(Duration::from_secs(60));
    assert_eq!(world.probes.len(), 1, "the first was not answered yet");
    world.answer_all(Ok(()));
    assert_eq!(world.probes.len(), 1, "the next one was due long ago");
}

#[test]
fn a_ready_process_is_still_ready_after_a_restart_of_the_agent() {
    let mut world = ready();
    world.probes.clear();
    world.recover(SurveyedBoot::Same);
    assert_eq!(world.state(0), Some(SlotState::Running));
    world.ledger = world.book.snapshot();
    world.recover(SurveyedBoot::Same);
    assert_eq!(world.state(0), Some(SlotState::Running));
    world.advance(Duration::from_secs(2));
    assert_eq!(world.probes.len(), 1, "and is asked again");
    assert_eq!(world.probes[0].1, ProbeKind::Health);
}

#[test]
fn one_that_was_not_ready_gets_its_time_again() {
    let mut world = world(probed());
    world.boot += Duration::from_secs(1_000);
    world.recover(SurveyedBoot::Same);
    assert_eq!(world.state(0), Some(SlotState::Starting));
    world.advance(Duration::from_secs(29));
    assert_eq!(world.state(0), Some(SlotState::Starting));
    world.advance(Duration::from_secs(1));
    assert_eq!(world.state(0), Some(SlotState::Stopping));
}

#[test]
fn a_changed_probe_ends_a_crash_loop_that_a_wrong_one_made() {
    let mut world = world(probed());
    while world.state(0) != Some(SlotState::CrashLoop) {
        world.boot = world.book.next_wake().boot.unwrap();
        world.feed(SlotInput::Tick);
        world.answer_all(Err("refused"));
        world.end_all();
        world.start_all();
    }
    world.want(vec![daemon(JOB, 2, 1, "a", spec())]);
    world.start_all();
    world.advance(Duration::from_secs(1));
    assert_eq!(world.state(0), Some(SlotState::Running));
}

#[test]
fn exit_statuses_count_as_the_policy_says() {
    let cases = [
        (Restart::Always, 0, false),
        (Restart::Always, 1, false),
        (Restart::OnFailure, 0, true),
        (Restart::OnFailure, 3, true),
        (Restart::OnFailure, 1, false),
        (Restart::Never, 0, true),
        (Restart::Never, 1, true),
    ];
    for (restart, code, is_over) in cases {
        let mut world = world(DaemonSpec {
            restart,
            expected_exit_codes: BTreeSet::from([0, 3]),
            ..spec()
        });
        world.advance(Duration::from_secs(20));
        let process = world.process(0);
        world.end(process, ExitStatus::Exited(code));
        world.advance(Duration::from_secs(600));
        assert_eq!(world.starting.is_empty(), is_over, "{restart:?} {code}");
        let shown = world.state(0) == Some(SlotState::Stopped);
        assert_eq!(shown, is_over, "{restart:?} {code}");
    }
}

#[test]
fn what_ends_well_on_purpose_again_and_again_is_no_crash_loop() {
    let mut world = world(spec());
    for _ in 0..20 {
        world.advance(Duration::from_secs(2));
        let process = world.process(0);
        world.end(process, ExitStatus::Exited(0));
        assert_ne!(world.process(0), process, "at once");
        world.start_all();
    }
    let process = world.process(0);
    world.end(process, ExitStatus::Exited(0));
    assert_eq!(
        world.state(0),
        Some(SlotState::Backoff),
        "too soon: a failure"
    );
}

#[test]
fn old_processes_are_recycled_one_after_the_other_and_not_all_at_the_same_age() {
    let policy = DaemonSpec {
        recycle: Recycle {
            max_age: Some(Duration::from_secs(1_000)),
            max_memory_bytes: None,
        },
        ..spec()
    };
    let mut world = World::new();
    world.want(vec![daemon(JOB, 1, 5, "a", policy)]);
    world.start_all();
    world.advance(Duration::from_secs(10));
    assert_eq!(world.next_step(0), Some(NextStep::Recycle));
    let begun = world.boot;
    let first: Vec<_> = (0..5).map(|index| world.process(index)).collect();
    let mut times = Vec::new();
    while times.len() < 5 {
        world.boot = world.book.next_wake().boot.unwrap();
        world.feed(SlotInput::Tick);
        assert!(world.ends.len() <= 1, "one at a time");
        if !world.ends.is_empty() {
            times.push(world.boot - begun);
            world.end_all();
            world.start_all();
        }
        assert!(world.ready_count() >= 4);
    }
    assert!(times[0] >= Duration::from_secs(780), "{times:?}");
    assert!(times[4] <= Duration::from_secs(1_010), "{times:?}");
    assert!(times[4] - times[0] > Duration::from_secs(20), "{times:?}");
    assert!((0..5).all(|index| world.process(index) != first[index as usize]));
    assert!(
        ended_for(&world)
            .iter()
            .all(|cause| *cause == Some(StopCause::Recycled))
    );
}

fn limited() -> DaemonSpec {
    DaemonSpec {
        recycle: Recycle {
            max_age: None,
            max_memory_bytes: Some(1_000),
        },
        ..spec()
    }
}

fn measure(world: &mut World, index: u32, memory_bytes: u64) {
    let process = world.process(index);
    world.feed(SlotInput::Measured {
        process,
        memory_bytes,
    });
}

#[test]
fn a_process_that_has_grown_too_large_is_recycled() {
    let mut world = world(limited());
    world.advance(Duration::from_secs(60));
    measure(&mut world, 0, 1_000);
    assert_eq!(world.state(0), Some(SlotState::Running));
    let process = world.process(0);
    measure(&mut world, 0, 1_001);
    assert_eq!(world.state(0), Some(SlotState::Stopping));
    world.end_all();
    assert_ne!(world.process(0), process, "at once");
    assert_eq!(ended_for(&world), [Some(StopCause::Recycled)]);
}

#[test]
fn one_that_is_too_large_from_the_beginning_has_to_wait() {
    let mut world = world(limited());
    for _ in 0..4 {
        world.advance(Duration::from_secs(5));
        measure(&mut world, 0, 2_000);
        world.end_all();
        while world.starting.is_empty() {
            world.boot = world.book.next_wake().boot.unwrap();
            world.feed(SlotInput::Tick);
        }
        world.start_all();
    }
    assert_eq!(world.state(0), Some(SlotState::CrashLoop));
}
