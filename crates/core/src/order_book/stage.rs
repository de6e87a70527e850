//! What the book knows about one run.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::life::Stopping;
use crate::order::{Claim, End, Order, Start, StopCause};
use crate::plan::later;
use crate::record::Record;
use crate::run::Reason;

/// Where a run is that nothing final is known about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// Waits for its time, for the disk, or for others before it.
    Waiting {
        /// Whether its order is on the disk.
        is_synced: bool,
    },
    /// Being prepared.
    Arming,
    /// Prepared.
    Armed,
    /// Could not be prepared; fails when it is due.
    Unready {
        /// Why.
        reason: Reason,
        /// More for people.
        detail: String,
    },
    /// Released; runs, or will in a moment.
    Going,
    /// Runs.
    Running {
        /// Its start.
        start: Start,
        /// The same instant as time since boot.
        boot: Duration,
    },
}

impl Stage {
    /// Whether its command may run.
    pub(super) const fn is_alive(&self) -> bool {
        matches!(self, Self::Going | Self::Running { .. })
    }

    /// Whether it holds a place among the prepared.
    pub(super) const fn is_prepared(&self) -> bool {
        matches!(self, Self::Arming | Self::Armed)
    }
}

/// A run that nothing final is known about.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) order: Arc<Order>,
    /// When it was accepted, on the center's clock.
    pub(super) accepted_at: Timestamp,
    pub(super) stage: Stage,
    /// Whether it may start as soon as it is due: an offer only once the center has given the word. The word is not kept: whoever
    /// gave it repeats it in every session.
    pub(super) may_go: bool,
    /// Whether its order may be in the ledger's file although the disk did not take it.
    pub(super) may_be_found: bool,
    /// Why it was asked to stop, on record.
    pub(super) asked: Option<StopCause>,
    /// The stop under way.
    pub(super) stopping: Option<Stopping>,
    /// How often a shim died on it before its start.
    pub(super) deaths: u32,
    /// When the book looks at it again, since boot.
    pub(super) alarm: Option<Duration>,
}

impl Held {
    pub(super) fn new(order: Arc<Order>, accepted_at: Timestamp, is_synced: bool) -> Self {
        let stage = Stage::Waiting { is_synced };
        let may_go = !order.is_offer;
        Self {
            order,
            accepted_at,
            stage,
            may_go,
            may_be_found: false,
            asked: None,
            stopping: None,
            deaths: 0,
            alarm: None,
        }
    }

    /// The record of its acceptance.
    pub(super) fn accepted(&self) -> Record {
        Record::Accepted {
            order: Arc::clone(&self.order),
            at: self.accepted_at,
        }
    }

    /// Its start, once that is known.
    pub(super) const fn start(&self) -> Option<Start> {
        if let Stage::Running { start, .. } = self.stage {
            Some(start)
        } else {
            None
        }
    }

    /// What can be said of it; nothing before its order is on the disk.
    pub(super) fn claim(&self) -> Option<Claim> {
        match &self.stage {
            Stage::Waiting { is_synced: false } => None,
            Stage::Waiting { is_synced: true }
            | Stage::Arming
            | Stage::Armed
            | Stage::Unready { .. }
            | Stage::Going => Some(Claim::Accepted),
            Stage::Running { start, .. } => Some(Claim::Running(*start)),
        }
    }

    /// When its time limit or the next step of its stop comes, since boot.
    pub(super) fn next_alarm(&self) -> Option<Duration> {
        match (&self.stopping, &self.stage) {
            (Some(stopping), _) => Some(stopping.next_kill),
            (None, Stage::Running { boot, .. }) => Some(boot.saturating_add(self.order.timeout?)),
            (None, _) => None,
        }
    }
}

/// A run that nothing more is going to happen to.
#[derive(Debug, Clone)]
pub(super) struct Settled {
    pub(super) claim: Claim,
    pub(super) not_after: Timestamp,
    /// Whether the ledger says so.
    pub(super) is_logged: bool,
    /// How many records are still to reach the disk before it may be told.
    pub(super) unsynced: u8,
    /// Whether the center has stored it: a tombstone.
    pub(super) is_acked: bool,
}

impl Settled {
    /// What can be said of it; nothing before the ledger would say it too, whatever happens.
    pub(super) fn told(&self) -> Option<Claim> {
        (self.is_logged && self.unsynced == 0).then(|| self.claim.clone())
    }

    /// When its tombstone may go.
    pub(super) fn expires(&self, margin: Duration) -> Timestamp {
        later(self.not_after, margin)
    }
}

/// Why a run was stopped, if it was. One that ended by itself just before its time limit was not stopped for that, although it
/// was asked to. Where the ledger could not take the cause, the host still knows that there was one.
pub(super) fn stop_cause(order: &Order, asked: Option<StopCause>, end: &End) -> Option<StopCause> {
    let is_over_limit = order.timeout.is_some_and(|limit| end.duration >= limit);
    match asked.or(end.stopped_for) {
        Some(StopCause::Timeout) if !is_over_limit => None,
        Some(_) if asked.is_none() && is_over_limit => Some(StopCause::Timeout),
        cause => cause,
    }
}
