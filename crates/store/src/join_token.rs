//! Join tokens, and joining with them.

use cronfleet_core::id::{AgentId, GroupId, UserId};
use jiff::Timestamp;
use uuid::Uuid;

use crate::agent::{AgentFacts, AgentState};
use crate::error::StoreError;
use crate::secret::SecretHash;
use crate::store::Store;

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
    /// [`StoreError::Conflict`] if a group does not exist.
    pub async fn create_join_token(
        &self,
        token: &NewJoinToken,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        later(token, now, ())
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
        later(secret, now, ())
    }

    /// Uses a token once and creates the agent, both or neither. Answers the state it starts in.
    ///
    /// # Errors
    /// [`Conflict::JoinTokenRefused`](crate::Conflict::JoinTokenRefused), [`Conflict::AgentKeyTaken`](crate::Conflict::AgentKeyTaken).
    pub async fn join_agent(
        &self,
        secret: SecretHash,
        agent: &NewAgent,
        now: Timestamp,
    ) -> Result<AgentState, StoreError> {
        later(secret, agent, now)
    }

    /// Creates an active agent without a token: the one inside the center's own process.
    ///
    /// # Errors
    /// [`Conflict::AgentKeyTaken`](crate::Conflict::AgentKeyTaken).
    pub async fn create_local_agent(
        &self,
        agent: &NewAgent,
        groups: &[GroupId],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        later(agent, groups, now)
    }
}

fn later<A, B, C, T>(_: A, _: B, _: C) -> Result<T, StoreError> {
    Err(StoreError::corrupt("function", "not written yet"))
}
