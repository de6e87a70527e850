//! How the agent is, for people and programs on its own machine.
//!
//! The agent answers on a local socket in its runtime directory, to root and to its own user only. There is still nothing that
//! listens on a network, and the socket takes no requests: whoever connects is told and let go.

mod door;

use std::path::{Path, PathBuf};

use cronfleet_core::cgroup::CgroupSupport;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use crate::link::{LinkStatus, RefusedMessages};
pub use door::StatusError;
pub(crate) use door::{Door, WorkRequest};

/// How an agent is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Its id.
    pub agent_id: String,
    /// Its version.
    pub version: String,
    /// Its process number.
    pub pid: u32,
    /// When it started, on the machine's own clock, as are the other times.
    pub started_at: Timestamp,
    /// Directory of identity, ledger and spool.
    pub data_dir: PathBuf,
    /// Directory of run folders.
    pub runtime_dir: PathBuf,
    /// The link to the center.
    pub link: LinkStatus,
    /// The agent's clock minus the center's, in microseconds; absent before the first measurement.
    pub clock_offset_us: Option<i64>,
    /// Round trip of a heartbeat, in microseconds.
    pub round_trip_us: Option<i64>,
    /// When its certificate ends.
    pub certificate_not_after: Timestamp,
    /// What it has to do.
    pub work: WorkStatus,
    /// Output on its way to a center.
    #[serde(default)]
    pub spool: SpoolStatus,
    /// The policy of the machine.
    pub policy: PolicyStatus,
    /// What control groups can do; agents of older versions do not say.
    #[serde(default)]
    pub cgroups: Option<CgroupStatus>,
}

/// What control groups can do, in the words of the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupStatus {
    /// `unified`, `hybrid`, `legacy` or `none`.
    pub mode: String,
    /// How everything of a process is killed: `control_group`, `freezer` or `descent`.
    pub kill_means: String,
    /// What can be limited, of `memory`, `cpu` and `pids`.
    pub controllers: Vec<String>,
    /// Why not more; empty if there is nothing to wish for.
    pub detail: String,
}

impl From<&CgroupSupport> for CgroupStatus {
    fn from(support: &CgroupSupport) -> Self {
        let controllers = support.controllers.iter();
        Self {
            mode: support.mode.word().to_owned(),
            kill_means: support.kill_means.word().to_owned(),
            controllers: controllers.map(|one| one.word().to_owned()).collect(),
            detail: support.detail.clone(),
        }
    }
}

/// What an agent has to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkStatus {
    /// Whether the center has let the agent in.
    pub is_active: bool,
    /// Runs that it holds and that are not over.
    pub orders_open: u64,
    /// Runs that are over, and no center has acknowledged it.
    pub ends_unacknowledged: u64,
    /// Daemon slots that are wanted, or still there.
    pub slots: u64,
    /// Daemon slots that run.
    pub slots_running: u64,
    /// Processes that run.
    pub processes: u64,
    /// Whether its ledger can be written; nothing is started while it cannot.
    pub is_ledger_writable: bool,
}

/// Output on its way to a center.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpoolStatus {
    /// Bytes of processes that have ended.
    pub bytes: u64,
    /// Most of them that are kept; beyond it the output of the longest-ended processes is dropped.
    pub max_bytes: u64,
    /// Processes whose output was dropped since the agent started.
    pub dropped_count: u64,
}

/// The policy of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyStatus {
    /// Its file; absent for the built-in policy.
    pub file: Option<PathBuf>,
    /// SHA-256 of the file, in hex.
    pub digest: String,
    /// When it was read.
    pub read_at: Timestamp,
    /// Why a newer file was refused.
    pub reload_error: Option<String>,
    /// Starts refused since the agent started.
    pub refused_count: u64,
    /// When it refused one last.
    pub last_refused_at: Option<Timestamp>,
    /// The rule that refused it, and why.
    pub last_refusal: Option<String>,
}

impl Status {
    /// Asks the agent that works with a runtime directory. Blocking, for up to a few seconds.
    ///
    /// # Errors
    /// [`StatusError`]; [`StatusError::NoAgent`] if none runs there.
    pub fn ask(runtime_dir: &Path) -> Result<Self, StatusError> {
        door::ask(runtime_dir)
    }
}
