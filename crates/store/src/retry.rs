//! Retries: the next attempt of runs that failed or timed out.

use std::collections::{BTreeSet, HashMap, HashSet};

use cronfleet_core::id::{AgentId, JobId};
use cronfleet_core::job::JobKind;
use cronfleet_core::order::End;
use cronfleet_core::plan::PlannedRun;
use cronfleet_core::retry::Attempt;
use cronfleet_core::run::Outcome;
use jiff::Timestamp;

use crate::dispatch::specs_of;
use crate::error::StoreError;
use crate::run_state::{BATCH, Fate, NewRun, RunHead, insert_runs};
use crate::sql::{Row, Sql};
use crate::store::Tx;

/// A run that has just failed or timed out.
pub(crate) struct FailedRun<'a> {
    /// The run.
    pub(crate) head: &'a RunHead,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// How its process ended, if that is known.
    pub(crate) end: Option<&'a End>,
    /// A uniform number in `[0, 1)` for the jitter of the wait.
    pub(crate) draw: f64,
}

/// Plans the next attempt where the policy of the run's version says so and the job still runs there. Answers the agents.
pub(crate) async fn insert_retries(
    tx: &Tx,
    failed: &[FailedRun<'_>],
    now: Timestamp,
) -> Result<BTreeSet<AgentId>, StoreError> {
    if failed.is_empty() {
        return Ok(BTreeSet::new());
    }
    let specs = specs_of(
        &**tx,
        failed
            .iter()
            .map(|run| (run.head.key.job, run.head.key.job_version)),
    )
    .await?;
    let served = jobs_served(tx, failed).await?;
    let mut retries = Vec::new();
    for run in failed {
        let key = &run.head.key;
        let Some(spec) = specs.get(&(key.job, key.job_version)) else {
            continue;
        };
        let JobKind::Scheduled(scheduled) = &spec.kind else {
            continue;
        };
        let Some(&snoozed_until) = served.get(&(key.job, key.agent)) else {
            continue;
        };
        let ended = Attempt {
            key,
            copies: run.head.copies,
            outcome: run.outcome,
            end: run.end,
        };
        let next = scheduled
            .retry
            .next_attempt(&ended, scheduled.start_deadline, now, run.draw);
        let next = next.filter(|planned| snoozed_until.is_none_or(|end| end <= planned.not_before));
        let is_offer = run.head.offer.is_some();
        let next = next.map(|planned| PlannedRun {
            is_offer,
            ..planned
        });
        retries.extend(next.map(|planned| (planned, run.head)));
    }
    let new: Vec<NewRun<'_>> = retries
        .iter()
        .map(|(planned, head)| NewRun {
            planned,
            group: head.group,
            requested_by: head.requested_by,
            epoch: None,
            fate: Fate::Planned,
        })
        .collect();
    insert_runs(tx, &new, now).await?;
    Ok(retries
        .iter()
        .map(|(planned, _)| planned.key.agent)
        .collect())
}

/// The (job, agent) pairs whose job is neither paused nor deleted and whose agent serves its group, and until when the job is
/// snoozed.
async fn jobs_served(
    tx: &Tx,
    runs: &[FailedRun<'_>],
) -> Result<HashMap<(JobId, AgentId), Option<Timestamp>>, StoreError> {
    let mut served = HashMap::new();
    for batch in runs.chunks(BATCH) {
        let jobs: HashSet<JobId> = batch.iter().map(|run| run.head.key.job).collect();
        let agents: HashSet<AgentId> = batch.iter().map(|run| run.head.key.agent).collect();
        // A job that is paused or deleted at the same time must see these runs, or these must see that it is.
        let jobs: Vec<JobId> =
            Sql::new("SELECT id FROM jobs WHERE is_paused = 0 AND is_deleted = 0")
                .and_in("id", jobs)
                .text(" ORDER BY id")
                .text(tx.engine.for_update())
                .all(&**tx, Row::next)
                .await?;
        let found = Sql::new(
            "SELECT j.id, ga.agent_id, j.snoozed_until FROM jobs j JOIN group_agents ga ON ga.group_id = j.group_id WHERE ",
        )
        .one_of("j.id", jobs)
        .and_in("ga.agent_id", agents)
        .all(&**tx, |row| {
            let pair: (JobId, AgentId) = (row.next()?, row.next()?);
            Ok((pair, row.maybe()?))
        })
        .await?;
        served.extend(found);
    }
    Ok(served)
}
