//! Requests to kill runs.

use cronfleet_core::id::{AgentId, RunId, UserId};
use jiff::Timestamp;

use crate::error::StoreError;
use crate::run::RunMoved;
use crate::store::Store;

/// What a request to kill did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillAnswer {
    /// The run was never sent and has ended now: `skipped(killed_before_start)`.
    Ended(RunMoved),
    /// The request is stored; the agent is to be told.
    Ask(AgentId),
    /// The run had ended before.
    AlreadyEnded,
}

impl Store {
    /// Asks for the end of a run. Safe to repeat; the first request's user stands.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    pub async fn request_kill(
        &self,
        run: RunId,
        user: UserId,
        now: Timestamp,
    ) -> Result<KillAnswer, StoreError> {
        later(run, user, now)
    }

    /// Runs that the agent is to kill.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn pending_kills(&self, agent: AgentId) -> Result<Vec<RunId>, StoreError> {
        later(agent, (), ())
    }
}

fn later<A, B, C, T>(_: A, _: B, _: C) -> Result<T, StoreError> {
    Err(StoreError::corrupt("function", "not written yet"))
}
