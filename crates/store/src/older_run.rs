//! Runs of older versions of a job beside those of the version in force.
//!
//! An edit deletes what was never sent and asks back the rest. Until an agent has answered, the new version's run of the same
//! due instant on the same target waits: it is sent once it is known that the older one was not started, and ends
//! `skipped(superseded)` once it is known that it was. So no due instant runs twice on one target because of an edit.

use std::collections::{BTreeSet, HashMap};

use cronfleet_core::id::{AgentId, GroupId, JobId, RunId};
use cronfleet_core::plan::PlannedRun;
use cronfleet_core::run::{Outcome, Reason, RunEvent, RunState};
use jiff::Timestamp;

use crate::error::StoreError;
use crate::plan::JobPlan;
use crate::run::RunMoved;
use crate::run_state::{
    BATCH, Fate, HEAD_COLUMNS, RunHead, end_runs, id_floor, read_head, read_offered,
};
use crate::sql::Sql;
use crate::store::Tx;

/// Stands for whichever agent has an offer.
const ANY: AgentId = AgentId::from_u128(0);

/// A due instant of a job on one target, whatever the version; where one agent among several is asked, on any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    job: JobId,
    due: Timestamp,
    agent: AgentId,
    copy: u32,
}

impl Place {
    /// Where a run belongs.
    pub(crate) fn of(run: &PlannedRun) -> Self {
        Self {
            job: run.key.job,
            due: run.key.due,
            agent: if run.is_offer { ANY } else { run.key.agent },
            copy: run.key.copy,
        }
    }
}

/// What a run of an older version means for the new version's run of the same place; `None` if nothing.
fn fate_beside(older: RunId, state: RunState) -> Option<Fate> {
    match state {
        // Without the word nothing starts, and an offer that is taken back gets none.
        RunState::Planned
        | RunState::Offered
        | RunState::Ended(Outcome::Skipped | Outcome::Missed) => None,
        RunState::Dispatched | RunState::Accepted => Some(Fate::After(older)),
        RunState::Running
        | RunState::Ended(
            Outcome::Succeeded
            | Outcome::Failed
            | Outcome::Killed
            | Outcome::TimedOut
            | Outcome::Lost,
        ) => Some(Fate::Superseded),
    }
}

/// What runs of older versions at the same places mean for the planned ones. A place that is not in the answer is free.
pub(crate) async fn older_runs(
    tx: &Tx,
    plans: &[(&JobPlan, GroupId)],
) -> Result<HashMap<Place, Fate>, StoreError> {
    let mut fates = HashMap::new();
    // A first version has no older one.
    let edited: Vec<&JobPlan> = plans
        .iter()
        .map(|(plan, _)| *plan)
        .filter(|plan| plan.expected_version > 1 && !plan.plan.runs.is_empty())
        .collect();
    for batch in edited.chunks(BATCH) {
        let Some(first_due) = batch
            .iter()
            .flat_map(|plan| &plan.plan.runs)
            .map(|run| run.key.due)
            .min()
        else {
            continue;
        };
        let versions: HashMap<JobId, u32> = batch
            .iter()
            .map(|plan| (plan.job, plan.expected_version))
            .collect();
        let found = Sql::new(
            "SELECT id, job_version, job_id, due, agent_id, copy, state, outcome, offer FROM runs \
             WHERE cause = 'schedule' AND attempt = 1",
        )
        .and_in("job_id", batch.iter().map(|plan| plan.job))
        .with(" AND id >= ?", id_floor(first_due))
        // What an agent says of them right now settles what waits for them: it must find the runs planned here.
        .text(tx.engine.for_update())
        .all(&**tx, |row| {
            let (id, version): (RunId, u32) = (row.next()?, row.next()?);
            let mut place = Place {
                job: row.next()?,
                due: row.next()?,
                agent: row.next()?,
                copy: row.next()?,
            };
            let (state, offer) = read_offered(row)?;
            if offer.is_some() {
                place.agent = ANY;
            }
            Ok((version, place, fate_beside(id, state)))
        })
        .await?;
        for (version, place, fate) in found {
            let is_older = versions
                .get(&place.job)
                .is_some_and(|&current| version < current);
            let Some(fate) = fate.filter(|_| is_older) else {
                continue;
            };
            // Proof of a start outweighs a run that may still start.
            let known = fates.entry(place).or_insert(fate);
            if fate == Fate::Superseded {
                *known = fate;
            }
        }
    }
    Ok(fates)
}

/// What settling did.
#[derive(Default)]
pub(crate) struct Settled {
    /// Runs that ended because an older version's was started.
    pub(crate) moved: Vec<RunMoved>,
    /// Agents whose runs may now be sent.
    pub(crate) agents: BTreeSet<AgentId>,
}

/// Settles the runs that waited for these older ones, which have just moved.
pub(crate) async fn settle_waiting(
    tx: &Tx,
    older: &[RunMoved],
    now: Timestamp,
) -> Result<Settled, StoreError> {
    let mut settled = Settled::default();
    let mut started = BTreeSet::new();
    let mut not_started = BTreeSet::new();
    for moved in older {
        match fate_beside(moved.run, moved.state) {
            Some(Fate::Superseded) => started.insert(moved.run),
            Some(Fate::After(_) | Fate::Planned | Fate::Skipped(_)) => continue,
            None => not_started.insert(moved.run),
        };
    }
    let superseded = waiting_for(tx, &started).await?;
    settled.moved = end_runs(
        tx,
        &superseded,
        &RunEvent::Withdraw(Reason::Superseded),
        now,
    )
    .await?;
    let free = waiting_for(tx, &not_started).await?;
    for batch in free.chunks(BATCH) {
        Sql::new("UPDATE runs SET after_run = NULL WHERE ")
            .one_of("id", batch.iter().map(|head| head.id))
            .execute(&**tx)
            .await?;
    }
    settled.agents = free.iter().map(|head| head.key.agent).collect();
    Ok(settled)
}

async fn waiting_for(tx: &Tx, older: &BTreeSet<RunId>) -> Result<Vec<RunHead>, StoreError> {
    let mut waiting = Vec::new();
    let older: Vec<RunId> = older.iter().copied().collect();
    for batch in older.chunks(BATCH) {
        let index = tx.engine.index("runs_after");
        let found = Sql::new(format!(
            "SELECT {HEAD_COLUMNS} FROM runs{index} WHERE state = 'planned' AND after_run IS NOT NULL"
        ))
        .and_in("after_run", batch.iter().copied())
        .text(tx.engine.for_update())
        .all(&**tx, read_head)
        .await?;
        waiting.extend(found);
    }
    Ok(waiting)
}
