//! Runs of which nothing is to be expected any more: never sent in time, or with an agent that is out of reach for too long.

use cronfleet_core::order::Claim;
use cronfleet_core::run::{Reason, RunEvent};
use jiff::Timestamp;

use crate::again::transaction;
use crate::error::StoreError;
use crate::lease::Lease;
use crate::older_run::settle_waiting;
use crate::run::RunMoved;
use crate::run_state::{HEAD_COLUMNS, RunHead, end_runs, read_head};
use crate::sql::Sql;
use crate::store::Store;

impl Store {
    /// Ends planned runs whose time is over, at most `limit`: `missed(center_down)` where the start deadline passed before
    /// the center was up, else `missed(agent_offline)`.
    ///
    /// # Errors
    /// [`Conflict::StaleLease`](crate::Conflict::StaleLease), [`StoreError::Unavailable`].
    pub async fn expire_planned(
        &self,
        lease: &Lease,
        now: Timestamp,
        center_up_since: Timestamp,
        limit: u32,
    ) -> Result<Vec<RunMoved>, StoreError> {
        let index = self.engine().index_of_planned();
        // Nearly always there is nothing, and then nothing is to be written.
        let is_any_late = Sql::new(format!(
            "SELECT 1 FROM runs{index} WHERE active_agent IS NOT NULL AND state = 'planned' AND not_after < ? LIMIT 1"
        ))
        .bind(now)
        .exists(self.reader())
        .await?;
        if !is_any_late {
            return Ok(Vec::new());
        }
        transaction!({
            let tx = self.begin().await?;
            lease.fence(&tx).await?;
            let index = tx.engine.index_of_planned();
            let late = Sql::new(format!(
            "SELECT {HEAD_COLUMNS}, not_after FROM runs{index} WHERE active_agent IS NOT NULL AND state = 'planned' \
             AND not_after < ? LIMIT ?"
        ))
        .bind(now)
        .bind(limit)
        .text(tx.engine.for_update())
        .all(&*tx, |row| Ok((read_head(row)?, row.next::<Timestamp>()?)))
        .await?;
            let (center_down, agent_offline): (Vec<_>, Vec<_>) = late
                .into_iter()
                .partition(|(_, not_after)| *not_after < center_up_since);
            let mut moved = Vec::new();
            for (late, reason) in [
                (center_down, Reason::CenterDown),
                (agent_offline, Reason::AgentOffline),
            ] {
                let heads: Vec<RunHead> = late.into_iter().map(|(head, _)| head).collect();
                moved.extend(end_runs(&tx, &heads, &RunEvent::Expire(reason), now).await?);
            }
            tx.commit().await?;
            Ok(moved)
        })
    }

    /// Ends runs whose agent has been out of reach since before `since`, at most `limit`: `lost(agent_gone)`.
    ///
    /// # Errors
    /// [`Conflict::StaleLease`](crate::Conflict::StaleLease), [`StoreError::Unavailable`].
    pub async fn lose_unreachable(
        &self,
        lease: &Lease,
        since: Timestamp,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<RunMoved>, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            lease.fence(&tx).await?;
            let index = tx.engine.index("runs_active");
            let heads = Sql::new(format!(
            "SELECT {HEAD_COLUMNS} FROM runs{index} WHERE active_agent IS NOT NULL AND unreachable_since < ? \
             AND (offer IS NULL OR offer = 'taken') LIMIT ?"
        ))
        .bind(since)
        .bind(limit)
        .text(tx.engine.for_update())
        .all(&*tx, read_head)
        .await?;
            let gone = Claim::Lost {
                reason: Reason::AgentGone,
                start: None,
            };
            let mut moved = end_runs(&tx, &heads, &RunEvent::Claim(&gone), now).await?;
            let settled = settle_waiting(&tx, &moved, now).await?;
            moved.extend(settled.moved);
            tx.commit().await?;
            Ok(moved)
        })
    }
}
