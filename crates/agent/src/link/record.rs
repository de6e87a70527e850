//! What happened on the link, for whoever asks how the agent is.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The link as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkStatus {
    /// Whether there is a session with a center.
    pub is_up: bool,
    /// Since when that is so, on the machine's own clock.
    pub since: Timestamp,
    /// The center of the session, or the one that was tried last, as `host:port`.
    pub center: Option<String>,
    /// Epoch of the newest session.
    pub session_epoch: u64,
    /// Why there was no session the last time that there was none.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_at: Option<Timestamp>,
    /// What centers sent and the agent would not have, since it started.
    pub refused: RefusedMessages,
}

/// What centers sent and the agent would not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedMessages {
    /// Sessions whose epoch was not above all before: of a center that is out of date, or replayed.
    pub stale_sessions: u64,
    /// Orders of an older session.
    pub stale_orders: u64,
    /// Orders that were known already; a center repeats those whose answer it may have missed.
    pub repeated_orders: u64,
    /// Messages of a kind that this agent does not have.
    pub unknown_messages: u64,
    /// Messages that make no sense.
    pub unreadable_messages: u64,
}

/// Keeps [`LinkStatus`] up to date.
#[derive(Debug)]
pub(crate) struct LinkRecord(Mutex<LinkStatus>);

impl LinkRecord {
    /// No session yet.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(LinkStatus {
            is_up: false,
            since: Timestamp::now(),
            center: None,
            session_epoch: 0,
            last_error: None,
            last_error_at: None,
            refused: RefusedMessages::default(),
        }))
    }

    /// A session has come about.
    pub(crate) fn up(&self, center: &str, epoch: u64) {
        let mut status = self.lock();
        status.is_up = true;
        status.since = Timestamp::now();
        status.center = Some(center.to_owned());
        status.session_epoch = epoch;
    }

    /// There is no session: it is over, or none came about.
    pub(crate) fn down(&self, center: &str, error: String) {
        let mut status = self.lock();
        let now = Timestamp::now();
        if status.is_up {
            status.is_up = false;
            status.since = now;
        }
        status.center = Some(center.to_owned());
        status.last_error = Some(error);
        status.last_error_at = Some(now);
    }

    /// Counts something that was refused.
    pub(crate) fn refuse(&self, count: impl FnOnce(&mut RefusedMessages)) {
        count(&mut self.lock().refused);
    }

    /// The link as it is now.
    pub(crate) fn status(&self) -> LinkStatus {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, LinkStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
