//! Jobs and their versions: creating and reading.

use cronfleet_core::access::Reach;
use cronfleet_core::id::{AgentId, GroupId, JobId, UserId};
use cronfleet_core::job::{JobSpec, Target};
use jiff::Timestamp;

use crate::again::transaction;
use crate::calendar::follow;
use crate::error::{Conflict, StoreError};
use crate::group::lock_group;
use crate::job_list::JobKindWord;
use crate::page::Page;
use crate::run_state::BATCH;
use crate::spec::{from_json, to_json};
use crate::sql::{Row, Sql};
use crate::store::{Store, Tx};
use crate::why::begin_pauses;

/// Bytes of definitions in one statement.
const STATEMENT_BYTES_MAX: usize = 1 << 20;

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
    /// [`Conflict::JobNameTaken`], [`StoreError::Missing`] if the group does not exist.
    pub async fn create_job(&self, job: &NewJob, now: Timestamp) -> Result<(), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            lock_group(&tx, job.group).await?;
            insert_jobs(&tx, std::slice::from_ref(job), now)
                .await
                .map_err(|error| error.or_taken(Conflict::JobNameTaken))?;
            tx.commit().await
        })
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
    ) -> Result<Page<JobVersionRow, u32>, StoreError> {
        let rows = select_versions(job, reach)
            .with_some(" AND v.version < ?", before)
            .with(" ORDER BY v.version DESC LIMIT ?", limit + 1)
            .all(self.reader(), read_version)
            .await?;
        Ok(Page::cut(rows, limit, |version| version.version))
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
        select_versions(job, reach)
            .with(" AND v.version = ?", version)
            .one(self.reader(), read_version)
            .await
    }
}

fn select_versions(job: JobId, reach: &Reach) -> Sql {
    Sql::new(
        "SELECT v.version, v.spec, u.login, v.created_at FROM job_versions v JOIN jobs j ON j.id = v.job_id \
         LEFT JOIN users u ON u.id = v.author_id WHERE v.job_id = ?",
    )
    .bind(job)
    .and_reach("j.group_id", reach)
}

fn read_version(row: &mut Row) -> Result<JobVersionRow, StoreError> {
    Ok(JobVersionRow {
        version: row.next()?,
        spec: from_json(&row.next::<String>()?)?,
        author: row.maybe()?.unwrap_or_default(),
        created_at: row.next()?,
    })
}

/// Inserts jobs with their first versions, their watermarks at `now`.
pub(crate) async fn insert_jobs(
    tx: &Tx,
    jobs: &[NewJob],
    now: Timestamp,
) -> Result<(), StoreError> {
    for batch in jobs.chunks(BATCH) {
        let sql = Sql::new(
            "INSERT INTO jobs (id, group_id, name, name_key, kind, version, is_paused, is_deleted, is_target_all, \
             processes, is_reboot, shard, watermark, next_due, created_at) VALUES ",
        )
        .tuples(batch.len(), 15);
        let sql = batch.iter().fold(sql, |sql, job| {
            let next_due = job.timing.next_due.filter(|_| !job.is_paused);
            sql.bind(job.id)
                .bind(job.group)
                .bind(job.spec.name.as_str())
                .bind(job.spec.name.as_str())
                .bind(JobKindWord::of(&job.spec.kind))
                .bind(1_u32)
                .bind(job.is_paused)
                .bind(false)
                .bind(job.spec.target == Target::All)
                .bind(job.spec.processes)
                .bind(job.timing.is_reboot)
                .bind(0_u32)
                .bind(now)
                .bind(next_due)
                .bind(now)
        });
        sql.execute(&**tx).await?;
    }
    let versions: Vec<NewVersion<'_>> = jobs
        .iter()
        .map(|job| NewVersion {
            job: job.id,
            version: 1,
            spec: &job.spec,
            author: job.author,
        })
        .collect();
    insert_versions(tx, &versions, now).await?;
    let paused: Vec<JobId> = jobs
        .iter()
        .filter(|job| job.is_paused)
        .map(|job| job.id)
        .collect();
    begin_pauses(tx, &paused, now).await
}

/// A version to store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewVersion<'a> {
    pub(crate) job: JobId,
    pub(crate) version: u32,
    pub(crate) spec: &'a JobSpec,
    pub(crate) author: UserId,
}

/// Stores versions of different jobs, and their chosen agents in the form that queries can join.
pub(crate) async fn insert_versions(
    tx: &Tx,
    versions: &[NewVersion<'_>],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(versions.len());
    for version in versions {
        rows.push((version, to_json(version.spec)?));
    }
    for batch in batches(&rows, |(_, text)| text.len()) {
        let sql = Sql::new(
            "INSERT INTO job_versions (job_id, version, spec, author_id, created_at) VALUES ",
        )
        .tuples(batch.len(), 5);
        let sql = batch.iter().fold(sql, |sql, (version, text)| {
            sql.bind(version.job)
                .bind(version.version)
                .bind(text.as_str())
                .bind(version.author)
                .bind(now)
        });
        sql.execute(&**tx).await?;
    }
    put_targets(tx, versions).await?;
    follow(tx, versions).await
}

async fn put_targets(tx: &Tx, versions: &[NewVersion<'_>]) -> Result<(), StoreError> {
    let mut targets: Vec<(JobId, AgentId)> = Vec::new();
    for batch in versions.chunks(BATCH) {
        Sql::new("DELETE FROM job_targets WHERE ")
            .one_of("job_id", batch.iter().map(|version| version.job))
            .execute(&**tx)
            .await?;
        for version in batch {
            if let Target::Agents(agents) = &version.spec.target {
                targets.extend(agents.iter().map(|agent| (version.job, *agent)));
            }
        }
    }
    for batch in targets.chunks(BATCH) {
        let sql =
            Sql::new("INSERT INTO job_targets (job_id, agent_id) VALUES ").tuples(batch.len(), 2);
        batch
            .iter()
            .fold(sql, |sql, (job, agent)| sql.bind(*job).bind(*agent))
            .text(&tx.engine.or_ignore("job_id"))
            .execute(&**tx)
            .await?;
    }
    Ok(())
}

/// Cuts rows into batches that one statement can carry: servers refuse statements of many megabytes.
fn batches<T>(rows: &[T], bytes: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let mut batches = Vec::new();
    let mut rest = rows;
    while !rest.is_empty() {
        let mut sum = 0;
        let fitting = rest.iter().take(BATCH).take_while(|row| {
            sum += bytes(row);
            sum <= STATEMENT_BYTES_MAX
        });
        // One that is larger by itself goes alone.
        let (batch, after) = rest.split_at(fitting.count().max(1));
        batches.push(batch);
        rest = after;
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_have_few_rows_and_few_bytes() {
        let cut = |sizes: &[usize]| -> Vec<usize> {
            let batches = batches(sizes, |size| *size);
            assert_eq!(batches.concat(), sizes, "nothing is left out");
            batches.iter().map(|batch| batch.len()).collect()
        };
        let most = STATEMENT_BYTES_MAX;
        assert_eq!(cut(&[]), Vec::<usize>::new());
        assert_eq!(cut(&[1; 2 * BATCH + 1]), [BATCH, BATCH, 1]);
        assert_eq!(cut(&[most, 1, most - 1, 1]), [1, 2, 1]);
        assert_eq!(cut(&[most + 1, most + 1]), [1, 1]);
    }
}
