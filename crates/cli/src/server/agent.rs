//! `cronfleet agent run` and `cronfleet agent join`, and the agent's part of `cronfleet up`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use cronfleet_agent::host::CgroupUse;
use cronfleet_agent::policy::PolicySource;
use cronfleet_agent::{Agent, Config, OnStop, join};
use cronfleet_wire::identity::JoinToken;
use serde::Deserialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::config_file::AgentSection;
use super::folders::{self, DataDir};
use super::logging::ServerFlags;
use super::run::run_until_signal;
use super::{notify, shim};
use crate::failure::Failure;
use crate::screen::Screen;

/// Run the agent of this machine.
#[derive(Args)]
pub(crate) struct Daemon {
    #[command(flatten)]
    data_dir: DataDir,
    /// Address of a center instead of those it joined; can be repeated
    #[arg(
        long,
        env = "CRONFLEET_CENTERS",
        value_name = "HOST:PORT",
        value_delimiter = ',',
        help_heading = "Server"
    )]
    center: Vec<String>,
    #[command(flatten)]
    agent: AgentFlags,
    /// What becomes of running processes when the agent is stopped [default: leave]
    #[arg(long, env = "CRONFLEET_ON_STOP", value_enum, help_heading = "Server")]
    on_stop: Option<OnStopWord>,
    #[command(flatten)]
    server: ServerFlags,
}

/// Flags of an agent, wherever it runs.
#[derive(Args)]
pub(super) struct AgentFlags {
    /// Directory of run folders, best on tmpfs, the same after every restart
    #[arg(
        long,
        env = "CRONFLEET_RUNTIME_DIR",
        value_name = "DIR",
        help_heading = "Server"
    )]
    runtime_dir: Option<PathBuf>,
    /// The program cronfleet-shim [default: beside cronfleet, or in ../lib/cronfleet]
    #[arg(
        long,
        env = "CRONFLEET_SHIM",
        value_name = "FILE",
        help_heading = "Server"
    )]
    shim: Option<PathBuf>,
    /// Policy file of this machine [default: /etc/cronfleet/agent-policy.toml; built-in rules that deny root without it]
    #[arg(
        long,
        env = "CRONFLEET_POLICY",
        value_name = "FILE",
        help_heading = "Server"
    )]
    policy: Option<PathBuf>,
    /// Control groups: own, off, or the directory of a delegated group without processes [default: own]
    #[arg(
        long,
        env = "CRONFLEET_CGROUPS",
        value_name = "WORD|DIR",
        help_heading = "Server"
    )]
    cgroups: Option<String>,
}

/// What becomes of running processes when the agent is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnStopWord {
    /// They run on; the next agent finds them
    Leave,
    /// They are stopped, and the agent waits for it
    Stop,
}

impl Daemon {
    /// Runs until a signal ends it.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut file = self.server.begin("info")?.agent;
        let data_dir = self
            .data_dir
            .resolve(file.data_dir.take(), folders::agent_data_dir)?;
        let on_stop = match self.on_stop.or(file.on_stop).unwrap_or(OnStopWord::Leave) {
            OnStopWord::Leave => OnStop::Leave,
            OnStopWord::Stop => OnStop::Stop,
        };
        let centers = match self.center.is_empty() {
            true => file.centers.take().unwrap_or_default(),
            false => self.center,
        };
        let config = Config {
            centers,
            on_stop,
            ..self.agent.config(data_dir, file)?
        };
        run_until_signal(async |stop| serve(config, stop).await)
    }
}

impl AgentFlags {
    /// The agent's configuration: flags over file over defaults. The directory is given from the root.
    pub(super) fn config(self, data_dir: PathBuf, file: AgentSection) -> Result<Config, Failure> {
        let shim = shim::find(self.shim.or(file.shim))?;
        let runtime_dir = match self.runtime_dir.or(file.runtime_dir) {
            Some(runtime_dir) => Some(folders::absolute(&runtime_dir)?),
            None => None,
        };
        let policy = match self.policy.or(file.policy) {
            Some(policy) => PolicySource::Required(folders::absolute(&policy)?),
            None => PolicySource::default(),
        };
        let cgroups = match self.cgroups.or(file.cgroups) {
            Some(text) => cgroup_use(&text)?,
            None => CgroupUse::Own,
        };
        Ok(Config {
            runtime_dir,
            policy,
            cgroups,
            ..Config::new(data_dir, shim)
        })
    }
}

fn cgroup_use(text: &str) -> Result<CgroupUse, Failure> {
    match text {
        "own" => Ok(CgroupUse::Own),
        "off" => Ok(CgroupUse::Off),
        directory if directory.starts_with('/') => Ok(CgroupUse::Given(directory.into())),
        other => Err(Failure::Input {
            field: "--cgroups".to_owned(),
            message: format!("{other:?} is neither own, off nor an absolute path"),
            hint: "leave it out, or name a group such as /sys/fs/cgroup/cronfleet.slice/jobs"
                .to_owned(),
        }),
    }
}

/// Opens the agent and runs it until told to stop.
pub(super) async fn serve(config: Config, stop: CancellationToken) -> Result<(), Failure> {
    // Before the policy is read, so that a signal can only make it be read twice.
    let mut hangups =
        signal(SignalKind::hangup()).map_err(|error| Failure::system("wait for signals", error))?;
    let agent = Agent::open(config)?;
    tracing::info!(agent.id = %agent.id(), "agent is up");
    let mut handle = agent.handle();
    let reloader = handle.clone();
    let reloads = async {
        while hangups.recv().await.is_some() {
            notify::reloading();
            let handle = reloader.clone();
            let read = tokio::task::spawn_blocking(move || handle.reload_policy());
            if let Err(error) = read.await {
                tracing::error!(%error, "the policy could not be read again");
            }
            notify::ready();
        }
        std::future::pending::<()>().await;
    };
    let announced = async {
        handle.up().await;
        notify::ready();
        reloads.await;
    };
    tokio::select! {
        ended = agent.run(stop) => ended?,
        () = announced => {}
    }
    tracing::info!("agent is down");
    Ok(())
}

/// Join a fleet: get this machine's identity from a center, with a token that it made.
#[derive(Args)]
pub(crate) struct Join {
    /// Address of a center; can be repeated
    #[arg(long, value_name = "HOST:PORT", required = true)]
    center: Vec<String>,
    /// The token, cfj_…; pins the center's certificate authority
    #[arg(long, env = "CRONFLEET_JOIN_TOKEN", hide_env_values = true)]
    token: String,
    #[command(flatten)]
    data_dir: DataDir,
}

impl Join {
    /// Joins and stores the identity.
    pub(crate) async fn run(self, screen: &mut Screen) -> Result<(), Failure> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let token: JoinToken = self.token.parse().map_err(
            |error: cronfleet_wire::identity::ParseJoinTokenError| Failure::Input {
                field: "--token".to_owned(),
                message: error.to_string(),
                hint: "copy the whole token that \"cronfleet agent token\" printed".to_owned(),
            },
        )?;
        let data_dir = self.data_dir.resolve(None, folders::agent_data_dir)?;
        let identity = join(&self.center, &token, &data_dir).await?;
        if screen.is_json() {
            return screen.json(&serde_json::json!({ "agent_id": identity.agent.to_string() }));
        }
        screen.line(format_args!("joined as {}", identity.agent))?;
        screen.note("start it with \"cronfleet agent run\"; it works as soon as an administrator lets it in");
        Ok(())
    }
}
