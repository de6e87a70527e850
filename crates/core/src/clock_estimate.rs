//! Another machine's clock, as far as it can be known from here.
//!
//! The estimate is anchored to the time since boot, so that a step of the machine's own clock moves nothing. The difference is
//! measured as in NTP; of the last few measurements the one with the shortest round trip counts. One that took long says only
//! between what the difference is: what was believed before moves no further than it must. A small correction is slewed, so that
//! estimated time never runs backwards; a large one is taken at once. All values are microseconds.

use std::collections::VecDeque;

/// Measurements that are remembered.
const SAMPLES: usize = 8;

/// Corrections up to this are slewed.
const SLEW_MAX_US: i64 = 500_000;

/// Part of a second by which a second of slewing corrects: a tenth.
const SLEW_RATE: i64 = 10;

/// Round trips up to this are believed to take as long on the way there as on the way back.
const BELIEVED_ROUND_TRIP_US: i64 = 100_000;

/// Two measurements that differ by more than their errors and this contradict each other: the other clock was set.
const CONTRADICTION_US: i64 = 10_000;

/// One measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The other clock minus the time since boot.
    pub difference: i64,
    /// Time from question to answer; half of it is the measurement's error.
    pub round_trip: i64,
}

impl Sample {
    /// The measurement of a question sent and answered at these times since boot; the other clock showed `there` in between.
    pub fn new(sent: i64, there: i64, received: i64) -> Self {
        Self {
            difference: there.saturating_sub(sent.saturating_add((received - sent) / 2)),
            round_trip: (received - sent).max(0),
        }
    }
}

/// What is known of the other clock.
#[derive(Debug, Clone)]
pub struct ClockEstimate {
    /// The difference that is aimed at.
    target: i64,
    /// What `target` is still to be corrected by, as of `slew_from`.
    slew: i64,
    slew_from: i64,
    samples: VecDeque<Sample>,
}

impl ClockEstimate {
    /// Begins with a guess of the other clock minus the time since boot; the first measurement replaces it.
    pub fn new(difference: i64) -> Self {
        Self {
            target: difference,
            slew: 0,
            slew_from: 0,
            samples: VecDeque::new(),
        }
    }

    /// The estimated difference at a time since boot.
    pub fn difference(&self, boot: i64) -> i64 {
        let done = (boot - self.slew_from).max(0) / SLEW_RATE;
        let left = self.slew.signum() * (self.slew.abs() - done).max(0);
        self.target - left
    }

    /// The measurement in force; `None` before the first.
    pub fn best(&self) -> Option<Sample> {
        self.samples
            .iter()
            .copied()
            .min_by_key(|sample| sample.round_trip)
    }

    /// Takes in a measurement that ended at a time since boot.
    pub fn take(&mut self, sample: Sample, boot: i64) {
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
        let error = best.round_trip / 2;
        // Far off: what was believed says nothing, and the middle is the best guess.
        let is_far = (best.difference - now).abs() > best.round_trip;
        self.target = if best.round_trip <= BELIEVED_ROUND_TRIP_US || is_far {
            best.difference
        } else {
            now.clamp(best.difference - error, best.difference + error)
        };
        self.slew_from = boot;
        let correction = self.target - now;
        self.slew = if is_first || correction.abs() > SLEW_MAX_US {
            0
        } else {
            correction
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_is_believed_at_once_and_a_small_correction_is_not() {
        let mut clock = ClockEstimate::new(0);
        clock.take(Sample::new(1_000_000, 8_000_500, 1_001_000), 1_001_000);
        assert_eq!(clock.difference(1_001_000), 7_000_000);
        clock.take(Sample::new(2_000_000, 9_100_000, 2_000_000), 2_000_000);
        assert_eq!(clock.difference(2_000_000), 7_000_000, "nothing jumps");
        assert_eq!(clock.difference(2_500_000), 7_050_000);
        assert_eq!(clock.difference(4_000_000), 7_100_000);
        clock.take(Sample::new(5_000_000, 3_605_000_000, 5_000_000), 5_000_000);
        assert_eq!(clock.difference(5_000_000), 3_600_000_000);
    }

    #[test]
    fn an_answer_that_took_long_moves_only_what_cannot_be_true() {
        // Six seconds in the other machine's queue: its clock was read at the very end.
        let slow = |difference: i64| Sample::new(0, 6_000_000 + difference, 6_000_000);
        let mut right = ClockEstimate::new(0);
        right.take(slow(0), 6_000_000);
        assert_eq!(right.difference(6_000_000), 0);
        let mut nearly_right = ClockEstimate::new(-1_000);
        nearly_right.take(slow(0), 6_000_000);
        assert_eq!(nearly_right.difference(6_000_000), 0);
        // A quick one says how it is.
        right.take(Sample::new(7_000_000, 7_040_000, 7_002_000), 7_002_000);
        assert_eq!(right.difference(60_000_000), 39_000);
        let mut wrong = ClockEstimate::new(0);
        wrong.take(slow(3_600_000_000), 6_000_000);
        assert_eq!(wrong.difference(6_000_000), 3_603_000_000);
    }
}
