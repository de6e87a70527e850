//! Heartbeats of all sessions, kept until they are stored together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cronfleet_core::id::AgentId;
use cronfleet_store::Heartbeat;

/// The latest heartbeat of each agent that has not been stored yet. Bounded by the number of agents.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heartbeats(Arc<Mutex<HashMap<AgentId, Heartbeat>>>);

impl Heartbeats {
    /// Keeps a heartbeat in place of an older one.
    pub(crate) fn put(&self, heartbeat: Heartbeat) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(heartbeat.agent, heartbeat);
    }

    /// Takes all that were kept.
    pub(crate) fn take(&self) -> Vec<Heartbeat> {
        let kept = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        kept.into_values().collect()
    }
}
