//! Dialling, again and again, and renewing the certificate in time.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use cronfleet_core::cgroup::CgroupSupport;
use cronfleet_core::id::AgentId;
use cronfleet_wire::v1::link_client::LinkClient;
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use super::addresses::Addresses;
use super::record::LinkRecord;
use super::session::{LinkEvent, SessionError, open};
use crate::clock::Clock;
use crate::dial::{DialError, dial_as};
use crate::error::chain;
use crate::identity::Identity;
use crate::join::renew;
use crate::outputs::SpoolLevel;

/// Longest wait before the second attempt; it doubles with every attempt that fails.
const WAIT_INITIAL: Duration = Duration::from_millis(500);

/// Longest wait before any attempt: how long after the end of an outage an agent may still be away. A center takes some thousand
/// attempts a second, so a large fleet is back as fast as its centers can take it.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// A session that lasted so long counts as a success.
const GOOD_SESSION: Duration = Duration::from_secs(10);

/// Wait before a renewal that failed is tried again.
const RENEW_AGAIN: Duration = Duration::from_secs(600);

/// What link and loop both see.
#[derive(Debug)]
pub(crate) struct LinkShared {
    pub(crate) agent: AgentId,
    pub(crate) clock: Clock,
    /// Highest session epoch that any center announced.
    pub(crate) epoch_seen: AtomicU64,
    /// Processes that run, for heartbeats.
    pub(crate) running_count: AtomicU32,
    /// What happened on the link.
    pub(crate) record: LinkRecord,
    /// How full the spool is, for heartbeats.
    pub(crate) spool: SpoolGauge,
    /// What control groups can do on this machine.
    pub(crate) cgroups: CgroupSupport,
}

/// What heartbeats say of the spool.
#[derive(Debug)]
pub(crate) struct SpoolGauge {
    pub(crate) bytes: AtomicU64,
    pub(crate) max_bytes: u64,
    pub(crate) dropped_count: AtomicU64,
}

impl SpoolGauge {
    pub(crate) fn new(max_bytes: u64) -> Self {
        Self {
            bytes: AtomicU64::new(0),
            max_bytes,
            dropped_count: AtomicU64::new(0),
        }
    }

    pub(crate) fn set(&self, level: SpoolLevel) {
        self.bytes.store(level.bytes, Ordering::Relaxed);
        self.dropped_count
            .store(level.dropped_count, Ordering::Relaxed);
    }
}

/// Dials centers for as long as the agent runs.
pub(crate) struct Link {
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) data_dir: PathBuf,
    pub(crate) identity: Identity,
    pub(crate) shared: Arc<LinkShared>,
    pub(crate) events: mpsc::Sender<LinkEvent>,
    pub(crate) draws: StdRng,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl Link {
    /// Holds sessions until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut failures = 0_u32;
        loop {
            let begun = Instant::now();
            let center = self.addresses.current();
            tokio::select! {
                () = stop.cancelled() => return,
                error = self.hold_session(&center) => {
                    log_end(&center, &error, failures);
                    self.note_end(&center, &error);
                    if self.events.send(LinkEvent::Down).await.is_err() {
                        return;
                    }
                }
            }
            failures = if begun.elapsed() >= GOOD_SESSION {
                0
            } else {
                failures.saturating_add(1)
            };
            self.addresses.advance();
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(wait(failures, self.draws.random())) => {}
            }
        }
    }

    fn note_end(&self, center: &str, error: &LinkError) {
        let record = &self.shared.record;
        if let LinkError::Session(SessionError::Stale { .. }) = error {
            record.refuse(|refused| refused.stale_sessions += 1);
        }
        record.down(center, chain(error));
    }

    /// Dials one center and holds a session with it until that is over.
    async fn hold_session(&mut self, center: &str) -> LinkError {
        match dial_as(&self.identity, center).await {
            Ok(client) => self.talk(center, client).await.into(),
            Err(error) => error.into(),
        }
    }

    async fn talk(&mut self, center: &str, mut client: LinkClient<Channel>) -> SessionError {
        let shared = Arc::clone(&self.shared);
        let addresses = Arc::clone(&self.addresses);
        let opened = match open(&mut client, &shared, &addresses).await {
            Ok(opened) => opened,
            Err(error) => return error,
        };
        tracing::info!(center.address = center, "session with the center");
        shared
            .record
            .up(center, shared.epoch_seen.load(Ordering::Relaxed));
        let events = self.events.clone();
        tokio::select! {
            error = opened.run(&shared, &addresses, &events) => error,
            never = self.keep_renewed(client) => match never {},
        }
    }

    /// Gets the next certificate whenever it is time for one. It counts from the next session on.
    async fn keep_renewed(&mut self, mut client: LinkClient<Channel>) -> std::convert::Infallible {
        loop {
            let left = self
                .identity
                .renew_at()
                .duration_since(self.shared.clock.now().center);
            sleep(Duration::try_from(left).unwrap_or_default()).await;
            let renewed = match renew(&mut client, &self.identity).await {
                Ok(identity) => identity,
                Err(error) => {
                    let until = self.identity.not_after;
                    tracing::warn!(%error, certificate.not_after = %until, "the certificate was not renewed");
                    sleep(RENEW_AGAIN).await;
                    continue;
                }
            };
            if let Err(error) = renewed.store(&self.data_dir) {
                tracing::error!(%error, "the new certificate cannot be stored");
                sleep(RENEW_AGAIN).await;
                continue;
            }
            tracing::info!(certificate.not_after = %renewed.not_after, "the certificate is renewed");
            self.identity = renewed;
        }
    }
}

/// Full jitter: anything up to a bound that doubles. `draw` is uniform in `[0, 1)`.
fn wait(failures: u32, draw: f64) -> Duration {
    let doubled = WAIT_INITIAL.saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX));
    doubled.min(WAIT_MAX).mul_f64(draw)
}

fn log_end(center: &str, error: &LinkError, failures: u32) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    let cause = cause.unwrap_or_default();
    // The first is news; that it goes on is not, nor that an agent which ends leaves its center.
    if failures == 0 && !matches!(error, LinkError::Session(SessionError::Ending)) {
        tracing::warn!(center.address = center, %error, cause, "no session with the center");
    } else {
        tracing::debug!(center.address = center, %error, cause, "still no session with the center");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_jittered_over_their_whole_range() {
        assert_eq!(wait(0, 0.5), Duration::from_millis(250));
        assert_eq!(wait(3, 0.5), Duration::from_secs(2));
        assert_eq!(wait(40, 0.999), WAIT_MAX.mul_f64(0.999));
        assert_eq!(wait(u32::MAX, 0.0), Duration::ZERO);
    }

    #[test]
    fn however_long_an_outage_was_the_next_attempt_is_near() {
        let longest = (0..64).map(|failures| wait(failures, 0.999)).max();
        assert!(longest < Some(Duration::from_secs(5)), "{longest:?}");
    }
}
