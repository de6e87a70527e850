//! Groups: they own jobs, are served by agents, and give users their roles.

use cronfleet_core::access::{Reach, Role};
use cronfleet_core::id::{AgentId, GroupId, UserId};
use jiff::Timestamp;

use crate::error::StoreError;
use crate::job_edit::Revocation;
use crate::page::{NameKey, Page};
use crate::store::Store;

/// A group with its lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRow {
    /// Id.
    pub id: GroupId,
    /// Unique name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Linux users that its jobs may run as, sorted.
    pub run_as: Vec<String>,
    /// Agents that serve it and are not revoked, sorted.
    pub agents: Vec<AgentId>,
    /// Users with a role, by login.
    pub members: Vec<MemberRow>,
    /// Number of jobs that are not deleted.
    pub job_count: u64,
}

/// A user's role in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRow {
    /// User.
    pub user: UserId,
    /// Login.
    pub login: String,
    /// Name shown to others.
    pub display_name: String,
    /// Role.
    pub role: Role,
}

/// A group to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGroup {
    /// Id, minted by the caller.
    pub id: GroupId,
    /// Unique name, at most 64 characters.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Linux users that its jobs may run as.
    pub run_as: Vec<String>,
    /// Agents that serve it.
    pub agents: Vec<AgentId>,
}

/// Changes to a group; absent fields stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupUpdate {
    /// New name.
    pub name: Option<String>,
    /// New description.
    pub description: Option<String>,
    /// New whole list of Linux users.
    pub run_as: Option<Vec<String>>,
    /// New whole list of agents.
    pub agents: Option<Vec<AgentId>>,
}

impl Store {
    /// Groups within reach by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn groups(
        &self,
        reach: &Reach,
        after: Option<&NameKey>,
        limit: u32,
    ) -> Result<Page<GroupRow, NameKey>, StoreError> {
        later(reach, after, limit)
    }

    /// A group, if it is within reach.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn group(&self, reach: &Reach, id: GroupId) -> Result<Option<GroupRow>, StoreError> {
        later(reach, id, ())
    }

    /// Creates a group.
    ///
    /// # Errors
    /// [`Conflict::GroupNameTaken`](crate::Conflict::GroupNameTaken), [`StoreError::Missing`] if an agent does not exist.
    pub async fn create_group(
        &self,
        group: &NewGroup,
        now: Timestamp,
    ) -> Result<GroupRow, StoreError> {
        later(group, now, ())
    }

    /// Changes a group. Runs of its jobs on agents that no longer serve it are withdrawn: those never sent end
    /// `skipped(agent_removed)`, those sent but not due are to be asked back from their agents.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`Conflict::GroupNameTaken`](crate::Conflict::GroupNameTaken).
    pub async fn update_group(
        &self,
        id: GroupId,
        update: &GroupUpdate,
        now: Timestamp,
    ) -> Result<(GroupRow, Vec<Revocation>), StoreError> {
        later(id, update, now)
    }

    /// Deletes a group with its memberships.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`Conflict::GroupOwnsJobs`](crate::Conflict::GroupOwnsJobs).
    pub async fn delete_group(&self, id: GroupId) -> Result<(), StoreError> {
        later(id, (), ())
    }

    /// Gives a user a role in a group, in place of the one she may have.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if group or user does not exist.
    pub async fn put_member(
        &self,
        group: GroupId,
        user: UserId,
        role: Role,
    ) -> Result<(), StoreError> {
        later(group, user, role)
    }

    /// Takes a user's role away; answers whether there was one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_member(&self, group: GroupId, user: UserId) -> Result<bool, StoreError> {
        later(group, user, ())
    }
}

fn later<A, B, C, T>(_: A, _: B, _: C) -> Result<T, StoreError> {
    Err(StoreError::corrupt("function", "not written yet"))
}
