//! The agent as a whole: opening it, running it, ending it.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use cronfleet_core::id::AgentId;
use jiff::Timestamp;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, spool_dir};
use crate::engine::{Engine, Opened};
use crate::error::AgentError;
use crate::host::{Host, HostConfig, ask_to_be_spared};
use crate::identity::{Identity, create_data_dir};
use crate::ledger::{Ledger, Replayed};
use crate::link::{Addresses, Link};
use crate::policy::PolicyKeeper;
use crate::status::Door;

const LOCK: &str = "agent.lock";

/// Questions how the agent is that wait for the loop.
const STATUS_REQUESTS_MAX: usize = 8;

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
    policy: Arc<PolicyKeeper>,
    /// Whether it works.
    up: watch::Sender<bool>,
    /// Held so that no second agent works in the data directory.
    _lock: File,
}

/// What can be asked of an agent that runs.
#[derive(Debug, Clone)]
pub struct AgentHandle {
    policy: Arc<PolicyKeeper>,
    up: watch::Receiver<bool>,
}

impl AgentHandle {
    /// Reads the policy file again. One that cannot be used changes nothing; that it was refused is logged, told to the center,
    /// and shown by `cronfleet agent status`. Blocking.
    pub fn reload_policy(&self) {
        self.policy.reload();
    }

    /// Resolves once the agent has taken up its work: it supervises what runs, and dials. Never, if it ends before.
    pub async fn up(&mut self) {
        if self.up.wait_for(|is_up| *is_up).await.is_err() {
            std::future::pending().await
        }
    }
}

impl Agent {
    /// Takes possession of the data directory and reads what an earlier agent left in it.
    ///
    /// # Errors
    /// [`AgentError`]; [`AgentError::InUse`] if another agent works there, [`AgentError::Identity`] if it has not joined.
    pub fn open(config: Config) -> Result<Self, AgentError> {
        create_data_dir(&config.data_dir)?;
        let policy = Arc::new(PolicyKeeper::open(config.policy.clone())?);
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
            cgroups: config.cgroups.clone(),
        })?;
        Ok(Self {
            config,
            identity,
            host,
            ledger,
            replayed,
            policy,
            up: watch::channel(false).0,
            _lock: lock,
        })
    }

    /// Who it is.
    #[must_use]
    pub fn id(&self) -> AgentId {
        self.identity.agent
    }

    /// A handle on the agent, good for as long as it runs.
    #[must_use]
    pub fn handle(&self) -> AgentHandle {
        AgentHandle {
            policy: Arc::clone(&self.policy),
            up: self.up.subscribe(),
        }
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
            policy,
            up,
            _lock,
        } = self;
        let started_at = Timestamp::now();
        let (requests, work_requests) = mpsc::channel(STATUS_REQUESTS_MAX);
        ask_to_be_spared();
        let mut draws: StdRng = rand::make_rng();
        let link_draws = StdRng::from_rng(&mut draws);
        let agent = identity.agent;
        let runtime_dir = host.config().runtime_dir.clone();
        let keeper = Arc::clone(&policy);
        let opened = Opened {
            config: &config,
            agent,
            host,
            ledger,
            replayed,
            policy,
            work_requests,
            draws,
        };
        let engine = Engine::recover(opened).await?;
        let (events, link_events) = mpsc::channel(LINK_EVENTS_MAX);
        let door = Door {
            shared: engine.shared(),
            policy: keeper,
            requests,
            started_at,
            data_dir: config.data_dir.clone(),
            runtime_dir,
            certificate_not_after: identity.not_after,
        };
        let link = Link {
            addresses: Arc::new(Addresses::open(
                &config.data_dir,
                if config.centers.is_empty() {
                    identity.centers.clone()
                } else {
                    config.centers
                },
                agent,
            )),
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
        tasks.spawn(door.run(stop_link.clone()));
        // Nobody waits for it any more if the agent ends at once.
        up.send_replace(true);
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
