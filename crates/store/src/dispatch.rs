//! Dispatch: handing planned runs to the session of their agent, and what happens to those that cannot be.

use std::collections::HashMap;

use cronfleet_core::id::{AgentId, JobId, RunId};
use cronfleet_core::job::{JobKind, JobSpec};
use cronfleet_core::offer::OFFER_AHEAD;
use cronfleet_core::order::{DaemonOrder, Order};
use cronfleet_core::plan::later;
use cronfleet_core::run::{Reason, RunEvent, RunState};
use cronfleet_core::spread;
use jiff::Timestamp;
use sea_orm::ConnectionTrait;

use crate::again::transaction;
use crate::agent_session::{Session, guard_all};
use crate::bulk::rounded;
use crate::error::{Conflict, StoreError, Thing};
use crate::run::RunMoved;
use crate::run_state::{BATCH, HEAD_COLUMNS, end_runs, read_head, read_offered};
use crate::slot_restart::restarts_of_agent;
use crate::spec::from_json;
use crate::sql::{Row, Sql};
use crate::store::Store;

/// A run that its agent has or may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutstandingRun {
    /// Run.
    pub run: RunId,
    /// `Offered`, `Dispatched`, `Accepted` or `Running`.
    pub state: RunState,
    /// Start not before this.
    pub not_before: Timestamp,
    /// Whether its agent has said that it has it.
    pub is_known: bool,
    /// Whether it was offered to its agent.
    pub is_offer: bool,
    /// Whether its agent has said that it will not start what was offered to it.
    pub is_refused: bool,
    /// Asked back from the agent, and why.
    pub revoke_reason: Option<Reason>,
    /// Whether somebody asked for its end.
    pub is_kill_requested: bool,
}

/// Planned runs that were taken to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedTaken {
    /// Orders, earliest first, and whose they are.
    pub orders: Vec<(AgentId, Order)>,
    /// Whether there may be more.
    pub has_more: bool,
    /// Sessions that are not their agents' newest any more or whose agents may not work, by their places among the sessions:
    /// nothing was taken for them.
    pub refused: Vec<(usize, Conflict)>,
}

impl Store {
    /// Agents that have planned runs to be sent `now`: `not_before` not after `until`, or soon where they are offered.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn agents_with_planned(
        &self,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<AgentId>, StoreError> {
        let index = self.engine().index_of_planned();
        Sql::new(format!(
            "SELECT DISTINCT active_agent FROM runs{index} WHERE active_agent IS NOT NULL AND not_before <= ? \
             AND state = 'planned' AND after_run IS NULL"
        ))
        .bind(until)
        .with(AND_SOON, later(now, OFFER_AHEAD))
        .all(self.reader(), Row::next)
        .await
    }

    /// Moves planned runs of the sessions' agents with `not_before` not after `until` to `dispatched`, earliest first, and
    /// answers their orders: commit first, send then. What is offered is taken shortly before it is due.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn take_planned(
        &self,
        sessions: &[&Session],
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<PlannedTaken, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let refused = guard_all(&tx, sessions.iter().copied()).await?;
            let admitted = |place: &usize| refused.iter().all(|(other, _)| other != place);
            let admitted: Vec<&Session> = sessions
                .iter()
                .enumerate()
                .filter(|(place, _)| admitted(place))
                .map(|(_, session)| *session)
                .collect();
            let mut rows: Vec<OrderRow> = Vec::new();
            for batch in admitted.chunks(BATCH) {
                let left = limit.saturating_sub(u32::try_from(rows.len()).unwrap_or(limit));
                let found = select_orders(&tx.engine.index_of_planned())
                    .text(" r.state = 'planned' AND r.after_run IS NULL")
                    .and_in("r.active_agent", batch.iter().map(|session| session.agent))
                    .with(" AND r.not_before <= ?", until)
                    .with(" AND r.not_after >= ?", now)
                    .with(AND_SOON, later(now, OFFER_AHEAD))
                    .with(" ORDER BY r.not_before, r.id LIMIT ?", left)
                    .text(tx.engine.for_update())
                    .all(&*tx, read_order)
                    .await?;
                rows.extend(found);
            }
            let has_more = rows.len() >= limit as usize;
            for batch in rows.chunks(BATCH) {
                Sql::new(
                    "UPDATE runs SET state = 'dispatched', center = ?, dispatched_at = ?, \
                     session_epoch = (SELECT session_epoch FROM agents WHERE id = runs.agent_id) WHERE ",
                )
                .bind(admitted.first().map(|session| session.center.as_str()))
                .bind(now)
                .one_of("id", batch.iter().map(|row| row.id))
                .execute(&*tx)
                .await?;
            }
            let orders = with_specs(&*tx, rows).await?;
            tx.commit().await?;
            Ok(PlannedTaken {
                orders,
                has_more,
                refused,
            })
        })
    }

    /// Ends planned runs of the session's agent with `not_before` not after `until` that the agent is too old for, of the first
    /// `limit` that there are: `missed(agent_too_old)`.
    ///
    /// # Errors
    /// [`Conflict::StaleSession`], [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn withhold_runs(
        &self,
        session: &Session,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
        can: impl Fn(&Order) -> bool + Send,
    ) -> Result<Vec<RunMoved>, StoreError> {
        let tx = self.begin().await?;
        session.guard(&tx).await?;
        let planned = select_orders(&tx.engine.index_of_planned())
            .text(" r.state = 'planned' AND r.after_run IS NULL")
            .with(" AND r.active_agent = ?", session.agent)
            .with(" AND r.not_before <= ?", until)
            .with(" ORDER BY r.not_before, r.id LIMIT ?", limit)
            .text(tx.engine.for_update())
            .all(&*tx, read_order)
            .await?;
        let orders = with_specs(&*tx, planned).await?;
        let withheld: Vec<RunId> = orders
            .into_iter()
            .filter(|(_, order)| !can(order))
            .map(|(_, order)| order.run)
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
            "SELECT id, state, outcome, offer, not_before, accepted_at, refused_reason, revoke_reason, kill_requested_at FROM runs \
             WHERE active_agent = ? AND state <> 'planned' ORDER BY not_before, id",
        )
        .bind(agent)
        .all(self.reader(), |row| {
            let run = row.next()?;
            let (state, offer) = read_offered(row)?;
            Ok(OutstandingRun {
                run,
                state,
                not_before: row.next()?,
                is_known: row.maybe::<Timestamp>()?.is_some(),
                is_offer: offer.is_some(),
                is_refused: row.maybe::<Reason>()?.is_some(),
                revoke_reason: row.maybe()?,
                is_kill_requested: row.maybe::<Timestamp>()?.is_some(),
            })
        })
        .await
    }

    /// Orders of runs that are sent and of which their agent has said nothing, to be sent again. Others among `runs` are left out.
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
            let found = select_orders("")
                .text(" r.state = 'dispatched' AND r.accepted_at IS NULL AND r.refused_reason IS NULL")
                .with(" AND r.active_agent = ?", agent)
                .and_in("r.id", batch.iter().copied())
                .all(self.reader(), read_order)
                .await?;
            rows.extend(found);
        }
        rows.sort_by_key(|row| (row.not_before, row.id));
        let orders = with_specs(self.reader(), rows).await?;
        Ok(orders.into_iter().map(|(_, order)| order).collect())
    }

    /// Everything the agent shall keep alive, by job.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn daemon_orders(&self, agent: AgentId) -> Result<Vec<DaemonOrder>, StoreError> {
        let restarts = restarts_of_agent(self.reader(), agent).await?;
        let index = self.engine().index("jobs_kind");
        Sql::new(format!(
            "SELECT j.id, j.version, v.spec FROM group_agents ga JOIN agents a ON a.id = ga.agent_id \
             JOIN jobs j{index} ON j.group_id = ga.group_id \
             JOIN job_versions v ON v.job_id = j.id AND v.version = j.version \
             WHERE ga.agent_id = ? AND a.state = 'active' AND j.kind = 'daemon' AND j.is_deleted = 0 \
             AND j.is_paused = 0 AND (j.is_target_all = 1 OR EXISTS (SELECT 1 FROM job_targets t \
             WHERE t.job_id = j.id AND t.agent_id = ga.agent_id)) ORDER BY j.id"
        ))
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

/// What is offered is offered shortly before it is due.
const AND_SOON: &str = " AND (offer IS NULL OR not_before <= ?)";

/// A run that becomes an order once its definition is at hand.
struct OrderRow {
    id: RunId,
    agent: AgentId,
    job: JobId,
    job_version: u32,
    copy: u32,
    copies: u32,
    attempt: u32,
    due: Timestamp,
    not_before: Timestamp,
    not_after: Timestamp,
    is_offer: bool,
}

/// Begins a query for [`read_order`] that walks an index.
fn select_orders(index: &str) -> Sql {
    Sql::new(format!(
        "SELECT r.id, r.agent_id, r.job_id, r.job_version, r.copy, r.copies, r.attempt, r.due, r.not_before, r.not_after, \
         r.offer FROM runs r{index} WHERE"
    ))
}

fn read_order(row: &mut Row) -> Result<OrderRow, StoreError> {
    Ok(OrderRow {
        id: row.next()?,
        agent: row.next()?,
        job: row.next()?,
        job_version: row.next()?,
        copy: row.next()?,
        copies: row.next()?,
        attempt: row.next()?,
        due: row.next()?,
        not_before: row.next()?,
        not_after: row.next()?,
        is_offer: row.maybe::<String>()?.is_some(),
    })
}

/// Makes orders, each with its agent; each version of a job is read once.
async fn with_specs(
    on: &impl ConnectionTrait,
    rows: Vec<OrderRow>,
) -> Result<Vec<(AgentId, Order)>, StoreError> {
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
            let order = Order {
                run: row.id,
                job: row.job,
                job_name: spec.name.clone(),
                job_version: row.job_version,
                copy: row.copy,
                copies: row.copies,
                attempt: row.attempt,
                due: row.due,
                jitter: spread::wait(scheduled.jitter, row.job, row.agent, row.copy, row.is_offer),
                not_before: row.not_before,
                not_after: row.not_after,
                is_offer: row.is_offer,
                overlap: scheduled.overlap,
                timeout: scheduled.timeout,
                launch: spec.launch.clone(),
            };
            Ok((row.agent, order))
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
        // Anything beside these alternatives, and engines read the whole table.
        let one_of = vec!["(job_id = ? AND version = ?)"; rounded(batch.len())].join(" OR ");
        let again = batch.last().into_iter().cycle();
        let sql = batch.iter().chain(again).take(rounded(batch.len())).fold(
            Sql::new("SELECT job_id, version, spec FROM job_versions WHERE ").text(&one_of),
            |sql, &(job, version)| sql.bind(job).bind(version),
        );
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
