//! How long runs of a job take, judged by those that ended.

use std::time::Duration;

/// Most past runs of a job that say how long it takes.
pub const DURATIONS_MAX: u32 = 100;

/// How long runs of a job take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Durations {
    /// Half of them took at most this long.
    pub p50: Duration,
    /// Nine of ten took at most this long.
    pub p90: Duration,
    /// How many runs say so, at least 1.
    pub run_count: u32,
}

impl Durations {
    /// What past runs say; `None` if there are none. Each of the values is one that was measured (nearest rank).
    pub fn of(mut past: Vec<Duration>) -> Option<Self> {
        past.sort_unstable();
        let rank = |percent: usize| past.get((past.len() * percent).div_ceil(100).max(1) - 1);
        Some(Self {
            p50: *rank(50)?,
            p90: *rank(90)?,
            run_count: u32::try_from(past.len()).unwrap_or(u32::MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_nearest_ranks() {
        let of = |seconds: &[u64]| {
            let past = seconds.iter().map(|s| Duration::from_secs(*s)).collect();
            Durations::of(past).map(|found| (found.p50.as_secs(), found.p90.as_secs()))
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[7]), Some((7, 7)));
        assert_eq!(of(&[3, 1, 2]), Some((2, 3)));
        let hundred: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(of(&hundred), Some((50, 90)));
    }
}
