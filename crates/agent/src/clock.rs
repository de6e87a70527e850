//! The center's clock, as far as an agent can know it.
//!
//! The estimate is anchored to the time since boot, so that a step of the machine's own clock moves nothing. Heartbeats measure
//! the difference as in NTP; of the last few the one with the shortest round trip counts. A small correction is slewed, so that
//! estimated time never runs backwards; a large one is taken at once.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cronfleet_core::life::Now;
use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};

/// Measurements that are remembered.
const SAMPLES: usize = 8;

/// Corrections up to this are slewed.
const SLEW_MAX_US: i64 = 500_000;

/// Part of a second by which a second of slewing corrects: a tenth.
const SLEW_RATE: i64 = 10;

/// Two measurements that differ by more than their errors and this contradict each other: the center's clock was set.
const CONTRADICTION_US: i64 = 10_000;

/// The center's clock. Shared by everything in an agent that deals with time.
#[derive(Debug)]
pub(crate) struct Clock {
    estimate: Mutex<Estimate>,
}

/// One measurement, all in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    /// The center's clock minus the time since boot.
    difference: i64,
    round_trip: i64,
}

#[derive(Debug)]
struct Estimate {
    /// The difference that is aimed at.
    target: i64,
    /// What `target` is still to be corrected by, as of `slew_from`.
    slew: i64,
    slew_from: i64,
    samples: VecDeque<Sample>,
}

impl Clock {
    /// Begins with the machine's own clock and the offset that an earlier agent measured (own clock minus the center's).
    pub(crate) fn new(offset_us: i64) -> Self {
        let target = wall_us() - boot_us() - offset_us;
        Self {
            estimate: Mutex::new(Estimate {
                target,
                slew: 0,
                slew_from: 0,
                samples: VecDeque::new(),
            }),
        }
    }

    /// Both clocks now.
    pub(crate) fn now(&self) -> Now {
        let boot = boot_us();
        Now {
            center: self.center_at(boot),
            boot: micros(boot),
        }
    }

    /// What the center's clock shows at a time since boot.
    pub(crate) fn center_at_boot(&self, boot: Duration) -> Timestamp {
        self.center_at(i64::try_from(boot.as_micros()).unwrap_or(i64::MAX))
    }

    /// What the center's clock showed when the machine's own showed this, provided that it was not set since.
    pub(crate) fn center_at_wall(&self, wall_us: i64) -> Timestamp {
        self.center_at(wall_us.saturating_sub(crate::clock::wall_us() - boot_us()))
    }

    /// The machine's own clock minus the center's, in microseconds.
    pub(crate) fn offset_us(&self) -> i64 {
        let boot = boot_us();
        wall_us() - boot - self.lock().difference(boot)
    }

    /// Round trip of the measurement in force, in microseconds; `None` before the first.
    pub(crate) fn round_trip_us(&self) -> Option<i64> {
        self.lock().best().map(|sample| sample.round_trip)
    }

    /// Takes in a measurement: sent and received at these times since boot, the center's clock in between.
    pub(crate) fn observe(&self, sent: Duration, center_us: i64, received: Duration) {
        let (sent, received) = (sent.as_micros() as i64, received.as_micros() as i64);
        let sample = Sample {
            difference: center_us - (sent + (received - sent) / 2),
            round_trip: (received - sent).max(0),
        };
        self.lock().take(sample, received);
    }

    fn center_at(&self, boot: i64) -> Timestamp {
        let us = boot.saturating_add(self.lock().difference(boot));
        Timestamp::from_microsecond(us).unwrap_or(Timestamp::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Estimate> {
        self.estimate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Estimate {
    /// The estimated difference at a time since boot.
    fn difference(&self, boot: i64) -> i64 {
        let done = (boot - self.slew_from).max(0) / SLEW_RATE;
        let left = self.slew.signum() * (self.slew.abs() - done).max(0);
        self.target - left
    }

    fn best(&self) -> Option<Sample> {
        self.samples
            .iter()
            .copied()
            .min_by_key(|sample| sample.round_trip)
    }

    fn take(&mut self, sample: Sample, boot: i64) {
        let is_first = self.samples.is_empty();
        let contradicts = |other: &Sample| {
            let error = (sample.round_trip + other.round_trip) / 2 + CONTRADICTION_US;
            (sample.difference - other.difference).abs() > error
        };
        if self.best().as_ref().is_some_and(contradicts) {
            self.samples.clear();
        }
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
        let best = self.best().unwrap_or(sample);
        let now = self.difference(boot);
        self.target = best.difference;
        self.slew_from = boot;
        let correction = self.target - now;
        self.slew = if is_first || correction.abs() > SLEW_MAX_US {
            0
        } else {
            correction
        };
    }
}

/// Time since boot, suspension included.
pub(crate) fn boot() -> Duration {
    micros(boot_us())
}

fn micros(us: i64) -> Duration {
    Duration::from_micros(u64::try_from(us).unwrap_or(0))
}

fn boot_us() -> i64 {
    // Linux has had this clock since 2.6.39; reading it cannot fail then.
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .map_or(0, |at| at.tv_sec() * 1_000_000 + at.tv_nsec() / 1_000)
}

/// The machine's own clock, in microseconds since the Unix epoch.
pub(crate) fn wall_us() -> i64 {
    Timestamp::now().as_microsecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(target: i64) -> Clock {
        let estimate = Estimate {
            target,
            slew: 0,
            slew_from: 0,
            samples: VecDeque::new(),
        };
        Clock {
            estimate: Mutex::new(estimate),
        }
    }

    fn seconds(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    /// A heartbeat sent at `at` that took `round_trip_us`, from a center whose clock is `ahead_us` before the boot clock.
    fn heartbeat(clock: &Clock, at: Duration, round_trip_us: u64, ahead_us: i64, skew_us: i64) {
        let center = at.as_micros() as i64 + round_trip_us as i64 / 2 + ahead_us + skew_us;
        clock.observe(at, center, at + Duration::from_micros(round_trip_us));
    }

    fn ahead(clock: &Clock, at: Duration) -> i64 {
        clock.center_at_boot(at).as_microsecond() - at.as_micros() as i64
    }

    #[test]
    fn the_first_measurement_is_taken_at_once() {
        let clock = clock(0);
        heartbeat(&clock, seconds(100), 1_000, 3_000_000, 0);
        assert_eq!(ahead(&clock, seconds(101)), 3_000_000);
        assert_eq!(clock.round_trip_us(), Some(1_000));
    }

    #[test]
    fn the_shortest_round_trip_counts() {
        let clock = clock(0);
        heartbeat(&clock, seconds(100), 400, 7_000, 0);
        // A slow and lopsided one says something else, within its own error.
        heartbeat(&clock, seconds(105), 50_000, 7_000, 20_000);
        assert_eq!(ahead(&clock, seconds(110)), 7_000);
    }

    #[test]
    fn small_corrections_are_slewed_and_never_run_backwards() {
        let clock = clock(0);
        heartbeat(&clock, seconds(100), 20_000, 0, 9_000);
        heartbeat(&clock, seconds(105), 100, 0, 0);
        assert!((8_900..=9_000).contains(&ahead(&clock, seconds(105))));
        let mut before = Timestamp::MIN;
        for ms in 0..200 {
            let at = seconds(105) + Duration::from_millis(ms);
            assert!(clock.center_at_boot(at) > before);
            before = clock.center_at_boot(at);
        }
        assert_eq!(ahead(&clock, seconds(106)), 0);
    }

    #[test]
    fn a_center_whose_clock_was_set_is_believed() {
        let clock = clock(0);
        for beat in 0..8 {
            heartbeat(&clock, seconds(100 + beat), 200, 0, 0);
        }
        heartbeat(&clock, seconds(110), 900, 60_000_000, 0);
        assert_eq!(ahead(&clock, seconds(111)), 60_000_000);
    }

    #[test]
    fn an_offset_from_before_counts_until_the_first_heartbeat() {
        let clock = Clock::new(2_000_000);
        assert!((clock.offset_us() - 2_000_000).abs() < 1_000);
        let shown = clock.center_at_wall(wall_us()).as_microsecond();
        assert!((shown - clock.now().center.as_microsecond()).abs() < 10_000);
    }
}
