//! Planning: which jobs are to be planned, and committing what was decided.

use std::collections::BTreeSet;

use cronfleet_core::id::{AgentId, GroupId, JobId};
use cronfleet_core::job::{JobKind, JobSpec, ScheduledSpec};
use cronfleet_core::plan::{Plan, PlannedRun};
use cronfleet_core::run::{Reason, RunState};
use cronfleet_core::spread::Picker;
use cronfleet_core::window::Snooze;
use jiff::Timestamp;

use crate::again::transaction;
use crate::error::StoreError;
use crate::lapse::{Decision, record_lapse};
use crate::lease::Lease;
use crate::offer::unasked;
use crate::older_run::{Place, older_runs};
use crate::pick::pickers_of;
use crate::plan_guard::{move_watermarks, unchanged_groups};
use crate::run::RunMoved;
use crate::run_state::{Fate, NewRun, insert_runs};
use crate::snooze::read_snooze;
use crate::spec::from_json;
use crate::sql::{Row, Sql};
use crate::store::Store;
use crate::target::agents_of_jobs;

/// A job that has due instants to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobToPlan {
    /// Job.
    pub job: JobId,
    /// Owning group.
    pub group: GroupId,
    /// Version in force.
    pub version: u32,
    /// When and how it runs.
    pub scheduled: ScheduledSpec,
    /// Processes per agent and due instant.
    pub processes: u32,
    /// Its snooze, also one that is over.
    pub snooze: Option<Snooze>,
    /// Every due instant up to here is decided.
    pub watermark: Timestamp,
    /// The next one; `None` if there is none, as for jobs that run when a host starts.
    pub next_due: Option<Timestamp>,
    /// What is due next is held, and there is nothing to do before this.
    pub held_until: Option<Timestamp>,
    /// Active agents of the group that the target selects, sorted.
    pub agents: Vec<AgentId>,
    /// Who is picked among them; `None` if the job runs on each.
    pub picker: Option<Picker>,
}

/// A plan to commit, and what it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPlan {
    /// Job.
    pub job: JobId,
    /// Version it was made for.
    pub expected_version: u32,
    /// Watermark it was made from.
    pub expected_watermark: Timestamp,
    /// End of the snooze it was made with.
    pub expected_snooze: Option<Timestamp>,
    /// What was decided.
    pub plan: Plan,
}

/// What committing plans did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlansCommitted {
    /// Jobs that had changed (version, watermark, snoozed, paused, deleted): nothing of their plans is stored.
    pub left_out: Vec<JobId>,
    /// Agents with new runs, sorted, each once.
    pub agents: Vec<AgentId>,
    /// Runs that were recorded as ended at once, because an older version's run of the due instant was started.
    pub moved: Vec<RunMoved>,
    /// Runs recorded.
    pub run_count: u64,
}

impl Store {
    /// Jobs of the lease's shard whose next due instant is not after `until`, by that instant and id, starting behind `after`: the
    /// caller walks through all of them once, so that jobs which stay due (no agent yet) cannot hold up the others. A job whose
    /// definition cannot be read is put into quarantine and left out.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn due_jobs(
        &self,
        lease: &Lease,
        until: Timestamp,
        after: Option<(Timestamp, JobId)>,
        limit: u32,
    ) -> Result<Vec<JobToPlan>, StoreError> {
        self.due_jobs_unless_held(lease, until, None, after, limit)
            .await
    }

    /// The same without the jobs that are held at `now`, if one is given: nothing of them is to be decided then.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn due_jobs_unless_held(
        &self,
        lease: &Lease,
        until: Timestamp,
        now: Option<Timestamp>,
        after: Option<(Timestamp, JobId)>,
        limit: u32,
    ) -> Result<Vec<JobToPlan>, StoreError> {
        let index = self.engine().index("jobs_due");
        let mut sql = Sql::new(format!(
            "SELECT {JOB_COLUMNS} FROM jobs j{index} JOIN job_versions v ON v.job_id = j.id AND v.version = j.version \
             WHERE j.shard = ? AND j.next_due <= ?"
        ))
        .bind(lease.shard)
        .bind(until)
        .with_some(" AND (j.held_until IS NULL OR j.held_until <= ?)", now);
        if let Some((due, job)) = after {
            sql = sql
                .with(" AND j.next_due >= ?", due)
                .with(" AND (j.next_due > ?", due)
                .with(" OR j.id > ?)", job);
        }
        let found = sql
            .with(" ORDER BY j.next_due, j.id LIMIT ?", limit)
            .all(self.reader(), read_job)
            .await?;
        let (jobs, unreadable) = self.resolve(found).await?;
        for (job, version) in unreadable {
            self.quarantine_job(lease, job, version).await?;
        }
        Ok(jobs)
    }

    /// When the next job of a shard becomes due; `None` if none is going to.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn next_due(&self, shard: u32) -> Result<Option<Timestamp>, StoreError> {
        Ok(Sql::new("SELECT MIN(next_due) FROM jobs WHERE shard = ?")
            .bind(shard)
            .one(self.reader(), Row::maybe)
            .await?
            .flatten())
    }

    /// Jobs that run at the start of this agent's host and are not paused. Those that cannot be read are left out.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn reboot_jobs(&self, agent: AgentId) -> Result<Vec<JobToPlan>, StoreError> {
        let index = self.engine().index("jobs_reboot");
        let found = Sql::new(format!(
            "SELECT {JOB_COLUMNS} FROM group_agents ga JOIN jobs j{index} ON j.group_id = ga.group_id \
             JOIN job_versions v ON v.job_id = j.id AND v.version = j.version \
             WHERE ga.agent_id = ? AND j.is_reboot = 1 AND j.is_deleted = 0 AND j.is_paused = 0 ORDER BY j.id"
        ))
        .bind(agent)
        .all(self.reader(), read_job)
        .await?;
        let (mut jobs, _) = self.resolve(found).await?;
        jobs.retain(|job| job.agents.contains(&agent));
        Ok(jobs)
    }

    /// Stores runs, lapses and watermarks of many jobs in one transaction, if the lease's term goes on and no window has changed
    /// since version `windows`. A job that has changed since it was read is left out; a run that is stored already is left as it is.
    ///
    /// # Errors
    /// [`Conflict::StaleLease`](crate::Conflict::StaleLease), [`Conflict::StaleWindows`](crate::Conflict::StaleWindows),
    /// [`StoreError::Unavailable`].
    pub async fn commit_plans(
        &self,
        lease: &Lease,
        windows: u64,
        plans: &[JobPlan],
        now: Timestamp,
    ) -> Result<PlansCommitted, StoreError> {
        transaction!({
            let mut committed = PlansCommitted::default();
            if plans.is_empty() {
                return Ok(committed);
            }
            let tx = self.begin().await?;
            lease.fence_with(&tx, windows).await?;
            let groups = unchanged_groups(&tx, plans).await?;
            let mut accepted = Vec::new();
            for plan in plans {
                match groups.get(&plan.job) {
                    Some(&group) => accepted.push((plan, group)),
                    None => committed.left_out.push(plan.job),
                }
            }
            let older = older_runs(&tx, &accepted).await?;
            let mut runs = Vec::new();
            let mut agents = BTreeSet::new();
            for (plan, group) in &accepted {
                let left_out = unasked(&tx, &plan.plan.runs).await?;
                let asked = plan.plan.runs.iter();
                for planned in asked.filter(|run| !left_out.contains(&run.id)) {
                    let fate = older
                        .get(&Place::of(planned))
                        .copied()
                        .unwrap_or(Fate::Planned);
                    runs.push(NewRun {
                        planned,
                        group: *group,
                        requested_by: None,
                        epoch: Some(lease.epoch),
                        fate,
                    });
                    match fate {
                        Fate::Planned => {
                            agents.insert(planned.key.agent);
                        }
                        Fate::After(_) | Fate::Skipped(_) => {}
                        Fate::Superseded => committed.moved.push(superseded(planned, *group)),
                    }
                }
                for lapse in &plan.plan.lapses {
                    let decision = Decision {
                        epoch: Some(lease.epoch),
                        job_version: Some(plan.expected_version),
                        decided_at: now,
                    };
                    record_lapse(&tx, plan.job, *group, lapse, decision).await?;
                }
            }
            committed.run_count = insert_runs(&tx, &runs, now).await?;
            committed.agents = agents.into_iter().collect();
            move_watermarks(&tx, &accepted).await?;
            tx.commit().await?;
            Ok(committed)
        })
    }

    /// Takes a job whose definition cannot be planned (an unknown time zone, say) out of planning until it is saved again;
    /// its due instants from the watermark on stay undecided.
    ///
    /// # Errors
    /// [`Conflict::StaleLease`](crate::Conflict::StaleLease), [`StoreError::Unavailable`].
    pub async fn quarantine_job(
        &self,
        lease: &Lease,
        job: JobId,
        expected_version: u32,
    ) -> Result<(), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            lease.fence(&tx).await?;
            Sql::new("UPDATE jobs SET next_due = NULL WHERE id = ? AND version = ?")
                .bind(job)
                .bind(expected_version)
                .execute(&*tx)
                .await?;
            tx.commit().await
        })
    }
}

impl Store {
    /// Adds the agents. What cannot be read is answered apart, with its version.
    async fn resolve(
        &self,
        found: Vec<FoundJob>,
    ) -> Result<(Vec<JobToPlan>, Vec<(JobId, u32)>), StoreError> {
        let (mut readable, mut unreadable) = (Vec::new(), Vec::new());
        for job in found {
            match from_json(&job.spec) {
                Ok(
                    spec @ JobSpec {
                        kind: JobKind::Scheduled(_),
                        ..
                    },
                ) => {
                    readable.push((job, spec));
                }
                Ok(JobSpec {
                    kind: JobKind::Daemon(_),
                    ..
                }) => {}
                Err(error) => {
                    tracing::error!(job.id = %job.id, job.version, %error, "job is not planned any more: save it again");
                    unreadable.push((job.id, job.version));
                }
            }
        }
        let targets = readable
            .iter()
            .map(|(job, spec)| (job.id, job.group, &spec.target));
        let mut agents = agents_of_jobs(self.reader(), targets).await?;
        let picked: Vec<_> = readable
            .iter()
            .map(|(job, spec)| {
                let agents = agents.get(&job.id).cloned().unwrap_or_default();
                (job.id, spec, agents)
            })
            .collect();
        let mut pickers = pickers_of(self.reader(), &picked).await?;
        let jobs = readable.into_iter().filter_map(|(job, spec)| {
            let JobKind::Scheduled(scheduled) = spec.kind else {
                return None;
            };
            Some(JobToPlan {
                job: job.id,
                group: job.group,
                version: job.version,
                scheduled: *scheduled,
                processes: spec.processes,
                snooze: job.snooze,
                watermark: job.watermark,
                next_due: job.next_due,
                held_until: job.held_until,
                agents: agents.remove(&job.id).unwrap_or_default(),
                picker: pickers.remove(&job.id),
            })
        });
        Ok((jobs.collect(), unreadable))
    }
}

struct FoundJob {
    id: JobId,
    group: GroupId,
    version: u32,
    watermark: Timestamp,
    next_due: Option<Timestamp>,
    snooze: Option<Snooze>,
    held_until: Option<Timestamp>,
    /// Its definition as it is stored.
    spec: String,
}

const JOB_COLUMNS: &str = "j.id, j.group_id, j.version, j.watermark, j.next_due, j.snoozed_at, j.snoozed_until, \
    j.held_until, v.spec";

fn read_job(row: &mut Row) -> Result<FoundJob, StoreError> {
    Ok(FoundJob {
        id: row.next()?,
        group: row.next()?,
        version: row.next()?,
        watermark: row.next()?,
        next_due: row.maybe()?,
        snooze: read_snooze(row)?,
        held_until: row.maybe()?,
        spec: row.next()?,
    })
}

fn superseded(run: &PlannedRun, group: GroupId) -> RunMoved {
    RunMoved {
        run: run.id,
        job: run.key.job,
        group,
        agent: run.key.agent,
        state: RunState::Ended(Reason::Superseded.outcome()),
        reason: Some(Reason::Superseded),
    }
}
