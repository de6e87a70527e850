//! Agents as people see and manage them.

use cronfleet_core::access::Reach;
use cronfleet_core::id::{AgentId, GroupId};
use jiff::Timestamp;

use crate::error::StoreError;
use crate::job_edit::Revocation;
use crate::page::{NameKey, Page};
use crate::run::RunMoved;
use crate::sql::stored_word;
use crate::store::Store;

/// Whether an agent may work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AgentState {
    /// Joined, waits until an administrator lets it in.
    Pending,
    /// Works.
    Active,
    /// Shut out for good.
    Revoked,
}

impl AgentState {
    /// All states.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Active, Self::Revoked];

    /// The word in SQL and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Revoked => "revoked",
        }
    }

    /// Reads [`AgentState::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// What an agent tells about its machine when it connects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentFacts {
    /// Host name.
    pub hostname: String,
    /// Operating system and kernel.
    pub os: String,
    /// Processor architecture.
    pub arch: String,
    /// Version of the agent.
    pub version: String,
    /// Whether it runs as root.
    pub is_root: bool,
    /// Processors.
    pub cpu_count: u32,
    /// Memory in bytes.
    pub memory_total_bytes: u64,
}

/// An agent.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentRow {
    /// Id.
    pub id: AgentId,
    /// Name shown.
    pub name: String,
    /// Whether it may work.
    pub state: AgentState,
    /// SHA-256 of its public key in hex.
    pub key_fingerprint: String,
    /// Serial number of its certificate in force, in hex.
    pub certificate_serial: String,
    /// Epoch of its newest session; 0 before the first.
    pub session_epoch: u64,
    /// Boot id of its host when it last connected.
    pub boot_id: Option<String>,
    /// When it joined.
    pub joined_at: Timestamp,
    /// When the center last heard of it.
    pub last_seen_at: Option<Timestamp>,
    /// What it told about its machine.
    pub facts: AgentFacts,
    /// Memory available in bytes, by its last heartbeat.
    pub memory_available_bytes: u64,
    /// Load average over one minute, by its last heartbeat.
    pub load_1m: f64,
    /// Processes of runs and slots alive, by its last heartbeat.
    pub running_count: u32,
    /// Its clock minus the center's, in microseconds.
    pub clock_offset_us: Option<i64>,
    /// Round trip of its last heartbeat in microseconds.
    pub round_trip_us: Option<i64>,
    /// Groups within reach that it serves, sorted.
    pub groups: Vec<GroupId>,
    /// Daemon slots wanted here.
    pub slots_wanted: u32,
    /// Daemon slots running here.
    pub slots_running: u32,
}

/// Which agents to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentFilter {
    /// Searched for in name and host name.
    pub part: String,
    /// Only agents that serve this group.
    pub group: Option<GroupId>,
    /// Only agents in this state; revoked ones are listed only when asked for.
    pub state: Option<AgentState>,
    /// Only these (the connected ones, say).
    pub only: Option<Vec<AgentId>>,
    /// All but these.
    pub except: Vec<AgentId>,
}

/// Changes to an agent; absent fields stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentUpdate {
    /// New name.
    pub name: Option<String>,
    /// New whole list of groups that it serves.
    pub groups: Option<Vec<GroupId>>,
}

impl Store {
    /// Agents that serve a group within reach, by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn agents(
        &self,
        reach: &Reach,
        filter: &AgentFilter,
        after: Option<&NameKey>,
        limit: u32,
    ) -> Result<Page<AgentRow, NameKey>, StoreError> {
        later(reach, filter, (after, limit))
    }

    /// An agent, if it serves a group within reach.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn agent(&self, reach: &Reach, id: AgentId) -> Result<Option<AgentRow>, StoreError> {
        later(reach, id, ())
    }

    /// Active agents that serve a group, sorted.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn agents_serving(&self, group: GroupId) -> Result<Vec<AgentId>, StoreError> {
        later(group, (), ())
    }

    /// Lets a pending agent work, with these groups or those of its join token.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`Conflict::AgentState`](crate::Conflict::AgentState) if it is revoked.
    pub async fn approve_agent(
        &self,
        id: AgentId,
        groups: Option<&[GroupId]>,
    ) -> Result<(), StoreError> {
        later(id, groups, ())
    }

    /// Shuts an agent out for good. Its runs end: those never sent `skipped(agent_removed)`, all others
    /// `lost(agent_gone)`. Answers the runs that moved; doing it twice moves nothing.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    pub async fn revoke_agent(
        &self,
        id: AgentId,
        now: Timestamp,
    ) -> Result<Vec<RunMoved>, StoreError> {
        later(id, now, ())
    }

    /// Changes an agent. Runs of groups that it no longer serves are withdrawn as in [`Store::update_group`].
    ///
    /// # Errors
    /// [`StoreError::Missing`], also for a group.
    pub async fn update_agent(
        &self,
        id: AgentId,
        update: &AgentUpdate,
        now: Timestamp,
    ) -> Result<Vec<Revocation>, StoreError> {
        later(id, update, now)
    }
}

stored_word!(AgentState "agent state");

fn later<A, B, C, T>(_: A, _: B, _: C) -> Result<T, StoreError> {
    Err(StoreError::corrupt("function", "not written yet"))
}
