//! Groups: they own jobs, are served by agents, and give users their roles.

use std::collections::HashSet;

use cronfleet_core::access::{Reach, Role};
use cronfleet_core::id::{AgentId, GroupId, UserId};
use jiff::Timestamp;
use sea_orm::ConnectionTrait;

use crate::again::transaction;
use crate::error::{Conflict, StoreError, Thing};
use crate::group_row::{GROUP_COLUMNS, fill_lists, read_group};
use crate::page::{NameKey, Page};
use crate::sql::{Row, Sql};
use crate::store::{Store, Tx};
use crate::withdraw::{Withdrawn, withdraw_from_agent};

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
        let mut sql = Sql::new(format!(
            "SELECT {GROUP_COLUMNS} FROM job_groups g WHERE 1 = 1"
        ))
        .and_reach("g.id", reach);
        if let Some(after) = after {
            sql = sql.with(" AND g.name > ?", after.name.as_str());
        }
        let rows = sql
            .with(" ORDER BY g.name LIMIT ?", limit + 1)
            .all(self.reader(), read_group)
            .await?;
        let mut page = Page::cut(rows, limit, |group| NameKey {
            name: group.name.clone(),
            id: group.id.as_uuid(),
        });
        fill_lists(self.reader(), &mut page.items).await?;
        Ok(page)
    }

    /// A group, if it is within reach.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn group(&self, reach: &Reach, id: GroupId) -> Result<Option<GroupRow>, StoreError> {
        load_group(self.reader(), reach, id).await
    }

    /// Creates a group.
    ///
    /// # Errors
    /// [`Conflict::GroupNameTaken`], [`StoreError::Missing`] if an agent does not exist.
    pub async fn create_group(
        &self,
        group: &NewGroup,
        now: Timestamp,
    ) -> Result<GroupRow, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            Sql::new(
                "INSERT INTO job_groups (id, name, description, created_at) VALUES (?, ?, ?, ?)",
            )
            .bind(group.id)
            .bind(group.name.as_str())
            .bind(group.description.as_str())
            .bind(now)
            .execute(&*tx)
            .await
            .map_err(|error| error.or_taken(Conflict::GroupNameTaken))?;
            put_run_as(&tx, group.id, &group.run_as).await?;
            put_agents(&tx, group.id, &group.agents).await?;
            finish(tx, group.id).await
        })
    }

    /// Changes a group. Runs of its jobs on agents that no longer serve it are withdrawn: those never sent end
    /// `skipped(agent_removed)`, those sent but not due are to be asked back from their agents.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`Conflict::GroupNameTaken`].
    pub async fn update_group(
        &self,
        id: GroupId,
        update: &GroupUpdate,
        now: Timestamp,
    ) -> Result<(GroupRow, Withdrawn), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let mut sql = Sql::new("UPDATE job_groups SET created_at = created_at");
            sql = sql.with_some(", name = ?", update.name.as_deref());
            sql = sql.with_some(", description = ?", update.description.as_deref());
            let changed = sql
                .with(" WHERE id = ?", id)
                .execute(&*tx)
                .await
                .map_err(|error| error.or_taken(Conflict::GroupNameTaken))?;
            if changed != 1 {
                return Err(StoreError::Missing { what: Thing::Group });
            }
            if let Some(run_as) = &update.run_as {
                Sql::new("DELETE FROM group_run_as WHERE group_id = ?")
                    .bind(id)
                    .execute(&*tx)
                    .await?;
                put_run_as(&tx, id, run_as).await?;
            }
            let mut withdrawn = Withdrawn::default();
            if let Some(agents) = &update.agents {
                let before: Vec<AgentId> =
                    Sql::new("SELECT agent_id FROM group_agents WHERE group_id = ?")
                        .bind(id)
                        .all(&*tx, Row::next)
                        .await?;
                Sql::new("DELETE FROM group_agents WHERE group_id = ?")
                    .bind(id)
                    .execute(&*tx)
                    .await?;
                put_agents(&tx, id, agents).await?;
                for agent in before.into_iter().filter(|agent| !agents.contains(agent)) {
                    withdrawn
                        .add(withdraw_from_agent(&tx, agent, &HashSet::from([id]), now).await?);
                }
            }
            Ok((finish(tx, id).await?, withdrawn))
        })
    }

    /// Deletes a group with its memberships.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`Conflict::GroupOwnsJobs`].
    pub async fn delete_group(&self, id: GroupId) -> Result<(), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            lock_group(&tx, id).await?;
            if Sql::new("SELECT 1 FROM jobs WHERE group_id = ? AND is_deleted = 0")
                .bind(id)
                .exists(&*tx)
                .await?
            {
                return Err(Conflict::GroupOwnsJobs.into());
            }
            Sql::new("DELETE FROM calendar_versions WHERE calendar_id IN (SELECT id FROM calendars WHERE group_id = ?)")
                .bind(id)
                .execute(&*tx)
                .await?;
            for table in [
                "group_members",
                "group_run_as",
                "group_agents",
                "join_token_groups",
                "secrets",
                "calendars",
                "windows",
            ] {
                Sql::new(format!("DELETE FROM {table} WHERE group_id = ?"))
                    .bind(id)
                    .execute(&*tx)
                    .await?;
            }
            Sql::new("DELETE FROM job_groups WHERE id = ?")
                .bind(id)
                .execute(&*tx)
                .await?;
            tx.commit().await
        })
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
        transaction!({
            let tx = self.begin().await?;
            lock_group(&tx, group).await?;
            if !Sql::new("SELECT 1 FROM users WHERE id = ?")
                .bind(user)
                .exists(&*tx)
                .await?
            {
                return Err(StoreError::Missing { what: Thing::User });
            }
            Sql::new("INSERT INTO group_members (group_id, user_id, role) VALUES (?, ?, ?)")
                .bind(group)
                .bind(user)
                .bind(role)
                .text(&tx.engine.or_update("group_id, user_id", &["role"]))
                .execute(&*tx)
                .await?;
            tx.commit().await
        })
    }

    /// Takes a user's role away; answers whether there was one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_member(&self, group: GroupId, user: UserId) -> Result<bool, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let deleted = Sql::new("DELETE FROM group_members WHERE group_id = ? AND user_id = ?")
                .bind(group)
                .bind(user)
                .execute(&*tx)
                .await?;
            tx.commit().await?;
            Ok(deleted == 1)
        })
    }
}

async fn load_group(
    on: &impl ConnectionTrait,
    reach: &Reach,
    id: GroupId,
) -> Result<Option<GroupRow>, StoreError> {
    let mut groups = Sql::new(format!(
        "SELECT {GROUP_COLUMNS} FROM job_groups g WHERE g.id = ?"
    ))
    .bind(id)
    .and_reach("g.id", reach)
    .all(on, read_group)
    .await?;
    fill_lists(on, &mut groups).await?;
    Ok(groups.pop())
}

/// Makes sure that a group exists, and goes on existing until the end of the transaction.
pub(crate) async fn lock_group(tx: &Tx, id: GroupId) -> Result<(), StoreError> {
    let sql = Sql::new("SELECT 1 FROM job_groups WHERE id = ?")
        .bind(id)
        .text(tx.engine.for_update());
    if sql.exists(&**tx).await? {
        Ok(())
    } else {
        Err(StoreError::Missing { what: Thing::Group })
    }
}

/// Commits and answers the group as it now is.
async fn finish(tx: Tx, id: GroupId) -> Result<GroupRow, StoreError> {
    let group = load_group(&*tx, &Reach::Everything, id)
        .await?
        .ok_or(StoreError::Missing { what: Thing::Group })?;
    tx.commit().await?;
    Ok(group)
}

async fn put_run_as(tx: &Tx, group: GroupId, run_as: &[String]) -> Result<(), StoreError> {
    for user in run_as {
        Sql::new("INSERT INTO group_run_as (group_id, run_as) VALUES (?, ?)")
            .bind(group)
            .bind(user.as_str())
            .text(&tx.engine.or_ignore("group_id"))
            .execute(&**tx)
            .await?;
    }
    Ok(())
}

async fn put_agents(tx: &Tx, group: GroupId, agents: &[AgentId]) -> Result<(), StoreError> {
    for &agent in agents {
        if !Sql::new("SELECT 1 FROM agents WHERE id = ? AND state <> 'revoked'")
            .bind(agent)
            .exists(&**tx)
            .await?
        {
            return Err(StoreError::Missing { what: Thing::Agent });
        }
        Sql::new("INSERT INTO group_agents (group_id, agent_id) VALUES (?, ?)")
            .bind(group)
            .bind(agent)
            .text(&tx.engine.or_ignore("group_id"))
            .execute(&**tx)
            .await?;
    }
    Ok(())
}
