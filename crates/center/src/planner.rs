//! The planner: takes every job's watermark forward, a little ahead of time.
//!
//! Each round plans every job that has a due instant within [`PLAN_AHEAD`], in transactions of many jobs. A job that cannot be
//! planned is put aside and the others go on. A round that fails is repeated; the watermark makes repeating harmless.
//!
//! Stored next due instants are those that the center of their time worked out. A center with other time zone data may find others, so
//! in each term the planner goes once through all jobs and plans anew those whose next due instant differs. Jobs whose calendar has a
//! new version get new versions first ([`crate::follow`]).
//!
//! Windows are in memory and each plan is committed only if none has changed since. When one has, what was planned before and is
//! held now is taken back, and jobs that were held are looked at again; see [ADR 17](../../../docs/adr/0017-windows.md).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cronfleet_core::id::{JobId, RunId};
use cronfleet_core::plan::{self, PLAN_AHEAD, Planning};
use cronfleet_core::schedule::Schedule;
use cronfleet_core::window::Hold;
use cronfleet_store::{Conflict, JobPlan, JobToPlan, Lease, RunAhead, Store, StoreError};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::bus::EventBus;
use crate::calendars::Calendars;
use crate::election::Leadership;
use crate::fleet_clock::FleetClock;
use crate::follow;
use crate::link::desk::publish_moves;
use crate::nudge::Nudges;
use crate::windows::{Near, WindowBook, Windows};

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
/// How often a round begins anew because a window has changed meanwhile, before the next one has its turn.
const STALE_MAX: u32 = 5;
/// Runs looked at together when windows have changed.
const RUNS_PER_SWEEP: u32 = 500;
/// Windows that were made longer ago hold nothing any more that was planned before them and may still start.
const SWEPT_WITHIN: Duration = Duration::from_secs(3_600);

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
    windows: Windows,
    /// The term and the version of windows for which everything that was planned or held has been looked at.
    swept: Option<(u64, u64)>,
    calendars: Calendars,
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
            calendars: Calendars::new(store.clone()),
            windows: Windows::new(store.clone()),
            swept: None,
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
            let mut tries = 0;
            loop {
                tries += 1;
                match self.lead(&lease).await {
                    Err(StoreError::Conflict(Conflict::StaleWindows)) if tries < STALE_MAX => {}
                    done => break done?,
                }
            }
        }
        let now = self.clock.now();
        let waiting = self
            .store
            .agents_with_planned(now, plan::later(now, PLAN_AHEAD))
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
        follow::step(
            &self.store,
            &self.calendars,
            &self.nudges,
            &self.bus,
            self.clock.now(),
        )
        .await?;
        let book = self.windows.book(self.clock.now()).await?;
        let swept = Some((lease.epoch, book.version));
        let is_changed = self.swept != swept;
        if is_changed {
            self.sweep(lease, &book).await?;
        }
        self.has_more = true;
        while std::mem::take(&mut self.has_more) {
            self.plan_all(lease, &book, is_changed).await?;
        }
        self.swept = swept;
        let expired = self
            .store
            .expire_planned(lease, self.clock.now(), since, EXPIRE_MAX)
            .await?;
        publish_moves(&self.bus, &expired);
        self.review_some(lease, &book).await
    }

    /// Takes back what was planned before windows that hold it now.
    async fn sweep(&mut self, lease: &Lease, book: &WindowBook) -> Result<(), StoreError> {
        let now = self.clock.now();
        let Some(from) = book.first_made_after(plan::earlier(now, SWEPT_WITHIN)) else {
            return Ok(());
        };
        let mut after = None;
        loop {
            let runs = self.store.runs_ahead(from, after, RUNS_PER_SWEEP).await?;
            let is_held = |run: &&RunAhead| {
                let mut windows = book.of(run.group, run.job);
                windows.any(|entry| entry.window.holds_until(run.due).is_some())
            };
            let held: Vec<RunId> = runs.iter().filter(is_held).map(|run| run.run).collect();
            if !held.is_empty() {
                let withdrawn = self
                    .store
                    .freeze_runs(lease, book.version, &held, self.clock.now())
                    .await?;
                self.nudges.revoke(&withdrawn.revoke);
                publish_moves(&self.bus, &withdrawn.moved);
            }
            after = runs.last().map(|run| run.run);
            if runs.len() < RUNS_PER_SWEEP as usize {
                return Ok(());
            }
        }
    }

    /// Plans what has a due instant before the horizon; also what was held when it was planned last, if windows have changed.
    async fn plan_all(
        &mut self,
        lease: &Lease,
        book: &Arc<WindowBook>,
        is_changed: bool,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let horizon = plan::later(now, PLAN_AHEAD);
        let mut near = Near::new(Arc::clone(book), now);
        let mut after = None;
        loop {
            let jobs = self
                .store
                .due_jobs_unless_held(
                    lease,
                    horizon,
                    (!is_changed).then_some(now),
                    after,
                    JOBS_PER_READ,
                )
                .await?;
            let is_last = jobs.len() < JOBS_PER_READ as usize;
            let mut batch: Vec<JobPlan> = Vec::with_capacity(jobs.len());
            let mut runs = 0;
            for job in &jobs {
                let Some(plan) = self.plan(lease, job, &mut near).await? else {
                    continue;
                };
                if is_held_as_before(job, &plan) {
                    continue;
                }
                if plan.has_more {
                    self.has_more = true;
                }
                runs += plan.runs.len();
                batch.push(job_plan(job, plan));
                if runs >= RUNS_PER_COMMIT {
                    self.commit(lease, book, &std::mem::take(&mut batch))
                        .await?;
                    runs = 0;
                }
            }
            self.commit(lease, book, &batch).await?;
            after = jobs.last().and_then(|job| Some((job.next_due?, job.job)));
            if is_last {
                return Ok(());
            }
        }
    }

    /// Looks at some more of the jobs that this term has not seen yet, and plans those whose stored next due instant is not what
    /// their schedule says.
    async fn review_some(
        &mut self,
        lease: &Lease,
        book: &Arc<WindowBook>,
    ) -> Result<(), StoreError> {
        let Review::Behind(behind) = self.review else {
            return Ok(());
        };
        let jobs = self
            .store
            .due_jobs(lease, Timestamp::MAX, behind, JOBS_PER_READ)
            .await?;
        let mut near = Near::new(Arc::clone(book), self.clock.now());
        let mut batch = Vec::new();
        for job in &jobs {
            match self.plan(lease, job, &mut near).await? {
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
        self.commit(lease, book, &batch).await?;
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
        near: &mut Near,
    ) -> Result<Option<plan::Plan>, StoreError> {
        let key = (job.job, job.version);
        if !self.schedules.contains_key(&key) {
            let mut scheduled = job.scheduled.clone();
            self.calendars.fill_one(scheduled.calendar.as_mut()).await?;
            match scheduled.schedule(job.job) {
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
        let now = self.clock.now();
        let windows = near.of(
            job.group,
            job.job,
            job.watermark,
            plan::later(now, PLAN_AHEAD),
        );
        let planned = self.schedules.get(&key).map(|schedule| {
            let planning = Planning {
                job: job.job,
                job_version: job.version,
                schedule,
                jitter: job.scheduled.jitter,
                start_deadline: job.scheduled.start_deadline,
                catch_up: job.scheduled.catch_up,
                agents: &job.agents,
                picker: job.picker.as_ref(),
                copies: job.processes,
                hold: Hold {
                    snooze: job.snooze,
                    windows: &windows,
                },
                watermark: job.watermark,
            };
            plan::plan(&planning, now, PLAN_AHEAD)
        });
        Ok(planned)
    }

    async fn commit(
        &mut self,
        lease: &Lease,
        book: &WindowBook,
        batch: &[JobPlan],
    ) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        let committed = self
            .store
            .commit_plans(lease, book.version, batch, now)
            .await?;
        publish_moves(&self.bus, &committed.moved);
        self.nudges.runs_planned(committed.agents);
        self.nudges.offers_changed();
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
        expected_snooze: job.snooze.map(|snooze| snooze.until),
        plan,
    }
}

/// Whether a plan of a job that is held says what is on record already.
fn is_held_as_before(job: &JobToPlan, plan: &plan::Plan) -> bool {
    plan.held_until.is_some()
        && (plan.held_until, plan.watermark) == (job.held_until, job.watermark)
        && plan.runs.is_empty()
        && plan.lapses.is_empty()
}

#[cfg(test)]
mod tests {
    use cronfleet_api::convert::job_spec;
    use cronfleet_core::access::Reach;
    use cronfleet_core::id::{AgentId, GroupId, UserId, WindowId};
    use cronfleet_core::run::Reason;
    use cronfleet_store::{
        AgentFacts, NewAgent, NewGroup, NewJob, NewWindow, Timing, WindowScope, WindowSpec,
        WindowWhen,
    };
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

    /// A job that is due every second.
    async fn store_every_second(store: &Store, group: GroupId, number: u128) -> JobId {
        let spec = json!({
            "name": format!("job {number}"),
            "scheduled": { "expression": "* * * * * *", "time_zone": "UTC" },
            "command": { "argv": ["/bin/true"] },
            "run_as": "app",
            "target": { "all": true },
        });
        let now = Timestamp::now();
        let job = NewJob {
            id: JobId::from_u128(number),
            group,
            spec: job_spec(serde_json::from_value(spec).unwrap(), "UTC").unwrap(),
            is_paused: false,
            timing: Timing {
                next_due: Some(now),
                is_reboot: false,
            },
            author: UserId::from_u128(1),
        };
        store.create_job(&job, now).await.unwrap();
        job.id
    }

    /// Reasons of a job's runs.
    async fn reasons(store: &Store, job: JobId) -> Vec<Option<Reason>> {
        let filter = cronfleet_store::RunFilter {
            job: Some(job),
            ..Default::default()
        };
        let runs = store.runs(&Reach::Everything, &filter, None, 100).await;
        runs.unwrap().items.iter().map(|run| run.reason).collect()
    }

    #[tokio::test]
    async fn a_window_takes_back_what_was_planned_and_holds_the_rest_until_it_ends() {
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
        let agent = NewAgent {
            id: AgentId::from_u128(1),
            name: "web-1".to_owned(),
            key_fingerprint: "key".to_owned(),
            certificate_serial: "01".to_owned(),
            facts: AgentFacts::default(),
        };
        store
            .create_local_agent(&agent, &[group.id], Timestamp::now())
            .await
            .unwrap();
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
        let before = store_every_second(&store, group.id, 1).await;
        planner.round().await.unwrap();
        let planned = reasons(&store, before).await;
        assert!(planned.len() >= 14 && planned.iter().all(Option::is_none));

        let made = Timestamp::now();
        let window = NewWindow {
            id: WindowId::from_u128(1),
            scope: WindowScope::Fleet,
            spec: WindowSpec {
                reason: "upgrade".to_owned(),
                when: WindowWhen::Once {
                    from: made,
                    until: plan::later(made, Duration::from_secs(3_600)),
                },
            },
            author: UserId::from_u128(1),
        };
        store.create_window(&window, made).await.unwrap();
        let within = store_every_second(&store, group.id, 2).await;
        planner.round().await.unwrap();
        let swept = reasons(&store, before).await;
        let frozen = swept
            .iter()
            .filter(|reason| **reason == Some(Reason::Frozen));
        assert!(frozen.count() >= 13, "{swept:?}");
        assert_eq!(reasons(&store, within).await, []);

        store.end_window(window.id, Timestamp::now()).await.unwrap();
        planner.round().await.unwrap();
        let again = reasons(&store, within).await;
        assert!(again.len() >= 13 && again.iter().all(Option::is_none));
        store.close().await.unwrap();
    }
}
