//! Why: what is on record about a stretch of a job's time, and the job's history in it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cronfleet_core::access::Reach;
use cronfleet_core::id::{JobId, RunId};
use cronfleet_core::job::JobSpec;
use cronfleet_core::plan::{earlier, later};
use cronfleet_core::why::Pause;
use jiff::Timestamp;
use uuid::Uuid;

use crate::error::StoreError;
use crate::lapse::{LapseRow, SELECT_LAPSES, read_lapse_row};
use crate::page::TimeKey;
use crate::run::{RunRow, rows_of};
use crate::run_state::{BATCH, id_ceiling, id_floor};
use crate::spec::from_json;
use crate::sql::{Row, Sql};
use crate::store::{Store, Tx};

/// The center of a term of planning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermHolder {
    /// Its id.
    pub id: String,
    /// Name of its machine, if that is known.
    pub name: Option<String>,
}

/// A version as it was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhyVersion {
    /// Number, from 1.
    pub number: u32,
    /// When it was saved.
    pub since: Timestamp,
    /// Definition; `None` if it cannot be read.
    pub spec: Option<JobSpec>,
}

/// What is on record about a stretch of a job's time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhyPage {
    /// Runs of the schedule and their retries, by due instant.
    pub runs: Vec<RunRow>,
    /// Runs that people and restarts of hosts asked for, by due instant; of more than 500 the first.
    pub others: Vec<RunRow>,
    /// Lapses that lie at least partly in here, by due instant.
    pub lapses: Vec<LapseRow>,
    /// Versions in force, oldest first.
    pub versions: Vec<WhyVersion>,
    /// Pauses, oldest first.
    pub pauses: Vec<Pause>,
    /// Centers by the terms in which they planned.
    pub holders: BTreeMap<u64, TermHolder>,
    /// Every due instant up to here is decided.
    pub watermark: Timestamp,
    /// Whether the job is deleted; since when, its watermark tells.
    pub is_deleted: bool,
    /// The page begins after this moment.
    pub after: Timestamp,
    /// The page ends with this moment.
    pub until: Timestamp,
    /// Where the next page goes on: the end of this one, and the last run if that moment has more of them.
    pub next: Option<TimeKey>,
}

/// Versions, pauses and lapses that one page takes into account; where there are more, it ends before them.
const ROWS_MAX: usize = 500;

/// The smallest step between two moments on record.
const STEP: Duration = Duration::from_micros(1);

impl Store {
    /// What is on record about a job within reach, deleted ones too, from `from` until just before `to`. `seen` is where the
    /// page before ended, and `limit` the most runs of one. `None` if there is no such job.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn why(
        &self,
        reach: &Reach,
        job: JobId,
        (from, to): (Timestamp, Timestamp),
        seen: Option<TimeKey>,
        limit: u32,
    ) -> Result<Option<WhyPage>, StoreError> {
        let head = Sql::new("SELECT shard, watermark, is_deleted FROM jobs WHERE id = ?")
            .bind(job)
            .and_reach("group_id", reach)
            .one(self.reader(), |row| {
                Ok((row.next::<u32>()?, row.next::<Timestamp>()?, row.next()?))
            })
            .await?;
        let Some((shard, watermark, is_deleted)) = head else {
            return Ok(None);
        };
        let end = earlier(to, STEP);
        let after = seen.as_ref().map_or(earlier(from, STEP), |seen| seen.at);
        let seen_run = seen.map(|seen| seen.id).filter(|id| !id.is_nil());
        let first = if seen_run.is_some() {
            after
        } else {
            later(after, STEP)
        };
        let mut runs = self
            .why_runs(
                reach,
                job,
                "trigger_key = ''",
                (first, end),
                seen_run,
                limit + 1,
            )
            .await?;
        let has_more = runs.len() > limit as usize;
        runs.truncate(limit as usize);
        let last = runs.last().filter(|_| has_more);
        let mut until = last.map_or(end, |run| run.due);
        let versions = self.why_versions(job, first, until).await?;
        until = cut(&versions, until, |version| version.since);
        let lapses = self.why_lapses(job, first, until).await?;
        until = cut(&lapses, until, |row| row.lapse.due_from);
        let pauses = self.why_pauses(job, first, until).await?;
        until = cut(&pauses, until, |pause| pause.from);
        runs.retain(|run| run.due <= until);
        let next = match runs.last().filter(|run| has_more && run.due == until) {
            Some(run) => Some(TimeKey {
                at: until,
                id: run.id.as_uuid(),
            }),
            None => (until < end).then_some(TimeKey {
                at: until,
                id: Uuid::nil(),
            }),
        };
        let others = self
            .why_runs(
                reach,
                job,
                "trigger_key <> ''",
                (later(after, STEP), until),
                None,
                ROWS_MAX as u32,
            )
            .await?;
        let epochs = runs
            .iter()
            .map(|run| run.epoch)
            .chain(lapses.iter().map(|row| row.decision.epoch))
            .flatten()
            .collect();
        Ok(Some(WhyPage {
            holders: self.holders(shard, epochs).await?,
            runs,
            others,
            lapses,
            versions,
            pauses,
            watermark,
            is_deleted,
            after,
            until,
            next,
        }))
    }

    /// Runs with due instants from `first` to `last`, oldest first, behind the run `seen`.
    async fn why_runs(
        &self,
        reach: &Reach,
        job: JobId,
        condition: &str,
        (first, last): (Timestamp, Timestamp),
        seen: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<RunRow>, StoreError> {
        let index = self.engine().index("runs_job");
        let ids: Vec<RunId> = Sql::new(format!("SELECT id FROM runs{index} WHERE {condition}"))
            .with(" AND job_id = ?", job)
            .with(" AND id >= ?", id_floor(first))
            .with(" AND id < ?", id_ceiling(last))
            .with(" AND due >= ?", first)
            .with(" AND due <= ?", last)
            .with_some(" AND id > ?", seen)
            .with(" ORDER BY id LIMIT ?", limit)
            .all(self.reader(), Row::next)
            .await?;
        let mut rows = Vec::with_capacity(ids.len());
        for batch in ids.chunks(BATCH) {
            rows.extend(rows_of(self.reader(), reach, batch).await?);
        }
        rows.sort_unstable_by_key(|run| run.id);
        Ok(rows)
    }

    /// Versions in force from `first` to `last`, oldest first.
    async fn why_versions(
        &self,
        job: JobId,
        first: Timestamp,
        last: Timestamp,
    ) -> Result<Vec<WhyVersion>, StoreError> {
        Sql::new("SELECT v.version, v.created_at, v.spec FROM job_versions v WHERE v.job_id = ?")
            .bind(job)
            .with(" AND v.created_at <= ?", last)
            .text(" AND NOT EXISTS (SELECT 1 FROM job_versions n WHERE n.job_id = v.job_id AND n.version = v.version + 1")
            .with(" AND n.created_at < ?)", first)
            .with(" ORDER BY v.version LIMIT ?", ROWS_MAX as u32 + 1)
            .all(self.reader(), |row| {
                Ok(WhyVersion {
                    number: row.next()?,
                    since: row.next()?,
                    spec: from_json(&row.next::<String>()?).ok(),
                })
            })
            .await
    }

    /// Lapses that lie at least partly between `first` and `last`, oldest first. No two of a job overlap.
    async fn why_lapses(
        &self,
        job: JobId,
        first: Timestamp,
        last: Timestamp,
    ) -> Result<Vec<LapseRow>, StoreError> {
        Sql::new(format!("{SELECT_LAPSES} WHERE l.job_id = ?"))
            .bind(job)
            .with(" AND l.due_to >= ?", first)
            .with(" AND l.due_from <= ?", last)
            .with(
                " AND l.due_from >= COALESCE((SELECT MAX(o.due_from) FROM lapses o WHERE o.job_id = ?",
                job,
            )
            .with(" AND o.due_from <= ?), 0)", first)
            .with(" ORDER BY l.due_from LIMIT ?", ROWS_MAX as u32 + 1)
            .all(self.reader(), read_lapse_row)
            .await
    }

    async fn why_pauses(
        &self,
        job: JobId,
        first: Timestamp,
        last: Timestamp,
    ) -> Result<Vec<Pause>, StoreError> {
        Sql::new("SELECT paused_at, resumed_at FROM pauses WHERE job_id = ?")
            .bind(job)
            .with(" AND paused_at <= ?", last)
            .with(" AND (resumed_at IS NULL OR resumed_at >= ?)", first)
            .with(" ORDER BY paused_at LIMIT ?", ROWS_MAX as u32 + 1)
            .all(self.reader(), |row| {
                Ok(Pause {
                    from: row.next()?,
                    until: row.maybe()?,
                })
            })
            .await
    }

    async fn holders(
        &self,
        shard: u32,
        epochs: BTreeSet<u64>,
    ) -> Result<BTreeMap<u64, TermHolder>, StoreError> {
        let found = Sql::new("SELECT epoch, holder, name FROM terms WHERE shard = ?")
            .bind(shard)
            .and_in("epoch", epochs)
            .all(self.reader(), |row| {
                let epoch = row.next()?;
                let holder = TermHolder {
                    id: row.next()?,
                    name: row.maybe()?,
                };
                Ok((epoch, holder))
            })
            .await?;
        Ok(found.into_iter().collect())
    }
}

/// Where a page ends if not all of these rows count: before the first one too many.
fn cut<T>(rows: &[T], until: Timestamp, at: impl Fn(&T) -> Timestamp) -> Timestamp {
    rows.get(ROWS_MAX)
        .map_or(until, |row| until.min(earlier(at(row), STEP)))
}

/// Records that jobs are paused from now on.
pub(crate) async fn begin_pauses(
    tx: &Tx,
    jobs: &[JobId],
    now: Timestamp,
) -> Result<(), StoreError> {
    for batch in jobs.chunks(BATCH) {
        let sql = Sql::new("INSERT INTO pauses (job_id, paused_at, resumed_at) VALUES ")
            .tuples(batch.len(), 3);
        batch
            .iter()
            .fold(sql, |sql, job| {
                sql.bind(*job).bind(now).bind(None::<Timestamp>)
            })
            .text(&tx.engine.or_update("job_id, paused_at", &["resumed_at"]))
            .execute(&**tx)
            .await?;
    }
    Ok(())
}

/// Records that jobs are paused no longer.
pub(crate) async fn end_pauses(tx: &Tx, jobs: &[JobId], now: Timestamp) -> Result<(), StoreError> {
    for batch in jobs.chunks(BATCH) {
        Sql::new("UPDATE pauses SET resumed_at = ? WHERE resumed_at IS NULL")
            .bind(now)
            .and_in("job_id", batch.iter().copied())
            .execute(&**tx)
            .await?;
    }
    Ok(())
}
