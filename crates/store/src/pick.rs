//! What is picked from: the agents that may be asked for a run, and what they have to do.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cronfleet_core::id::{AgentId, GroupId, JobId};
use cronfleet_core::job::{JobKind, JobSpec};
use cronfleet_core::run::Reason;
use cronfleet_core::spread::{Candidate, Picker};
use sea_orm::ConnectionTrait;

use crate::error::StoreError;
use crate::run_state::{BATCH, RunHead};
use crate::sql::{Row, Sql};
use crate::store::{Store, Tx};
use crate::target::agents_of_jobs;

impl Store {
    /// What is picked from, for each of these jobs that asks for some of its agents.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn pickers(
        &self,
        jobs: &[(JobId, &JobSpec, Vec<AgentId>)],
    ) -> Result<HashMap<JobId, Picker>, StoreError> {
        pickers_of(self.reader(), jobs).await
    }
}

/// What is picked from, for each of these versions of jobs that asks for some of its agents.
pub(crate) async fn pickers<'a>(
    tx: &Tx,
    specs: &HashMap<(JobId, u32), JobSpec>,
    heads: impl Iterator<Item = &'a RunHead>,
) -> Result<HashMap<(JobId, u32), Picker>, StoreError> {
    let groups: BTreeMap<(JobId, u32), GroupId> = heads
        .map(|head| ((head.key.job, head.key.job_version), head.group))
        .collect();
    let mut pickers = HashMap::new();
    for ((job, version), group) in groups {
        let Some(spec) = specs.get(&(job, version)) else {
            continue;
        };
        let targets = std::iter::once((job, group, &spec.target));
        let agents = agents_of_jobs(&**tx, targets).await?.remove(&job);
        let asked = [(job, spec, agents.unwrap_or_default())];
        let mut found = pickers_of(&**tx, &asked).await?;
        pickers.extend(found.remove(&job).map(|picker| ((job, version), picker)));
    }
    Ok(pickers)
}

/// What is picked from, for each of these jobs that asks for some of its agents.
pub(crate) async fn pickers_of(
    on: &impl ConnectionTrait,
    jobs: &[(JobId, &JobSpec, Vec<AgentId>)],
) -> Result<HashMap<JobId, Picker>, StoreError> {
    let spread_of = |spec: &JobSpec| match &spec.kind {
        JobKind::Scheduled(scheduled) if scheduled.spread.offers() => Some(scheduled.spread),
        JobKind::Scheduled(_) | JobKind::Daemon(_) => None,
    };
    let some = jobs
        .iter()
        .filter_map(|(job, spec, agents)| Some((*job, spread_of(spec)?, agents)));
    let some: Vec<_> = some.collect();
    if some.is_empty() {
        return Ok(HashMap::new());
    }
    let agents: BTreeSet<AgentId> = some
        .iter()
        .flat_map(|(.., agents)| *agents)
        .copied()
        .collect();
    let candidates = candidates(on, agents).await?;
    let mut pickers = HashMap::new();
    for (job, spread, agents) in some {
        let known = agents.iter().filter_map(|agent| candidates.get(agent));
        let last = last_agent(on, job).await?;
        let picker = Picker::new(job, spread, known.copied().collect(), last);
        pickers.extend(picker.map(|picker| (job, picker)));
    }
    Ok(pickers)
}

async fn candidates(
    on: &impl ConnectionTrait,
    agents: BTreeSet<AgentId>,
) -> Result<HashMap<AgentId, Candidate>, StoreError> {
    let mut candidates = HashMap::new();
    let agents: Vec<AgentId> = agents.into_iter().collect();
    for batch in agents.chunks(BATCH) {
        let found = Sql::new("SELECT id, center, load_1m, cpu_count FROM agents WHERE ")
            .one_of("id", batch.iter().copied())
            .all(on, |row| {
                let agent: AgentId = row.next()?;
                let is_online = row.maybe::<String>()?.is_some();
                let (load, processors): (f64, u32) = (row.next()?, row.next()?);
                Ok(Candidate {
                    agent,
                    is_online,
                    active_runs: 0,
                    load_permille: permille(load, processors),
                })
            })
            .await?;
        candidates.extend(found.into_iter().map(|one| (one.agent, one)));
        let counts: Vec<(AgentId, u32)> =
            Sql::new("SELECT active_agent, COUNT(*) FROM runs WHERE ")
                .one_of("active_agent", batch.iter().copied())
                .text(" GROUP BY active_agent")
                .all(on, |row| Ok((row.next()?, row.next()?)))
                .await?;
        for (agent, count) in counts {
            if let Some(candidate) = candidates.get_mut(&agent) {
                candidate.active_runs = count;
            }
        }
    }
    Ok(candidates)
}

/// Load average per processor in thousandths.
fn permille(load: f64, processors: u32) -> u32 {
    let each = load.max(0.0) * 1_000.0 / f64::from(processors.max(1));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to what fits"
    )]
    let permille = each.min(f64::from(u32::MAX)) as u32;
    permille
}

/// Who had the last run of a job.
async fn last_agent(on: &impl ConnectionTrait, job: JobId) -> Result<Option<AgentId>, StoreError> {
    Sql::new(
        "SELECT agent_id FROM runs WHERE job_id = ? AND (reason IS NULL OR reason <> ?) ORDER BY id DESC LIMIT 1",
    )
        .bind(job)
        .bind(Reason::OfferedElsewhere)
        .one(on, Row::next)
        .await
}
