//! Exponential backoff with jitter.

use std::time::Duration;

/// Waits that double from `initial` to `max`, each jittered by up to a fifth either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// First wait.
    pub initial: Duration,
    /// Longest wait before jitter.
    pub max: Duration,
}

impl Backoff {
    /// The wait after `failures` failures in a row (1 gives the first wait; 0 gives none).
    ///
    /// `draw` is a uniform number in `[0, 1)` that the caller took for jitter. The answer lies within ±20 % of
    /// `min(initial * 2^(failures - 1), max)`.
    pub fn wait(&self, failures: u32, draw: f64) -> Duration {
        if failures == 0 {
            return Duration::ZERO;
        }
        let doubled = self
            .initial
            .saturating_mul(1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX));
        doubled
            .min(self.max)
            .mul_f64(0.8 + 0.4 * draw.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(10),
        };
        let waits: Vec<u64> = [0, 1, 2, 3, 4, 5, 40, u32::MAX]
            .map(|failures| backoff.wait(failures, 0.5).as_millis() as u64)
            .to_vec();
        assert_eq!(
            waits,
            [0, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]
        );
    }

    #[test]
    fn jitter_stays_within_a_fifth() {
        let backoff = Backoff {
            initial: Duration::from_secs(10),
            max: Duration::from_secs(10),
        };
        assert_eq!(backoff.wait(1, 0.0), Duration::from_secs(8));
        assert!(backoff.wait(1, 0.999) < Duration::from_secs(12));
    }
}
