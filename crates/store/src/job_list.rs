//! Jobs as lists and pages show them.

use std::time::Duration;

use cronfleet_core::access::Reach;
use cronfleet_core::id::{AgentId, GroupId, JobId, RunId};
use cronfleet_core::job::JobSpec;
use cronfleet_core::run::Outcome;
use jiff::Timestamp;

use crate::error::StoreError;
use crate::page::{NameKey, Page};
use crate::sql::stored_word;
use crate::store::Store;

/// Kind of a job, without its details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobKindWord {
    /// Runs at due instants.
    Scheduled,
    /// Keeps processes alive.
    Daemon,
}

impl JobKindWord {
    /// The word in SQL and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Daemon => "daemon",
        }
    }

    /// Reads [`JobKindWord::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Scheduled, Self::Daemon]
            .into_iter()
            .find(|kind| kind.word() == word)
    }
}

/// A job that is not deleted.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRow {
    /// Id.
    pub id: JobId,
    /// Owning group.
    pub group: GroupId,
    /// Its name.
    pub group_name: String,
    /// Version in force.
    pub version: u32,
    /// Definition in force.
    pub spec: JobSpec,
    /// Whether it is paused.
    pub is_paused: bool,
    /// First due instant after the watermark; `None` while paused, for daemons, or where none is left.
    pub next_due: Option<Timestamp>,
    /// Every due instant up to here is decided.
    pub watermark: Timestamp,
    /// Login of who saved the version in force; empty if the user is gone.
    pub updated_by: String,
    /// When the job was created.
    pub created_at: Timestamp,
    /// When the version in force was saved.
    pub updated_at: Timestamp,
    /// The last runs, newest first, at most 20.
    pub recent: Vec<RecentRun>,
    /// Its daemon slots.
    pub slots: SlotCounts,
}

/// One of the last runs of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecentRun {
    /// Run.
    pub id: RunId,
    /// Due instant.
    pub due: Timestamp,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// How long it ran.
    pub duration: Option<Duration>,
}

/// Numbers of daemon slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SlotCounts {
    /// Wanted: processes times active agents in target; 0 while paused.
    pub wanted: u32,
    /// Reported as running.
    pub running: u32,
    /// Reported as a crash loop.
    pub crash_loop: u32,
}

/// Which jobs to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Searched for in the name.
    pub part: String,
    /// Only of this group.
    pub group: Option<GroupId>,
    /// Only of this kind.
    pub kind: Option<JobKindWord>,
    /// Only paused ones, or only those that are not.
    pub is_paused: Option<bool>,
    /// Only those that run on this agent.
    pub agent: Option<AgentId>,
}

impl Store {
    /// Jobs within reach by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn jobs(
        &self,
        reach: &Reach,
        filter: &JobFilter,
        after: Option<&NameKey>,
        limit: u32,
    ) -> Result<Page<JobRow, NameKey>, StoreError> {
        later(reach, filter, (after, limit))
    }

    /// A job, if it is within reach and not deleted.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn job(&self, reach: &Reach, id: JobId) -> Result<Option<JobRow>, StoreError> {
        later(reach, id, ())
    }

    /// Active agents of the job's group that its target selects, sorted. Empty for a job that does not exist.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn agents_of_job(&self, id: JobId) -> Result<Vec<AgentId>, StoreError> {
        later(id, (), ())
    }
}

stored_word!(JobKindWord "job kind");

fn later<A, B, C, T>(_: A, _: B, _: C) -> Result<T, StoreError> {
    Err(StoreError::corrupt("function", "not written yet"))
}
