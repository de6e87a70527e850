//! Where some agents are enough: so many start, one after the other where overlap is not allowed, and another one is asked while
//! there is one.

use cronfleet_core::id::{AgentId, JobId, RunId};
use cronfleet_core::job::Overlap;
use cronfleet_core::plan::PlannedRun;
use cronfleet_core::run::{Outcome, Reason, RunKey, RunState};
use cronfleet_core::spread::Spread;

use super::turns::accepted;
use super::{ByKey, tolerance, was_troubled};
use crate::database::Row;
use crate::report::Violation;
use crate::swarm::JobDraw;
use crate::time::{Micros, SECOND, micros};
use crate::world::{Stamp, TroubleKind, World};

/// So long before its deadline a run must have been offered to another agent that is there: an answer is waited for, and more.
const TRIED_FOR: Micros = 4 * SECOND;

/// Stands for whichever agent.
pub(super) const ANY: AgentId = AgentId::from_u128(0);

/// What overlap is about: a copy of a job on one agent; where some agents are enough, on all of them together.
pub(super) type Lane = (JobId, AgentId, u32);

pub(super) const fn lane(planned: &PlannedRun) -> Lane {
    let key = &planned.key;
    let agent = if planned.is_offer { ANY } else { key.agent };
    (key.job, agent, key.copy)
}

/// Whether two runs have to do with each other: also those of a version that asks for some agents and of one that runs on each.
pub(super) fn is_in_lane(one: &PlannedRun, other: &PlannedRun) -> bool {
    let is_anywhere = one.is_offer || other.is_offer;
    let (one, other) = (&one.key, &other.key);
    (one.job, one.copy) == (other.job, other.copy) && (is_anywhere || one.agent == other.agent)
}

/// Runs of one copy and due instant of such a job: as many as it asks for, as far as there are agents; else one for each agent.
pub(super) fn width(draw: &JobDraw) -> usize {
    match draw.spread {
        Spread::Each => 1,
        Spread::Some { count, .. } => draw.agents.len().min(count as usize),
    }
}

pub(super) fn check(world: &World, found: &mut Vec<Violation>) {
    let mut alike: ByKey<RunId, (RunId, &Row)> = ByKey::new();
    let mut lanes: ByKey<Lane, (&Stamp, RunId, &Row)> = ByKey::new();
    for (run, row) in world.db.runs.iter().filter(|(_, row)| row.planned.is_offer) {
        alike.entry(on_any(row).id()).or_default().push((*run, row));
        let stamps = world.stamps.get(run).into_iter().flatten();
        let lane = lanes.entry(lane(&row.planned)).or_default();
        lane.extend(stamps.map(|stamp| (stamp, *run, row)));
    }
    for rows in alike.into_values() {
        check_count(world, &rows, found);
        for (run, row) in rows {
            check_tried(world, run, row, found);
        }
    }
    for mut starts in lanes.into_values() {
        starts.sort_by_key(|(stamp, ..)| stamp.start);
        check_overlap(world, &starts, found);
    }
}

/// When it was planned, or offered to this agent instead of another.
pub(super) fn planned_at(row: &Row) -> Option<Micros> {
    row.history.first().map(|(at, ..)| micros(*at))
}

/// The key of a run on whichever agent.
pub(super) fn on_any(row: &Row) -> RunKey {
    RunKey {
        agent: ANY,
        ..row.planned.key.clone()
    }
}

fn draw<'a>(world: &'a World, row: &Row) -> &'a JobDraw {
    let key = &row.planned.key;
    world.db.jobs[&key.job].draw(key.job_version)
}

/// Of all agents that were asked no more start than the job asks for.
fn check_count(world: &World, rows: &[(RunId, &Row)], found: &mut Vec<Violation>) {
    let started = rows
        .iter()
        .filter(|(run, _)| world.stamps.contains_key(run));
    let started: Vec<RunId> = started.map(|(run, _)| *run).collect();
    let Some((_, row)) = rows.first() else { return };
    // A retry is a run of its own for each of those that failed.
    let wanted = width(draw(world, row));
    if started.len() > wanted {
        found.push(Violation {
            promise: "P2 on no more agents than asked for",
            run: started.last().copied(),
            detail: format!(
                "started on {} agents, {wanted} were asked for",
                started.len()
            ),
        });
    }
}

fn check_overlap(world: &World, starts: &[(&Stamp, RunId, &Row)], found: &mut Vec<Violation>) {
    for (place, (stamp, run, row)) in starts.iter().enumerate() {
        if draw(world, row).overlap == Overlap::Allow {
            continue;
        }
        // One that may overlap others got the word later, and only its agent was faster.
        let is_faster = |other: &Row| {
            draw(world, other).overlap == Overlap::Allow && accepted(other) >= accepted(row)
        };
        let mut before = starts[..place].iter();
        let alive = before.find(|(other, _, other_row)| {
            other_row.planned.key.due != row.planned.key.due
                && other.alive_until() > stamp.start
                && !is_faster(other_row)
        });
        if let Some((_, other, _)) = alive {
            found.push(Violation {
                promise: "P5 no overlap on other agents",
                run: Some(*run),
                detail: format!("started while {other} was alive"),
            });
        }
    }
}

/// What was missed for want of its agent was not missed while another agent was there at the end and nothing else was wrong.
fn check_tried(world: &World, run: RunId, row: &Row, found: &mut Vec<Violation>) {
    let RunState::Ended(Outcome::Missed) = row.state else {
        return;
    };
    let mut states = row.history.iter();
    let had_word = states.any(|(_, state, _)| *state == RunState::Accepted);
    let is_of_agent = !had_word
        && matches!(
            row.reason,
            Some(
                Reason::AgentOffline
                    | Reason::NeverReceived
                    | Reason::AgentRestarted
                    | Reason::LedgerUnwritable
            )
        );
    // What every agent in reach has refused ends at once.
    let ended = row.history.last().map(|(at, ..)| micros(*at));
    let to = micros(row.planned.not_after).min(ended.unwrap_or(Micros::MAX));
    let from = to - TRIED_FOR;
    let planned = planned_at(row).unwrap_or_default();
    let had_time = planned.max(micros(row.planned.not_before)) <= from;
    // With a stream a message that is lost ends its session, which is trouble of its agent.
    let is_reliable = world.swarm.is_stream;
    let was_decided = !was_troubled(world, TroubleKind::CenterDown, None, from, to + SECOND);
    let asked = world
        .db
        .runs
        .values()
        .filter(|other| on_any(other) == on_any(row));
    let asked: Vec<AgentId> = asked.map(Row::agent).collect();
    let free = draw(world, row)
        .agents
        .iter()
        .find(|agent| !asked.contains(agent) && is_well(world, **agent, from, to + SECOND));
    if let Some(agent) = free
        && is_of_agent
        && had_time
        && is_reliable
        && was_decided
        && !turned_ill(world, row.agent(), from, to + SECOND)
        && row.revoke_reason.is_none()
    {
        found.push(Violation {
            promise: "P1 another agent is asked",
            run: Some(run),
            detail: format!("{:?}, and {agent} was there", row.reason),
        });
    }
}

/// What an agent can suffer from.
const ILLS: [TroubleKind; 5] = [
    TroubleKind::Offline,
    TroubleKind::AgentDown,
    TroubleKind::Reboot,
    TroubleKind::DiskFull,
    TroubleKind::ShimCrash,
];

/// Whether nothing was wrong with an agent.
fn is_well(world: &World, agent: AgentId, from: Micros, to: Micros) -> bool {
    let index = world.agent_index(agent);
    let is_troubled = |kind| was_troubled(world, kind, index, from, to);
    index.is_some() && !ILLS.into_iter().any(is_troubled)
}

/// Whether something went wrong with an agent so late that nobody else could be asked.
fn turned_ill(world: &World, agent: AgentId, from: Micros, to: Micros) -> bool {
    let index = world.agent_index(agent);
    let mut troubles = world.troubles.iter();
    troubles.any(|trouble| {
        ILLS.contains(&trouble.kind)
            && (trouble.agent.is_none() || trouble.agent == index)
            && (from..=to).contains(&trouble.from)
    })
}

/// Whether another agent was asked as well.
pub(super) fn is_passed_on(world: &World, row: &Row) -> bool {
    let mut others = world.db.runs.values();
    row.planned.is_offer
        && others.any(|other| {
            other.agent() != row.agent()
                && on_any(other) == on_any(row)
                && planned_at(other) >= planned_at(row)
        })
}

/// Whether a run of its lane that is lost, or out of reach, may be alive.
pub(super) fn may_be_blocked(world: &World, row: &Row, until: Micros) -> bool {
    let mut others = world.db.runs.values();
    others.any(|other| {
        is_in_lane(&other.planned, &row.planned)
            && other.planned.key.due != row.planned.key.due
            && other.history.iter().any(|(at, state, _)| {
                let is_taken = matches!(
                    state,
                    RunState::Dispatched | RunState::Accepted | RunState::Running
                );
                is_taken && micros(*at) <= until + tolerance(world)
            })
            && was_troubled(
                world,
                TroubleKind::Offline,
                world.agent_index(other.agent()),
                0,
                until,
            )
    })
}
