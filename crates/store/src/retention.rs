//! Retention: deleting what is old enough, in batches. Nothing that has not ended is ever deleted, and deleting old rows
//! cannot make anything run again: the watermark guards, not the row.

use cronfleet_core::id::{JobId, LifeId, RunId};
use jiff::Timestamp;

use crate::again::transaction;
use crate::error::StoreError;
use crate::output_row::delete_outputs;
use crate::run_state::{BATCH, id_ceiling};
use crate::sql::{Row, Sql};
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
        transaction!({
            let tx = self.begin().await?;
            let old: Vec<RunId> =
                Sql::new("SELECT id FROM runs WHERE id < ? AND active_agent IS NULL AND due < ?")
                    .bind(id_ceiling(before))
                    .bind(before)
                    .with(" ORDER BY id LIMIT ?", limit)
                    .all(&*tx, Row::next)
                    .await?;
            let lives: Vec<LifeId> = old.iter().copied().map(LifeId::from).collect();
            let mut purged = Purged {
                outputs: delete_outputs(&tx, &lives).await?,
                ..Purged::default()
            };
            for batch in old.chunks(BATCH) {
                purged.runs += Sql::new("DELETE FROM runs WHERE ")
                    .one_of("id", batch.iter().copied())
                    .execute(&*tx)
                    .await?;
            }
            tx.commit().await?;
            Ok(purged)
        })
    }

    /// Deletes output of ended lives that began before `before`, at most `limit` lives.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn purge_outputs(&self, before: Timestamp, limit: u32) -> Result<Purged, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let old: Vec<LifeId> = Sql::new(
            "SELECT o.life_id FROM outputs o WHERE o.created_at < ? \
             AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = o.life_id AND r.active_agent IS NOT NULL) \
             AND NOT EXISTS (SELECT 1 FROM processes p WHERE p.id = o.life_id AND p.ended_at IS NULL) \
             ORDER BY o.created_at LIMIT ?",
        )
        .bind(before)
        .bind(limit)
        .all(&*tx, Row::next)
        .await?;
            let outputs = delete_outputs(&tx, &old).await?;
            tx.commit().await?;
            Ok(Purged {
                outputs,
                ..Purged::default()
            })
        })
    }

    /// Deletes lapses that end before `before`, at most `limit`, and what else explains only what is older: idempotency keys,
    /// pauses and windows that were over, and terms of planning that another one had followed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn purge_lapses(&self, before: Timestamp, limit: u32) -> Result<Purged, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let old: Vec<(JobId, Timestamp)> = Sql::new(
            "SELECT job_id, due_from FROM lapses WHERE due_from < ? AND due_to < ? ORDER BY due_from LIMIT ?",
        )
        .bind(before)
        .bind(before)
        .bind(limit)
        .all(&*tx, |row| Ok((row.next()?, row.next()?)))
        .await?;
            for (job, due_from) in &old {
                Sql::new("DELETE FROM lapses WHERE job_id = ? AND due_from = ? AND due_to < ?")
                    .bind(*job)
                    .bind(*due_from)
                    .bind(before)
                    .execute(&*tx)
                    .await?;
            }
            Sql::new("DELETE FROM triggers WHERE due < ?")
                .bind(before)
                .execute(&*tx)
                .await?;
            Sql::new("DELETE FROM pauses WHERE resumed_at < ?")
                .bind(before)
                .execute(&*tx)
                .await?;
            Sql::new("DELETE FROM windows WHERE ends_at < ?")
                .bind(before)
                .execute(&*tx)
                .await?;
            let terms: Vec<(u32, u64)> =
                Sql::new("SELECT shard, MAX(epoch) FROM terms WHERE began_at < ? GROUP BY shard")
                    .bind(before)
                    .all(&*tx, |row| Ok((row.next()?, row.next()?)))
                    .await?;
            for (shard, last) in terms {
                Sql::new("DELETE FROM terms WHERE shard = ? AND epoch < ?")
                    .bind(shard)
                    .bind(last)
                    .execute(&*tx)
                    .await?;
            }
            tx.commit().await?;
            Ok(Purged {
                lapses: old.len() as u64,
                ..Purged::default()
            })
        })
    }
}
