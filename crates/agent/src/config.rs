//! What an agent is told when it is opened.

use std::path::{Path, PathBuf};

use crate::host::{CgroupUse, default_runtime_dir};
use crate::policy::PolicySource;

/// Where an agent works and how much it may hold.
#[derive(Debug, Clone)]
pub struct Config {
    /// Directory of identity, ledger and spool. Belongs to one agent at a time.
    pub data_dir: PathBuf,
    /// Directory of run folders, best on tmpfs, the same after every restart; [`default_runtime_dir`] when absent.
    pub runtime_dir: Option<PathBuf>,
    /// Addresses of centers as `host:port`, tried in turn, and those that centers tell behind them.
    /// Empty: those that the identity remembers from joining.
    pub centers: Vec<String>,
    /// Path of the `cronfleet-shim` program.
    pub shim: PathBuf,
    /// Where the machine's policy comes from.
    pub policy: PolicySource,
    /// Which control groups the agent may use.
    pub cgroups: CgroupUse,
    /// What becomes of running processes when the agent is stopped.
    pub on_stop: OnStop,
    /// Bounds.
    pub limits: Limits,
}

/// What becomes of running processes when the agent is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnStop {
    /// They run on; the next agent finds them. For an agent that is a service of its own and gets restarted or upgraded.
    #[default]
    Leave,
    /// They are stopped (signal, grace, KILL) and the agent waits for it. Daemons come back with the next agent.
    Stop,
}

/// Bounds of what an agent holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Orders held, and ends not yet acknowledged.
    pub orders_max: usize,
    /// Processes prepared ahead of their due instants.
    pub armed_max: usize,
    /// Bytes of output sent and not yet acknowledged.
    pub output_unacked_max_bytes: usize,
    /// Bytes of output kept for a center that is away. Beyond it the output of the longest-ended lives is dropped.
    pub spool_max_bytes: u64,
    /// Size in bytes below which the ledger is never rewritten.
    pub ledger_rewrite_min_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            orders_max: 100_000,
            armed_max: 1_000,
            output_unacked_max_bytes: 4 << 20,
            spool_max_bytes: 8 << 30,
            ledger_rewrite_min_bytes: 16 << 20,
        }
    }
}

impl Config {
    /// A configuration with the usual defaults: processes live on when the agent is stopped.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>, shim: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            runtime_dir: None,
            centers: Vec::new(),
            shim: shim.into(),
            policy: PolicySource::default(),
            cgroups: CgroupUse::default(),
            on_stop: OnStop::default(),
            limits: Limits::default(),
        }
    }

    /// The directory of run folders.
    #[must_use]
    pub fn runtime_dir(&self) -> PathBuf {
        self.runtime_dir
            .clone()
            .unwrap_or_else(|| default_runtime_dir(&self.data_dir))
    }
}

/// Directory of the spool inside a data directory.
pub(crate) fn spool_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("spool")
}
