//! Runs and lapses: what happened.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::limits::Cleanup;

/// Where a run is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Decided and recorded; not sent yet.
    Planned,
    /// Offered to the agent, which may not start it yet: another one may be asked instead.
    Offered,
    /// The order was handed to the agent's session.
    Dispatched,
    /// The agent has it in its ledger.
    Accepted,
    /// The process lives.
    Running,
    /// It has an outcome.
    Ended,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Exit status 0.
    Succeeded,
    /// Another exit status, a signal, or it could not be started.
    Failed,
    /// Somebody killed it.
    Killed,
    /// It exceeded its time limit and was stopped.
    TimedOut,
    /// Decided not to run it.
    Skipped,
    /// Should have run, provably did not start.
    Missed,
    /// Whether or how it ran is unknown.
    Lost,
}

/// What asked for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The schedule.
    Schedule,
    /// A person or a program, by `run now`.
    Manual,
    /// A failed attempt before it.
    Retry,
    /// The start of the agent's host (`@reboot`).
    Reboot,
}

/// One attempt of one due instant on one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Run {
    /// Id. Ids sort by due instant.
    pub id: Uuid,
    /// Job.
    pub job_id: Uuid,
    /// Its name now.
    pub job_name: String,
    /// Version of the job that this run follows.
    pub job_version: u32,
    /// Owning group.
    pub group_id: Uuid,
    /// Agent.
    pub agent_id: Uuid,
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
    /// Whether it was planned after its start deadline because its job catches up; then it may start from `planned_at` on.
    pub is_caught_up: bool,
    /// Login of who asked, for `manual`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// Where it is on its way.
    pub state: RunState,
    /// How it ended; present when `state` is `ended`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Why; always present with `skipped`, `missed`, `lost`, and for a start that failed. Stable word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// More about the reason for people, e.g. the path that is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Due instant.
    pub due: Timestamp,
    /// The agent starts it not before this.
    pub not_before: Timestamp,
    /// The agent starts it not after this.
    pub not_after: Timestamp,
    /// When it was recorded.
    pub planned_at: Timestamp,
    /// When the order was handed to the agent's session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispatched_at: Option<Timestamp>,
    /// When the agent wrote it down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<Timestamp>,
    /// When the command started, on the center's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended, on the center's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Start minus due, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_us: Option<i64>,
    /// Time it ran, in microseconds, on the agent's monotonic clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<i64>,
    /// Process id on the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// Exit status, if it exited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Signal that ended it, e.g. `KILL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Processor time in user mode, microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_time_us: Option<i64>,
    /// Processor time in system mode, microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_time_us: Option<i64>,
    /// Largest resident memory, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_peak_bytes: Option<i64>,
    /// Processes of it that the kernel killed because memory ran out; 0 also where nobody can tell.
    pub oom_kills: u32,
    /// What it took to end it and everything that it had started; absent if it simply ended and left nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleanup: Option<Cleanup>,
    /// Bytes of output written by the command.
    pub output_bytes: u64,
    /// Bytes of output that the agent dropped, because there was no room for them.
    pub output_dropped_bytes: u64,
    /// Bytes of output that the center left out to keep to the job's cap.
    pub output_trimmed_bytes: u64,
    /// Since when the agent of this unfinished run is out of reach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreachable_since: Option<Timestamp>,
    /// Whether a kill was asked for.
    pub is_kill_requested: bool,
    /// Login of who asked for the kill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub killed_by: Option<String>,
    /// Run ids of the other attempts of the same due instant and target, oldest first; where one of several agents is enough,
    /// also of those offered to other agents.
    pub attempts: Vec<Uuid>,
}

/// A recorded range of due instants that became no runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lapse {
    /// Job.
    pub job_id: Uuid,
    /// Its name.
    pub job_name: String,
    /// First due instant of the range.
    pub due_from: Timestamp,
    /// Last due instant of the range.
    pub due_to: Timestamp,
    /// Number of due instants.
    pub count: u64,
    /// Why, as a stable word.
    pub reason: String,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}
