//! Runs: their row, and reading one.

use std::time::Duration;

use cronfleet_core::access::Reach;
use cronfleet_core::id::{AgentId, GroupId, JobId, RunId};
use cronfleet_core::order::{OutputTotals, Usage};
use cronfleet_core::run::{Cause, Reason, RunState};
use jiff::Timestamp;

use crate::error::StoreError;
use crate::store::Store;

/// A run that moved: enough to tell whoever watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunMoved {
    /// Run.
    pub run: RunId,
    /// Job.
    pub job: JobId,
    /// Owning group.
    pub group: GroupId,
    /// Agent.
    pub agent: AgentId,
    /// Where it is now.
    pub state: RunState,
    /// Why, where there is a reason.
    pub reason: Option<Reason>,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Id.
    pub id: RunId,
    /// Job.
    pub job: JobId,
    /// Its name now.
    pub job_name: String,
    /// Version of the job that it follows.
    pub job_version: u32,
    /// Owning group.
    pub group: GroupId,
    /// Agent.
    pub agent: AgentId,
    /// Its name now.
    pub agent_name: String,
    /// Copy index, from 0.
    pub copy: u32,
    /// Copies per agent and due instant.
    pub copies: u32,
    /// Attempt, from 1.
    pub attempt: u32,
    /// What asked for it.
    pub cause: Cause,
    /// Idempotency key of whoever asked; empty for the schedule.
    pub trigger: String,
    /// Login of who asked.
    pub requested_by: Option<String>,
    /// Where it is on its way.
    pub state: RunState,
    /// Why.
    pub reason: Option<Reason>,
    /// More about the reason for people.
    pub detail: Option<String>,
    /// Whether it was lost before and late evidence told more.
    pub is_refined: bool,
    /// Due instant.
    pub due: Timestamp,
    /// Start not before this.
    pub not_before: Timestamp,
    /// Start not after this.
    pub not_after: Timestamp,
    /// When it was recorded.
    pub planned_at: Timestamp,
    /// When it was handed to its agent's session.
    pub dispatched_at: Option<Timestamp>,
    /// When the center heard that the agent has it.
    pub accepted_at: Option<Timestamp>,
    /// When the command started.
    pub started_at: Option<Timestamp>,
    /// When it ended, or when it was decided that it will not run.
    pub ended_at: Option<Timestamp>,
    /// How long it ran, on the agent's monotonic clock.
    pub duration: Option<Duration>,
    /// Process id on the agent.
    pub pid: Option<i32>,
    /// Exit status, if it exited.
    pub exit_code: Option<i32>,
    /// Number of the signal that ended it.
    pub signal: Option<i32>,
    /// Resources it used.
    pub usage: Option<Usage>,
    /// Its output.
    pub output: Option<OutputTotals>,
    /// Since when its agent is out of reach.
    pub unreachable_since: Option<Timestamp>,
    /// When somebody asked for its end.
    pub kill_requested_at: Option<Timestamp>,
    /// Login of who asked for its end.
    pub killed_by: Option<String>,
}

/// A run and the other attempts of its due instant on its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDetail {
    /// The run.
    pub run: RunRow,
    /// Ids of the other attempts, oldest first.
    pub attempts: Vec<RunId>,
}

impl Store {
    /// A run, if it is within reach.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn run(&self, reach: &Reach, id: RunId) -> Result<Option<RunDetail>, StoreError> {
        later(reach, id, ())
    }
}

fn later<A, B, C, T>(_: A, _: B, _: C) -> Result<T, StoreError> {
    Err(StoreError::corrupt("function", "not written yet"))
}
