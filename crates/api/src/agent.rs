//! Agents: the machines of the fleet.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::limits::Cgroups;

/// Whether an agent may work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// Joined, waits until an administrator lets it in.
    Pending,
    /// Works.
    Active,
    /// Shut out for good: its certificate is refused.
    Revoked,
}

/// How full an agent's spool is: output of ended processes that no center has stored yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Spool {
    /// Bytes that wait.
    pub bytes: u64,
    /// Most that may wait; beyond it the output of those that ended first is given up.
    pub max_bytes: u64,
    /// Processes whose output was given up since the agent started.
    pub dropped_count: u64,
}

/// An agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Agent {
    /// Id.
    pub id: Uuid,
    /// Name shown; the host name at first, can be changed.
    pub name: String,
    /// Whether it may work.
    pub state: AgentState,
    /// Whether it has a live session with the center now.
    pub is_online: bool,
    /// Groups that it serves (as far as I may see them).
    pub group_ids: Vec<Uuid>,
    /// Host name it reports.
    pub hostname: String,
    /// Operating system and kernel, e.g. `Debian GNU/Linux 12 (6.1.0)`.
    pub os: String,
    /// Processor architecture, e.g. `x86_64`.
    pub arch: String,
    /// Version of the agent.
    pub version: String,
    /// Whether it runs as root (may switch users).
    pub is_root: bool,
    /// What control groups can do there; absent until the agent has said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroups: Option<Cgroups>,
    /// Processors.
    pub cpu_count: u32,
    /// Load average over one minute.
    pub load_1m: f64,
    /// Memory in bytes.
    pub memory_total_bytes: u64,
    /// Memory available in bytes.
    pub memory_available_bytes: u64,
    /// Processes of runs and slots alive now.
    pub running_count: u32,
    /// Agent's clock minus the center's, in microseconds; absent before the first measurement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_offset_us: Option<i64>,
    /// Round trip of the last heartbeat in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_trip_us: Option<i64>,
    /// How full its spool of output is; absent before it has said so, and from older agents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spool: Option<Spool>,
    /// Limits on all of its runs together.
    pub run_limits: RunLimits,
    /// Runs that are due and wait for their turn or for room, as far as I may see them; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<WaitingRuns>,
    /// SHA-256 of the agent's public key, in hex: compare before approving.
    pub key_fingerprint: String,
    /// When it joined.
    pub joined_at: Timestamp,
    /// When the center last heard of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Timestamp>,
    /// The policy of its machine, as it told last; absent from agents that have not told yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<AgentPolicy>,
    /// Number of daemon slots wanted here.
    pub slots_wanted: u32,
    /// Number of daemon slots running here.
    pub slots_running: u32,
}

/// How a policy bounds programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyExecMode {
    /// Not at all: whatever the user may execute.
    Any,
    /// Files below some directories, and some files.
    Dirs,
    /// Some files.
    Exact,
}

/// The policy of an agent's machine. It is told, never set, by way of the center.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentPolicy {
    /// The file on the machine; absent for the built-in policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// SHA-256 of the file, in hex.
    pub digest: String,
    /// When the agent read it.
    pub read_at: Timestamp,
    /// Why a newer file was refused; the policy before it is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reload_error: Option<String>,
    /// Whether root is out of the question.
    pub is_root_denied: bool,
    /// Smallest user id that jobs may run as.
    pub min_uid: u32,
    /// Users that jobs may run as; `*` stands for any text.
    pub run_as_allow: Vec<String>,
    /// How programs are bounded.
    pub exec_mode: PolicyExecMode,
    /// Whether shells may run.
    pub are_shells_allowed: bool,
    /// Whether script texts may run.
    pub are_scripts_allowed: bool,
    /// Starts refused since the agent started.
    pub refused_count: u64,
    /// When it refused one last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_refused_at: Option<Timestamp>,
    /// The rule that refused it, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_refusal: Option<String>,
}

/// `PATCH /agents/{id}` (administrator; absent fields stay).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentUpdate {
    /// New name, 1 to 64 characters.
    #[serde(default)]
    pub name: Option<String>,
    /// New whole list of groups.
    #[serde(default)]
    pub group_ids: Option<Vec<Uuid>>,
    /// New limits, both: one that is absent here is none.
    #[serde(default)]
    pub run_limits: Option<RunLimits>,
}

/// Limits of an agent on all of its runs together. What finds no room waits, in the order of the due times, until its start
/// deadline, and is then `missed(agent_limit)`. Daemons do not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunLimits {
    /// Runs alive at the same time, 1 to 100,000; no limit when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_max: Option<u32>,
    /// Starts in any second, 1 to 1,000, spread evenly; no limit when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_per_second: Option<u32>,
}

/// Runs that are due and wait on their agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaitingRuns {
    /// How many.
    pub count: u64,
    /// Since when the first of them could have started; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// `POST /agents/{id}/approve` (administrator).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentApprove {
    /// Groups it shall serve; absent keeps those of its join token.
    #[serde(default)]
    pub group_ids: Option<Vec<Uuid>>,
}

/// `POST /agents/join-tokens` (administrator): lets machines join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinTokenCreate {
    /// Groups that an agent joining with it shall serve.
    #[serde(default)]
    pub group_ids: Vec<Uuid>,
    /// True: agents joining with it work at once; false: they wait as `pending`.
    #[serde(default)]
    pub is_preapproved: bool,
    /// Lifetime in seconds, 60 to 604,800; 3,600 when absent.
    #[serde(default)]
    pub ttl_seconds: Option<u64>,
    /// How many agents may join with it, 1 to 1,000; 1 when absent.
    #[serde(default)]
    pub uses_max: Option<u32>,
}

/// A join token; its text is shown this once and never again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JoinToken {
    /// The secret text, `cfj_…`. Carries the pin of the center's CA.
    pub token: String,
    /// The command to run on the machine, ready to copy.
    pub command: String,
    /// When it stops working.
    pub expires_at: Timestamp,
}
