//! Planning: which jobs are to be planned, and committing what was decided.

use std::time::Duration;

use cronfleet_core::id::{AgentId, GroupId, JobId};
use cronfleet_core::plan::Plan;
use jiff::Timestamp;

use crate::error::StoreError;
use crate::run::RunMoved;
use crate::store::Store;

/// A job that has due instants to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobToPlan {
    /// Job.
    pub job: JobId,
    /// Owning group.
    pub group: GroupId,
    /// Version in force.
    pub version: u32,
    /// Schedule expression.
    pub expression: String,
    /// IANA time zone name.
    pub time_zone: String,
    /// How late a run may start.
    pub start_deadline: Duration,
    /// Processes per agent and due instant.
    pub processes: u32,
    /// Every due instant up to here is decided.
    pub watermark: Timestamp,
    /// Active agents of the group that the target selects, sorted.
    pub agents: Vec<AgentId>,
}

/// A plan to commit, and what it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPlan {
    /// Job.
    pub job: JobId,
    /// Version it was made for.
    pub expected_version: u32,
    /// Watermark it was made from.
    pub expected_watermark: Timestamp,
    /// What was decided.
    pub plan: Plan,
}

/// What committing plans did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlansCommitted {
    /// Jobs that had changed (version, watermark, paused, deleted): nothing of their plans is stored.
    pub left_out: Vec<JobId>,
    /// Agents with new runs, sorted, each once.
    pub agents: Vec<AgentId>,
    /// Runs that were recorded as ended at once, because an older version's run of the due instant was started.
    pub moved: Vec<RunMoved>,
    /// Runs recorded.
    pub run_count: u64,
}

impl Store {
    /// Jobs of a shard whose next due instant is not after `until`, earliest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn due_jobs(
        &self,
        shard: u32,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<JobToPlan>, StoreError> {
        later(shard, until, limit)
    }

    /// When the next job of a shard becomes due; `None` if none is going to.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn next_due(&self, shard: u32) -> Result<Option<Timestamp>, StoreError> {
        later(shard, (), ())
    }

    /// Jobs that run at the start of this agent's host and are not paused.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn reboot_jobs(&self, agent: AgentId) -> Result<Vec<JobToPlan>, StoreError> {
        later(agent, (), ())
    }

    /// Stores runs, lapses and watermarks of many jobs in one transaction. A job that has changed since it was read is left
    /// out; a run that is stored already is left as it is.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn commit_plans(
        &self,
        plans: &[JobPlan],
        now: Timestamp,
    ) -> Result<PlansCommitted, StoreError> {
        later(plans, now, ())
    }

    /// Takes a job whose definition cannot be planned (an unknown time zone, say) out of planning until it is saved again;
    /// its due instants from the watermark on stay undecided.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn quarantine_job(
        &self,
        job: JobId,
        expected_version: u32,
    ) -> Result<(), StoreError> {
        later(job, expected_version, ())
    }
}

fn later<A, B, C, T>(_: A, _: B, _: C) -> Result<T, StoreError> {
    Err(StoreError::corrupt("function", "not written yet"))
}
