//! Windows and snoozes: what is due in one is skipped for it and nothing else is, as far as it was planned after it was made.

use cronfleet_core::id::JobId;
use cronfleet_core::run::{Cause, Outcome, Reason, RunState};
use jiff::Timestamp;

use super::offers::{on_any, planned_at};
use crate::database::{LapseRow, Row};
use crate::report::Violation;
use crate::rest::Rest;
use crate::time::{MS, micros, timestamp};
use crate::world::World;

pub(super) fn check(world: &World, found: &mut Vec<Violation>) {
    let mut broken = |run, detail| {
        found.push(Violation {
            promise: "P1 windows and snoozes hold",
            run,
            detail,
        });
    };
    for (run, row) in &world.db.runs {
        if row.planned.cause == Cause::Schedule
            && row.planned.key.attempt == 1
            && let Some(rest) = ignored(world, row)
        {
            broken(
                Some(*run),
                format!(
                    "due {} was planned in spite of {rest:?}",
                    row.planned.key.due
                ),
            );
        }
        let RunState::Ended(Outcome::Skipped) = row.state else {
            continue;
        };
        if let Some(reason @ (Reason::Frozen | Reason::Snoozed)) = row.reason
            && !was_taken_back(world, row, reason)
        {
            broken(Some(*run), format!("{reason:?} for nothing"));
        }
    }
}

/// A window or snooze that held the run's due instant before the run was planned.
fn ignored<'a>(world: &'a World, row: &Row) -> Option<&'a Rest> {
    let key = &row.planned.key;
    let (planned, ..) = *row.history.first()?;
    // An offer that went on to another agent was planned when the first one was asked.
    let alike = world
        .db
        .runs
        .values()
        .filter(|other| on_any(other) == on_any(row));
    let first = alike.filter_map(planned_at).min();
    let planned = first
        .filter(|_| row.planned.is_offer)
        .map_or(planned, timestamp);
    let mut rests = world.db.rests.iter();
    rests.find(|rest| rest.since < planned && rest.holds(key.job, key.due))
}

/// Whether something was in force, while the run waited, that holds it: its due instant, or of a snooze the start.
fn was_taken_back(world: &World, row: &Row, reason: Reason) -> bool {
    let ended = row.history.last().map(|(at, ..)| *at);
    let key = &row.planned.key;
    let mut rests = world.db.rests.iter().filter(|rest| rest.reason == reason);
    rests.any(|rest| {
        let is_own = rest.job.is_none_or(|job| job == key.job);
        let at = if reason == Reason::Snoozed {
            row.planned.not_before
        } else {
            key.due
        };
        // A retry may have waited for its agent since before that.
        let waited = row.planned.cause == Cause::Retry && at <= rest.since;
        is_own
            && (waited || rest.covers(at) && rest.since < at)
            && ended.is_some_and(|ended| rest.since <= ended)
    })
}

/// What holds a due instant of a job, by the rests alone.
pub(super) fn reason_at(world: &World, job: JobId, due: Timestamp) -> Option<Reason> {
    let held = |reason| {
        let mut rests = world.db.rests.iter().filter(|rest| rest.reason == reason);
        rests.any(|rest| rest.holds(job, due))
    };
    if held(Reason::Snoozed) {
        Some(Reason::Snoozed)
    } else {
        held(Reason::Frozen).then_some(Reason::Frozen)
    }
}

/// Those of the due instants that nothing holds.
pub(super) fn free(world: &World, job: JobId, mut dues: Vec<Timestamp>) -> Vec<Timestamp> {
    dues.retain(|due| reason_at(world, job, *due).is_none());
    dues
}

/// Whether a lapse is one of a window or a snooze.
pub(super) fn is_held(row: &LapseRow) -> bool {
    matches!(row.lapse.reason, Reason::Frozen | Reason::Snoozed)
}

/// Whether a job was snoozed around an instant.
pub(super) fn was_snoozed(world: &World, job: JobId, at: Timestamp) -> bool {
    let (slack, at) = (10 * MS, micros(at));
    let mut snoozes = world
        .db
        .rests
        .iter()
        .filter(|rest| rest.reason == Reason::Snoozed && rest.job == Some(job));
    snoozes.any(|rest| {
        let ended = rest.ended.map_or(i64::MAX, micros);
        micros(rest.since) - slack <= at && at <= ended.saturating_add(slack)
    })
}
