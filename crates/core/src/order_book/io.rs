//! What goes into an order book and what comes out of it.

use std::sync::Arc;
use std::time::Duration;

use crate::id::RunId;
use crate::job::StopSignal;
use crate::order::{Claim, End, Order, Start, StopCause};
use crate::record::Record;
use crate::run::Reason;
use crate::run_limits::RunLimits;

/// Bounds of an order book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long before its due instant a run is prepared.
    pub arm_ahead: Duration,
    /// Runs prepared at the same time, earliest due first. Twice as many at most: a run is prepared all the same when one of
    /// its own job that is prepared already must wait for it.
    pub armed_max: usize,
    /// Orders held and ends not yet acknowledged; beyond it orders are refused as [`Reason::AgentFull`], and a tenth beyond
    /// that they are not answered at all.
    pub held_max: usize,
    /// Ids of acknowledged runs kept; beyond it those whose window has passed go first.
    pub tombstones_max: usize,
    /// How long past its window the id of an acknowledged run is kept.
    pub tombstone_margin: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            arm_ahead: Duration::from_secs(2),
            armed_max: 1_000,
            held_max: 100_000,
            tombstones_max: 200_000,
            tombstone_margin: Duration::from_secs(300),
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The center sent an order.
    Order(Arc<Order>),
    /// The center takes an order back; also one that the agent may never have received.
    Revoke {
        /// Run.
        run: RunId,
        /// Why; what the run is refused with if it was not started.
        reason: Reason,
    },
    /// The center believes that this run was accepted, and has not heard of its end.
    Inquiry {
        /// Run.
        run: RunId,
    },
    /// The center gives an offer the word to start.
    Go {
        /// Run.
        run: RunId,
    },
    /// Somebody asks for the end of a run, or a later run is to take its place.
    Kill {
        /// Run.
        run: RunId,
        /// Why: [`StopCause::Kill`] or [`StopCause::Replaced`].
        cause: StopCause,
    },
    /// The center tells the limits of this agent on its runs.
    Limits(RunLimits),
    /// Time has passed.
    Tick,
    /// A record of the run for which [`Record::is_synced_first`] holds is on the disk: once for each such record.
    Synced {
        /// Run.
        run: RunId,
    },
    /// A record of this run could not be written, and the effects after it that name this run were not performed. Once for each
    /// such record.
    LedgerFailed {
        /// Run.
        run: RunId,
    },
    /// A record of the run for which [`Record::is_synced_first`] holds was written and did not reach the disk: the next agent may
    /// find it all the same. Once for each such record.
    SyncFailed {
        /// Run.
        run: RunId,
    },
    /// The run is prepared and waits for [`Effect::Go`].
    Armed {
        /// Run.
        run: RunId,
    },
    /// The run could not be prepared. Nothing of it is left.
    ArmFailed {
        /// Run.
        run: RunId,
        /// Why.
        reason: Reason,
        /// More for people.
        detail: String,
    },
    /// The command runs.
    Started {
        /// Run.
        run: RunId,
        /// Its start.
        start: Start,
        /// The same instant as time since boot.
        boot: Duration,
    },
    /// The command could not be executed.
    StartFailed {
        /// Run.
        run: RunId,
        /// Why.
        reason: Reason,
        /// More for people.
        detail: String,
    },
    /// The command ended.
    Ended {
        /// Run.
        run: RunId,
        /// Its start, if the host knows it better than the book.
        start: Option<Start>,
        /// How. The book says why it was stopped; `stopped_for` only tells that somebody asked its shim to.
        end: End,
    },
    /// The shim is gone, and it provably never released the command.
    NeverStarted {
        /// Run.
        run: RunId,
    },
    /// The shim is gone without a record of the end, and nothing of the command is alive any more.
    Vanished {
        /// Run.
        run: RunId,
        /// Its start, if that much is known.
        start: Option<Start>,
    },
    /// The center has stored a claim of this run.
    Acked {
        /// Run.
        run: RunId,
        /// How far that claim went.
        phase: Phase,
    },
    /// The agent is about to end. Nothing is started any more; what is prepared is let go.
    Shutdown {
        /// Whether running processes are stopped too; otherwise they live on.
        with_processes: bool,
    },
}

/// How far a claim goes. An acknowledgement of an earlier one says nothing about the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Accepted.
    Accepted,
    /// Running.
    Running,
    /// Refused, ended or lost.
    Over,
}

impl Phase {
    /// The phase of a claim.
    pub const fn of(claim: &Claim) -> Self {
        match claim {
            Claim::Accepted => Self::Accepted,
            Claim::Running(_) => Self::Running,
            Claim::Refused { .. } | Claim::Ended { .. } | Claim::Lost { .. } => Self::Over,
        }
    }
}

/// Something to do. Each may be repeated without harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Write this to the ledger before performing the effects after it. On failure skip the rest that names the run and say
    /// [`Input::LedgerFailed`].
    Append(Box<Record>),
    /// Prepare the run up to its very last step: [`OrderBook::order`](super::OrderBook::order) has what is needed.
    Arm {
        /// Run.
        run: RunId,
    },
    /// Release a prepared run.
    Go {
        /// Run.
        run: RunId,
    },
    /// Let go of a prepared run, or of one being prepared: it must never start.
    Abandon {
        /// Run.
        run: RunId,
    },
    /// Send a signal to the process's group.
    Stop {
        /// Run.
        run: RunId,
        /// Signal.
        signal: StopSignal,
    },
    /// Kill everything of the run.
    KillAll {
        /// Run.
        run: RunId,
    },
    /// Tell the center [`OrderBook::claim`](super::OrderBook::claim), if there is a session.
    Report {
        /// Run.
        run: RunId,
    },
    /// Remove what the host keeps of the run.
    Forget {
        /// Run.
        run: RunId,
    },
}
