//! Jobs and their versions: creating and reading.

use cronfleet_core::access::Reach;
use cronfleet_core::id::{GroupId, JobId, UserId};
use cronfleet_core::job::{JobSpec, Target};
use jiff::Timestamp;

use crate::again::transaction;
use crate::error::{Conflict, StoreError};
use crate::group::lock_group;
use crate::job_list::JobKindWord;
use crate::page::Page;
use crate::run_state::BATCH;
use crate::spec::{from_json, to_json};
use crate::sql::{Row, Sql};
use crate::store::{Store, Tx};
use crate::why::begin_pause;

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
            let next_due = if job.is_paused {
                None
            } else {
                job.timing.next_due
            };
            Sql::new(
            "INSERT INTO jobs (id, group_id, name, name_key, kind, version, is_paused, is_deleted, is_target_all, \
             processes, is_reboot, shard, watermark, next_due, created_at) \
             VALUES (?, ?, ?, ?, ?, 1, ?, 0, ?, ?, ?, 0, ?, ?, ?)",
        )
        .bind(job.id)
        .bind(job.group)
        .bind(job.spec.name.as_str())
        .bind(job.spec.name.as_str())
        .bind(JobKindWord::of(&job.spec.kind))
        .bind(job.is_paused)
        .bind(job.spec.target == Target::All)
        .bind(job.spec.processes)
        .bind(job.timing.is_reboot)
        .bind(now)
        .bind(next_due)
        .bind(now)
        .execute(&*tx)
.await
        .map_err(|error| error.or_taken(Conflict::JobNameTaken))?;
            insert_version(&tx, job.id, 1, &job.spec, job.author, now).await?;
            if job.is_paused {
                begin_pause(&tx, job.id, now).await?;
            }
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

/// Stores a version, and the chosen agents in the form that queries can join.
pub(crate) async fn insert_version(
    tx: &Tx,
    job: JobId,
    version: u32,
    spec: &JobSpec,
    author: UserId,
    now: Timestamp,
) -> Result<(), StoreError> {
    Sql::new("INSERT INTO job_versions (job_id, version, spec, author_id, created_at) VALUES (?, ?, ?, ?, ?)")
        .bind(job)
        .bind(version)
        .bind(to_json(spec)?)
        .bind(author)
        .bind(now)
        .execute(&**tx)
        .await?;
    Sql::new("DELETE FROM job_targets WHERE job_id = ?")
        .bind(job)
        .execute(&**tx)
        .await?;
    let Target::Agents(agents) = &spec.target else {
        return Ok(());
    };
    for batch in agents.chunks(BATCH) {
        let mut sql =
            Sql::new("INSERT INTO job_targets (job_id, agent_id) VALUES ").tuples(batch.len(), 2);
        for &agent in batch {
            sql = sql.bind(job).bind(agent);
        }
        sql.text(&tx.engine.or_ignore("job_id"))
            .execute(&**tx)
            .await?;
    }
    Ok(())
}
