//! Replacing processes a few at a time.

use std::sync::Arc;
use std::time::Duration;

use cronfleet_core::id::ProcessId;
use cronfleet_core::job::DaemonSpec;
use cronfleet_core::order::{ExitStatus, NextStep, RestartCounts, SlotState, StopCause};
use cronfleet_core::order_book::SurveyedBoot;
use cronfleet_core::slot_book::SlotInput;
use proptest::prelude::*;

use crate::probing::probed;
use crate::world::{JOB, World, daemon, running, spec};

fn policy(max_unavailable: u32) -> DaemonSpec {
    DaemonSpec {
        max_unavailable,
        ..spec()
    }
}

fn up(processes: u32, policy: DaemonSpec) -> World {
    let mut world = World::new();
    world.want(vec![daemon(JOB, 1, processes, "a", policy)]);
    world.start_all();
    world.advance(Duration::from_secs(20));
    assert_eq!(world.ready_count(), processes as usize);
    world
}

fn stopping(world: &World) -> usize {
    let reports = world.book.slot_reports();
    reports
        .filter(|report| report.state == SlotState::Stopping)
        .count()
}

#[test]
fn as_many_are_replaced_at_a_time_as_may_be_down() {
    let mut world = up(5, policy(2));
    world.want(vec![daemon(JOB, 2, 5, "b", policy(2))]);
    assert_eq!(stopping(&world), 2);
    assert_eq!(world.next_step(4), Some(NextStep::Replace));
    for started in [7, 9] {
        world.end_all();
        world.start_all();
        world.advance(Duration::from_secs(1));
        assert!(world.ready_count() >= 3);
        assert_eq!(world.history.len(), started);
    }
    world.end_all();
    world.start_all();
    world.advance(Duration::from_secs(1));
    assert_eq!((world.ready_count(), world.history.len()), (5, 10));
}

/// Wants the same as before, with restarts counted.
fn count(world: &mut World, processes: u32, all: u64, slots: &[(u32, u64)]) {
    let mut order = Arc::unwrap_or_clone(daemon(JOB, 1, processes, "a", policy(1)));
    order.restarts = Some(RestartCounts {
        all,
        slots: slots.iter().copied().collect(),
    });
    world.want(vec![Arc::new(order)]);
}

#[test]
fn a_restart_that_was_counted_meanwhile_is_made_up_for_once() {
    let mut world = up(3, policy(1));
    let first: Vec<ProcessId> = (0..3).map(|index| world.process(index)).collect();
    // Out of reach, while somebody asks three times for one slot.
    count(&mut world, 3, 0, &[(1, 3)]);
    assert_eq!(stopping(&world), 1);
    world.end_all();
    world.start_all();
    let second = world.process(1);
    assert_ne!(second, first[1]);
    // Told again, in another session, by an agent that was restarted as well: nothing is left to do.
    world.recover(SurveyedBoot::Same);
    count(&mut world, 3, 0, &[(1, 3)]);
    assert_eq!(stopping(&world), 0);
    assert_eq!(
        [world.process(0), world.process(1), world.process(2)],
        [first[0], second, first[2]]
    );
    count(&mut world, 3, 1, &[(1, 3)]);
    for _ in 0..5 {
        world.end_all();
        world.start_all();
        world.advance(Duration::from_secs(20));
    }
    assert_eq!(world.history.len(), 3 + 1 + 3, "each once more");
}

#[test]
fn counts_that_an_agent_sees_for_the_first_time_restart_nothing() {
    let mut world = World::new();
    let mut order = Arc::unwrap_or_clone(daemon(JOB, 1, 2, "a", policy(1)));
    order.restarts = None;
    world.want(vec![Arc::new(order)]);
    world.start_all();
    world.advance(Duration::from_secs(20));
    count(&mut world, 2, 4, &[(0, 7)]);
    assert_eq!(stopping(&world), 0, "an older center did not count");
    count(&mut world, 2, 5, &[(0, 7)]);
    assert_eq!(stopping(&world), 1);
}

#[test]
fn replacing_waits_until_the_fresh_one_is_ready() {
    let mut world = World::new();
    world.want(vec![daemon(JOB, 1, 2, "a", probed())]);
    world.start_all();
    for _ in 0..3 {
        world.advance(Duration::from_secs(5));
        world.answer_all(Ok(()));
    }
    assert_eq!(world.ready_count(), 2);
    world.want(vec![daemon(JOB, 2, 2, "b", probed())]);
    world.probes.clear();
    world.end_all();
    world.start_all();
    world.advance(Duration::from_secs(10));
    assert_eq!(stopping(&world), 0, "up, but not ready");
    assert_eq!(world.next_step(1), Some(NextStep::Replace));
    for _ in 0..2 {
        world.answer_all(Ok(()));
        world.advance(Duration::from_secs(5));
    }
    assert_eq!(world.state(0), Some(SlotState::Running));
    assert_eq!(world.state(1), Some(SlotState::Stopping));
}

#[test]
fn replacing_stops_when_fresh_ones_fail_and_goes_on_with_a_better_version() {
    let mut world = up(4, policy(2));
    let first: Vec<ProcessId> = (0..4).map(|index| world.process(index)).collect();
    world.want(vec![daemon(JOB, 2, 4, "bad", policy(2))]);
    for _ in 0..200 {
        world.end_all();
        world.start_all();
        let fresh: Vec<ProcessId> = world
            .alive
            .iter()
            .filter(|(_, (_, index))| *index < 2)
            .map(|(process, _)| *process)
            .collect();
        for process in fresh {
            world.end(process, ExitStatus::Exited(1));
        }
        while world.starting.is_empty() {
            world.boot = world.book.next_wake().boot.unwrap();
            world.feed(SlotInput::Tick);
        }
    }
    assert_eq!(world.state(0), Some(SlotState::CrashLoop));
    for index in 2..4 {
        assert_eq!(world.state(index), Some(SlotState::Running));
        assert_eq!(world.process(index), first[index as usize]);
        assert_eq!(world.next_step(index), Some(NextStep::ReplaceHalted));
    }
    world.want(vec![daemon(JOB, 3, 4, "good", policy(2))]);
    for _ in 0..6 {
        world.end_all();
        world.start_all();
        world.advance(Duration::from_secs(1));
    }
    assert_eq!(world.ready_count(), 4);
    assert!((0..4).all(|index| world.next_step(index).is_none()));
}

#[test]
fn an_agent_that_dies_goes_on_replacing_where_it_was() {
    let mut world = running(3);
    world.want(vec![daemon(JOB, 2, 3, "b", spec())]);
    for _ in 0..12 {
        world.recover(SurveyedBoot::Same);
        world.end_all();
        world.recover(SurveyedBoot::Same);
        world.start_all();
        world.advance(Duration::from_secs(1));
    }
    assert_eq!(world.ready_count(), 3);
    assert_eq!(world.starts.len(), 6, "each was replaced once");
}

#[test]
fn a_restart_of_all_survives_the_agent_that_heard_of_it() {
    let mut world = running(3);
    let index = None;
    world.feed(SlotInput::Restart { job: JOB, index });
    for compact in [false, true, true] {
        if compact {
            world.ledger = world.book.snapshot();
        }
        world.recover(SurveyedBoot::Same);
        world.end_all();
        world.start_all();
        world.advance(Duration::from_secs(1));
    }
    assert_eq!((world.ready_count(), world.history.len()), (3, 6));
    let reports = world.book.process_reports();
    assert!(
        reports
            .into_iter()
            .all(|report| { report.end.as_ref().unwrap().stopped_for == Some(StopCause::Kill) })
    );
}

#[test]
fn an_agent_that_ends_replaces_nothing() {
    let mut world = running(3);
    let with_processes = false;
    world.feed(SlotInput::Shutdown { with_processes });
    world.want(vec![daemon(JOB, 2, 3, "b", spec())]);
    assert_eq!(stopping(&world), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens to a change meanwhile, the book itself never takes more down than it may.
    #[test]
    fn never_more_are_down_than_may_be(
        processes in 1..8_u32,
        max_unavailable in 1..4_u32,
        steps in proptest::collection::vec((0..5_u8, any::<u16>()), 1..80),
    ) {
        let policy = policy(max_unavailable);
        let mut world = up(processes, policy.clone());
        let mut version = 1;
        let floor = processes.saturating_sub(max_unavailable) as usize;
        for (what, ms) in steps {
            match what {
                0 => {
                    version += 1;
                    let order = daemon(JOB, version, processes, &version.to_string(), policy.clone());
                    world.want(vec![order]);
                }
                1 => world.feed(SlotInput::Restart { job: JOB, index: None }),
                2 => world.recover(SurveyedBoot::Same),
                3 => {
                    world.end_all();
                    world.start_all();
                }
                _ => world.advance(Duration::from_millis(ms.into())),
            }
            prop_assert!(world.ready_count() >= floor, "{} of {processes}", world.ready_count());
        }
    }
}
