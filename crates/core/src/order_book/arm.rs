//! What time and order of starts bring about: preparing, releasing, windows that close, stops that go on.

use super::book::OrderBook;
use super::follow::stop_effect;
use super::io::Effect;
use super::lane::{LaneKey, Rank};
use super::stage::{Held, Stage};
use crate::id::RunId;
use crate::life::Now;
use crate::order::StopCause;
use crate::plan::earlier;
use crate::run::Reason;

impl OrderBook {
    /// Does what the clocks ask for.
    pub(super) fn advance(&mut self, now: Now, out: &mut Vec<Effect>) {
        if !self.is_closing {
            self.close_windows(now, out);
            self.start_due(now);
            self.advance_stirred(now, out);
            while let Some(lane) = self.gate.next(now) {
                self.advance_lane(now, lane, out);
                self.advance_stirred(now, out);
            }
            self.arm_due(now, out);
        }
        self.ring_alarms(now, out);
        self.retry_ledger(now, out);
        self.drop_tombstones(now);
    }

    fn advance_stirred(&mut self, now: Now, out: &mut Vec<Effect>) {
        while let Some(lane) = self.stirred.pop_first() {
            self.advance_lane(now, lane, out);
        }
    }

    fn close_windows(&mut self, now: Now, out: &mut Vec<Effect>) {
        while let Some(&(not_after, run)) = self.windows.first() {
            if not_after >= now.center {
                break;
            }
            self.windows.pop_first();
            let reason = self.why_too_late(run);
            self.refuse(run, reason, out);
        }
    }

    /// Why a run did not start in its window: for want of room, if others before it wait for that as well.
    fn why_too_late(&self, run: RunId) -> Reason {
        let is_free = |held: &Held| {
            let lane = self.lanes.get(&LaneKey::of(&held.order));
            held.stage != (Stage::Waiting { is_synced: false })
                && lane.is_some_and(|lane| lane.alive.is_empty())
        };
        if self.gate.is_crowded() && self.held.get(&run).is_some_and(is_free) {
            Reason::AgentLimit
        } else {
            Reason::StartDeadlineExceeded
        }
    }

    fn start_due(&mut self, now: Now) {
        while let Some(rank) = self.to_start.first().copied() {
            if rank.not_before > now.center {
                break;
            }
            self.to_start.pop_first();
            self.stirred.extend(
                self.held
                    .get(&rank.run)
                    .map(|held| LaneKey::of(&held.order)),
            );
        }
    }

    /// Prepares the first run of a lane beyond the limit if prepared ones have to wait for it: else both would wait for ever.
    pub(super) fn arm_blocker(&mut self, key: LaneKey, rank: Rank, out: &mut Vec<Effect>) {
        let blocks_prepared = self.lanes.get(&key).is_some_and(|lane| lane.prepared > 0);
        if blocks_prepared && self.to_arm.remove(&rank) {
            self.arm(rank.run, out);
        }
    }

    fn arm_due(&mut self, now: Now, out: &mut Vec<Effect>) {
        while self.prepared < self.armed_max()
            && let Some(rank) = self.to_arm.first().copied()
            && earlier(rank.not_before, self.limits.arm_ahead) <= now.center
        {
            self.to_arm.pop_first();
            self.arm(rank.run, out);
        }
    }

    fn arm(&mut self, run: RunId, out: &mut Vec<Effect>) {
        let Some(held) = self.held.get_mut(&run) else {
            return;
        };
        held.stage = Stage::Arming;
        let lane = LaneKey::of(&held.order);
        self.count_prepared(lane, 1);
        out.push(Effect::Arm { run });
    }

    /// Time limits that are over, and stops that need another step.
    fn ring_alarms(&mut self, now: Now, out: &mut Vec<Effect>) {
        while let Some(&(at, run)) = self.alarms.first() {
            if at > now.boot {
                break;
            }
            self.alarms.pop_first();
            let Some(held) = self.held.get_mut(&run) else {
                continue;
            };
            held.alarm = None;
            match held.stopping.as_mut() {
                Some(stopping) => {
                    out.extend(
                        stopping
                            .advance(now.boot)
                            .map(|step| stop_effect(run, step)),
                    );
                    self.set_alarm(run);
                }
                None => self.ask_to_stop(now, run, StopCause::Timeout, out),
            }
        }
    }
}
