//! The center's clock, as far as an agent can know it.
//!
//! Heartbeats measure it; [`ClockEstimate`] says what follows from them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cronfleet_core::clock_estimate::{ClockEstimate, Sample};
use cronfleet_core::life::Now;
use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};

/// The center's clock. Shared by everything in an agent that deals with time.
#[derive(Debug)]
pub(crate) struct Clock {
    estimate: Mutex<ClockEstimate>,
}

impl Clock {
    /// Begins with the machine's own clock and the offset that an earlier agent measured (own clock minus the center's).
    pub(crate) fn new(offset_us: i64) -> Self {
        let target = wall_us() - boot_us() - offset_us;
        Self {
            estimate: Mutex::new(ClockEstimate::new(target)),
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
        self.lock()
            .take(Sample::new(sent, center_us, received), received);
    }

    fn center_at(&self, boot: i64) -> Timestamp {
        let us = boot.saturating_add(self.lock().difference(boot));
        Timestamp::from_microsecond(us).unwrap_or(Timestamp::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, ClockEstimate> {
        self.estimate.lock().unwrap_or_else(PoisonError::into_inner)
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
        Clock {
            estimate: Mutex::new(ClockEstimate::new(target)),
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
