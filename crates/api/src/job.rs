//! Jobs: what to run, as whom, where, when.

use std::collections::BTreeMap;

use cronfleet_core::job;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub use crate::calendar::{CalendarMode, CalendarRule};
pub use crate::catch_up::{CatchUp, CatchUpPolicy};
pub use crate::daemon::{DaemonSpec, Restart};
pub use crate::dst::{DstPolicy, GapPolicy, RepeatPolicy};
use crate::limits::{Limits, Stragglers};
pub use crate::overlap::Overlap;
use crate::run::Outcome;
use crate::secret::SecretUse;
use crate::target::Target;
use crate::window::{Frozen, Snooze};

/// Kind of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Runs at due instants.
    Scheduled,
    /// Keeps N processes alive.
    Daemon,
}

/// Definition of a job: everything that a version freezes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    /// 1 to 128 characters, no control characters; unique in its group.
    pub name: String,
    /// Up to 4,000 characters.
    #[serde(default)]
    pub description: String,
    /// When and how to run a scheduled job. Exactly one of `scheduled` and `daemon` is present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<ScheduledSpec>,
    /// How to keep a daemon job alive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daemon: Option<DaemonSpec>,
    /// What to run.
    pub command: Command,
    /// Linux user to run as; must be in the group's list.
    pub run_as: String,
    /// Absolute working directory; the user's home when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// Environment added to the clean one. Names: letters, digits, `_`, not starting with a digit, not `LD_*` and the like.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// File mode mask in octal, e.g. `"027"`; `"022"` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub umask: Option<String>,
    /// Secrets of the group that the process gets, at most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretUse>,
    /// Where to run.
    pub target: Target,
    /// Processes per agent (and per due instant), 1 to 1,000.
    #[serde(default = "one")]
    pub processes: u32,
    /// What to do with output.
    #[serde(default)]
    pub output: OutputPolicy,
    /// How to stop a process.
    #[serde(default)]
    pub stop: StopPolicy,
    /// What becomes of processes that are still alive when the command has ended by itself; a daemon cannot leave any.
    #[serde(default)]
    pub stragglers: Stragglers,
    /// What it may use.
    #[serde(default)]
    pub limits: Limits,
}

fn one() -> u32 {
    1
}

/// What to run. Exactly one of `argv` and `script`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// Program and arguments, run without a shell. A program without `/` is looked up in the job's `PATH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argv: Option<Vec<String>>,
    /// A script with its interpreter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Script>,
}

/// A script: handed to the interpreter as a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Interpreter and its arguments; the script's path is appended. `["/bin/sh"]` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<Vec<String>>,
    /// Text of the script, up to 256 KiB.
    pub text: String,
}

/// When to run a scheduled job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduledSpec {
    /// Schedule expression, e.g. `*/5 * * * *`, `0 30 2 * * *`, `@every 250ms`, `@daily`, `@at 2026-12-01T02:30:00`.
    pub expression: String,
    /// IANA time zone name; the center's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// What becomes of times that clocks skip or show twice; the rule of cron when absent.
    #[serde(default)]
    pub dst: DstPolicy,
    /// Nothing is due before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_from: Option<Timestamp>,
    /// Nothing is due at this instant or after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_until: Option<Timestamp>,
    /// Calendar that it follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<CalendarRule>,
    /// What to do when the previous run of the same agent and copy is still alive.
    #[serde(default)]
    pub overlap: Overlap,
    /// Runs that may wait while the previous one is alive, 1 to 100; only with overlap `queue`, and 1 there when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_max: Option<u32>,
    /// Longest wait after a due instant in milliseconds, 0 to 3,600,000: each agent and copy waits for its own part of it, always
    /// the same, so that not all start at once. Default 0.
    #[serde(default)]
    pub jitter_ms: u64,
    /// How late after that a run may start, in milliseconds, 1,000 to 604,800,000; when absent 60,000, and 3,600,000 with overlap `queue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_deadline_ms: Option<u64>,
    /// What becomes of due instants whose start deadline passed while no center was up to plan them.
    #[serde(default)]
    pub catch_up: CatchUp,
    /// A run alive longer is stopped and ends `timed_out`; in milliseconds, 100 to 2,592,000,000; no limit when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// When to try again.
    #[serde(default)]
    pub retry: RetryPolicy,
}

/// When a failed or timed-out run is tried again. A `lost` run never is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryPolicy {
    /// Attempts in all, 1 to 20; 1 means no retry.
    #[serde(default = "one")]
    pub attempts_max: u32,
    /// Wait before the second attempt in milliseconds, 100 to 86,400,000; doubles each time, plus jitter. Default 1,000.
    #[serde(default = "retry_backoff_initial_ms")]
    pub backoff_initial_ms: u64,
    /// Longest wait in milliseconds, at least the initial one, up to 86,400,000. Default 300,000.
    #[serde(default = "retry_backoff_max_ms")]
    pub backoff_max_ms: u64,
    /// After which failures, at most 32: exit statuses such as `75` or `64-78` (1 to 255), `signal`, `timeout`, `not_started`.
    /// After every one when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<String>,
}

fn retry_backoff_initial_ms() -> u64 {
    1_000
}

fn retry_backoff_max_ms() -> u64 {
    300_000
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts_max: 1,
            backoff_initial_ms: retry_backoff_initial_ms(),
            backoff_max_ms: retry_backoff_max_ms(),
            failures: Vec::new(),
        }
    }
}

/// What to do with output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OutputPolicy {
    /// Keep it or throw it away.
    #[serde(default)]
    pub mode: OutputMode,
    /// Bytes kept per process, 4,096 to 1,073,741,824: beginning and end of a run's output, the newest of a daemon's; what is
    /// missing is marked. Default 10,485,760.
    #[serde(default = "output_cap_bytes")]
    pub cap_bytes: u64,
    /// What happens when output comes faster than it can be put away.
    #[serde(default)]
    pub when_full: WhenFull,
    /// For `block`: longest wait of the process in milliseconds, 1,000 to 2,592,000,000; after it output is dropped until there
    /// is room again. Default 60,000.
    #[serde(default = "block_max_ms")]
    pub block_max_ms: u64,
}

/// What happens when output comes faster than it can be put away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// The middle is dropped and counted; the process never waits.
    #[default]
    Drop,
    /// The process waits in its write until there is room, up to `block_max_ms`.
    Block,
}

fn block_max_ms() -> u64 {
    60_000
}

fn output_cap_bytes() -> u64 {
    job::OutputPolicy::default().cap_bytes
}

impl Default for OutputPolicy {
    fn default() -> Self {
        Self {
            mode: OutputMode::Store,
            cap_bytes: output_cap_bytes(),
            when_full: WhenFull::Drop,
            block_max_ms: block_max_ms(),
        }
    }
}

/// Keep output or throw it away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutputMode {
    /// The center stores it.
    #[default]
    Store,
    /// Only its size is counted.
    Discard,
}

/// How a process is stopped: signal, grace, then KILL for all that is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StopPolicy {
    /// `TERM`, `INT`, `HUP`, `QUIT`, `USR1`, `USR2`, `KILL`. Default `TERM`.
    #[serde(default = "stop_signal")]
    pub signal: String,
    /// Time between the signal and KILL in milliseconds, 0 to 3,600,000. Default 10,000.
    #[serde(default = "stop_grace_ms")]
    pub grace_ms: u64,
}

fn stop_signal() -> String {
    job::StopPolicy::default().signal.word().to_owned()
}

fn stop_grace_ms() -> u64 {
    job::StopPolicy::default().grace.as_millis() as u64
}

impl Default for StopPolicy {
    fn default() -> Self {
        Self {
            signal: stop_signal(),
            grace_ms: stop_grace_ms(),
        }
    }
}

/// `POST /jobs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobCreate {
    /// Group that shall own it.
    pub group_id: Uuid,
    /// Its definition.
    pub spec: JobSpec,
    /// Created paused.
    #[serde(default)]
    pub is_paused: bool,
}

/// `PUT /jobs/{id}`: makes a new version. Needs `If-Match` with the version that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobReplace {
    /// The whole new definition.
    pub spec: JobSpec,
}

/// A job as lists and pages show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Id.
    pub id: Uuid,
    /// Owning group.
    pub group_id: Uuid,
    /// Its name.
    pub group_name: String,
    /// Kind.
    pub kind: JobKind,
    /// Version in force, from 1; also the ETag.
    pub version: u32,
    /// Definition in force.
    pub spec: JobSpec,
    /// Whether it is paused.
    pub is_paused: bool,
    /// Its snooze; absent unless it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snooze: Option<Snooze>,
    /// The window in which nothing of it starts now; absent unless there is one, and while it is snoozed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Frozen>,
    /// Sentence of the schedule in English; absent for daemons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentence_en: Option<String>,
    /// Sentence of the schedule in Simplified Chinese; absent for daemons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentence_zh: Option<String>,
    /// Next due instant at which it runs: not one that is snoozed or in a window. Absent when paused, for daemons, or when none
    /// is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_due: Option<Timestamp>,
    /// The last runs, newest first, at most 20; empty for daemons.
    pub recent: Vec<RecentRun>,
    /// Daemon slots wanted over all agents; 0 for scheduled jobs.
    pub slots_wanted: u32,
    /// Daemon slots running.
    pub slots_running: u32,
    /// Daemon slots in a crash loop.
    pub slots_crash_loop: u32,
    /// Login of who saved the version in force.
    pub updated_by: String,
    /// When the job was created.
    pub created_at: Timestamp,
    /// When the version in force was saved.
    pub updated_at: Timestamp,
    /// My role in the owning group.
    pub my_role: crate::group::Role,
}

/// One bar in the strip of last runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecentRun {
    /// Run.
    pub id: Uuid,
    /// Its due instant.
    pub due: Timestamp,
    /// How it ended; absent while it has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// How long it ran, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

/// An immutable version of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobVersion {
    /// Number, from 1.
    pub version: u32,
    /// The definition.
    pub spec: JobSpec,
    /// Version of the calendar that it follows; absent if it follows none, or a preset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar_version: Option<u32>,
    /// Login of who saved it, or the calendar that it follows.
    pub author: String,
    /// When it was saved.
    pub created_at: Timestamp,
}

/// `POST /jobs/{id}/run`: runs a scheduled job now. Idempotent by `Idempotency-Key`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunNow {
    /// Only on these of the job's agents; all of them when absent.
    #[serde(default)]
    pub agent_ids: Option<Vec<Uuid>>,
    /// Also within a window in which nothing starts.
    #[serde(default)]
    pub ignore_windows: bool,
}

/// The runs that `run now` made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunNowAnswer {
    /// Ids of the runs.
    pub run_ids: Vec<Uuid>,
}
