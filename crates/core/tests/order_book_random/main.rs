//! Random histories against the order book: a host and a ledger that behave as the real ones do, and may die at any moment.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod action;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cronfleet_core::id::RunId;
use cronfleet_core::job::Overlap;
use cronfleet_core::life::{Found, Now};
use cronfleet_core::order::{
    Claim, Cleanup, End, ExitStatus, Order, OutputTotals, Start, StopCause, Usage,
};
use cronfleet_core::order_book::{Effect, Input, Limits, OrderBook, Phase, Survey, SurveyedBoot};
use cronfleet_core::record::Record;
use cronfleet_core::run::Reason;
use cronfleet_core::run_limits::RunLimits;
use jiff::Timestamp;
use proptest::prelude::*;

use crate::action::{Action, action, order};

/// What a host has of a run.
#[derive(Debug, Clone, PartialEq)]
enum Trace {
    Preparing,
    Ready,
    Released,
    Alive {
        start: Start,
        boot: Duration,
    },
    Over {
        start: Option<Start>,
        end: End,
    },
    Gone {
        start: Start,
    },
    /// Its shim died before it started anything.
    Dead,
}

struct World {
    book: OrderBook,
    limits: Limits,
    center: Timestamp,
    boot: Duration,
    /// Records written, and how many of them would survive the machine.
    ledger: Vec<Record>,
    synced: usize,
    /// How many of them nobody waits for any more: synced, or reported as not.
    answered: usize,
    is_ledger_broken: bool,
    run_limits: RunLimits,
    /// When the last run was released, since boot.
    last_go: Option<Duration>,
    host: BTreeMap<RunId, Trace>,
    orders: BTreeMap<RunId, Arc<Order>>,
    /// Runs whose command was executed, ever.
    executed: BTreeSet<RunId>,
    said: BTreeMap<RunId, Claim>,
    /// Runs whose end the center has stored.
    stored: BTreeSet<RunId>,
    /// Offers for which this agent, since its last start, has heard the word.
    words: BTreeSet<RunId>,
}

fn run_id(number: u8) -> RunId {
    RunId::from_u128(u128::from(number) + 1)
}

fn is_unwritable(claim: &Claim) -> bool {
    let reason = Reason::LedgerUnwritable;
    matches!(claim, Claim::Refused { reason: because, .. } if *because == reason)
}

fn end(at: Timestamp, status: ExitStatus) -> End {
    End {
        at,
        status,
        stopped_for: None,
        duration: Duration::ZERO,
        usage: Usage::default(),
        output: OutputTotals::default(),
        cleanup: Cleanup::default(),
    }
}

impl World {
    fn new(armed_max: usize) -> Self {
        let limits = Limits {
            armed_max,
            ..Limits::default()
        };
        Self {
            book: OrderBook::new(limits),
            limits,
            center: Timestamp::from_second(1_800_000_000).unwrap(),
            boot: Duration::from_secs(1_000),
            ledger: Vec::new(),
            synced: 0,
            answered: 0,
            is_ledger_broken: false,
            run_limits: RunLimits::default(),
            last_go: None,
            host: BTreeMap::new(),
            orders: BTreeMap::new(),
            executed: BTreeSet::new(),
            said: BTreeMap::new(),
            stored: BTreeSet::new(),
            words: BTreeSet::new(),
        }
    }

    fn now(&self) -> Now {
        Now {
            center: self.center,
            boot: self.boot,
        }
    }

    fn feed(&mut self, input: Input) {
        let effects = self.book.handle(self.now(), input);
        self.perform(effects);
        self.book.assert_consistent(self.now());
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        let mut failed = BTreeSet::new();
        for effect in effects {
            match effect {
                Effect::Append(record) => {
                    if self.is_ledger_broken {
                        failed.extend(record.run());
                    } else {
                        self.ledger.push(*record);
                    }
                }
                Effect::Arm { run } if !failed.contains(&run) => self.arm(run),
                Effect::Go { run } if !failed.contains(&run) => self.go(run),
                Effect::Abandon { run } => {
                    assert!(!self.executed.contains(&run), "let go of what runs");
                    self.host.remove(&run);
                }
                Effect::Stop { run, .. } if !failed.contains(&run) => self.end(run, 15),
                Effect::KillAll { run } => self.end(run, 9),
                Effect::Report { run } if !failed.contains(&run) => self.report(run),
                Effect::Forget { run } if !failed.contains(&run) => {
                    self.host.remove(&run);
                }
                Effect::Arm { .. }
                | Effect::Go { .. }
                | Effect::Stop { .. }
                | Effect::Report { .. }
                | Effect::Forget { .. } => {}
            }
        }
        for run in failed {
            self.feed(Input::LedgerFailed { run });
        }
    }

    fn arm(&mut self, run: RunId) {
        let is_synced = self.ledger[..self.synced]
            .iter()
            .any(|record| matches!(record, Record::Accepted { order, .. } if order.run == run));
        assert!(
            is_synced,
            "{run} is prepared before its order is on the disk"
        );
        let before = self.host.insert(run, Trace::Preparing);
        assert_eq!(before, None, "{run} has a folder already");
    }

    fn go(&mut self, run: RunId) {
        let order = Arc::clone(&self.orders[&run]);
        assert_eq!(
            self.host.get(&run),
            Some(&Trace::Ready),
            "{run} is not ready"
        );
        assert!(!self.executed.contains(&run), "{run} is released twice");
        assert!(
            self.center >= order.not_before && self.center <= order.not_after,
            "{run} out of its window"
        );
        assert!(
            !order.is_offer || self.words.contains(&run),
            "{run} has no word"
        );
        self.check_limits();
        for (other, trace) in &self.host {
            let same_lane = self.orders[other].copy == order.copy && *other != run;
            let alive = matches!(trace, Trace::Released | Trace::Alive { .. });
            assert!(
                !(same_lane && alive && order.overlap != Overlap::Allow),
                "{run} overlaps {other}"
            );
            let earlier = (self.orders[other].not_before, *other) < (order.not_before, run);
            let has_word = !self.orders[other].is_offer || self.words.contains(other);
            let waits = matches!(trace, Trace::Preparing | Trace::Ready) && has_word;
            assert!(!(same_lane && earlier && waits), "{run} overtakes {other}");
        }
        self.host.insert(run, Trace::Released);
    }

    /// Another one may be released.
    fn check_limits(&mut self) {
        let is_alive = |trace: &&Trace| matches!(trace, Trace::Released | Trace::Alive { .. });
        let alive = self.host.values().filter(is_alive).count();
        let max = self.run_limits.running_max;
        assert!(max.is_none_or(|max| alive < max as usize), "{alive} alive");
        if let (Some(last), Some(rate)) = (self.last_go, self.run_limits.starts_per_second) {
            let wait = Duration::from_secs(1) / rate;
            assert!(self.boot >= last + wait, "too soon after {last:?}");
        }
        self.last_go = Some(self.boot);
    }

    fn end(&mut self, run: RunId, signal: i32) {
        if let Some(Trace::Alive { start, .. }) = self.host.get(&run) {
            let status = ExitStatus::Signalled {
                signal,
                has_core: false,
            };
            let (start, end) = (Some(*start), end(self.center, status));
            self.host.insert(run, Trace::Over { start, end });
        }
    }

    fn report(&mut self, run: RunId) {
        let Some(claim) = self.book.claim(run) else {
            return;
        };
        match &claim {
            Claim::Accepted => {}
            Claim::Refused { reason, .. } => {
                assert!(!self.executed.contains(&run), "{run} ran: {claim:?}");
                let queues = matches!(self.orders[&run].overlap, Overlap::Queue { .. });
                assert!(queues || *reason != Reason::QueueFull, "{run}: {claim:?}");
            }
            Claim::Running(_) => assert!(self.executed.contains(&run), "{run} never ran"),
            Claim::Ended { end, .. } => {
                let ran = !matches!(end.status, ExitStatus::NotStarted { .. });
                assert_eq!(ran, self.executed.contains(&run), "{run}: {claim:?}");
                if end.stopped_for == Some(StopCause::Replaced) {
                    assert!(self.has_successor(run), "{run} was replaced by nothing");
                }
            }
            Claim::Lost { .. } => {}
        }
        if let Some(before) = self.said.get(&run)
            && Phase::of(before) == Phase::Over
            && !matches!(before, Claim::Lost { .. })
        {
            let is_same = match (before, &claim) {
                // Said without the ledger: a machine that then lost the ledger's tail may know less, never otherwise.
                (_, Claim::Accepted | Claim::Running(_) | Claim::Lost { .. }) => true,
                (Claim::Refused { .. }, Claim::Refused { .. }) => true,
                (before, claim) => before == claim,
            };
            assert!(is_same, "{run}: {before:?} became {claim:?}");
        }
        self.said.insert(run, claim);
    }

    /// Whether there is a later run of its lane that takes the place of others.
    fn has_successor(&self, run: RunId) -> bool {
        let order = &self.orders[&run];
        self.orders.values().any(|other| {
            other.run != run
                && other.copy == order.copy
                && other.due >= order.due
                && other.overlap == Overlap::Replace
        })
    }

    /// Sends an order, unless nobody would: what an agent refused without its ledger's word is not sent again once that is stored.
    fn send(&mut self, order: Arc<Order>) {
        let was_unwritable = self.said.get(&order.run).is_some_and(is_unwritable);
        if !(was_unwritable && self.stored.contains(&order.run)) {
            self.feed(Input::Order(order));
        }
    }

    /// Something happens on the host to a run.
    fn host_step(&mut self, run: RunId, choice: u8) {
        let start = Start {
            at: self.center,
            pid: 7,
        };
        match self.host.get(&run).cloned() {
            Some(Trace::Preparing) => match choice % 8 {
                0 => {
                    self.host.remove(&run);
                    let detail = String::new();
                    self.feed(Input::ArmFailed {
                        run,
                        reason: Reason::UserUnknown,
                        detail,
                    });
                }
                1 => self.shim_dies(run),
                _ => {
                    self.host.insert(run, Trace::Ready);
                    self.feed(Input::Armed { run });
                }
            },
            Some(Trace::Ready) if choice.is_multiple_of(8) => self.shim_dies(run),
            Some(Trace::Released) => match choice % 8 {
                0 => {
                    self.host.remove(&run);
                    let detail = String::new();
                    self.feed(Input::StartFailed {
                        run,
                        reason: Reason::CommandMissing,
                        detail,
                    });
                }
                1 => self.shim_dies(run),
                _ => {
                    assert!(self.executed.insert(run), "{run} is executed twice");
                    self.host.insert(
                        run,
                        Trace::Alive {
                            start,
                            boot: self.boot,
                        },
                    );
                    self.feed(Input::Started {
                        run,
                        start,
                        boot: self.boot,
                    });
                }
            },
            Some(Trace::Alive { start, .. }) => match choice % 8 {
                0 => {
                    self.host.insert(run, Trace::Gone { start });
                    self.feed(Input::Vanished {
                        run,
                        start: Some(start),
                    });
                }
                1..4 => {
                    let end = end(self.center, ExitStatus::Exited(i32::from(choice % 2)));
                    self.host.insert(
                        run,
                        Trace::Over {
                            start: Some(start),
                            end,
                        },
                    );
                }
                _ => {}
            },
            Some(Trace::Over { start, end }) => self.feed(Input::Ended { run, start, end }),
            Some(Trace::Ready | Trace::Dead | Trace::Gone { .. }) | None => {}
        }
    }

    /// The shim is gone before it started anything, and nothing will.
    fn shim_dies(&mut self, run: RunId) {
        self.host.insert(run, Trace::Dead);
        self.feed(Input::NeverStarted { run });
    }

    fn recover(&mut self, boot: SurveyedBoot) {
        let mut runs = BTreeMap::new();
        for (run, trace) in std::mem::take(&mut self.host) {
            let found = match &trace {
                // A shim whose agent is gone leaves unless it was told to go.
                Trace::Preparing | Trace::Ready | Trace::Dead => Found::NeverStarted,
                Trace::Released => {
                    assert!(self.executed.insert(run), "{run} is executed twice");
                    let start = Start {
                        at: self.center,
                        pid: 7,
                    };
                    self.host.insert(
                        run,
                        Trace::Alive {
                            start,
                            boot: self.boot,
                        },
                    );
                    Found::Alive {
                        start,
                        boot: self.boot,
                    }
                }
                Trace::Alive { start, boot } => Found::Alive {
                    start: *start,
                    boot: *boot,
                },
                Trace::Gone { start } => Found::Vanished {
                    start: Some(*start),
                },
                Trace::Over { start, end } => Found::Ended {
                    start: *start,
                    end: end.clone(),
                },
            };
            self.host.entry(run).or_insert(trace);
            runs.insert(run, found);
        }
        self.synced = self.ledger.len();
        self.answered = self.synced;
        self.words.clear();
        // Said without the ledger and not stored: nobody knows of it any more, and the order may come again.
        self.said
            .retain(|run, claim| self.stored.contains(run) || !is_unwritable(claim));
        let limits = self.ledger.iter().rev().find_map(|record| match record {
            Record::RunLimits(limits) => Some(*limits),
            _ => None,
        });
        self.run_limits = limits.unwrap_or_default();
        let survey = Survey {
            boot,
            is_ledger_lost: false,
            runs,
            owners: BTreeMap::new(),
        };
        let (book, effects) =
            OrderBook::recover(self.limits, self.ledger.clone(), survey, self.now());
        self.book = book;
        self.perform(effects);
        self.book.assert_consistent(self.now());
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Advance(ms) => {
                self.center += Duration::from_millis(ms);
                self.boot += Duration::from_millis(ms);
                self.feed(Input::Tick);
            }
            Action::Order {
                run,
                lane,
                due_in,
                window,
                overlap,
                timeout,
                is_offer,
            } => {
                let run = run_id(run);
                let due = self.center + Duration::from_millis(u64::from(due_in));
                let order = self.orders.entry(run).or_insert_with(|| {
                    let lane = u32::from(lane);
                    Arc::new(order(run, lane, due, window, overlap, timeout, is_offer))
                });
                let order = Arc::clone(order);
                self.send(order);
            }
            Action::Limits(running_max, starts_per_second) => {
                let limits = RunLimits {
                    running_max,
                    starts_per_second,
                };
                self.run_limits = limits;
                self.feed(Input::Limits(limits));
            }
            Action::Resend(run) => {
                if let Some(order) = self.orders.get(&run_id(run)).cloned() {
                    self.send(order);
                }
            }
            Action::Revoke(run) => {
                if self.orders.contains_key(&run_id(run)) {
                    self.feed(Input::Revoke {
                        run: run_id(run),
                        reason: Reason::Superseded,
                    });
                }
            }
            Action::Kill(run) => self.feed(Input::Kill {
                run: run_id(run),
                cause: StopCause::Kill,
            }),
            Action::Go(run) => {
                let run = run_id(run);
                if self.book.order(run).is_some() {
                    self.words.insert(run);
                }
                self.feed(Input::Go { run });
            }
            Action::Inquire(run) => {
                if self.said.contains_key(&run_id(run)) {
                    self.feed(Input::Inquiry { run: run_id(run) });
                }
            }
            Action::Host { run, choice } => self.host_step(run_id(run), choice),
            Action::Sync => self.sync(),
            Action::Ack(run) => {
                let run = run_id(run);
                if let Some(claim) = self.said.get(&run) {
                    let phase = Phase::of(claim);
                    if phase == Phase::Over {
                        self.stored.insert(run);
                    }
                    self.feed(Input::Acked { run, phase });
                }
            }
            Action::RestartAgent => self.recover(SurveyedBoot::Same),
            Action::RestartHost => {
                self.ledger.truncate(self.synced);
                self.host.clear();
                self.center += Duration::from_secs(20);
                self.boot = Duration::from_secs(5);
                self.last_go = None;
                self.recover(SurveyedBoot::New);
            }
            Action::FailLedger(is_broken) => self.is_ledger_broken = is_broken,
            Action::FailSync => {
                for run in self.unanswered() {
                    self.feed(Input::SyncFailed { run });
                }
            }
            Action::Compact => {
                self.sync();
                if !self.is_ledger_broken {
                    self.rewrite();
                }
            }
        }
    }

    /// After a sync that failed only a new file is to be trusted.
    fn sync(&mut self) {
        let must_rewrite = self.answered > self.synced;
        if must_rewrite && self.is_ledger_broken {
            return;
        }
        let fresh = self.unanswered();
        if must_rewrite {
            self.rewrite();
        }
        self.synced = self.ledger.len();
        fresh
            .into_iter()
            .for_each(|run| self.feed(Input::Synced { run }));
    }

    fn rewrite(&mut self) {
        self.ledger = self.book.snapshot();
        self.synced = self.ledger.len();
        self.answered = self.synced;
    }

    /// Runs whose records wait for the disk. They do not any more.
    fn unanswered(&mut self) -> Vec<RunId> {
        let from = std::mem::replace(&mut self.answered, self.ledger.len());
        let fresh = self.ledger[from..].iter();
        fresh
            .filter(|record| record.is_synced_first())
            .filter_map(Record::run)
            .collect()
    }

    /// Everything works again and time goes on: every run must come to its end.
    fn settle(&mut self) {
        self.is_ledger_broken = false;
        for _ in 0..200 {
            self.act(Action::Sync);
            self.act(Action::Advance(1_000));
            for run in 0..16 {
                self.host_step(run_id(run), 3);
            }
        }
        for run in self.orders.keys() {
            if let Some(claim) = self.book.claim(*run) {
                assert_eq!(Phase::of(&claim), Phase::Over, "{run} stays at {claim:?}");
            }
        }
        assert!(!self.book.has_processes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_history_breaks_a_promise(
        armed_max in 1..5_usize,
        actions in proptest::collection::vec(action(), 1..120),
    ) {
        let mut world = World::new(armed_max);
        for action in actions {
            world.act(action);
        }
        world.settle();
    }
}
