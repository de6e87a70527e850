//! The planner: takes every job's watermark forward, a little ahead of time.
//!
//! Each round plans every job that has a due instant within [`PLAN_AHEAD`], in transactions of many jobs. A job that cannot be
//! planned is put aside and the others go on. A round that fails is repeated; the watermark makes repeating harmless.
//!
//! Stored next due instants are those that the center of their time worked out. A center with other time zone data may find others, so
//! in each term the planner goes once through all jobs and plans anew those whose next due instant differs.

use std::collections::HashMap;
use std::time::Duration;

use cronfleet_core::id::JobId;
use cronfleet_core::plan::{self, PLAN_AHEAD, Planning};
use cronfleet_core::schedule::Schedule;
use cronfleet_store::{Conflict, JobPlan, JobToPlan, Lease, Store, StoreError};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::bus::EventBus;
use crate::election::Leadership;
use crate::fleet_clock::FleetClock;
use crate::link::desk::publish_moves;
use crate::nudge::Nudges;

/// Time between two rounds.
const ROUND_INTERVAL: Duration = Duration::from_secs(1);
/// Jobs read at a time.
const JOBS_PER_READ: u32 = 500;
/// Runs that make a transaction full.
const RUNS_PER_COMMIT: usize = 2_000;
/// Parsed schedules kept; beyond it the cache starts anew.
const SCHEDULES_MAX: usize = 200_000;
/// Planned runs ended per round because their time is over.
const EXPIRE_MAX: u32 = 5_000;

/// Plans in this center's terms, until told to stop.
pub(crate) struct Planner {
    store: Store,
    nudges: Nudges,
    bus: EventBus,
    clock: FleetClock,
    leadership: Leadership,
    /// The last term, and when its planning began.
    term: Option<(u64, Timestamp)>,
    schedules: HashMap<(JobId, u32), Schedule>,
    /// Whether some job has more due instants before the horizon than one plan holds.
    has_more: bool,
    review: Review,
}

/// How far this term has gone through the jobs that are not due yet.
enum Review {
    /// Up to this one.
    Behind(Option<(Timestamp, JobId)>),
    Done,
}

impl Planner {
    pub(crate) fn new(
        store: Store,
        nudges: Nudges,
        bus: EventBus,
        clock: FleetClock,
        leadership: Leadership,
    ) -> Self {
        Self {
            store,
            nudges,
            bus,
            clock,
            leadership,
            term: None,
            schedules: HashMap::new(),
            has_more: false,
            review: Review::Done,
        }
    }

    /// Plans until `stop`. Failures of the store are logged and tried again in the next round.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let nudges = self.nudges.clone();
        let mut ticks = tokio::time::interval(ROUND_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut is_failing = false;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = nudges.planner() => {}
                () = stop.cancelled() => return,
            }
            match self.round().await {
                Ok(()) if is_failing => {
                    is_failing = false;
                    tracing::info!("planning goes on");
                }
                Ok(()) => {}
                Err(StoreError::Conflict(Conflict::StaleLease)) => {
                    tracing::info!("another center has taken planning over");
                }
                Err(error) => {
                    if !is_failing {
                        tracing::error!(
                            error = &error as &dyn std::error::Error,
                            "planning is interrupted"
                        );
                    }
                    is_failing = true;
                }
            }
        }
    }

    /// One round: plans if it is this center's turn, and nudges the sessions whoever has planned.
    async fn round(&mut self) -> Result<(), StoreError> {
        if let Some(lease) = self.leadership.lease() {
            self.lead(&lease).await?;
        }
        let now = self.clock.now();
        let waiting = self
            .store
            .agents_with_planned(plan::later(now, PLAN_AHEAD))
            .await?;
        self.nudges.runs_planned(
            waiting
                .into_iter()
                .filter(|agent| self.nudges.is_online(*agent)),
        );
        Ok(())
    }

    /// Plans everything up to the horizon, and ends what was never sent in time.
    async fn lead(&mut self, lease: &Lease) -> Result<(), StoreError> {
        let since = match self.term {
            Some((epoch, since)) if epoch == lease.epoch => since,
            _ => {
                self.review = Review::Behind(None);
                self.clock.now()
            }
        };
        self.term = Some((lease.epoch, since));
        self.has_more = true;
        while std::mem::take(&mut self.has_more) {
            self.plan_all(lease).await?;
        }
        let expired = self
            .store
            .expire_planned(lease, self.clock.now(), since, EXPIRE_MAX)
            .await?;
        publish_moves(&self.bus, &expired);
        self.review_some(lease).await
    }

    async fn plan_all(&mut self, lease: &Lease) -> Result<(), StoreError> {
        let horizon = plan::later(self.clock.now(), PLAN_AHEAD);
        let mut after = None;
        loop {
            let jobs = self
                .store
                .due_jobs(lease, horizon, after, JOBS_PER_READ)
                .await?;
            let is_last = jobs.len() < JOBS_PER_READ as usize;
            let mut batch: Vec<JobPlan> = Vec::with_capacity(jobs.len());
            let mut runs = 0;
            for job in &jobs {
                let Some(plan) = self.plan(lease, job).await? else {
                    continue;
                };
                if plan.has_more {
                    self.has_more = true;
                }
                runs += plan.runs.len();
                batch.push(job_plan(job, plan));
                if runs >= RUNS_PER_COMMIT {
                    self.commit(lease, &std::mem::take(&mut batch)).await?;
                    runs = 0;
                }
            }
            self.commit(lease, &batch).await?;
            after = jobs.last().and_then(|job| Some((job.next_due?, job.job)));
            if is_last {
                return Ok(());
            }
        }
    }

    /// Looks at some more of the jobs that this term has not seen yet, and plans those whose stored next due instant is not what
    /// their schedule says.
    async fn review_some(&mut self, lease: &Lease) -> Result<(), StoreError> {
        let Review::Behind(behind) = self.review else {
            return Ok(());
        };
        let jobs = self
            .store
            .due_jobs(lease, Timestamp::MAX, behind, JOBS_PER_READ)
            .await?;
        let mut batch = Vec::new();
        for job in &jobs {
            match self.plan(lease, job).await? {
                Some(plan) if plan.next_due != job.next_due => batch.push(job_plan(job, plan)),
                Some(_) | None => {}
            }
        }
        if !batch.is_empty() {
            tracing::info!(
                jobs = batch.len(),
                "next due instants are not those that were stored, and are worked out anew"
            );
        }
        self.commit(lease, &batch).await?;
        let is_last = jobs.len() < JOBS_PER_READ as usize;
        let last = jobs.last().and_then(|job| Some((job.next_due?, job.job)));
        self.review = if is_last {
            Review::Done
        } else {
            Review::Behind(last)
        };
        Ok(())
    }

    async fn plan(
        &mut self,
        lease: &Lease,
        job: &JobToPlan,
    ) -> Result<Option<plan::Plan>, StoreError> {
        let key = (job.job, job.version);
        if !self.schedules.contains_key(&key) {
            match job.scheduled.schedule(job.job) {
                Ok(schedule) => {
                    if self.schedules.len() >= SCHEDULES_MAX {
                        self.schedules.clear();
                    }
                    self.schedules.insert(key, schedule);
                }
                Err(error) => {
                    tracing::error!(job.id = %job.job, %error, "a job cannot be planned and is put aside until it is saved again");
                    self.store
                        .quarantine_job(lease, job.job, job.version)
                        .await?;
                    return Ok(None);
                }
            }
        }
        let planned = self.schedules.get(&key).map(|schedule| {
            let planning = Planning {
                job: job.job,
                job_version: job.version,
                schedule,
                jitter: job.scheduled.jitter,
                start_deadline: job.scheduled.start_deadline,
                catch_up: job.scheduled.catch_up,
                agents: &job.agents,
                copies: job.processes,
                watermark: job.watermark,
            };
            plan::plan(&planning, self.clock.now(), PLAN_AHEAD)
        });
        Ok(planned)
    }

    async fn commit(&mut self, lease: &Lease, batch: &[JobPlan]) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        let committed = self.store.commit_plans(lease, batch, now).await?;
        publish_moves(&self.bus, &committed.moved);
        self.nudges.runs_planned(committed.agents);
        for job in committed.left_out {
            self.schedules.retain(|(id, _), _| *id != job);
        }
        Ok(())
    }
}

fn job_plan(job: &JobToPlan, plan: plan::Plan) -> JobPlan {
    JobPlan {
        job: job.job,
        expected_version: job.version,
        expected_watermark: job.watermark,
        plan,
    }
}

#[cfg(test)]
mod tests {
    use cronfleet_api::convert::job_spec;
    use cronfleet_core::access::Reach;
    use cronfleet_core::id::{GroupId, UserId};
    use cronfleet_store::{NewGroup, NewJob, Timing};
    use serde_json::json;

    use super::*;
    use crate::election::Election;

    /// Stores a job that is due daily, with this next due instant.
    async fn store_daily(store: &Store, group: GroupId, number: u128, next_due: Timestamp) {
        let spec = json!({
            "name": format!("job {number}"),
            "scheduled": { "expression": "@daily", "time_zone": "UTC" },
            "command": { "argv": ["/bin/true"] },
            "run_as": "app",
            "target": { "all": true },
        });
        let job = NewJob {
            id: JobId::from_u128(number),
            group,
            spec: job_spec(serde_json::from_value(spec).unwrap(), "UTC").unwrap(),
            is_paused: false,
            timing: Timing {
                next_due: Some(next_due),
                is_reboot: false,
            },
            author: UserId::from_u128(1),
        };
        store.create_job(&job, Timestamp::now()).await.unwrap();
    }

    #[tokio::test]
    async fn each_term_looks_at_every_stored_due_instant_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_sqlite(&dir.path().join("center.db"))
            .await
            .unwrap();
        let group = NewGroup {
            id: GroupId::from_u128(1),
            name: "app".to_owned(),
            description: String::new(),
            run_as: vec!["app".to_owned()],
            agents: vec![],
        };
        store.create_group(&group, Timestamp::now()).await.unwrap();
        let wrong = plan::later(Timestamp::now(), Duration::from_secs(400 * 86_400));
        let count = u128::from(JOBS_PER_READ) + 2;
        for number in 1..=count {
            store_daily(&store, group.id, number, wrong).await;
        }

        let election = Election::open(store.clone(), "here".to_owned())
            .await
            .unwrap();
        let mut planner = Planner::new(
            store.clone(),
            Nudges::default(),
            EventBus::default(),
            election.clock(),
            election.leadership(),
        );
        while !matches!(planner.review, Review::Done) || planner.term.is_none() {
            planner.round().await.unwrap();
        }
        let soon = plan::later(Timestamp::now(), Duration::from_secs(25 * 3_600));
        for number in 1..=count {
            let id = JobId::from_u128(number);
            let job = store.job(&Reach::Everything, id).await.unwrap().unwrap();
            assert!(
                job.next_due.unwrap() <= soon,
                "{number}: {:?}",
                job.next_due
            );
        }

        store_daily(&store, group.id, count + 1, wrong).await;
        planner.round().await.unwrap();
        let late = JobId::from_u128(count + 1);
        let job = store.job(&Reach::Everything, late).await.unwrap().unwrap();
        assert!(job.next_due.unwrap() > soon, "looked at again in one term");
        store.close().await.unwrap();
    }
}
