//! Runs that somebody or something asks for, other than the schedule.

use cronfleet_core::id::{AgentId, JobId, RunId, UserId};
use cronfleet_core::plan::PlannedRun;
use jiff::Timestamp;

use crate::error::StoreError;
use crate::store::Store;

/// Runs asked for at once under one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManualRuns {
    /// Job.
    pub job: JobId,
    /// Version they follow, which must be in force.
    pub version: u32,
    /// Idempotency key, at most 255 characters: the `trigger` of every run's key.
    pub trigger: String,
    /// Due instant of every run.
    pub due: Timestamp,
    /// The runs.
    pub runs: Vec<PlannedRun>,
    /// Who asks.
    pub requested_by: Option<UserId>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManualAnswer {
    /// Ids of the runs under this key, sorted.
    pub runs: Vec<RunId>,
    /// Agents with new runs.
    pub agents: Vec<AgentId>,
    /// Whether the key was used before: nothing was stored now, and `runs` are those of the first time.
    pub is_repeat: bool,
}

impl Store {
    /// Records runs that are not on the schedule (`manual`, `reboot`). Idempotent by (job, trigger).
    ///
    /// # Errors
    /// [`StoreError::Missing`] if the job is gone, [`Conflict::StaleVersion`](crate::Conflict::StaleVersion).
    pub async fn insert_manual_runs(
        &self,
        request: &ManualRuns,
        now: Timestamp,
    ) -> Result<ManualAnswer, StoreError> {
        later(request, now, ())
    }
}

fn later<A, B, C, T>(_: A, _: B, _: C) -> Result<T, StoreError> {
    Err(StoreError::corrupt("function", "not written yet"))
}
