//! The agent as a whole: opening it, running it, ending it.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use cronfleet_core::id::AgentId;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, spool_dir};
use crate::engine::{Engine, Opened};
use crate::error::AgentError;
use crate::host::{Host, HostConfig};
use crate::identity::{Identity, create_data_dir};
use crate::ledger::{Ledger, Replayed};
use crate::link::Link;

const LOCK: &str = "agent.lock";

/// Messages of the center that wait for the loop.
const LINK_EVENTS_MAX: usize = 64;

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
        if config.centers.is_empty() && identity.centers.is_empty() {
            return Err(AgentError::NoCenter);
        }
        let spool_dir = spool_dir(&config.data_dir);
        let was_used = spool_dir.exists();
        let (ledger, replayed) = Ledger::open(
            &config.data_dir,
            was_used,
            config.limits.ledger_rewrite_min_bytes,
        )?;
        let host = Host::open(HostConfig {
            runtime_dir: config.runtime_dir(),
            spool_dir,
            shim: config.shim.clone(),
        })?;
        Ok(Self {
            config,
            identity,
            host,
            ledger,
            replayed,
            _lock: lock,
        })
    }

    /// Who it is.
    #[must_use]
    pub fn id(&self) -> AgentId {
        self.identity.agent
    }

    /// Works until `stop` is cancelled, and ends as [`Config::on_stop`] says: everything is on the disk then, and no task is left.
    ///
    /// # Errors
    /// [`AgentError::Host`] or [`AgentError::Boot`] if what is left of earlier processes cannot be looked at.
    ///
    /// # Panics
    /// If one of its tasks does.
    pub async fn run(self, stop: CancellationToken) -> Result<(), AgentError> {
        let Self {
            config,
            identity,
            host,
            ledger,
            replayed,
            _lock,
        } = self;
        let mut draws: StdRng = rand::make_rng();
        let link_draws = StdRng::from_rng(&mut draws);
        let agent = identity.agent;
        let opened = Opened {
            config: &config,
            agent,
            host,
            ledger,
            replayed,
            draws,
        };
        let engine = Engine::recover(opened).await?;
        let (events, link_events) = mpsc::channel(LINK_EVENTS_MAX);
        let link = Link {
            centers: if config.centers.is_empty() {
                identity.centers.clone()
            } else {
                config.centers
            },
            data_dir: config.data_dir,
            identity,
            shared: engine.shared(),
            events,
            draws: link_draws,
        };
        // The link outlives the loop, so that the last news get through.
        let stop_link = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(link.run(stop_link.clone()));
        engine.run(link_events, stop).await;
        stop_link.cancel();
        while let Some(done) = tasks.join_next().await {
            if let Err(error) = done
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
        Ok(())
    }
}

fn lock(data_dir: &Path) -> Result<File, AgentError> {
    let path = data_dir.join(LOCK);
    let opened = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .mode(0o600)
        .open(&path);
    let file = opened.map_err(|source| AgentError::Lock {
        path: path.clone(),
        source,
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(AgentError::InUse {
            data_dir: data_dir.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(AgentError::Lock { path, source }),
    }
}
