//! What hosts report, and stops.

use std::sync::Arc;
use std::time::Duration;

use super::book::OrderBook;
use super::io::Effect;
use super::lane::{LaneKey, Rank};
use super::settle::{not_wanted, refused};
use super::stage::{Stage, stop_cause};
use crate::id::RunId;
use crate::life::{Now, StopMove, Stopping};
use crate::order::{Claim, End, Start, StopCause};
use crate::record::Record;
use crate::run::Reason;

/// How often a shim may die on a run before its start.
const DEATHS_MAX: u32 = 3;

impl OrderBook {
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
            out.push(Effect::Append(Box::new(Record::StopAsked { run, cause })));
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
    pub(super) fn armed(&mut self, run: RunId, failure: Option<(Reason, String)>) {
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
        self.stirred.insert(lane);
    }

    pub(super) fn started(
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
        let key = LaneKey::of(&held.order);
        self.lanes.entry(key).or_default().going -= 1;
        out.push(Effect::Report { run });
        self.set_alarm(run);
        self.begin_stop(now, run, out);
        self.stirred.insert(key);
    }

    pub(super) fn ended(
        &mut self,
        run: RunId,
        start: Option<Start>,
        mut end: End,
        out: &mut Vec<Effect>,
    ) {
        self.dismiss_stranger(run);
        if let Some(held) = self.held.get(&run).filter(|held| held.stage.is_alive()) {
            let start = start.or_else(|| held.start());
            end.stopped_for = stop_cause(&held.order, held.asked, &end);
            self.settle(run, held.order.not_after, Claim::Ended { start, end }, out);
        } else if let Some(settled) = self.settled.get(&run)
            && matches!(settled.claim, Claim::Lost { .. })
        {
            let not_after = settled.not_after;
            self.settle(run, not_after, Claim::Ended { start, end }, out);
        }
    }

    /// The shim is gone and nothing ran: prepare the run again, a few times.
    pub(super) fn never_started(&mut self, now: Now, run: RunId, out: &mut Vec<Effect>) {
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
            self.gate.count(-isize::from(lane.alive.remove(&run)));
            lane.going -= 1;
            lane.queue.insert(rank);
            self.windows.insert((order.not_after, run));
        } else {
            self.count_prepared(lane, -1);
        }
        self.to_start.insert(rank);
        self.wait_to_arm(&order);
    }

    pub(super) fn give_up_start(&mut self, now: Now, run: RunId, out: &mut Vec<Effect>) {
        let Some(held) = self.held.get(&run) else {
            return;
        };
        let not_after = held.order.not_after;
        let claim = match held.asked {
            Some(cause) => refused(not_wanted(cause)),
            None => {
                let detail = format!("its shim died {} times before the start", held.deaths);
                Claim::Ended {
                    start: None,
                    end: End::not_started(now.center, Reason::SpawnFailed, detail),
                }
            }
        };
        self.settle(run, not_after, claim, out);
    }

    pub(super) fn vanished(
        &mut self,
        now: Now,
        run: RunId,
        start: Option<Start>,
        out: &mut Vec<Effect>,
    ) {
        self.dismiss_stranger(run);
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
}

/// What a step of a stop asks for.
pub(super) const fn stop_effect(run: RunId, step: StopMove) -> Effect {
    match step {
        StopMove::Signal(signal) => Effect::Stop { run, signal },
        StopMove::KillAll => Effect::KillAll { run },
    }
}
