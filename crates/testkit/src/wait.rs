//! Waiting for conditions, with a deadline.

use std::time::{Duration, Instant};

use anyhow::bail;
use jiff::Timestamp;

/// How often a condition is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Looks until `condition` answers something, at most for `within`.
///
/// # Errors
/// The deadline passed (the message names `what`), or the condition itself failed.
pub async fn eventually<T, F>(what: &str, within: Duration, mut condition: F) -> anyhow::Result<T>
where
    F: AsyncFnMut() -> anyhow::Result<Option<T>>,
{
    let deadline = Instant::now() + within;
    loop {
        if let Some(answer) = condition().await? {
            return Ok(answer);
        }
        if Instant::now() >= deadline {
            bail!("not within {within:?}: {what}");
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// Waits until an instant of the wall clock: for tests whose subject is the passing of time itself.
pub async fn sleep_until(at: Timestamp) {
    let wait = Timestamp::now()
        .until(at)
        .ok()
        .and_then(|span| Duration::try_from(span).ok());
    tokio::time::sleep(wait.unwrap_or_default()).await;
}
