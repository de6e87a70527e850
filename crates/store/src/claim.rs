//! Claims: what agents say became of their runs.

use cronfleet_core::id::{AgentId, RunId};
use cronfleet_core::order::Claim;
use jiff::Timestamp;

use crate::agent_session::Session;
use crate::error::StoreError;
use crate::run::RunMoved;
use crate::store::Store;

/// A claim of an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentClaim {
    /// Run.
    pub run: RunId,
    /// What it says.
    pub claim: Claim,
    /// A uniform number in `[0, 1)` for the jitter of a retry.
    pub draw: f64,
}

/// What claims did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClaimsApplied {
    /// Runs that moved, the agent's and (superseded) others.
    pub moved: Vec<RunMoved>,
    /// Runs whose claim changed nothing: duplicates and overtaken messages.
    pub stale: Vec<RunId>,
    /// Runs that are not known here.
    pub unknown: Vec<RunId>,
    /// Runs of other agents: ignored, and worth a warning.
    pub foreign: Vec<RunId>,
    /// Agents that have new runs to be sent (retries, or runs that waited for an older version's), each once.
    pub agents: Vec<AgentId>,
}

impl Store {
    /// Applies claims in their order, in one transaction: moves runs, plans retries, settles runs that waited for these.
    /// Safe to repeat.
    ///
    /// # Errors
    /// [`Conflict::StaleSession`](crate::Conflict::StaleSession) if the agent has a newer session: it will say it again there.
    pub async fn apply_claims(
        &self,
        session: &Session,
        claims: &[AgentClaim],
        now: Timestamp,
    ) -> Result<ClaimsApplied, StoreError> {
        later(session, claims, now)
    }
}

fn later<A, B, C, T>(_: A, _: B, _: C) -> Result<T, StoreError> {
    Err(StoreError::corrupt("function", "not written yet"))
}
