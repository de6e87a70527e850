//! Jobs as lists and pages show them.

use std::collections::HashMap;
use std::time::Duration;

use cronfleet_core::access::Reach;
use cronfleet_core::id::{AgentId, GroupId, JobId, RunId};
use cronfleet_core::job::{JobKind, JobSpec};
use cronfleet_core::run::Outcome;
use jiff::Timestamp;
use sea_orm::ConnectionTrait;

use crate::engine::Engine;
use crate::error::StoreError;
use crate::page::{NameKey, Page};
use crate::snooze::{SnoozeRow, read_snooze_row};
use crate::spec::from_json;
use crate::sql::{Row, Sql, stored_word};
use crate::store::Store;
use crate::target::agents_of_jobs;

/// Kind of a job, without its details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobKindWord {
    /// Runs at due instants.
    Scheduled,
    /// Keeps processes alive.
    Daemon,
}

impl JobKindWord {
    /// The word in SQL and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Daemon => "daemon",
        }
    }

    /// The word of a kind.
    pub const fn of(kind: &JobKind) -> Self {
        match kind {
            JobKind::Scheduled(_) => Self::Scheduled,
            JobKind::Daemon(_) => Self::Daemon,
        }
    }

    /// Reads [`JobKindWord::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Scheduled, Self::Daemon]
            .into_iter()
            .find(|kind| kind.word() == word)
    }
}

/// A job that is not deleted.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRow {
    /// Id.
    pub id: JobId,
    /// Owning group.
    pub group: GroupId,
    /// Its name.
    pub group_name: String,
    /// Version in force.
    pub version: u32,
    /// Definition in force.
    pub spec: JobSpec,
    /// Whether it is paused.
    pub is_paused: bool,
    /// First due instant after the watermark; `None` while paused, for daemons, or where none is left.
    pub next_due: Option<Timestamp>,
    /// Every due instant up to here is decided.
    pub watermark: Timestamp,
    /// Login of who saved the version in force; empty if the user is gone.
    pub updated_by: String,
    /// When the job was created.
    pub created_at: Timestamp,
    /// When the version in force was saved.
    pub updated_at: Timestamp,
    /// Its snooze, also one that is over.
    pub snooze: Option<SnoozeRow>,
    /// The last runs, newest first, at most 20.
    pub recent: Vec<RecentRun>,
    /// Its daemon slots.
    pub slots: SlotCounts,
}

/// One of the last runs of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecentRun {
    /// Run.
    pub id: RunId,
    /// Due instant.
    pub due: Timestamp,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// How long it ran.
    pub duration: Option<Duration>,
}

/// Numbers of daemon slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SlotCounts {
    /// Wanted: processes times active agents in target; 0 while paused.
    pub wanted: u32,
    /// Reported as running.
    pub running: u32,
    /// Reported as a crash loop.
    pub crash_loop: u32,
}

/// Which jobs to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Searched for in the name.
    pub part: String,
    /// Only of this group.
    pub group: Option<GroupId>,
    /// Only of this kind.
    pub kind: Option<JobKindWord>,
    /// Only paused ones, or only those that are not.
    pub is_paused: Option<bool>,
    /// Only those that run on this agent.
    pub agent: Option<AgentId>,
}

impl JobFilter {
    /// Goes on with what the filter asks of the job `j`.
    pub(crate) fn narrow(&self, sql: Sql, engine: Engine) -> Sql {
        let sql = sql
            .and_contains(engine, &["j.name"], &self.part)
            .with_some(" AND j.group_id = ?", self.group)
            .with_some(" AND j.kind = ?", self.kind)
            .with_some(" AND j.is_paused = ?", self.is_paused);
        match self.agent {
            Some(agent) => and_runs_on(sql, agent),
            None => sql,
        }
    }
}

impl Store {
    /// Jobs within reach by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn jobs(
        &self,
        reach: &Reach,
        filter: &JobFilter,
        after: Option<&NameKey>,
        limit: u32,
    ) -> Result<Page<JobRow, NameKey>, StoreError> {
        let mut sql = filter.narrow(select_jobs(reach), self.engine());
        if let Some(after) = after {
            sql = sql
                .with(
                    " AND j.name_key >= ? AND (j.name_key > ?",
                    after.name.as_str(),
                )
                .bind(after.name.as_str())
                .with(" OR j.id > ?)", after.id);
        }
        let rows = sql
            .with(" ORDER BY j.name_key, j.id LIMIT ?", limit + 1)
            .all(self.reader(), read_job)
            .await?;
        let mut page = Page::cut(rows, limit, |job| NameKey {
            name: job.spec.name.clone(),
            id: job.id.as_uuid(),
        });
        fill_lists(self.reader(), &mut page.items).await?;
        Ok(page)
    }

    /// A job, if it is within reach and not deleted.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn job(&self, reach: &Reach, id: JobId) -> Result<Option<JobRow>, StoreError> {
        let mut rows = select_jobs(reach)
            .with(" AND j.id = ?", id)
            .all(self.reader(), read_job)
            .await?;
        fill_lists(self.reader(), &mut rows).await?;
        Ok(rows.pop())
    }

    /// Active agents of the job's group that its target selects, sorted. Empty for a job that does not exist.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn agents_of_job(&self, id: JobId) -> Result<Vec<AgentId>, StoreError> {
        Sql::new(
            "SELECT a.id FROM jobs j JOIN group_agents ga ON ga.group_id = j.group_id \
             JOIN agents a ON a.id = ga.agent_id WHERE j.id = ? AND j.is_deleted = 0 AND a.state = 'active' \
             AND (j.is_target_all = 1 OR EXISTS (SELECT 1 FROM job_targets t WHERE t.job_id = j.id \
             AND t.agent_id = a.id)) ORDER BY a.id",
        )
        .bind(id)
        .all(self.reader(), Row::next)
        .await
    }
}

stored_word!(JobKindWord "job kind");

/// Last runs per job, in lists.
const RECENT_MAX: u32 = 20;
/// Jobs whose last runs are read in one statement.
const RECENT_BATCH: usize = 100;

/// Goes on with: the job `j` runs on this agent, if the agent is active.
pub(crate) fn and_runs_on(sql: Sql, agent: AgentId) -> Sql {
    sql.with(" AND EXISTS (SELECT 1 FROM group_agents ga WHERE ga.group_id = j.group_id AND ga.agent_id = ?", agent)
        .with(
            " AND (j.is_target_all = 1 OR EXISTS (SELECT 1 FROM job_targets t WHERE t.job_id = j.id \
             AND t.agent_id = ?)))",
            agent,
        )
}

fn select_jobs(reach: &Reach) -> Sql {
    Sql::new(
        "SELECT j.id, j.group_id, g.name, j.version, v.spec, j.is_paused, j.next_due, j.watermark, u.login, \
         j.created_at, v.created_at, j.snoozed_at, j.snoozed_until, s.login FROM jobs j JOIN job_groups g ON g.id = j.group_id \
         JOIN job_versions v ON v.job_id = j.id AND v.version = j.version LEFT JOIN users u ON u.id = v.author_id \
         LEFT JOIN users s ON s.id = j.snoozed_by WHERE j.is_deleted = 0",
    )
    .and_reach("j.group_id", reach)
}

/// Reads [`select_jobs`]; the lists are still empty.
fn read_job(row: &mut Row) -> Result<JobRow, StoreError> {
    Ok(JobRow {
        id: row.next()?,
        group: row.next()?,
        group_name: row.next()?,
        version: row.next()?,
        spec: from_json(&row.next::<String>()?)?,
        is_paused: row.next()?,
        next_due: row.maybe()?,
        watermark: row.next()?,
        updated_by: row.maybe()?.unwrap_or_default(),
        created_at: row.next()?,
        updated_at: row.next()?,
        snooze: read_snooze_row(row)?,
        recent: Vec::new(),
        slots: SlotCounts::default(),
    })
}

/// Adds last runs to scheduled jobs and slot counts to daemons, in bulk.
async fn fill_lists(on: &impl ConnectionTrait, jobs: &mut [JobRow]) -> Result<(), StoreError> {
    let (mut scheduled, mut daemons) = (Vec::new(), Vec::new());
    for job in jobs.iter_mut() {
        match &job.spec.kind {
            JobKind::Scheduled(_) => scheduled.push(job),
            JobKind::Daemon(_) => daemons.push(job),
        }
    }
    for batch in scheduled.chunks_mut(RECENT_BATCH) {
        fill_recent(on, batch).await?;
    }
    fill_slots(on, &mut daemons).await
}

async fn fill_recent(
    on: &impl ConnectionTrait,
    jobs: &mut [&mut JobRow],
) -> Result<(), StoreError> {
    // One short index walk per job; a window function would read all runs of every job. What is planned ahead is passed over:
    // of a job that runs many times a second it would be all that shows.
    let mut sql = Sql::new("");
    for (index, job) in jobs.iter().enumerate() {
        let union = if index == 0 { "" } else { " UNION ALL " };
        sql = sql
            .text(union)
            .with(
                &format!(
                    "SELECT * FROM (SELECT job_id, id, due, outcome, duration_us FROM runs WHERE job_id = ? \
                     AND (started_at IS NOT NULL OR outcome IS NOT NULL) ORDER BY id DESC LIMIT {RECENT_MAX}) AS r{index}"
                ),
                job.id,
            );
    }
    let rows = sql
        .all(on, |row| {
            let job: JobId = row.next()?;
            let run = RecentRun {
                id: row.next()?,
                due: row.next()?,
                outcome: row.maybe()?,
                duration: row.maybe()?,
            };
            Ok((job, run))
        })
        .await?;
    let mut place: HashMap<JobId, &mut Vec<RecentRun>> = jobs
        .iter_mut()
        .map(|job| (job.id, &mut job.recent))
        .collect();
    for (job, run) in rows {
        if let Some(recent) = place.get_mut(&job) {
            recent.push(run);
        }
    }
    for recent in place.values_mut() {
        recent.sort_unstable_by_key(|run| std::cmp::Reverse(run.id));
    }
    Ok(())
}

async fn fill_slots(on: &impl ConnectionTrait, jobs: &mut [&mut JobRow]) -> Result<(), StoreError> {
    if jobs.is_empty() {
        return Ok(());
    }
    let agents = agents_of_jobs(
        on,
        jobs.iter().map(|job| (job.id, job.group, &job.spec.target)),
    )
    .await?;
    let mut counts: HashMap<JobId, (u32, u32)> = Sql::new(
        "SELECT job_id, COUNT(CASE WHEN state = 'running' THEN 1 END), \
         COUNT(CASE WHEN state = 'crash_loop' THEN 1 END) FROM slots WHERE ",
    )
    .one_of("job_id", jobs.iter().map(|job| job.id))
    .text(" GROUP BY job_id")
    .all(on, |row| Ok((row.next()?, (row.next()?, row.next()?))))
    .await?
    .into_iter()
    .collect();
    for job in jobs {
        let agent_count = agents.get(&job.id).map_or(0, Vec::len);
        let wanted = if job.is_paused {
            0
        } else {
            u32::try_from(agent_count).unwrap_or(u32::MAX)
        };
        let (running, crash_loop) = counts.remove(&job.id).unwrap_or_default();
        job.slots = SlotCounts {
            wanted: wanted.saturating_mul(job.spec.processes),
            running,
            crash_loop,
        };
    }
    Ok(())
}
