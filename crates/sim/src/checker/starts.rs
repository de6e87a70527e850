//! At most one start, and within its window, on the true clock.

use cronfleet_core::id::{AgentId, JobId, RunId};
use cronfleet_core::plan::later;
use cronfleet_core::run::Cause;
use cronfleet_core::spread;
use jiff::Timestamp;

use super::{ByKey, tolerance};
use crate::database::Row;
use crate::report::Violation;
use crate::time::{micros, span};
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
    check_jitter(world, found);
    check_versions(world, found);
}

/// What the schedule asked for starts not before its target has waited by the job's jitter, always for the same time, and not
/// later than its deadline after that; what was planned too late for that, while some target of its due instant could start.
fn check_jitter(world: &World, found: &mut Vec<Violation>) {
    let is_first = |row: &Row| {
        let is_of_schedule = row.planned.cause == Cause::Schedule && row.planned.key.attempt == 1;
        is_of_schedule && !row.planned.is_caught_up
    };
    for (run, stamps) in &world.stamps {
        let Some(row) = world.db.runs.get(run).filter(|row| is_first(row)) else {
            continue;
        };
        let key = &row.planned.key;
        let draw = world.db.jobs[&key.job].draw(key.job_version);
        let is_offer = row.planned.is_offer;
        let wait = spread::wait(draw.jitter, key.job, key.agent, key.copy, is_offer);
        let begin = micros(later(key.due, wait));
        let deadline = span(draw.start_deadline);
        let planned_at = row.history.first().map_or(begin, |(at, ..)| micros(*at));
        let end = if planned_at > begin + deadline {
            micros(later(key.due, draw.jitter)) + deadline
        } else {
            begin + deadline
        };
        let window = begin - tolerance(world)..=end + tolerance(world);
        if let Some(stamp) = stamps.iter().find(|stamp| !window.contains(&stamp.start)) {
            let detail = format!(
                "due {}, waits {wait:?}, started {} µs after that, may until {} µs after it",
                key.due,
                stamp.start - begin,
                end - begin
            );
            found.push(Violation {
                promise: "P3 in its window",
                run: Some(*run),
                detail,
            });
        }
    }
}

/// Of two versions' runs of one due instant only one may start.
fn check_versions(world: &World, found: &mut Vec<Violation>) {
    let mut started: ByKey<(JobId, Timestamp, AgentId, u32), RunId> = ByKey::new();
    for (run, row) in &world.db.runs {
        let key = &row.planned.key;
        let is_first = row.planned.cause == Cause::Schedule && key.attempt == 1;
        if is_first && !row.planned.is_offer && world.stamps.contains_key(run) {
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
