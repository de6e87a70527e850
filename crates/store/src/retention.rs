//! Retention: deleting what is old enough, in batches. Nothing that has not ended is ever deleted, and deleting old rows
//! cannot make anything run again: the watermark guards, not the row.

use jiff::Timestamp;

use crate::error::StoreError;
use crate::store::Store;

/// What one batch deleted. Zeros throughout mean that nothing is left to delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Purged {
    /// Runs.
    pub runs: u64,
    /// Outputs, each of one life.
    pub outputs: u64,
    /// Lapses.
    pub lapses: u64,
}

impl Store {
    /// Deletes ended runs due before `before` with their output, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn purge_runs(&self, before: Timestamp, limit: u32) -> Result<Purged, StoreError> {
        later(before, limit, ())
    }

    /// Deletes output of ended lives that began before `before`, at most `limit` lives.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn purge_outputs(&self, before: Timestamp, limit: u32) -> Result<Purged, StoreError> {
        later(before, limit, ())
    }

    /// Deletes lapses that end before `before`, at most `limit`, and idempotency keys of that age.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn purge_lapses(&self, before: Timestamp, limit: u32) -> Result<Purged, StoreError> {
        later(before, limit, ())
    }
}

fn later<A, B, C, T>(_: A, _: B, _: C) -> Result<T, StoreError> {
    Err(StoreError::corrupt("function", "not written yet"))
}
