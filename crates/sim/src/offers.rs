//! Offers: the center that plans decides who starts what, and when; by the product's own functions.

use std::collections::BTreeMap;

use cronfleet_core::id::{AgentId, JobId, RunId};
use cronfleet_core::jitter;
use cronfleet_core::job::Overlap;
use cronfleet_core::offer::{self, Decision, Decisions, OFFER_AHEAD, Occupant, Offer};
use cronfleet_core::order::{Claim, End, StopCause};
use cronfleet_core::plan::{PlannedRun, later};
use cronfleet_core::run::{Outcome, Reason, RunEvent, RunKey, RunState, Step, step};
use cronfleet_core::spread::{Candidate, Picker};
use jiff::Timestamp;

use crate::database::{Change, Row};
use crate::mutant::Mutant;
use crate::swarm::{Commit, JobDraw};
use crate::time::{MS, Micros, SECOND, micros};
use crate::world::{Event, ToAgent, World};

/// Time between two looks at offers.
const ROUND: Micros = 100 * MS;

/// What becomes of the commit of a round.
#[derive(Default)]
struct Round {
    changes: Vec<Change>,
    /// To be told after the commit.
    told: Vec<(usize, ToAgent)>,
}

impl World {
    /// Whether any job asks for some of its agents.
    fn has_offers(&self) -> bool {
        let mut jobs = self.db.jobs.values();
        jobs.any(|job| job.versions.iter().any(|(draw, _)| draw.spread.offers()))
    }

    pub(crate) fn offers_round(&mut self, center: usize, life: u32) {
        if !self.is_alive(center, life) {
            return;
        }
        if self.has_database()
            && let Some(epoch) = self.planning_epoch(center)
            && self.passes_fence(center, epoch)
        {
            self.decide_offers(center);
        }
        let agents: Vec<usize> = self.centers[center].sessions.keys().copied().collect();
        for agent in agents {
            let is_able = self.is_alive(center, life) && self.has_database();
            if is_able && self.has_offers_for(agent) {
                self.hand_out(center, agent);
            }
        }
        if self.is_alive(center, life) {
            let wait = if self.has_offers() { ROUND } else { SECOND };
            self.after(wait, Event::Offers { center, life });
        }
    }

    /// Whether something is to be offered to an agent now.
    fn has_offers_for(&self, agent: usize) -> bool {
        let (id, soon) = (self.agents[agent].id, later(self.center_now(), OFFER_AHEAD));
        self.db.active_rows().any(|row| {
            row.planned.is_offer
                && row.agent() == id
                && row.state == RunState::Planned
                && row.planned.not_before <= soon
        })
    }

    /// Decides about all offers in one transaction, and tells agents once it is committed.
    fn decide_offers(&mut self, center: usize) {
        let now = self.center_now();
        let mut lanes: BTreeMap<(JobId, u32), Vec<Row>> = BTreeMap::new();
        for row in self.db.active_rows() {
            let key = &row.planned.key;
            let lane = lanes.entry((key.job, key.copy)).or_default();
            lane.push(row.clone());
        }
        lanes.retain(|_, rows| rows.iter().any(|row| row.planned.is_offer));
        let mut round = Round::default();
        for ((job, copy), rows) in lanes {
            self.decide_lane(job, copy, &rows, now, &mut round);
        }
        if round.changes.is_empty() {
            return;
        }
        let is_early = self.is(Mutant::WordBeforeCommit);
        if is_early {
            self.tell_all(center, &round.told);
        }
        if self.commit(center, Commit::Offers, round.changes) && !is_early {
            self.tell_all(center, &round.told);
        }
    }

    fn tell_all(&mut self, center: usize, told: &[(usize, ToAgent)]) {
        for (agent, message) in told {
            self.hint(center, *agent, message.clone());
        }
    }

    fn decide_lane(
        &mut self,
        job: JobId,
        copy: u32,
        rows: &[Row],
        now: Timestamp,
        round: &mut Round,
    ) {
        let waits = |row: &&Row| matches!(row.state, RunState::Planned | RunState::Offered);
        let offers: Vec<Offer> = rows
            .iter()
            .filter(waits)
            .filter(|row| row.planned.is_offer && row.after_run.is_none())
            .map(|row| self.offer(row))
            .collect();
        let asking = rows.iter().filter(|row| row.planned.is_offer);
        let versions = asking.map(|row| row.planned.key.job_version);
        let newest = versions.max().unwrap_or_default();
        let mut occupants: Vec<Occupant> = rows
            .iter()
            .filter(|row| !waits(row) && row.planned.not_before <= now)
            .filter(|row| {
                let is_older = row.planned.key.job_version < newest;
                row.planned.is_offer || is_older || row.state == RunState::Running
            })
            .map(|row| self.occupant(row))
            .collect();
        let lost = self.db.runs.values().filter(|row| {
            let key = &row.planned.key;
            let may_live = row.reason.is_some_and(offer::may_be_alive);
            row.planned.is_offer
                && (key.job, key.copy) == (job, copy)
                && row.state == RunState::Ended(Outcome::Lost)
                && may_live
        });
        occupants.extend(lost.map(|row| Occupant {
            is_reachable: false,
            ..self.occupant(row)
        }));
        if self.is(Mutant::IgnoresOccupants) {
            occupants.clear();
        }
        let Decisions { offers, replaced } = offer::decide(offers, &occupants, now);
        for (run, decision) in offers {
            self.carry_out(run, decision, now, round);
        }
        for run in replaced {
            let mut row = self.db.runs[&run].clone();
            row.revoke_reason = Some(Reason::Replaced);
            let cause = StopCause::Replaced;
            let agent = self.agent_index(row.agent());
            let told = agent.map(|agent| (agent, ToAgent::Kill { run, cause }));
            round.told.extend(told);
            round.changes.push(Change::Update(Box::new(row)));
        }
        if self.is(Mutant::MovesAfterWord) {
            let gone = rows
                .iter()
                .filter(|row| row.state == RunState::Accepted && !self.is_reachable(row.agent()));
            for row in gone.cloned().collect::<Vec<_>>() {
                self.pass_on(row, None, now, round);
            }
        }
    }

    fn carry_out(&mut self, run: RunId, decision: Decision, now: Timestamp, round: &mut Round) {
        let mut row = self.db.runs[&run].clone();
        let event = match decision {
            Decision::Move(_) if self.is(Mutant::KeepsOffers) => return,
            Decision::Move(refused) => return self.pass_on(row, refused, now, round),
            Decision::Go => RunEvent::Go,
            Decision::End(reason) => RunEvent::Withdraw(reason),
        };
        if let Step::Moved { next, reason } = step(row.state, row.is_refined, &event) {
            row.move_to(next, reason, now);
            self.note(|| format!("center: offer {run} is {next:?} {reason:?}"));
            if decision == Decision::Go {
                let agent = self.agent_index(row.agent());
                round
                    .told
                    .extend(agent.map(|agent| (agent, ToAgent::Go(run))));
            }
            self.end_offer(row, now, round);
        }
    }

    /// Records what became of an offer, with the next attempt if nobody could start it.
    fn end_offer(&mut self, row: Row, now: Timestamp, round: &mut Round) {
        if let (RunState::Ended(Outcome::Failed), Some(reason)) = (row.state, row.reason) {
            let end = End::not_started(now, reason, String::new());
            let claim = Claim::Ended { start: None, end };
            let next = self.retry(&row, &claim, now);
            let next = next.map(|next| Change::Insert(Box::new(next)));
            round.changes.extend(next);
        }
        round.changes.push(Change::Update(Box::new(row)));
    }

    /// Offers a run to another agent, if there is one that was not asked yet.
    fn pass_on(
        &mut self,
        mut row: Row,
        refused: Option<Reason>,
        now: Timestamp,
        round: &mut Round,
    ) {
        let key = row.planned.key.clone();
        let is_alike = |other: &&Row| {
            let other = RunKey {
                agent: key.agent,
                ..other.planned.key.clone()
            };
            other == key
        };
        let mut asked: Vec<AgentId> = self
            .db
            .runs
            .values()
            .filter(is_alike)
            .map(Row::agent)
            .collect();
        let fresh = round.changes.iter().filter_map(|change| match change {
            Change::Insert(row) => Some(&**row),
            _ => None,
        });
        asked.extend(fresh.filter(is_alike).map(Row::agent));
        let draw = self.db.jobs[&key.job].draw(key.job_version);
        let next = self
            .picker(key.job, draw)
            .and_then(|mut picker| picker.instead(&asked));
        let reason = match (next, refused) {
            (Some(agent), _) => {
                let planned = row.planned.offered_to(agent);
                round
                    .changes
                    .push(Change::Insert(Box::new(Row::new(planned, now))));
                Reason::OfferedElsewhere
            }
            (None, Some(reason)) => reason,
            (None, None) => return,
        };
        let run = row.planned.id;
        self.note(|| format!("center: offer {run} goes on to {next:?}, {refused:?}"));
        row.move_to(RunState::Ended(reason.outcome()), Some(reason), now);
        self.end_offer(row, now, round);
    }

    /// What a plan asks for and is not on record yet: after a pause some of it may be, with agents that were picked before.
    pub(crate) fn unasked(&self, planned: Vec<PlannedRun>) -> Vec<PlannedRun> {
        let mut wanted: BTreeMap<RunId, Vec<PlannedRun>> = BTreeMap::new();
        let mut fresh = Vec::new();
        for run in planned {
            if run.is_offer {
                wanted.entry(on_any(&run).id()).or_default().push(run);
            } else {
                fresh.push(run);
            }
        }
        for mut runs in wanted.into_values() {
            let key = on_any(&runs[0]);
            let known = || {
                let rows = self.db.runs.values();
                rows.filter(|row| on_any(&row.planned) == key)
            };
            let open = known().filter(|row| row.reason != Some(Reason::OfferedElsewhere));
            let missing = runs.len().saturating_sub(open.count());
            runs.retain(|run| known().all(|row| row.agent() != run.key.agent));
            runs.truncate(missing);
            fresh.extend(runs);
        }
        fresh
    }

    /// Those that were asked in vain before this run, which is not wanted any more.
    pub(crate) fn asked_before(&self, row: &Row) -> Vec<RunId> {
        let alike = self.db.runs.values().filter(|other| {
            other.reason == Some(Reason::OfferedElsewhere)
                && on_any(&other.planned) == on_any(&row.planned)
        });
        alike.map(|other| other.planned.id).collect()
    }

    /// Picks among the agents of a job; `None` if it runs on each.
    pub(crate) fn picker(&self, job: JobId, draw: &JobDraw) -> Option<Picker> {
        let candidate = |agent: &AgentId| {
            let rows = self.db.active_rows().filter(|row| row.agent() == *agent);
            Candidate {
                agent: *agent,
                is_online: self.is_reachable(*agent),
                active_runs: rows.count() as u32,
                load_permille: 0,
            }
        };
        let candidates = draw.agents.iter().map(candidate).collect();
        let last = self
            .db
            .runs
            .values()
            .filter(|row| row.planned.key.job == job)
            .filter(|row| row.reason != Some(Reason::OfferedElsewhere))
            .max_by_key(|row| (row.planned.key.due, row.planned.id));
        Picker::new(job, draw.spread, candidates, last.map(Row::agent))
    }

    fn is_reachable(&self, agent: AgentId) -> bool {
        let session = self.db.sessions.get(&agent);
        session.is_some_and(|session| session.over_since.is_none())
    }

    fn offer(&self, row: &Row) -> Offer {
        let key = &row.planned.key;
        let draw = self.db.jobs[&key.job].draw(key.job_version);
        let wait = jitter::wait(draw.jitter, key.job, AgentId::from_u128(0), key.copy);
        Offer {
            run: row.planned.id,
            due: key.due,
            attempt: key.attempt,
            not_before: row.planned.not_before,
            not_after: row.planned.not_after,
            overlap: match (self.mutant, draw.overlap) {
                (Some(Mutant::AllowsOverlap), _) => Overlap::Allow,
                (_, overlap) => overlap,
            },
            is_planned_late: key.attempt == 1 && row.planned.not_before > later(key.due, wait),
            is_accepted: row.is_accepted,
            withdrawn: row.revoke_reason,
            refused: row.refused,
            is_reachable: self.is_reachable(row.agent()),
            since: if row.state == RunState::Offered {
                row.history.last().map_or(key.due, |(at, ..)| *at)
            } else {
                row.planned_at().max(row.planned.not_before)
            },
        }
    }

    fn occupant(&self, row: &Row) -> Occupant {
        Occupant {
            run: row.planned.id,
            due: row.planned.key.due,
            is_asked: row.is_kill_requested || row.revoke_reason == Some(Reason::Replaced),
            is_reachable: self.is_reachable(row.agent()),
        }
    }
}

/// The key of a run on whichever agent.
fn on_any(planned: &PlannedRun) -> RunKey {
    RunKey {
        agent: AgentId::from_u128(0),
        ..planned.key.clone()
    }
}

impl Row {
    /// Whether it is an offer that may be started and is not known to be.
    pub(crate) fn has_word(&self) -> bool {
        self.planned.is_offer && self.state == RunState::Accepted && !self.is_kill_requested
    }

    fn planned_at(&self) -> Timestamp {
        let first = self.history.first();
        first.map_or(self.planned.not_before, |(at, ..)| *at)
    }

    /// What an agent says of an offer that it refuses, or lost, before it had the word: others are asked.
    pub(crate) fn is_passed_on(&self, claim: &Claim, now: Timestamp) -> Option<Reason> {
        let Step::Moved {
            next: RunState::Ended(_),
            reason: Some(reason),
        } = step(self.state, self.is_refined, &RunEvent::Claim(claim))
        else {
            return None;
        };
        let is_open = self.state == RunState::Offered && self.revoke_reason.is_none();
        let has_time = micros(now) <= micros(self.planned.not_after);
        (is_open && has_time && offer::is_passed_on(reason)).then_some(reason)
    }
}
