//! Planning: which runs and lapses a stretch of time asks for.
//!
//! A job's watermark says up to where every due instant is decided and recorded. Planning takes the watermark forward to the
//! horizon (`now` + plan-ahead): each due instant on the way becomes one run per target, or lies inside a lapse. The caller
//! commits runs, lapses and the new watermark in one transaction; so a crash repeats the whole or nothing.
//!
//! Due instants that are held ([`Hold`]) become no runs. They are decided only once they are due: until then whatever holds them
//! may be taken back. So lapses never lie ahead of time, and planning stops before a due instant that is held and still to come.
//!
//! What is past its start deadline is decided by the job's [`CatchUp`]. A run that is caught up keeps its due instant and may
//! start from the moment of its planning until a start deadline later. Runs of such a job that are planned late for any reason do
//! not start before that moment either: so the order of starts is that of the due instants.
//!
//! Where a job has [`jitter`](crate::jitter), each target waits for its own time after the due instant, and the start deadline counts from
//! there. A due instant is too late only once all targets are past their deadlines; a run that is planned after its own may
//! start until then. What is caught up does not wait.

use std::time::Duration;

use jiff::Timestamp;

use crate::catch_up::{CatchUp, last_until};
use crate::id::{AgentId, JobId, RunId};
use crate::run::{Cause, Reason, RunKey};
use crate::schedule::Schedule;
use crate::spread::{self, Picker};
use crate::window::{Hold, Stretch};

/// How far ahead of its due instant a run is recorded and handed to its agent.
pub const PLAN_AHEAD: Duration = Duration::from_secs(15);

/// Most runs that one call of [`plan`] makes; the rest follows in the next call.
pub const RUNS_PER_PLAN_MAX: usize = 2_000;

/// Most stretches, held and not held by turns, that one call of [`plan`] goes through; the rest follows in the next call.
pub const STRETCHES_PER_PLAN_MAX: usize = 1_000;

/// What planning needs to know about a job.
#[derive(Debug, Clone, Copy)]
pub struct Planning<'a> {
    /// Job.
    pub job: JobId,
    /// Version in force.
    pub job_version: u32,
    /// Its schedule.
    pub schedule: &'a Schedule,
    /// The longest wait of a target after a due instant.
    pub jitter: Duration,
    /// How late after that a run may start.
    pub start_deadline: Duration,
    /// What becomes of what is later than that.
    pub catch_up: CatchUp,
    /// Active agents that the target selects now, sorted, without duplicates.
    pub agents: &'a [AgentId],
    /// Who is picked among them; `None` if the job runs on each.
    pub picker: Option<&'a Picker>,
    /// Processes per agent and due instant.
    pub copies: u32,
    /// What may hold its due instants.
    pub hold: Hold<'a>,
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
    /// Whether its start deadline had passed when it was planned.
    pub is_caught_up: bool,
    /// Whether it is offered to its agent, and may be offered to another one instead.
    pub is_offer: bool,
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
            is_caught_up: false,
            is_offer: false,
            not_before,
            not_after: later(not_before, start_deadline),
        }
    }

    /// The same run for another agent, to which it is offered instead.
    pub fn offered_to(&self, agent: AgentId) -> Self {
        let key = RunKey {
            agent,
            ..self.key.clone()
        };
        Self {
            id: key.id(),
            key,
            ..self.clone()
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
    /// Set if the horizon was not reached because this due instant is held: until then there is nothing to do, unless what holds
    /// it changes.
    pub held_until: Option<Timestamp>,
}

/// Decides every due instant in (watermark, now + `plan_ahead`].
///
/// Instants whose start deadline has passed at `now` are caught up or become one lapse, as the job's catch-up says; without any
/// agent they are a lapse with reason `center_down`, and the rest becomes one with reason `no_target`, decided only once they are
/// due (an agent may come in time). Instants that are held are lapses of their own, and nothing is caught up while `now` is held.
pub fn plan(job: &Planning<'_>, now: Timestamp, plan_ahead: Duration) -> Plan {
    let horizon = later(now, plan_ahead).max(job.watermark);
    let mut plan = Plan {
        runs: Vec::new(),
        lapses: Vec::new(),
        watermark: job.watermark,
        next_due: None,
        has_more: false,
        held_until: None,
    };
    plan_overdue(job, now, &mut plan);
    if job.agents.is_empty() {
        walk(job, now, now, &mut plan, |until, plan| {
            lapse(job, until, Reason::NoTarget, plan);
        });
    } else {
        walk(job, horizon, now, &mut plan, |until, plan| {
            plan_runs(job, until, plan, |due, agent, copy| {
                let is_offer = job.picker.is_some();
                let wait = spread::wait(job.jitter, job.job, agent, copy, is_offer);
                Window::of(job, due, wait, now)
            });
        });
    }
    plan.next_due = job.schedule.next_after(plan.watermark);
    plan
}

/// Decides what is too late to start.
fn plan_overdue(job: &Planning<'_>, now: Timestamp, plan: &mut Plan) {
    let last_overdue = earlier(now, job.jitter.saturating_add(job.start_deadline));
    if last_overdue <= plan.watermark {
        return;
    }
    let catch_up = if job.agents.is_empty() || job.hold.reason_at(now).is_some() {
        CatchUp::None
    } else {
        job.catch_up
    };
    let (first, reason) =
        catch_up.first(job.schedule, &job.hold, plan.watermark, last_overdue, now);
    let until = first.map_or(last_overdue, |first| {
        earlier(first, Duration::from_micros(1)).max(plan.watermark)
    });
    walk(job, until, now, plan, |until, plan| {
        lapse(job, until, reason, plan);
    });
    if first.is_some() {
        walk(job, last_overdue, now, plan, |until, plan| {
            plan_runs(job, until, plan, |_, _, _| Window {
                is_caught_up: true,
                not_before: now,
                not_after: later(now, job.start_deadline),
            });
        });
    }
}

/// Goes on to `until`, stretch by stretch: what is held lapses once it is due, `decide` sees to what is not.
fn walk(
    job: &Planning<'_>,
    until: Timestamp,
    now: Timestamp,
    plan: &mut Plan,
    decide: impl Fn(Timestamp, &mut Plan),
) {
    let mut stretches = 0;
    while plan.watermark < until && !plan.has_more {
        if stretches == STRETCHES_PER_PLAN_MAX {
            plan.has_more = true;
            return;
        }
        stretches += 1;
        let Stretch { until, reason } = job.hold.stretch(plan.watermark, until);
        let Some(reason) = reason else {
            decide(until, plan);
            continue;
        };
        let next = job.schedule.next_after(plan.watermark);
        match next.filter(|due| *due <= until) {
            Some(due) if due > now => {
                plan.held_until = Some(due);
                return;
            }
            Some(_) => lapse(job, until.min(now), reason, plan),
            None => plan.watermark = until,
        }
    }
}

/// Moves the watermark to `until`; what is due on the way lapses. A lapse goes on where the one before it has the same reason.
fn lapse(job: &Planning<'_>, until: Timestamp, reason: Reason, plan: &mut Plan) {
    let after = std::mem::replace(&mut plan.watermark, until);
    let Some(due_from) = job.schedule.next_after(after).filter(|due| *due <= until) else {
        return;
    };
    let due_to = last_until(job.schedule, until).unwrap_or(due_from);
    let count = job.schedule.count_between(after, until, u64::MAX);
    let last_run = plan.runs.last().map(|run| run.key.due);
    if let Some(last) = plan.lapses.last_mut()
        && last.reason == reason
        && last_run.is_none_or(|due| due < last.due_from)
    {
        last.due_to = due_to;
        last.count = last.count.saturating_add(count);
        return;
    }
    plan.lapses.push(Lapse {
        due_from,
        due_to,
        count,
        reason,
    });
}

/// When a run may start.
struct Window {
    is_caught_up: bool,
    not_before: Timestamp,
    not_after: Timestamp,
}

impl Window {
    /// Of a run that is planned in time, or late within the start deadline of some target; `wait` is its own target's.
    fn of(job: &Planning<'_>, due: Timestamp, wait: Duration, now: Timestamp) -> Self {
        let begin = later(due, wait);
        let not_before = match job.catch_up {
            CatchUp::All { .. } => begin.max(now),
            CatchUp::None | CatchUp::Latest => begin,
        };
        let own_end = later(begin, job.start_deadline);
        let not_after = if own_end < now {
            later(later(due, job.jitter), job.start_deadline)
        } else {
            own_end
        };
        Self {
            is_caught_up: false,
            not_before,
            not_after,
        }
    }
}

/// Plans runs for what is due until then, as many as one call may make.
fn plan_runs(
    job: &Planning<'_>,
    until: Timestamp,
    plan: &mut Plan,
    window: impl Fn(Timestamp, AgentId, u32) -> Window,
) {
    let mut picker = job.picker.cloned();
    let agents_per_due = match &picker {
        Some(picker) => picker.runs_among(job.agents.len()),
        None => job.agents.len(),
    };
    let runs_per_due = agents_per_due * job.copies as usize;
    let room = RUNS_PER_PLAN_MAX.saturating_sub(plan.runs.len());
    // A due instant of very many targets is planned all the same, alone.
    let dues_max = (room / runs_per_due).max(usize::from(plan.runs.is_empty()));
    let mut dues = job.schedule.between(plan.watermark, until, dues_max + 1);
    plan.has_more = dues.len() > dues_max;
    dues.truncate(dues_max);
    for &due in &dues {
        for (agent, copy) in targets(job.agents, job.copies, &mut picker) {
            let Window {
                is_caught_up,
                not_before,
                not_after,
            } = window(due, agent, copy);
            let key = RunKey {
                job: job.job,
                job_version: job.job_version,
                due,
                agent,
                copy,
                attempt: 1,
                trigger: String::new(),
            };
            plan.runs.push(PlannedRun {
                id: key.id(),
                key,
                copies: job.copies,
                cause: Cause::Schedule,
                is_caught_up,
                is_offer: picker.is_some(),
                not_before,
                not_after,
            });
        }
    }
    if !plan.has_more {
        plan.watermark = until;
    } else if let Some(&last) = dues.last() {
        plan.watermark = last;
    }
}

/// The targets of a due instant: on each agent each copy, or of each copy those that are picked.
pub fn targets(
    agents: &[AgentId],
    copies: u32,
    picker: &mut Option<Picker>,
) -> Vec<(AgentId, u32)> {
    let mut targets = Vec::new();
    match picker {
        None => {
            for agent in agents {
                targets.extend((0..copies).map(|copy| (*agent, copy)));
            }
        }
        Some(picker) => {
            for copy in 0..copies {
                let picked = picker.next(&[]).into_iter();
                targets.extend(picked.map(|agent| (agent, copy)));
            }
        }
    }
    targets
}

/// `at + wait`, or the end of time.
pub fn later(at: Timestamp, wait: Duration) -> Timestamp {
    at.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// `at - wait`, or the beginning of time.
pub fn earlier(at: Timestamp, wait: Duration) -> Timestamp {
    at.checked_sub(wait).unwrap_or(Timestamp::MIN)
}
