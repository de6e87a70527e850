//! Where runs wait while the agent's limits leave no room for them.

use std::collections::BTreeSet;
use std::time::Duration;

use super::lane::{LaneKey, Rank};
use crate::life::Now;
use crate::run_limits::RunLimits;

/// How many runs are alive on the agent, and who waits for room.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    pub(super) limits: RunLimits,
    /// Runs that are released and not over.
    alive: usize,
    /// When the next one may be released, since boot.
    next_start: Duration,
    /// Runs that were ready and found no room, with their lanes. Some may be over or not ready any more: who is let in is asked again.
    waiting: BTreeSet<(Rank, LaneKey)>,
}

impl Gate {
    pub(super) const fn new() -> Self {
        Self {
            limits: RunLimits {
                running_max: None,
                starts_per_second: None,
            },
            alive: 0,
            next_start: Duration::ZERO,
            waiting: BTreeSet::new(),
        }
    }

    /// Begins to hold to limits. The last start may have been just now.
    pub(super) fn set_limits(&mut self, now: Now, limits: RunLimits) {
        self.limits = limits;
        self.next_start = now.boot.saturating_add(limits.spacing());
    }

    fn has_room(&self) -> bool {
        let max = self.limits.running_max.map(|max| max as usize);
        max.is_none_or(|max| self.alive < max)
    }

    pub(super) fn is_open(&self, now: Now) -> bool {
        self.has_room() && self.next_start <= now.boot
    }

    /// Whether a run may be released now: there is room, and nobody before it waits.
    pub(super) fn lets_in(&self, now: Now, rank: Rank) -> bool {
        self.is_open(now) && self.waiting.first().is_none_or(|(first, _)| *first >= rank)
    }

    pub(super) fn wait(&mut self, rank: Rank, lane: LaneKey) {
        self.waiting.insert((rank, lane));
    }

    /// The lane whose turn it is, if there is room.
    pub(super) fn next(&mut self, now: Now) -> Option<LaneKey> {
        if !self.is_open(now) {
            return None;
        }
        self.waiting.pop_first().map(|(_, lane)| lane)
    }

    /// Whether somebody waits for room.
    pub(super) fn is_crowded(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) fn released(&mut self, now: Now) {
        self.next_start = now.boot.saturating_add(self.limits.spacing());
    }

    pub(super) fn count(&mut self, change: isize) {
        self.alive = self.alive.saturating_add_signed(change);
    }

    pub(super) const fn alive(&self) -> usize {
        self.alive
    }

    /// When somebody who waits may be let in without anything else happening, since boot.
    pub(super) fn next_wake(&self) -> Option<Duration> {
        (self.is_crowded() && self.has_room()).then_some(self.next_start)
    }
}
