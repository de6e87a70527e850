//! Daemon slots and the processes that lived in them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::limits::Cleanup;
use crate::outlook::{NextStep, Probe};

/// State of a slot as its agent last reported it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlotState {
    /// Wanted, nothing reported yet.
    Waiting,
    /// The process lives, not yet for its start period or not yet ready.
    Starting,
    /// The process lives and was found ready.
    Running,
    /// Ended; waits before the next start.
    Backoff,
    /// Ended too often in a short time; tried again only at the longest wait.
    CrashLoop,
    /// Asked to stop.
    Stopping,
    /// No process, none wanted.
    Stopped,
}

/// Place `index` of N of a daemon job on one agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Slot {
    /// Job.
    pub job_id: Uuid,
    /// Its name.
    pub job_name: String,
    /// Owning group.
    pub group_id: Uuid,
    /// Agent.
    pub agent_id: Uuid,
    /// Its name.
    pub agent_name: String,
    /// Whether the agent has a live session; if not, the rest is as last reported.
    pub is_agent_online: bool,
    /// Index, from 0.
    pub index: u32,
    /// State.
    pub state: SlotState,
    /// Since when it is in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Version of the job that the live process follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_version: Option<u32>,
    /// The current or, without one, the last process; names its output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_id: Option<Uuid>,
    /// Process id on the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// When the live process started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Restarts since the slot exists.
    pub restarts: u64,
    /// When the next start is tried, in backoff or crash loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// What the last probe of the live process found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// What comes next by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_step: Option<NextStep>,
    /// When at the latest; absent if that depends on other slots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// How the last process ended, in words: `exit 1`, `signal KILL`, `command_missing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_end: Option<String>,
    /// Last lines that the last ended process wrote, at most 2 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_output: Option<String>,
}

/// One life of a command in a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Process {
    /// Id; names its output.
    pub id: Uuid,
    /// Job.
    pub job_id: Uuid,
    /// Agent.
    pub agent_id: Uuid,
    /// Slot index.
    pub index: u32,
    /// Version of the job it followed.
    pub job_version: u32,
    /// Process id on the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// When it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended; absent while it lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Exit status, if it exited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Signal that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Why it ended or could not start, as a stable word: `exited`, `signalled`, `scaled_down`, `replaced`, `unhealthy`,
    /// `not_ready`, `recycled`, `command_missing` …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// More about the reason for people, e.g. the path that is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Processes of it that the kernel killed because memory ran out; 0 also where nobody can tell.
    pub oom_kills: u32,
    /// What it took to end it and everything that it had started; absent if it simply ended and left nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleanup: Option<Cleanup>,
}

/// `POST /slots/restart` (operator): stops the processes gracefully, as many at a time as the job lets be
/// unavailable, and starts them again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SlotRestart {
    /// Job.
    pub job_id: Uuid,
    /// Only on this agent; every agent when absent.
    #[serde(default)]
    pub agent_id: Option<Uuid>,
    /// Only this slot; all when absent.
    #[serde(default)]
    pub index: Option<u32>,
}

/// What `POST /slots/restart` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SlotRestartAnswer {
    /// Connected agents that were told.
    pub agents_told: u32,
    /// Agents out of reach: each restarts its processes when it is back, once for each request.
    #[serde(default)]
    pub agents_waiting: u32,
}
