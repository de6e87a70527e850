//! The book itself: what each input does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::io::{Effect, Input, Limits, Phase};
use super::lane::{Lane, LaneKey, Rank};
use super::stage::{Held, Settled, Stage};
use crate::id::RunId;
use crate::life::{Now, StopMove, Stopping, Wake};
use crate::order::{Claim, End, ExitStatus, Order, OutputTotals, Start, StopCause, Usage};
use crate::plan::earlier;
use crate::record::Record;
use crate::run::Reason;

/// Time between two attempts to write what the ledger could not take.
const LEDGER_RETRY: Duration = Duration::from_secs(1);

/// How often a shim may die on a run before its start.
const DEATHS_MAX: u32 = 3;

/// The runs of an agent that are not forgotten. See the [module](super).
#[derive(Debug, Clone)]
pub struct OrderBook {
    pub(super) limits: Limits,
    /// Runs that nothing final is known about.
    pub(super) held: BTreeMap<RunId, Held>,
    /// Runs that are over: not yet acknowledged, and tombstones.
    pub(super) settled: BTreeMap<RunId, Settled>,
    pub(super) lanes: BTreeMap<LaneKey, Lane>,
    /// Runs that wait to be prepared, their orders on the disk.
    pub(super) to_arm: BTreeSet<Rank>,
    /// Runs whose earliest start has not come.
    pub(super) to_start: BTreeSet<Rank>,
    /// Runs not released, by the end of their window.
    pub(super) windows: BTreeSet<(Timestamp, RunId)>,
    /// Live runs by their time limit or the next step of their stop, since boot.
    pub(super) alarms: BTreeSet<(Duration, RunId)>,
    /// How many are prepared or being prepared.
    pub(super) prepared: usize,
    /// Settled runs that the ledger has not taken yet.
    unlogged: BTreeSet<RunId>,
    unlogged_retry: Duration,
    /// Tombstones by when they may go.
    tombstones: BTreeSet<(Timestamp, RunId)>,
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
            to_arm: BTreeSet::new(),
            to_start: BTreeSet::new(),
            windows: BTreeSet::new(),
            alarms: BTreeSet::new(),
            prepared: 0,
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
            Input::Revoke {
                run,
                not_after,
                reason,
            } => self.revoke(run, not_after, reason, &mut out),
            Input::Kill { run } => self.kill(now, run, &mut out),
            Input::Tick => {}
            Input::Synced { run } => self.synced(now, run, &mut out),
            Input::LedgerFailed { run } => self.ledger_failed(now, run, &mut out),
            Input::Armed { run } => self.armed(now, run, None, &mut out),
            Input::ArmFailed {
                run,
                reason,
                detail,
            } => self.armed(now, run, Some((reason, detail)), &mut out),
            Input::Started { run, start, boot } => self.started(now, run, start, boot, &mut out),
            Input::StartFailed {
                run,
                reason,
                detail,
            } => {
                self.ended(run, None, not_started(now.center, reason, detail), &mut out);
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
        let center = (!self.is_closing).then(|| self.next_start_work()).flatten();
        Wake {
            center,
            boot: alarm.into_iter().chain(retry).min(),
        }
    }

    fn next_start_work(&self) -> Option<Timestamp> {
        let arm = self
            .to_arm
            .first()
            .filter(|_| self.prepared < self.limits.armed_max)
            .map(|rank| earlier(rank.not_before, self.limits.arm_ahead));
        let start = self.to_start.first().map(|rank| rank.not_before);
        let window = self.windows.first().map(|(at, _)| just_after(*at));
        [arm, start, window].into_iter().flatten().min()
    }

    /// The order of a run that is not over.
    pub fn order(&self, run: RunId) -> Option<&Arc<Order>> {
        self.held.get(&run).map(|held| &held.order)
    }

    /// What the agent may truthfully say about a run now; `None` if it knows nothing of it.
    pub fn claim(&self, run: RunId) -> Option<Claim> {
        match (self.held.get(&run), self.settled.get(&run)) {
            (Some(held), _) => held.claim(),
            // Not in the ledger, so a restart could still decide otherwise.
            (None, Some(settled)) if !settled.is_logged => Some(Claim::Accepted),
            (None, Some(settled)) => Some(settled.claim.clone()),
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

    /// Runs held, and runs that are over and not acknowledged.
    pub fn open_count(&self) -> usize {
        self.held.len() + self.settled.len() - self.tombstones.len()
    }

    /// Whether any command may be running.
    pub fn has_processes(&self) -> bool {
        self.lanes.values().any(|lane| lane.alive > 0)
    }

    /// Records that make the same book again: a compacted ledger.
    pub fn snapshot(&self, now: Now) -> Vec<Record> {
        let held = self.held.iter().flat_map(|(run, held)| {
            let accepted = Record::Accepted {
                order: Arc::clone(&held.order),
                at: now.center,
            };
            let asked = held
                .asked
                .map(|cause| Record::StopAsked { run: *run, cause });
            std::iter::once(accepted).chain(asked)
        });
        let settled = self.settled.iter().flat_map(|(run, settled)| {
            let acked = settled.is_acked.then_some(Record::Acked { run: *run });
            std::iter::once(settled_record(*run, settled)).chain(acked)
        });
        held.chain(settled).collect()
    }

    fn take_order(&mut self, now: Now, order: Arc<Order>, out: &mut Vec<Effect>) {
        let run = order.run;
        if self.is_known(run) {
            out.push(Effect::Report { run });
            return;
        }
        let open = self.open_count();
        if self.is_closing || open >= self.limits.held_max + self.limits.held_max / 10 {
            return;
        }
        let not_after = order.not_after;
        if let Some(claim) = self.refusal(now, &order, open) {
            self.settle(run, not_after, claim, out);
            return;
        }
        out.push(Effect::Append(Record::Accepted {
            order: Arc::clone(&order),
            at: now.center,
        }));
        self.hold(order, false);
    }

    fn refusal(&self, now: Now, order: &Order, open: usize) -> Option<Claim> {
        if self
            .blind_until
            .is_some_and(|until| order.not_before <= until)
        {
            return Some(Claim::Lost {
                reason: Reason::LedgerMissing,
                start: None,
            });
        }
        if now.center > order.not_after {
            return Some(refused(Reason::StartDeadlineExceeded));
        }
        let is_full =
            open >= self.limits.held_max || self.settled.len() >= self.limits.tombstones_max * 2;
        is_full.then(|| refused(Reason::AgentFull))
    }

    /// Whether the run has been here.
    fn is_known(&self, run: RunId) -> bool {
        self.held.contains_key(&run) || self.settled.contains_key(&run)
    }

    /// Puts an order into every index.
    pub(super) fn hold(&mut self, order: Arc<Order>, is_synced: bool) {
        let rank = Rank::of(&order);
        let run = order.run;
        self.windows.insert((order.not_after, run));
        self.to_start.insert(rank);
        if is_synced {
            self.to_arm.insert(rank);
        }
        self.lanes
            .entry(LaneKey::of(&order))
            .or_default()
            .queue
            .insert(rank);
        self.held.insert(run, Held::new(order, is_synced));
    }

    fn synced(&mut self, now: Now, run: RunId, out: &mut Vec<Effect>) {
        let Some(held) = self.held.get_mut(&run) else {
            return;
        };
        if held.stage == (Stage::Waiting { is_synced: false }) {
            held.stage = Stage::Waiting { is_synced: true };
            let order = Arc::clone(&held.order);
            self.to_arm.insert(Rank::of(&order));
            out.push(Effect::Report { run });
            self.advance_lane(now, LaneKey::of(&order), out);
        }
    }

    fn revoke(&mut self, run: RunId, not_after: Timestamp, reason: Reason, out: &mut Vec<Effect>) {
        match self.held.get(&run).map(|held| held.stage.is_alive()) {
            Some(false) => self.refuse(run, reason, out),
            Some(true) => out.push(Effect::Report { run }),
            None if self.settled.contains_key(&run) => out.push(Effect::Report { run }),
            // Its order never came. Should it still come, it finds this and starts nothing.
            None if self.blind_until.is_some_and(|until| not_after <= until) => {
                self.settle(
                    run,
                    not_after,
                    Claim::Lost {
                        reason: Reason::LedgerMissing,
                        start: None,
                    },
                    out,
                );
            }
            None => self.settle(run, not_after, refused(reason), out),
        }
    }

    fn kill(&mut self, now: Now, run: RunId, out: &mut Vec<Effect>) {
        match self.held.get(&run).map(|held| held.stage.is_alive()) {
            Some(false) => self.refuse(run, Reason::KilledBeforeStart, out),
            Some(true) => self.ask_to_stop(now, run, StopCause::Kill, out),
            None if self.settled.contains_key(&run) => out.push(Effect::Report { run }),
            None => {}
        }
    }

    /// Records that a released run is asked to stop, and begins to stop it if it runs.
    pub(super) fn ask_to_stop(
        &mut self,
        now: Now,
        run: RunId,
        cause: StopCause,
        out: &mut Vec<Effect>,
    ) {
        let Some(held) = self.held.get_mut(&run) else {
            return;
        };
        if held.asked.is_none() {
            held.asked = Some(cause);
            out.push(Effect::Append(Record::StopAsked { run, cause }));
        }
        self.begin_stop(now, run, out);
    }

    /// Begins the stop of a run that runs and was asked to.
    pub(super) fn begin_stop(&mut self, now: Now, run: RunId, out: &mut Vec<Effect>) {
        let Some(held) = self.held.get_mut(&run) else {
            return;
        };
        let (Some(cause), None, Stage::Running { .. }) = (held.asked, &held.stopping, &held.stage)
        else {
            return;
        };
        let (stopping, first) = Stopping::begin(cause, held.order.launch.stop, now.boot);
        held.stopping = Some(stopping);
        out.push(stop_effect(run, first));
        self.set_alarm(run);
    }

    /// The run is prepared, or could not be.
    fn armed(
        &mut self,
        now: Now,
        run: RunId,
        failure: Option<(Reason, String)>,
        out: &mut Vec<Effect>,
    ) {
        let Some(held) = self
            .held
            .get_mut(&run)
            .filter(|held| held.stage == Stage::Arming)
        else {
            return;
        };
        let lane = LaneKey::of(&held.order);
        match failure {
            None => held.stage = Stage::Armed,
            Some((reason, detail)) => {
                held.stage = Stage::Unready { reason, detail };
                self.count_prepared(lane, -1);
            }
        }
        self.advance_lane(now, lane, out);
    }

    fn started(
        &mut self,
        now: Now,
        run: RunId,
        start: Start,
        boot: Duration,
        out: &mut Vec<Effect>,
    ) {
        let Some(held) = self
            .held
            .get_mut(&run)
            .filter(|held| held.stage == Stage::Going)
        else {
            return;
        };
        held.stage = Stage::Running { start, boot };
        out.push(Effect::Report { run });
        self.set_alarm(run);
        self.begin_stop(now, run, out);
    }

    fn ended(&mut self, run: RunId, start: Option<Start>, mut end: End, out: &mut Vec<Effect>) {
        if let Some(held) = self.held.get(&run).filter(|held| held.stage.is_alive()) {
            let start = start.or_else(|| held.start());
            end.stopped_for = held.asked;
            self.settle(run, held.order.not_after, Claim::Ended { start, end }, out);
        } else if let Some(settled) = self.settled.get(&run)
            && matches!(settled.claim, Claim::Lost { .. })
        {
            let not_after = settled.not_after;
            self.settle(run, not_after, Claim::Ended { start, end }, out);
        }
    }

    /// The shim is gone and nothing ran: prepare the run again, a few times.
    fn never_started(&mut self, now: Now, run: RunId, out: &mut Vec<Effect>) {
        let Some(held) = self.held.get_mut(&run) else {
            return;
        };
        if !held.stage.is_prepared() && held.stage != Stage::Going {
            return;
        }
        held.deaths += 1;
        if held.deaths >= DEATHS_MAX || held.asked.is_some() {
            self.give_up_start(now, run, out);
            return;
        }
        let was_alive = held.stage.is_alive();
        let order = Arc::clone(&held.order);
        held.stage = Stage::Waiting { is_synced: true };
        out.push(Effect::Forget { run });
        let lane = LaneKey::of(&order);
        let rank = Rank::of(&order);
        if was_alive {
            let lane = self.lanes.entry(lane).or_default();
            lane.alive -= 1;
            lane.queue.insert(rank);
            self.windows.insert((order.not_after, run));
        } else {
            self.count_prepared(lane, -1);
        }
        self.to_arm.insert(rank);
        self.to_start.insert(rank);
    }

    fn give_up_start(&mut self, now: Now, run: RunId, out: &mut Vec<Effect>) {
        let Some(held) = self.held.get(&run) else {
            return;
        };
        let not_after = held.order.not_after;
        let claim = match held.asked {
            Some(_) => refused(Reason::KilledBeforeStart),
            None => {
                let detail = format!("its shim died {} times before the start", held.deaths);
                Claim::Ended {
                    start: None,
                    end: not_started(now.center, Reason::SpawnFailed, detail),
                }
            }
        };
        self.settle(run, not_after, claim, out);
    }

    fn vanished(&mut self, now: Now, run: RunId, start: Option<Start>, out: &mut Vec<Effect>) {
        let Some(held) = self.held.get(&run) else {
            return;
        };
        if held.stage.is_prepared() {
            // It was never released, whatever the host thinks it saw.
            self.never_started(now, run, out);
        } else if held.stage.is_alive() {
            let start = start.or_else(|| held.start());
            let reason = if start.is_some() {
                Reason::ExitUnknown
            } else {
                Reason::AgentCrashed
            };
            self.settle(
                run,
                held.order.not_after,
                Claim::Lost { reason, start },
                out,
            );
        }
    }

    fn acked(&mut self, run: RunId, phase: Phase, out: &mut Vec<Effect>) {
        let Some(settled) = self.settled.get_mut(&run) else {
            return;
        };
        if phase != Phase::Over || !settled.is_logged || settled.is_acked {
            return;
        }
        settled.is_acked = true;
        self.tombstones
            .insert((settled.expires(self.limits.tombstone_margin), run));
        out.extend([
            Effect::Append(Record::Acked { run }),
            Effect::Forget { run },
        ]);
    }

    fn shut_down(&mut self, now: Now, with_processes: bool, out: &mut Vec<Effect>) {
        self.is_closing = true;
        let runs: Vec<RunId> = self.held.keys().copied().collect();
        for run in runs {
            let Some(held) = self.held.get_mut(&run) else {
                continue;
            };
            if held.stage.is_prepared() {
                held.stage = Stage::Waiting { is_synced: true };
                let lane = LaneKey::of(&held.order);
                self.count_prepared(lane, -1);
                out.push(Effect::Abandon { run });
            } else if with_processes && held.stage.is_alive() {
                self.ask_to_stop(now, run, StopCause::Shutdown, out);
            }
        }
    }

    fn ledger_failed(&mut self, now: Now, run: RunId, out: &mut Vec<Effect>) {
        if let Some(settled) = self.settled.get_mut(&run) {
            settled.is_logged = settled.is_logged && settled.is_acked;
            self.unlogged.insert(run);
            self.unlogged_retry = now.boot.saturating_add(LEDGER_RETRY);
            return;
        }
        let Some(held) = self.held.get_mut(&run) else {
            return;
        };
        if held.stage == (Stage::Waiting { is_synced: false }) {
            let not_after = held.order.not_after;
            self.release(run);
            // Said although the ledger does not have it: nothing ran, and no later session brings this order again.
            let claim = refused(Reason::LedgerUnwritable);
            self.settled.insert(
                run,
                Settled {
                    claim,
                    not_after,
                    is_logged: true,
                    is_acked: false,
                },
            );
            self.unlogged.insert(run);
            self.unlogged_retry = now.boot.saturating_add(LEDGER_RETRY);
            out.push(Effect::Report { run });
        } else if held.stopping.take().is_some() {
            // That somebody asked could not be written; the stop itself goes on all the same.
            self.begin_stop(now, run, out);
        }
    }

    /// Refuses a run that was not released.
    pub(super) fn refuse(&mut self, run: RunId, reason: Reason, out: &mut Vec<Effect>) {
        let Some(held) = self.held.get(&run) else {
            return;
        };
        let not_after = held.order.not_after;
        if held.stage.is_prepared() {
            out.push(Effect::Abandon { run });
        }
        self.settle(run, not_after, refused(reason), out);
    }

    /// Nothing more is going to happen to the run.
    pub(super) fn settle(
        &mut self,
        run: RunId,
        not_after: Timestamp,
        claim: Claim,
        out: &mut Vec<Effect>,
    ) {
        self.release(run);
        let settled = Settled {
            claim,
            not_after,
            is_logged: true,
            is_acked: false,
        };
        out.extend([
            Effect::Append(settled_record(run, &settled)),
            Effect::Report { run },
        ]);
        if let Some(before) = self.settled.insert(run, settled)
            && before.is_acked
        {
            self.tombstones
                .remove(&(before.expires(self.limits.tombstone_margin), run));
        }
    }

    /// Takes a run out of every index.
    fn release(&mut self, run: RunId) {
        let Some(held) = self.held.remove(&run) else {
            return;
        };
        let rank = Rank::of(&held.order);
        let lane_key = LaneKey::of(&held.order);
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
            lane.alive -= usize::from(held.stage.is_alive());
            if lane.is_empty() {
                self.lanes.remove(&lane_key);
            }
        }
    }

    pub(super) fn count_prepared(&mut self, lane: LaneKey, change: isize) {
        self.prepared = self.prepared.saturating_add_signed(change);
        let lane = self.lanes.entry(lane).or_default();
        lane.prepared = lane.prepared.saturating_add_signed(change);
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

    /// Tries again to write what the ledger could not take.
    pub(super) fn retry_ledger(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.unlogged.is_empty() || now.boot < self.unlogged_retry {
            return;
        }
        for run in std::mem::take(&mut self.unlogged) {
            let Some(settled) = self.settled.get_mut(&run) else {
                continue;
            };
            settled.is_logged = true;
            if settled.is_acked {
                out.extend([
                    Effect::Append(Record::Acked { run }),
                    Effect::Forget { run },
                ]);
            } else {
                out.extend([
                    Effect::Append(settled_record(run, settled)),
                    Effect::Report { run },
                ]);
            }
        }
    }

    /// Takes in a run that the ledger says is over.
    pub(super) fn remember(&mut self, run: RunId, settled: Settled) {
        if settled.is_acked {
            self.tombstones
                .insert((settled.expires(self.limits.tombstone_margin), run));
        }
        self.settled.insert(run, settled);
    }

    /// Drops ids that no order can come for any more.
    pub(super) fn drop_tombstones(&mut self, now: Now) {
        while let Some(&(expiry, run)) = self.tombstones.first() {
            let is_crowded = self.tombstones.len() > self.limits.tombstones_max;
            let closed = earlier(expiry, self.limits.tombstone_margin);
            if now.center <= expiry && !(is_crowded && closed < now.center) {
                break;
            }
            self.tombstones.pop_first();
            self.settled.remove(&run);
        }
    }
}

pub(super) fn refused(reason: Reason) -> Claim {
    Claim::Refused {
        reason,
        detail: None,
    }
}

fn settled_record(run: RunId, settled: &Settled) -> Record {
    Record::Settled {
        run,
        not_after: settled.not_after,
        claim: settled.claim.clone(),
    }
}

pub(super) const fn stop_effect(run: RunId, step: StopMove) -> Effect {
    match step {
        StopMove::Signal(signal) => Effect::Stop { run, signal },
        StopMove::KillAll => Effect::KillAll { run },
    }
}

/// The end of what could not be started.
pub(crate) fn not_started(at: Timestamp, reason: Reason, detail: String) -> End {
    End {
        at,
        status: ExitStatus::NotStarted { reason, detail },
        stopped_for: None,
        duration: Duration::ZERO,
        usage: Usage::default(),
        output: OutputTotals::default(),
    }
}

/// The first instant after `at` that clocks tell apart.
fn just_after(at: Timestamp) -> Timestamp {
    crate::plan::later(at, Duration::from_micros(1))
}
