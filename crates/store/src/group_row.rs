//! Reading groups: their columns, and the lists that belong to each.

use std::collections::HashMap;

use cronfleet_core::id::{AgentId, GroupId};
use sea_orm::ConnectionTrait;

use crate::error::StoreError;
use crate::group::{GroupRow, MemberRow};
use crate::sql::{Row, Sql};

/// The columns that [`read_group`] reads, of table alias `g`.
pub(crate) const GROUP_COLUMNS: &str = "g.id, g.name, g.description, g.created_at";

/// Reads [`GROUP_COLUMNS`]; the lists are still empty.
pub(crate) fn read_group(row: &mut Row) -> Result<GroupRow, StoreError> {
    Ok(GroupRow {
        id: row.next()?,
        name: row.next()?,
        description: row.next()?,
        created_at: row.next()?,
        run_as: Vec::new(),
        agents: Vec::new(),
        members: Vec::new(),
        job_count: 0,
    })
}

/// Adds members, users to run as, agents and job counts, one query each for all groups.
pub(crate) async fn fill_lists(
    on: &impl ConnectionTrait,
    groups: &mut [GroupRow],
) -> Result<(), StoreError> {
    let ids: Vec<GroupId> = groups.iter().map(|group| group.id).collect();
    let mut place: HashMap<GroupId, &mut GroupRow> =
        groups.iter_mut().map(|group| (group.id, group)).collect();
    let run_as = Sql::new("SELECT group_id, run_as FROM group_run_as WHERE ")
        .one_of("group_id", ids.iter().copied())
        .text(" ORDER BY run_as")
        .all(on, |row| {
            Ok((row.next::<GroupId>()?, row.next::<String>()?))
        })
        .await?;
    for (group, user) in run_as {
        if let Some(row) = place.get_mut(&group) {
            row.run_as.push(user);
        }
    }
    let agents = Sql::new(
        "SELECT ga.group_id, ga.agent_id FROM group_agents ga JOIN agents a ON a.id = ga.agent_id \
         WHERE a.state <> 'revoked' AND ",
    )
    .one_of("ga.group_id", ids.iter().copied())
    .text(" ORDER BY ga.agent_id")
    .all(on, |row| {
        Ok((row.next::<GroupId>()?, row.next::<AgentId>()?))
    })
    .await?;
    for (group, agent) in agents {
        if let Some(row) = place.get_mut(&group) {
            row.agents.push(agent);
        }
    }
    let members = Sql::new(
        "SELECT m.group_id, u.id, u.login, u.display_name, m.role FROM group_members m \
         JOIN users u ON u.id = m.user_id WHERE ",
    )
    .one_of("m.group_id", ids.iter().copied())
    .text(" ORDER BY u.login_key")
    .all(on, |row| {
        let group: GroupId = row.next()?;
        let member = MemberRow {
            user: row.next()?,
            login: row.next()?,
            display_name: row.next()?,
            role: row.next()?,
        };
        Ok((group, member))
    })
    .await?;
    for (group, member) in members {
        if let Some(row) = place.get_mut(&group) {
            row.members.push(member);
        }
    }
    let counts = Sql::new("SELECT group_id, COUNT(*) FROM jobs WHERE is_deleted = 0 AND ")
        .one_of("group_id", ids.iter().copied())
        .text(" GROUP BY group_id")
        .all(on, |row| Ok((row.next::<GroupId>()?, row.next::<u64>()?)))
        .await?;
    for (group, count) in counts {
        if let Some(row) = place.get_mut(&group) {
            row.job_count = count;
        }
    }
    Ok(())
}
