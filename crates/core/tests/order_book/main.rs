//! The order book, case by case.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod evidence;
mod limits;
mod offers;
mod overlap;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cronfleet_core::id::{JobId, RunId};
use cronfleet_core::job::{Command, Launch, Overlap, StopPolicy, StopSignal};
use cronfleet_core::life::{Found, Now};
use cronfleet_core::order::{
    Claim, Cleanup, End, ExitStatus, Order, OutputTotals, Start, StopCause, Usage,
};
use cronfleet_core::order_book::{Effect, Input, Limits, OrderBook, Phase, Survey, SurveyedBoot};
use cronfleet_core::record::Record;
use cronfleet_core::run::Reason;
use jiff::Timestamp;

const A: RunId = RunId::from_u128(1);
const B: RunId = RunId::from_u128(2);
const C: RunId = RunId::from_u128(3);

/// So many milliseconds after the beginning; the host booted an hour before it.
fn now(ms: u64) -> Now {
    let wait = Duration::from_millis(ms);
    let begin = Timestamp::from_second(1_800_000_000).unwrap();
    Now {
        center: begin + wait,
        boot: Duration::from_secs(3_600) + wait,
    }
}

fn order(run: RunId, due_ms: u64) -> Order {
    let due = now(due_ms).center;
    Order {
        run,
        job: JobId::from_u128(1),
        job_name: "job".into(),
        job_version: 1,
        copy: 0,
        copies: 1,
        attempt: 1,
        due,
        jitter: Duration::ZERO,
        not_before: due,
        not_after: due + Duration::from_secs(10),
        is_offer: false,
        overlap: Overlap::Forbid,
        timeout: None,
        launch: Launch {
            stop: StopPolicy {
                signal: StopSignal::Int,
                grace: Duration::from_secs(5),
            },
            ..Launch::new(Command::Argv(vec!["/bin/true".into()]), "nobody")
        },
    }
}

fn end(at: Timestamp, status: i32, ran_for: Duration) -> End {
    End {
        at,
        status: ExitStatus::Exited(status),
        stopped_for: None,
        duration: ran_for,
        usage: Usage::default(),
        output: OutputTotals::default(),
        cleanup: Cleanup::default(),
    }
}

struct Bench {
    book: OrderBook,
    ledger: Vec<Record>,
}

impl Bench {
    fn new() -> Self {
        Self {
            book: OrderBook::new(Limits::default()),
            ledger: Vec::new(),
        }
    }

    /// Feeds an input; answers the effects other than records, which are kept.
    fn feed(&mut self, ms: u64, input: Input) -> Vec<Effect> {
        let effects = self.book.handle(now(ms), input);
        self.book.assert_consistent(now(ms));
        self.keep(effects)
    }

    fn keep(&mut self, effects: Vec<Effect>) -> Vec<Effect> {
        let mut others = Vec::new();
        for effect in effects {
            match effect {
                Effect::Append(record) => self.ledger.push(*record),
                other => others.push(other),
            }
        }
        others
    }

    /// Accepts an order that is on the disk at once.
    fn accept(&mut self, ms: u64, order: Order) -> Vec<Effect> {
        let run = order.run;
        let mut effects = self.feed(ms, Input::Order(Arc::new(order)));
        effects.extend(self.feed(ms, Input::Synced { run }));
        effects
    }

    fn start(&mut self, ms: u64, run: RunId) {
        let start = Start {
            at: now(ms).center,
            pid: 5,
        };
        let effects = self.feed(
            ms,
            Input::Started {
                run,
                start,
                boot: now(ms).boot,
            },
        );
        assert!(effects.contains(&Effect::Report { run }));
    }

    fn claim(&self, run: RunId) -> Claim {
        self.book.claim(run).unwrap()
    }

    fn refused(&self, run: RunId) -> Option<Reason> {
        match self.book.claim(run)? {
            Claim::Refused { reason, .. } => Some(reason),
            _ => None,
        }
    }

    fn recover(
        &mut self,
        at: Now,
        boot: SurveyedBoot,
        runs: BTreeMap<RunId, Found>,
    ) -> Vec<Effect> {
        let survey = Survey {
            boot,
            is_ledger_lost: false,
            runs,
            owners: BTreeMap::new(),
        };
        let (book, effects) =
            OrderBook::recover(Limits::default(), self.ledger.clone(), survey, at);
        self.book = book;
        self.keep(effects)
    }
}

#[test]
fn a_run_is_prepared_ahead_and_released_when_it_is_due() {
    let mut bench = Bench::new();
    assert_eq!(bench.feed(0, Input::Order(Arc::new(order(A, 9_000)))), []);
    assert_eq!(
        bench.book.claim(A),
        None,
        "not said before it is on the disk"
    );
    assert_eq!(
        bench.feed(5, Input::Synced { run: A }),
        [Effect::Report { run: A }]
    );
    assert_eq!(bench.book.next_wake().center, Some(now(7_000).center));
    assert_eq!(bench.feed(7_000, Input::Tick), [Effect::Arm { run: A }]);
    assert_eq!(bench.feed(7_020, Input::Armed { run: A }), []);
    assert_eq!(bench.book.next_wake().center, Some(now(9_000).center));
    assert_eq!(bench.feed(9_000, Input::Tick), [Effect::Go { run: A }]);
    bench.start(9_001, A);
    let over = end(now(9_500).center, 0, Duration::from_millis(499));
    let effects = bench.feed(
        9_501,
        Input::Ended {
            run: A,
            start: None,
            end: over,
        },
    );
    assert_eq!(effects, [Effect::Report { run: A }]);
    assert!(matches!(
        bench.claim(A),
        Claim::Ended { start: Some(_), .. }
    ));
    assert_eq!(
        bench.feed(
            9_600,
            Input::Acked {
                run: A,
                phase: Phase::Running
            }
        ),
        []
    );
    let effects = bench.feed(
        9_600,
        Input::Acked {
            run: A,
            phase: Phase::Over,
        },
    );
    assert_eq!(effects, [Effect::Forget { run: A }]);
    assert_eq!(bench.book.claims_unacked().count(), 0);
    assert_eq!(bench.book.ends_unacked_count(), 0);
    let again = bench.feed(9_700, Input::Order(Arc::new(order(A, 9_000))));
    assert_eq!(
        again,
        [Effect::Report { run: A }],
        "seen before: answered, not started"
    );
}

#[test]
fn what_is_still_being_prepared_when_it_is_due_goes_as_soon_as_it_can_but_not_too_late() {
    let mut bench = Bench::new();
    bench.accept(0, order(A, 1_000));
    assert_eq!(
        bench.feed(3_000, Input::Armed { run: A }),
        [Effect::Go { run: A }]
    );
    let mut late = Bench::new();
    late.accept(0, order(A, 1_000));
    assert_eq!(late.feed(11_001, Input::Tick), [Effect::Abandon { run: A }]);
    late.feed(11_005, Input::Synced { run: A });
    assert_eq!(late.refused(A), Some(Reason::StartDeadlineExceeded));
}

#[test]
fn a_run_waits_for_its_turn_and_is_skipped_while_another_is_alive() {
    let mut bench = Bench::new();
    bench.accept(0, order(B, 1_500));
    bench.accept(0, order(A, 1_000));
    bench.feed(10, Input::Armed { run: B });
    assert_eq!(
        bench.feed(1_600, Input::Tick),
        [],
        "the earlier one is not ready"
    );
    assert_eq!(
        bench.feed(1_700, Input::Armed { run: A }),
        [Effect::Go { run: A }, Effect::Abandon { run: B }]
    );
    bench.feed(1_705, Input::Synced { run: B });
    assert_eq!(bench.refused(B), Some(Reason::Overlap));
    bench.accept(
        1_800,
        Order {
            overlap: Overlap::Allow,
            ..order(C, 1_900)
        },
    );
    bench.feed(1_810, Input::Armed { run: C });
    assert_eq!(
        bench.feed(1_900, Input::Tick),
        [],
        "the one before has not started yet"
    );
    let start = Start {
        at: now(1_901).center,
        pid: 5,
    };
    let started = Input::Started {
        run: A,
        start,
        boot: now(1_901).boot,
    };
    assert!(bench.feed(1_901, started).contains(&Effect::Go { run: C }));
}

#[test]
fn what_is_caught_up_waits_for_its_turn_while_its_window_lasts() {
    let mut bench = Bench::new();
    for (run, due_ms) in [(A, 700), (B, 800)] {
        let due = now(due_ms).center;
        let window = order(run, 1_000);
        bench.accept(1_000, Order { due, ..window });
    }
    bench.feed(1_010, Input::Armed { run: A });
    bench.start(1_020, A);
    assert_eq!(bench.refused(B), None, "it waits");
    bench.feed(11_001, Input::Tick);
    bench.feed(11_002, Input::Synced { run: B });
    assert_eq!(bench.refused(B), Some(Reason::StartDeadlineExceeded));
}

#[test]
fn who_waits_by_jitter_is_not_late_and_is_skipped_while_another_is_alive() {
    let mut bench = Bench::new();
    for (run, due_ms) in [(A, 700), (B, 1_200)] {
        let window = order(run, due_ms + 300);
        let (due, jitter) = (now(due_ms).center, Duration::from_millis(300));
        bench.accept(
            0,
            Order {
                due,
                jitter,
                ..window
            },
        );
    }
    bench.feed(10, Input::Armed { run: A });
    assert_eq!(bench.feed(999, Input::Tick), [], "due, and waiting");
    assert_eq!(bench.feed(1_000, Input::Tick), [Effect::Go { run: A }]);
    bench.start(1_001, A);
    bench.feed(1_500, Input::Tick);
    bench.feed(1_505, Input::Synced { run: B });
    assert_eq!(bench.refused(B), Some(Reason::Overlap));
}

#[test]
fn a_run_taken_back_lets_the_next_one_go() {
    let mut bench = Bench::new();
    bench.accept(0, order(A, 1_000));
    bench.accept(0, order(B, 1_500));
    bench.feed(1_600, Input::Tick);
    let effects = bench.feed(
        1_700,
        Input::Revoke {
            run: A,
            reason: Reason::Superseded,
        },
    );
    assert_eq!(
        effects,
        [Effect::Abandon { run: A }, Effect::Arm { run: B }]
    );
    assert_eq!(
        bench.feed(1_710, Input::Armed { run: B }),
        [Effect::Go { run: B }]
    );
    let effects = bench.feed(
        1_800,
        Input::Revoke {
            run: B,
            reason: Reason::Superseded,
        },
    );
    assert_eq!(
        effects,
        [Effect::Report { run: B }],
        "released already: the truth is told instead"
    );
}

#[test]
fn nothing_is_prepared_behind_another_that_it_must_not_overlap() {
    for (overlap, is_armed_at_once) in [
        (Overlap::Forbid, false),
        (Overlap::Allow, true),
        (Overlap::Queue { max: 1 }, false),
        (Overlap::Replace, false),
    ] {
        let mut bench = Bench::new();
        let with = |order| Order { overlap, ..order };
        let arm = Effect::Arm { run: B };
        bench.accept(0, with(order(A, 1_000)));
        let effects = bench.accept(0, with(order(B, 1_500)));
        assert_eq!(effects.contains(&arm), is_armed_at_once, "{overlap:?}");
        bench.feed(10, Input::Armed { run: A });
        bench.feed(1_000, Input::Tick);
        bench.start(1_001, A);
        let end = end(now(1_100).center, 0, Duration::from_millis(99));
        let ended = Input::Ended {
            run: A,
            start: None,
            end,
        };
        let effects = bench.feed(1_100, ended);
        assert_eq!(effects.contains(&arm), !is_armed_at_once, "{overlap:?}");
        bench.feed(1_110, Input::Armed { run: B });
        assert_eq!(bench.feed(1_500, Input::Tick), [Effect::Go { run: B }]);
    }
}

/// A runs since 1,000 and has three seconds.
fn running_until_4_000() -> Bench {
    let mut bench = Bench::new();
    bench.accept(
        0,
        Order {
            timeout: Some(Duration::from_secs(3)),
            ..order(A, 1_000)
        },
    );
    bench.feed(10, Input::Armed { run: A });
    bench.feed(1_000, Input::Tick);
    bench.start(1_000, A);
    bench
}

#[test]
fn a_stop_is_a_signal_then_the_grace_then_kill_every_second() {
    let mut bench = running_until_4_000();
    assert_eq!(bench.book.next_wake().boot, Some(now(4_000).boot));
    let stop = Effect::Stop {
        run: A,
        signal: StopSignal::Int,
    };
    assert_eq!(bench.feed(4_000, Input::Tick), [stop]);
    assert_eq!(
        bench.ledger.last(),
        Some(&Record::StopAsked {
            run: A,
            cause: StopCause::Timeout
        })
    );
    assert_eq!(
        bench.feed(
            4_100,
            Input::Kill {
                run: A,
                cause: StopCause::Kill
            }
        ),
        [],
        "under way"
    );
    assert_eq!(bench.feed(9_000, Input::Tick), [Effect::KillAll { run: A }]);
    assert_eq!(bench.feed(9_999, Input::Tick), []);
    assert_eq!(
        bench.feed(10_000, Input::Tick),
        [Effect::KillAll { run: A }]
    );
    let over = end(now(10_001).center, 0, Duration::from_secs(9));
    bench.feed(
        10_001,
        Input::Ended {
            run: A,
            start: None,
            end: over,
        },
    );
    let Claim::Ended { end, .. } = bench.claim(A) else {
        panic!("not ended")
    };
    assert_eq!(end.stopped_for, Some(StopCause::Timeout));
}

#[test]
fn what_ended_by_itself_just_before_its_limit_was_not_stopped_for_it() {
    let mut bench = running_until_4_000();
    bench.feed(4_000, Input::Tick);
    let over = end(now(3_999).center, 0, Duration::from_millis(2_999));
    bench.feed(
        4_001,
        Input::Ended {
            run: A,
            start: None,
            end: over,
        },
    );
    let Claim::Ended { end, .. } = bench.claim(A) else {
        panic!("not ended")
    };
    assert_eq!(end.stopped_for, None);
}

#[test]
fn more_orders_than_may_be_held_are_refused_and_far_more_not_even_answered() {
    let limits = Limits {
        held_max: 10,
        ..Limits::default()
    };
    let mut bench = Bench {
        book: OrderBook::new(limits),
        ledger: Vec::new(),
    };
    for number in 0..20_u32 {
        let run = RunId::from_u128(u128::from(number) + 1);
        bench.accept(
            0,
            Order {
                copy: number,
                ..order(run, 60_000)
            },
        );
    }
    let book = &bench.book;
    assert_eq!((book.held_count(), book.ends_unacked_count()), (10, 1));
    assert_eq!(book.open_count(), 11);
    assert_eq!(bench.refused(RunId::from_u128(11)), Some(Reason::AgentFull));
    assert_eq!(bench.book.claim(RunId::from_u128(12)), None);
}

#[test]
fn an_agent_that_ends_lets_go_of_what_is_prepared_and_leaves_alone_what_runs() {
    let mut bench = Bench::new();
    for (run, due) in [(A, 1_000), (B, 2_000)] {
        bench.accept(
            0,
            Order {
                copy: u32::try_from(due).unwrap(),
                ..order(run, due)
            },
        );
        bench.feed(1, Input::Armed { run });
    }
    bench.feed(1_000, Input::Tick);
    bench.start(1_000, A);
    let effects = bench.feed(
        1_100,
        Input::Shutdown {
            with_processes: false,
        },
    );
    assert_eq!(effects, [Effect::Abandon { run: B }]);
    assert_eq!(bench.feed(2_000, Input::Tick), []);
    assert!(bench.book.has_processes());
}
