//! How daemon jobs are kept alive.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a daemon job is kept alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DaemonSpec {
    /// When an ended process is started again.
    pub restart: Restart,
    /// Exit statuses that count as a good end, 1 to 32 of them. Default 0.
    pub expected_exit_codes: Vec<u8>,
    /// A process alive this long counts as running, in milliseconds, 0 to 600,000; with `readiness` only once that says so, too.
    /// Default 1,000.
    pub start_period_ms: u64,
    /// First wait before a restart in milliseconds, 0 to 3,600,000. Default 500.
    pub backoff_initial_ms: u64,
    /// Longest wait before a restart in milliseconds. Default 60,000.
    pub backoff_max_ms: u64,
    /// Failures within `crash_loop_window_ms`, or in a row, that make the slot a crash loop, 2 to 100. Default 5.
    pub crash_loop_failures: u32,
    /// Window for `crash_loop_failures` in milliseconds, 1,000 to 86,400,000. Default 60,000.
    pub crash_loop_window_ms: u64,
    /// How a new process proves that it serves; being up for the start period is enough when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readiness: Option<ReadinessSpec>,
    /// How a running process proves that it still serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthSpec>,
    /// A process is replaced by a fresh one at this age or up to a fifth earlier, in milliseconds, 1,000 to 31,536,000,000; never
    /// when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_ms: Option<u64>,
    /// A process is replaced by a fresh one once it and its descendants use more memory, in bytes, at least 1,048,576; never when
    /// absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_memory_bytes: Option<u64>,
    /// Processes per agent that may be down at a time because they are being replaced, 1 to 1,000. Default 1.
    pub max_unavailable: u32,
}

impl Default for DaemonSpec {
    fn default() -> Self {
        Self {
            restart: Restart::Always,
            expected_exit_codes: vec![0],
            start_period_ms: 1_000,
            backoff_initial_ms: 500,
            backoff_max_ms: 60_000,
            crash_loop_failures: 5,
            crash_loop_window_ms: 60_000,
            readiness: None,
            health: None,
            max_age_ms: None,
            max_memory_bytes: None,
            max_unavailable: 1,
        }
    }
}

/// When an ended daemon process is started again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// However it ended.
    #[default]
    Always,
    /// Unless it ended with an expected exit status.
    OnFailure,
    /// Not at all, until somebody restarts it or the job changes.
    Never,
}

/// How a new process proves that it serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadinessSpec {
    /// What is asked.
    pub check: Check,
    /// Wait before the first question in milliseconds, 0 to 600,000. Default 0.
    #[serde(default)]
    pub initial_delay_ms: u64,
    /// Time from one question to the next in milliseconds, 100 to 3,600,000. Default 1,000.
    #[serde(default = "ms_1_000")]
    pub period_ms: u64,
    /// An answer that takes longer is a bad one; in milliseconds, 10 to 60,000. Default 1,000.
    #[serde(default = "ms_1_000")]
    pub timeout_ms: u64,
    /// Good answers in a row that make the process ready, 1 to 100. Default 1.
    #[serde(default = "one")]
    pub successes: u32,
    /// A process that is not ready after this long has failed and is stopped; in milliseconds, 1,000 to 3,600,000. Default 60,000.
    #[serde(default = "ms_60_000")]
    pub start_timeout_ms: u64,
}

/// How a running process proves that it still serves. One that does not is stopped and started again as `restart` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthSpec {
    /// What is asked.
    pub check: Check,
    /// Wait before the first question in milliseconds, 0 to 600,000. Default 0.
    #[serde(default)]
    pub initial_delay_ms: u64,
    /// Time from one question to the next in milliseconds, 100 to 3,600,000. Default 10,000.
    #[serde(default = "ms_10_000")]
    pub period_ms: u64,
    /// An answer that takes longer is a bad one; in milliseconds, 10 to 60,000. Default 1,000.
    #[serde(default = "ms_1_000")]
    pub timeout_ms: u64,
    /// Bad answers that make the process unhealthy, 1 to 100. Default 3.
    #[serde(default = "three")]
    pub failures: u32,
    /// Good answers in a row after which bad ones are forgotten, 1 to 100. Default 1.
    #[serde(default = "one")]
    pub successes: u32,
}

/// What is asked of a process. Exactly one of `command`, `tcp` and `http`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Program and arguments, run as the job's user in its directory and environment, with `CRONFLEET_SLOT` and `CRONFLEET_PID`;
    /// exit status 0 is the good answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Connect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<TcpCheck>,
    /// Send a GET request over plain HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpCheck>,
}

/// A connection that has to be accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TcpCheck {
    /// IP address on the agent's machine; `127.0.0.1` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// Port, 1 to 65,535.
    pub port: u16,
    /// Whether the slot's index is added to the port, so that each process has its own.
    #[serde(default)]
    pub adds_slot: bool,
}

/// A request that has to be answered well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpCheck {
    /// IP address on the agent's machine; `127.0.0.1` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// Port, 1 to 65,535.
    pub port: u16,
    /// Whether the slot's index is added to the port, so that each process has its own.
    #[serde(default)]
    pub adds_slot: bool,
    /// Path and query. Default `/`.
    #[serde(default = "slash")]
    pub path: String,
    /// The good answer, 100 to 599; any of 200 to 399 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_status: Option<u16>,
}

fn one() -> u32 {
    1
}

fn three() -> u32 {
    3
}

fn ms_1_000() -> u64 {
    1_000
}

fn ms_10_000() -> u64 {
    10_000
}

fn ms_60_000() -> u64 {
    60_000
}

fn slash() -> String {
    "/".to_owned()
}
