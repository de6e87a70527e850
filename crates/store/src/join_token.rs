//! Join tokens, and joining with them.

use cronfleet_core::id::{AgentId, GroupId, UserId};
use jiff::Timestamp;
use uuid::Uuid;

use crate::again::transaction;
use crate::agent::{AgentFacts, AgentState, put_groups};
use crate::error::{Conflict, StoreError};
use crate::group::lock_group;
use crate::secret::SecretHash;
use crate::sql::{Row, Sql};
use crate::store::{Store, Tx};

/// A join token to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJoinToken {
    /// Id, minted by the caller.
    pub id: Uuid,
    /// Hash of its secret.
    pub secret: SecretHash,
    /// Groups that agents joining with it shall serve.
    pub groups: Vec<GroupId>,
    /// Whether they work at once instead of waiting as pending.
    pub is_preapproved: bool,
    /// How many agents may join with it.
    pub uses_max: u32,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// Who made it.
    pub created_by: UserId,
}

/// An agent that wants to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAgent {
    /// Id, minted by the caller.
    pub id: AgentId,
    /// Name shown, at most 64 characters.
    pub name: String,
    /// SHA-256 of its public key in hex; unique.
    pub key_fingerprint: String,
    /// Serial number of the certificate made for it, in hex.
    pub certificate_serial: String,
    /// What it tells about its machine.
    pub facts: AgentFacts,
}

impl Store {
    /// Stores a join token.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if a group does not exist.
    pub async fn create_join_token(
        &self,
        token: &NewJoinToken,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            Sql::new(
            "INSERT INTO join_tokens (id, secret_hash, is_preapproved, uses_max, uses, expires_at, created_by, \
             created_at) VALUES (?, ?, ?, ?, 0, ?, ?, ?)",
        )
        .bind(token.id)
        .bind(token.secret)
        .bind(token.is_preapproved)
        .bind(token.uses_max)
        .bind(token.expires_at)
        .bind(token.created_by)
        .bind(now)
        .execute(&*tx)
        .await?;
            for &group in &token.groups {
                lock_group(&tx, group).await?;
                Sql::new("INSERT INTO join_token_groups (join_token_id, group_id) VALUES (?, ?)")
                    .bind(token.id)
                    .bind(group)
                    .text(&tx.engine.or_ignore("group_id"))
                    .execute(&*tx)
                    .await?;
            }
            tx.commit().await
        })
    }

    /// Whether a token would be accepted now, without using it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn is_join_token_good(
        &self,
        secret: SecretHash,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        Sql::new("SELECT 1 FROM join_tokens WHERE secret_hash = ? AND uses < uses_max AND expires_at > ?")
            .bind(secret)
            .bind(now)
            .exists(self.reader())
            .await
    }

    /// Uses a token once and creates the agent, both or neither. Answers the state it starts in.
    ///
    /// # Errors
    /// [`Conflict::JoinTokenRefused`], [`Conflict::AgentKeyTaken`].
    pub async fn join_agent(
        &self,
        secret: SecretHash,
        agent: &NewAgent,
        now: Timestamp,
    ) -> Result<AgentState, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            // One conditional UPDATE decides who gets the last use.
            let used = Sql::new(
            "UPDATE join_tokens SET uses = uses + 1 WHERE secret_hash = ? AND uses < uses_max AND expires_at > ?",
        )
        .bind(secret)
        .bind(now)
        .execute(&*tx)
        .await?;
            if used != 1 {
                return Err(Conflict::JoinTokenRefused.into());
            }
            let (token, is_preapproved) =
                Sql::new("SELECT id, is_preapproved FROM join_tokens WHERE secret_hash = ?")
                    .bind(secret)
                    .one(&*tx, |row| Ok((row.next::<Uuid>()?, row.next::<bool>()?)))
                    .await?
                    .ok_or(Conflict::JoinTokenRefused)?;
            let groups: Vec<GroupId> =
                Sql::new("SELECT group_id FROM join_token_groups WHERE join_token_id = ?")
                    .bind(token)
                    .all(&*tx, Row::next)
                    .await?;
            let state = if is_preapproved {
                AgentState::Active
            } else {
                AgentState::Pending
            };
            insert_agent(&tx, agent, state, &groups, now).await?;
            tx.commit().await?;
            Ok(state)
        })
    }

    /// Creates an active agent without a token: the one inside the center's own process.
    ///
    /// # Errors
    /// [`Conflict::AgentKeyTaken`].
    pub async fn create_local_agent(
        &self,
        agent: &NewAgent,
        groups: &[GroupId],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            insert_agent(&tx, agent, AgentState::Active, groups, now).await?;
            tx.commit().await
        })
    }
}

async fn insert_agent(
    tx: &Tx,
    agent: &NewAgent,
    state: AgentState,
    groups: &[GroupId],
    now: Timestamp,
) -> Result<(), StoreError> {
    let facts = &agent.facts;
    Sql::new(
        "INSERT INTO agents (id, name, state, key_fingerprint, certificate_serial, session_epoch, joined_at, hostname, \
         os, arch, version, is_root, cpu_count, memory_total_bytes, memory_available_bytes, load_1m, running_count) \
         VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0)",
    )
    .bind(agent.id)
    .bind(agent.name.as_str())
    .bind(state)
    .bind(agent.key_fingerprint.as_str())
    .bind(agent.certificate_serial.as_str())
    .bind(now)
    .bind(facts.hostname.as_str())
    .bind(facts.os.as_str())
    .bind(facts.arch.as_str())
    .bind(facts.version.as_str())
    .bind(facts.is_root)
    .bind(facts.cpu_count)
    .bind(facts.memory_total_bytes)
    .execute(&**tx)
    .await
    .map_err(|error| error.or_taken(Conflict::AgentKeyTaken))?;
    put_groups(tx, agent.id, groups).await
}
