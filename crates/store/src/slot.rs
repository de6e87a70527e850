//! Daemon slots as their agents last reported them.

use cronfleet_core::access::Reach;
use cronfleet_core::id::{AgentId, GroupId, JobId};
use cronfleet_core::order::{SlotReport, SlotState};
use jiff::Timestamp;

use crate::agent_session::Session;
use crate::error::StoreError;
use crate::store::Store;

/// A slot that is wanted or reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotRow {
    /// Job.
    pub job: JobId,
    /// Its name.
    pub job_name: String,
    /// Owning group.
    pub group: GroupId,
    /// Agent.
    pub agent: AgentId,
    /// Its name.
    pub agent_name: String,
    /// Index, from 0.
    pub index: u32,
    /// What the agent last reported; `None` if it is wanted and nothing was reported yet.
    pub report: Option<SlotReport>,
}

/// A slot whose report changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotChanged {
    /// Job.
    pub job: JobId,
    /// Owning group.
    pub group: GroupId,
    /// Agent.
    pub agent: AgentId,
    /// Index.
    pub index: u32,
    /// State now; `None` if the slot is gone.
    pub state: Option<SlotState>,
}

/// Which slots to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SlotFilter {
    /// Only of this job.
    pub job: Option<JobId>,
    /// Only on this agent.
    pub agent: Option<AgentId>,
    /// Only of jobs of this group.
    pub group: Option<GroupId>,
}

impl Store {
    /// Stores what an agent reports of its slots and makes their processes known. With `is_complete` the list is all there
    /// is: slots of the agent that it does not name are gone. Reports of unknown jobs are ignored. Answers what changed.
    ///
    /// # Errors
    /// [`Conflict::StaleSession`](crate::Conflict::StaleSession).
    pub async fn put_slot_reports(
        &self,
        session: &Session,
        reports: &[SlotReport],
        is_complete: bool,
        now: Timestamp,
    ) -> Result<Vec<SlotChanged>, StoreError> {
        later(session, reports, (is_complete, now))
    }

    /// Slots within reach, wanted or reported, by job name, agent name, index; the first `limit`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn slots(
        &self,
        reach: &Reach,
        filter: SlotFilter,
        limit: u32,
    ) -> Result<Vec<SlotRow>, StoreError> {
        later(reach, filter, limit)
    }
}

fn later<A, B, C, T>(_: A, _: B, _: C) -> Result<T, StoreError> {
    Err(StoreError::corrupt("function", "not written yet"))
}
