//! This machine's clocks: the only place in this crate that reads one. What is recorded goes by
//! [`FleetClock`](crate::fleet_clock::FleetClock).

use std::time::Duration;

use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

/// This machine's wall time.
pub(crate) fn now() -> Timestamp {
    // Microseconds are what is stored: cut here, so that a time read back equals the time written.
    Timestamp::from_microsecond(Timestamp::now().as_microsecond()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Time since the machine's boot, suspension included.
pub(crate) fn boot() -> Duration {
    // Linux has had this clock since 2.6.39; reading it cannot fail then.
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

/// Monotonic time, for time limits.
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// Waits.
pub(crate) async fn sleep(wait: Duration) {
    tokio::time::sleep(wait).await;
}
