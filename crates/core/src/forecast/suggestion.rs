//! Jobs of one fixed time that would be better spread.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::fleet::{Fleet, JobPlace};
use super::instants::Instants;
use super::tally::{Mark, starts_in};
use super::window::Window;
use crate::id::JobId;
use crate::job::ScheduledSpec;
use crate::plan::earlier;
use crate::schedule::{Spreading, spreading};

/// Jobs of the same time from which on it is worth to spread them.
const JOBS_MIN: usize = 5;
/// Most suggestions.
const SUGGESTIONS_MAX: usize = 10;
/// Most jobs that one suggestion names.
const JOBS_MAX: usize = 20;
/// Instants of a schedule among which the one with the most starts is looked for.
const LOOKED_AT_MAX: usize = 1_000;

/// Jobs that start in the same second, and what would spread them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// Their schedule, as the first of them has it.
    pub expression: String,
    /// The schedule that each of them would have.
    pub suggested: String,
    /// The jobs, at most 20.
    pub jobs: Vec<JobId>,
    /// How many there are, at least 5.
    pub job_count: usize,
    /// A second in which they start: the one with the most starts.
    pub at: Timestamp,
    /// Runs of all jobs that start in that second.
    pub peak_before: u64,
    /// The most that would start in any second of the time over which they would be spread.
    pub peak_after: u64,
}

/// What would make the largest difference, that first. `marks` has the starts of all jobs.
pub(super) fn suggestions(
    fleet: &Fleet,
    instants: &[Instants],
    marks: &[Mark],
    window: &Window,
) -> Vec<Suggestion> {
    let mut alike: BTreeMap<(usize, Spreading), Vec<JobPlace>> = BTreeMap::new();
    for place in fleet.places() {
        if let Some(better) = spreading(&fleet.job(place).scheduled.expression) {
            let key = (fleet.schedule_of(place), better);
            alike.entry(key).or_default().push(place);
        }
    }
    let mut many: Vec<(u64, usize, Spreading, Vec<JobPlace>)> = alike
        .into_iter()
        .filter(|(_, jobs)| jobs.len() >= JOBS_MIN)
        .map(|((schedule, better), jobs)| {
            let starts = jobs.iter().map(|place| starts(fleet, *place));
            let starts = starts.fold(0, u64::saturating_add);
            (starts, schedule, better, jobs)
        })
        .collect();
    many.sort_by_key(|(starts, schedule, ..)| (Reverse(*starts), *schedule));
    many.truncate(SUGGESTIONS_MAX);
    many.into_iter()
        .filter_map(|(_, schedule, better, jobs)| {
            let second = busiest(&instants[schedule], marks)?;
            suggestion(fleet, &jobs, better, marks, second, window)
        })
        .collect()
}

/// Runs of a job for each due instant.
fn starts(fleet: &Fleet, place: JobPlace) -> u64 {
    let job = fleet.job(place);
    let agents = fleet.agents_of(job.agents).len() as u64;
    agents.saturating_mul(u64::from(job.copies))
}

/// The second of a schedule in which most runs of all jobs start.
fn busiest(instants: &Instants, marks: &[Mark]) -> Option<u32> {
    let Instants::Listed { offsets, .. } = instants else {
        return None;
    };
    offsets
        .iter()
        .take(LOOKED_AT_MAX)
        .map(|offset| Window::second(*offset))
        .max_by_key(|second| (starts_in(marks, *second), Reverse(*second)))
}

fn suggestion(
    fleet: &Fleet,
    jobs: &[JobPlace],
    better: Spreading,
    marks: &[Mark],
    second: u32,
    window: &Window,
) -> Option<Suggestion> {
    let at = window.at(second);
    let within = better.within.as_secs() as usize;
    let mut counts = vec![0_i64; within];
    let begin = marks.partition_point(|mark| mark.second < second);
    for mark in &marks[begin..] {
        match counts.get_mut((mark.second - second) as usize) {
            Some(count) => *count = mark.starts,
            None => break,
        }
    }
    let before = *counts.first()?;
    for place in jobs {
        let starts = i64::try_from(starts(fleet, *place)).unwrap_or(i64::MAX);
        counts[0] -= starts;
        let moved = moved(fleet, *place, &better, at)?;
        if let Some(count) = counts.get_mut(moved) {
            *count += starts;
        }
    }
    let unsigned = |count: i64| u64::try_from(count).unwrap_or(0);
    let peak_after = unsigned(counts.into_iter().max()?);
    let first = fleet.job(*jobs.first()?);
    (peak_after < unsigned(before)).then(|| Suggestion {
        expression: first.scheduled.expression.clone(),
        suggested: better.text,
        jobs: jobs
            .iter()
            .take(JOBS_MAX)
            .map(|place| fleet.job(*place).job)
            .collect(),
        job_count: jobs.len(),
        at,
        peak_before: unsigned(before),
        peak_after,
    })
}

/// How many seconds later a job that is due at `at` would be due with a better schedule.
fn moved(fleet: &Fleet, place: JobPlace, better: &Spreading, at: Timestamp) -> Option<usize> {
    let job = fleet.job(place);
    let scheduled = ScheduledSpec {
        expression: better.text.clone(),
        ..job.scheduled.clone()
    };
    let schedule = scheduled.schedule(job.job).ok()?;
    let due = schedule.next_after(earlier(at, std::time::Duration::from_micros(1)))?;
    let later: SignedDuration = due.duration_since(at);
    usize::try_from(later.as_secs()).ok()
}
