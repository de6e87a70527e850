//! The agent as a whole: opening it, running it, ending it.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use cronfleet_core::id::AgentId;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, spool_dir};
use crate::error::AgentError;
use crate::host::{Host, HostConfig};
use crate::identity::{Identity, create_data_dir};
use crate::ledger::{Ledger, Replayed};

const LOCK: &str = "agent.lock";

/// An agent that is ready to run. Nothing has been started yet.
#[derive(Debug)]
pub struct Agent {
    config: Config,
    identity: Identity,
    host: Host,
    ledger: Ledger,
    replayed: Replayed,
    /// Held so that no second agent works in the data directory.
    _lock: File,
}

impl Agent {
    /// Takes possession of the data directory and reads what an earlier agent left in it.
    ///
    /// # Errors
    /// [`AgentError`]; [`AgentError::InUse`] if another agent works there, [`AgentError::Identity`] if it has not joined.
    pub fn open(config: Config) -> Result<Self, AgentError> {
        create_data_dir(&config.data_dir)?;
        let lock = lock(&config.data_dir)?;
        let identity = Identity::load(&config.data_dir)?;
        let spool_dir = spool_dir(&config.data_dir);
        let was_used = spool_dir.exists();
        let (ledger, replayed) =
            Ledger::open(&config.data_dir, was_used, config.limits.ledger_rewrite_min_bytes)?;
        let host = Host::open(HostConfig {
            runtime_dir: config.runtime_dir(),
            spool_dir,
            shim: config.shim.clone(),
        })?;
        Ok(Self { config, identity, host, ledger, replayed, _lock: lock })
    }

    /// Who it is.
    #[must_use]
    pub fn id(&self) -> AgentId {
        self.identity.agent
    }

    /// Works until `stop` is cancelled, and ends as [`Config::on_stop`] says.
    ///
    /// # Errors
    /// [`AgentError`].
    pub async fn run(self, stop: CancellationToken) -> Result<(), AgentError> {
        stop.cancelled().await;
        self.ledger.close().await;
        Ok(())
    }
}

fn lock(data_dir: &Path) -> Result<File, AgentError> {
    let path = data_dir.join(LOCK);
    let opened =
        OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(&path);
    let file = opened.map_err(|source| AgentError::Lock { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(AgentError::InUse { data_dir: data_dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(AgentError::Lock { path, source }),
    }
}
