//! Dispatch: handing planned runs to the session of their agent, and what happens to those that cannot be.

use std::collections::HashMap;

use cronfleet_core::id::{AgentId, JobId, RunId};
use cronfleet_core::job::{JobKind, JobSpec};
use cronfleet_core::order::{Claim, DaemonOrder, Order};
use cronfleet_core::run::{Reason, RunEvent, RunState};
use jiff::Timestamp;
use sea_orm::ConnectionTrait;

use crate::again::transaction;
use crate::agent_session::Session;
use crate::error::{StoreError, Thing};
use crate::lease::Lease;
use crate::older_run::settle_waiting;
use crate::run::RunMoved;
use crate::run_state::{BATCH, HEAD_COLUMNS, RunHead, end_runs, read_head, read_state};
use crate::slot_restart::restarts_of_agent;
use crate::spec::from_json;
use crate::sql::{Row, Sql};
use crate::store::Store;

/// A run that its agent has or may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutstandingRun {
    /// Run.
    pub run: RunId,
    /// `Dispatched`, `Accepted` or `Running`.
    pub state: RunState,
    /// Start not before this.
    pub not_before: Timestamp,
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
        let index = self.engine().index("runs_active");
        Sql::new(format!(
            "SELECT DISTINCT active_agent FROM runs{index} WHERE active_agent IS NOT NULL AND not_before <= ? \
             AND state = 'planned' AND after_run IS NULL"
        ))
        .bind(until)
        .all(self.reader(), Row::next)
        .await
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
        transaction!({
            let tx = self.begin().await?;
            session.guard(&tx).await?;
            let rows = Sql::new(format!(
                "{SELECT_ORDERS} AND r.state = 'planned' AND r.after_run IS NULL"
            ))
            .bind(session.agent)
            .with(" AND r.not_before <= ?", until)
            .with(" AND r.not_after >= ?", now)
            .with(" ORDER BY r.not_before, r.id LIMIT ?", limit)
            .text(tx.engine.for_update())
            .all(&*tx, read_order)
            .await?;
            for batch in rows.chunks(BATCH) {
                Sql::new("UPDATE runs SET state = 'dispatched', dispatched_at = ?, session_epoch = ?, center = ? WHERE ")
                .bind(now)
                .bind(session.epoch)
                .bind(session.center.as_str())
                .one_of("id", batch.iter().map(|row| row.id))
                .execute(&*tx)
                .await?;
            }
            let orders = with_specs(&*tx, rows).await?;
            tx.commit().await?;
            Ok(orders)
        })
    }

    /// Ends planned runs of the session's agent with `not_before` not after `until` that use secrets, of the first `limit` that
    /// there are: `missed(agent_too_old)`. For an agent that would start them without.
    ///
    /// # Errors
    /// [`Conflict::StaleSession`](crate::Conflict::StaleSession), [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn withhold_secret_runs(
        &self,
        session: &Session,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<RunMoved>, StoreError> {
        let tx = self.begin().await?;
        session.guard(&tx).await?;
        let planned = Sql::new(format!(
            "{SELECT_ORDERS} AND r.state = 'planned' AND r.after_run IS NULL"
        ))
        .bind(session.agent)
        .with(" AND r.not_before <= ?", until)
        .with(" ORDER BY r.not_before, r.id LIMIT ?", limit)
        .text(tx.engine.for_update())
        .all(&*tx, read_order)
        .await?;
        let orders = with_specs(&*tx, planned).await?;
        let withheld: Vec<RunId> = orders
            .into_iter()
            .filter(|order| !order.launch.secrets.is_empty())
            .map(|order| order.run)
            .collect();
        let mut moved = Vec::new();
        for batch in withheld.chunks(BATCH) {
            let heads = Sql::new(format!("SELECT {HEAD_COLUMNS} FROM runs WHERE "))
                .one_of("id", batch.iter().copied())
                .all(&*tx, read_head)
                .await?;
            let event = RunEvent::Expire(Reason::AgentTooOld);
            moved.extend(end_runs(&tx, &heads, &event, now).await?);
        }
        tx.commit().await?;
        Ok(moved)
    }

    /// What the agent has or may have, by `not_before`: for reconciling when it connects.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn outstanding(&self, agent: AgentId) -> Result<Vec<OutstandingRun>, StoreError> {
        Sql::new(
            "SELECT id, state, outcome, not_before, revoke_reason, kill_requested_at FROM runs \
             WHERE active_agent = ? AND state <> 'planned' ORDER BY not_before, id",
        )
        .bind(agent)
        .all(self.reader(), |row| {
            Ok(OutstandingRun {
                run: row.next()?,
                state: read_state(row)?,
                not_before: row.next()?,
                revoke_reason: row.maybe()?,
                is_kill_requested: row.maybe::<Timestamp>()?.is_some(),
            })
        })
        .await
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
        let mut rows = Vec::new();
        for batch in runs.chunks(BATCH) {
            let found = Sql::new(format!("{SELECT_ORDERS} AND r.state = 'dispatched'"))
                .bind(agent)
                .and_in("r.id", batch.iter().copied())
                .all(self.reader(), read_order)
                .await?;
            rows.extend(found);
        }
        rows.sort_by_key(|row| (row.not_before, row.id));
        with_specs(self.reader(), rows).await
    }

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
        let index = self.engine().index("runs_active");
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
            let index = tx.engine.index("runs_active");
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
            "SELECT {HEAD_COLUMNS} FROM runs{index} WHERE active_agent IS NOT NULL AND unreachable_since < ? LIMIT ?"
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

    /// Everything the agent shall keep alive, by job.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn daemon_orders(&self, agent: AgentId) -> Result<Vec<DaemonOrder>, StoreError> {
        let restarts = restarts_of_agent(self.reader(), agent).await?;
        Sql::new(
            "SELECT j.id, j.version, v.spec FROM group_agents ga JOIN agents a ON a.id = ga.agent_id \
             JOIN jobs j ON j.group_id = ga.group_id \
             JOIN job_versions v ON v.job_id = j.id AND v.version = j.version \
             WHERE ga.agent_id = ? AND a.state = 'active' AND j.kind = 'daemon' AND j.is_deleted = 0 \
             AND j.is_paused = 0 AND (j.is_target_all = 1 OR EXISTS (SELECT 1 FROM job_targets t \
             WHERE t.job_id = j.id AND t.agent_id = ga.agent_id)) ORDER BY j.id",
        )
        .bind(agent)
        .all(self.reader(), |row| {
            let (job, job_version) = (row.next()?, row.next()?);
            let spec = from_json(&row.next::<String>()?)?;
            let JobKind::Daemon(policy) = spec.kind else {
                return Err(StoreError::corrupt("job kind", "daemon"));
            };
            Ok(DaemonOrder {
                job,
                job_name: spec.name,
                job_version,
                processes: spec.processes,
                policy: *policy,
                launch: spec.launch,
                restarts: Some(restarts.get(&job).cloned().unwrap_or_default()),
            })
        })
        .await
    }
}

/// A run that becomes an order once its definition is at hand.
struct OrderRow {
    id: RunId,
    job: JobId,
    job_version: u32,
    copy: u32,
    copies: u32,
    attempt: u32,
    due: Timestamp,
    not_before: Timestamp,
    not_after: Timestamp,
}

const SELECT_ORDERS: &str = "SELECT r.id, r.job_id, r.job_version, r.copy, r.copies, r.attempt, r.due, r.not_before, \
    r.not_after FROM runs r WHERE r.active_agent = ?";

fn read_order(row: &mut Row) -> Result<OrderRow, StoreError> {
    Ok(OrderRow {
        id: row.next()?,
        job: row.next()?,
        job_version: row.next()?,
        copy: row.next()?,
        copies: row.next()?,
        attempt: row.next()?,
        due: row.next()?,
        not_before: row.next()?,
        not_after: row.next()?,
    })
}

/// Makes orders; each version of a job is read once.
async fn with_specs(
    on: &impl ConnectionTrait,
    rows: Vec<OrderRow>,
) -> Result<Vec<Order>, StoreError> {
    let specs = specs_of(on, rows.iter().map(|row| (row.job, row.job_version))).await?;
    rows.into_iter()
        .map(|row| {
            let spec = specs
                .get(&(row.job, row.job_version))
                .ok_or(StoreError::Missing {
                    what: Thing::JobVersion,
                })?;
            let JobKind::Scheduled(scheduled) = &spec.kind else {
                return Err(StoreError::corrupt("job kind", "daemon"));
            };
            Ok(Order {
                run: row.id,
                job: row.job,
                job_name: spec.name.clone(),
                job_version: row.job_version,
                copy: row.copy,
                copies: row.copies,
                attempt: row.attempt,
                due: row.due,
                not_before: row.not_before,
                not_after: row.not_after,
                overlap: scheduled.overlap,
                timeout: scheduled.timeout,
                launch: spec.launch.clone(),
            })
        })
        .collect()
}

/// Definitions of versions of jobs.
pub(crate) async fn specs_of(
    on: &impl ConnectionTrait,
    versions: impl Iterator<Item = (JobId, u32)>,
) -> Result<HashMap<(JobId, u32), JobSpec>, StoreError> {
    let mut wanted: Vec<(JobId, u32)> = versions.collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut specs = HashMap::new();
    for batch in wanted.chunks(BATCH) {
        let mut sql = Sql::new("SELECT job_id, version, spec FROM job_versions WHERE 1 = 0");
        for &(job, version) in batch {
            sql = sql
                .with(" OR (job_id = ?", job)
                .with(" AND version = ?)", version);
        }
        let found = sql
            .all(on, |row| {
                let key: (JobId, u32) = (row.next()?, row.next()?);
                Ok((key, from_json(&row.next::<String>()?)?))
            })
            .await?;
        specs.extend(found);
    }
    Ok(specs)
}
