//! Sessions of agents with a center, and what their heartbeats say.

use cronfleet_core::id::AgentId;
use jiff::Timestamp;

use crate::agent::AgentFacts;
use crate::error::StoreError;
use crate::store::Store;

/// An agent's session as the center that holds it knows it. Guards every write that belongs to the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Agent.
    pub agent: AgentId,
    /// Its epoch: grows by one with every session.
    pub epoch: u64,
    /// Center that holds it, at most 80 characters.
    pub center: String,
}

/// A session that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionOpened {
    /// The session.
    pub session: Session,
    /// Whether the agent is active (or pending: then it gets no orders).
    pub is_active: bool,
    /// Whether the agent's host was started since its last session; also true for the first session.
    pub is_new_boot: bool,
}

/// What one heartbeat says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heartbeat {
    /// Agent.
    pub agent: AgentId,
    /// When it arrived, on the center's clock.
    pub seen_at: Timestamp,
    /// Load average over one minute.
    pub load_1m: f64,
    /// Memory available in bytes.
    pub memory_available_bytes: u64,
    /// Processes alive.
    pub running_count: u32,
    /// Agent's clock minus the center's, in microseconds.
    pub clock_offset_us: Option<i64>,
    /// Round trip in microseconds.
    pub round_trip_us: Option<i64>,
}

impl Store {
    /// Opens a session with an epoch above all before it (and above `epoch_seen`, the highest the agent knows), stores the
    /// agent's facts, and takes `unreachable_since` off its runs. `None` if the agent is unknown or revoked.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn open_session(
        &self,
        agent: AgentId,
        center: &str,
        boot_id: &str,
        facts: &AgentFacts,
        epoch_seen: u64,
        now: Timestamp,
    ) -> Result<Option<SessionOpened>, StoreError> {
        later(agent, (center, boot_id, facts), (epoch_seen, now))
    }

    /// Stores many heartbeats at once.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn put_heartbeats(&self, heartbeats: &[Heartbeat]) -> Result<(), StoreError> {
        later(heartbeats, (), ())
    }

    /// Records that a session is over: what the agent holds is unreachable since `now`. Nothing happens if the agent has a
    /// newer session.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn close_session(&self, session: &Session, now: Timestamp) -> Result<(), StoreError> {
        later(session, now, ())
    }

    /// Records, when a center starts, that no agent is connected: what they hold is unreachable since they were last seen.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn close_all_sessions(&self, now: Timestamp) -> Result<(), StoreError> {
        later(now, (), ())
    }

    /// Records the certificate that an agent now uses.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    pub async fn put_certificate(&self, agent: AgentId, serial: &str) -> Result<(), StoreError> {
        later(agent, serial, ())
    }
}

fn later<A, B, C, T>(_: A, _: B, _: C) -> Result<T, StoreError> {
    Err(StoreError::corrupt("function", "not written yet"))
}
