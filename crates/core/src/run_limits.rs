//! Limits of an agent on all of its runs together.

use std::time::Duration;

/// Most runs that [`RunLimits::running_max`] may allow.
pub const RUNNING_MAX: u32 = 100_000;

/// Most starts that [`RunLimits::starts_per_second`] may allow.
pub const STARTS_PER_SECOND_MAX: u32 = 1_000;

/// How many runs an agent has alive, and how fast it starts them. What finds no room waits for it, in the order of the due
/// instants, until its start deadline. Daemons do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunLimits {
    /// Runs alive at the same time, 1 to [`RUNNING_MAX`]; `None` for no limit.
    pub running_max: Option<u32>,
    /// Starts in any second, 1 to [`STARTS_PER_SECOND_MAX`]; they are spread evenly. `None` for no limit.
    pub starts_per_second: Option<u32>,
}

impl RunLimits {
    /// Time from one start to the next.
    pub(crate) fn spacing(&self) -> Duration {
        self.starts_per_second
            .map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.max(1))
    }

    /// How many runs are worth preparing ahead.
    pub(crate) fn prepared_max(&self) -> usize {
        let worth = |limit: u32| (limit as usize).saturating_mul(4).max(16);
        let limits = self.running_max.into_iter().chain(self.starts_per_second);
        limits.map(worth).min().unwrap_or(usize::MAX)
    }
}
