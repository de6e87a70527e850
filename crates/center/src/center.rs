//! A center as a whole: opened from its data directory, run until told to stop.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cronfleet_core::access::Reach;
use cronfleet_core::id::{GroupId, JobId, UserId};
use cronfleet_core::job::{JobKind, JobSpec};
use cronfleet_core::plan::later;
use cronfleet_core::schedule::{Kind, ScheduleError};
use cronfleet_store::{
    Conflict, DatabaseUrl, NewCenter, NewGroup, NewJob, NewJoinToken, SecretHash, Store,
    StoreError, Timing,
};
use cronfleet_wire::identity::{self, JoinToken};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::bus::EventBus;
use crate::clock;
use crate::config::Config;
use crate::election::Election;
use crate::heartbeats::Heartbeats;
use crate::http::{self, HttpState, Services, Settings};
use crate::link::clerk::Clerk;
use crate::link::{self, Parts};
use crate::mint::Mint;
use crate::nudge::Nudges;
use crate::offers::Offers;
use crate::peers::Registry;
use crate::pki::Pki;
use crate::planner::Planner;
use crate::relay::{Exchange, Relay};
use crate::seal::{SealError, Sealer};
use crate::shared_files::{AuthorityError, open_authority};
use crate::{housekeeping, setup};

/// Name of the group that a new center begins with.
pub const DEFAULT_GROUP: &str = "default";
/// How long a join token for the machine's own agent is good.
const LOCAL_TOKEN_TTL: Duration = Duration::from_secs(600);
/// Author of what the center itself creates; no such user exists.
const NOBODY: UserId = UserId::from_u128(0);

/// A center cannot be opened or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum CenterError {
    /// The data directory cannot be used.
    #[error("cannot use the data directory {path}")]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another center works in the same data directory.
    #[error("another center is running on {path}: with SQLite there is exactly one")]
    AlreadyRunning {
        /// The data directory.
        path: PathBuf,
    },
    /// The database cannot be used.
    #[error("cannot use the database")]
    Store(#[from] StoreError),
    /// The certificate authority cannot be used.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// Secrets cannot be kept.
    #[error("cannot keep secrets")]
    Seal(#[from] SealError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The agents' listener failed.
    #[error(transparent)]
    Link(#[from] link::LinkError),
    /// People's listener failed.
    #[error(transparent)]
    Http(#[from] http::ServeError),
    /// A definition that the center was given is wrong.
    #[error("the schedule {expression:?} is refused")]
    Schedule {
        /// The expression.
        expression: String,
        /// Why.
        #[source]
        source: Box<ScheduleError>,
    },
}

/// An open center: its listeners are bound, nothing is served yet.
pub struct Center {
    config: Config,
    store: Store,
    pki: Pki,
    mint: Mint,
    sealer: Arc<Sealer>,
    people: TcpListener,
    agents: TcpListener,
    people_address: SocketAddr,
    agents_address: SocketAddr,
    setup_code: Option<String>,
    nudges: Nudges,
    relay: Relay,
    registry: Registry,
    election: Election,
    /// Names this start of the center in the database.
    id: String,
    // Held as long as the center is open: with SQLite there is one center per data directory.
    _locks: (fs::File, Option<fs::File>),
}

impl Center {
    /// Opens the data directory (creating it at the first start) and binds both listeners.
    ///
    /// # Errors
    /// See [`CenterError`]; nothing is served and nothing is left running.
    pub async fn open(config: Config) -> Result<Self, CenterError> {
        let now = clock::now();
        let lock = take_data_dir(&config.data_dir)?;
        let database = config.database();
        let database_lock = take_file(&database)?;
        let store = Store::open(&database).await?;
        let pki = open_authority(&store, &config.data_dir.join("pki"), now).await?;
        let mint = Mint::from_system();
        let key_file = config.master_key_file.as_deref();
        let sealer = Sealer::open(&config.data_dir, key_file, &store, &mint, now).await?;
        let id = identity::hex(&mint.secret()[..8]);
        let election = Election::open(store.apart().await?, id.clone()).await?;
        let clock = election.clock();
        let setup_code = setup::renew_code(&store, &mint, clock.now()).await?;
        let (people, people_address) = bind(config.listen).await?;
        let (agents, agents_address) = bind(config.agent_listen).await?;
        let relay = Relay::default();
        let nudges = Nudges::with(relay.clone());
        let registry = Registry::open(
            store.clone(),
            describe(&config, &id, people_address, agents_address),
            nudges.clone(),
            relay.clone(),
            clock,
            election.leadership(),
        )
        .await?;
        Ok(Self {
            config,
            store,
            pki,
            mint,
            sealer: Arc::new(sealer),
            people,
            agents,
            people_address,
            agents_address,
            setup_code,
            nudges,
            relay,
            registry,
            election,
            id,
            _locks: (lock, database_lock),
        })
    }

    /// The one-time code that creates the first administrator; `None` once there is one. New at each start.
    pub fn setup_code(&self) -> Option<&str> {
        self.setup_code.as_deref()
    }

    /// Where people connect.
    pub fn people_address(&self) -> SocketAddr {
        self.people_address
    }

    /// `host:port` that agents are told to dial.
    pub fn agent_address(&self) -> String {
        self.config
            .agent_address
            .clone()
            .unwrap_or_else(|| self.agents_address.to_string())
    }

    /// The group that a new center begins with, made if there is no group at all; `None` if there are groups but none of
    /// that name. `run_as` is allowed in a group that is made.
    ///
    /// # Errors
    /// [`CenterError::Store`].
    pub async fn default_group(&self, run_as: &str) -> Result<Option<GroupId>, CenterError> {
        let groups = self.store.groups(&Reach::Everything, None, 500).await?;
        if let Some(group) = groups
            .items
            .iter()
            .find(|group| group.name == DEFAULT_GROUP)
        {
            return Ok(Some(group.id));
        }
        if !groups.items.is_empty() {
            return Ok(None);
        }
        let now = self.election.clock().now();
        let group = NewGroup {
            id: GroupId::from_uuid(self.mint.id(now)),
            name: DEFAULT_GROUP.to_owned(),
            description: String::new(),
            run_as: vec![run_as.to_owned()],
            agents: Vec::new(),
        };
        self.store.create_group(&group, now).await?;
        Ok(Some(group.id))
    }

    /// Mints a join token for the machine's own agent: one use, approved beforehand, good for ten minutes.
    ///
    /// # Errors
    /// [`CenterError::Store`].
    pub async fn local_join_token(&self, group: Option<GroupId>) -> Result<JoinToken, CenterError> {
        let now = self.election.clock().now();
        let secret = self.mint.secret();
        let token = NewJoinToken {
            id: self.mint.id(now),
            secret: SecretHash(Sha256::digest(secret).into()),
            groups: group.into_iter().collect(),
            is_preapproved: true,
            uses_max: 1,
            expires_at: later(now, LOCAL_TOKEN_TTL),
            created_by: NOBODY,
        };
        self.store.create_join_token(&token, now).await?;
        let id = identity::hex(&token.id.as_bytes()[8..]);
        Ok(JoinToken {
            id,
            secret,
            ca_sha256: self.pki.ca_sha256(),
        })
    }

    /// Creates a job unless the group has one of that name; answers whether it did. For sample jobs.
    ///
    /// # Errors
    /// [`CenterError::Schedule`], [`CenterError::Store`].
    pub async fn create_sample(&self, group: GroupId, spec: JobSpec) -> Result<bool, CenterError> {
        let now = self.election.clock().now();
        let id = JobId::from_uuid(self.mint.id(now));
        let timing = timing(&spec, id, now)?;
        let job = NewJob {
            id,
            group,
            spec,
            is_paused: false,
            timing,
            author: NOBODY,
        };
        match self.store.create_job(&job, now).await {
            Ok(()) => {
                self.nudges.jobs_changed();
                Ok(true)
            }
            Err(StoreError::Conflict(Conflict::JobNameTaken)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Serves until `stop`; returns when every task is gone and the database is closed.
    ///
    /// # Errors
    /// A listener failed; everything else was stopped.
    pub async fn run(self, stop: CancellationToken) -> Result<(), CenterError> {
        // When one part ends, for whatever reason, the others must not go on alone.
        let stop = stop.child_token();
        let _stop_all = stop.clone().drop_guard();
        let agent_address = self.agent_address();
        let bus = EventBus::with(self.relay.clone());
        let heartbeats = Heartbeats::default();
        let settings = Settings {
            center: self.id.clone(),
            default_time_zone: self.config.default_time_zone.clone(),
            agent_address,
            ca_sha256: self.pki.ca_sha256(),
            is_tls: self.config.tls.is_some(),
            hosts: self.config.host_filter(),
        };
        let (clock, leadership) = (self.election.clock(), self.election.leadership());
        let services = Services {
            store: self.store.clone(),
            bus: bus.clone(),
            nudges: self.nudges.clone(),
            mint: self.mint.clone(),
            sealer: Arc::clone(&self.sealer),
            clock: clock.clone(),
            leadership: leadership.clone(),
        };
        let state = HttpState::new(services, settings, stop.clone());
        let exchange = Exchange {
            relay: self.relay,
            store: self.store.clone(),
            center: self.id.clone(),
            bus: bus.clone(),
            nudges: self.nudges.clone(),
            mint: self.mint.clone(),
            clock: clock.clone(),
        };
        let clerk = Clerk::start(
            self.store.clone(),
            bus.clone(),
            self.nudges.clone(),
            clock.clone(),
        );
        let parts = Arc::new(Parts {
            store: self.store.clone(),
            clerk,
            nudges: self.nudges.clone(),
            bus: bus.clone(),
            mint: self.mint.clone(),
            pki: self.pki,
            sealer: self.sealer,
            heartbeats: heartbeats.clone(),
            clock: clock.clone(),
            windows: state.windows(),
            addresses: self.registry.addresses(),
            center: self.id,
        });
        let planner = Planner::new(
            self.store.clone(),
            self.nudges.clone(),
            bus.clone(),
            clock.clone(),
            leadership.clone(),
        );
        let offers = Offers {
            store: self.store.clone(),
            nudges: self.nudges,
            bus: bus.clone(),
            clock: clock.clone(),
            leadership: leadership.clone(),
            mint: self.mint.clone(),
        };
        let keeping = housekeeping::run(
            self.store.clone(),
            bus,
            heartbeats,
            clock,
            leadership,
            stop.clone(),
        );
        let people = http::serve(self.people, &self.config, http::router(state), stop.clone());
        let agents = link::serve(self.agents, self.agents_address, parts, stop.clone());
        tracing::info!(people = %self.people_address, agents = %self.agents_address, "center is up");
        let stop_after = |done: Result<(), CenterError>| {
            stop.cancel();
            done
        };
        let (elected, looked, told, planned, decided, kept, served, linked) = tokio::join!(
            async { tokio::spawn(self.election.run(stop.clone())).await },
            async { tokio::spawn(self.registry.run(stop.clone())).await },
            async { tokio::spawn(exchange.run(stop.clone())).await },
            async { tokio::spawn(planner.run(stop.clone())).await },
            async { tokio::spawn(offers.run(stop.clone())).await },
            async { tokio::spawn(keeping).await },
            async { stop_after(people.await.map_err(CenterError::from)) },
            async { stop_after(agents.await.map_err(CenterError::from)) },
        );
        for task in [elected, looked, told, planned, decided, kept] {
            if let Err(error) = task
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
        self.store.close().await?;
        tracing::info!("center is down");
        served.and(linked)
    }
}

/// What the store needs to know of a new job's schedule.
fn timing(spec: &JobSpec, job: JobId, now: Timestamp) -> Result<Timing, CenterError> {
    let JobKind::Scheduled(scheduled) = &spec.kind else {
        return Ok(Timing {
            next_due: None,
            is_reboot: false,
        });
    };
    let schedule = scheduled
        .schedule(job)
        .map_err(|source| CenterError::Schedule {
            expression: scheduled.expression.clone(),
            source: Box::new(source),
        })?;
    Ok(Timing {
        next_due: schedule.next_after(now),
        is_reboot: schedule.kind() == Kind::Reboot,
    })
}

/// Creates the data directory and takes it for this process.
fn take_data_dir(path: &Path) -> Result<fs::File, CenterError> {
    let fail = |source| CenterError::DataDir {
        path: path.to_owned(),
        source,
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(fail)?;
    take(&path.join("center.lock"), path)
}

/// Takes the file of an SQLite database for this process: it has one center, wherever the file lies. Servers need no lock.
///
/// # Errors
/// [`CenterError::AlreadyRunning`], [`CenterError::DataDir`] if its directory cannot be written to.
pub fn take_file(database: &DatabaseUrl) -> Result<Option<fs::File>, CenterError> {
    let Some(file) = database.file() else {
        return Ok(None);
    };
    take(&file.with_added_extension("lock"), file).map(Some)
}

/// Takes a lock file that stands for `path`.
fn take(lock: &Path, path: &Path) -> Result<fs::File, CenterError> {
    let fail = |source| CenterError::DataDir {
        path: path.to_owned(),
        source,
    };
    let lock = fs::File::create(lock).map_err(fail)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => Err(CenterError::AlreadyRunning {
            path: path.to_owned(),
        }),
        Err(fs::TryLockError::Error(source)) => Err(fail(source)),
    }
}

/// What this center says of itself to the others.
fn describe(config: &Config, id: &str, people: SocketAddr, agents: SocketAddr) -> NewCenter {
    let name = nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_default();
    let scheme = if config.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let host = match config.host_names.first() {
        Some(host) => format!("{host}:{}", people.port()),
        None if people.ip().is_unspecified() => format!("{name}:{}", people.port()),
        None => people.to_string(),
    };
    let agent_address = config
        .agent_address
        .clone()
        .or_else(|| (!agents.ip().is_unspecified()).then(|| agents.to_string()));
    NewCenter {
        id: id.to_owned(),
        name,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        address: format!("{scheme}://{host}"),
        agent_address,
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), CenterError> {
    let fail = |source| CenterError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(fail)?;
    let bound = listener.local_addr().map_err(fail)?;
    Ok((listener, bound))
}
