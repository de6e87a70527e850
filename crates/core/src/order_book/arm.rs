//! What time and order of starts bring about: preparing, releasing, windows that close, stops that go on.

use super::book::OrderBook;
use super::follow::stop_effect;
use super::io::Effect;
use super::lane::{LaneKey, Rank};
use super::settle::not_started;
use super::stage::Stage;
use crate::id::RunId;
use crate::job::Overlap;
use crate::life::Now;
use crate::order::{Claim, StopCause};
use crate::plan::earlier;
use crate::run::Reason;

/// What to do with the first run of a lane.
enum Turn {
    /// Nothing until something else happens.
    Wait,
    /// Release it.
    Go,
    /// Refuse it.
    Refuse(Reason),
    /// It could not be prepared.
    Fail(Reason, String),
}

impl OrderBook {
    /// Does what the clocks ask for.
    pub(super) fn advance(&mut self, now: Now, out: &mut Vec<Effect>) {
        if !self.is_closing {
            self.close_windows(now, out);
            self.start_due(now);
            while let Some(lane) = self.stirred.pop_first() {
                self.advance_lane(now, lane, out);
            }
            self.arm_due(now, out);
        }
        self.ring_alarms(now, out);
        self.retry_ledger(now, out);
        self.drop_tombstones(now);
    }

    fn close_windows(&mut self, now: Now, out: &mut Vec<Effect>) {
        while let Some(&(not_after, run)) = self.windows.first() {
            if not_after >= now.center {
                break;
            }
            self.windows.pop_first();
            self.refuse(run, Reason::StartDeadlineExceeded, out);
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

    /// Releases, refuses or fails the first runs of a lane for as long as that is possible.
    fn advance_lane(&mut self, now: Now, key: LaneKey, out: &mut Vec<Effect>) {
        while let Some(rank) = self
            .lanes
            .get(&key)
            .and_then(|lane| lane.queue.first().copied())
        {
            self.let_first_be_armed(key, rank);
            if rank.not_before > now.center {
                return;
            }
            match self.turn(now, key, rank.run) {
                Turn::Wait => {
                    self.arm_blocker(key, rank, out);
                    return;
                }
                Turn::Go => self.go(key, rank, out),
                Turn::Refuse(reason) => self.refuse(rank.run, reason, out),
                Turn::Fail(reason, detail) => {
                    let Some(held) = self.held.get(&rank.run) else {
                        return;
                    };
                    let not_after = held.order.not_after;
                    let end = not_started(now.center, reason, detail);
                    self.settle(rank.run, not_after, Claim::Ended { start: None, end }, out);
                }
            }
        }
    }

    /// The first run of a lane in which nothing is alive may be prepared.
    fn let_first_be_armed(&mut self, key: LaneKey, rank: Rank) {
        let is_free = self.lanes.get(&key).is_some_and(|lane| lane.alive == 0);
        let waits = self
            .held
            .get(&rank.run)
            .is_some_and(|held| held.stage == (Stage::Waiting { is_synced: true }));
        if is_free && waits {
            self.to_arm.insert(rank);
        }
    }

    fn turn(&self, now: Now, key: LaneKey, run: RunId) -> Turn {
        let Some(held) = self.held.get(&run) else {
            return Turn::Wait;
        };
        let (is_occupied, is_going) = self
            .lanes
            .get(&key)
            .map_or((false, false), |lane| (lane.alive > 0, lane.going > 0));
        if now.center > held.order.not_after {
            return Turn::Refuse(Reason::StartDeadlineExceeded);
        }
        if held.stage == (Stage::Waiting { is_synced: false }) {
            return Turn::Wait;
        }
        if is_occupied && held.order.overlap == Overlap::Forbid {
            return if held.order.is_planned_late() {
                Turn::Wait
            } else {
                Turn::Refuse(Reason::Overlap)
            };
        }
        match &held.stage {
            Stage::Armed if is_going => Turn::Wait,
            Stage::Armed => Turn::Go,
            Stage::Unready { reason, detail } => Turn::Fail(*reason, detail.clone()),
            Stage::Waiting { .. } | Stage::Arming | Stage::Going | Stage::Running { .. } => {
                Turn::Wait
            }
        }
    }

    fn go(&mut self, key: LaneKey, rank: Rank, out: &mut Vec<Effect>) {
        let Some(held) = self.held.get_mut(&rank.run) else {
            return;
        };
        held.stage = Stage::Going;
        self.windows.remove(&(held.order.not_after, rank.run));
        self.count_prepared(key, -1);
        let lane = self.lanes.entry(key).or_default();
        lane.queue.remove(&rank);
        lane.alive += 1;
        lane.going += 1;
        out.push(Effect::Go { run: rank.run });
    }

    /// Prepares the first run of a lane beyond the limit if prepared ones have to wait for it: else both would wait for ever.
    fn arm_blocker(&mut self, key: LaneKey, rank: Rank, out: &mut Vec<Effect>) {
        let blocks_prepared = self.lanes.get(&key).is_some_and(|lane| lane.prepared > 0);
        if blocks_prepared && self.to_arm.remove(&rank) {
            self.arm(rank.run, out);
        }
    }

    fn arm_due(&mut self, now: Now, out: &mut Vec<Effect>) {
        while self.prepared < self.limits.armed_max
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

impl OrderBook {
    /// Checks what must always hold between the indexes. For tests: quadratic in nothing, but not free.
    ///
    /// # Panics
    /// Something does not hold.
    #[doc(hidden)]
    pub fn assert_consistent(&self, now: Now) {
        let prepared = self
            .held
            .values()
            .filter(|held| held.stage.is_prepared())
            .count();
        assert_eq!(self.prepared, prepared, "places among the prepared");
        for (run, held) in &self.held {
            assert!(!self.settled.contains_key(run), "{run} is held and settled");
            let rank = Rank::of(&held.order);
            let lane = self.lanes.get(&LaneKey::of(&held.order));
            let is_queued = lane.is_some_and(|lane| lane.queue.contains(&rank));
            assert_eq!(is_queued, !held.stage.is_alive(), "{run} in its lane");
            let waits = held.stage == Stage::Waiting { is_synced: true };
            let is_first =
                lane.is_some_and(|lane| lane.alive == 0 && lane.queue.first() == Some(&rank));
            let may_be_armed = waits && (is_first || held.order.overlap == Overlap::Allow);
            assert!(
                self.is_closing || !may_be_armed || self.to_arm.contains(&rank),
                "{run} may be prepared"
            );
            assert!(
                self.is_closing || waits || !self.to_arm.contains(&rank),
                "{run} does not wait to be prepared"
            );
        }
        for (key, lane) in &self.lanes {
            assert!(!lane.is_empty(), "an empty lane is kept");
            let first = lane
                .queue
                .first()
                .filter(|rank| rank.not_before <= now.center && !self.is_closing);
            if let Some(rank) = first {
                let turn = self.turn(now, *key, rank.run);
                assert!(
                    matches!(turn, Turn::Wait),
                    "{} had its turn and did not take it",
                    rank.run
                );
            }
        }
    }
}
