//! Outcomes tell the truth, reasons are plausible, and a row goes only where it may.

use cronfleet_core::id::RunId;
use cronfleet_core::job::Overlap;
use cronfleet_core::run::{Outcome, Reason, RunState};
use cronfleet_core::run_limits::RunLimits;

use super::offers::{is_in_lane, is_passed_on, may_be_blocked};
use super::rests::is_held;
use super::turns::{has_replacement, is_behind_queue, is_late, was_overtaken};
use super::{outcome, says_never_ran, tolerance, was_troubled};
use crate::center::WAY_MAX;
use crate::database::Row;
use crate::host::RELEASE_MAX;
use crate::report::Violation;
use crate::time::{Micros, SECOND, micros, span};
use crate::world::{Stamp, TroubleKind, World};

pub(super) fn check(world: &World, found: &mut Vec<Violation>) {
    for (run, row) in &world.db.runs {
        let stamps = world.stamps.get(run).map_or(&[][..], Vec::as_slice);
        let mut broken = |promise, detail| {
            found.push(Violation {
                promise,
                run: Some(*run),
                detail,
            })
        };
        if let Some(lie) = lie(world, row, stamps) {
            broken(
                "P6 outcomes are true",
                format!("{:?} {:?}: {lie}", row.state, row.reason),
            );
        }
        if let Some(outcome) = outcome(row.state)
            && (row.reason.map(Reason::outcome) != Some(outcome))
            && (outcome.needs_reason() || row.reason.is_some())
        {
            broken(
                "P1 reasons",
                format!("{outcome:?} with reason {:?}", row.reason),
            );
        }
        if let Some(reason) = row.reason
            && !is_plausible(world, *run, row, reason)
        {
            broken(
                "P1 reasons are plausible",
                format!("{reason:?}; history {:?}", row.history),
            );
        }
        if !is_path(row) {
            broken("P6 states follow the graph", format!("{:?}", row.history));
        }
        let is_bad = matches!(outcome(row.state), Some(Outcome::Missed | Outcome::Lost));
        let has_waited = matches!(
            row.reason,
            Some(Reason::StartDeadlineExceeded | Reason::AgentLimit)
        );
        if world.swarm.faults.is_empty() && is_bad && !has_waited {
            broken(
                "P1 nothing fails without a fault",
                format!("{:?} {:?}", row.state, row.reason),
            );
        }
    }
    let missed = world.db.lapses.iter().filter(|row| !is_held(row)).count();
    if world.swarm.faults.is_empty() && missed > 0 {
        let detail = format!("{missed} lapses");
        found.push(Violation {
            promise: "P1 nothing fails without a fault",
            run: None,
            detail,
        });
    }
}

/// What is untrue about an outcome.
fn lie(world: &World, row: &Row, stamps: &[Stamp]) -> Option<String> {
    let stamp = stamps.first();
    let status = stamp.and_then(|stamp| stamp.end).map(|(_, status)| status);
    match outcome(row.state)? {
        outcome if says_never_ran(outcome) => stamp.map(|_| "it ran".to_owned()),
        Outcome::Succeeded if status != Some(0) => Some(format!("exit status {status:?}")),
        Outcome::Failed if row.reason.is_some() => stamp.map(|_| "it ran".to_owned()),
        Outcome::Failed => {
            (!matches!(status, Some(1..))).then(|| format!("exit status {status:?}"))
        }
        Outcome::Killed => {
            let at = stamp.map_or(0, Stamp::alive_until);
            let is_asked = row.is_kill_requested || has_replacement(world, row, at);
            (!is_asked).then(|| "nobody asked for it".to_owned())
        }
        Outcome::TimedOut => {
            let draw = world.db.jobs[&row.planned.key.job].draw(row.planned.key.job_version);
            let limit = draw.timeout.map(span);
            let ran = stamp.map_or(0, |stamp| stamp.alive_until() - stamp.start);
            let is_true = limit.is_some_and(|limit| ran >= limit);
            (!is_true).then(|| format!("it ran for {ran} µs, limit {limit:?}"))
        }
        Outcome::Succeeded | Outcome::Lost | Outcome::Skipped | Outcome::Missed => None,
    }
}

/// Whether something happened that explains the reason.
fn is_plausible(world: &World, run: RunId, row: &Row, reason: Reason) -> bool {
    let agent = world.agent_index(row.agent());
    let (from, to) = (
        micros(row.planned.not_before),
        micros(row.planned.not_after),
    );
    let ended = row.history.last().map_or(to, |(at, ..)| micros(*at));
    let since = from - 30 * SECOND;
    let happened = |kind, until: Micros| was_troubled(world, kind, agent, since, until);
    let was_edited = || {
        world
            .reigns
            .iter()
            .any(|r| r.job == row.planned.key.job && micros(r.from) < from)
    };
    match reason {
        // Up to a round of the planner may pass before it is seen.
        Reason::CenterDown => {
            was_troubled(world, TroubleKind::CenterDown, None, since, to + 2 * SECOND)
        }
        Reason::AgentOffline => {
            let planned = row.history.first().map_or(from, |(at, ..)| micros(*at));
            let is_late = planned + WAY_MAX > to
                && was_troubled(world, TroubleKind::CenterDown, None, since, to);
            // What an edit has planned is handed out in the planner's next round, and its last one may still be under way.
            let is_of_edit = planned + WAY_MAX + SECOND > to
                && world
                    .reigns
                    .iter()
                    .any(|r| r.job == row.planned.key.job && micros(r.from) == planned);
            // A plan that took longer to the database than its runs had time could not be sent either.
            // About an offer the center decides when it can, and by who is there then.
            let until = if row.planned.is_offer { ended } else { to };
            row.has_waited || happened(TroubleKind::Offline, until) || is_late || is_of_edit
        }
        Reason::StartDeadlineExceeded => {
            !world.swarm.faults.is_empty()
                || world.swarm.run_limits != RunLimits::default()
                || waited_in_queue(world, run, row, ended)
        }
        Reason::AgentRestarted => {
            happened(TroubleKind::AgentDown, ended) || happened(TroubleKind::Reboot, ended)
        }
        Reason::HostRebooted => happened(TroubleKind::Reboot, ended),
        Reason::AgentCrashed | Reason::ExitUnknown => happened(TroubleKind::ShimCrash, ended),
        Reason::SpawnFailed => {
            happened(TroubleKind::ShimCrash, ended) || happened(TroubleKind::AgentDown, ended)
        }
        Reason::AgentGone => happened(TroubleKind::Offline, ended),
        // Until a run is due its agent tries again.
        Reason::LedgerUnwritable => {
            let since = from - tolerance(world);
            was_troubled(world, TroubleKind::DiskFull, agent, since, ended)
        }
        Reason::KilledBeforeStart => row.is_kill_requested,
        Reason::Superseded | Reason::Paused => was_edited(),
        // The checker of windows and snoozes asks for more.
        Reason::Snoozed | Reason::Frozen => !world.db.rests.is_empty(),
        Reason::Overlap => overlapped(world, run, row, ended),
        Reason::QueueFull => {
            let is_in_the_way =
                overlapped(world, run, row, ended) || may_be_blocked(world, row, ended);
            is_in_the_way && is_behind_queue(world, row, ended)
        }
        Reason::Overtaken => was_overtaken(world, row, ended),
        Reason::Replaced => has_replacement(world, row, ended),
        Reason::OfferedElsewhere => is_passed_on(world, row),
        Reason::Blocked => overlapped(world, run, row, ended) || may_be_blocked(world, row, ended),
        Reason::NeverReceived => row.planned.is_offer && !world.swarm.faults.is_empty(),
        Reason::AgentLimit => world.swarm.run_limits != RunLimits::default(),
        Reason::PolicyDenied
        | Reason::LedgerMissing
        | Reason::AgentFull
        | Reason::AgentTooOld
        | Reason::NoTarget
        | Reason::Coalesced
        | Reason::CatchUpExceeded
        | Reason::Deleted
        | Reason::AgentRemoved
        | Reason::UserUnknown
        | Reason::SecretUnavailable
        | Reason::DirectoryMissing
        | Reason::DirectoryDenied
        | Reason::CommandMissing
        | Reason::CommandDenied
        | Reason::CommandFormat
        | Reason::IdentityFailed
        | Reason::LimitUnsupported
        | Reason::OomKilled => false,
    }
}

/// Whether it may wait for another one, because of its job or because it was planned late, and there was one in the way.
fn waited_in_queue(world: &World, run: RunId, row: &Row, refused: Micros) -> bool {
    let key = &row.planned.key;
    let overlap = world.db.jobs[&key.job].draw(key.job_version).overlap;
    let waits = match overlap {
        Overlap::Queue { .. } => true,
        Overlap::Forbid => is_late(world, row),
        Overlap::Allow | Overlap::Replace => false,
    };
    waits && overlapped(world, run, row, refused)
}

/// Whether another run of the same copy of the job was alive (or about to start) when this one was due, or until it was refused.
fn overlapped(world: &World, run: RunId, row: &Row, refused: Micros) -> bool {
    let due = micros(row.planned.not_before) - tolerance(world);
    let until = refused + tolerance(world);
    let is_same_lane = |other: &RunId| {
        let found = world.db.runs.get(other).filter(|_| *other != run);
        found.is_some_and(|other| is_in_lane(&other.planned, &row.planned))
    };
    let was_alive = world.stamps.iter().any(|(other, stamps)| {
        let mut stamps = stamps.iter();
        is_same_lane(other)
            && stamps.any(|stamp| stamp.start <= until && stamp.alive_until() >= due)
    });
    // The center goes by what it knows: where it decides, what an agent has may be alive.
    let had_word = || {
        let others = world.db.runs.iter().filter(|(run, _)| is_same_lane(run));
        let decided = others.filter(|(_, other)| row.planned.is_offer || other.planned.is_offer);
        let mut decided = decided.map(|(_, other)| &other.history);
        decided.any(|history| {
            let is_agents = |state| {
                matches!(
                    state,
                    RunState::Dispatched | RunState::Accepted | RunState::Running
                )
            };
            let word = history.iter().find(|(_, state, _)| is_agents(*state));
            let over = history.last().filter(|(_, state, _)| state.is_ended());
            word.is_some_and(|(at, ..)| micros(*at) <= until)
                && over.is_none_or(|(at, ..)| micros(*at) >= due)
        })
    };
    // It may have got the word to go, and nothing came of it because its shim or its host died just then.
    was_alive
        || had_word()
        || world.released.iter().any(|(other, at)| {
            let mut at = at.iter();
            is_same_lane(other) && at.any(|at| *at <= until && at + RELEASE_MAX >= due)
        })
}

/// Whether the run's states came in an order that may be.
fn is_path(row: &Row) -> bool {
    let rank = |state: RunState| match state {
        RunState::Planned => 0,
        RunState::Offered => 1,
        RunState::Dispatched => 2,
        RunState::Accepted => 3,
        RunState::Running => 4,
        RunState::Ended(_) => 5,
    };
    let mut refinements = 0;
    row.history.windows(2).all(|pair| {
        let (from, to) = (pair[0].1, pair[1].1);
        if from == RunState::Ended(Outcome::Lost) {
            refinements += 1;
            return refinements == 1 && to.is_ended() && to != from;
        }
        // Only the center's own rows may end without having been sent.
        let is_sent = from != RunState::Planned
            || matches!(to, RunState::Dispatched | RunState::Offered)
            || is_never_run(to);
        let is_missed_by_center = from == RunState::Dispatched
            && matches!(pair[1].2, Some(Reason::CenterDown | Reason::AgentOffline));
        rank(from) < rank(to) && is_sent && !is_missed_by_center
    })
}

fn is_never_run(state: RunState) -> bool {
    outcome(state).is_some_and(says_never_ran)
}
