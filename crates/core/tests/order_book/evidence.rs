//! What the ledger and the host tell: an order that could not be written, and what is found after a restart.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cronfleet_core::life::{Found, Now};
use cronfleet_core::order::{Claim, Order, Start};
use cronfleet_core::order_book::{Effect, Input, SurveyedBoot};
use cronfleet_core::record::Record;
use cronfleet_core::run::Reason;
use jiff::Timestamp;

use crate::{A, B, Bench, C, now, order};

#[test]
fn an_order_that_cannot_be_written_down_is_tried_again_until_it_is_due() {
    let mut bench = Bench::new();
    bench.feed(0, Input::Order(Arc::new(order(A, 2_000))));
    bench.ledger.clear();
    for ms in [0, 1_000] {
        assert_eq!(bench.feed(ms, Input::LedgerFailed { run: A }), []);
        assert_eq!(bench.book.claim(A), None, "nothing can be said of it yet");
        assert_eq!(bench.book.snapshot(), [], "and nobody may find it");
        let retry = now(ms + 1_000);
        assert_eq!(bench.book.next_wake().boot, Some(retry.boot));
        assert_eq!(bench.feed(ms + 1_000, Input::Tick), []);
        let last = bench.ledger.pop();
        assert!(matches!(last, Some(Record::Accepted { order, .. }) if order.run == A));
    }
    assert_eq!(
        bench.feed(2_000, Input::LedgerFailed { run: A }),
        [Effect::Report { run: A }]
    );
    assert_eq!(bench.refused(A), Some(Reason::LedgerUnwritable));
    assert_eq!(
        bench.feed(2_500, Input::Order(Arc::new(order(A, 2_000)))),
        [Effect::Report { run: A }]
    );
}

#[test]
fn an_order_starts_if_the_ledger_takes_it_before_it_is_due() {
    let mut bench = Bench::new();
    bench.feed(0, Input::Order(Arc::new(order(A, 2_000))));
    bench.feed(1, Input::LedgerFailed { run: A });
    bench.feed(1_001, Input::Tick);
    let effects = bench.feed(1_002, Input::Synced { run: A });
    assert_eq!(effects, [Effect::Report { run: A }, Effect::Arm { run: A }]);
    assert_eq!(bench.claim(A), Claim::Accepted);
}

#[test]
fn orders_get_into_the_ledger_in_the_order_in_which_they_start() {
    let mut bench = Bench::new();
    bench.feed(0, Input::Order(Arc::new(order(A, 2_000))));
    bench.feed(1, Input::LedgerFailed { run: A });
    bench.ledger.clear();
    assert_eq!(bench.feed(2, Input::Order(Arc::new(order(B, 3_000)))), []);
    assert!(
        bench.ledger.is_empty(),
        "it would start before A after a crash"
    );
    let other_lane = Order {
        copy: 1,
        ..order(C, 3_000)
    };
    bench.feed(3, Input::Order(Arc::new(other_lane)));
    bench.feed(1_001, Input::Tick);
    let written: Vec<_> = bench.ledger.iter().map(Record::run).collect();
    assert_eq!(written, [C, A, B].map(Some));
}

#[test]
fn an_order_that_is_written_and_not_durable_is_refused_in_the_file_too() {
    let mut bench = Bench::new();
    bench.feed(0, Input::Order(Arc::new(order(A, 1_000))));
    assert_eq!(bench.feed(1, Input::SyncFailed { run: A }), []);
    bench.feed(1_001, Input::Tick);
    let effects = bench.feed(1_002, Input::LedgerFailed { run: A });
    assert_eq!(effects, [Effect::Report { run: A }]);
    let last = bench.ledger.last();
    assert!(matches!(last, Some(Record::Settled { run: A, .. })));
    assert_eq!(bench.refused(A), Some(Reason::LedgerUnwritable));
}

#[test]
fn an_order_taken_back_while_the_ledger_does_not_take_it_waits_for_the_refusal_only() {
    let mut bench = Bench::new();
    bench.feed(0, Input::Order(Arc::new(order(A, 2_000))));
    bench.feed(1, Input::LedgerFailed { run: A });
    let reason = Reason::Superseded;
    assert_eq!(bench.feed(2, Input::Revoke { run: A, reason }), []);
    assert_eq!(bench.book.claim(A), None);
    assert_eq!(
        bench.feed(3, Input::Synced { run: A }),
        [Effect::Report { run: A }]
    );
    assert_eq!(bench.refused(A), Some(reason));
}

#[test]
fn a_run_that_the_center_believes_accepted_and_nobody_knows_is_lost() {
    let mut bench = Bench::new();
    assert_eq!(
        bench.feed(0, Input::Inquiry { run: A }),
        [Effect::Report { run: A }]
    );
    assert_eq!(
        bench.claim(A),
        Claim::Lost {
            reason: Reason::LedgerMissing,
            start: None
        }
    );
    assert_eq!(
        bench.feed(1, Input::Order(Arc::new(order(A, 1_000)))),
        [Effect::Report { run: A }]
    );
}

#[test]
fn after_a_restart_of_the_agent_the_hosts_evidence_decides() {
    let mut bench = Bench::new();
    for (run, due) in [(A, 1_000), (B, 2_000), (C, 60_000)] {
        let lane = u32::try_from(due).unwrap();
        bench.accept(
            0,
            Order {
                copy: lane,
                ..order(run, due)
            },
        );
    }
    let start = Start {
        at: now(1_000).center,
        pid: 5,
    };
    let found = BTreeMap::from([
        (
            A,
            Found::Alive {
                start,
                boot: now(1_000).boot,
            },
        ),
        (B, Found::NeverStarted),
    ]);
    let effects = bench.recover(now(5_000), SurveyedBoot::Same, found);
    assert_eq!(bench.claim(A), Claim::Running(start));
    assert_eq!(
        bench.claim(B),
        Claim::Accepted,
        "still in its window, so it may start"
    );
    assert_eq!(
        effects,
        [
            Effect::Report { run: A },
            Effect::Forget { run: B },
            Effect::Arm { run: B }
        ]
    );
    bench.recover(now(13_000), SurveyedBoot::Same, BTreeMap::new());
    bench.feed(13_000, Input::Synced { run: B });
    assert_eq!(bench.refused(B), Some(Reason::AgentRestarted));
}

/// What becomes of a run due at 1 s and one due at 60 s when the host is another one at `at`.
fn after_reboot(at: Now) -> (Claim, Claim) {
    let mut bench = Bench::new();
    bench.accept(
        0,
        Order {
            copy: 1,
            ..order(A, 1_000)
        },
    );
    bench.accept(
        0,
        Order {
            copy: 2,
            ..order(B, 60_000)
        },
    );
    bench.recover(at, SurveyedBoot::New, BTreeMap::new());
    (bench.claim(A), bench.claim(B))
}

#[test]
fn after_a_restart_of_the_host_nothing_is_guessed() {
    let lost = Claim::Lost {
        reason: Reason::HostRebooted,
        start: None,
    };
    let boot = Duration::from_secs(10);
    let rebooted = Now {
        center: now(30_000).center,
        boot,
    };
    assert_eq!(after_reboot(rebooted), (lost.clone(), Claim::Accepted));
    // A container that was started again: the machine's boot is long ago.
    assert_eq!(after_reboot(now(30_000)), (lost.clone(), Claim::Accepted));
    // A clock that came up in the past: no instant can be trusted.
    let behind = Now {
        center: Timestamp::UNIX_EPOCH,
        boot,
    };
    assert_eq!(after_reboot(behind), (lost.clone(), lost));
}
