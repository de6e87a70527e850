//! The model of the center's database: rows, and transactions that happen as a whole or not at all.

use std::collections::{BTreeMap, BTreeSet};

use cronfleet_core::id::{AgentId, JobId, RunId};
use cronfleet_core::order::Start;
use cronfleet_core::plan::{Lapse, PlannedRun};
use cronfleet_core::run::{Reason, RunState};
use cronfleet_core::schedule::Schedule;
use cronfleet_core::window::Snooze;
use jiff::Timestamp;

use crate::calendar::Today;
use crate::rest::Rest;
use crate::swarm::JobDraw;
use crate::time::Micros;

/// A run.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) planned: PlannedRun,
    pub(crate) state: RunState,
    pub(crate) reason: Option<Reason>,
    pub(crate) is_refined: bool,
    pub(crate) start: Option<Start>,
    pub(crate) revoke_reason: Option<Reason>,
    pub(crate) is_kill_requested: bool,
    /// Of an offer: whether its agent has it in its ledger.
    pub(crate) is_accepted: bool,
    /// Of an offer: why its agent will not start it.
    pub(crate) refused: Option<Reason>,
    /// The run of an older version whose fate decides about this one.
    pub(crate) after_run: Option<RunId>,
    /// Whether it ever waited for one.
    pub(crate) has_waited: bool,
    /// Every state it went through, and when.
    pub(crate) history: Vec<(Timestamp, RunState, Option<Reason>)>,
}

impl Row {
    pub(crate) fn new(planned: PlannedRun, now: Timestamp) -> Self {
        Self {
            planned,
            state: RunState::Planned,
            reason: None,
            is_refined: false,
            start: None,
            revoke_reason: None,
            is_kill_requested: false,
            is_accepted: false,
            refused: None,
            after_run: None,
            has_waited: false,
            history: vec![(now, RunState::Planned, None)],
        }
    }

    pub(crate) fn agent(&self) -> AgentId {
        self.planned.key.agent
    }

    /// Moves it, as [`cronfleet_core::run::step`] decided.
    pub(crate) fn move_to(&mut self, next: RunState, reason: Option<Reason>, now: Timestamp) {
        self.is_refined = self.state.is_ended();
        self.state = next;
        self.reason = reason;
        self.history.push((now, next, reason));
    }
}

/// A job.
#[derive(Debug, Clone)]
pub(crate) struct JobRow {
    /// Version 1 comes first.
    pub(crate) versions: Vec<(JobDraw, Schedule)>,
    pub(crate) watermark: Timestamp,
    pub(crate) next_due: Option<Timestamp>,
    pub(crate) is_paused: bool,
    pub(crate) snooze: Option<Snooze>,
    /// What is due next is held: there is nothing to decide before.
    pub(crate) held_until: Option<Timestamp>,
}

impl JobRow {
    pub(crate) fn version(&self) -> u32 {
        self.versions.len() as u32
    }

    /// The version in force.
    pub(crate) fn current(&self) -> &(JobDraw, Schedule) {
        &self.versions[self.versions.len() - 1]
    }

    /// Whether due instants up to `now` are not decided yet.
    pub(crate) fn is_behind(&self, now: Timestamp) -> bool {
        self.watermark < now && self.next_due.is_some_and(|due| due <= now)
    }

    /// What a run of this version was asked to be.
    pub(crate) fn draw(&self, version: u32) -> &JobDraw {
        &self.versions[version as usize - 1].0
    }
}

/// A committed lapse.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LapseRow {
    pub(crate) job: JobId,
    pub(crate) lapse: Lapse,
    /// The moment at which it was decided.
    pub(crate) decided_at: Timestamp,
}

/// One write of a transaction.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// Inserts a run, unless it is there.
    Insert(Box<Row>),
    Update(Box<Row>),
    Delete(RunId),
    Job(JobId, Box<JobRow>),
    Lapse(LapseRow),
    /// A window or a snooze.
    Rest(Rest),
    /// A version of the calendar.
    Today(Today),
    /// The one for this reason and with this name, if there is one, is in force no longer.
    RestOver(Reason, u64, Timestamp),
    /// A session with a center of this number in this life of it.
    Session(AgentId, Session),
    /// The session with this epoch is over.
    SessionOver(AgentId, u64, Micros),
    Lease(Lease),
}

/// Who may plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Lease {
    /// The last holder: a center and its life; nobody before the first term.
    pub(crate) holder: Option<(usize, u32)>,
    /// Grows with every term.
    pub(crate) epoch: u64,
    pub(crate) expires_at: Micros,
}

/// The newest session of an agent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Session {
    pub(crate) epoch: u64,
    pub(crate) center: usize,
    pub(crate) life: u32,
    /// Since when nobody has heard of the agent.
    pub(crate) over_since: Option<Micros>,
}

/// What has been committed.
#[derive(Debug, Default)]
pub(crate) struct Database {
    pub(crate) jobs: BTreeMap<JobId, JobRow>,
    pub(crate) runs: BTreeMap<RunId, Row>,
    /// Runs that have not ended.
    pub(crate) active: BTreeSet<RunId>,
    pub(crate) lapses: Vec<LapseRow>,
    /// Windows and snoozes, also those that are over.
    pub(crate) rests: Vec<Rest>,
    /// The calendar in force.
    pub(crate) today: Today,
    /// Grows with every change of a window.
    pub(crate) windows_version: u64,
    pub(crate) sessions: BTreeMap<AgentId, Session>,
    pub(crate) lease: Lease,
    /// Epoch and holder of every transaction of a planner, in their order.
    pub(crate) fenced: Vec<(u64, (usize, u32))>,
    /// It does not answer until then.
    pub(crate) down_until: Micros,
}

impl Database {
    /// Commits a transaction.
    pub(crate) fn apply(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Insert(row) => {
                    if !self.runs.contains_key(&row.planned.id) {
                        self.put(*row);
                    }
                }
                Change::Update(row) => self.put(*row),
                Change::Delete(run) => {
                    self.runs.remove(&run);
                    self.active.remove(&run);
                }
                Change::Job(job, row) => {
                    self.jobs.insert(job, *row);
                }
                Change::Lapse(lapse) => self.lapses.push(lapse),
                Change::Today(today) => self.today = today,
                Change::Rest(rest) => {
                    self.windows_version += u64::from(rest.reason == Reason::Frozen);
                    self.rests.push(rest);
                }
                Change::RestOver(reason, name, at) => {
                    self.windows_version += u64::from(reason == Reason::Frozen);
                    let mut rests = self.rests.iter_mut();
                    let found = rests
                        .find(|rest| (rest.reason, rest.name, rest.ended) == (reason, name, None));
                    if let Some(rest) = found {
                        rest.ended = Some(at);
                    }
                }
                Change::Session(agent, session) => {
                    self.sessions.insert(agent, session);
                }
                Change::SessionOver(agent, epoch, at) => {
                    if let Some(session) = self.sessions.get_mut(&agent)
                        && session.epoch == epoch
                    {
                        session.over_since.get_or_insert(at);
                    }
                }
                Change::Lease(lease) => self.lease = lease,
            }
        }
    }

    fn put(&mut self, row: Row) {
        let run = row.planned.id;
        if row.state.is_ended() {
            self.active.remove(&run);
        } else {
            self.active.insert(run);
        }
        self.runs.insert(run, row);
    }

    /// Runs that have not ended, earliest first.
    pub(crate) fn active_rows(&self) -> impl Iterator<Item = &Row> {
        self.active.iter().filter_map(|run| self.runs.get(run))
    }
}
