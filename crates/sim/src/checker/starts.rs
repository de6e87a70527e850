//! At most one start, and within its window, on the true clock.

use cronfleet_core::id::{AgentId, JobId, RunId};
use cronfleet_core::run::{Cause, Outcome};
use jiff::Timestamp;

use super::{ByKey, outcome, tolerance};
use crate::report::Violation;
use crate::time::micros;
use crate::world::World;

pub(super) fn check(world: &World, found: &mut Vec<Violation>) {
    for (run, stamps) in &world.stamps {
        if stamps.len() > 1 {
            let detail = format!("started {} times", stamps.len());
            found.push(Violation {
                promise: "P2 at most one start",
                run: Some(*run),
                detail,
            });
        }
        let Some(row) = world.db.runs.get(run) else {
            let detail = "started, and nobody planned it".to_owned();
            found.push(Violation {
                promise: "P1 nothing is made up",
                run: Some(*run),
                detail,
            });
            continue;
        };
        let (from, to) = (
            micros(row.planned.not_before),
            micros(row.planned.not_after),
        );
        for stamp in stamps {
            let late = stamp.start - from;
            if late < -tolerance(world) || stamp.start > to + tolerance(world) {
                let detail = format!(
                    "started {late} µs after its due instant, window {} µs",
                    to - from
                );
                found.push(Violation {
                    promise: "P3 in its window",
                    run: Some(*run),
                    detail,
                });
            }
            if stamp.agent != row.agent() {
                let detail = format!("ran on {}", stamp.agent);
                found.push(Violation {
                    promise: "P1 on its target",
                    run: Some(*run),
                    detail,
                });
            }
        }
    }
    check_versions(world, found);
    check_attempts(world, found);
}

/// Of two versions' runs of one due instant only one may start.
fn check_versions(world: &World, found: &mut Vec<Violation>) {
    let mut started: ByKey<(JobId, Timestamp, AgentId, u32), RunId> = ByKey::new();
    for (run, row) in &world.db.runs {
        let key = &row.planned.key;
        let is_first = row.planned.cause == Cause::Schedule && key.attempt == 1;
        if is_first && world.stamps.contains_key(run) {
            started
                .entry((key.job, key.due, key.agent, key.copy))
                .or_default()
                .push(*run);
        }
    }
    for runs in started.into_values().filter(|runs| runs.len() > 1) {
        let detail = format!("started in {} versions of its job", runs.len());
        found.push(Violation {
            promise: "P2 one version of a due instant",
            run: runs.last().copied(),
            detail,
        });
    }
}

/// An attempt comes only after the one before it ended, and not if that is lost.
fn check_attempts(world: &World, found: &mut Vec<Violation>) {
    for (run, row) in world
        .db
        .runs
        .iter()
        .filter(|(_, row)| row.planned.key.attempt > 1)
    {
        let mut key = row.planned.key.clone();
        key.attempt -= 1;
        let before = world.db.runs.get(&key.id());
        let ended = before
            .and_then(|before| outcome(before.history.iter().find(|(_, s, _)| s.is_ended())?.1));
        let is_right = matches!(ended, Some(Outcome::Failed | Outcome::TimedOut));
        let ended_at = world
            .stamps
            .get(&key.id())
            .and_then(|stamps| stamps.last())
            .map(super::super::world::Stamp::alive_until);
        let started_at = world
            .stamps
            .get(run)
            .and_then(|stamps| stamps.first())
            .map(|stamp| stamp.start);
        let is_after = started_at.is_none_or(|start| ended_at.is_none_or(|end| end < start));
        if !is_right || !is_after {
            let detail = format!("attempt {} after {ended:?}", row.planned.key.attempt);
            found.push(Violation {
                promise: "P2 attempts follow each other",
                run: Some(*run),
                detail,
            });
        }
    }
}
