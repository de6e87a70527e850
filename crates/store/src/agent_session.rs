//! Sessions of agents with a center, and what their heartbeats say.

use std::collections::{BTreeSet, HashMap};

use cronfleet_core::id::AgentId;
use jiff::Timestamp;

use crate::again::transaction;
use crate::agent::{AgentFacts, AgentState, SpoolLevel};
use crate::error::{Conflict, StoreError, Thing};
use crate::run_state::BATCH;
use crate::sql::Sql;
use crate::store::{Store, Tx};

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
    /// How full its output spool is.
    pub spool: Option<SpoolLevel>,
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
        transaction!({
            let tx = self.begin().await?;
            let found = Sql::new("SELECT state, session_epoch, boot_id FROM agents WHERE id = ?")
                .bind(agent)
                .text(tx.engine.for_update())
                .one(&*tx, |row| {
                    Ok((
                        row.next::<AgentState>()?,
                        row.next::<u64>()?,
                        row.maybe::<String>()?,
                    ))
                })
                .await?;
            let Some((
                state @ (AgentState::Pending | AgentState::Active),
                epoch_before,
                boot_before,
            )) = found
            else {
                return Ok(None);
            };
            let epoch = epoch_before.max(epoch_seen) + 1;
            Sql::new(
            "UPDATE agents SET session_epoch = ?, center = ?, boot_id = ?, last_seen_at = ?, hostname = ?, os = ?, \
             arch = ?, version = ?, is_root = ?, cpu_count = ?, memory_total_bytes = ?, cgroups = ? WHERE id = ?",
        )
        .bind(epoch)
        .bind(center)
        .bind(boot_id)
        .bind(now)
        .bind(facts.hostname.as_str())
        .bind(facts.os.as_str())
        .bind(facts.arch.as_str())
        .bind(facts.version.as_str())
        .bind(facts.is_root)
        .bind(facts.cpu_count)
        .bind(facts.memory_total_bytes)
        .bind(facts.cgroups.clone())
        .bind(agent)
        .execute(&*tx)
        .await?;
            Sql::new("UPDATE runs SET unreachable_since = NULL WHERE active_agent = ?")
                .bind(agent)
                .execute(&*tx)
                .await?;
            tx.commit().await?;
            Ok(Some(SessionOpened {
                session: Session {
                    agent,
                    epoch,
                    center: center.to_owned(),
                },
                is_active: state == AgentState::Active,
                is_new_boot: boot_before.as_deref() != Some(boot_id),
            }))
        })
    }

    /// Stores many heartbeats at once.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn put_heartbeats(&self, heartbeats: &[Heartbeat]) -> Result<(), StoreError> {
        transaction!({
            if heartbeats.is_empty() {
                return Ok(());
            }
            let tx = self.begin().await?;
            // In one order everywhere, so that two of these cannot wait for each other.
            let mut heartbeats: Vec<&Heartbeat> = heartbeats.iter().collect();
            heartbeats.sort_unstable_by_key(|heartbeat| heartbeat.agent);
            for heartbeat in heartbeats {
                Sql::new(
                "UPDATE agents SET last_seen_at = ?, load_1m = ?, memory_available_bytes = ?, running_count = ?, \
                 clock_offset_us = ?, round_trip_us = ? WHERE id = ?",
            )
            .bind(heartbeat.seen_at)
            .bind(heartbeat.load_1m)
            .bind(heartbeat.memory_available_bytes)
            .bind(heartbeat.running_count)
            .bind(heartbeat.clock_offset_us)
            .bind(heartbeat.round_trip_us)
            .bind(heartbeat.agent)
            .execute(&*tx)
            .await?;
                if let Some(spool) = heartbeat.spool {
                    put_spool(&tx, heartbeat.agent, spool).await?;
                }
            }
            tx.commit().await
        })
    }

    /// Records that a session is over: what the agent holds is unreachable since `now`. Nothing happens if the agent has a
    /// newer session.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn close_session(&self, session: &Session, now: Timestamp) -> Result<(), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let closed = Sql::new(
            "UPDATE agents SET last_seen_at = ?, center = NULL WHERE id = ? AND session_epoch = ?",
        )
        .bind(now)
        .bind(session.agent)
        .bind(session.epoch)
        .execute(&*tx)
        .await?;
            if closed == 1 {
                Sql::new(
                "UPDATE runs SET unreachable_since = ? WHERE active_agent = ? AND state <> 'planned' \
                 AND unreachable_since IS NULL",
            )
            .bind(now)
            .bind(session.agent)
            .execute(&*tx)
            .await?;
            }
            tx.commit().await
        })
    }

    /// Records the certificate that an agent now uses.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    pub async fn put_certificate(&self, agent: AgentId, serial: &str) -> Result<(), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let changed = Sql::new("UPDATE agents SET certificate_serial = ? WHERE id = ?")
                .bind(serial)
                .bind(agent)
                .execute(&*tx)
                .await?;
            if changed != 1 {
                return Err(StoreError::Missing { what: Thing::Agent });
            }
            tx.commit().await
        })
    }
}

impl Session {
    /// Makes sure that this is the agent's newest session and the agent active, until the end of the transaction.
    pub(crate) async fn guard(&self, tx: &Tx) -> Result<(), StoreError> {
        let (epoch, state) = Sql::new("SELECT session_epoch, state FROM agents WHERE id = ?")
            .bind(self.agent)
            .text(tx.engine.for_update())
            .one(&**tx, |row| {
                Ok((row.next::<u64>()?, row.next::<AgentState>()?))
            })
            .await?
            .ok_or(StoreError::Missing { what: Thing::Agent })?;
        if epoch != self.epoch {
            return Err(Conflict::StaleSession.into());
        }
        match state {
            AgentState::Active => Ok(()),
            AgentState::Pending | AgentState::Revoked => Err(Conflict::AgentState.into()),
        }
    }
}

/// Makes sure of many sessions what [`Session::guard`] makes sure of one. Answers those of which it is not so, by their places.
pub(crate) async fn guard_all<'a>(
    tx: &Tx,
    sessions: impl Iterator<Item = &'a Session> + Clone,
) -> Result<Vec<(usize, Conflict)>, StoreError> {
    let agents: BTreeSet<AgentId> = sessions.clone().map(|session| session.agent).collect();
    let agents: Vec<AgentId> = agents.into_iter().collect();
    let mut found = HashMap::with_capacity(agents.len());
    for batch in agents.chunks(BATCH) {
        let rows = Sql::new("SELECT id, session_epoch, state FROM agents WHERE ")
            .one_of("id", batch.iter().copied())
            .text(" ORDER BY id")
            .text(tx.engine.for_update())
            .all(&**tx, |row| {
                let agent: AgentId = row.next()?;
                Ok((agent, (row.next::<u64>()?, row.next::<AgentState>()?)))
            })
            .await?;
        found.extend(rows);
    }
    let refused = sessions.enumerate().filter_map(|(place, session)| {
        let conflict = match found.get(&session.agent) {
            Some((epoch, AgentState::Active)) if *epoch == session.epoch => return None,
            Some((epoch, _)) if *epoch != session.epoch => Conflict::StaleSession,
            Some(_) | None => Conflict::AgentState,
        };
        Some((place, conflict))
    });
    Ok(refused.collect())
}

async fn put_spool(tx: &Tx, agent: AgentId, spool: SpoolLevel) -> Result<(), StoreError> {
    Sql::new(
        "INSERT INTO agent_spools (agent_id, bytes, max_bytes, dropped_count) VALUES (?, ?, ?, ?)",
    )
    .bind(agent)
    .bind(spool.bytes)
    .bind(spool.max_bytes)
    .bind(spool.dropped_count)
    .text(
        &tx.engine
            .or_update("agent_id", &["bytes", "max_bytes", "dropped_count"]),
    )
    .execute(&**tx)
    .await?;
    Ok(())
}
