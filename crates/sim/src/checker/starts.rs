//! At most one start, and within its window, on the true clock.

use cronfleet_core::id::{AgentId, JobId, RunId};
use cronfleet_core::run::Cause;
use jiff::Timestamp;

use super::{ByKey, tolerance};
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
