//! Runs that somebody or something asks for, other than the schedule.

use std::collections::BTreeSet;

use cronfleet_core::id::{AgentId, JobId, RunId, UserId};
use cronfleet_core::plan::PlannedRun;
use cronfleet_core::run::Reason;
use jiff::Timestamp;

use crate::again::transaction;
use crate::error::StoreError;
use crate::job_edit::lock_job;
use crate::run_state::{Fate, NewRun, id_ceiling, id_floor, insert_runs};
use crate::sql::{Row, Sql};
use crate::store::{Store, Tx};

/// Runs asked for at once under one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManualRuns {
    /// Job.
    pub job: JobId,
    /// Version they follow, which must be in force.
    pub version: u32,
    /// Idempotency key, at most 255 characters: the `trigger` of every run's key.
    pub trigger: String,
    /// Due instant of every run.
    pub due: Timestamp,
    /// The runs.
    pub runs: Vec<PlannedRun>,
    /// Who asks.
    pub requested_by: Option<UserId>,
    /// Set if they are not to start, only to be recorded as skipped.
    pub skipped: Option<Reason>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManualAnswer {
    /// Ids of the runs under this key, sorted.
    pub runs: Vec<RunId>,
    /// Agents with new runs.
    pub agents: Vec<AgentId>,
    /// Whether the key was used before: nothing was stored now, and `runs` are those of the first time.
    pub is_repeat: bool,
}

impl Store {
    /// Records runs that are not on the schedule (`manual`, `reboot`). Idempotent by (job, trigger).
    ///
    /// # Errors
    /// [`StoreError::Missing`] if the job is gone, [`Conflict::StaleVersion`](crate::Conflict::StaleVersion).
    pub async fn insert_manual_runs(
        &self,
        request: &ManualRuns,
        now: Timestamp,
    ) -> Result<ManualAnswer, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let head = lock_job(&tx, request.job).await?;
            let due_before =
                Sql::new("SELECT due FROM triggers WHERE job_id = ? AND trigger_key = ?")
                    .bind(request.job)
                    .bind(request.trigger.as_str())
                    .one(&*tx, Row::next)
                    .await?;
            if let Some(due) = due_before {
                let runs = runs_of_trigger(&tx, request, due).await?;
                return Ok(ManualAnswer {
                    runs,
                    agents: Vec::new(),
                    is_repeat: true,
                });
            }
            head.expect_version(request.version)?;
            Sql::new("INSERT INTO triggers (job_id, trigger_key, due) VALUES (?, ?, ?)")
                .bind(request.job)
                .bind(request.trigger.as_str())
                .bind(request.due)
                .execute(&*tx)
                .await?;
            let new: Vec<NewRun<'_>> = request
                .runs
                .iter()
                .map(|planned| NewRun {
                    planned,
                    group: head.group,
                    requested_by: request.requested_by,
                    epoch: None,
                    fate: request.skipped.map_or(Fate::Planned, Fate::Skipped),
                })
                .collect();
            insert_runs(&tx, &new, now).await?;
            tx.commit().await?;
            let mut runs: Vec<RunId> = request.runs.iter().map(|run| run.id).collect();
            runs.sort_unstable();
            let agents: BTreeSet<AgentId> = request.runs.iter().map(|run| run.key.agent).collect();
            Ok(ManualAnswer {
                runs,
                agents: agents.into_iter().collect(),
                is_repeat: false,
            })
        })
    }
}

async fn runs_of_trigger(
    tx: &Tx,
    request: &ManualRuns,
    due: Timestamp,
) -> Result<Vec<RunId>, StoreError> {
    Sql::new("SELECT id FROM runs WHERE job_id = ? AND id >= ? AND id < ? AND trigger_key = ? AND attempt = 1 ORDER BY id")
        .bind(request.job)
        .bind(id_floor(due))
        .bind(id_ceiling(due))
        .bind(request.trigger.as_str())
        .all(&**tx, Row::next)
        .await
}
