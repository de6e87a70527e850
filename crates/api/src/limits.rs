//! What a process may use, what can enforce it, and what it took to end a process.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What becomes of processes that are still alive when the command has ended by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stragglers {
    /// They are killed, half a second later.
    #[default]
    Kill,
    /// They live on; what they write is thrown away. A command that was stopped leaves nobody all the same.
    Leave,
}

/// What a process may use. An agent that cannot enforce a limit does not start it (`limit_unsupported`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Memory in bytes of the command and everything that it starts, page cache included, 4,194,304 to 2^50; no limit when
    /// absent. Beyond it the kernel kills one of them (`oom_killed`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_max_bytes: Option<u64>,
    /// Processor time of all of them in thousandths of a processor, 10 to 1,024,000; no limit when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_max_millicores: Option<u32>,
    /// Processes and threads alive at one time, 1 to 4,194,304; no limit when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids_max: Option<u32>,
    /// Open files per process, 16 to 1,048,576; as the agent was started when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_files_max: Option<u64>,
    /// Size of a core file in bytes, 0 to 2^40; as the agent was started when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub core_size_max_bytes: Option<u64>,
    /// Nice value, -20 (first) to 19 (last); 0 when absent. Below 0 needs an agent that is root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nice: Option<i32>,
    /// Who reads and writes disks first; follows the nice value when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io_priority: Option<IoPriority>,
    /// How gladly the kernel kills it when the whole machine is out of memory, 0 to 1,000 (first); 0 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_score_adj: Option<i32>,
    /// Forbids gaining privileges by programs such as `sudo`.
    pub no_new_privileges: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_max_bytes: None,
            cpu_max_millicores: None,
            pids_max: None,
            open_files_max: None,
            core_size_max_bytes: None,
            nice: None,
            io_priority: None,
            oom_score_adj: None,
            no_new_privileges: true,
        }
    }
}

/// Who reads and writes disks first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IoPriority {
    /// Class.
    pub class: IoClass,
    /// Place in the class, 0 (first) to 7 (last); `idle` has only 0.
    #[serde(default)]
    pub level: u8,
}

/// Class of an io priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IoClass {
    /// Before everybody else; needs an agent that is root.
    Realtime,
    /// The usual class.
    BestEffort,
    /// Only when nobody else wants the disk.
    Idle,
}

/// What it took to end a process and everything that it had started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Cleanup {
    /// Stop signal that its process group was sent, e.g. `TERM`; absent if nobody asked it to stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// How everything was killed: `control_group` (by the kernel, in one step), `freezer` (one by one while frozen), `descent`
    /// (one by one, by descent); absent if nothing had to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kill_means: Option<String>,
    /// Processes besides the command itself that were alive when the killing began, or when the command had ended.
    pub found: u32,
    /// Processes that are alive still: those that the job leaves, or that could not be killed.
    pub left: u32,
}

/// What control groups can do on an agent's machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Cgroups {
    /// `unified` (version 2), `hybrid` (version 2 for the processes, version 1 for limits), `legacy` (version 1), `none`.
    pub mode: String,
    /// How everything of a process is killed: `control_group`, `freezer`, `descent`.
    pub kill_means: String,
    /// What can be limited: `memory`, `cpu`, `pids`.
    pub controllers: Vec<String>,
    /// Why not more, for people; empty if there is nothing to wish for.
    pub detail: String,
}
