//! Offers: nothing starts without the word, and the word does not outlive the agent.

use std::collections::BTreeMap;
use std::sync::Arc;

use cronfleet_core::id::RunId;
use cronfleet_core::job::Overlap;
use cronfleet_core::life::Found;
use cronfleet_core::order::{Claim, Order, Start, StopCause};
use cronfleet_core::order_book::{Effect, Input, SurveyedBoot};
use cronfleet_core::run::Reason;

use crate::{A, B, Bench, now, order};

fn offer(run: RunId, due_ms: u64) -> Order {
    Order {
        is_offer: true,
        ..order(run, due_ms)
    }
}

/// A bench with offers that are prepared before they are due.
fn bench(offers: &[(RunId, u64)]) -> Bench {
    let mut bench = Bench::new();
    for &(run, due) in offers {
        bench.accept(0, offer(run, due));
        let effects = bench.feed(due - 1_500, Input::Tick);
        assert_eq!(effects, [Effect::Arm { run }]);
        bench.feed(due - 1_000, Input::Armed { run });
    }
    bench
}

#[test]
fn an_offer_starts_when_it_is_due_and_has_the_word_whichever_comes_last() {
    let mut early = bench(&[(A, 3_000)]);
    assert_eq!(early.feed(2_500, Input::Go { run: A }), []);
    assert_eq!(early.feed(3_000, Input::Tick), [Effect::Go { run: A }]);
    let mut late = bench(&[(A, 3_000)]);
    assert_eq!(late.feed(4_000, Input::Tick), []);
    assert_eq!(
        late.feed(4_100, Input::Go { run: A }),
        [Effect::Go { run: A }]
    );
    assert_eq!(late.feed(4_200, Input::Go { run: A }), [], "said again");
}

#[test]
fn without_the_word_an_offer_is_refused_once_its_time_is_over() {
    let mut bench = bench(&[(A, 3_000)]);
    let effects = bench.feed(13_001, Input::Tick);
    assert!(effects.contains(&Effect::Abandon { run: A }), "{effects:?}");
    let refused = Claim::Refused {
        reason: Reason::StartDeadlineExceeded,
        detail: None,
    };
    bench.feed(13_002, Input::Synced { run: A });
    assert_eq!(bench.book.claim(A), Some(refused));
    assert_eq!(
        bench.feed(13_003, Input::Go { run: A }),
        [Effect::Report { run: A }],
        "too late: only what became of it is said"
    );
}

#[test]
fn an_agent_that_restarts_waits_for_the_word_again() {
    let mut bench = bench(&[(A, 3_000)]);
    bench.feed(2_500, Input::Go { run: A });
    bench.recover(now(2_600), SurveyedBoot::Same, BTreeMap::new());
    bench.feed(2_700, Input::Armed { run: A });
    assert_eq!(bench.feed(3_500, Input::Tick), []);
    let go = bench.feed(3_600, Input::Go { run: A });
    assert_eq!(go, [Effect::Go { run: A }]);
}

#[test]
fn the_word_said_again_to_one_that_is_alive_changes_nothing() {
    let mut bench = bench(&[(A, 3_000)]);
    bench.feed(2_500, Input::Go { run: A });
    bench.feed(3_000, Input::Tick);
    let start = Start {
        at: now(3_001).center,
        pid: 5,
    };
    let alive = Found::Alive {
        start,
        boot: now(3_001).boot,
    };
    let found = BTreeMap::from([(A, alive)]);
    bench.recover(now(20_000), SurveyedBoot::Same, found);
    assert_eq!(bench.feed(20_001, Input::Go { run: A }), []);
    assert_eq!(bench.book.claim(A), Some(Claim::Running(start)));
}

#[test]
fn an_offer_without_the_word_is_in_nobodys_way() {
    let mut bench = bench(&[(A, 3_000)]);
    bench.accept(2_000, order(B, 3_500));
    bench.feed(2_600, Input::Armed { run: B });
    assert_eq!(bench.feed(3_500, Input::Tick), [Effect::Go { run: B }]);
    bench.start(3_501, B);
    let word = bench.feed(3_600, Input::Go { run: A });
    assert!(!word.contains(&Effect::Go { run: A }), "one is alive here");
}

#[test]
fn a_run_that_is_to_be_replaced_and_was_never_heard_of_never_starts() {
    let mut bench = Bench::new();
    let cause = StopCause::Replaced;
    bench.feed(0, Input::Kill { run: A, cause });
    bench.feed(1, Input::Synced { run: A });
    let late = Order {
        overlap: Overlap::Replace,
        ..order(A, 3_000)
    };
    bench.feed(10, Input::Order(Arc::new(late)));
    let refused = Claim::Refused {
        reason: Reason::Overtaken,
        detail: None,
    };
    assert_eq!(bench.book.claim(A), Some(refused));
}
