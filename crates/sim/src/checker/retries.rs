//! What failed is tried again as its job says, and nothing else is.

use cronfleet_core::retry::Failure;
use cronfleet_core::run::{Outcome, RunKey};
use jiff::Timestamp;

use super::offers::{ANY, on_any};
use super::outcome;
use super::rests::was_snoozed;
use crate::database::Row;
use crate::report::Violation;
use crate::swarm::JobDraw;
use crate::time::{MS, micros};
use crate::world::{Stamp, World};

pub(super) fn check(world: &World, found: &mut Vec<Violation>) {
    for row in world.db.runs.values() {
        if row.planned.key.attempt > 1 {
            check_attempt(world, row, found);
        }
        check_followed(world, row, found);
    }
}

/// An attempt comes only after the one before it ended, and failed in a way that is tried again.
fn check_attempt(world: &World, row: &Row, found: &mut Vec<Violation>) {
    let candidates = before(world, row);
    let started_at = world
        .stamps
        .get(&row.planned.id)
        .and_then(|stamps| stamps.first())
        .map(|stamp| stamp.start);
    let is_right = |before: &&Row| {
        let stamps = world.stamps.get(&before.planned.id);
        let ended_at = stamps
            .and_then(|stamps| stamps.last())
            .map(Stamp::alive_until);
        let is_after = started_at.is_none_or(|start| ended_at.is_none_or(|end| end < start));
        is_after && is_tried_again(world, before)
    };
    if !candidates.iter().any(is_right) {
        let detail = format!(
            "attempt {} after {:?}",
            row.planned.key.attempt,
            candidates.first().and_then(|before| first_end(before))
        );
        found.push(Violation {
            promise: "P2 attempts follow each other",
            run: Some(row.planned.id),
            detail,
        });
    }
}

/// The attempt before it; where some agents are enough, those that may be.
fn before<'a>(world: &'a World, row: &Row) -> Vec<&'a Row> {
    let mut key = row.planned.key.clone();
    key.attempt -= 1;
    if !row.planned.is_offer {
        return world.db.runs.get(&key.id()).into_iter().collect();
    }
    key.agent = ANY;
    let rows = world.db.runs.values();
    rows.filter(|other| on_any(other) == key).collect()
}

/// What failed in a way that is tried again has a next attempt, unless its job was paused or snoozed then.
fn check_followed(world: &World, row: &Row, found: &mut Vec<Violation>) {
    let Some((at, outcome)) = first_end(row) else {
        return;
    };
    let key = RunKey {
        attempt: row.planned.key.attempt + 1,
        ..row.planned.key.clone()
    };
    let is_expected = key.attempt <= draw(world, row).retry.attempts_max
        && is_tried_again(world, row)
        && !row.is_kill_requested
        && !may_be_paused(world, row, at)
        && !was_snoozed(world, row.planned.key.job, at);
    if is_expected && !world.db.runs.contains_key(&key.id()) {
        found.push(Violation {
            promise: "P1 what failed is tried again",
            run: Some(row.planned.id),
            detail: format!("{outcome:?}, and there is no attempt {}", key.attempt),
        });
    }
}

/// When and how it ended first: what is learnt later changes nothing about its retry.
fn first_end(row: &Row) -> Option<(Timestamp, Outcome)> {
    row.history
        .iter()
        .find_map(|(at, state, _)| Some((*at, outcome(*state)?)))
}

/// Whether its job says that such an end is tried again.
fn is_tried_again(world: &World, row: &Row) -> bool {
    let on = &draw(world, row).retry.failures;
    let exit = world
        .stamps
        .get(&row.planned.id)
        .and_then(|stamps| stamps.last()?.end)
        .map(|(_, status)| status);
    let covers = |failure: &Failure| match *failure {
        Failure::Exited { first, last } => {
            exit.is_some_and(|status| i32::from(first) <= status && status <= i32::from(last))
        }
        Failure::TimedOut | Failure::Signalled | Failure::NotStarted => false,
    };
    match first_end(row) {
        Some((_, Outcome::Failed)) => on.is_empty() || on.iter().any(covers),
        Some((_, Outcome::TimedOut)) => on.is_empty() || on.contains(&Failure::TimedOut),
        _ => false,
    }
}

fn draw<'a>(world: &'a World, row: &Row) -> &'a JobDraw {
    let key = &row.planned.key;
    world.db.jobs[&key.job].draw(key.job_version)
}

/// Whether its job was paused around an instant.
fn may_be_paused(world: &World, row: &Row, at: Timestamp) -> bool {
    let slack = 10 * MS;
    let at = micros(at);
    let reigns = || {
        world
            .reigns
            .iter()
            .filter(|reign| reign.job == row.planned.key.job)
    };
    let before = reigns()
        .filter(|reign| micros(reign.from) < at - slack)
        .max_by_key(|reign| reign.from);
    before.is_none_or(|reign| reign.version.is_none())
        || reigns().any(|reign| (micros(reign.from) - at).abs() <= slack)
}
