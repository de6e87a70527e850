//! Runs that become due while the one before is expected to be still alive.

use std::cmp::Reverse;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::answer::TOLD_MAX;
use super::block::{bounded, micros};
use super::fleet::{Fleet, JobPlace};
use super::instants::Instants;
use super::turns::Turns;
use super::window::Window;
use crate::id::JobId;
use crate::job::Overlap;

/// A job that is due again before its run is expected to have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpectedOverlap {
    /// The job.
    pub job: JobId,
    /// How long a run is expected to last: nine of ten past ones took no longer, nor does its timeout let it.
    pub lasting: Duration,
    /// The shortest time from one due instant to the next.
    pub shortest_gap: Duration,
    /// The first due instant at which the run before is expected to be alive.
    pub first: Timestamp,
    /// How many of them, for each agent and copy.
    pub count: u64,
    /// How many due instants there are altogether.
    pub due_count: u64,
    /// What becomes of them.
    pub effect: OverlapEffect,
    /// Whether the counts are estimates, because the job is due too often to look at every instant.
    pub is_approximate: bool,
}

/// What becomes of a run that is due while the one before is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverlapEffect {
    /// It is skipped.
    Skips,
    /// It starts beside it; so many are alive at the same time at most.
    Doubles {
        /// At least 2.
        alive_max: u64,
    },
    /// It waits for its turn, or is skipped if as many as may wait do so already.
    Waits,
    /// It takes the place of the one before.
    Replaces,
}

/// The jobs of a fleet with such instants, those first that last longest measured by their shortest gap; and how many there are.
pub(super) fn overlaps(
    fleet: &Fleet,
    instants: &[Instants],
    window: &Window,
) -> (Vec<ExpectedOverlap>, usize) {
    let gaps: Vec<i64> = instants.iter().map(shortest_gap).collect();
    let mut found: Vec<(JobPlace, i64, i64)> = fleet
        .places()
        .filter_map(|place| {
            let (lasting, gap) = (lasting(fleet, place)?, gaps[fleet.schedule_of(place)]);
            (lasting > gap).then_some((place, lasting, gap))
        })
        .collect();
    let count = found.len();
    found.sort_by_key(|(place, lasting, gap)| (Reverse(lasting / (*gap).max(1)), *place));
    found.truncate(TOLD_MAX);
    let told = found
        .into_iter()
        .filter_map(|(place, ..)| overlap(fleet, place, instants, window));
    (told.collect(), count)
}

/// What is to be expected of one job.
pub(super) fn overlap(
    fleet: &Fleet,
    place: JobPlace,
    instants: &[Instants],
    window: &Window,
) -> Option<ExpectedOverlap> {
    let job = fleet.job(place);
    let instants = &instants[fleet.schedule_of(place)];
    let lasting = lasting(fleet, place)?;
    let found = match job.scheduled.overlap {
        Overlap::Forbid => skips(instants.known(), lasting),
        Overlap::Allow => doubles(instants.known(), lasting),
        Overlap::Queue { max } => waits(instants.known(), lasting, max),
        Overlap::Replace => replaces(instants.known(), lasting),
    };
    let (first, due_count) = (found.first?, instants.count());
    let is_approximate = matches!(instants, Instants::Counted { .. });
    let count = if is_approximate {
        let share = u128::from(found.count) * u128::from(due_count) / u128::from(found.seen.max(1));
        u64::try_from(share).unwrap_or(u64::MAX)
    } else {
        found.count
    };
    Some(ExpectedOverlap {
        job: job.job,
        lasting: duration(lasting),
        shortest_gap: duration(shortest_gap(instants)),
        first: window.from() + SignedDuration::from_micros(first),
        count,
        due_count,
        effect: match job.scheduled.overlap {
            Overlap::Forbid => OverlapEffect::Skips,
            Overlap::Allow => OverlapEffect::Doubles {
                alive_max: found.alive_max,
            },
            Overlap::Queue { .. } => OverlapEffect::Waits,
            Overlap::Replace => OverlapEffect::Replaces,
        },
        is_approximate,
    })
}

/// Microseconds that a run of a job is expected to last.
fn lasting(fleet: &Fleet, place: JobPlace) -> Option<i64> {
    let job = fleet.job(place);
    let lasting = bounded(job.durations?.p90, job);
    Some(micros(
        u64::try_from(lasting.as_millis()).unwrap_or(u64::MAX),
    ))
}

fn duration(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// What going through instants found.
#[derive(Default)]
struct Found {
    first: Option<i64>,
    count: u64,
    /// Instants within the window that were looked at.
    seen: u64,
    alive_max: u64,
}

impl Found {
    fn see(&mut self, offset: i64, is_overlap: bool) {
        if offset < 0 {
            return;
        }
        self.seen += 1;
        if is_overlap {
            self.count += 1;
            self.first.get_or_insert(offset);
        }
    }
}

fn skips(instants: impl Iterator<Item = i64>, lasting: i64) -> Found {
    let (mut found, mut free_at) = (Found::default(), i64::MIN);
    for offset in instants {
        let is_skipped = offset < free_at;
        found.see(offset, is_skipped);
        if !is_skipped {
            free_at = offset.saturating_add(lasting);
        }
    }
    found
}

fn doubles(instants: impl Iterator<Item = i64>, lasting: i64) -> Found {
    let (mut found, mut alive) = (Found::default(), std::collections::VecDeque::new());
    for offset in instants {
        while alive.front().is_some_and(|until| *until <= offset) {
            alive.pop_front();
        }
        found.see(offset, !alive.is_empty());
        alive.push_back(offset.saturating_add(lasting));
        found.alive_max = found.alive_max.max(alive.len() as u64);
    }
    found
}

fn waits(instants: impl Iterator<Item = i64>, lasting: i64, max: u32) -> Found {
    let (mut found, mut turns) = (Found::default(), Turns::new(max));
    for offset in instants {
        found.see(offset, !turns.is_free(offset));
        turns.take(offset, lasting);
    }
    found
}

fn replaces(instants: impl Iterator<Item = i64>, lasting: i64) -> Found {
    let (mut found, mut free_at) = (Found::default(), i64::MIN);
    for offset in instants {
        found.see(offset, offset < free_at);
        free_at = offset.saturating_add(lasting);
    }
    found
}

/// Microseconds between the two nearest instants; the largest number if there are not two.
fn shortest_gap(instants: &Instants) -> i64 {
    let mut before = None;
    let gaps = instants.known().filter_map(|offset| {
        let gap = before.map(|before| offset - before);
        before = Some(offset);
        gap
    });
    gaps.min().unwrap_or(i64::MAX)
}
