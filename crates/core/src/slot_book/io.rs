//! What goes into a slot book and what comes out of it.

use std::sync::Arc;
use std::time::Duration;

use crate::id::{JobId, ProcessId};
use crate::job::StopSignal;
use crate::order::{DaemonOrder, End, ProbeKind, Start};
use crate::record::Record;
use crate::run::Reason;

/// Bounds of a slot book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotLimits {
    /// Reports of ended processes kept for the center; beyond it the oldest are given up.
    pub reports_max: usize,
    /// A process that was up this long (or its start period, if longer) has its failures forgiven.
    pub good_uptime: Duration,
}

impl Default for SlotLimits {
    fn default() -> Self {
        Self {
            reports_max: 10_000,
            good_uptime: Duration::from_secs(10),
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotInput {
    /// The center says which daemons are wanted: all of them.
    Wanted {
        /// Grows with every change; an older one is ignored.
        generation: u64,
        /// One per job.
        orders: Vec<Arc<DaemonOrder>>,
    },
    /// Somebody asks for a restart.
    Restart {
        /// Job.
        job: JobId,
        /// One slot, at once; without it all of the job's, one after the other.
        index: Option<u32>,
    },
    /// The agent's policy has changed: what it denied may be tried again.
    PolicyChanged,
    /// Time has passed.
    Tick,
    /// The record of this process could not be written; the effects after it that name the process were not performed.
    LedgerFailed {
        /// Process.
        process: ProcessId,
    },
    /// The command runs.
    Started {
        /// Process.
        process: ProcessId,
        /// Its start.
        start: Start,
        /// The same instant as time since boot.
        boot: Duration,
    },
    /// The process could not be prepared or its command not executed. Nothing of it is left.
    StartFailed {
        /// Process.
        process: ProcessId,
        /// Why.
        reason: Reason,
        /// More for people.
        detail: String,
    },
    /// The command ended.
    Ended {
        /// Process.
        process: ProcessId,
        /// Its start, if the host knows it better than the book.
        start: Option<Start>,
        /// How. The book says why it was stopped; `stopped_for` only tells that somebody asked its shim to.
        end: End,
    },
    /// The shim is gone, and it provably never released the command.
    NeverStarted {
        /// Process.
        process: ProcessId,
    },
    /// The shim is gone without a record of the end, and nothing of the command is alive any more.
    Vanished {
        /// Process.
        process: ProcessId,
        /// Its start, if that much is known.
        start: Option<Start>,
    },
    /// A probe was answered.
    Probed {
        /// Process.
        process: ProcessId,
        /// What the probe was for.
        kind: ProbeKind,
        /// Whether the answer was the good one; otherwise what was wrong, for people.
        answer: Result<(), String>,
    },
    /// The memory of the process and its descendants was measured.
    Measured {
        /// Process.
        process: ProcessId,
        /// What they use.
        memory_bytes: u64,
    },
    /// The center has stored the end of the process.
    Acked {
        /// Process.
        process: ProcessId,
    },
    /// The agent is about to end. Nothing is started any more.
    Shutdown {
        /// Whether processes are stopped too; otherwise they live on.
        with_processes: bool,
    },
}

/// Something to do. Each may be repeated without harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotEffect {
    /// Write this to the ledger before performing the effects after it. On failure skip the rest that names the process and
    /// say [`SlotInput::LedgerFailed`].
    Append(Record),
    /// Prepare and release a process: [`SlotBook::wanted`](super::SlotBook::wanted) has what is needed.
    Start {
        /// Process.
        process: ProcessId,
        /// Job.
        job: JobId,
        /// Slot index.
        index: u32,
    },
    /// Send a signal to the process's group; if it was not released yet, let go of it instead.
    Stop {
        /// Process.
        process: ProcessId,
        /// Signal.
        signal: StopSignal,
    },
    /// Kill everything of the process; if it was not released yet, let go of it instead.
    KillAll {
        /// Process.
        process: ProcessId,
    },
    /// Put the question of the job's policy to the process and say [`SlotInput::Probed`].
    Probe {
        /// Process.
        process: ProcessId,
        /// Job.
        job: JobId,
        /// Slot index.
        index: u32,
        /// What it is for.
        kind: ProbeKind,
    },
    /// Tell the center [`SlotBook::slot_report`](super::SlotBook::slot_report), if there is a session.
    ReportSlot {
        /// Job.
        job: JobId,
        /// Slot index.
        index: u32,
    },
    /// The slot is no longer wanted and has no process: tell the center, if there is a session.
    SlotGone {
        /// Job.
        job: JobId,
        /// Slot index.
        index: u32,
    },
    /// Tell the center [`SlotBook::process_report`](super::SlotBook::process_report), if there is a session.
    ReportProcess {
        /// Process.
        process: ProcessId,
    },
    /// Remove what the host keeps of the process.
    Forget {
        /// Process.
        process: ProcessId,
    },
}
