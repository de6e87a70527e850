//! The centers: planner, dispatch, intake of claims, reconciling; each decision by the product's own functions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cronfleet_core::catch_up::CatchUp;
use cronfleet_core::elector::Elector;
use cronfleet_core::id::{AgentId, JobId, RunId};
use cronfleet_core::job::Overlap;
use cronfleet_core::offer::OFFER_AHEAD;
use cronfleet_core::order::{Claim, Order, StopCause};
use cronfleet_core::plan::{PLAN_AHEAD, Plan, PlannedRun, Planning, earlier, later, plan};
use cronfleet_core::retry::Attempt;
use cronfleet_core::run::{Outcome, Reason, RunEvent, RunKey, RunState, Step, step};
use cronfleet_core::run_limits::RunLimits;
use cronfleet_core::schedule::ActiveSpan;
use cronfleet_core::spread;
use cronfleet_core::window::{Hold, Snooze};
use jiff::Timestamp;

use crate::database::{Change, JobRow, LapseRow, Row, Session};
use crate::mutant::Mutant;
use crate::rest::is_held_as_before;
use crate::swarm::Commit;
use crate::time::{MS, Micros, SECOND, duration, micros, span, timestamp};
use crate::world::{Event, ToAgent, ToCenter, TroubleKind, World};

/// Time between two rounds of the planner.
const ROUND: Micros = SECOND;

/// Time from a center's start to the first round of its planner: the election takes that long.
const FIRST_ROUND: Micros = 50 * MS;

/// Time between two looks at what a lost message may have left.
const REVIEW: Micros = 5 * SECOND;
/// Longest that a plan is on its way to the database.
pub(crate) const WAY_MAX: Micros = 4 * SECOND;

/// A center's memory: gone when it dies.
#[derive(Debug)]
pub(crate) struct Center {
    pub(crate) is_up: bool,
    /// Counts its starts.
    pub(crate) life: u32,
    /// Its part in the election.
    pub(crate) elector: Elector,
    /// The last term in which it planned, and when that began.
    pub(crate) term: Option<(u64, Timestamp)>,
    /// The term and the version of windows for which everything that was planned or held has been looked at.
    pub(crate) swept: Option<(u64, u64)>,
    /// Sessions by agent, with their epochs.
    pub(crate) sessions: BTreeMap<usize, u64>,
    /// It does nothing until then.
    pub(crate) frozen_until: Micros,
    /// It stands still for so long before its next plan reaches the database.
    pub(crate) freeze_with_plan: Option<Micros>,
    /// Its machine's clock minus the database's, by which it does not go.
    pub(crate) clock_error: Micros,
    /// It dies just before or after its next commit, for so long.
    pub(crate) crash_at_commit: Option<(Commit, bool, Micros)>,
}

impl Center {
    pub(crate) fn new() -> Self {
        Self {
            is_up: false,
            life: 0,
            elector: Elector::Over,
            term: None,
            swept: None,
            sessions: BTreeMap::new(),
            frozen_until: 0,
            freeze_with_plan: None,
            clock_error: 0,
            crash_at_commit: None,
        }
    }

    pub(crate) fn die(&mut self) {
        self.is_up = false;
        self.life += 1;
        self.elector = Elector::Over;
        self.swept = None;
        self.sessions.clear();
    }

    /// Whether it is there and moves.
    pub(crate) fn answers(&self, now: Micros) -> bool {
        self.is_up && self.frozen_until <= now
    }
}

/// What a planner has decided and not committed yet.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) epoch: u64,
    /// Of the windows it knows.
    windows_version: u64,
    /// The moment at which it decided.
    decided_at: Timestamp,
    /// Jobs, what they were when the plan was made, and the plan.
    jobs: Vec<(JobId, Basis, Plan)>,
}

/// What a job was: version, watermark, snooze.
type Basis = (u32, Timestamp, Option<Snooze>);

/// Rows and changes of one transaction: reads see its own writes.
struct Transaction {
    rows: BTreeMap<RunId, Row>,
    fresh: Vec<Row>,
}

impl World {
    pub(crate) fn center_up(&mut self, center: usize) {
        if self.centers[center].is_up {
            return;
        }
        let node = &mut self.centers[center];
        node.is_up = true;
        node.life += 1;
        node.elector = Elector::new(duration(self.now));
        let life = node.life;
        self.note(|| format!("center {center}: starts"));
        if self.is(Mutant::PlansFromNow) {
            self.skip_to_now(center);
        }
        self.election(center, life);
        self.after(FIRST_ROUND, Event::PlannerRound { center, life });
        self.after(REVIEW, Event::Review { center, life });
        self.after(FIRST_ROUND, Event::Offers { center, life });
    }

    fn skip_to_now(&mut self, center: usize) {
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
        self.commit(center, Commit::Plan, changes);
    }

    pub(crate) fn is_alive(&self, center: usize, life: u32) -> bool {
        let node = &self.centers[center];
        node.is_up && node.life == life
    }

    pub(crate) fn has_database(&self) -> bool {
        self.db.down_until <= self.now
    }

    /// One of the centers that answer a person.
    pub(crate) fn any_center(&mut self) -> Option<usize> {
        let there: Vec<usize> = (0..self.centers.len())
            .filter(|center| self.centers[*center].answers(self.now) && self.has_database())
            .collect();
        (!there.is_empty()).then(|| there[self.rng.index(there.len())])
    }

    /// Commits a transaction; answers whether that worked and the center lives on to act on it.
    pub(crate) fn commit(&mut self, center: usize, commit: Commit, changes: Vec<Change>) -> bool {
        if !self.has_database() {
            return false;
        }
        match self.centers[center]
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
                        "center {center}: dies {} its commit",
                        if is_after { "after" } else { "before" }
                    )
                });
                self.crash_center(center, down);
                false
            }
        }
    }

    pub(crate) fn planner_round(&mut self, center: usize, life: u32) {
        if !self.is_alive(center, life) {
            return;
        }
        match self.planning_epoch(center) {
            Some(epoch) if self.has_database() => {
                if self.follow(center, life) {
                    self.draft_plans(center, life, epoch);
                }
            }
            _ => self.finish_round(center, life),
        }
    }

    /// Decides about every job up to the horizon; what was decided takes its time to the database.
    fn draft_plans(&mut self, center: usize, life: u32, epoch: u64) {
        let windows_version = self.db.windows_version;
        let swept = Some((epoch, windows_version));
        let is_changed = self.centers[center].swept != swept;
        if is_changed && !self.sweep(center, epoch) {
            if self.is_alive(center, life) {
                self.finish_round(center, life);
            }
            return;
        }
        let now = self.planner_now(center);
        let horizon = later(now, PLAN_AHEAD);
        let due = self
            .db
            .jobs
            .iter()
            .filter(|(_, job)| job.next_due.is_some_and(|due| due <= horizon))
            .filter(|(_, job)| is_changed || job.held_until.is_none_or(|held| held <= now));
        let jobs: Vec<(JobId, Basis, Plan)> = due
            .map(|(id, job)| (*id, job, self.decide(*id, job, now)))
            .filter(|(_, job, plan)| !is_held_as_before(job, plan))
            .map(|(id, job, plan)| (id, (job.version(), job.watermark, job.snooze), plan))
            .collect();
        if jobs.is_empty() {
            self.centers[center].swept = swept;
            return self.end_planning(center, life, epoch);
        }
        let wait = self.way_to_database(WAY_MAX);
        let draft = Draft {
            epoch,
            windows_version,
            decided_at: now,
            jobs,
        };
        self.after(
            wait,
            Event::PlanSent {
                center,
                life,
                draft,
            },
        );
    }

    /// Commits what a planner has decided, if its term goes on; jobs that have changed since are left out.
    pub(crate) fn plan_sent(&mut self, center: usize, life: u32, draft: Draft) {
        if !self.is_alive(center, life) {
            return;
        }
        if let Some(length) = self.centers[center].freeze_with_plan.take() {
            self.freeze_center(center, length);
            return self.after(
                0,
                Event::PlanSent {
                    center,
                    life,
                    draft,
                },
            );
        }
        if !self.has_database() || !self.passes_fence(center, draft.epoch) {
            return self.finish_round(center, life);
        }
        let is_stale = self.db.windows_version != draft.windows_version;
        if is_stale && !self.is(Mutant::CommitsWithoutWindow) {
            return self.draft_plans(center, life, draft.epoch);
        }
        let now = self.center_now();
        let (mut watermarks, mut rows) = (Vec::new(), Vec::new());
        for (id, basis, plan) in draft.jobs {
            let job = self.db.jobs[&id].clone();
            let is_same = !job.is_paused && (job.version(), job.watermark, job.snooze) == basis;
            if is_same || self.is(Mutant::CommitsStalePlans) {
                watermarks.push(self.record(id, job, plan, draft.decided_at, now, &mut rows));
            }
        }
        let is_committed = if self.is(Mutant::WatermarkFirst) {
            self.commit(center, Commit::Plan, watermarks) && self.commit(center, Commit::Plan, rows)
        } else {
            watermarks.extend(rows);
            self.commit(center, Commit::Plan, watermarks)
        };
        if is_committed {
            self.draft_plans(center, life, draft.epoch);
        }
    }

    fn end_planning(&mut self, center: usize, life: u32, epoch: u64) {
        let is_done = self.passes_fence(center, epoch)
            && self.expire(center, epoch)
            && self.end_sessions_of_the_dead(center)
            && self.lose_unreachable(center);
        if is_done || self.is_alive(center, life) {
            self.finish_round(center, life);
        }
    }

    /// Every center hands out what is planned for its own agents, whoever planned it.
    fn finish_round(&mut self, center: usize, life: u32) {
        let agents: Vec<usize> = self.centers[center].sessions.keys().copied().collect();
        for agent in agents {
            if self.has_database() && !self.hand_out(center, agent) {
                return;
            }
            self.repeat_words(center, agent);
        }
        self.after(ROUND, Event::PlannerRound { center, life });
    }

    /// The word for offers whose center gave it to another one to tell.
    fn repeat_words(&mut self, center: usize, agent: usize) {
        let id = self.agents[agent].id;
        let rows = self
            .db
            .active_rows()
            .filter(|row| row.agent() == id && row.has_word());
        let runs: Vec<RunId> = rows.map(|row| row.planned.id).collect();
        for run in runs {
            self.send_to_agent(center, agent, ToAgent::Go(run));
        }
    }

    /// Plans a job as it is about to be.
    pub(crate) fn plan_ahead(
        &mut self,
        id: JobId,
        job: JobRow,
        now: Timestamp,
        rows: &mut Vec<Change>,
    ) -> Change {
        let plan = self.decide(id, &job, now);
        self.record(id, job, plan, now, now, rows)
    }

    fn record(
        &mut self,
        id: JobId,
        job: JobRow,
        plan: Plan,
        decided_at: Timestamp,
        now: Timestamp,
        rows: &mut Vec<Change>,
    ) -> Change {
        for planned in self.unasked(plan.runs) {
            rows.push(Change::Insert(Box::new(self.new_row(planned, now))));
        }
        for mut lapse in plan.lapses {
            if lapse.reason == Reason::Frozen && self.is(Mutant::HeldIsMissed) {
                lapse.reason = Reason::CenterDown;
            }
            self.note(|| format!("center: lapse {lapse:?}"));
            rows.push(Change::Lapse(LapseRow {
                job: id,
                lapse,
                decided_at,
            }));
        }
        let next = JobRow {
            watermark: plan.watermark,
            next_due: plan.next_due,
            held_until: plan.held_until,
            ..job
        };
        Change::Job(id, Box::new(next))
    }

    /// What the product decides about a job.
    fn decide(&self, id: JobId, job: &JobRow, now: Timestamp) -> Plan {
        let (draw, schedule) = job.current();
        let is_unbounded = self.is(Mutant::CatchesUpEverything) && draw.catch_up != CatchUp::None;
        let unbounded = self
            .is(Mutant::IgnoresActiveSpan)
            .then(|| schedule.clone().within(ActiveSpan::default()));
        let picker = self.picker(id, draw);
        let planning = Planning {
            job: id,
            job_version: job.version(),
            schedule: unbounded.as_ref().unwrap_or(schedule),
            jitter: if self.is(Mutant::IgnoresJitter) {
                Duration::ZERO
            } else {
                draw.jitter
            },
            start_deadline: draw.start_deadline,
            catch_up: if is_unbounded {
                CatchUp::All {
                    max: u32::MAX,
                    window: duration(3_600 * SECOND),
                }
            } else {
                draw.catch_up
            },
            agents: &draw.agents,
            picker: picker.as_ref(),
            copies: draw.copies,
            hold: Hold::default(),
            watermark: job.watermark,
        };
        let mut plan = self.with_hold(id, job, |hold| {
            plan(&Planning { hold, ..planning }, now, PLAN_AHEAD)
        });
        if self.is(Mutant::DrawsJitterAnew) && draw.jitter > Duration::ZERO {
            for run in plan.runs.iter_mut().filter(|run| !run.is_caught_up) {
                let drawn = micros(run.key.due) ^ micros(now);
                let wait = duration(drawn.rem_euclid(span(draw.jitter)));
                run.not_before = later(run.key.due, wait);
                run.not_after = later(run.not_before, draw.start_deadline);
            }
        }
        plan
    }

    /// A planned run; what older versions' runs of the same due instant mean for it. All of them count: the last version may
    /// have been superseded before anything of it was sent.
    fn new_row(&self, planned: PlannedRun, now: Timestamp) -> Row {
        let mut row = Row::new(planned, now);
        if self.is(Mutant::EditsWithoutWaiting) {
            return row;
        }
        for older in self.older(&row) {
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
                RunState::Planned | RunState::Offered => {}
            }
        }
        row
    }

    /// Runs of older versions of the same due instant on the same target; where some agents are enough, on any.
    fn older(&self, row: &Row) -> Vec<Row> {
        let key = &row.planned.key;
        if row.planned.is_offer {
            let is_older = |other: &&Row| {
                let other = &other.planned;
                let is_same =
                    (other.key.job, other.key.due, other.key.copy) == (key.job, key.due, key.copy);
                other.is_offer && is_same && other.key.job_version < key.job_version
            };
            return self.db.runs.values().filter(is_older).cloned().collect();
        }
        let of_version = |job_version| {
            let older = RunKey {
                job_version,
                ..key.clone()
            };
            self.db.runs.get(&older.id()).cloned()
        };
        (1..key.job_version).filter_map(of_version).collect()
    }

    /// Ends what was never sent and is too late now.
    fn expire(&mut self, center: usize, epoch: u64) -> bool {
        let now = self.planner_now(center);
        let since = match self.centers[center].term {
            Some((term, since)) if term == epoch => since,
            _ => now,
        };
        self.centers[center].term = Some((epoch, since));
        let too_much = self.is(Mutant::MissesWhatWasSent);
        let mut changes = Vec::new();
        for row in self
            .db
            .active_rows()
            .filter(|row| row.planned.not_after < now && row.state != RunState::Offered)
        {
            let is_down = row.planned.not_after < since;
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
        changes.is_empty() || self.commit(center, Commit::Expire, changes)
    }

    /// Sessions with centers that are no more are over.
    fn end_sessions_of_the_dead(&mut self, center: usize) -> bool {
        let dead = self.db.sessions.iter().filter(|(_, session)| {
            session.over_since.is_none() && !self.is_alive(session.center, session.life)
        });
        let changes: Vec<Change> = dead
            .map(|(agent, session)| Change::SessionOver(*agent, session.epoch, self.now))
            .collect();
        changes.is_empty() || self.commit(center, Commit::Session, changes)
    }

    /// Gives up runs whose agent has been away for too long.
    fn lose_unreachable(&mut self, center: usize) -> bool {
        let now = self.center_now();
        let lost_after = self.swarm.lost_after;
        let gone: Vec<AgentId> = self
            .db
            .sessions
            .iter()
            .filter(|(_, session)| {
                session
                    .over_since
                    .is_some_and(|since| self.now - since > lost_after)
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
        for id in gone {
            let runs: Vec<RunId> = self
                .db
                .active_rows()
                .filter(|row| row.agent() == id && row.state != RunState::Offered)
                .map(|row| row.planned.id)
                .collect();
            for run in runs {
                self.apply_claim(&mut tx, run, &claim, now);
            }
        }
        self.commit_rows(center, tx)
    }

    /// Commits planned runs of an agent as dispatched, then sends their orders.
    pub(crate) fn hand_out(&mut self, center: usize, agent: usize) -> bool {
        let id = self.agents[agent].id;
        let epoch = self.centers[center].sessions.get(&agent).copied();
        if epoch != self.db.sessions.get(&id).map(|session| session.epoch) {
            return true;
        }
        let now = self.center_now();
        let until = later(now, PLAN_AHEAD);
        let mut rows: Vec<Row> = self
            .db
            .active_rows()
            .filter(|row| {
                row.agent() == id && row.after_run.is_none() && row.planned.not_before <= until
            })
            .filter(|row| row.state == RunState::Planned)
            .filter(|row| {
                let soon = later(now, OFFER_AHEAD);
                !row.planned.is_offer || row.planned.not_before <= soon
            })
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
            self.send_to_agent(center, agent, ToAgent::Orders(Vec::clone(&orders)));
        }
        let changes = rows.into_iter().filter_map(|mut row| {
            let event = if row.planned.is_offer {
                RunEvent::Offer
            } else {
                RunEvent::Dispatch
            };
            let Step::Moved { next, reason } = step(row.state, row.is_refined, &event) else {
                return None;
            };
            row.move_to(next, reason, now);
            Some(Change::Update(Box::new(row)))
        });
        let changes = changes.collect();
        if !self.commit(center, Commit::Dispatch, changes) {
            return false;
        }
        if !is_early {
            self.send_to_agent(center, agent, ToAgent::Orders(orders));
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
        let is_offer = row.planned.is_offer;
        Arc::new(Order {
            run: *id,
            job: key.job,
            job_name: "job".to_owned(),
            job_version: key.job_version,
            copy: key.copy,
            copies: *copies,
            attempt: key.attempt,
            due: key.due,
            jitter: spread::wait(draw.jitter, key.job, key.agent, key.copy, is_offer),
            not_before: *not_before,
            not_after: if is_wide {
                later(*not_after, duration(3_600 * SECOND))
            } else {
                *not_after
            },
            is_offer: is_offer && !self.is(Mutant::OffersAsOrders),
            overlap: match (self.mutant, draw.overlap) {
                (Some(Mutant::AllowsOverlap), _) => Overlap::Allow,
                (Some(Mutant::QueuesWithoutEnd), Overlap::Queue { .. })
                | (Some(Mutant::WaitsToReplace), Overlap::Replace) => {
                    Overlap::Queue { max: u32::MAX }
                }
                (_, overlap) => overlap,
            },
            timeout: draw.timeout,
            launch: draw.launch.clone(),
        })
    }

    /// Opens a session; answers whether it worked.
    pub(crate) fn open_session(&mut self, center: usize, agent: usize) -> bool {
        let id = self.agents[agent].id;
        let before = self.db.sessions.get(&id).map_or(0, |session| session.epoch);
        let session = Session {
            epoch: before + 1,
            center,
            life: self.centers[center].life,
            over_since: None,
        };
        if !self.commit(center, Commit::Session, vec![Change::Session(id, session)]) {
            return false;
        }
        let link = &mut self.links[agent];
        (link.epoch, link.center, link.is_cut) = (session.epoch, center, false);
        self.centers[center].sessions.insert(agent, session.epoch);
        let limits = if self.is(Mutant::TellsNoLimits) {
            RunLimits::default()
        } else {
            self.swarm.run_limits
        };
        self.send_to_agent(center, agent, ToAgent::Welcome(limits));
        self.reconcile(center, agent);
        true
    }

    /// Settles the difference between what the agent is expected to hold and what it may hold.
    fn reconcile(&mut self, center: usize, agent: usize) {
        self.settle(center, agent, None);
        self.hand_out(center, agent);
    }

    /// Says again what is wanted of the runs that the agent has or may have, and asks what became of them: of all, or of those
    /// that might have started before `due_before`.
    fn settle(&mut self, center: usize, agent: usize, due_before: Option<Timestamp>) {
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
        let is_asked = |row: &&Row| due_before.is_none_or(|moment| row.planned.not_before < moment);
        let again = rows.iter().filter(is_asked).filter(|row| {
            let is_unsure = match row.state {
                RunState::Dispatched => true,
                RunState::Offered => !row.is_accepted && row.refused.is_none(),
                _ => false,
            };
            is_unsure && row.revoke_reason.is_none()
        });
        let orders: Vec<Arc<Order>> = again.map(|row| self.order(row)).collect();
        if !orders.is_empty() {
            self.send_to_agent(center, agent, ToAgent::Orders(orders));
        }
        for row in rows {
            let run = row.planned.id;
            let is_sure = !matches!(row.state, RunState::Dispatched | RunState::Offered);
            if is_asked(&&row) && (is_sure || row.is_accepted) {
                self.send_to_agent(center, agent, ToAgent::Inquiry(run));
            }
            if row.has_word() {
                self.send_to_agent(center, agent, ToAgent::Go(run));
            }
            self.repeat_wishes(center, agent, &row);
        }
    }

    /// Says again what is wanted of a run that the agent has.
    fn repeat_wishes(&mut self, center: usize, agent: usize, row: &Row) {
        let run = row.planned.id;
        let kill = |cause| ToAgent::Kill { run, cause };
        match row.revoke_reason {
            Some(Reason::Replaced) => {
                self.send_to_agent(center, agent, kill(StopCause::Replaced));
            }
            Some(reason) => self.send_to_agent(center, agent, ToAgent::Revoke { run, reason }),
            None => {}
        }
        if row.is_kill_requested {
            self.send_to_agent(center, agent, kill(StopCause::Kill));
        }
    }

    pub(crate) fn review(&mut self, center: usize, life: u32) {
        if !self.is_alive(center, life) {
            return;
        }
        let long_ago = earlier(self.center_now(), duration(REVIEW));
        let agents: Vec<usize> = self.centers[center].sessions.keys().copied().collect();
        for agent in agents {
            self.settle(center, agent, Some(long_ago));
        }
        self.after(REVIEW, Event::Review { center, life });
    }

    pub(crate) fn center_loses(&mut self, center: usize, agent: usize, epoch: u64) {
        if self.centers[center].sessions.get(&agent) == Some(&epoch) {
            self.centers[center].sessions.remove(&agent);
            self.trouble(TroubleKind::Offline, Some(agent), 5 * SECOND);
            let over = Change::SessionOver(self.agents[agent].id, epoch, self.now);
            self.commit(center, Commit::Session, vec![over]);
        }
    }

    pub(crate) fn center_receives(
        &mut self,
        center: usize,
        agent: usize,
        epoch: u64,
        message: ToCenter,
    ) {
        if self.centers[center].sessions.get(&agent) != Some(&epoch) {
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
        if !self.commit_rows(center, tx) {
            // Without a database there is no session; the agent will say it again.
            return self.cut(agent);
        }
        self.send_to_agent(center, agent, ToAgent::Ack(sequence));
        let agents: Vec<usize> = self.centers[center]
            .sessions
            .keys()
            .copied()
            .filter(|_| has_new)
            .collect();
        for agent in agents {
            if !self.hand_out(center, agent) {
                return;
            }
        }
    }

    fn commit_rows(&mut self, center: usize, tx: Transaction) -> bool {
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
        self.commit(center, Commit::Claims, changes)
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
        if row.refused.is_some() {
            return;
        }
        if let Some(reason) = row.is_passed_on(claim, now) {
            row.refused = Some(reason);
            tx.rows.insert(run, row);
            return;
        }
        if next == RunState::Offered {
            row.is_accepted = true;
            tx.rows.insert(run, row);
            return;
        }
        let is_first_end = !row.state.is_ended();
        row.move_to(next, reason, now);
        row.start = claim_start(claim).or(row.start);
        if is_first_end {
            tx.fresh.extend(self.retry(&row, claim, now));
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
                RunState::Planned
                | RunState::Offered
                | RunState::Dispatched
                | RunState::Accepted => {}
            }
            tx.rows.insert(other.planned.id, other);
        }
        tx.rows.insert(run, row);
    }

    /// The next attempt of a run that ended badly.
    pub(crate) fn retry(&mut self, row: &Row, claim: &Claim, now: Timestamp) -> Option<Row> {
        let RunState::Ended(outcome) = row.state else {
            return None;
        };
        let key = &row.planned.key;
        let job = &self.db.jobs[&key.job];
        if job.is_paused || row.is_kill_requested || self.is(Mutant::ForgetsRetries) {
            return None;
        }
        let draw = job.draw(key.job_version);
        let is_lost_retried = self.is(Mutant::RetriesLost) && outcome == Outcome::Lost;
        let ended = Attempt {
            key,
            copies: row.planned.copies,
            outcome: if is_lost_retried {
                Outcome::Failed
            } else {
                outcome
            },
            end: if let Claim::Ended { end, .. } = claim {
                Some(end)
            } else {
                None
            },
        };
        let mut policy = draw.retry.clone();
        if self.is(Mutant::RetriesEveryFailure) {
            policy.failures.clear();
        }
        let start_deadline = draw.start_deadline;
        let luck = self.rng.unit();
        let is_resting = |planned: &PlannedRun| {
            let snooze = self.db.jobs[&key.job].snooze;
            snooze.is_some_and(|snooze| planned.not_before < snooze.until)
        };
        let mut planned = policy
            .next_attempt(&ended, start_deadline, now, luck)
            .filter(|planned| !is_resting(planned))?;
        planned.is_offer = row.planned.is_offer;
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
