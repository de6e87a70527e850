//! Limits of the agent on all of its runs together.

use std::collections::BTreeMap;
use std::time::Duration;

use cronfleet_core::id::{JobId, RunId};
use cronfleet_core::life::Found;
use cronfleet_core::order::{Order, Start};
use cronfleet_core::order_book::{Effect, Input, SurveyedBoot};
use cronfleet_core::record::Record;
use cronfleet_core::run::Reason;
use cronfleet_core::run_limits::RunLimits;

use crate::{A, B, Bench, C, end, now, order};

const D: RunId = RunId::from_u128(4);

/// A run of a job of its own.
fn other_job(run: RunId, due_ms: u64) -> Order {
    Order {
        job: JobId::from_uuid(run.as_uuid()),
        ..order(run, due_ms)
    }
}

/// A bench with limits and runs that are ready when they are due.
fn bench(limits: RunLimits, runs: &[(RunId, u64)]) -> Bench {
    let mut bench = Bench::new();
    bench.feed(0, Input::Limits(limits));
    for &(run, due) in runs {
        bench.accept(0, other_job(run, due));
        bench.feed(10, Input::Armed { run });
    }
    bench
}

fn running(max: u32) -> RunLimits {
    RunLimits {
        running_max: Some(max),
        ..RunLimits::default()
    }
}

fn ended(ms: u64, run: RunId) -> Input {
    Input::Ended {
        run,
        start: None,
        end: end(now(ms).center, 0, Duration::from_millis(99)),
    }
}

fn gone(effects: &[Effect]) -> Vec<RunId> {
    let go = |effect: &Effect| match effect {
        Effect::Go { run } => Some(*run),
        _ => None,
    };
    effects.iter().filter_map(go).collect()
}

#[test]
fn who_was_due_first_gets_the_room_that_there_is() {
    let mut bench = bench(
        running(2),
        &[(C, 1_300), (A, 1_000), (D, 1_400), (B, 1_200)],
    );
    assert_eq!(gone(&bench.feed(1_500, Input::Tick)), [A, B]);
    bench.start(1_501, A);
    bench.start(1_501, B);
    assert_eq!(gone(&bench.feed(2_000, ended(2_000, B))), [C]);
    assert_eq!(gone(&bench.feed(2_001, Input::Limits(running(3)))), [D]);
}

#[test]
fn starts_keep_their_distance() {
    let limits = RunLimits {
        starts_per_second: Some(4),
        ..RunLimits::default()
    };
    let mut bench = bench(limits, &[(A, 1_000), (B, 1_000), (C, 1_000)]);
    assert_eq!(gone(&bench.feed(1_000, Input::Tick)), [A]);
    assert_eq!(bench.book.next_wake().boot, Some(now(1_250).boot));
    assert_eq!(gone(&bench.feed(1_249, Input::Tick)), []);
    assert_eq!(gone(&bench.feed(1_250, Input::Tick)), [B]);
    assert_eq!(gone(&bench.feed(1_600, Input::Tick)), [C], "the next one");
}

#[test]
fn who_finds_no_room_in_its_window_says_so() {
    let mut bench = bench(running(1), &[(A, 1_000), (B, 1_200)]);
    bench.feed(1_200, Input::Tick);
    bench.start(1_201, A);
    bench.feed(11_201, Input::Tick);
    bench.feed(11_202, Input::Synced { run: B });
    assert_eq!(bench.refused(B), Some(Reason::AgentLimit));
}

#[test]
fn what_waits_can_be_taken_back() {
    let mut bench = bench(running(1), &[(A, 1_000), (B, 1_200), (C, 1_300)]);
    bench.feed(1_300, Input::Tick);
    bench.start(1_301, A);
    let revoke = Input::Revoke {
        run: B,
        reason: Reason::Paused,
    };
    assert_eq!(bench.feed(1_400, revoke), [Effect::Abandon { run: B }]);
    assert_eq!(gone(&bench.feed(2_000, ended(2_000, A))), [C]);
}

#[test]
fn limits_hold_after_a_restart_and_count_what_is_found_alive() {
    let mut bench = bench(running(1), &[(A, 1_000), (B, 2_000)]);
    bench.feed(1_000, Input::Tick);
    bench.start(1_001, A);
    let snapshot = bench.book.snapshot();
    assert!(snapshot.contains(&Record::RunLimits(running(1))));
    bench.ledger = snapshot;
    let start = Start {
        at: now(1_001).center,
        pid: 5,
    };
    let alive = Found::Alive {
        start,
        boot: now(1_001).boot,
    };
    let found = BTreeMap::from([(A, alive)]);
    bench.recover(now(1_500), SurveyedBoot::Same, found);
    bench.feed(1_510, Input::Armed { run: B });
    assert_eq!(bench.feed(2_000, Input::Tick), []);
    assert_eq!(gone(&bench.feed(2_500, ended(2_500, A))), [B]);
}
