//! Planning: which runs and lapses a stretch of time asks for.
//!
//! A job's watermark says up to where every due instant is decided and recorded. Planning takes the watermark forward to the
//! horizon (`now` + plan-ahead): each due instant on the way becomes one run per target, or lies inside a lapse. The caller
//! commits runs, lapses and the new watermark in one transaction; so a crash repeats the whole or nothing.

use std::time::Duration;

use jiff::Timestamp;

use crate::id::{AgentId, JobId, RunId};
use crate::run::{Cause, Reason, RunKey};
use crate::schedule::Schedule;

/// How far ahead of its due instant a run is recorded and handed to its agent.
pub const PLAN_AHEAD: Duration = Duration::from_secs(15);

/// Most runs that one call of [`plan`] makes; the rest follows in the next call.
pub const RUNS_PER_PLAN_MAX: usize = 2_000;

/// What planning needs to know about a job.
#[derive(Debug, Clone, Copy)]
pub struct Planning<'a> {
    /// Job.
    pub job: JobId,
    /// Version in force.
    pub job_version: u32,
    /// Its schedule.
    pub schedule: &'a Schedule,
    /// How late a run may start.
    pub start_deadline: Duration,
    /// Active agents that the target selects now, sorted, without duplicates.
    pub agents: &'a [AgentId],
    /// Processes per agent and due instant.
    pub copies: u32,
    /// Every due instant up to here is decided.
    pub watermark: Timestamp,
}

/// A run to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedRun {
    /// Id, derived from the key.
    pub id: RunId,
    /// Key.
    pub key: RunKey,
    /// Copies per agent and due instant.
    pub copies: u32,
    /// What asked for it.
    pub cause: Cause,
    /// Start not before this.
    pub not_before: Timestamp,
    /// Start not after this.
    pub not_after: Timestamp,
}

impl PlannedRun {
    /// The run of a key, with its window.
    pub fn new(
        key: RunKey,
        copies: u32,
        cause: Cause,
        not_before: Timestamp,
        start_deadline: Duration,
    ) -> Self {
        Self {
            id: key.id(),
            key,
            copies,
            cause,
            not_before,
            not_after: later(not_before, start_deadline),
        }
    }
}

/// A range of due instants that become no runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lapse {
    /// First due instant.
    pub due_from: Timestamp,
    /// Last due instant.
    pub due_to: Timestamp,
    /// How many there are.
    pub count: u64,
    /// Why.
    pub reason: Reason,
}

/// What one call of [`plan`] decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Runs to record.
    pub runs: Vec<PlannedRun>,
    /// Lapses to record.
    pub lapses: Vec<Lapse>,
    /// The new watermark, never before the old one.
    pub watermark: Timestamp,
    /// First due instant after the new watermark.
    pub next_due: Option<Timestamp>,
    /// Whether the horizon was not reached because the call would have made too many runs: call again.
    pub has_more: bool,
}

/// Decides every due instant in (watermark, now + `plan_ahead`].
///
/// Instants whose start deadline has passed at `now` become one lapse with reason `center_down`; without any agent the rest
/// becomes one lapse with reason `no_target`, decided only once they are due (an agent may come in time).
pub fn plan(job: &Planning<'_>, now: Timestamp, plan_ahead: Duration) -> Plan {
    let horizon = later(now, plan_ahead).max(job.watermark);
    let mut plan = Plan {
        runs: Vec::new(),
        lapses: Vec::new(),
        watermark: job.watermark,
        next_due: None,
        has_more: false,
    };
    plan_overdue(job, now, &mut plan);
    if job.agents.is_empty() {
        plan_without_agents(job, now, &mut plan);
    } else {
        plan_runs(job, horizon, &mut plan);
    }
    plan.next_due = job.schedule.next_after(plan.watermark);
    plan
}

/// Records what is too late to start.
fn plan_overdue(job: &Planning<'_>, now: Timestamp, plan: &mut Plan) {
    let last_overdue = earlier(now, job.start_deadline);
    if last_overdue > plan.watermark {
        lapse(job, last_overdue, Reason::CenterDown, plan);
        plan.watermark = last_overdue;
    }
}

fn plan_without_agents(job: &Planning<'_>, now: Timestamp, plan: &mut Plan) {
    if now > plan.watermark {
        lapse(job, now, Reason::NoTarget, plan);
        plan.watermark = now;
    }
}

fn lapse(job: &Planning<'_>, until: Timestamp, reason: Reason, plan: &mut Plan) {
    let Some(due_from) = job
        .schedule
        .next_after(plan.watermark)
        .filter(|due| *due <= until)
    else {
        return;
    };
    let due_to = if job.schedule.matches(until) {
        Some(until)
    } else {
        job.schedule.prev_before(until)
    };
    plan.lapses.push(Lapse {
        due_from,
        due_to: due_to.unwrap_or(due_from),
        count: job.schedule.count_between(plan.watermark, until, u64::MAX),
        reason,
    });
}

fn plan_runs(job: &Planning<'_>, horizon: Timestamp, plan: &mut Plan) {
    let runs_per_due = job.agents.len() * job.copies as usize;
    let dues_max = (RUNS_PER_PLAN_MAX / runs_per_due).max(1);
    let dues = job.schedule.between(plan.watermark, horizon, dues_max + 1);
    plan.has_more = dues.len() > dues_max;
    for &due in dues.iter().take(dues_max) {
        for &agent in job.agents {
            for copy in 0..job.copies {
                let key = RunKey {
                    job: job.job,
                    job_version: job.job_version,
                    due,
                    agent,
                    copy,
                    attempt: 1,
                    trigger: String::new(),
                };
                plan.runs.push(PlannedRun::new(
                    key,
                    job.copies,
                    Cause::Schedule,
                    due,
                    job.start_deadline,
                ));
            }
        }
    }
    plan.watermark = match dues.get(dues_max.saturating_sub(1)) {
        Some(&last) if plan.has_more => last,
        _ => horizon,
    };
}

/// `at + wait`, or the end of time.
pub fn later(at: Timestamp, wait: Duration) -> Timestamp {
    at.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// `at - wait`, or the beginning of time.
pub fn earlier(at: Timestamp, wait: Duration) -> Timestamp {
    at.checked_sub(wait).unwrap_or(Timestamp::MIN)
}
