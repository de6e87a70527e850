//! Time in which nothing is to start: windows and snoozes come and go.

use cronfleet_core::id::JobId;
use cronfleet_core::plan::Plan;
use cronfleet_core::run::{Cause, Reason, RunEvent, RunState, Step, step};
use cronfleet_core::schedule::{Context, Schedule};
use cronfleet_core::window::{Hold, Snooze, Window, WindowTime};
use jiff::Timestamp;

use crate::center::Revocations;
use crate::database::{Change, JobRow, Row};
use crate::mutant::Mutant;
use crate::swarm::Commit;
use crate::time::{Micros, SECOND, duration};
use crate::world::{ToAgent, World};

/// When nothing is to start, in numbers that the checker understands without the product's code.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RestTime {
    /// From one instant until just before another.
    Once { from: Timestamp, until: Timestamp },
    /// From each whole multiple of so many seconds since the epoch.
    Every { seconds: i64, lasts: Micros },
}

/// A window of a job or of the whole fleet, or the snooze of a job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rest {
    /// What a person calls it.
    pub(crate) name: u64,
    pub(crate) reason: Reason,
    pub(crate) job: Option<JobId>,
    pub(crate) time: RestTime,
    pub(crate) since: Timestamp,
    pub(crate) ended: Option<Timestamp>,
}

impl Rest {
    /// Whether it holds an instant while it is in force, told by arithmetic alone.
    pub(crate) fn covers(&self, at: Timestamp) -> bool {
        match self.time {
            RestTime::Once { from, until } => from <= at && at < until,
            RestTime::Every { seconds, lasts } => {
                at.as_microsecond().rem_euclid(seconds * SECOND) < lasts
            }
        }
    }

    /// Whether it holds what is due then.
    pub(crate) fn holds(&self, job: JobId, due: Timestamp) -> bool {
        let is_in_force = self.since < due && self.ended.is_none_or(|ended| due <= ended);
        self.job.is_none_or(|own| own == job) && is_in_force && self.covers(due)
    }

    /// As the product takes it.
    ///
    /// # Panics
    /// The expression is refused: the simulator writes only good ones.
    fn window(&self) -> Window {
        let time = match self.time {
            RestTime::Once { from, until } => WindowTime::Once { from, until },
            RestTime::Every { seconds, lasts } => {
                let context = Context {
                    zone: "UTC",
                    spread: 0,
                };
                let begins = Schedule::parse(&format!("@every {seconds}s"), &context)
                    .expect("the simulator writes good expressions");
                WindowTime::Recurring {
                    begins: Box::new(begins),
                    lasts: duration(lasts),
                }
            }
        };
        Window {
            time,
            since: self.since,
            ended: self.ended,
        }
    }
}

/// What a person does about it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RestOp {
    /// Makes a window of a job or of the fleet.
    Freeze {
        name: u64,
        job: Option<usize>,
        time: RestTime,
    },
    /// Ends a window.
    Thaw { name: u64 },
    /// Snoozes a job for so long.
    Snooze { job: usize, length: Micros },
    /// Ends the snooze of a job.
    Wake { job: usize },
}

impl World {
    /// Does it at a center; answers whether it need not be asked for again.
    pub(crate) fn rest(&mut self, center: usize, op: RestOp) -> bool {
        let now = self.center_now();
        match op {
            RestOp::Freeze { name, job, time } => {
                let rest = Rest {
                    name,
                    reason: Reason::Frozen,
                    job: job.map(|job| self.swarm.jobs[job].0),
                    time,
                    since: now,
                    ended: None,
                };
                self.note(|| format!("person: {rest:?}"));
                self.commit(center, Commit::Operate, vec![Change::Rest(rest)]);
                true
            }
            RestOp::Thaw { name } => {
                self.note(|| format!("person: ends window {name}"));
                let change = Change::RestOver(Reason::Frozen, name, now);
                self.commit(center, Commit::Operate, vec![change]);
                true
            }
            RestOp::Snooze { job, length } => self.snooze(center, job, length, now),
            RestOp::Wake { job } => self.wake(center, job, now),
        }
    }

    fn snooze(&mut self, center: usize, job: usize, length: Micros, now: Timestamp) -> bool {
        let id = self.swarm.jobs[job].0;
        let mut row = self.db.jobs[&id].clone();
        if row.is_behind(now) {
            return false;
        }
        let until = now + duration(length);
        row.snooze = Some(Snooze { since: now, until });
        row.held_until = None;
        let rest = Rest {
            name: job as u64,
            reason: Reason::Snoozed,
            job: Some(id),
            time: RestTime::Once { from: now, until },
            since: now,
            ended: None,
        };
        self.note(|| format!("person: {rest:?}"));
        let mut changes = vec![
            Change::RestOver(Reason::Snoozed, rest.name, now),
            Change::Rest(rest),
            Change::Job(id, Box::new(row)),
        ];
        let is_in_it = |row: &Row| row.planned.key.job == id && row.planned.not_before < until;
        let revocations = self.take_back(Reason::Snoozed, is_in_it, now, &mut changes);
        if self.commit(center, Commit::Operate, changes) {
            self.revoke(center, revocations, Reason::Snoozed);
        }
        true
    }

    fn wake(&mut self, center: usize, job: usize, now: Timestamp) -> bool {
        let id = self.swarm.jobs[job].0;
        let mut row = self.db.jobs[&id].clone();
        if row.snooze.is_none() {
            return true;
        }
        if row.is_behind(now) {
            return false;
        }
        row.snooze = None;
        row.held_until = None;
        let mut changes = vec![
            Change::RestOver(Reason::Snoozed, job as u64, now),
            Change::Job(id, Box::new(row)),
        ];
        for row in self.db.active_rows() {
            if row.planned.key.job == id && row.revoke_reason == Some(Reason::Snoozed) {
                let mut row = row.clone();
                row.revoke_reason = None;
                changes.push(Change::Update(Box::new(row)));
            }
        }
        self.note(|| format!("person: wakes {id}"));
        self.commit(center, Commit::Operate, changes);
        true
    }

    /// Takes back what was planned before windows that hold it now; answers whether the center lives on.
    pub(crate) fn sweep(&mut self, center: usize, epoch: u64) -> bool {
        if self.is(Mutant::IgnoresWindows) {
            return true;
        }
        if !self.passes_fence(center, epoch) {
            return false;
        }
        let now = self.center_now();
        let rests = self.db.rests.clone();
        let is_held = |row: &Row| {
            let key = &row.planned.key;
            let mut windows = rests.iter().filter(|rest| rest.reason == Reason::Frozen);
            windows.any(|rest| rest.holds(key.job, key.due))
        };
        let mut changes = Vec::new();
        let revocations = self.take_back(Reason::Frozen, is_held, now, &mut changes);
        if changes.is_empty() {
            return true;
        }
        let is_kept = self.commit(center, Commit::Plan, changes);
        if is_kept {
            self.revoke(center, revocations, Reason::Frozen);
        }
        is_kept
    }

    /// Ends what was never sent of the chosen runs, and asks back what starts after now.
    fn take_back(
        &self,
        reason: Reason,
        is_chosen: impl Fn(&Row) -> bool,
        now: Timestamp,
        changes: &mut Vec<Change>,
    ) -> Revocations {
        let mut revocations = Revocations::new();
        for row in self.db.active_rows().filter(|row| is_chosen(row)) {
            let mut row = row.clone();
            let is_concerned = match row.planned.cause {
                Cause::Schedule => true,
                Cause::Retry => reason == Reason::Snoozed,
                Cause::Manual | Cause::Reboot => false,
            };
            let is_ahead = row.planned.cause == Cause::Retry
                || reason == Reason::Frozen
                || row.planned.key.due > now;
            match row.state {
                RunState::Planned if is_concerned && is_ahead => {
                    let event = RunEvent::Withdraw(reason);
                    if let Step::Moved { next, reason } = step(row.state, row.is_refined, &event) {
                        row.move_to(next, reason, now);
                        changes.push(Change::Update(Box::new(row)));
                    }
                }
                RunState::Offered | RunState::Dispatched | RunState::Accepted
                    if is_concerned && row.planned.not_before > now =>
                {
                    row.revoke_reason = Some(reason);
                    let agent = self.agent_index(row.agent());
                    revocations.extend(agent.map(|agent| (agent, row.planned.id)));
                    changes.push(Change::Update(Box::new(row)));
                }
                RunState::Planned
                | RunState::Offered
                | RunState::Dispatched
                | RunState::Accepted
                | RunState::Running
                | RunState::Ended(_) => {}
            }
        }
        revocations
    }

    fn revoke(&mut self, center: usize, revocations: Revocations, reason: Reason) {
        for (agent, run) in revocations {
            self.hint(center, agent, ToAgent::Revoke { run, reason });
        }
    }

    /// Decides with what may hold the job's due instants.
    pub(crate) fn with_hold<T>(
        &self,
        id: JobId,
        job: &JobRow,
        decide: impl FnOnce(Hold<'_>) -> T,
    ) -> T {
        let is_ignored = self.is(Mutant::IgnoresWindows);
        let windows: Vec<Window> = self
            .db
            .rests
            .iter()
            .filter(|rest| rest.reason == Reason::Frozen && !is_ignored)
            .filter(|rest| rest.job.is_none_or(|own| own == id))
            .map(Rest::window)
            .collect();
        let windows: Vec<&Window> = windows.iter().collect();
        decide(Hold {
            snooze: job.snooze.filter(|_| !self.is(Mutant::IgnoresSnooze)),
            windows: &windows,
        })
    }
}

/// Whether a plan of a job that is held says what is on record already.
pub(crate) fn is_held_as_before(job: &JobRow, plan: &Plan) -> bool {
    plan.held_until.is_some()
        && (plan.held_until, plan.watermark) == (job.held_until, job.watermark)
        && plan.runs.is_empty()
        && plan.lapses.is_empty()
}
