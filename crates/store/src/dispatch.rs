//! Dispatch: handing planned runs to the session of their agent, and what happens to those that cannot be.

use cronfleet_core::id::{AgentId, RunId};
use cronfleet_core::order::{DaemonOrder, Order};
use cronfleet_core::run::{Reason, RunState};
use jiff::Timestamp;

use crate::agent_session::Session;
use crate::error::StoreError;
use crate::run::RunMoved;
use crate::store::Store;

/// A run that its agent has or may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutstandingRun {
    /// Run.
    pub run: RunId,
    /// `Dispatched`, `Accepted` or `Running`.
    pub state: RunState,
    /// Start not after this.
    pub not_after: Timestamp,
    /// Asked back from the agent, and why.
    pub revoke_reason: Option<Reason>,
    /// Whether somebody asked for its end.
    pub is_kill_requested: bool,
}

impl Store {
    /// Agents that have planned runs to be sent by now: `not_before` not after `until`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn agents_with_planned(&self, until: Timestamp) -> Result<Vec<AgentId>, StoreError> {
        later(until, (), ())
    }

    /// Moves planned runs of the session's agent with `not_before` not after `until` to `dispatched`, earliest first, and
    /// answers their orders: commit first, send then.
    ///
    /// # Errors
    /// [`Conflict::StaleSession`](crate::Conflict::StaleSession), [`Conflict::AgentState`](crate::Conflict::AgentState) unless the
    /// agent is active.
    pub async fn take_planned(
        &self,
        session: &Session,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Order>, StoreError> {
        later(session, now, (until, limit))
    }

    /// What the agent has or may have, by `not_before`: for reconciling when it connects.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn outstanding(&self, agent: AgentId) -> Result<Vec<OutstandingRun>, StoreError> {
        later(agent, (), ())
    }

    /// Orders of runs in `dispatched`, to be sent again. Others among `runs` are left out.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn orders_again(
        &self,
        agent: AgentId,
        runs: &[RunId],
    ) -> Result<Vec<Order>, StoreError> {
        later(agent, runs, ())
    }

    /// Ends planned runs whose time is over, at most `limit`: `missed(center_down)` where the start deadline passed before
    /// the center was up, else `missed(agent_offline)`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn expire_planned(
        &self,
        now: Timestamp,
        center_up_since: Timestamp,
        limit: u32,
    ) -> Result<Vec<RunMoved>, StoreError> {
        later(now, center_up_since, limit)
    }

    /// Ends runs whose agent has been out of reach since before `since`, at most `limit`: `lost(agent_gone)`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn lose_unreachable(
        &self,
        since: Timestamp,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<RunMoved>, StoreError> {
        later(since, now, limit)
    }

    /// Everything the agent shall keep alive, by job.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn daemon_orders(&self, agent: AgentId) -> Result<Vec<DaemonOrder>, StoreError> {
        later(agent, (), ())
    }
}

fn later<A, B, C, T>(_: A, _: B, _: C) -> Result<T, StoreError> {
    Err(StoreError::corrupt("function", "not written yet"))
}
