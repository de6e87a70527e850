//! What an agent's ledger holds: the records from which both books are made again after a restart.
//!
//! A record is written (so that it outlives the agent's process) before anything that rests on it is done. Some must also
//! reach the disk first; see [`Record::is_synced_first`].

use std::sync::Arc;

use jiff::Timestamp;

use crate::id::{JobId, ProcessId, RunId};
use crate::job::StopPolicy;
use crate::order::{Claim, DaemonOrder, Order, ProcessReport, StopCause};
use crate::run_limits::RunLimits;

/// One record of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// An order was accepted.
    Accepted {
        /// The order.
        order: Arc<Order>,
        /// When, on the center's clock.
        at: Timestamp,
    },
    /// A running or starting run was asked to stop.
    StopAsked {
        /// Run.
        run: RunId,
        /// Why.
        cause: StopCause,
    },
    /// Nothing more is going to happen to a run.
    Settled {
        /// Run.
        run: RunId,
        /// It could start until then; its id is kept a while longer.
        not_after: Timestamp,
        /// What became of it: refused, ended or lost.
        claim: Claim,
    },
    /// The center has stored what became of a run.
    Acked {
        /// Run.
        run: RunId,
    },
    /// The highest session epoch that a center has announced.
    SessionEpoch(u64),
    /// The limits of this agent on its runs.
    RunLimits(RunLimits),
    /// The daemons that this agent keeps alive, all of them.
    DaemonsWanted {
        /// Grows with every change.
        generation: u64,
        /// One per job.
        orders: Vec<Arc<DaemonOrder>>,
    },
    /// A daemon process is about to be started.
    LifeStarted(LifeStarted),
    /// A daemon process was asked to stop.
    LifeStopAsked {
        /// Process.
        process: ProcessId,
        /// Why.
        cause: StopCause,
    },
    /// A daemon process was found ready.
    LifeReady {
        /// Process.
        process: ProcessId,
    },
    /// A daemon process is to be replaced when its turn comes.
    LifeReplaceAsked {
        /// Process.
        process: ProcessId,
        /// Why.
        cause: StopCause,
    },
    /// A daemon process is over.
    LifeEnded(Box<ProcessReport>),
    /// Nothing needs to be known any more about a daemon process.
    LifeForgotten {
        /// Process.
        process: ProcessId,
    },
    /// A daemon process ended well and is not to be started again until somebody asks for it.
    SlotFinished {
        /// Job.
        job: JobId,
        /// Slot index.
        index: u32,
        /// Digest of what it ran.
        launch: LaunchDigest,
    },
}

/// A daemon process that is about to be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LifeStarted {
    /// Process.
    pub process: ProcessId,
    /// Job.
    pub job: JobId,
    /// Version of the job.
    pub job_version: u32,
    /// Slot index.
    pub index: u32,
    /// Digest of what it runs.
    pub launch: LaunchDigest,
    /// How it is stopped.
    pub stop: StopPolicy,
    /// Restarts of its slot, this one included.
    pub restarts: u64,
}

/// Tells one launch from another; made by [`crate::slot_book::digest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LaunchDigest(pub [u8; 16]);

impl Record {
    /// Whether the record has to reach the disk before the book hears that it is synced.
    ///
    /// - A run is prepared only once its order would survive the machine, so that a run which the ledger does not know provably
    ///   never started. Orders come seconds ahead, so nobody waits for the disk.
    /// - A refusal is told only once it would survive the machine, or the run could start after a reboot all the same.
    ///
    /// Nothing waits for the others. An end that a reboot takes with it leaves a run that was due before: lost, not started again.
    pub const fn is_synced_first(&self) -> bool {
        matches!(
            self,
            Self::Accepted { .. }
                | Self::Settled {
                    claim: Claim::Refused { .. },
                    ..
                }
        )
    }

    /// The run that the record is about.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::Accepted { order, .. } => Some(order.run),
            Self::StopAsked { run, .. } | Self::Settled { run, .. } | Self::Acked { run } => {
                Some(*run)
            }
            Self::SessionEpoch(_)
            | Self::RunLimits(_)
            | Self::DaemonsWanted { .. }
            | Self::LifeStarted(_)
            | Self::LifeStopAsked { .. }
            | Self::LifeReady { .. }
            | Self::LifeReplaceAsked { .. }
            | Self::LifeEnded(_)
            | Self::LifeForgotten { .. }
            | Self::SlotFinished { .. } => None,
        }
    }
}
