//! Requests to kill runs, and to give up those that are in the way of others.

use cronfleet_core::id::{AgentId, RunId, UserId};
use cronfleet_core::run::{Reason, RunEvent};
use jiff::Timestamp;

use crate::again::transaction;
use crate::error::{StoreError, Thing};
use crate::run::RunMoved;
use crate::run_state::{HEAD_COLUMNS, OfferMark, end_runs, read_head};
use crate::sql::Sql;
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

/// What a request to release a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseAnswer {
    /// It is in the way of no others any more. Should it be alive when its agent is back, it is stopped.
    Released(AgentId),
    /// It was not in the way of others: it is over, or its job does not look after it on other agents.
    NotInTheWay,
    /// Its agent is there and tells what becomes of it.
    Reachable,
}

impl Store {
    /// Lets others run although nobody knows whether this run is alive: where runs are offered, one that was lost, or whose agent is
    /// out of reach, is in the way of those that come after it. Safe to repeat.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    pub async fn release_run(
        &self,
        run: RunId,
        user: UserId,
        now: Timestamp,
    ) -> Result<ReleaseAnswer, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let head = Sql::new(format!("SELECT {HEAD_COLUMNS} FROM runs WHERE id = ?"))
                .bind(run)
                .text(tx.engine.for_update())
                .one(&*tx, read_head)
                .await?
                .ok_or(StoreError::Missing { what: Thing::Run })?;
            if head.offer != Some(OfferMark::Taken) {
                return Ok(ReleaseAnswer::NotInTheWay);
            }
            let agent = head.key.agent;
            let is_reachable = Sql::new("SELECT 1 FROM agents WHERE id = ? AND center IS NOT NULL")
                .bind(agent)
                .exists(&*tx)
                .await?;
            if is_reachable && !head.state.is_ended() {
                return Ok(ReleaseAnswer::Reachable);
            }
            Sql::new("UPDATE runs SET offer = ?, kill_requested_by = COALESCE(kill_requested_by, ?), kill_requested_at = COALESCE(kill_requested_at, ?) WHERE id = ?")
                .bind(OfferMark::Closed.word())
                .bind(user)
                .bind(now)
                .bind(run)
                .execute(&*tx)
                .await?;
            tx.commit().await?;
            Ok(ReleaseAnswer::Released(agent))
        })
    }

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
        transaction!({
            let tx = self.begin().await?;
            let head = Sql::new(format!("SELECT {HEAD_COLUMNS} FROM runs WHERE id = ?"))
                .bind(run)
                .text(tx.engine.for_update())
                .one(&*tx, read_head)
                .await?
                .ok_or(StoreError::Missing { what: Thing::Run })?;
            if head.state.is_ended() {
                return Ok(KillAnswer::AlreadyEnded);
            }
            Sql::new("UPDATE runs SET kill_requested_by = ?, kill_requested_at = ? WHERE id = ? AND kill_requested_at IS NULL")
            .bind(user)
            .bind(now)
            .bind(run)
            .execute(&*tx)
            .await?;
            let agent = head.key.agent;
            let moved = end_runs(
                &tx,
                &[head],
                &RunEvent::Withdraw(Reason::KilledBeforeStart),
                now,
            )
            .await?;
            tx.commit().await?;
            Ok(moved
                .first()
                .map_or(KillAnswer::Ask(agent), |moved| KillAnswer::Ended(*moved)))
        })
    }
}
