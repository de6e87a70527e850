//! Limits of an agent on all of its runs together.

use cronfleet_core::id::{AgentId, RunId};

use super::ByKey;
use crate::host::RELEASE_MAX;
use crate::report::Violation;
use crate::time::SECOND;
use crate::world::{Stamp, World};

pub(super) fn check(world: &World, found: &mut Vec<Violation>) {
    let mut agents: ByKey<AgentId, (&Stamp, RunId)> = ByKey::new();
    for (run, stamps) in &world.stamps {
        for stamp in stamps {
            agents.entry(stamp.agent).or_default().push((stamp, *run));
        }
    }
    for mut starts in agents.into_values() {
        starts.sort_by_key(|(stamp, _)| stamp.start);
        if let Some(max) = world.swarm.run_limits.running_max {
            check_running(&starts, max as usize, found);
        }
        if let Some(rate) = world.swarm.run_limits.starts_per_second {
            check_rate(&starts, rate as usize, found);
        }
    }
}

fn check_running(starts: &[(&Stamp, RunId)], max: usize, found: &mut Vec<Violation>) {
    let mut alive: Vec<&Stamp> = Vec::new();
    for (stamp, run) in starts {
        alive.retain(|other| other.alive_until() > stamp.start);
        alive.push(stamp);
        if alive.len() > max {
            found.push(Violation {
                promise: "P10 the agent's limit on runs alive",
                run: Some(*run),
                detail: format!("{} alive, {max} may be", alive.len()),
            });
        }
    }
}

/// From a release to the start is a way of its own for each.
fn check_rate(starts: &[(&Stamp, RunId)], rate: usize, found: &mut Vec<Violation>) {
    for pair in starts.windows(rate + 1) {
        let ((first, _), (last, run)) = (pair[0], pair[rate]);
        let took = last.start - first.start;
        if took < SECOND - RELEASE_MAX {
            found.push(Violation {
                promise: "P10 the agent's limit on starts",
                run: Some(run),
                detail: format!(
                    "{} starts in {took} µs, {rate} in a second may be",
                    rate + 1
                ),
            });
        }
    }
}
