//! Whose turn it is in a lane, and what the overlap policy makes of it.

use super::book::OrderBook;
use super::io::Effect;
use super::lane::{LaneKey, Rank};
use super::stage::{Held, Stage};
use crate::id::RunId;
use crate::job::Overlap;
use crate::life::Now;
use crate::order::{Claim, End, StopCause};
use crate::run::Reason;

/// What to do with the first run of a lane.
pub(super) enum Turn {
    /// Nothing until something else happens.
    Wait,
    /// Release it.
    Go,
    /// Release it as soon as the agent's limits leave room.
    WaitForRoom,
    /// Refuse it.
    Refuse(Reason),
    /// Stop what is alive: this one takes its place.
    Replace,
    /// It could not be prepared.
    Fail(Reason, String),
}

impl OrderBook {
    /// Releases, refuses or fails the first runs of a lane for as long as that is possible.
    pub(super) fn advance_lane(&mut self, now: Now, key: LaneKey, out: &mut Vec<Effect>) {
        while let Some(rank) = self
            .lanes
            .get(&key)
            .and_then(|lane| lane.queue.first().copied())
        {
            self.let_first_be_armed(key, rank);
            if rank.not_before > now.center {
                return;
            }
            match self.turn(now, key, rank) {
                Turn::Wait => {
                    self.arm_blocker(key, rank, out);
                    self.cut_queue(now, key, out);
                    return;
                }
                Turn::WaitForRoom => {
                    self.gate.wait(rank, key);
                    self.cut_queue(now, key, out);
                    return;
                }
                Turn::Go => self.go(now, key, rank, out),
                Turn::Refuse(reason) => self.refuse(rank.run, reason, out),
                Turn::Replace => self.replace_alive(now, key, out),
                Turn::Fail(reason, detail) => {
                    let Some(held) = self.held.get(&rank.run) else {
                        return;
                    };
                    let not_after = held.order.not_after;
                    let end = End::not_started(now.center, reason, detail);
                    self.settle(rank.run, not_after, Claim::Ended { start: None, end }, out);
                }
            }
        }
    }

    /// The first run of a lane in which nothing is alive may be prepared.
    fn let_first_be_armed(&mut self, key: LaneKey, rank: Rank) {
        let is_free = self
            .lanes
            .get(&key)
            .is_some_and(|lane| lane.alive.is_empty());
        let waits = self
            .held
            .get(&rank.run)
            .is_some_and(|held| held.stage == (Stage::Waiting { is_synced: true }));
        if is_free && waits {
            self.to_arm.insert(rank);
        }
    }

    /// What to do with the first run of a lane, which is due.
    pub(super) fn turn(&self, now: Now, key: LaneKey, rank: Rank) -> Turn {
        let Some(held) = self.held.get(&rank.run) else {
            return Turn::Wait;
        };
        if now.center > held.order.not_after {
            return Turn::Refuse(Reason::StartDeadlineExceeded);
        }
        if held.stage == (Stage::Waiting { is_synced: false }) {
            return Turn::Wait;
        }
        let lane = self.lanes.get(&key);
        let is_occupied = lane.is_some_and(|lane| !lane.alive.is_empty());
        match held.order.overlap {
            Overlap::Forbid if is_occupied && held.order.is_planned_late() => return Turn::Wait,
            Overlap::Forbid if is_occupied => return Turn::Refuse(Reason::Overlap),
            Overlap::Queue { .. } if is_occupied => return Turn::Wait,
            Overlap::Replace if self.is_overtaken(now, key, rank) => {
                return Turn::Refuse(Reason::Overtaken);
            }
            Overlap::Replace if is_occupied => return self.replacement(key),
            Overlap::Forbid | Overlap::Allow | Overlap::Queue { .. } | Overlap::Replace => {}
        }
        match &held.stage {
            Stage::Armed if lane.is_some_and(|lane| lane.going > 0) => Turn::Wait,
            Stage::Armed if !self.gate.lets_in(now, rank) => Turn::WaitForRoom,
            Stage::Armed => Turn::Go,
            Stage::Unready { reason, detail } => Turn::Fail(*reason, detail.clone()),
            Stage::Waiting { .. } | Stage::Arming | Stage::Going | Stage::Running { .. } => {
                Turn::Wait
            }
        }
    }

    /// Whether a run would be replaced as soon as it had started: by one that is due as well, or by a later one that is alive.
    fn is_overtaken(&self, now: Now, key: LaneKey, rank: Rank) -> bool {
        let Some(lane) = self.lanes.get(&key) else {
            return false;
        };
        let next = lane.queue.iter().find(|other| **other > rank);
        let by_next = next.is_some_and(|next| {
            let replaces = |held: &Held| held.order.overlap == Overlap::Replace;
            next.not_before <= now.center
                && next.due >= rank.due
                && self.held.get(&next.run).is_some_and(replaces)
        });
        by_next
            || self
                .alive_in(key)
                .any(|(_, held)| held.order.due > rank.due)
    }

    /// What a run does that takes the place of whatever is alive. What the ledger does not know cannot be stopped, and is waited for.
    fn replacement(&self, key: LaneKey) -> Turn {
        if self.alive_in(key).any(|(_, held)| held.asked.is_none()) {
            Turn::Replace
        } else {
            Turn::Wait
        }
    }

    fn replace_alive(&mut self, now: Now, key: LaneKey, out: &mut Vec<Effect>) {
        let alive: Vec<RunId> = self.alive_in(key).map(|(run, _)| run).collect();
        for run in alive {
            self.ask_to_stop(now, run, StopCause::Replaced, out);
        }
    }

    fn alive_in(&self, key: LaneKey) -> impl Iterator<Item = (RunId, &Held)> {
        let alive = self.lanes.get(&key).into_iter().flat_map(|l| &l.alive);
        alive.filter_map(|run| Some((*run, self.held.get(run)?)))
    }

    /// Refuses runs that may not wait for the one that is alive, because enough others do. Runs that are caught up wait in any case.
    fn cut_queue(&mut self, now: Now, key: LaneKey, out: &mut Vec<Effect>) {
        for run in self.beyond_queue(now, key) {
            self.refuse(run, Reason::QueueFull, out);
        }
    }

    /// Runs of an occupied lane that are due and too many to wait, of those whose orders are on the disk.
    pub(super) fn beyond_queue(&self, now: Now, key: LaneKey) -> Vec<RunId> {
        let Some(lane) = self.lanes.get(&key).filter(|lane| !lane.alive.is_empty()) else {
            return Vec::new();
        };
        let due = lane
            .queue
            .iter()
            .take_while(|rank| rank.not_before <= now.center)
            .filter_map(|rank| self.held.get(&rank.run));
        let mut waiting = 0;
        let mut beyond = Vec::new();
        for held in due.filter(|held| !held.order.is_planned_late()) {
            match held.order.overlap {
                Overlap::Queue { max } if waiting >= max => {
                    let is_synced = held.stage != (Stage::Waiting { is_synced: false });
                    beyond.extend(is_synced.then_some(held.order.run));
                }
                _ => waiting += 1,
            }
        }
        beyond
    }

    fn go(&mut self, now: Now, key: LaneKey, rank: Rank, out: &mut Vec<Effect>) {
        let Some(held) = self.held.get_mut(&rank.run) else {
            return;
        };
        held.stage = Stage::Going;
        self.windows.remove(&(held.order.not_after, rank.run));
        self.count_prepared(key, -1);
        let lane = self.lanes.entry(key).or_default();
        lane.queue.remove(&rank);
        self.gate.count(isize::from(lane.alive.insert(rank.run)));
        self.gate.released(now);
        lane.going += 1;
        out.push(Effect::Go { run: rank.run });
    }
}
