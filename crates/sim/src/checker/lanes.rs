//! Overlap, and the order of starts, within one copy of one job on one agent.

use cronfleet_core::id::{AgentId, JobId, RunId};
use cronfleet_core::job::Overlap;
use cronfleet_core::run::Cause;

use super::ByKey;
use crate::database::Row;
use crate::report::Violation;
use crate::world::{Stamp, World};

type Lane = (JobId, AgentId, u32);

pub(super) fn check(world: &World, found: &mut Vec<Violation>) {
    let mut lanes: ByKey<Lane, (&Stamp, RunId, &Row)> = ByKey::new();
    for (run, stamps) in &world.stamps {
        let Some(row) = world.db.runs.get(run) else {
            continue;
        };
        let key = &row.planned.key;
        let lane = lanes.entry((key.job, key.agent, key.copy)).or_default();
        lane.extend(stamps.iter().map(|stamp| (stamp, *run, row)));
    }
    for mut starts in lanes.into_values() {
        starts.sort_by_key(|(stamp, ..)| stamp.start);
        check_overlap(world, &starts, found);
        // Without a stream orders come in any order, and so do starts; two that may overlap and get the word together do as well.
        starts.retain(|(_, _, row)| !row.planned.is_offer);
        if world.swarm.is_stream {
            check_order(&starts, found);
        }
    }
}

fn check_overlap(world: &World, starts: &[(&Stamp, RunId, &Row)], found: &mut Vec<Violation>) {
    let mut alive: Option<(&Stamp, RunId)> = None;
    for (stamp, run, row) in starts {
        let key = &row.planned.key;
        let forbids = world.db.jobs[&key.job].draw(key.job_version).overlap != Overlap::Allow;
        if let Some((before, other)) = alive
            && forbids
            && before.alive_until() > stamp.start
            && other != *run
        {
            let detail = format!("started while {other} was alive");
            found.push(Violation {
                promise: "P5 no overlap",
                run: Some(*run),
                detail,
            });
        }
        if alive.is_none_or(|(before, _)| before.alive_until() <= stamp.alive_until()) {
            alive = Some((stamp, *run));
        }
    }
}

/// First attempts of one version that did not have to wait for another one's start in the order in which they are due.
fn check_order(starts: &[(&Stamp, RunId, &Row)], found: &mut Vec<Violation>) {
    let first = starts
        .iter()
        .filter(|(_, _, row)| row.planned.cause == Cause::Schedule && !row.has_waited);
    let mut last: Option<&Row> = None;
    for (_, run, row) in first {
        let key = &row.planned.key;
        if let Some(last) = last
            && last.planned.key.job_version == key.job_version
            && last.planned.key.due > key.due
        {
            let detail = format!("due {} started after {}", key.due, last.planned.key.due);
            found.push(Violation {
                promise: "P7 starts in order",
                run: Some(*run),
                detail,
            });
        }
        last = Some(row);
    }
}
