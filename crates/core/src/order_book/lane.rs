//! The order of starts.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::id::{JobId, RunId};
use crate::life::Owner;
use crate::order::Order;

/// Place of a run among others: by its earliest start, then by its due instant and attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) not_before: Timestamp,
    pub(super) due: Timestamp,
    pub(super) attempt: u32,
    pub(super) run: RunId,
}

impl Rank {
    pub(super) fn of(order: &Order) -> Self {
        Self {
            not_before: order.not_before,
            due: order.due,
            attempt: order.attempt,
            run: order.run,
        }
    }
}

/// What overlap and order of starts are about: one copy of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LaneKey {
    job: JobId,
    copy: u32,
}

impl LaneKey {
    pub(super) fn of(order: &Order) -> Self {
        Self {
            job: order.job,
            copy: order.copy,
        }
    }

    pub(super) const fn of_owner(owner: Owner) -> Self {
        Self {
            job: owner.job,
            copy: owner.index,
        }
    }
}

/// The runs of one copy of one job.
#[derive(Debug, Clone, Default)]
pub(super) struct Lane {
    /// Those not yet released, without the offers that have no word: whoever decides about those sees to the order of their starts.
    pub(super) queue: BTreeSet<Rank>,
    /// How many of its runs are prepared or being prepared.
    pub(super) prepared: usize,
    /// Those that are released and not over.
    pub(super) alive: BTreeSet<RunId>,
    /// Those of them that have not started yet. The next one waits for them, for two released at once could start in either order.
    pub(super) going: usize,
}

impl Lane {
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.alive.is_empty() && self.prepared == 0
    }
}
