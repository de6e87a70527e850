//! Lapses: ranges of due instants that became no runs.

use cronfleet_core::access::Reach;
use cronfleet_core::id::{GroupId, JobId};
use cronfleet_core::plan::Lapse;
use jiff::Timestamp;

use crate::error::StoreError;
use crate::page::{Page, TimeKey};
use crate::store::Store;

/// A recorded lapse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LapseRow {
    /// Job.
    pub job: JobId,
    /// Its name.
    pub job_name: String,
    /// The range, its count and reason.
    pub lapse: Lapse,
    /// When it was recorded, or last extended.
    pub recorded_at: Timestamp,
}

impl Store {
    /// Lapses within reach, newest first due instant first. The key's time is the first due instant of the last row seen.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn lapses(
        &self,
        reach: &Reach,
        job: Option<JobId>,
        group: Option<GroupId>,
        before: Option<TimeKey>,
        limit: u32,
    ) -> Result<Page<LapseRow, TimeKey>, StoreError> {
        later(reach, (job, group), (before, limit))
    }
}

fn later<A, B, C, T>(_: A, _: B, _: C) -> Result<T, StoreError> {
    Err(StoreError::corrupt("function", "not written yet"))
}
