//! The planner: takes every job's watermark forward, a little ahead of time.
//!
//! Each round plans every job that has a due instant within [`PLAN_AHEAD`], in transactions of many jobs. A job that cannot be
//! planned is put aside and the others go on. A round that fails is repeated; the watermark makes repeating harmless.

use std::collections::HashMap;
use std::time::Duration;

use cronfleet_core::id::JobId;
use cronfleet_core::plan::{self, PLAN_AHEAD, Planning};
use cronfleet_core::schedule::{Context, Schedule};
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
            _ => self.clock.now(),
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
        Ok(())
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
                batch.push(JobPlan {
                    job: job.job,
                    expected_version: job.version,
                    expected_watermark: job.watermark,
                    plan,
                });
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

    async fn plan(
        &mut self,
        lease: &Lease,
        job: &JobToPlan,
    ) -> Result<Option<plan::Plan>, StoreError> {
        let key = (job.job, job.version);
        if !self.schedules.contains_key(&key) {
            let context = Context {
                zone: &job.time_zone,
                spread: job.job.as_uuid().as_u128(),
            };
            match Schedule::parse(&job.expression, &context) {
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
                start_deadline: job.start_deadline,
                catch_up: job.catch_up,
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
