//! Nothing vanishes: each due instant of each target is one run, or lies in a lapse; and everything comes to an end.

use std::collections::{BTreeMap, BTreeSet};

use cronfleet_core::id::{AgentId, JobId};
use cronfleet_core::plan::{PLAN_AHEAD, later};
use cronfleet_core::run::{Cause, Reason, RunKey};
use jiff::Timestamp;

use super::offers::{ANY, width};
use super::rests::{is_held, reason_at};
use super::was_troubled;
use crate::database::{LapseRow, Row};
use crate::oracle::due_between;
use crate::report::Violation;
use crate::rest::Rest;
use crate::swarm::JobDraw;
use crate::time::{SECOND, micros, span, timestamp};
use crate::world::{Reign, TroubleKind, World};

/// One due instant of one target, by version; where some agents are enough, of whichever they are.
type Slot = (JobId, u32, Timestamp, AgentId, u32);

pub(super) fn check(world: &World, found: &mut Vec<Violation>) {
    let mut expected = BTreeSet::new();
    let end = timestamp(world.swarm.check_until);
    for job in world.db.jobs.keys() {
        let reigns: Vec<&Reign> = world
            .reigns
            .iter()
            .filter(|reign| reign.job == *job)
            .collect();
        for (index, reign) in reigns.iter().enumerate() {
            let until = reigns.get(index + 1).map_or(end, |next| next.from.min(end));
            expect(reign, until, &mut expected);
        }
    }
    let mut recorded: BTreeMap<Slot, usize> = BTreeMap::new();
    let firsts = world.db.runs.values().filter(|row| is_first(row));
    for row in firsts.filter(|row| row.reason != Some(Reason::OfferedElsewhere)) {
        *recorded.entry(slot(row)).or_default() += 1;
    }
    for slot in &expected {
        let (job, version, due, agent, copy) = *slot;
        let lapses = world
            .db
            .lapses
            .iter()
            .filter(|row| covers(row, job, due))
            .count();
        let runs = recorded.get(slot).copied().unwrap_or_default();
        let wanted = width(world.db.jobs[&job].draw(version));
        let is_decided = (runs, lapses) == (wanted, 0) || (runs, lapses) == (0, 1);
        if !is_decided && !is_left_over(world, slot) {
            let detail = format!(
                "job {job} version {version} due {due} on {agent} copy {copy}: {runs} runs, {lapses} lapses"
            );
            found.push(Violation {
                promise: "P1 nothing vanishes",
                run: None,
                detail,
            });
        }
    }
    check_unexpected(world, &expected, end, found);
    check_lapses(world, found);
    check_end(world, found);
}

fn expect(reign: &Reign, until: Timestamp, expected: &mut BTreeSet<Slot>) {
    let Some((version, draw)) = &reign.version else {
        return;
    };
    for due in due_between(draw, reign.from, until) {
        for agent in targets(draw) {
            for copy in 0..draw.copies {
                expected.insert((reign.job, *version, due, agent, copy));
            }
        }
    }
}

/// Whether the slot's run was planned before a pause, and its due instant is decided once more since, because it is held by then
/// or planning had to stop before it at one that is. Without anything that holds, planning again finds the run that is there.
fn is_left_over(world: &World, slot: &Slot) -> bool {
    let (job, job_version, due, agent, copy) = *slot;
    let key = RunKey {
        job,
        job_version,
        due,
        agent,
        copy,
        attempt: 1,
        trigger: String::new(),
    };
    let row = if agent == ANY {
        let mut rows = world.db.runs.values().filter(|row| is_first(row));
        rows.find(|row| self::slot(row) == *slot)
    } else {
        world.db.runs.get(&key.id())
    };
    let planned = row.and_then(|row| row.history.first());
    let lapses = world.db.lapses.iter().filter(|row| covers(row, job, due));
    let was_paused = |planned| {
        let mut reigns = world.reigns.iter();
        reigns.any(|reign| {
            reign.job == job && reign.version.is_none() && planned <= reign.from && reign.from < due
        })
    };
    let may_hold = |rest: &Rest| rest.job.is_none_or(|own| own == job) && rest.since < due;
    lapses.count() == 1
        && world.db.rests.iter().any(may_hold)
        && planned.is_some_and(|(planned, ..)| was_paused(*planned))
}

/// Its agents; where some are enough, one that stands for them.
fn targets(draw: &JobDraw) -> Vec<AgentId> {
    if draw.spread.offers() {
        vec![ANY]
    } else {
        draw.agents.clone()
    }
}

fn is_first(row: &Row) -> bool {
    row.planned.cause == Cause::Schedule && row.planned.key.attempt == 1
}

fn slot(row: &Row) -> Slot {
    let key = &row.planned.key;
    let agent = if row.planned.is_offer { ANY } else { key.agent };
    (key.job, key.job_version, key.due, agent, key.copy)
}

fn covers(row: &LapseRow, job: JobId, due: Timestamp) -> bool {
    row.job == job && row.lapse.due_from <= due && due <= row.lapse.due_to
}

/// Runs that nobody should have planned: only what was planned ahead of an edit or a pause may be left over.
fn check_unexpected(
    world: &World,
    expected: &BTreeSet<Slot>,
    end: Timestamp,
    found: &mut Vec<Violation>,
) {
    for row in world.db.runs.values().filter(|row| is_first(row)) {
        let key = &row.planned.key;
        if expected.contains(&slot(row)) || key.due > end {
            continue;
        }
        let was_changed = world.reigns.iter().any(|reign| {
            reign.job == key.job
                && reign.from < key.due
                && key.due <= later(reign.from, PLAN_AHEAD * 2)
        });
        if !was_changed {
            let detail = format!("{key:?} was planned and is not due");
            found.push(Violation {
                promise: "P1 nothing is made up",
                run: Some(row.planned.id),
                detail,
            });
        }
    }
}

/// A lapse must have its count, and its reason must be true.
fn check_lapses(world: &World, found: &mut Vec<Violation>) {
    for row in &world.db.lapses {
        let lapse = &row.lapse;
        let reigns = world
            .reigns
            .iter()
            .filter(|reign| reign.job == row.job && reign.from < lapse.due_from);
        let Some((_, draw)) = reigns
            .max_by_key(|reign| reign.from)
            .and_then(|reign| reign.version.as_ref())
        else {
            let detail = format!("{lapse:?} while the job was paused");
            found.push(Violation {
                promise: "P1 lapses are true",
                run: None,
                detail,
            });
            continue;
        };
        let before = lapse.due_from - std::time::Duration::from_micros(1);
        let dues = due_between(draw, before, lapse.due_to);
        let count = dues.len() as u64;
        let held = is_held(row).then_some(lapse.reason);
        if let Some(due) = dues
            .iter()
            .find(|due| reason_at(world, row.job, **due) != held)
        {
            let right = reason_at(world, row.job, *due);
            found.push(Violation {
                promise: "P1 lapses are true",
                run: None,
                detail: format!("{lapse:?}: {due} is held by {right:?}"),
            });
        }
        let from = micros(lapse.due_from);
        let is_of_centers = matches!(
            lapse.reason,
            Reason::CenterDown | Reason::Coalesced | Reason::CatchUpExceeded
        );
        let is_plausible = is_of_centers
            && was_troubled(
                world,
                TroubleKind::CenterDown,
                None,
                from,
                micros(lapse.due_to) + span(draw.jitter + draw.start_deadline),
            );
        if count != lapse.count || !(is_plausible || is_held(row)) {
            let detail =
                format!("{lapse:?}: {count} due instants, the center was down: {is_plausible}");
            found.push(Violation {
                promise: "P1 lapses are true",
                run: None,
                detail,
            });
        }
    }
}

/// What could start until a while before the end must have ended.
fn check_end(world: &World, found: &mut Vec<Violation>) {
    let end = timestamp(world.swarm.end - 20 * SECOND);
    let open = world
        .db
        .active_rows()
        .filter(|row| row.planned.not_after <= end);
    for row in open {
        let detail = format!(
            "stays {:?} for ever (waits for {:?})",
            row.state, row.after_run
        );
        found.push(Violation {
            promise: "P1 everything ends",
            run: Some(row.planned.id),
            detail,
        });
    }
}
