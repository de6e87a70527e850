//! The center: planner, dispatch, intake of claims, reconciling; each decision by the product's own functions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cronfleet_core::id::{JobId, RunId};
use cronfleet_core::job::Overlap;
use cronfleet_core::order::{Claim, Order};
use cronfleet_core::plan::{PLAN_AHEAD, PlannedRun, Planning, later, plan};
use cronfleet_core::run::{Cause, Outcome, Reason, RunEvent, RunKey, RunState, Step, step};
use jiff::Timestamp;

use crate::database::{Change, JobRow, LapseRow, Row};
use crate::mutant::Mutant;
use crate::swarm::Commit;
use crate::time::{Micros, SECOND, duration, timestamp};
use crate::world::{Event, ToAgent, ToCenter, TroubleKind, World};

/// Time between two rounds of the planner.
const ROUND: Micros = SECOND;

/// Time between two looks at what a lost message may have left.
const REVIEW: Micros = 5 * SECOND;

/// The center's memory: gone when it dies.
#[derive(Debug, Default)]
pub(crate) struct Center {
    pub(crate) is_up: bool,
    /// Counts its starts.
    pub(crate) life: u32,
    up_since: Timestamp,
    /// Sessions by agent, with their epochs.
    pub(crate) sessions: BTreeMap<usize, u64>,
    /// Since when agents are out of reach.
    offline_since: BTreeMap<usize, Micros>,
    /// It dies just before or after its next commit, for so long.
    pub(crate) crash_at_commit: Option<(Commit, bool, Micros)>,
}

impl Center {
    pub(crate) fn die(&mut self) {
        self.is_up = false;
        self.life += 1;
        self.sessions.clear();
        self.offline_since.clear();
    }
}

/// Rows and changes of one transaction: reads see its own writes.
struct Transaction {
    rows: BTreeMap<RunId, Row>,
    fresh: Vec<Row>,
}

impl World {
    pub(crate) fn center_up(&mut self) {
        if self.center.is_up {
            return;
        }
        self.center.is_up = true;
        self.center.life += 1;
        self.center.up_since = self.center_now();
        self.note(|| "center: starts".to_owned());
        for agent in 0..self.agents.len() {
            self.center.offline_since.insert(agent, self.now);
        }
        if self.is(Mutant::PlansFromNow) {
            self.skip_to_now();
        }
        let life = self.center.life;
        self.planner_round(life);
        self.after(REVIEW, Event::Review { life });
    }

    fn skip_to_now(&mut self) {
        let now = self.center_now();
        let jobs = self.db.jobs.iter().map(|(id, job)| {
            let next_due = job.current().1.next_after(now).filter(|_| !job.is_paused);
            Change::Job(
                *id,
                Box::new(JobRow {
                    watermark: now,
                    next_due,
                    ..job.clone()
                }),
            )
        });
        let changes = jobs.collect();
        self.commit(Commit::Plan, changes);
    }

    /// Commits a transaction; answers whether the center lives on to act on it.
    pub(crate) fn commit(&mut self, commit: Commit, changes: Vec<Change>) -> bool {
        match self
            .center
            .crash_at_commit
            .take_if(|(at, ..)| *at == commit)
        {
            None => {
                self.db.apply(changes);
                true
            }
            Some((_, is_after, down)) => {
                if is_after {
                    self.db.apply(changes);
                }
                self.note(|| {
                    format!(
                        "center: dies {} its commit",
                        if is_after { "after" } else { "before" }
                    )
                });
                self.crash_center(down);
                false
            }
        }
    }

    pub(crate) fn planner_round(&mut self, life: u32) {
        if !self.center.is_up || self.center.life != life {
            return;
        }
        if !self.plan_jobs() || !self.expire() || !self.lose_unreachable() {
            return;
        }
        let agents: Vec<usize> = self.center.sessions.keys().copied().collect();
        for agent in agents {
            if !self.hand_out(agent) {
                return;
            }
        }
        self.after(ROUND, Event::PlannerRound { life });
    }

    /// Plans every job up to the horizon, in transactions of all jobs, until nothing is left.
    fn plan_jobs(&mut self) -> bool {
        loop {
            let now = self.center_now();
            let horizon = later(now, PLAN_AHEAD);
            let due: Vec<JobId> = self
                .db
                .jobs
                .iter()
                .filter(|(_, job)| job.next_due.is_some_and(|due| due <= horizon))
                .map(|(id, _)| *id)
                .collect();
            if due.is_empty() {
                return true;
            }
            let (mut watermarks, mut rows) = (Vec::new(), Vec::new());
            for job in due {
                self.plan_job(job, now, &mut watermarks, &mut rows);
            }
            let is_committed = if self.is(Mutant::WatermarkFirst) {
                self.commit(Commit::Plan, watermarks) && self.commit(Commit::Plan, rows)
            } else {
                watermarks.extend(rows);
                self.commit(Commit::Plan, watermarks)
            };
            if !is_committed {
                return false;
            }
        }
    }

    fn plan_job(
        &mut self,
        id: JobId,
        now: Timestamp,
        watermarks: &mut Vec<Change>,
        rows: &mut Vec<Change>,
    ) {
        let job = self.db.jobs[&id].clone();
        watermarks.push(self.plan_ahead(id, job, now, rows));
    }

    /// Plans a job as it is about to be.
    pub(crate) fn plan_ahead(
        &mut self,
        id: JobId,
        job: JobRow,
        now: Timestamp,
        rows: &mut Vec<Change>,
    ) -> Change {
        let (draw, schedule) = job.current();
        let planning = Planning {
            job: id,
            job_version: job.version(),
            schedule,
            start_deadline: draw.start_deadline,
            agents: &draw.agents,
            copies: draw.copies,
            watermark: job.watermark,
        };
        let plan = plan(&planning, now, PLAN_AHEAD);
        for planned in plan.runs {
            rows.push(Change::Insert(Box::new(self.new_row(planned, now))));
        }
        for lapse in plan.lapses {
            self.note(|| format!("center: lapse {lapse:?}"));
            rows.push(Change::Lapse(LapseRow { job: id, lapse }));
        }
        let next = JobRow {
            watermark: plan.watermark,
            next_due: plan.next_due,
            ..job
        };
        Change::Job(id, Box::new(next))
    }

    /// A planned run; what older versions' runs of the same due instant mean for it. All of them count: the last version may
    /// have been superseded before anything of it was sent.
    fn new_row(&self, planned: PlannedRun, now: Timestamp) -> Row {
        let mut row = Row::new(planned, now);
        if self.is(Mutant::EditsWithoutWaiting) {
            return row;
        }
        let key = row.planned.key.clone();
        for version in 1..key.job_version {
            let older = RunKey {
                job_version: version,
                ..key.clone()
            };
            let Some(older) = self.db.runs.get(&older.id()) else {
                continue;
            };
            match older.state {
                RunState::Dispatched | RunState::Accepted => {
                    row.after_run = Some(older.planned.id);
                    row.has_waited = true;
                }
                RunState::Ended(outcome) if !was_started(outcome) => {}
                RunState::Running | RunState::Ended(_) => {
                    row.move_to(
                        RunState::Ended(Outcome::Skipped),
                        Some(Reason::Superseded),
                        now,
                    );
                    return row;
                }
                RunState::Planned => {}
            }
        }
        row
    }

    /// Ends what was never sent and is too late now.
    fn expire(&mut self) -> bool {
        let now = self.center_now();
        let too_much = self.is(Mutant::MissesWhatWasSent);
        let mut changes = Vec::new();
        for row in self
            .db
            .active_rows()
            .filter(|row| row.planned.not_after < now)
        {
            let is_down = row.planned.not_after < self.center.up_since;
            let reason = if is_down {
                Reason::CenterDown
            } else {
                Reason::AgentOffline
            };
            let state = if too_much && row.state == RunState::Dispatched {
                RunState::Planned
            } else {
                row.state
            };
            if let Step::Moved { next, reason } =
                step(state, row.is_refined, &RunEvent::Expire(reason))
            {
                let mut row = row.clone();
                row.move_to(next, reason, now);
                changes.push(Change::Update(Box::new(row)));
            }
        }
        changes.is_empty() || self.commit(Commit::Expire, changes)
    }

    /// Gives up runs whose agent has been away for too long.
    fn lose_unreachable(&mut self) -> bool {
        let now = self.center_now();
        let lost_after = self.swarm.lost_after;
        let gone: Vec<usize> = self
            .center
            .offline_since
            .iter()
            .filter(|(agent, since)| {
                !self.center.sessions.contains_key(agent) && self.now - **since > lost_after
            })
            .map(|(agent, _)| *agent)
            .collect();
        let claim = Claim::Lost {
            reason: Reason::AgentGone,
            start: None,
        };
        let mut tx = Transaction {
            rows: BTreeMap::new(),
            fresh: Vec::new(),
        };
        for agent in gone {
            let id = self.agents[agent].id;
            let runs: Vec<RunId> = self
                .db
                .active_rows()
                .filter(|row| row.agent() == id)
                .map(|row| row.planned.id)
                .collect();
            for run in runs {
                self.apply_claim(&mut tx, run, &claim, now);
            }
        }
        self.commit_rows(tx)
    }

    /// Commits planned runs of an agent as dispatched, then sends their orders.
    fn hand_out(&mut self, agent: usize) -> bool {
        let id = self.agents[agent].id;
        let now = self.center_now();
        let until = later(now, PLAN_AHEAD);
        let mut rows: Vec<Row> = self
            .db
            .active_rows()
            .filter(|row| {
                row.agent() == id && row.after_run.is_none() && row.planned.not_before <= until
            })
            .filter(|row| row.state == RunState::Planned)
            .cloned()
            .collect();
        if rows.is_empty() {
            return true;
        }
        rows.sort_by_key(|row| {
            (
                row.planned.not_before,
                row.planned.key.due,
                row.planned.key.attempt,
            )
        });
        let orders = rows.iter().map(|row| self.order(row)).collect();
        let is_early = self.is(Mutant::SendsBeforeCommit);
        if is_early {
            self.send_to_agent(agent, ToAgent::Orders(Vec::clone(&orders)));
        }
        let changes = rows.into_iter().filter_map(|mut row| {
            let Step::Moved { next, reason } = step(row.state, row.is_refined, &RunEvent::Dispatch)
            else {
                return None;
            };
            row.move_to(next, reason, now);
            Some(Change::Update(Box::new(row)))
        });
        let changes = changes.collect();
        if !self.commit(Commit::Dispatch, changes) {
            return false;
        }
        if !is_early {
            self.send_to_agent(agent, ToAgent::Orders(orders));
        }
        true
    }

    fn order(&self, row: &Row) -> Arc<Order> {
        let PlannedRun {
            id,
            key,
            copies,
            not_before,
            not_after,
            ..
        } = &row.planned;
        let draw = self.db.jobs[&key.job].draw(key.job_version);
        let is_wide = self.is(Mutant::IgnoresWindow);
        Arc::new(Order {
            run: *id,
            job: key.job,
            job_name: "job".to_owned(),
            job_version: key.job_version,
            copy: key.copy,
            copies: *copies,
            attempt: key.attempt,
            due: key.due,
            not_before: *not_before,
            not_after: if is_wide {
                later(*not_after, duration(3_600 * SECOND))
            } else {
                *not_after
            },
            overlap: if self.is(Mutant::AllowsOverlap) {
                Overlap::Allow
            } else {
                draw.overlap
            },
            timeout: draw.timeout,
            launch: draw.launch.clone(),
        })
    }

    /// Opens a session; answers whether it worked.
    pub(crate) fn open_session(&mut self, agent: usize) -> bool {
        let id = self.agents[agent].id;
        let epoch = self.db.session_epochs.get(&id).copied().unwrap_or(0) + 1;
        if !self.commit(Commit::Session, vec![Change::SessionEpoch(id, epoch)]) {
            return false;
        }
        self.links[agent].epoch = epoch;
        self.links[agent].is_cut = false;
        self.center.sessions.insert(agent, epoch);
        self.center.offline_since.remove(&agent);
        self.send_to_agent(agent, ToAgent::Welcome);
        self.reconcile(agent);
        true
    }

    /// Settles the difference between what the agent is expected to hold and what it may hold.
    fn reconcile(&mut self, agent: usize) {
        let id = self.agents[agent].id;
        let mut rows: Vec<Row> = self
            .db
            .active_rows()
            .filter(|row| row.agent() == id && row.state != RunState::Planned)
            .cloned()
            .collect();
        rows.sort_by_key(|row| {
            (
                row.planned.not_before,
                row.planned.key.due,
                row.planned.key.attempt,
            )
        });
        let again = rows
            .iter()
            .filter(|row| row.state == RunState::Dispatched && row.revoke_reason.is_none());
        let orders: Vec<Arc<Order>> = again.map(|row| self.order(row)).collect();
        if !orders.is_empty() {
            self.send_to_agent(agent, ToAgent::Orders(orders));
        }
        for row in rows {
            let run = row.planned.id;
            if row.state != RunState::Dispatched {
                self.send_to_agent(agent, ToAgent::Inquiry(run));
            }
            self.repeat_wishes(agent, &row);
        }
        self.hand_out(agent);
    }

    /// Says again what is wanted of a run that the agent has.
    fn repeat_wishes(&mut self, agent: usize, row: &Row) {
        let run = row.planned.id;
        if let Some(reason) = row.revoke_reason {
            self.send_to_agent(agent, ToAgent::Revoke { run, reason });
        }
        if row.is_kill_requested {
            self.send_to_agent(agent, ToAgent::Kill(run));
        }
    }

    pub(crate) fn review(&mut self, life: u32) {
        if !self.center.is_up || self.center.life != life {
            return;
        }
        let agents: Vec<usize> = self.center.sessions.keys().copied().collect();
        for agent in agents {
            let id = self.agents[agent].id;
            let rows: Vec<Row> = self
                .db
                .active_rows()
                .filter(|row| row.agent() == id && row.state != RunState::Planned)
                .cloned()
                .collect();
            for row in rows {
                self.repeat_wishes(agent, &row);
            }
        }
        self.after(REVIEW, Event::Review { life });
    }

    pub(crate) fn center_loses(&mut self, agent: usize, epoch: u64) {
        if self.center.sessions.get(&agent) == Some(&epoch) {
            self.center.sessions.remove(&agent);
            self.center.offline_since.insert(agent, self.now);
            self.trouble(TroubleKind::Offline, Some(agent), 5 * SECOND);
        }
    }

    pub(crate) fn center_receives(&mut self, agent: usize, epoch: u64, message: ToCenter) {
        if !self.center.is_up || self.center.sessions.get(&agent) != Some(&epoch) {
            return;
        }
        let ToCenter::Claims { sequence, claims } = message;
        let now = self.center_now();
        let mut tx = Transaction {
            rows: BTreeMap::new(),
            fresh: Vec::new(),
        };
        for (run, claim) in &claims {
            self.apply_claim(&mut tx, *run, claim, now);
        }
        // Retries, and runs that waited for an older version's, may be sent now.
        let has_new =
            !tx.fresh.is_empty() || tx.rows.values().any(|row| row.state == RunState::Planned);
        if !self.commit_rows(tx) {
            return;
        }
        self.send_to_agent(agent, ToAgent::Ack(sequence));
        let agents: Vec<usize> = self
            .center
            .sessions
            .keys()
            .copied()
            .filter(|_| has_new)
            .collect();
        for agent in agents {
            if !self.hand_out(agent) {
                return;
            }
        }
    }

    fn commit_rows(&mut self, tx: Transaction) -> bool {
        if tx.rows.is_empty() && tx.fresh.is_empty() {
            return true;
        }
        for row in tx.rows.values() {
            self.note(|| {
                format!(
                    "center: {} is {:?} {:?}",
                    row.planned.id, row.state, row.reason
                )
            });
        }
        let moved = tx
            .rows
            .into_values()
            .map(|row| Change::Update(Box::new(row)));
        let fresh = tx
            .fresh
            .into_iter()
            .map(|row| Change::Insert(Box::new(row)));
        let changes = moved.chain(fresh).collect();
        self.commit(Commit::Claims, changes)
    }

    /// Applies one claim: the run, its retry, and what waited for it.
    fn apply_claim(&mut self, tx: &mut Transaction, run: RunId, claim: &Claim, now: Timestamp) {
        let Some(mut row) = tx
            .rows
            .get(&run)
            .or_else(|| self.db.runs.get(&run))
            .cloned()
        else {
            return;
        };
        let Step::Moved { next, reason } = step(row.state, row.is_refined, &RunEvent::Claim(claim))
        else {
            return;
        };
        let is_first_end = !row.state.is_ended();
        row.move_to(next, reason, now);
        row.start = claim_start(claim).or(row.start);
        if is_first_end {
            tx.fresh.extend(self.retry(&row, now));
        }
        let is_edited = self.db.jobs[&row.planned.key.job].version() > 1;
        let waiting: Vec<Row> = self
            .db
            .active_rows()
            .filter(|other| is_edited && other.after_run == Some(run))
            .cloned()
            .collect();
        for mut other in waiting {
            match row.state {
                RunState::Ended(outcome) if !was_started(outcome) => other.after_run = None,
                RunState::Running | RunState::Ended(_) => {
                    let event = RunEvent::Withdraw(Reason::Superseded);
                    if let Step::Moved { next, reason } =
                        step(other.state, other.is_refined, &event)
                    {
                        other.move_to(next, reason, now);
                    }
                }
                RunState::Planned | RunState::Dispatched | RunState::Accepted => {}
            }
            tx.rows.insert(other.planned.id, other);
        }
        tx.rows.insert(run, row);
    }

    /// The next attempt of a run that ended badly.
    fn retry(&mut self, row: &Row, now: Timestamp) -> Option<Row> {
        let is_wanted = match row.state {
            RunState::Ended(Outcome::Failed | Outcome::TimedOut) => true,
            RunState::Ended(Outcome::Lost) => self.is(Mutant::RetriesLost),
            _ => false,
        };
        let key = &row.planned.key;
        let job = &self.db.jobs[&key.job];
        let draw = job.draw(key.job_version);
        if !is_wanted || job.is_paused || key.attempt >= draw.retry.attempts_max {
            return None;
        }
        let wait = draw.retry.backoff.wait(key.attempt, self.rng.unit());
        let key = RunKey {
            attempt: key.attempt + 1,
            ..key.clone()
        };
        let planned = PlannedRun::new(
            key,
            row.planned.copies,
            Cause::Retry,
            later(now, wait),
            draw.start_deadline,
        );
        Some(Row::new(planned, now))
    }
}

/// Whether a run with this outcome was, or may have been, started.
const fn was_started(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Skipped | Outcome::Missed => false,
        Outcome::Succeeded
        | Outcome::Failed
        | Outcome::Killed
        | Outcome::TimedOut
        | Outcome::Lost => true,
    }
}

const fn claim_start(claim: &Claim) -> Option<cronfleet_core::order::Start> {
    match claim {
        Claim::Running(start) => Some(*start),
        Claim::Ended { start, .. } | Claim::Lost { start, .. } => *start,
        Claim::Accepted | Claim::Refused { .. } => None,
    }
}

/// Revocations by agent, to be sent after the commit.
pub(crate) type Revocations = BTreeSet<(usize, RunId)>;

/// The beginning of everything.
pub(crate) fn creation() -> Timestamp {
    timestamp(0)
}
