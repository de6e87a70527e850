//! The center's clocks: the only place in this crate that reads one.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// Wall time, for everything that is recorded.
pub(crate) fn now() -> Timestamp {
    // Microseconds are what is stored: cut here, so that a time read back equals the time written.
    Timestamp::from_microsecond(Timestamp::now().as_microsecond()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Monotonic time, for time limits.
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// Waits.
pub(crate) async fn sleep(wait: Duration) {
    tokio::time::sleep(wait).await;
}
