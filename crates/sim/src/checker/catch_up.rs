//! Bounded catch-up: only what a job asks for runs after its start deadline, within its bounds, and what is left out is left out
//! for a true reason.

use std::time::Duration;

use cronfleet_core::catch_up::CatchUp;
use cronfleet_core::id::JobId;
use cronfleet_core::plan::earlier;
use cronfleet_core::run::Reason;
use jiff::Timestamp;

use super::rests::{free, is_held, reason_at};
use super::{ByKey, was_troubled};
use crate::database::LapseRow;
use crate::oracle::due_between;
use crate::report::Violation;
use crate::swarm::JobDraw;
use crate::time::micros;
use crate::world::{TroubleKind, World};

/// What was caught up at once: a version of a job, and the moment.
type Wave = (JobId, u32, Timestamp);

pub(super) fn check(world: &World, found: &mut Vec<Violation>) {
    let mut broken = |detail| {
        found.push(Violation {
            promise: "P4 bounded catch-up",
            run: None,
            detail,
        });
    };
    let mut waves: ByKey<Wave, Timestamp> = ByKey::new();
    for row in world
        .db
        .runs
        .values()
        .filter(|row| row.planned.is_caught_up)
    {
        let key = &row.planned.key;
        let wave = (key.job, key.job_version, row.planned.not_before);
        waves.entry(wave).or_default().push(key.due);
    }
    for ((job, version, at), mut dues) in waves {
        dues.sort_unstable();
        dues.dedup();
        let draw = world.db.jobs[&job].draw(version);
        let was_down = was_troubled(
            world,
            TroubleKind::CenterDown,
            None,
            micros(dues[0]),
            micros(at),
        );
        let due_between = |from, to| free(world, job, due_between(draw, from, to));
        if !is_wanted(draw, due_between, &dues, at) || !was_down {
            broken(format!(
                "job {job} version {version} at {at}: {dues:?} by {:?}, a center was down: {was_down}",
                draw.catch_up
            ));
        }
    }
    for row in &world.db.lapses {
        let reigns = world
            .reigns
            .iter()
            .filter(|reign| reign.job == row.job && reign.from < row.lapse.due_from);
        let reign = reigns.max_by_key(|reign| reign.from);
        if let Some((_, draw)) = reign.and_then(|reign| reign.version.as_ref())
            && !is_held(row)
            && !is_left_out(world, draw, row)
        {
            broken(format!("{row:?} by {:?}", draw.catch_up));
        }
    }
}

/// Whether these due instants, in order, are what the policy asks for at that moment.
fn is_wanted(
    draw: &JobDraw,
    due_between: impl Fn(Timestamp, Timestamp) -> Vec<Timestamp>,
    dues: &[Timestamp],
    at: Timestamp,
) -> bool {
    let Some(first) = dues.first() else {
        return true;
    };
    match draw.catch_up {
        CatchUp::None => false,
        CatchUp::Latest => dues.len() == 1 && due_between(*first, at).is_empty(),
        CatchUp::All { max, window } => {
            let before = earlier(*first, Duration::from_micros(1));
            dues.len() <= max as usize
                && *first > earlier(at, window)
                && due_between(before, last_overdue(draw, at)) == dues
        }
    }
}

/// Up to here a due instant is too late for every target.
fn last_overdue(draw: &JobDraw, at: Timestamp) -> Timestamp {
    earlier(at, draw.jitter + draw.start_deadline)
}

/// Whether the policy leaves out what lies in a lapse.
fn is_left_out(world: &World, draw: &JobDraw, row: &LapseRow) -> bool {
    let (last, at) = (row.lapse.due_to, row.decided_at);
    let due_between = |from, to| free(world, row.job, due_between(draw, from, to));
    // Nothing is caught up while something holds the job.
    if row.lapse.reason == Reason::CenterDown && reason_at(world, row.job, at).is_some() {
        return true;
    }
    match (draw.catch_up, row.lapse.reason) {
        (CatchUp::None, Reason::CenterDown) => true,
        (CatchUp::Latest, Reason::Coalesced) => !due_between(last, at).is_empty(),
        (CatchUp::All { max, window }, Reason::CatchUpExceeded) => {
            let newer = due_between(last, last_overdue(draw, at));
            last <= earlier(at, window) || newer.len() >= max as usize
        }
        _ => false,
    }
}
