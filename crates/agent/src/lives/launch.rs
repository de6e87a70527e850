//! From an order to what the host launches.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cronfleet_core::id::{LifeId, ProcessId};
use cronfleet_core::job::{Command, Launch, WhenFull};
use cronfleet_core::limits::{ProcessLimits, Stragglers};
use cronfleet_core::order::{DaemonOrder, Order};
use cronfleet_core::run::Reason;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::evidence::NotStarted;
use super::permit::permit;
use super::places::Places;
use super::users::Users;
use super::vault::{Vault, Wanted};
use crate::error::chain;
use crate::host::{
    self, GroupLimits, Host, LifeCommand, LifeSpec, Limit, OutputPolicy, Resource,
    build_environment,
};
use crate::link::LinkShared;
use crate::policy::{KnownUser, PolicyKeeper};

/// Time before the start deadline at which a run stops waiting for its secrets, so that it fails for that reason.
const SECRETS_MARGIN: Duration = Duration::from_millis(500);

/// Longest wait of a daemon's process for its secrets; then its slot tries again after its backoff.
const PROCESS_PATIENCE: Duration = Duration::from_secs(10);
/// Probes under way at a time; more wait. Waiting is no part of a probe's time limit.
const PROBES_AT_ONCE: usize = 32;

/// What a life is for.
#[derive(Debug, Clone)]
pub(crate) enum Purpose {
    /// A run.
    Run(Arc<Order>),
    /// A daemon process.
    Process {
        /// What is wanted.
        order: Arc<DaemonOrder>,
        /// The process.
        process: ProcessId,
        /// Its slot.
        index: u32,
    },
    /// A command that asks a daemon process how it is.
    Probe {
        /// The life of the command itself.
        life: LifeId,
        /// What is wanted.
        order: Arc<DaemonOrder>,
        /// The process that is asked about.
        process: ProcessId,
        /// Its slot.
        index: u32,
        /// Its number.
        pid: i32,
        /// The job's launch with the probe's command.
        launch: Box<Launch>,
    },
}

impl Purpose {
    /// The life's id.
    pub(crate) fn life(&self) -> LifeId {
        match self {
            Self::Run(order) => order.run.into(),
            Self::Process { process, .. } => (*process).into(),
            Self::Probe { life, .. } => *life,
        }
    }

    /// What to launch.
    pub(crate) fn launch(&self) -> &Launch {
        match self {
            Self::Run(order) => &order.launch,
            Self::Process { order, .. } => &order.launch,
            Self::Probe { launch, .. } => launch,
        }
    }

    /// Whose secrets it needs.
    fn wanted(&self) -> Wanted {
        match self {
            Self::Run(order) => Wanted {
                job: order.job,
                version: order.job_version,
            },
            Self::Process { order, .. } | Self::Probe { order, .. } => Wanted {
                job: order.job,
                version: order.job_version,
            },
        }
    }

    /// What Cronfleet says to the process.
    fn variables(&self) -> Vec<(String, String)> {
        let variables = match self {
            Self::Run(order) => vec![
                ("CRONFLEET_RUN_ID", order.run.to_string()),
                ("CRONFLEET_JOB_ID", order.job.to_string()),
                ("CRONFLEET_JOB_NAME", order.job_name.clone()),
                (
                    "CRONFLEET_DUE",
                    order.due.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
                ),
                ("CRONFLEET_ATTEMPT", order.attempt.to_string()),
                ("CRONFLEET_COPY", order.copy.to_string()),
                ("CRONFLEET_COPIES", order.copies.to_string()),
            ],
            Self::Process {
                order,
                process,
                index,
            } => process_variables(order, *process, *index),
            Self::Probe {
                order,
                process,
                index,
                pid,
                ..
            } => {
                let mut variables = process_variables(order, *process, *index);
                variables.push(("CRONFLEET_PID", pid.to_string()));
                variables
            }
        };
        variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

fn process_variables(
    order: &DaemonOrder,
    process: ProcessId,
    index: u32,
) -> Vec<(&'static str, String)> {
    vec![
        ("CRONFLEET_PROCESS_ID", process.to_string()),
        ("CRONFLEET_JOB_ID", order.job.to_string()),
        ("CRONFLEET_JOB_NAME", order.job_name.clone()),
        ("CRONFLEET_SLOT", index.to_string()),
        ("CRONFLEET_SLOTS", order.processes.to_string()),
    ]
}

/// What all lives are launched with. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Launcher {
    pub(crate) host: Host,
    pub(crate) policy: Arc<PolicyKeeper>,
    pub(crate) places: Places,
    users: Arc<Users>,
    vault: Vault,
    shared: Arc<LinkShared>,
    /// Room for probes under way.
    pub(super) probes: Arc<Semaphore>,
}

impl Launcher {
    pub(crate) fn new(
        host: Host,
        policy: Arc<PolicyKeeper>,
        vault: Vault,
        shared: Arc<LinkShared>,
    ) -> Self {
        Self {
            host,
            policy,
            places: Places::default(),
            users: Arc::default(),
            vault,
            shared,
            probes: Arc::new(Semaphore::new(PROBES_AT_ONCE)),
        }
    }

    /// Resolves everything that a launch needs.
    ///
    /// # Errors
    /// Why the process cannot be started, e.g. [`Reason::UserUnknown`] or [`Reason::PolicyDenied`].
    pub(super) async fn spec(&self, purpose: &Purpose) -> Result<LifeSpec, NotStarted> {
        let launch = purpose.launch();
        let known = self.user(&launch.run_as).await?;
        let user = &known.user;
        let job = launch
            .environment
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()));
        let environment =
            build_environment(user, job, purpose.variables()).map_err(|error| NotStarted {
                reason: Reason::SpawnFailed,
                detail: error.to_string(),
            })?;
        let mut spec = LifeSpec::new(user.clone(), command(&launch.command));
        spec.environment = environment;
        if let Some(directory) = &launch.directory {
            spec.directory = PathBuf::from(directory);
        }
        spec.umask = launch.umask;
        set_limits(&mut spec, &launch.limits);
        spec.stragglers = match launch.stragglers {
            Stragglers::Kill => host::Stragglers::Kill,
            Stragglers::Leave => host::Stragglers::Leave,
        };
        spec.stop_signal = launch.stop.signal.number();
        spec.output = if launch.output.is_stored {
            OutputPolicy::Store {
                cap_bytes: launch.output.cap_bytes,
                block_max: match launch.output.when_full {
                    WhenFull::Drop => None,
                    WhenFull::Block { wait_max } => Some(wait_max),
                },
            }
        } else {
            OutputPolicy::Discard
        };
        permit(&self.policy, launch, &known, &mut spec).await?;
        // Last: nobody is asked for values for a start that may not be.
        spec.secrets = self
            .vault
            .secrets(purpose.wanted(), &launch.secrets, self.patience(purpose))
            .await?;
        Ok(spec)
    }

    /// How long a start may wait for its secrets: a run a little less than until it would be too late.
    fn patience(&self, purpose: &Purpose) -> Instant {
        let now = Instant::now();
        match purpose {
            Purpose::Run(order) => {
                let left = order
                    .not_after
                    .duration_since(self.shared.clock.now().center);
                let left = Duration::try_from(left).unwrap_or_default();
                now + left.saturating_sub(SECRETS_MARGIN)
            }
            Purpose::Process { .. } | Purpose::Probe { .. } => now + PROCESS_PATIENCE,
        }
    }

    async fn user(&self, name: &str) -> Result<KnownUser, NotStarted> {
        if let Some(user) = self.users.recent(name) {
            return Ok(user);
        }
        let (users, name) = (Arc::clone(&self.users), name.to_owned());
        let failed = |reason, detail| NotStarted { reason, detail };
        match spawn_blocking(move || users.resolve(&name)).await {
            Ok(Ok(user)) => Ok(user),
            Ok(Err(error)) => {
                let reason = Reason::from_word(error.code()).unwrap_or(Reason::IdentityFailed);
                Err(failed(reason, chain(&error)))
            }
            Err(error) => Err(failed(Reason::IdentityFailed, error.to_string())),
        }
    }
}

fn set_limits(spec: &mut LifeSpec, limits: &ProcessLimits) {
    spec.group_limits = GroupLimits {
        memory_max_bytes: limits.memory_max_bytes,
        cpu_max_millicores: limits.cpu_max_millicores,
        pids_max: limits.pids_max,
    };
    let both = |resource, bound: Option<u64>| {
        bound.map(|_| Limit {
            resource,
            soft: bound,
            hard: bound,
        })
    };
    let each = [
        both(Resource::OpenFiles, limits.open_files_max),
        both(Resource::Core, limits.core_size_max_bytes),
    ];
    spec.limits = each.into_iter().flatten().collect();
    spec.nice = limits.nice.unwrap_or(0);
    spec.io_priority = limits.io_priority;
    spec.oom_score_adj = limits.oom_score_adj;
    spec.no_new_privs = !limits.may_gain_privileges;
}

fn command(command: &Command) -> LifeCommand {
    let words = |words: &[String]| words.iter().map(OsString::from).collect();
    match command {
        Command::Argv(argv) => LifeCommand::Argv(words(argv)),
        Command::Script { interpreter, text } => LifeCommand::Script {
            interpreter: words(interpreter),
            text: text.clone().into_bytes(),
            arguments: Vec::new(),
        },
    }
}
