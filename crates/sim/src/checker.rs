//! The checker: reads what was recorded and what the commands left behind, and says which promises were broken.

mod calendars;
mod catch_up;
mod lanes;
mod limits;
mod offers;
mod outcomes;
mod rests;
mod retries;
mod starts;
mod terms;
mod turns;
mod vanishing;

use std::collections::BTreeMap;

use cronfleet_core::run::{Outcome, RunState};

use crate::report::Violation;
use crate::time::{MS, Micros};
use crate::world::{TroubleKind, World};

/// What is found wrong; at most so many per seed are kept.
const VIOLATIONS_MAX: usize = 20;

/// Checks everything.
pub(crate) fn check(world: &World) -> Vec<Violation> {
    let mut found = Vec::new();
    vanishing::check(world, &mut found);
    starts::check(world, &mut found);
    retries::check(world, &mut found);
    lanes::check(world, &mut found);
    limits::check(world, &mut found);
    turns::check(world, &mut found);
    offers::check(world, &mut found);
    outcomes::check(world, &mut found);
    terms::check(world, &mut found);
    catch_up::check(world, &mut found);
    rests::check(world, &mut found);
    calendars::check(world, &mut found);
    found.truncate(VIOLATIONS_MAX);
    found
}

/// How far a start may lie outside its window on the true clock: the agents' clock error, and the way from release to start.
fn tolerance(world: &World) -> Micros {
    world.swarm.clock_error + 10 * MS
}

/// Whether there was such trouble between two true instants.
fn was_troubled(
    world: &World,
    kind: TroubleKind,
    agent: Option<usize>,
    from: Micros,
    to: Micros,
) -> bool {
    let matches =
        |t: &&crate::world::Trouble| t.kind == kind && (agent.is_none() || t.agent == agent);
    world
        .troubles
        .iter()
        .filter(matches)
        .any(|t| t.from <= to && t.to >= from)
}

/// Whether an outcome says that the command did not run.
const fn says_never_ran(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Skipped | Outcome::Missed)
}

/// Outcome of an ended run.
const fn outcome(state: RunState) -> Option<Outcome> {
    if let RunState::Ended(outcome) = state {
        Some(outcome)
    } else {
        None
    }
}

type ByKey<K, V> = BTreeMap<K, Vec<V>>;
