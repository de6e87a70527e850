//! Editing, pausing, resuming and deleting jobs: what happens to runs that are planned or with their agents already.
//!
//! One rule for all. Let `t` be the moment of the edit. Scheduled runs that were never sent and are due after `t` are
//! deleted; those that an agent may have and that start after `t` are asked back (the reason is stored in the row until the
//! agent has answered); the watermark becomes `t`, so that planning begins anew there. A run that was due before `t` and waits by
//! its job's jitter is withdrawn by a pause; a new version leaves it alone, for it has no run of that due instant. What an agent started all the same
//! stands: the planner then records the new version's run of that due instant as `skipped(superseded)`.

use std::collections::{BTreeSet, HashMap};

use cronfleet_core::id::{GroupId, JobId, UserId};
use cronfleet_core::job::{JobSpec, Target};
use cronfleet_core::run::Reason;
use jiff::Timestamp;

use crate::again::transaction;
use crate::error::{Conflict, StoreError, Thing};
use crate::job::{NewVersion, Timing, insert_versions};
use crate::job_list::JobKindWord;
use crate::run::RunMoved;
use crate::run_state::{BATCH, active_of_jobs};
use crate::sql::{Row, Sql};
use crate::store::{Store, Tx};
use crate::why::{begin_pauses, end_pauses};
use crate::withdraw::{Revocation, Withdrawal, Withdrawn, withdraw};

/// What an edit did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobEdited {
    /// Version now in force.
    pub version: u32,
    /// Runs to ask back from their agents.
    pub revoke: Vec<Revocation>,
    /// Runs that ended.
    pub moved: Vec<RunMoved>,
}

impl Store {
    /// Saves a new version of a job.
    ///
    /// # Errors
    /// [`StoreError::Missing`]; [`Conflict::StaleVersion`] unless `expected_version` is in force;
    /// [`Conflict::JobNameTaken`]; [`Conflict::PlanningBehind`].
    pub async fn replace_job(
        &self,
        job: JobId,
        expected_version: u32,
        spec: &JobSpec,
        timing: Timing,
        author: UserId,
        now: Timestamp,
    ) -> Result<JobEdited, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let head = lock_job(&tx, job).await?;
            head.expect_version(expected_version)?;
            head.expect_planned(now)?;
            let version = head.version + 1;
            let next_due = if head.is_paused {
                None
            } else {
                timing.next_due
            };
            Sql::new("UPDATE jobs SET name = ?, name_key = ?, kind = ?, version = ?, is_target_all = ?, processes = ?")
            .bind(spec.name.as_str())
            .bind(spec.name.as_str())
            .bind(JobKindWord::of(&spec.kind))
            .bind(version)
            .bind(spec.target == Target::All)
            .bind(spec.processes)
            .with(", is_reboot = ?", timing.is_reboot)
            .with(", held_until = NULL, watermark = ?", now)
            .with(", next_due = ?", next_due)
            .with(" WHERE id = ?", job)
            .execute(&*tx)
            .await
            .map_err(|error| error.or_taken(Conflict::JobNameTaken))?;
            let new = NewVersion {
                job,
                version,
                spec,
                author,
            };
            insert_versions(&tx, &[new], now).await?;
            finish(tx, job, version, Withdrawal::Superseded, now).await
        })
    }

    /// Pauses a job: nothing more becomes due. Pausing a paused job changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`Conflict::PlanningBehind`].
    pub async fn pause_job(&self, job: JobId, now: Timestamp) -> Result<JobEdited, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let head = lock_job(&tx, job).await?;
            if head.is_paused {
                return Ok(JobEdited::unchanged(head.version));
            }
            head.expect_planned(now)?;
            Sql::new("UPDATE jobs SET is_paused = 1, next_due = NULL, watermark = ? WHERE id = ?")
                .bind(now)
                .bind(job)
                .execute(&*tx)
                .await?;
            begin_pauses(&tx, &[job], now).await?;
            finish(tx, job, head.version, Withdrawal::Paused, now).await
        })
    }

    /// Resumes a job from `now` on: what would have been due meanwhile never was. Resuming a job that is not paused changes
    /// nothing. `timing` must be of `expected_version`.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`Conflict::StaleVersion`].
    pub async fn resume_job(
        &self,
        job: JobId,
        expected_version: u32,
        timing: Timing,
        now: Timestamp,
    ) -> Result<JobEdited, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let head = lock_job(&tx, job).await?;
            head.expect_version(expected_version)?;
            let edited = JobEdited::unchanged(head.version);
            if !head.is_paused {
                return Ok(edited);
            }
            Sql::new("UPDATE jobs SET is_paused = 0, held_until = NULL, next_due = ?, watermark = ? WHERE id = ?")
                .bind(timing.next_due)
                .bind(now)
                .bind(job)
                .execute(&*tx)
                .await?;
            end_pauses(&tx, &[job], now).await?;
            want_again(&tx, &[job], Reason::Paused).await?;
            tx.commit().await?;
            Ok(edited)
        })
    }

    /// Deletes a job: its name is free again, its runs stay. Runs never sent end `skipped(deleted)`.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`Conflict::PlanningBehind`].
    pub async fn delete_job(&self, job: JobId, now: Timestamp) -> Result<JobEdited, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let head = lock_job(&tx, job).await?;
            head.expect_planned(now)?;
            mark_deleted(&tx, &[job], now).await?;
            finish(tx, job, head.version, Withdrawal::Deleted, now).await
        })
    }
}

impl JobEdited {
    pub(crate) fn unchanged(version: u32) -> Self {
        Self {
            version,
            ..Self::default()
        }
    }
}

/// What decides about a job.
pub(crate) struct JobHead {
    pub(crate) group: GroupId,
    pub(crate) version: u32,
    pub(crate) is_paused: bool,
    watermark: Timestamp,
    next_due: Option<Timestamp>,
}

/// The columns that [`read_job_head`] reads, of table `jobs`.
const JOB_HEAD_COLUMNS: &str = "group_id, version, is_paused, watermark, next_due";

fn read_job_head(row: &mut Row) -> Result<JobHead, StoreError> {
    Ok(JobHead {
        group: row.next()?,
        version: row.next()?,
        is_paused: row.next()?,
        watermark: row.next()?,
        next_due: row.maybe()?,
    })
}

impl JobHead {
    pub(crate) fn expect_version(&self, expected: u32) -> Result<(), Conflict> {
        if self.version == expected {
            Ok(())
        } else {
            Err(Conflict::StaleVersion {
                current: self.version,
            })
        }
    }

    /// Refuses to move the watermark over due instants that nobody has decided: they would vanish.
    pub(crate) fn expect_planned(&self, t: Timestamp) -> Result<(), Conflict> {
        let is_behind = self.watermark < t && self.next_due.is_some_and(|due| due <= t);
        if is_behind {
            Err(Conflict::PlanningBehind)
        } else {
            Ok(())
        }
    }
}

/// A job that is not deleted; it stays as it is until the end of the transaction.
pub(crate) async fn lock_job(tx: &Tx, job: JobId) -> Result<JobHead, StoreError> {
    let sql = format!("SELECT {JOB_HEAD_COLUMNS} FROM jobs WHERE id = ? AND is_deleted = 0");
    Sql::new(sql)
        .bind(job)
        .text(tx.engine.for_update())
        .one(&**tx, read_job_head)
        .await?
        .ok_or(StoreError::Missing { what: Thing::Job })
}

/// Those of the jobs that are not deleted; they stay as they are until the end of the transaction. Locked in the order of their
/// ids, so that two who lock many do not wait for each other.
pub(crate) async fn lock_jobs(
    tx: &Tx,
    jobs: impl IntoIterator<Item = JobId>,
) -> Result<HashMap<JobId, JobHead>, StoreError> {
    let jobs: Vec<JobId> = jobs
        .into_iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let mut heads = HashMap::with_capacity(jobs.len());
    for batch in jobs.chunks(BATCH) {
        let sql = format!("SELECT id, {JOB_HEAD_COLUMNS} FROM jobs WHERE is_deleted = 0");
        let found = Sql::new(sql)
            .and_in("id", batch.iter().copied())
            .text(" ORDER BY id")
            .text(tx.engine.for_update())
            .all(&**tx, |row| Ok((row.next::<JobId>()?, read_job_head(row)?)))
            .await?;
        heads.extend(found);
    }
    Ok(heads)
}

/// Marks jobs as deleted; their names are free again.
pub(crate) async fn mark_deleted(
    tx: &Tx,
    jobs: &[JobId],
    now: Timestamp,
) -> Result<(), StoreError> {
    for batch in jobs.chunks(BATCH) {
        Sql::new("UPDATE jobs SET is_deleted = 1, name_key = NULL, next_due = NULL, calendar_id = NULL, calendar_version = NULL, watermark = ? WHERE ")
            .bind(now)
            .one_of("id", batch.iter().copied())
            .execute(&**tx)
            .await?;
    }
    Ok(())
}

/// Wants again what was asked back for this reason, as far as it has not been given back yet.
pub(crate) async fn want_again(tx: &Tx, jobs: &[JobId], reason: Reason) -> Result<(), StoreError> {
    let index = tx.engine.index("runs_active");
    for batch in jobs.chunks(BATCH) {
        Sql::new(format!("UPDATE runs{index} SET revoke_reason = NULL"))
            .with(
                " WHERE active_agent IS NOT NULL AND revoke_reason = ?",
                reason,
            )
            .and_in("job_id", batch.iter().copied())
            .execute(&**tx)
            .await?;
    }
    Ok(())
}

async fn finish(
    tx: Tx,
    job: JobId,
    version: u32,
    withdrawal: Withdrawal,
    t: Timestamp,
) -> Result<JobEdited, StoreError> {
    let heads = active_of_jobs(&tx, &[job]).await?;
    let Withdrawn { revoke, moved } = withdraw(&tx, &heads, withdrawal, t).await?;
    tx.commit().await?;
    Ok(JobEdited {
        version,
        revoke,
        moved,
    })
}
