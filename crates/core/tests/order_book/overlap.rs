//! What becomes of runs that come due while another one of their lane is alive.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cronfleet_core::id::RunId;
use cronfleet_core::job::{Overlap, StopSignal};
use cronfleet_core::life::Found;
use cronfleet_core::order::{Claim, Order, Start, StopCause};
use cronfleet_core::order_book::{Effect, Input, SurveyedBoot};
use cronfleet_core::run::{Reason, outcome_of};

use crate::{A, B, Bench, C, end, now, order};

const D: RunId = RunId::from_u128(4);

/// A bench on which `A` runs, and others of its lane are due at these times.
fn behind_a_running_one(overlap: Overlap, others: &[(RunId, u64)]) -> Bench {
    let mut bench = Bench::new();
    bench.accept(
        0,
        Order {
            overlap,
            ..order(A, 1_000)
        },
    );
    for &(run, due) in others {
        bench.accept(
            0,
            Order {
                overlap,
                ..order(run, due)
            },
        );
    }
    bench.feed(10, Input::Armed { run: A });
    assert_eq!(bench.feed(1_000, Input::Tick), [Effect::Go { run: A }]);
    bench.start(1_001, A);
    bench
}

fn ended(ms: u64, run: RunId) -> Input {
    Input::Ended {
        run,
        start: None,
        end: end(now(ms).center, 0, Duration::from_millis(99)),
    }
}

/// Lets the first of the lane be prepared and asserts that it goes at once.
fn goes(bench: &mut Bench, ms: u64, effects: &[Effect], run: RunId) {
    assert!(effects.contains(&Effect::Arm { run }), "{effects:?}");
    assert_eq!(bench.feed(ms, Input::Armed { run }), [Effect::Go { run }]);
    bench.start(ms, run);
}

#[test]
fn as_many_as_may_wait_in_the_order_in_which_they_are_due() {
    let overlap = Overlap::Queue { max: 2 };
    let mut bench = behind_a_running_one(overlap, &[(D, 1_400), (C, 1_300), (B, 1_200)]);
    assert_eq!(bench.feed(1_300, Input::Tick), [], "two wait");
    assert_eq!(bench.feed(1_400, Input::Tick), []);
    bench.feed(1_410, Input::Synced { run: D });
    assert_eq!(bench.refused(D), Some(Reason::QueueFull));

    let effects = bench.feed(2_000, ended(2_000, A));
    goes(&mut bench, 2_010, &effects, B);
    let effects = bench.feed(2_500, ended(2_500, B));
    goes(&mut bench, 2_510, &effects, C);
    bench.feed(2_600, ended(2_600, C));
    assert!(!bench.book.has_processes());
}

#[test]
fn who_waits_too_long_misses_its_window() {
    let mut bench = behind_a_running_one(Overlap::Queue { max: 1 }, &[(B, 1_200)]);
    bench.feed(11_201, Input::Tick);
    bench.feed(11_202, Input::Synced { run: B });
    assert_eq!(bench.refused(B), Some(Reason::StartDeadlineExceeded));
}

#[test]
fn what_is_caught_up_waits_beside_the_queue() {
    let overlap = Overlap::Queue { max: 1 };
    let mut bench = behind_a_running_one(overlap, &[(B, 1_200)]);
    let late = Order {
        overlap,
        not_before: now(1_300).center,
        ..order(C, 500)
    };
    assert!(late.is_planned_late());
    bench.accept(1_250, late);
    assert_eq!(bench.feed(1_300, Input::Tick), []);
    assert_eq!((bench.refused(B), bench.refused(C)), (None, None));
}

#[test]
fn a_later_run_stops_the_one_before_and_starts_when_it_is_over() {
    let mut bench = behind_a_running_one(Overlap::Replace, &[(B, 1_200)]);
    let stop = Effect::Stop {
        run: A,
        signal: StopSignal::Int,
    };
    assert_eq!(bench.feed(1_200, Input::Tick), [stop]);
    assert_eq!(bench.feed(1_300, Input::Tick), [], "asked once");
    let effects = bench.feed(1_400, ended(1_400, A));
    let Claim::Ended { end, .. } = bench.claim(A) else {
        panic!("{:?}", bench.claim(A));
    };
    assert_eq!(end.stopped_for, Some(StopCause::Replaced));
    assert_eq!(outcome_of(&end).1, Some(Reason::Replaced));
    goes(&mut bench, 1_410, &effects, B);
}

#[test]
fn of_several_that_wait_for_the_stop_only_the_last_one_starts() {
    let others = [(B, 1_200), (C, 1_300)];
    let mut bench = behind_a_running_one(Overlap::Replace, &others);
    bench.feed(1_200, Input::Tick);
    bench.feed(1_300, Input::Tick);
    bench.feed(1_310, Input::Synced { run: B });
    assert_eq!(bench.refused(B), Some(Reason::Overtaken));
    let effects = bench.feed(1_400, ended(1_400, A));
    goes(&mut bench, 1_410, &effects, C);
}

#[test]
fn a_late_attempt_does_not_stop_a_run_that_was_due_after_it() {
    let mut bench = behind_a_running_one(Overlap::Replace, &[]);
    let again = Order {
        overlap: Overlap::Replace,
        attempt: 2,
        not_before: now(1_500).center,
        ..order(B, 500)
    };
    bench.accept(1_100, again);
    assert_eq!(bench.feed(1_500, Input::Tick), []);
    bench.feed(1_510, Input::Synced { run: B });
    assert_eq!(bench.refused(B), Some(Reason::Overtaken));
}

#[test]
fn a_replacement_goes_on_where_the_agent_is_restarted() {
    let mut bench = behind_a_running_one(Overlap::Replace, &[(B, 1_200)]);
    bench.feed(1_200, Input::Tick);
    let start = Start {
        at: now(1_001).center,
        pid: 5,
    };
    let alive = Found::Alive {
        start,
        boot: now(1_001).boot,
    };
    let found = BTreeMap::from([(A, alive)]);
    let effects = bench.recover(now(1_300), SurveyedBoot::Same, found);
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Stop { run: A, .. })),
        "{effects:?}"
    );
    assert_eq!(
        bench.feed(1_310, Input::Order(Arc::new(order(B, 1_200)))),
        [Effect::Report { run: B }]
    );
    let effects = bench.feed(1_400, ended(1_400, A));
    goes(&mut bench, 1_410, &effects, B);
}

#[test]
fn one_that_was_to_be_replaced_before_it_started_says_so() {
    let mut bench = Bench::new();
    let replace = |order| Order {
        overlap: Overlap::Replace,
        ..order
    };
    bench.accept(0, replace(order(A, 1_000)));
    bench.accept(0, replace(order(B, 1_200)));
    bench.feed(10, Input::Armed { run: A });
    assert_eq!(bench.feed(1_000, Input::Tick), [Effect::Go { run: A }]);
    assert_eq!(bench.feed(1_200, Input::Tick), [], "nothing to signal yet");
    let effects = bench.feed(1_300, Input::NeverStarted { run: A });
    bench.feed(1_310, Input::Synced { run: A });
    assert_eq!(bench.refused(A), Some(Reason::Overtaken));
    goes(&mut bench, 1_320, &effects, B);
}
