//! What forecasts are made from, and whose turn it is to make one: they take memory and a processor for a while.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use cronfleet_core::access::Reach;
use cronfleet_core::forecast::{AgentSet, Durations, Fleet, JobLoad, JobPlace};
use cronfleet_core::id::{AgentId, GroupId, JobId};
use cronfleet_core::job::Target;
use cronfleet_store::{ActiveFilter, ActiveJob, agents_among};
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::ApiError;
use super::state::HttpState;

/// Forecasts worked out at one time.
const AT_ONCE: usize = 1;
/// Longest wait for one's turn.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// Most jobs of one forecast.
const JOBS_MAX: usize = 200_000;
/// Most agents that the jobs of one forecast choose one by one, added up.
const CHOSEN_MAX: usize = 5_000_000;
/// Jobs read at a time.
const PAGE: u32 = 500;

/// Lets forecasts be worked out one after the other. Clones share the turn.
#[derive(Debug, Clone)]
pub(super) struct Forecasts {
    permits: Arc<Semaphore>,
    wait_max: Duration,
}

impl Default for Forecasts {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            wait_max: WAIT_MAX,
        }
    }
}

/// The turn to work out a forecast.
#[derive(Debug)]
pub(super) struct Turn {
    permit: OwnedSemaphorePermit,
}

impl Forecasts {
    /// Waits for one's turn, a little.
    ///
    /// # Errors
    /// [`ApiError::ForecastBusy`].
    pub(super) async fn turn(&self) -> Result<Turn, ApiError> {
        let permit = Arc::clone(&self.permits).acquire_owned();
        match tokio::time::timeout(self.wait_max, permit).await {
            Ok(Ok(permit)) => Ok(Turn { permit }),
            Ok(Err(_)) | Err(_) => Err(ApiError::ForecastBusy),
        }
    }
}

impl Turn {
    /// Works on a thread of its own. The turn ends with the work, also if nobody waits for it any more.
    ///
    /// # Errors
    /// [`ApiError::Panicked`] if the work could not be ended.
    pub(super) async fn take<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        tokio::task::spawn_blocking(move || {
            let _permit = self.permit;
            work()
        })
        .await
        .map_err(|_| ApiError::Panicked)
    }
}

/// Jobs, agents and past durations, as they are stored.
#[derive(Debug)]
pub(super) struct Basis {
    jobs: Vec<ActiveJob>,
    serving: BTreeMap<GroupId, Vec<AgentId>>,
    durations: HashMap<JobId, Durations>,
}

/// The jobs of a forecast.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) fleet: Fleet,
    pub(super) jobs: KnownJobs,
    serving: BTreeMap<GroupId, Vec<AgentId>>,
    /// The agents of jobs that run on all of their group.
    whole_groups: HashMap<GroupId, AgentSet>,
}

/// What jobs are called, and how many could not be read.
#[derive(Debug, Default)]
pub(super) struct KnownJobs {
    pub(super) names: HashMap<JobId, String>,
    pub(super) unreadable: u32,
}

impl Basis {
    /// Reads the active jobs within reach.
    ///
    /// # Errors
    /// [`ApiError::Invalid`] if there are too many, [`ApiError::Store`].
    pub(super) async fn read(
        state: &HttpState,
        reach: &Reach,
        filter: &ActiveFilter,
    ) -> Result<Self, ApiError> {
        let serving = state.store.serving_agents(reach).await?;
        Self::read_among(state, reach, filter, serving).await
    }

    /// The same, where the agents of the groups are known already.
    pub(super) async fn read_among(
        state: &HttpState,
        reach: &Reach,
        filter: &ActiveFilter,
        serving: BTreeMap<GroupId, Vec<AgentId>>,
    ) -> Result<Self, ApiError> {
        let (mut jobs, mut chosen, mut after) = (Vec::new(), 0, None);
        loop {
            let mut page = state.store.active_jobs(reach, filter, after, PAGE).await?;
            let plans = page.items.iter_mut().filter_map(|job| job.plan.as_mut());
            let choices = plans.filter_map(|plan| plan.scheduled.calendar.as_mut());
            state.calendars.fill(choices.collect()).await?;
            chosen += page.items.iter().map(chosen_count).sum::<usize>();
            jobs.extend(page.items);
            if jobs.len() > JOBS_MAX || chosen > CHOSEN_MAX {
                return Err(too_large());
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(Self {
            jobs,
            serving,
            durations: HashMap::new(),
        })
    }

    /// Reads how long past runs of all these jobs took.
    ///
    /// # Errors
    /// [`ApiError::Store`].
    pub(super) async fn read_durations(
        &mut self,
        state: &HttpState,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let jobs: Vec<JobId> = self.jobs.iter().map(|job| job.id).collect();
        self.durations = state.store.past_durations(&jobs, now).await?;
        Ok(())
    }

    /// Leaves out all agents but one.
    pub(super) fn only_on(&mut self, agent: AgentId) {
        for agents in self.serving.values_mut() {
            agents.retain(|one| *one == agent);
        }
    }

    /// Leaves out a job.
    pub(super) fn without(&mut self, job: JobId) {
        self.jobs.retain(|one| one.id != job);
    }

    /// Puts the jobs together. Takes a while for very many.
    pub(super) fn build(self) -> Built {
        let mut built = Built {
            fleet: Fleet::default(),
            jobs: KnownJobs::default(),
            serving: self.serving,
            whole_groups: HashMap::new(),
        };
        for job in self.jobs {
            let durations = self.durations.get(&job.id).copied();
            match built.add(&job, durations) {
                Some(_) => drop(built.jobs.names.insert(job.id, job.name)),
                None => built.jobs.unreadable += 1,
            }
        }
        built
    }
}

impl Built {
    /// Adds a job; `None` if its definition cannot be read.
    pub(super) fn add(
        &mut self,
        job: &ActiveJob,
        durations: Option<Durations>,
    ) -> Option<JobPlace> {
        let plan = job.plan.as_ref()?;
        let is_whole = plan.target == Target::All && !plan.scheduled.spread.offers();
        let agents = match self.whole_groups.get(&job.group).filter(|_| is_whole) {
            Some(known) => *known,
            None if is_whole => {
                let agents = self.fleet.agents(agents_of(job, &self.serving));
                self.whole_groups.insert(job.group, agents);
                agents
            }
            None => self.fleet.agents(agents_of(job, &self.serving)),
        };
        let load = JobLoad {
            job: job.id,
            group: job.group,
            scheduled: plan.scheduled.clone(),
            agents,
            copies: plan.processes,
            durations,
        };
        self.fleet.add(load).ok()
    }
}

/// The agents on which a job is planned. Where some are enough, nobody knows which it will be: the forecast takes some that stay the
/// same.
pub(super) fn agents_of(
    job: &ActiveJob,
    serving: &BTreeMap<GroupId, Vec<AgentId>>,
) -> Vec<AgentId> {
    match (&job.plan, serving.get(&job.group)) {
        (Some(plan), Some(serving)) => {
            let agents = agents_among(serving, &plan.target);
            plan.scheduled.spread.likely(job.id, agents)
        }
        (None, _) | (_, None) => Vec::new(),
    }
}

fn chosen_count(job: &ActiveJob) -> usize {
    match job.plan.as_ref().map(|plan| &plan.target) {
        Some(Target::Agents(agents)) => agents.len(),
        Some(Target::All) | None => 0,
    }
}

fn too_large() -> ApiError {
    ApiError::invalid(
        "group",
        "forecast.too_large",
        format!(
            "there are more than {JOBS_MAX} jobs, or they choose more than {CHOSEN_MAX} agents one by one"
        ),
        "ask for one group, or for one agent",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_forecast_is_worked_out_at_a_time() {
        let forecasts = Forecasts {
            wait_max: Duration::from_millis(1),
            ..Forecasts::default()
        };
        let first = forecasts.turn().await.unwrap();
        let second = forecasts.turn().await;
        assert!(matches!(second, Err(ApiError::ForecastBusy)), "{second:?}");
        assert_eq!(first.take(|| 7).await.unwrap(), 7);
        assert!(forecasts.turn().await.is_ok());
    }
}
