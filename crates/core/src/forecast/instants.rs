//! The due instants of schedules within a window: listed, or counted where they are too many.

use super::fleet::Fleet;
use super::window::Window;
use crate::schedule::Schedule;

/// Most due instants of one schedule that are listed: a day of one that is due every second.
pub const LISTED_MAX: u64 = 100_000;

/// Most work that lists make: for each instant one step to find it and one for every use of its schedule.
const WORK_MAX: u64 = 8_000_000;
/// Most questions of how often schedules are due that are not listed.
const COUNTS_MAX: usize = 1_000_000;
/// Instants that stand for the others of a schedule that is not listed.
const SAMPLE_MAX: usize = 1_000;

/// When a schedule is due within a window. Offsets are microseconds from its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Instants {
    /// Each of them.
    Listed {
        /// The last one before the window.
        before: Option<i64>,
        /// Those within it, oldest first.
        offsets: Vec<i64>,
    },
    /// How many, for each bucket.
    Counted {
        /// Number per bucket.
        per_bucket: Vec<u64>,
        /// The first of them, oldest first.
        sample: Vec<i64>,
    },
}

impl Instants {
    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Listed { offsets, .. } => offsets.len() as u64,
            Self::Counted { per_bucket, .. } => per_bucket.iter().sum(),
        }
    }

    /// All of them, or those that stand for all; the last one before the window first.
    pub(super) fn known(&self) -> impl Iterator<Item = i64> + '_ {
        let (before, offsets) = match self {
            Self::Listed { before, offsets } => (*before, offsets),
            Self::Counted { sample, .. } => (None, sample),
        };
        before.into_iter().chain(offsets.iter().copied())
    }
}

/// The due instants of each schedule of a fleet; `users` says how often each one's are gone through.
pub(super) fn instants(fleet: &Fleet, users: &[u64], window: &Window) -> Vec<Instants> {
    let schedules = fleet.schedules();
    let (after, until) = window.span(0, window.seconds());
    let counts: Vec<u64> = schedules
        .iter()
        .map(|schedule| schedule.count_between(after, until, LISTED_MAX + 1))
        .collect();
    let is_listed = affordable(&counts, users, WORK_MAX);
    let counted = is_listed.iter().filter(|is_listed| !**is_listed).count();
    let stride = counted
        .saturating_mul(window.bucket_count())
        .div_ceil(COUNTS_MAX)
        .max(1);
    schedules
        .iter()
        .zip(is_listed)
        .map(|(schedule, is_listed)| {
            if is_listed {
                list(schedule, window)
            } else {
                count(schedule, window, stride)
            }
        })
        .collect()
}

/// Which schedules are listed: those with the fewest instants, as far as the work goes.
fn affordable(counts: &[u64], users: &[u64], work_max: u64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by_key(|place| counts[*place]);
    let mut is_listed = vec![false; counts.len()];
    let mut work: u64 = 0;
    for place in order {
        let uses = users.get(place).copied().unwrap_or(0);
        work = work.saturating_add(counts[place].saturating_mul(uses.saturating_add(1)));
        is_listed[place] = counts[place] <= LISTED_MAX && work <= work_max;
    }
    is_listed
}

fn list(schedule: &Schedule, window: &Window) -> Instants {
    let (after, until) = window.span(0, window.seconds());
    let offsets = schedule
        .between(after, until, LISTED_MAX as usize)
        .into_iter()
        .map(|due| window.offset(due))
        .collect();
    let before = schedule.prev_before(window.from());
    Instants::Listed {
        before: before.map(|due| window.offset(due)),
        offsets,
    }
}

/// Counts instants for `stride` buckets at a time.
fn count(schedule: &Schedule, window: &Window, stride: usize) -> Instants {
    let buckets = window.bucket_count();
    let mut per_bucket = Vec::with_capacity(buckets);
    for first in (0..buckets).step_by(stride) {
        let last = (first + stride).min(buckets) - 1;
        let (begin, end) = (window.bucket(first).0, window.bucket(last).1);
        let (after, until) = window.span(begin, end);
        let count = schedule.count_between(after, until, u64::MAX);
        // What lies before each bucket's end, so that nothing is lost in rounding.
        let share = |until: u32| {
            let (part, whole) = (u128::from(until - begin), u128::from(end - begin).max(1));
            u64::try_from(u128::from(count) * part / whole).unwrap_or(u64::MAX)
        };
        per_bucket.extend((first..=last).map(|bucket| {
            let (from, until) = window.bucket(bucket);
            share(until) - share(from)
        }));
    }
    let (after, until) = window.span(0, window.seconds());
    let sample = schedule.between(after, until, SAMPLE_MAX);
    Instants::Counted {
        per_bucket,
        sample: sample.into_iter().map(|due| window.offset(due)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::schedule::Context;

    fn schedule(text: &str) -> Schedule {
        let context = Context {
            zone: "UTC",
            spread: 1,
        };
        Schedule::parse(text, &context).unwrap()
    }

    #[test]
    fn the_rarest_schedules_are_listed_as_far_as_the_work_goes() {
        let listed = |counts: &[u64], users: &[u64]| affordable(counts, users, 100);
        assert_eq!(listed(&[10, 1, 30], &[1, 1, 1]), [true, true, true]);
        assert_eq!(listed(&[10, 1, 40], &[1, 1, 1]), [true, true, false]);
        assert_eq!(listed(&[10, 1], &[9, 100]), [false, false]);
        assert_eq!(listed(&[LISTED_MAX + 1], &[0]), [false]);
        assert_eq!(affordable(&[LISTED_MAX], &[1], u64::MAX), [true]);
    }

    #[test]
    fn what_is_counted_adds_up_whatever_the_stride() {
        let from = Timestamp::from_second(1_800_000_123).unwrap();
        let window = Window::new(from, 5_000, 900);
        let schedule = schedule("@every 700ms");
        let (after, until) = window.span(0, 5_000);
        let all = schedule.count_between(after, until, u64::MAX);
        for stride in [1, 2, 5, 100] {
            let counted = count(&schedule, &window, stride);
            let Instants::Counted { per_bucket, .. } = &counted else {
                panic!("{counted:?}");
            };
            assert_eq!(per_bucket.len(), window.bucket_count());
            assert_eq!(counted.count(), all, "stride {stride}");
        }
    }

    #[test]
    fn a_list_knows_what_came_before_it() {
        let window = Window::new(Timestamp::from_second(90).unwrap(), 60, 60);
        assert_eq!(
            list(&schedule("@every 30s"), &window),
            Instants::Listed {
                before: Some(-30_000_000),
                offsets: vec![0, 30_000_000]
            },
            "the end is not in it"
        );
    }
}
