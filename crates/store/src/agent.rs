//! Agents as people see and manage them.

use std::collections::HashSet;

use cronfleet_core::access::Reach;
use cronfleet_core::cgroup::CgroupSupport;
use cronfleet_core::id::{AgentId, GroupId};
use cronfleet_core::order::Claim;
use cronfleet_core::run::{Reason, RunEvent};
use cronfleet_core::run_limits::RunLimits;
use jiff::Timestamp;

use crate::again::transaction;
use crate::agent_policy::AgentPolicy;
use crate::agent_row::{fill_lists, read_agent, read_limits, select_agents, serves};
use crate::error::{Conflict, StoreError, Thing};
use crate::group::lock_group;
use crate::offer::leave_to_others;
use crate::page::{NameKey, Page};
use crate::run::RunMoved;
use crate::run_state::{active_of_agent, end_runs};
use crate::sql::{Row, Sql, stored_word};
use crate::store::{Store, Tx};
use crate::withdraw::{Withdrawn, withdraw_from_agent};

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
    /// What control groups can do there; `None` until it has said so.
    pub cgroups: Option<CgroupSupport>,
}

/// How full an agent's output spool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolLevel {
    /// Bytes of output of ended processes that wait for a center.
    pub bytes: u64,
    /// Most that may wait.
    pub max_bytes: u64,
    /// Ended processes whose output was given up for want of room since the agent started.
    pub dropped_count: u64,
}

/// What decides about an agent's session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentStanding {
    /// Whether it may work.
    pub state: AgentState,
    /// SHA-256 of its public key, in lowercase hexadecimal digits.
    pub key_fingerprint: String,
    /// Center that holds its session; `None` while it has none.
    pub center: Option<String>,
    /// Limits on all of its runs together.
    pub run_limits: RunLimits,
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
    /// Id of the center that has its session; `None` while it is not connected.
    pub center: Option<String>,
    /// Its clock minus the center's, in microseconds.
    pub clock_offset_us: Option<i64>,
    /// Round trip of its last heartbeat in microseconds.
    pub round_trip_us: Option<i64>,
    /// What it told about its machine's policy.
    pub policy: Option<AgentPolicy>,
    /// Limits on all of its runs together.
    pub run_limits: RunLimits,
    /// How full its output spool is, by its last heartbeat.
    pub spool: Option<SpoolLevel>,
    /// Groups within reach that it serves, sorted.
    pub groups: Vec<GroupId>,
    /// Daemon slots wanted here.
    pub slots_wanted: u32,
    /// Daemon slots running here.
    pub slots_running: u32,
}

/// Runs that are due and wait on their agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WaitingRuns {
    /// How many.
    pub count: u64,
    /// Since when the first of them could have started.
    pub since: Option<Timestamp>,
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
    /// Only agents that are connected, or only those that are not.
    pub is_online: Option<bool>,
}

/// Changes to an agent; absent fields stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentUpdate {
    /// New name.
    pub name: Option<String>,
    /// New whole list of groups that it serves.
    pub groups: Option<Vec<GroupId>>,
    /// New limits on all of its runs together.
    pub run_limits: Option<RunLimits>,
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
        let mut sql =
            select_agents().and_contains(self.engine(), &["a.name", "a.hostname"], &filter.part);
        sql = match filter.state {
            Some(state) => sql.with(" AND a.state = ?", state),
            None => sql.with(" AND a.state <> ?", AgentState::Revoked),
        };
        if let Some(group) = filter.group {
            sql = serves(sql, &Reach::Groups(vec![group]));
        }
        sql = serves(sql, reach);
        sql = match filter.is_online {
            Some(true) => sql.text(" AND a.center IS NOT NULL"),
            Some(false) => sql.text(" AND a.center IS NULL"),
            None => sql,
        };
        if let Some(after) = after {
            sql = sql
                .with(" AND a.name >= ? AND (a.name > ?", after.name.as_str())
                .bind(after.name.as_str())
                .with(" OR a.id > ?)", after.id);
        }
        let rows = sql
            .with(" ORDER BY a.name, a.id LIMIT ?", limit + 1)
            .all(self.reader(), read_agent)
            .await?;
        let mut page = Page::cut(rows, limit, |agent| NameKey {
            name: agent.name.clone(),
            id: agent.id.as_uuid(),
        });
        fill_lists(self.engine(), self.reader(), reach, &mut page.items).await?;
        Ok(page)
    }

    /// An agent, if it serves a group within reach.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn agent(&self, reach: &Reach, id: AgentId) -> Result<Option<AgentRow>, StoreError> {
        let sql = serves(select_agents().with(" AND a.id = ?", id), reach);
        let mut rows = sql.all(self.reader(), read_agent).await?;
        fill_lists(self.engine(), self.reader(), reach, &mut rows).await?;
        Ok(rows.pop())
    }

    /// What decides about an agent's session; `None` if the agent is unknown.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn agent_standing(&self, id: AgentId) -> Result<Option<AgentStanding>, StoreError> {
        Sql::new("SELECT state, key_fingerprint, center, running_max, starts_per_second FROM agents WHERE id = ?")
            .bind(id)
            .one(self.reader(), |row| {
                Ok(AgentStanding {
                    state: row.next()?,
                    key_fingerprint: row.next()?,
                    center: row.maybe()?,
                    run_limits: read_limits(row)?,
                })
            })
            .await
    }

    /// Runs within reach that an agent has accepted, that are due, and that wait for their turn or for room.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn waiting_runs(
        &self,
        reach: &Reach,
        id: AgentId,
        now: Timestamp,
    ) -> Result<WaitingRuns, StoreError> {
        let found = Sql::new(
            "SELECT COUNT(*), MIN(not_before) FROM runs WHERE active_agent = ? AND state = 'accepted' AND not_before <= ?",
        )
        .bind(id)
        .bind(now)
        .and_reach("group_id", reach)
        .one(self.reader(), |row| {
            Ok(WaitingRuns {
                count: row.next()?,
                since: row.maybe()?,
            })
        })
        .await?;
        Ok(found.unwrap_or_default())
    }

    /// Groups that an agent serves, sorted.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn groups_of_agent(&self, id: AgentId) -> Result<Vec<GroupId>, StoreError> {
        Sql::new("SELECT group_id FROM group_agents WHERE agent_id = ? ORDER BY group_id")
            .bind(id)
            .all(self.reader(), Row::next)
            .await
    }

    /// Active agents that serve a group, sorted.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn agents_serving(&self, group: GroupId) -> Result<Vec<AgentId>, StoreError> {
        Sql::new(
            "SELECT a.id FROM group_agents ga JOIN agents a ON a.id = ga.agent_id \
             WHERE ga.group_id = ? AND a.state = 'active' ORDER BY a.id",
        )
        .bind(group)
        .all(self.reader(), Row::next)
        .await
    }

    /// Lets a pending agent work, with these groups or those of its join token.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`Conflict::AgentState`] if it is revoked.
    pub async fn approve_agent(
        &self,
        id: AgentId,
        groups: Option<&[GroupId]>,
    ) -> Result<(), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            match lock_agent(&tx, id).await? {
                AgentState::Revoked => return Err(Conflict::AgentState.into()),
                AgentState::Pending | AgentState::Active => {}
            }
            Sql::new("UPDATE agents SET state = 'active' WHERE id = ?")
                .bind(id)
                .execute(&*tx)
                .await?;
            if let Some(groups) = groups {
                Sql::new("DELETE FROM group_agents WHERE agent_id = ?")
                    .bind(id)
                    .execute(&*tx)
                    .await?;
                put_groups(&tx, id, groups).await?;
            }
            tx.commit().await
        })
    }

    /// Shuts an agent out for good. Its runs end: those never sent `skipped(agent_removed)`, all others
    /// `lost(agent_gone)`. What it was offered without the word to start goes on to other agents. Answers the runs that moved; doing it twice moves nothing.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    pub async fn revoke_agent(
        &self,
        id: AgentId,
        now: Timestamp,
    ) -> Result<Vec<RunMoved>, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            lock_agent(&tx, id).await?;
            Sql::new(
            "UPDATE agents SET state = 'revoked', session_epoch = session_epoch + 1 WHERE id = ?",
        )
        .bind(id)
        .execute(&*tx)
        .await?;
            Sql::new("DELETE FROM slots WHERE agent_id = ?")
                .bind(id)
                .execute(&*tx)
                .await?;
            let heads = leave_to_others(&tx, active_of_agent(&tx, id).await?).await?;
            let mut moved =
                end_runs(&tx, &heads, &RunEvent::Withdraw(Reason::AgentRemoved), now).await?;
            let gone = Claim::Lost {
                reason: Reason::AgentGone,
                start: None,
            };
            moved.extend(end_runs(&tx, &heads, &RunEvent::Claim(&gone), now).await?);
            tx.commit().await?;
            Ok(moved)
        })
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
    ) -> Result<Withdrawn, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            lock_agent(&tx, id).await?;
            if let Some(name) = &update.name {
                Sql::new("UPDATE agents SET name = ? WHERE id = ?")
                    .bind(name.as_str())
                    .bind(id)
                    .execute(&*tx)
                    .await?;
            }
            if let Some(limits) = update.run_limits {
                Sql::new("UPDATE agents SET running_max = ?, starts_per_second = ? WHERE id = ?")
                    .bind(limits.running_max)
                    .bind(limits.starts_per_second)
                    .bind(id)
                    .execute(&*tx)
                    .await?;
            }
            let mut withdrawn = Withdrawn::default();
            if let Some(groups) = &update.groups {
                let before: HashSet<GroupId> =
                    Sql::new("SELECT group_id FROM group_agents WHERE agent_id = ?")
                        .bind(id)
                        .all(&*tx, Row::next)
                        .await?
                        .into_iter()
                        .collect();
                Sql::new("DELETE FROM group_agents WHERE agent_id = ?")
                    .bind(id)
                    .execute(&*tx)
                    .await?;
                put_groups(&tx, id, groups).await?;
                let left = before
                    .into_iter()
                    .filter(|group| !groups.contains(group))
                    .collect();
                withdrawn = withdraw_from_agent(&tx, id, &left, now).await?;
            }
            tx.commit().await?;
            Ok(withdrawn)
        })
    }
}

stored_word!(AgentState "agent state");

/// The state of an agent, which stays so until the end of the transaction.
pub(crate) async fn lock_agent(tx: &Tx, id: AgentId) -> Result<AgentState, StoreError> {
    Sql::new("SELECT state FROM agents WHERE id = ?")
        .bind(id)
        .text(tx.engine.for_update())
        .one(&**tx, Row::next)
        .await?
        .ok_or(StoreError::Missing { what: Thing::Agent })
}

/// Lets an agent serve groups.
pub(crate) async fn put_groups(
    tx: &Tx,
    agent: AgentId,
    groups: &[GroupId],
) -> Result<(), StoreError> {
    for &group in groups {
        lock_group(tx, group).await?;
        Sql::new("INSERT INTO group_agents (group_id, agent_id) VALUES (?, ?)")
            .bind(group)
            .bind(agent)
            .text(&tx.engine.or_ignore("group_id"))
            .execute(&**tx)
            .await?;
    }
    Ok(())
}
