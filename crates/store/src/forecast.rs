//! What a forecast is made from: the jobs that will be planned, the agents that serve their groups, and how long past runs took.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use cronfleet_core::access::Reach;
use cronfleet_core::forecast::{DURATIONS_MAX, Durations};
use cronfleet_core::id::{AgentId, GroupId, JobId};
use cronfleet_core::job::{JobKind, JobSpec, ScheduledSpec, Target};
use cronfleet_core::run::Outcome;
use jiff::Timestamp;

use crate::error::StoreError;
use crate::job_list::{JobKindWord, and_runs_on};
use crate::page::Page;
use crate::run_state::{BATCH, id_ceiling};
use crate::spec::from_json;
use crate::sql::{Row, Sql};
use crate::store::Store;

/// A scheduled job that is neither paused nor deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveJob {
    /// Id.
    pub id: JobId,
    /// Owning group.
    pub group: GroupId,
    /// Name.
    pub name: String,
    /// When and where it runs; `None` if its definition cannot be read: it is not planned then.
    pub plan: Option<ActivePlan>,
}

/// When and where a job runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivePlan {
    /// When and how.
    pub scheduled: ScheduledSpec,
    /// Where.
    pub target: Target,
    /// Processes per agent and due instant.
    pub processes: u32,
}

/// Which active jobs to read. `None` does not filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActiveFilter {
    /// Only of these groups.
    pub groups: Option<Vec<GroupId>>,
    /// Only those that run on this agent.
    pub agent: Option<AgentId>,
}

/// Jobs whose past runs are read in one statement.
const JOBS_OF_ONE_READ: usize = 100;
/// Runs that are looked at for one that counts: of a job whose runs are all skipped, none may count.
const LOOKED_AT_PER_RUN: u32 = 10;
/// Past runs that are read for all jobs together, about.
const RUNS_READ_MAX: usize = 500_000;
/// Fewest past runs that are read of a job, however many jobs there are.
const RUNS_PER_JOB_MIN: usize = 10;

impl Store {
    /// Active jobs within reach by id; `after` is the last one seen.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn active_jobs(
        &self,
        reach: &Reach,
        filter: &ActiveFilter,
        after: Option<JobId>,
        limit: u32,
    ) -> Result<Page<ActiveJob, JobId>, StoreError> {
        let mut sql = Sql::new(
            "SELECT j.id, j.group_id, j.name, v.spec FROM jobs j \
             JOIN job_versions v ON v.job_id = j.id AND v.version = j.version \
             WHERE j.is_deleted = 0 AND j.is_paused = 0 AND j.is_reboot = 0",
        )
        .with(" AND j.kind = ?", JobKindWord::Scheduled)
        .and_reach("j.group_id", reach);
        if let Some(groups) = &filter.groups {
            sql = sql.and_in("j.group_id", groups.iter().copied());
        }
        if let Some(agent) = filter.agent {
            sql = and_runs_on(sql, agent);
        }
        let jobs = sql
            .with_some(" AND j.id > ?", after)
            .with(" ORDER BY j.id LIMIT ?", limit + 1)
            .all(self.reader(), read_active)
            .await?;
        Ok(Page::cut(jobs, limit, |job| job.id))
    }

    /// The active agents that serve each group within reach, sorted.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn serving_agents(
        &self,
        reach: &Reach,
    ) -> Result<BTreeMap<GroupId, Vec<AgentId>>, StoreError> {
        let serving: Vec<(GroupId, AgentId)> = Sql::new(
            "SELECT ga.group_id, ga.agent_id FROM group_agents ga JOIN agents a ON a.id = ga.agent_id \
             WHERE a.state = 'active'",
        )
        .and_reach("ga.group_id", reach)
        .text(" ORDER BY ga.agent_id")
        .all(self.reader(), |row| Ok((row.next()?, row.next()?)))
        .await?;
        let mut by_group: BTreeMap<GroupId, Vec<AgentId>> = BTreeMap::new();
        for (group, agent) in serving {
            by_group.entry(group).or_default().push(agent);
        }
        Ok(by_group)
    }

    /// How long runs of these jobs took that were due until `now`, really ran and were not killed; of each job the newest ones, at most
    /// [`DURATIONS_MAX`], fewer for very many jobs. A job without such runs has no entry.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn past_durations(
        &self,
        jobs: &[JobId],
        now: Timestamp,
    ) -> Result<HashMap<JobId, Durations>, StoreError> {
        let most = runs_per_job(jobs.len());
        let mut past: HashMap<JobId, Vec<Duration>> = HashMap::new();
        for batch in jobs.chunks(JOBS_OF_ONE_READ) {
            for (job, took) in self.durations_of(batch, now, most).await? {
                past.entry(job).or_default().push(took);
            }
        }
        Ok(past
            .into_iter()
            .filter_map(|(job, past)| Some((job, Durations::of(past)?)))
            .collect())
    }

    async fn durations_of(
        &self,
        jobs: &[JobId],
        now: Timestamp,
        most: u32,
    ) -> Result<Vec<(JobId, Duration)>, StoreError> {
        let hint = self.engine().index("runs_job");
        let mut sql = Sql::new("");
        for (place, job) in jobs.iter().enumerate() {
            let union = if place == 0 { "" } else { " UNION ALL " };
            let walk = Sql::new(format!(
                "{union}SELECT * FROM (SELECT job_id, duration_us FROM (SELECT id, job_id, outcome, started_at, duration_us \
                 FROM runs{hint} WHERE job_id = ?"
            ))
            .bind(*job)
            .with(" AND id < ?", id_ceiling(now))
            .with(" ORDER BY id DESC LIMIT ?", most * LOOKED_AT_PER_RUN)
            .text(&format!(
                ") AS w{place} WHERE started_at IS NOT NULL AND duration_us IS NOT NULL"
            ))
            .and_in(
                "outcome",
                [Outcome::Succeeded, Outcome::Failed, Outcome::TimedOut],
            )
            .with(" ORDER BY id DESC LIMIT ?", most)
            .text(&format!(") AS r{place}"));
            sql = sql.append(walk);
        }
        sql.all(self.reader(), |row| Ok((row.next()?, row.next()?)))
            .await
    }

    /// Names of agents. For ids that the caller may know of.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn agent_names(
        &self,
        agents: &[AgentId],
    ) -> Result<HashMap<AgentId, String>, StoreError> {
        let mut names = HashMap::new();
        for batch in agents.chunks(BATCH) {
            let found = Sql::new("SELECT id, name FROM agents WHERE ")
                .one_of("id", batch.iter().copied())
                .all(self.reader(), |row| Ok((row.next()?, row.next()?)))
                .await?;
            names.extend(found);
        }
        Ok(names)
    }

    /// Names of groups. For ids that the caller may know of.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn group_names(
        &self,
        groups: &[GroupId],
    ) -> Result<HashMap<GroupId, String>, StoreError> {
        let mut names = HashMap::new();
        for batch in groups.chunks(BATCH) {
            let found = Sql::new("SELECT id, name FROM job_groups WHERE ")
                .one_of("id", batch.iter().copied())
                .all(self.reader(), |row| Ok((row.next()?, row.next()?)))
                .await?;
            names.extend(found);
        }
        Ok(names)
    }
}

fn runs_per_job(jobs: usize) -> u32 {
    let share = (RUNS_READ_MAX / jobs.max(1)).max(RUNS_PER_JOB_MIN);
    u32::try_from(share)
        .unwrap_or(DURATIONS_MAX)
        .min(DURATIONS_MAX)
}

fn read_active(row: &mut Row) -> Result<ActiveJob, StoreError> {
    Ok(ActiveJob {
        id: row.next()?,
        group: row.next()?,
        name: row.next()?,
        plan: from_json(&row.next::<String>()?).ok().and_then(plan),
    })
}

fn plan(spec: JobSpec) -> Option<ActivePlan> {
    match spec.kind {
        JobKind::Scheduled(scheduled) => Some(ActivePlan {
            scheduled: *scheduled,
            target: spec.target,
            processes: spec.processes,
        }),
        JobKind::Daemon(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_jobs_the_fewer_runs_of_each_are_read() {
        let read = [0, 1, 5_000, 10_000, 100_000, 10_000_000].map(runs_per_job);
        assert_eq!(read, [100, 100, 100, 50, 10, 10]);
    }
}
