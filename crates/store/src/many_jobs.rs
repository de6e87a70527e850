//! Doing to many jobs as one what people otherwise do to one: snoozing, ending snoozes, running now. What makes new versions of many
//! jobs, pauses or deletes them is a [change set](crate::change_set).
//!
//! For each job the rules are those of [`crate::snooze`] and [`crate::manual`].

use std::collections::{BTreeSet, HashMap};

use cronfleet_core::id::{AgentId, JobId, RunId, UserId};
use cronfleet_core::plan::PlannedRun;
use cronfleet_core::run::Reason;
use jiff::Timestamp;

use crate::again::transaction;
use crate::change_set::{JobBasis, expect_basis};
use crate::definition::DefinedJob;
use crate::error::StoreError;
use crate::job_edit::{JobHead, lock_jobs, want_again};
use crate::manual::ManualAnswer;
use crate::run_state::{
    BATCH, Fate, NewRun, RunHead, active_of_jobs, id_ceiling, id_floor, insert_runs,
};
use crate::sql::{Given, Row, Sql};
use crate::store::{Store, Tx};
use crate::target::agents_of_jobs;
use crate::withdraw::{Withdrawal, Withdrawn, withdraw};

/// Runs of many jobs asked for at once under one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManyRuns {
    /// The jobs, as they were when the runs were made.
    pub based_on: Vec<JobBasis>,
    /// Idempotency key, at most 255 characters. It is one of its own for each job.
    pub trigger: String,
    /// Due instant of every run.
    pub due: Timestamp,
    /// The runs.
    pub runs: Vec<PlannedRun>,
    /// Who asks.
    pub requested_by: UserId,
}

/// What a job has under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stake {
    /// Runs that have not started.
    pub waiting: u32,
    /// Runs that are alive.
    pub alive: u32,
    /// Daemon processes that run.
    pub processes: u32,
}

impl Store {
    /// Snoozes jobs until an instant, in place of the snoozes that they may have; without one their snoozes are ended. All of them or
    /// none.
    ///
    /// # Errors
    /// [`Conflict::StaleSet`](crate::Conflict::StaleSet) if one of the jobs has changed,
    /// [`Conflict::PlanningBehind`](crate::Conflict::PlanningBehind).
    pub async fn snooze_jobs(
        &self,
        based_on: &[JobBasis],
        until: Option<Timestamp>,
        by: UserId,
        now: Timestamp,
    ) -> Result<Withdrawn, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let jobs: Vec<JobId> = based_on.iter().map(|basis| basis.job).collect();
            let heads = lock_jobs(&tx, jobs.iter().copied()).await?;
            expect_basis(based_on, &heads)?;
            for head in heads.values() {
                head.expect_planned(now)?;
            }
            let withdrawn = match until {
                Some(until) => {
                    put_snoozes(&tx, &jobs, (until, by), now).await?;
                    let heads = active_of_jobs(&tx, &jobs).await?.into_iter();
                    let heads: Vec<RunHead> =
                        heads.filter(|head| head.not_before < until).collect();
                    withdraw(&tx, &heads, Withdrawal::Snoozed, now).await?
                }
                None => {
                    take_snoozes(&tx, &jobs).await?;
                    want_again(&tx, &jobs, Reason::Snoozed).await?;
                    Withdrawn::default()
                }
            };
            tx.commit().await?;
            Ok(withdrawn)
        })
    }

    /// Records runs of many jobs that somebody asks for now, all of them or none. Idempotent by (job, trigger): a job that has runs
    /// under this key gets no others, and those are answered.
    ///
    /// # Errors
    /// [`Conflict::StaleSet`](crate::Conflict::StaleSet) if a job that gets runs has changed.
    pub async fn run_jobs(
        &self,
        request: &ManyRuns,
        now: Timestamp,
    ) -> Result<ManualAnswer, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let jobs: Vec<JobId> = request.based_on.iter().map(|basis| basis.job).collect();
            let heads = lock_jobs(&tx, jobs.iter().copied()).await?;
            let known = triggered(&tx, &jobs, &request.trigger).await?;
            let is_new = |job: JobId| !known.contains_key(&job);
            let based_on = request.based_on.iter().filter(|basis| is_new(basis.job));
            expect_basis(based_on, &heads)?;
            let new: Vec<JobId> = jobs.iter().copied().filter(|job| is_new(*job)).collect();
            put_triggers(&tx, &new, request).await?;
            let runs = request.runs.iter().filter(|run| is_new(run.key.job));
            let runs: Vec<NewRun<'_>> = runs
                .filter_map(|run| request.new_run(run, &heads))
                .collect();
            insert_runs(&tx, &runs, now).await?;
            let mut ids: Vec<RunId> = runs.iter().map(|run| run.planned.id).collect();
            let agents: BTreeSet<AgentId> = runs.iter().map(|run| run.planned.key.agent).collect();
            ids.extend(runs_of_triggers(&tx, &known, &request.trigger).await?);
            ids.sort_unstable();
            tx.commit().await?;
            Ok(ManualAnswer {
                runs: ids,
                agents: agents.into_iter().collect(),
                is_repeat: new.is_empty(),
            })
        })
    }

    /// What jobs have under way now. A job without anything has no entry.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn stakes(&self, jobs: &[JobId]) -> Result<HashMap<JobId, Stake>, StoreError> {
        let index = self.engine().index("runs_active");
        let of_runs = format!(
            "SELECT job_id, COUNT(CASE WHEN state <> 'running' THEN 1 END), COUNT(CASE WHEN state = 'running' THEN 1 END) \
             FROM runs{index} WHERE active_agent IS NOT NULL"
        );
        let of_slots = "SELECT job_id, COUNT(*) FROM slots WHERE state IN ('starting', 'running')";
        let mut stakes: HashMap<JobId, Stake> = HashMap::new();
        for batch in jobs.chunks(BATCH) {
            let runs = Sql::new(of_runs.as_str()).and_in("job_id", batch.iter().copied());
            let runs = runs.text(" GROUP BY job_id").all(self.reader(), |row| {
                Ok((row.next::<JobId>()?, row.next()?, row.next()?))
            });
            for (job, waiting, alive) in runs.await? {
                let stake = stakes.entry(job).or_default();
                (stake.waiting, stake.alive) = (waiting, alive);
            }
            let slots = Sql::new(of_slots).and_in("job_id", batch.iter().copied());
            let slots = slots
                .text(" GROUP BY job_id")
                .all(self.reader(), |row| Ok((row.next::<JobId>()?, row.next()?)));
            for (job, processes) in slots.await? {
                stakes.entry(job).or_default().processes = processes;
            }
        }
        Ok(stakes)
    }

    /// The agents on which each of the jobs runs, sorted. A job without agents has no entry or an empty one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn agents_of_defined(
        &self,
        jobs: &[DefinedJob],
    ) -> Result<HashMap<JobId, Vec<AgentId>>, StoreError> {
        let jobs = jobs.iter().map(|job| (job.id, job.group, &job.spec.target));
        agents_of_jobs(self.reader(), jobs).await
    }
}

impl ManyRuns {
    fn new_run<'a>(
        &self,
        planned: &'a PlannedRun,
        heads: &HashMap<JobId, JobHead>,
    ) -> Option<NewRun<'a>> {
        Some(NewRun {
            planned,
            group: heads.get(&planned.key.job)?.group,
            requested_by: Some(self.requested_by),
            epoch: None,
            fate: Fate::Planned,
        })
    }
}

async fn put_snoozes(
    tx: &Tx,
    jobs: &[JobId],
    (until, by): (Timestamp, UserId),
    now: Timestamp,
) -> Result<(), StoreError> {
    for batch in jobs.chunks(BATCH) {
        Sql::new("UPDATE jobs SET held_until = NULL")
            .with(", snoozed_until = ?", until)
            .with(", snoozed_at = ?", now)
            .with(", snoozed_by = ?", by)
            .text(" WHERE ")
            .one_of("id", batch.iter().copied())
            .execute(&**tx)
            .await?;
    }
    Ok(())
}

async fn take_snoozes(tx: &Tx, jobs: &[JobId]) -> Result<(), StoreError> {
    let sql = "UPDATE jobs SET held_until = NULL, snoozed_until = NULL, snoozed_at = NULL, snoozed_by = NULL WHERE ";
    for batch in jobs.chunks(BATCH) {
        Sql::new(sql)
            .one_of("id", batch.iter().copied())
            .execute(&**tx)
            .await?;
    }
    Ok(())
}

/// The jobs that have runs under a key, with the due instant of those.
async fn triggered(
    tx: &Tx,
    jobs: &[JobId],
    trigger: &str,
) -> Result<HashMap<JobId, Timestamp>, StoreError> {
    let mut known = HashMap::new();
    for batch in jobs.chunks(BATCH) {
        let found = Sql::new("SELECT job_id, due FROM triggers WHERE trigger_key = ?")
            .bind(trigger)
            .and_in("job_id", batch.iter().copied())
            .all(&**tx, |row| Ok((row.next::<JobId>()?, row.next()?)));
        known.extend(found.await?);
    }
    Ok(known)
}

async fn put_triggers(tx: &Tx, jobs: &[JobId], request: &ManyRuns) -> Result<(), StoreError> {
    for batch in jobs.chunks(BATCH) {
        let sql = Sql::new("INSERT INTO triggers (job_id, trigger_key, due) VALUES ");
        let sql = batch.iter().fold(sql.tuples(batch.len(), 3), |sql, job| {
            let row = Given::default().with(*job);
            sql.given(&row.with(request.trigger.as_str()).with(request.due))
        });
        sql.execute(&**tx).await?;
    }
    Ok(())
}

/// The runs that jobs have under a key, given when they were due.
async fn runs_of_triggers(
    tx: &Tx,
    known: &HashMap<JobId, Timestamp>,
    trigger: &str,
) -> Result<Vec<RunId>, StoreError> {
    let mut by_due: HashMap<Timestamp, Vec<JobId>> = HashMap::new();
    for (job, due) in known {
        by_due.entry(*due).or_default().push(*job);
    }
    let mut runs = Vec::new();
    for (due, jobs) in by_due {
        for batch in jobs.chunks(BATCH) {
            let found = Sql::new("SELECT id FROM runs WHERE id >= ? AND id < ?")
                .bind(id_floor(due))
                .bind(id_ceiling(due))
                .with(" AND trigger_key = ? AND attempt = 1", trigger)
                .and_in("job_id", batch.iter().copied())
                .all(&**tx, Row::next::<RunId>);
            runs.extend(found.await?);
        }
    }
    Ok(runs)
}
