//! Lists of runs, quick however many there are.

use cronfleet_core::access::Reach;
use cronfleet_core::id::{AgentId, GroupId, JobId, RunId};
use cronfleet_core::run::{Cause, Outcome};
use jiff::Timestamp;

use crate::error::StoreError;
use crate::page::Page;
use crate::run::RunRow;
use crate::sql::stored_word;
use crate::store::Store;

/// Where a run is on its way, without its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunPhase {
    /// Recorded, never sent.
    Planned,
    /// Committed to be sent.
    Dispatched,
    /// In the agent's ledger.
    Accepted,
    /// The process lives.
    Running,
    /// Over.
    Ended,
}

impl RunPhase {
    /// All phases.
    pub const ALL: [Self; 5] = [
        Self::Planned,
        Self::Dispatched,
        Self::Accepted,
        Self::Running,
        Self::Ended,
    ];

    /// The word in SQL and JSON, the same as [`RunState::word`](cronfleet_core::run::RunState::word).
    pub const fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Dispatched => "dispatched",
            Self::Accepted => "accepted",
            Self::Running => "running",
            Self::Ended => "ended",
        }
    }

    /// Reads [`RunPhase::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.word() == word)
    }
}

/// Which runs to list. Empty lists and `None` do not filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only of this job.
    pub job: Option<JobId>,
    /// Only on this agent.
    pub agent: Option<AgentId>,
    /// Only of jobs of this group.
    pub group: Option<GroupId>,
    /// Only in these phases.
    pub phases: Vec<RunPhase>,
    /// Only with these outcomes.
    pub outcomes: Vec<Outcome>,
    /// Only with these causes.
    pub causes: Vec<Cause>,
    /// Only due at or after this.
    pub from: Option<Timestamp>,
    /// Only due before this.
    pub to: Option<Timestamp>,
}

impl Store {
    /// Runs within reach, newest due instant first; `before` is the last run seen.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn runs(
        &self,
        reach: &Reach,
        filter: &RunFilter,
        before: Option<RunId>,
        limit: u32,
    ) -> Result<Page<RunRow, RunId>, StoreError> {
        later(reach, filter, (before, limit))
    }
}

stored_word!(RunPhase "run state");

fn later<A, B, C, T>(_: A, _: B, _: C) -> Result<T, StoreError> {
    Err(StoreError::corrupt("function", "not written yet"))
}
