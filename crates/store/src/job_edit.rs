//! Editing, pausing, resuming and deleting jobs: what happens to runs that are planned or with their agents already.
//!
//! One rule for all. Let `t` be the moment of the edit. Scheduled runs that were never sent and are due after `t` are
//! deleted; those that an agent may have and that start after `t` are asked back (the reason is stored in the row until the
//! agent has answered); the watermark becomes `t`, so that planning begins anew there. What an agent started all the same
//! stands: the planner then records the new version's run of that due instant as `skipped(superseded)`.

use cronfleet_core::id::{AgentId, JobId, RunId, UserId};
use cronfleet_core::job::JobSpec;
use cronfleet_core::run::Reason;
use jiff::Timestamp;

use crate::error::StoreError;
use crate::job::Timing;
use crate::run::RunMoved;
use crate::store::Store;

/// A run that is to be asked back from its agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// Agent.
    pub agent: AgentId,
    /// Run.
    pub run: RunId,
    /// Why, for the agent to answer with.
    pub reason: Reason,
}

/// What an edit did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobEdited {
    /// Version now in force.
    pub version: u32,
    /// Runs to ask back.
    pub revoke: Vec<Revocation>,
    /// Runs that ended.
    pub moved: Vec<RunMoved>,
}

impl Store {
    /// Saves a new version of a job.
    ///
    /// # Errors
    /// [`StoreError::Missing`]; [`Conflict::StaleVersion`](crate::Conflict::StaleVersion) unless `expected_version` is in force;
    /// [`Conflict::JobNameTaken`](crate::Conflict::JobNameTaken); [`Conflict::PlanningBehind`](crate::Conflict::PlanningBehind).
    pub async fn replace_job(
        &self,
        job: JobId,
        expected_version: u32,
        spec: &JobSpec,
        timing: Timing,
        author: UserId,
        now: Timestamp,
    ) -> Result<JobEdited, StoreError> {
        later(job, (expected_version, spec), (timing, author, now))
    }

    /// Pauses a job: nothing more becomes due. Pausing a paused job changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`Conflict::PlanningBehind`](crate::Conflict::PlanningBehind).
    pub async fn pause_job(&self, job: JobId, now: Timestamp) -> Result<JobEdited, StoreError> {
        later(job, now, ())
    }

    /// Resumes a job from `now` on: what would have been due meanwhile never was. Resuming a job that is not paused changes
    /// nothing. `timing` must be of `expected_version`.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`Conflict::StaleVersion`](crate::Conflict::StaleVersion).
    pub async fn resume_job(
        &self,
        job: JobId,
        expected_version: u32,
        timing: Timing,
        now: Timestamp,
    ) -> Result<JobEdited, StoreError> {
        later(job, expected_version, (timing, now))
    }

    /// Deletes a job: its name is free again, its runs stay. Runs never sent end `skipped(deleted)`.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`Conflict::PlanningBehind`](crate::Conflict::PlanningBehind).
    pub async fn delete_job(&self, job: JobId, now: Timestamp) -> Result<JobEdited, StoreError> {
        later(job, now, ())
    }
}

fn later<A, B, C, T>(_: A, _: B, _: C) -> Result<T, StoreError> {
    Err(StoreError::corrupt("function", "not written yet"))
}
