//! Snooze: a job rests until an instant, by itself goes on then, and what is due meanwhile is skipped.
//!
//! What was planned ahead for that time ends as skipped; what agents hold of it is asked back. The watermark stays: unlike a
//! pause, a snooze leaves every due instant on record.

use cronfleet_core::id::{JobId, UserId};
use cronfleet_core::run::Reason;
use cronfleet_core::window::Snooze;
use jiff::Timestamp;

use crate::again::transaction;
use crate::error::StoreError;
use crate::job_edit::{JobEdited, lock_job, want_again};
use crate::run_state::{RunHead, active_of_jobs};
use crate::sql::{Row, Sql};
use crate::store::Store;
use crate::withdraw::{Withdrawal, Withdrawn, withdraw};

/// A job's snooze.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnoozeRow {
    /// Since when and until when.
    pub snooze: Snooze,
    /// Login of who asked for it; empty if the user is gone.
    pub by: String,
}

impl Store {
    /// Snoozes a job until an instant, in place of the snooze that it may have.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`Conflict::PlanningBehind`](crate::Conflict::PlanningBehind).
    pub async fn snooze_job(
        &self,
        job: JobId,
        until: Timestamp,
        by: UserId,
        now: Timestamp,
    ) -> Result<JobEdited, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let head = lock_job(&tx, job).await?;
            head.expect_planned(now)?;
            Sql::new("UPDATE jobs SET held_until = NULL")
                .with(", snoozed_until = ?", until)
                .with(", snoozed_at = ?", now)
                .with(", snoozed_by = ?", by)
                .with(" WHERE id = ?", job)
                .execute(&*tx)
                .await?;
            let heads: Vec<RunHead> = active_of_jobs(&tx, &[job])
                .await?
                .into_iter()
                .filter(|head| head.not_before < until)
                .collect();
            let Withdrawn { revoke, moved } =
                withdraw(&tx, &heads, Withdrawal::Snoozed, now).await?;
            tx.commit().await?;
            Ok(JobEdited {
                version: head.version,
                revoke,
                moved,
            })
        })
    }

    /// Ends a job's snooze. What agents have not given back yet is wanted again; what has ended as skipped stays so. Ending the
    /// snooze of a job that has none changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`Conflict::PlanningBehind`](crate::Conflict::PlanningBehind).
    pub async fn end_snooze(&self, job: JobId, now: Timestamp) -> Result<JobEdited, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let head = lock_job(&tx, job).await?;
            let ended = Sql::new(
                "UPDATE jobs SET held_until = NULL, snoozed_until = NULL, snoozed_at = NULL, snoozed_by = NULL \
                 WHERE id = ? AND snoozed_until IS NOT NULL",
            )
            .bind(job)
            .execute(&*tx)
            .await?;
            if ended == 1 {
                head.expect_planned(now)?;
                want_again(&tx, &[job], Reason::Snoozed).await?;
            }
            tx.commit().await?;
            Ok(JobEdited::unchanged(head.version))
        })
    }
}

/// Reads the columns `snoozed_at, snoozed_until`.
pub(crate) fn read_snooze(row: &mut Row) -> Result<Option<Snooze>, StoreError> {
    let (since, until) = (row.maybe()?, row.maybe()?);
    Ok(since
        .zip(until)
        .map(|(since, until)| Snooze { since, until }))
}

/// Reads the same and the login of who asked for it.
pub(crate) fn read_snooze_row(row: &mut Row) -> Result<Option<SnoozeRow>, StoreError> {
    let snooze = read_snooze(row)?;
    let by = row.maybe()?.unwrap_or_default();
    Ok(snooze.map(|snooze| SnoozeRow { snooze, by }))
}
