//! What a forecast is made from: jobs, their schedules and their agents, each kept once.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::durations::Durations;
use crate::id::{AgentId, GroupId, JobId};
use crate::job::ScheduledSpec;
use crate::schedule::{Schedule, ScheduleError};

/// A job that is to be planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobLoad {
    /// Job.
    pub job: JobId,
    /// Owning group.
    pub group: GroupId,
    /// When and how it runs.
    pub scheduled: ScheduledSpec,
    /// The agents it runs on, as [`Fleet::agents`] named them.
    pub agents: AgentSet,
    /// Processes per agent and due instant.
    pub copies: u32,
    /// How long its runs take, if that is known.
    pub durations: Option<Durations>,
}

/// Names a set of agents in a [`Fleet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentSet(usize);

/// Names a job in a [`Fleet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobPlace(usize);

/// The jobs of a forecast.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    jobs: Vec<JobLoad>,
    /// Place of each job's schedule.
    schedule_of: Vec<usize>,
    schedules: Vec<Schedule>,
    places: HashMap<ScheduleKey, Vec<usize>>,
    sets: Vec<Arc<[AgentId]>>,
    set_places: HashMap<Arc<[AgentId]>, AgentSet>,
}

/// What equal schedules have in common; those that differ in the rest (clock changes, calendar) are compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ScheduleKey {
    text: String,
    zone: String,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Fleet {
    /// Names a set of agents. The order of the agents means nothing.
    pub fn agents(&mut self, mut agents: Vec<AgentId>) -> AgentSet {
        agents.sort_unstable();
        agents.dedup();
        let agents: Arc<[AgentId]> = agents.into();
        if let Some(known) = self.set_places.get(&agents) {
            return *known;
        }
        let set = AgentSet(self.sets.len());
        self.sets.push(Arc::clone(&agents));
        self.set_places.insert(agents, set);
        set
    }

    /// Adds a job.
    ///
    /// # Errors
    /// [`ScheduleError`] for a schedule that cannot be read: such a job is not planned either, and nothing is added.
    pub fn add(&mut self, job: JobLoad) -> Result<JobPlace, ScheduleError> {
        let schedule = job.scheduled.schedule(job.job)?;
        let schedule = self.place_of(schedule, &job.scheduled);
        self.schedule_of.push(schedule);
        self.jobs.push(job);
        Ok(JobPlace(self.jobs.len() - 1))
    }

    /// The jobs, in the order in which they were added.
    pub(super) fn jobs(&self) -> &[JobLoad] {
        &self.jobs
    }

    pub(super) fn job(&self, place: JobPlace) -> &JobLoad {
        &self.jobs[place.0]
    }

    pub(super) fn places(&self) -> impl Iterator<Item = JobPlace> + use<> {
        (0..self.jobs.len()).map(JobPlace)
    }

    pub(super) fn schedules(&self) -> &[Schedule] {
        &self.schedules
    }

    pub(super) fn schedules_of_jobs(&self) -> impl Iterator<Item = usize> + '_ {
        self.schedule_of.iter().copied()
    }

    /// Place of a job's schedule.
    pub(super) fn schedule_of(&self, job: JobPlace) -> usize {
        self.schedule_of[job.0]
    }

    pub(super) fn agents_of(&self, set: AgentSet) -> &[AgentId] {
        &self.sets[set.0]
    }

    fn place_of(&mut self, schedule: Schedule, scheduled: &ScheduledSpec) -> usize {
        let key = ScheduleKey {
            text: schedule.canonical(),
            zone: schedule.zone_name().to_owned(),
            from: scheduled.active.from,
            until: scheduled.active.until,
        };
        let alike = self.places.entry(key).or_default();
        let known = alike
            .iter()
            .find(|place| self.schedules[**place] == schedule);
        if let Some(known) = known {
            return *known;
        }
        alike.push(self.schedules.len());
        self.schedules.push(schedule);
        self.schedules.len() - 1
    }
}
