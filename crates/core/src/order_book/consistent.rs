//! What must always hold between the indexes.

use super::book::OrderBook;
use super::lane::{LaneKey, Rank};
use super::stage::Stage;
use super::turn::Turn;
use crate::job::Overlap;
use crate::life::Now;

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
            let has_turn = !held.stage.is_alive() && held.may_go;
            assert_eq!(is_queued, has_turn, "{run} in its lane");
            let waits = held.stage == Stage::Waiting { is_synced: true };
            let is_first =
                lane.is_some_and(|lane| lane.alive.is_empty() && lane.queue.first() == Some(&rank));
            let is_free = held.order.overlap == Overlap::Allow || held.order.is_offer;
            let may_be_armed = waits && (is_first || is_free);
            assert!(
                self.is_closing || !may_be_armed || self.to_arm.contains(&rank),
                "{run} may be prepared"
            );
            assert!(
                self.is_closing || waits || !self.to_arm.contains(&rank),
                "{run} does not wait to be prepared"
            );
        }
        let alive: usize = self.lanes.values().map(|lane| lane.alive.len()).sum();
        assert_eq!(self.gate.alive(), alive, "runs alive");
        assert!(
            self.is_closing || !(self.gate.is_crowded() && self.gate.is_open(now)),
            "there is room, and somebody waits for it"
        );
        for (key, lane) in &self.lanes {
            assert!(!lane.is_empty(), "an empty lane is kept");
            let first = lane
                .queue
                .first()
                .filter(|rank| rank.not_before <= now.center && !self.is_closing);
            if let Some(rank) = first {
                let turn = self.turn(now, *key, *rank);
                assert!(
                    matches!(turn, Turn::Wait | Turn::WaitForRoom),
                    "{} had its turn and did not take it",
                    rank.run
                );
                let beyond = self.beyond_queue(now, *key);
                assert_eq!(beyond, [], "wait behind a full queue");
            }
        }
    }
}
