//! What people do: create, edit, pause, resume, kill.

use cronfleet_core::id::{JobId, RunId};
use cronfleet_core::order::StopCause;
use cronfleet_core::run::{Cause, Reason, RunEvent, RunState, Step, step};
use cronfleet_core::schedule::{Context, Schedule};
use jiff::Timestamp;

use crate::calendar::Today;
use crate::center::{Revocations, creation};
use crate::database::{Change, JobRow, Row};
use crate::swarm::{Commit, JobDraw, Op};
use crate::time::{MS, SECOND};
use crate::world::{Event, Reign, ToAgent, World};

impl World {
    pub(crate) fn create_job(&mut self, job: JobId, draw: JobDraw) {
        let now = creation();
        let schedule = parse(job, &draw);
        let next_due = schedule.next_after(now);
        self.reigns.push(Reign {
            job,
            from: now,
            version: Some((1, draw.clone())),
        });
        let row = JobRow {
            versions: vec![(draw, schedule)],
            watermark: now,
            next_due,
            is_paused: false,
            snooze: None,
            held_until: None,
        };
        self.db.apply(vec![Change::Job(job, Box::new(row))]);
    }

    /// Does what a person asks for, at any center; if none answers or planning is behind, they ask again later.
    pub(crate) fn operate(&mut self, op: Op) {
        let Some(center) = self.any_center() else {
            self.after(SECOND, Event::Op(op));
            return;
        };
        let is_done = match &op {
            Op::Edit { job, draw } => {
                let mut draw = JobDraw::clone(draw);
                // A calendar is looked up when the job is saved.
                draw.today = draw.today.map(|_| self.db.today);
                self.change_job(center, *job, Reason::Superseded, |id, row| {
                    let schedule = parse(id, &draw);
                    row.versions.push((draw, schedule));
                })
            }
            Op::Pause { job } => {
                self.change_job(center, *job, Reason::Paused, |_, row| row.is_paused = true)
            }
            Op::Resume { job } => self.resume(center, *job),
            Op::Kill { luck } => self.request_kill(center, *luck),
            Op::Rest(op) => self.rest(center, *op),
            Op::Calendar { counts } => {
                self.save_calendar(center, *counts);
                true
            }
        };
        if !is_done {
            let wait = self.rng.range(50 * MS, 500 * MS);
            self.after(wait, Event::Op(op));
        }
    }

    /// Edits or pauses: one transaction that withdraws what starts after now and lets planning begin anew there.
    pub(crate) fn change_job(
        &mut self,
        center: usize,
        job: usize,
        reason: Reason,
        change: impl FnOnce(JobId, &mut JobRow),
    ) -> bool {
        let id = self.swarm.jobs[job].0;
        let now = self.center_now();
        let mut row = self.db.jobs[&id].clone();
        if reason == Reason::Paused && row.is_paused {
            return true;
        }
        if row.is_behind(now) {
            return false;
        }
        change(id, &mut row);
        row.watermark = now;
        row.next_due = None;
        row.held_until = None;
        let reign = reign(id, &row, now);
        let mut changes = Vec::new();
        let revocations = self.withdraw(id, reason, now, &mut changes);
        self.put_job(id, row, now, &mut changes);
        if !self.commit_reign(center, changes, reign) {
            return true;
        }
        for (agent, run) in revocations {
            self.hint(center, agent, ToAgent::Revoke { run, reason });
        }
        true
    }

    /// Commits a change of a job, and notes it for the checker if it happened, whether or not the center survived.
    pub(crate) fn commit_reign(
        &mut self,
        center: usize,
        changes: Vec<Change>,
        reign: Reign,
    ) -> bool {
        let crash = self.centers[center].crash_at_commit;
        let is_kept = crash.is_none_or(|(at, is_after, _)| at != Commit::Operate || is_after);
        if is_kept {
            self.note(|| format!("person: {reign:?}"));
            self.reigns.push(reign);
        }
        self.commit(center, Commit::Operate, changes)
    }

    fn withdraw(
        &mut self,
        job: JobId,
        reason: Reason,
        now: Timestamp,
        changes: &mut Vec<Change>,
    ) -> Revocations {
        let mut revocations = Revocations::new();
        for row in self
            .db
            .active_rows()
            .filter(|row| row.planned.key.job == job)
        {
            let is_scheduled = row.planned.cause == Cause::Schedule;
            let is_paused = reason == Reason::Paused;
            let is_paused_retry = is_paused && row.planned.cause == Cause::Retry;
            // Due, and waiting by the job's jitter: a pause withdraws it, a new version leaves it to the one before.
            let is_left_over = !is_paused && row.planned.key.due <= now;
            let waits = row.planned.not_before > now;
            match row.state {
                RunState::Planned if is_scheduled && row.planned.key.due > now => {
                    changes.push(Change::Delete(row.planned.id));
                    let before = self.asked_before(row);
                    changes.extend(before.into_iter().map(Change::Delete));
                }
                RunState::Planned if is_paused_retry || is_paused && is_scheduled && waits => {
                    let event = RunEvent::Withdraw(reason);
                    if let Step::Moved { next, reason } = step(row.state, row.is_refined, &event) {
                        let mut row = row.clone();
                        row.move_to(next, reason, now);
                        changes.push(Change::Update(Box::new(row)));
                    }
                }
                RunState::Offered | RunState::Dispatched | RunState::Accepted
                    if (is_scheduled && !is_left_over || is_paused_retry) && waits =>
                {
                    let mut row = row.clone();
                    row.revoke_reason = Some(reason);
                    revocations.extend(
                        self.agent_index(row.agent())
                            .map(|agent| (agent, row.planned.id)),
                    );
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

    /// Stores a job as it is now, planned anew in the same transaction: were that left to the next round, a center that dies
    /// in between would find due instants undecided whose runs agents have.
    fn put_job(&mut self, id: JobId, row: JobRow, now: Timestamp, changes: &mut Vec<Change>) {
        let change = if row.is_paused {
            Change::Job(id, Box::new(row))
        } else {
            self.plan_ahead(id, row, now, changes)
        };
        changes.push(change);
    }

    fn resume(&mut self, center: usize, job: usize) -> bool {
        let id = self.swarm.jobs[job].0;
        let now = self.center_now();
        let mut row = self.db.jobs[&id].clone();
        if !row.is_paused {
            return true;
        }
        row.is_paused = false;
        row.held_until = None;
        row.watermark = now;
        let reign = reign(id, &row, now);
        let mut changes = Vec::new();
        self.put_job(id, row, now, &mut changes);
        // What has not been given back yet is wanted again.
        for row in self.db.active_rows() {
            if row.planned.key.job == id && row.revoke_reason == Some(Reason::Paused) {
                let mut row = row.clone();
                row.revoke_reason = None;
                changes.push(Change::Update(Box::new(row)));
            }
        }
        self.commit_reign(center, changes, reign);
        true
    }

    fn request_kill(&mut self, center: usize, luck: u64) -> bool {
        let alive = |row: &&Row| row.state == RunState::Running;
        let mut runs: Vec<RunId> = self
            .db
            .active_rows()
            .filter(alive)
            .map(|row| row.planned.id)
            .collect();
        if runs.is_empty() {
            runs.extend(&self.db.active);
        }
        let Some(run) = runs
            .get((luck % runs.len().max(1) as u64) as usize)
            .copied()
        else {
            return true;
        };
        let now = self.center_now();
        let mut row = self.db.runs[&run].clone();
        row.is_kill_requested = true;
        let event = RunEvent::Withdraw(Reason::KilledBeforeStart);
        let is_sent = match step(row.state, row.is_refined, &event) {
            Step::Moved { next, reason } => {
                row.move_to(next, reason, now);
                false
            }
            Step::Stale => true,
        };
        self.note(|| format!("person: kills {run}"));
        let agent = self.agent_index(row.agent());
        if self.commit(center, Commit::Operate, vec![Change::Update(Box::new(row))])
            && let Some(agent) = agent.filter(|_| is_sent)
        {
            let cause = StopCause::Kill;
            self.hint(center, agent, ToAgent::Kill { run, cause });
        }
        true
    }
}

pub(crate) fn reign(job: JobId, row: &JobRow, from: Timestamp) -> Reign {
    let version = (!row.is_paused).then(|| (row.version(), row.current().0.clone()));
    Reign { job, from, version }
}

/// # Panics
/// The expression is refused: the simulator writes only good ones.
pub(crate) fn parse(job: JobId, draw: &JobDraw) -> Schedule {
    let context = Context {
        zone: "UTC",
        spread: job.as_uuid().as_u128(),
    };
    Schedule::parse(&draw.rhythm.expression(), &context)
        .expect("the simulator writes good expressions")
        .within(draw.active)
        .with_calendar(draw.today.map(Today::rule))
}
