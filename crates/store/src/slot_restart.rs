//! Restarts of daemon processes that people ask for: counted per agent until the end of the job, so that an agent that is out of
//! reach finds them when it comes back.

use std::collections::HashMap;

use cronfleet_core::id::{AgentId, JobId};
use cronfleet_core::order::RestartCounts;
use sea_orm::ConnectionTrait;

use crate::again::transaction;
use crate::error::StoreError;
use crate::sql::Sql;
use crate::store::{Store, Tx};

/// Stands for all slots of a job where an index is stored.
const ALL: i64 = -1;

impl Store {
    /// Counts a restart of the slot `index` of a job, or of all its slots, on each of `agents`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn count_restart(
        &self,
        job: JobId,
        agents: &[AgentId],
        index: Option<u32>,
    ) -> Result<(), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            for agent in agents {
                count(&tx, job, *agent, index.map_or(ALL, i64::from)).await?;
            }
            tx.commit().await
        })
    }
}

async fn count(tx: &Tx, job: JobId, agent: AgentId, index: i64) -> Result<(), StoreError> {
    Sql::new("INSERT INTO slot_restarts (job_id, agent_id, slot_index, asked) VALUES (?, ?, ?, 0)")
        .bind(job)
        .bind(agent)
        .bind(index)
        .text(&tx.engine.or_ignore("asked"))
        .execute(&**tx)
        .await?;
    Sql::new(
        "UPDATE slot_restarts SET asked = asked + 1 WHERE job_id = ? AND agent_id = ? AND slot_index = ?",
    )
    .bind(job)
    .bind(agent)
    .bind(index)
    .execute(&**tx)
    .await?;
    Ok(())
}

/// What was asked for on an agent, by job.
pub(crate) async fn restarts_of_agent(
    on: &impl ConnectionTrait,
    agent: AgentId,
) -> Result<HashMap<JobId, RestartCounts>, StoreError> {
    let rows: Vec<(JobId, i64, u64)> =
        Sql::new("SELECT job_id, slot_index, asked FROM slot_restarts WHERE agent_id = ?")
            .bind(agent)
            .all(on, |row| Ok((row.next()?, row.next()?, row.next()?)))
            .await?;
    let mut counts: HashMap<JobId, RestartCounts> = HashMap::new();
    for (job, index, asked) in rows {
        let of_job = counts.entry(job).or_default();
        match u32::try_from(index) {
            Ok(index) => {
                of_job.slots.insert(index, asked);
            }
            Err(_) => of_job.all = asked,
        }
    }
    Ok(counts)
}
