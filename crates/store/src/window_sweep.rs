//! What a changed window means for runs that were planned before: a bounded look ahead, and taking back what is held now.

use cronfleet_core::id::{GroupId, JobId, RunId};
use jiff::Timestamp;

use crate::again::transaction;
use crate::error::StoreError;
use crate::lease::Lease;
use crate::run_state::{BATCH, HEAD_COLUMNS, RunHead, id_floor, read_head};
use crate::sql::Sql;
use crate::store::Store;
use crate::withdraw::{Withdrawal, Withdrawn, withdraw};

/// A run of the schedule that is planned and, as far as is known, not started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunAhead {
    /// Run.
    pub run: RunId,
    /// Job.
    pub job: JobId,
    /// Owning group.
    pub group: GroupId,
    /// Due instant.
    pub due: Timestamp,
}

impl Store {
    /// First attempts of the schedule due after `from` that are not known to have started, by id, behind `after`. Planning goes
    /// a few seconds ahead, so there are not more of them than become due in that time.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn runs_ahead(
        &self,
        from: Timestamp,
        after: Option<RunId>,
        limit: u32,
    ) -> Result<Vec<RunAhead>, StoreError> {
        Sql::new("SELECT id, job_id, group_id, due FROM runs WHERE id >= ?")
            .bind(id_floor(from))
            .with(" AND due > ?", from)
            .with_some(" AND id > ?", after)
            .text(" AND state IN ('planned', 'dispatched', 'accepted') AND cause = 'schedule' AND attempt = 1")
            .with(" ORDER BY id LIMIT ?", limit)
            .all(self.reader(), |row| {
                Ok(RunAhead {
                    run: row.next()?,
                    job: row.next()?,
                    group: row.next()?,
                    due: row.next()?,
                })
            })
            .await
    }

    /// Takes back runs that windows hold, if the lease's term goes on and no window has changed since version `windows`: those
    /// never sent end as skipped, those that start after `now` are to be asked back from their agents.
    ///
    /// # Errors
    /// [`Conflict::StaleLease`](crate::Conflict::StaleLease), [`Conflict::StaleWindows`](crate::Conflict::StaleWindows),
    /// [`StoreError::Unavailable`].
    pub async fn freeze_runs(
        &self,
        lease: &Lease,
        windows: u64,
        runs: &[RunId],
        now: Timestamp,
    ) -> Result<Withdrawn, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            lease.fence_with(&tx, windows).await?;
            let mut heads: Vec<RunHead> = Vec::with_capacity(runs.len());
            for batch in runs.chunks(BATCH) {
                let found = Sql::new(format!("SELECT {HEAD_COLUMNS} FROM runs WHERE "))
                    .one_of("id", batch.iter().copied())
                    .text(tx.engine.for_update())
                    .all(&*tx, read_head)
                    .await?;
                heads.extend(found);
            }
            let withdrawn = withdraw(&tx, &heads, Withdrawal::Frozen, now).await?;
            tx.commit().await?;
            Ok(withdrawn)
        })
    }
}
