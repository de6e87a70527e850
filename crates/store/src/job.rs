//! Jobs and their versions: creating and reading.

use cronfleet_core::access::Reach;
use cronfleet_core::id::{GroupId, JobId, UserId};
use cronfleet_core::job::JobSpec;
use jiff::Timestamp;

use crate::error::StoreError;
use crate::store::Store;

/// What a job's schedule says, told by the caller, who can read schedules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timing {
    /// First due instant after the moment of the operation; `None` for daemons and where none is left.
    pub next_due: Option<Timestamp>,
    /// Whether the job runs at the start of its agents' hosts.
    pub is_reboot: bool,
}

/// A job to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Id, minted by the caller.
    pub id: JobId,
    /// Owning group.
    pub group: GroupId,
    /// Definition, valid.
    pub spec: JobSpec,
    /// Created paused.
    pub is_paused: bool,
    /// What its schedule says.
    pub timing: Timing,
    /// Who creates it.
    pub author: UserId,
}

/// An immutable version of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobVersionRow {
    /// Number, from 1.
    pub version: u32,
    /// Definition.
    pub spec: JobSpec,
    /// Login of who saved it; empty if the user is gone.
    pub author: String,
    /// When it was saved.
    pub created_at: Timestamp,
}

impl Store {
    /// Creates a job with version 1. Its watermark is `now`.
    ///
    /// # Errors
    /// [`Conflict::JobNameTaken`](crate::Conflict::JobNameTaken), [`StoreError::Missing`] if the group does not exist.
    pub async fn create_job(&self, job: &NewJob, now: Timestamp) -> Result<(), StoreError> {
        later(job, now, ())
    }

    /// Versions of a job within reach (deleted ones included), newest first; `before` is the last version seen.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn job_versions(
        &self,
        reach: &Reach,
        job: JobId,
        before: Option<u32>,
        limit: u32,
    ) -> Result<crate::page::Page<JobVersionRow, u32>, StoreError> {
        later(reach, job, (before, limit))
    }

    /// One version of a job within reach.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn job_version(
        &self,
        reach: &Reach,
        job: JobId,
        version: u32,
    ) -> Result<Option<JobVersionRow>, StoreError> {
        later(reach, job, version)
    }
}

fn later<A, B, C, T>(_: A, _: B, _: C) -> Result<T, StoreError> {
    Err(StoreError::corrupt("function", "not written yet"))
}
