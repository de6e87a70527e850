//! The book itself: what each input does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::gate::Gate;
use super::io::{Effect, Input, Limits};
use super::lane::{Lane, LaneKey, Rank};
use super::settle::settled_record;
use super::stage::{Held, Settled, Stage};
use crate::id::{JobId, RunId};
use crate::job::Overlap;
use crate::life::{Now, Wake};
use crate::order::{Claim, End, Order};
use crate::plan::earlier;
use crate::record::Record;
use crate::run_limits::RunLimits;

/// The runs of an agent that are not forgotten. See the [module](super).
#[derive(Debug, Clone)]
pub struct OrderBook {
    pub(super) limits: Limits,
    /// Runs that nothing final is known about.
    pub(super) held: BTreeMap<RunId, Held>,
    /// Runs that are over: not yet acknowledged, and tombstones.
    pub(super) settled: BTreeMap<RunId, Settled>,
    pub(super) lanes: BTreeMap<LaneKey, Lane>,
    /// Runs that are alive and settled as lost, for the ledger does not know them: they occupy their lanes all the same.
    pub(super) strangers: BTreeMap<RunId, LaneKey>,
    /// Runs that wait to be prepared, their orders on the disk. Unless overlap is allowed only offers, and the first of a lane in
    /// which nothing is alive: whatever is prepared behind another may have been prepared in vain.
    pub(super) to_arm: BTreeSet<Rank>,
    /// Lanes in which something has changed, so that their first run may have its turn.
    pub(super) stirred: BTreeSet<LaneKey>,
    /// Runs whose earliest start has not come.
    pub(super) to_start: BTreeSet<Rank>,
    /// Runs not released, by the end of their window.
    pub(super) windows: BTreeSet<(Timestamp, RunId)>,
    /// Live runs by their time limit or the next step of their stop, since boot.
    pub(super) alarms: BTreeSet<(Duration, RunId)>,
    /// How many are prepared or being prepared.
    pub(super) prepared: usize,
    /// How many are alive, and who waits for room.
    pub(super) gate: Gate,
    /// Runs of which the ledger did not take a record: to be written again. Those that are held wait for it.
    pub(super) unlogged: BTreeSet<RunId>,
    pub(super) unlogged_retry: Duration,
    /// Tombstones by when they may go.
    pub(super) tombstones: BTreeSet<(Timestamp, RunId)>,
    pub(super) is_closing: bool,
    /// Orders for runs due until here may have been in a ledger that is gone.
    pub(super) blind_until: Option<Timestamp>,
}

impl OrderBook {
    /// An empty book.
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            held: BTreeMap::new(),
            settled: BTreeMap::new(),
            lanes: BTreeMap::new(),
            strangers: BTreeMap::new(),
            to_arm: BTreeSet::new(),
            stirred: BTreeSet::new(),
            to_start: BTreeSet::new(),
            windows: BTreeSet::new(),
            alarms: BTreeSet::new(),
            prepared: 0,
            gate: Gate::new(),
            unlogged: BTreeSet::new(),
            unlogged_retry: Duration::ZERO,
            tombstones: BTreeSet::new(),
            is_closing: false,
            blind_until: None,
        }
    }

    /// Takes one input and gives what is to be done about it, in order.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        match input {
            Input::Order(order) => self.take_order(now, order, &mut out),
            Input::Revoke { run, reason } => self.revoke(now, run, reason, &mut out),
            Input::Inquiry { run } => self.inquire(now, run, &mut out),
            Input::Go { run } => self.let_go(run, &mut out),
            Input::Kill { run, cause } => self.kill(now, run, cause, &mut out),
            Input::Limits(limits) => self.take_limits(now, limits, &mut out),
            Input::Tick => {}
            Input::Synced { run } => self.synced(run, &mut out),
            Input::LedgerFailed { run } => self.ledger_failed(now, run, &mut out),
            Input::SyncFailed { run } => self.sync_failed(now, run, &mut out),
            Input::Armed { run } => self.armed(run, None),
            Input::ArmFailed {
                run,
                reason,
                detail,
            } => self.armed(run, Some((reason, detail))),
            Input::Started { run, start, boot } => self.started(now, run, start, boot, &mut out),
            Input::StartFailed {
                run,
                reason,
                detail,
            } => {
                self.ended(
                    run,
                    None,
                    End::not_started(now.center, reason, detail),
                    &mut out,
                );
            }
            Input::Ended { run, start, end } => self.ended(run, start, end, &mut out),
            Input::NeverStarted { run } => self.never_started(now, run, &mut out),
            Input::Vanished { run, start } => self.vanished(now, run, start, &mut out),
            Input::Acked { run, phase } => self.acked(run, phase, &mut out),
            Input::Shutdown { with_processes } => self.shut_down(now, with_processes, &mut out),
        }
        self.advance(now, &mut out);
        out
    }

    /// When to tick the book at the latest.
    pub fn next_wake(&self) -> Wake {
        let retry = (!self.unlogged.is_empty()).then_some(self.unlogged_retry);
        let alarm = self.alarms.first().map(|(at, _)| *at);
        let room = self.gate.next_wake().filter(|_| !self.is_closing);
        let center = (!self.is_closing).then(|| self.next_start_work()).flatten();
        Wake {
            center,
            boot: alarm.into_iter().chain(retry).chain(room).min(),
        }
    }

    fn next_start_work(&self) -> Option<Timestamp> {
        let arm = self
            .to_arm
            .first()
            .filter(|_| self.prepared < self.armed_max())
            .map(|rank| earlier(rank.not_before, self.limits.arm_ahead));
        let start = self.to_start.first().map(|rank| rank.not_before);
        let window = self.windows.first().map(|(at, _)| just_after(*at));
        [arm, start, window].into_iter().flatten().min()
    }

    /// The order of a run that is not over.
    pub fn order(&self, run: RunId) -> Option<&Arc<Order>> {
        self.held.get(&run).map(|held| &held.order)
    }

    /// Whether a run of this job is held.
    pub fn has_job(&self, job: JobId) -> bool {
        self.held.values().any(|held| held.order.job == job)
    }

    /// What the agent may truthfully say about a run now; `None` if it knows nothing of it.
    pub fn claim(&self, run: RunId) -> Option<Claim> {
        match (self.held.get(&run), self.settled.get(&run)) {
            (Some(held), _) => held.claim(),
            (None, Some(settled)) => settled.told(),
            (None, None) => None,
        }
    }

    /// Every run that the center has not acknowledged as over, with what can be said about it: what an agent tells first in
    /// every session.
    pub fn claims_unacked(&self) -> impl Iterator<Item = (RunId, Claim)> {
        let held = self.held.keys();
        let settled = self
            .settled
            .iter()
            .filter(|(_, settled)| !settled.is_acked)
            .map(|(run, _)| run);
        held.chain(settled)
            .filter_map(|run| Some((*run, self.claim(*run)?)))
    }

    /// Runs held: accepted and not over.
    pub fn held_count(&self) -> usize {
        self.held.len()
    }

    /// Runs that are over, and the center has not acknowledged it.
    pub fn ends_unacked_count(&self) -> usize {
        self.settled.len() - self.tombstones.len()
    }

    /// Runs held, and runs that are over and not acknowledged.
    pub fn open_count(&self) -> usize {
        self.held_count() + self.ends_unacked_count()
    }

    /// Whether any command may be running.
    pub fn has_processes(&self) -> bool {
        self.gate.alive() > 0
    }

    /// Records that make the same book again: a compacted ledger.
    pub fn snapshot(&self) -> Vec<Record> {
        // An order that the ledger did not take stays outside: should it be refused, nobody may find it.
        let held = self
            .held
            .iter()
            .filter(|(run, _)| !self.unlogged.contains(run));
        let held = held.flat_map(|(run, held)| {
            let asked = held
                .asked
                .map(|cause| Record::StopAsked { run: *run, cause });
            std::iter::once(held.accepted()).chain(asked)
        });
        let settled = self.settled.iter().flat_map(|(run, settled)| {
            let acked = settled.is_acked.then_some(Record::Acked { run: *run });
            std::iter::once(settled_record(*run, settled)).chain(acked)
        });
        let limits = self.gate.limits;
        let limits = (limits != RunLimits::default()).then_some(Record::RunLimits(limits));
        limits.into_iter().chain(held).chain(settled).collect()
    }

    /// Whether the run has been here.
    pub(super) fn is_known(&self, run: RunId) -> bool {
        self.held.contains_key(&run) || self.settled.contains_key(&run)
    }

    /// Puts an order into every index.
    pub(super) fn hold(&mut self, order: Arc<Order>, accepted_at: Timestamp, is_synced: bool) {
        let rank = Rank::of(&order);
        let run = order.run;
        self.windows.insert((order.not_after, run));
        self.to_start.insert(rank);
        if !order.is_offer {
            self.enqueue(&order);
        }
        if is_synced {
            self.wait_to_arm(&order);
        }
        self.held
            .insert(run, Held::new(order, accepted_at, is_synced));
    }

    /// Puts a run among those of its lane that have their turns.
    pub(super) fn enqueue(&mut self, order: &Order) {
        let key = LaneKey::of(order);
        let lane = self.lanes.entry(key).or_default();
        lane.queue.insert(Rank::of(order));
        self.stirred.insert(key);
    }

    /// Notes that a queued run waits to be prepared.
    pub(super) fn wait_to_arm(&mut self, order: &Order) {
        // Whether any other may be is for its lane to say.
        if order.overlap == Overlap::Allow || order.is_offer {
            self.to_arm.insert(Rank::of(order));
        }
        self.stirred.insert(LaneKey::of(order));
    }

    /// Takes a run out of every index. Answers whether its order is on its way to the disk.
    pub(super) fn release(&mut self, run: RunId) -> bool {
        let Some(held) = self.held.remove(&run) else {
            return false;
        };
        let rank = Rank::of(&held.order);
        let lane_key = LaneKey::of(&held.order);
        self.stirred.insert(lane_key);
        self.to_arm.remove(&rank);
        self.to_start.remove(&rank);
        self.windows.remove(&(held.order.not_after, run));
        if let Some(alarm) = held.alarm {
            self.alarms.remove(&(alarm, run));
        }
        if held.stage.is_prepared() {
            self.count_prepared(lane_key, -1);
        }
        if let Some(lane) = self.lanes.get_mut(&lane_key) {
            lane.queue.remove(&rank);
            self.gate.count(-isize::from(lane.alive.remove(&run)));
            lane.going -= usize::from(held.stage == Stage::Going);
            if lane.is_empty() {
                self.lanes.remove(&lane_key);
            }
        }
        held.stage == (Stage::Waiting { is_synced: false }) && !self.unlogged.remove(&run)
    }

    /// A run that the ledger did not know is over: its lane is free.
    pub(super) fn dismiss_stranger(&mut self, run: RunId) {
        let Some(key) = self.strangers.remove(&run) else {
            return;
        };
        if let Some(lane) = self.lanes.get_mut(&key) {
            self.gate.count(-isize::from(lane.alive.remove(&run)));
            if lane.is_empty() {
                self.lanes.remove(&key);
            }
        }
        self.stirred.insert(key);
    }

    /// Runs that may be prepared at the same time.
    pub(super) fn armed_max(&self) -> usize {
        let worth = self.gate.limits.prepared_max();
        self.limits.armed_max.min(worth)
    }

    /// Holds to new limits from now on.
    fn take_limits(&mut self, now: Now, limits: RunLimits, out: &mut Vec<Effect>) {
        if limits != self.gate.limits {
            self.gate.set_limits(now, limits);
            out.push(Effect::Append(Box::new(Record::RunLimits(limits))));
        }
    }

    pub(super) fn count_prepared(&mut self, lane: LaneKey, change: isize) {
        self.prepared = self.prepared.saturating_add_signed(change);
        let counted = self.lanes.entry(lane).or_default();
        counted.prepared = counted.prepared.saturating_add_signed(change);
        if counted.is_empty() {
            self.lanes.remove(&lane);
        }
    }

    pub(super) fn set_alarm(&mut self, run: RunId) {
        let Some(held) = self.held.get_mut(&run) else {
            return;
        };
        if let Some(before) = held.alarm.take() {
            self.alarms.remove(&(before, run));
        }
        held.alarm = held.next_alarm();
        if let Some(alarm) = held.alarm {
            self.alarms.insert((alarm, run));
        }
    }
}

/// The first instant after `at` that clocks tell apart.
fn just_after(at: Timestamp) -> Timestamp {
    crate::plan::later(at, Duration::from_micros(1))
}
