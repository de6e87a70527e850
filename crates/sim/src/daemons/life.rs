//! A process as it truly is.

use std::time::Duration;

use cronfleet_core::id::JobId;
use cronfleet_core::order::{Cleanup, End, ExitStatus, OutputTotals, Start, Usage};

use super::world::center;

/// Where a process stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// Prepared; nothing runs yet.
    Arming,
    /// Runs since then.
    Alive {
        /// Time since boot.
        since: Duration,
    },
    /// Ended; the agent may not know.
    Over {
        /// When it had started.
        since: Duration,
        /// How it ended, and when; `None` if its shim left no word.
        end: Option<(ExitStatus, Duration)>,
    },
}

/// A process as it truly is.
#[derive(Debug, Clone)]
pub(super) struct Process {
    pub(super) job: JobId,
    pub(super) index: u32,
    /// Version of the launch that it runs.
    pub(super) launch: u32,
    pub(super) stage: Stage,
    /// Time from its start until it serves.
    pub(super) ready_after: Duration,
    /// Whether it ignores the stop signal.
    pub(super) is_deaf: bool,
    pub(super) is_ill: bool,
    /// Whether the agent was told, truly, that it is ready.
    pub(super) was_found_ready: bool,
    /// Whether it is on record that it is ready. What an agent was told and had not written down is lost with that agent, and the
    /// next one takes the process for one that starts.
    pub(super) is_ready_on_record: bool,
    /// Whether it was told to stop.
    pub(super) is_asked: bool,
}

impl Process {
    pub(super) fn since(&self) -> Option<Duration> {
        match self.stage {
            Stage::Alive { since } => Some(since),
            Stage::Arming | Stage::Over { .. } => None,
        }
    }

    /// Whether it serves.
    pub(super) fn serves(&self, boot: Duration) -> bool {
        !self.is_ill
            && self
                .since()
                .is_some_and(|since| since + self.ready_after <= boot)
    }
}

pub(super) fn start_of(since: Duration) -> Start {
    Start {
        at: center(since),
        pid: 9,
    }
}

pub(super) fn end_of(status: ExitStatus, since: Duration, at: Duration) -> End {
    End {
        at: center(at),
        status,
        stopped_for: None,
        duration: at.saturating_sub(since),
        usage: Usage::default(),
        output: OutputTotals::default(),
        cleanup: Cleanup::default(),
    }
}
