//! Which agents jobs run on: the active ones that serve the job's group and that its target selects.

use std::collections::{BTreeSet, HashMap};

use cronfleet_core::id::{AgentId, GroupId, JobId};
use cronfleet_core::job::Target;
use sea_orm::ConnectionTrait;

use crate::error::StoreError;
use crate::sql::Sql;

/// Agents of many jobs with one query, sorted. A job without agents has no entry or an empty one.
pub(crate) async fn agents_of_jobs<'a>(
    on: &impl ConnectionTrait,
    jobs: impl Iterator<Item = (JobId, GroupId, &'a Target)> + Clone,
) -> Result<HashMap<JobId, Vec<AgentId>>, StoreError> {
    let groups: BTreeSet<GroupId> = jobs.clone().map(|(_, group, _)| group).collect();
    let serving = Sql::new(
        "SELECT ga.group_id, ga.agent_id FROM group_agents ga JOIN agents a ON a.id = ga.agent_id \
         WHERE a.state = 'active' AND ",
    )
    .one_of("ga.group_id", groups)
    .text(" ORDER BY ga.agent_id")
    .all(on, |row| {
        Ok((row.next::<GroupId>()?, row.next::<AgentId>()?))
    })
    .await?;
    let mut by_group: HashMap<GroupId, Vec<AgentId>> = HashMap::new();
    for (group, agent) in serving {
        by_group.entry(group).or_default().push(agent);
    }
    Ok(jobs
        .map(|(job, group, target)| {
            let serving = by_group.get(&group).map_or(&[][..], Vec::as_slice);
            (job, agents_among(serving, target))
        })
        .collect())
}

/// The agents that a target selects among those that serve its group, which are sorted. Sorted.
pub fn agents_among(serving: &[AgentId], target: &Target) -> Vec<AgentId> {
    match target {
        Target::All => serving.to_vec(),
        Target::Agents(chosen) => {
            let mut agents: Vec<AgentId> = chosen
                .iter()
                .copied()
                .filter(|agent| serving.binary_search(agent).is_ok())
                .collect();
            agents.sort_unstable();
            agents.dedup();
            agents
        }
    }
}
