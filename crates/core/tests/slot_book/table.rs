//! Every state against every event.

use std::time::Duration;

use cronfleet_core::job::{DaemonSpec, Restart};
use cronfleet_core::order::{ExitStatus, ProbeKind, SlotState};
use cronfleet_core::order_book::SurveyedBoot;
use cronfleet_core::run::Reason;
use cronfleet_core::slot_book::SlotInput;

use crate::probing::probed;
use crate::world::{JOB, World, daemon};

/// A slot in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    /// Told to start, nothing heard yet.
    Arming,
    /// The process lives and is not ready.
    Up,
    Ready,
    Stopping,
    Backoff,
    CrashLoop,
    Finished,
}

const GIVEN: [Given; 7] = [
    Given::Arming,
    Given::Up,
    Given::Ready,
    Given::Stopping,
    Given::Backoff,
    Given::CrashLoop,
    Given::Finished,
];

/// Restarts on failure, is asked whether it is ready and well.
fn policy() -> DaemonSpec {
    DaemonSpec {
        restart: Restart::OnFailure,
        ..probed()
    }
}

fn given(state: Given) -> World {
    let mut world = World::new();
    world.want(vec![daemon(JOB, 1, 1, "a", policy())]);
    if state == Given::Arming {
        return world;
    }
    world.start_all();
    let process = world.process(0);
    match state {
        Given::Arming | Given::Up => {}
        Given::Ready => make_ready(&mut world),
        Given::Stopping => {
            make_ready(&mut world);
            let index = Some(0);
            world.feed(SlotInput::Restart { job: JOB, index });
        }
        Given::Backoff => world.end(process, ExitStatus::Exited(1)),
        Given::CrashLoop => {
            world.alive.clear();
            world.feed(SlotInput::StartFailed {
                process,
                reason: Reason::CommandMissing,
                detail: String::new(),
            });
        }
        Given::Finished => world.end(process, ExitStatus::Exited(0)),
    }
    world
}

fn make_ready(world: &mut World) {
    for wait in [2, 5] {
        world.advance(Duration::from_secs(wait));
        world.answer_all(Ok(()));
    }
}

/// An event, by what it is called in the table.
fn happen(world: &mut World, event: &str) {
    let held = world.starting.keys().chain(world.alive.keys()).next();
    // One that the book does not know, if there is none.
    let process = held.copied().unwrap_or(world.history[0].2);
    match event {
        "started" => world.start_all(),
        "exits 0" if !world.alive.is_empty() => world.end(process, ExitStatus::Exited(0)),
        "exits 1" if !world.alive.is_empty() => world.end(process, ExitStatus::Exited(1)),
        "exits 0" | "exits 1" => {}
        "shim lost" => {
            world.starting.clear();
            world.alive.clear();
            world.feed(SlotInput::Vanished {
                process,
                start: None,
            });
        }
        "probe bad" => {
            world.feed(SlotInput::Probed {
                process,
                kind: ProbeKind::Health,
                answer: Err("bad".into()),
            });
        }
        "restart" => {
            let index = Some(0);
            world.feed(SlotInput::Restart { job: JOB, index });
        }
        "changed" => world.want(vec![daemon(JOB, 2, 1, "b", policy())]),
        "unwanted" => world.want(Vec::new()),
        "an hour" => world.advance(Duration::from_secs(3_600)),
        "new agent" => world.recover(SurveyedBoot::Same),
        other => panic!("{other}"),
    }
}

/// What a slot shows, and whether a process is there or about to be.
fn shown(world: &World) -> String {
    let state = world.state(0).map_or("gone", SlotState::word);
    let held = world.starting.len() + world.alive.len();
    assert!(held <= 1);
    let mark = if held == 1 { "+" } else { "" };
    format!("{state}{mark}")
}

#[test]
fn every_event_in_every_state() {
    // The slot afterwards; + if it has a process.
    let table: [(&str, [&str; 7]); 10] = [
        (
            "started",
            [
                "starting+",
                "starting+",
                "running+",
                "stopping+",
                "backoff",
                "crash_loop",
                "stopped",
            ],
        ),
        (
            "exits 0",
            [
                "starting+",
                "stopped",
                "stopped",
                "starting+",
                "backoff",
                "crash_loop",
                "stopped",
            ],
        ),
        (
            "exits 1",
            [
                "starting+",
                "backoff",
                "starting+",
                "starting+",
                "backoff",
                "crash_loop",
                "stopped",
            ],
        ),
        (
            "shim lost",
            [
                "backoff",
                "backoff",
                "starting+",
                "starting+",
                "backoff",
                "crash_loop",
                "stopped",
            ],
        ),
        (
            "probe bad",
            [
                "starting+",
                "starting+",
                "running+",
                "stopping+",
                "backoff",
                "crash_loop",
                "stopped",
            ],
        ),
        (
            "restart",
            [
                "starting+",
                "stopping+",
                "stopping+",
                "stopping+",
                "starting+",
                "starting+",
                "starting+",
            ],
        ),
        (
            "changed",
            [
                "starting+",
                "stopping+",
                "stopping+",
                "stopping+",
                "starting+",
                "starting+",
                "starting+",
            ],
        ),
        (
            "unwanted",
            [
                "gone",
                "stopping+",
                "stopping+",
                "stopping+",
                "gone",
                "gone",
                "gone",
            ],
        ),
        (
            "an hour",
            [
                "starting+",
                "stopping+",
                "running+",
                "stopping+",
                "starting+",
                "crash_loop+",
                "stopped",
            ],
        ),
        (
            "new agent",
            [
                "starting+",
                "starting+",
                "running+",
                "starting+",
                "starting+",
                "starting+",
                "stopped",
            ],
        ),
    ];
    let mut wrong = Vec::new();
    for (event, expected) in table {
        for (state, expected) in GIVEN.into_iter().zip(expected) {
            let mut world = given(state);
            happen(&mut world, event);
            let shown = shown(&world);
            if shown != expected {
                wrong.push(format!("{state:?} × {event}: {shown}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
