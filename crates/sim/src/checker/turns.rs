//! Runs that wait for their turn, and runs that take another one's place.

use std::collections::BTreeMap;

use cronfleet_core::jitter;
use cronfleet_core::job::Overlap;
use cronfleet_core::plan::later;
use cronfleet_core::run::RunState;

use super::offers::{Lane, is_in_lane, lane};
use super::{ByKey, tolerance, was_troubled};
use crate::database::Row;
use crate::report::Violation;
use crate::swarm::JobDraw;
use crate::time::{MS, Micros, micros, span};
use crate::world::{Stamp, TroubleKind, World};

/// How long what is killed may live on: the way of the kill, and of what is asked a second time.
const KILL_MAX: Micros = 100 * MS;

pub(super) fn check(world: &World, found: &mut Vec<Violation>) {
    let mut lanes: ByKey<Lane, &Row> = BTreeMap::new();
    // Of offers the center sees to all this, and another checker to the center.
    for row in world.db.runs.values().filter(|row| !row.planned.is_offer) {
        lanes.entry(lane(&row.planned)).or_default().push(row);
    }
    for rows in lanes.into_values() {
        for row in &rows {
            let Some(start) = start_of(world, row) else {
                continue;
            };
            match draw(world, row).overlap {
                Overlap::Queue { max } => check_queue(world, row, start, max, &rows, found),
                Overlap::Replace => check_replacement(world, row, start, &rows, found),
                Overlap::Forbid | Overlap::Allow => {}
            }
        }
    }
}

/// When a run came due, others that wait before it were not more than may. One more may be about to start.
fn check_queue(
    world: &World,
    row: &Row,
    start: Micros,
    max: u32,
    rows: &[&Row],
    found: &mut Vec<Violation>,
) {
    let Some(due) = came_due(row).filter(|_| !is_late(world, row)) else {
        return;
    };
    let waited = due + tolerance(world)..start;
    let ahead = rows.iter().filter(|other| {
        rank(other) < rank(row)
            && !is_late(world, other)
            && accepted(other).is_some_and(|at| at <= due)
            && start_of(world, other).is_some_and(|start| waited.contains(&start))
    });
    let ahead = ahead.count();
    // While the agent was down nobody counted.
    let agent = world.agent_index(row.agent());
    let was_counted = [TroubleKind::AgentDown, TroubleKind::Reboot]
        .into_iter()
        .all(|kind| !was_troubled(world, kind, agent, due, start));
    if ahead > max as usize && was_counted {
        found.push(Violation {
            promise: "P5 a queue has an end",
            run: Some(row.planned.id),
            detail: format!("{ahead} others waited before it, and {max} may wait"),
        });
    }
}

/// What a run took the place of was stopped when that run was due, as its stop policy says.
fn check_replacement(
    world: &World,
    row: &Row,
    start: Micros,
    rows: &[&Row],
    found: &mut Vec<Violation>,
) {
    let Some(due) = came_due(row) else { return };
    let agent = world.agent_index(row.agent());
    for other in rows {
        let Some(stamp) = stamp_of(world, other) else {
            continue;
        };
        let until = stamp.alive_until();
        let grace = span(draw(world, other).launch.stop.grace);
        let limit = due.max(stamp.start) + grace + KILL_MAX + tolerance(world);
        let was_hindered = [
            TroubleKind::AgentDown,
            TroubleKind::Reboot,
            TroubleKind::DiskFull,
            TroubleKind::ShimCrash,
        ]
        .into_iter()
        .any(|kind| was_troubled(world, kind, agent, stamp.start, until));
        let is_replaced =
            other.planned.key.due < row.planned.key.due && stamp.start <= due.min(start);
        if is_replaced && until > limit && !was_hindered && !is_behind_another(world, row, due) {
            let detail = format!(
                "{} was alive {} µs after that",
                other.planned.id,
                until - due
            );
            found.push(Violation {
                promise: "P5 the later run takes the place",
                run: Some(row.planned.id),
                detail,
            });
        }
    }
}

/// Whether something before it in its lane may have kept its turn: what is not known to be on its agent's disk, and what another
/// version of the job lets wait.
fn is_behind_another(world: &World, row: &Row, due: Micros) -> bool {
    let was = |other: &Row, is: fn(RunState) -> bool| {
        let mut states = other.history.iter();
        states.any(|(at, state, _)| micros(*at) <= due && is(*state))
    };
    others(world, row).any(|other| {
        let is_alike = other.planned.key.job_version == row.planned.key.job_version;
        let has_had_its_turn = was(other, RunState::is_ended)
            || was(other, |state| state == RunState::Running)
            || is_alike && was(other, |state| state == RunState::Accepted);
        rank(other) < rank(row) && !has_had_its_turn
    })
}

/// Whether a later run of its lane that takes the place of others was due by then.
pub(super) fn has_replacement(world: &World, row: &Row, until: Micros) -> bool {
    let key = &row.planned.key;
    others(world, row).any(|other| {
        other.planned.key.due >= key.due
            && micros(other.planned.not_before) <= until.saturating_add(tolerance(world))
            && draw(world, other).overlap == Overlap::Replace
    })
}

/// Whether a run that takes the place of others was too late for that: one that was due after it had started.
pub(super) fn was_overtaken(world: &World, row: &Row, until: Micros) -> bool {
    let is_later = |other: &Row| other.planned.key.due > row.planned.key.due;
    let has_started = |other: &Row| start_of(world, other).is_some_and(|start| start <= until);
    // The center decides by the word it gave, and without one if nobody hears from its agent.
    let may_have_started = |other: &Row| {
        let agent = world.agent_index(other.agent());
        let is_out_of_reach = [TroubleKind::Offline, TroubleKind::AgentDown]
            .into_iter()
            .any(|kind| was_troubled(world, kind, agent, until, until));
        let has_word = accepted(other).is_some_and(|at| at <= until);
        row.planned.is_offer
            && (is_out_of_reach || has_word)
            && micros(other.planned.not_before) <= until + tolerance(world)
    };
    has_replacement(world, row, until)
        || draw(world, row).overlap == Overlap::Replace
            && others(world, row)
                .any(|other| is_later(other) && (has_started(other) || may_have_started(other)))
}

/// Whether as many others as may wait were due before it and not over.
pub(super) fn is_behind_queue(world: &World, row: &Row, refused: Micros) -> bool {
    let Overlap::Queue { max } = draw(world, row).overlap else {
        return false;
    };
    let from = micros(row.planned.not_before) - tolerance(world);
    let waiting = others(world, row).filter(|other| {
        let over = other
            .history
            .last()
            .filter(|(_, state, _)| state.is_ended());
        rank(other) < rank(row)
            && micros(other.planned.not_before) <= refused + tolerance(world)
            && start_of(world, other).is_none_or(|start| start >= from)
            && over.is_none_or(|(at, ..)| micros(*at) >= from)
    });
    // While its agent was down nobody counted, and a run that was lost meanwhile may turn out to have been one too many.
    let agent = world.agent_index(row.agent());
    let was_down = [TroubleKind::AgentDown, TroubleKind::Reboot]
        .into_iter()
        .any(|kind| was_troubled(world, kind, agent, from, refused));
    waiting.count() >= max as usize || was_down && row.is_refined
}

fn others<'a>(world: &'a World, row: &'a Row) -> impl Iterator<Item = &'a Row> {
    let is_other = move |other: &&Row| {
        is_in_lane(&other.planned, &row.planned) && other.planned.id != row.planned.id
    };
    world.db.runs.values().filter(is_other)
}

/// When it was due and the center knew that its agent has it.
fn came_due(row: &Row) -> Option<Micros> {
    Some(accepted(row)?.max(micros(row.planned.not_before)))
}

/// When it was accepted; an offer, when it got the word.
pub(super) fn accepted(row: &Row) -> Option<Micros> {
    let accepted = |(_, state, _): &&(_, RunState, _)| *state == RunState::Accepted;
    row.history
        .iter()
        .find(accepted)
        .map(|(at, ..)| micros(*at))
}

/// Whether it was planned after its due instant because its job is caught up.
pub(super) fn is_late(world: &World, row: &Row) -> bool {
    let key = &row.planned.key;
    let wait = jitter::wait(draw(world, row).jitter, key.job, key.agent, key.copy);
    key.attempt == 1 && row.planned.not_before > later(key.due, wait)
}

/// Its place among others of its lane.
fn rank(row: &Row) -> impl Ord {
    let key = &row.planned.key;
    (row.planned.not_before, key.due, key.attempt, row.planned.id)
}

fn start_of(world: &World, row: &Row) -> Option<Micros> {
    stamp_of(world, row).map(|stamp| stamp.start)
}

fn stamp_of<'a>(world: &'a World, row: &Row) -> Option<&'a Stamp> {
    world.stamps.get(&row.planned.id)?.first()
}

fn draw<'a>(world: &'a World, row: &Row) -> &'a JobDraw {
    let key = &row.planned.key;
    world.db.jobs[&key.job].draw(key.job_version)
}
