//! The one clock of a fleet: the database's.
//!
//! Centers' own clocks differ and get set; due instants, windows and what agents measure their offset against must not care
//! which center they meet. So a center asks the database what time it is whenever it deals with its lease, and carries the
//! answer forward by the time since boot. With a database that belongs to one center alone, its machine's clock is the
//! database's.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cronfleet_core::clock_estimate::{ClockEstimate, Sample};
use jiff::Timestamp;

use crate::clock;

/// The fleet's clock. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct FleetClock {
    /// Absent: this machine's own clock.
    database: Option<Arc<Mutex<ClockEstimate>>>,
}

impl FleetClock {
    /// This machine's own clock.
    pub fn own() -> Self {
        Self::default()
    }

    /// The clock of a database that shows `there`, asked and answered at these times since boot.
    pub(crate) fn of_database(asked: Duration, there: Timestamp, answered: Duration) -> Self {
        let clock = Self {
            database: Some(Arc::new(Mutex::new(ClockEstimate::new(0)))),
        };
        clock.measured(asked, there, answered);
        clock
    }

    /// Takes in what the database's clock showed between these times since boot.
    pub(crate) fn measured(&self, asked: Duration, there: Timestamp, answered: Duration) {
        if let Some(database) = &self.database {
            let (asked, answered) = (micros(asked), micros(answered));
            database
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(
                    Sample::new(asked, there.as_microsecond(), answered),
                    answered,
                );
        }
    }

    /// What it shows now, to the microsecond.
    pub fn now(&self) -> Timestamp {
        let Some(database) = &self.database else {
            return clock::now();
        };
        let boot = micros(clock::boot());
        let difference = database
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .difference(boot);
        Timestamp::from_microsecond(boot.saturating_add(difference))
            .unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

fn micros(boot: Duration) -> i64 {
    i64::try_from(boot.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_databases_clock_counts_and_goes_on_by_itself() {
        let (year, ms) = (Duration::from_secs(365 * 86_400), Duration::from_millis(4));
        let asked = clock::boot();
        let there = clock::now() + year;
        let fleet = FleetClock::of_database(asked, there, asked + ms);
        let shown = fleet.now();
        assert!(shown >= there - ms && shown < there + Duration::from_secs(60));
        assert!(fleet.now() >= shown);
        assert!(FleetClock::own().now() < there);
    }
}
