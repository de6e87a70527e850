//! `cronfleet up`: a center and the agent of this machine in one process, with a real link between them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Args;
use cronfleet_agent::policy::PolicySource;
use cronfleet_agent::{Config as AgentConfig, Identity, IdentityError, OnStop, join};
use cronfleet_center::{Center, Config as CenterConfig};
use cronfleet_core::id::GroupId;
use cronfleet_wire::identity::JoinToken;
use tokio_util::sync::CancellationToken;

use super::agent::{self, AgentFlags};
use super::box_drawing::framed;
use super::center::{CenterFlags, scheme};
use super::folders::{self, DataDir};
use super::logging::ServerFlags;
use super::run::run_until_signal;
use super::{demo, local_policy};
use crate::args::Options;
use crate::failure::Failure;
use crate::screen::Screen;

/// Run a center and an agent on this machine, ready to use.
#[derive(Args)]
pub(crate) struct Up {
    #[command(flatten)]
    data_dir: DataDir,
    /// Add sample jobs, once
    #[arg(long, help_heading = "Server")]
    demo: bool,
    #[command(flatten)]
    center: CenterFlags,
    #[command(flatten)]
    agent: AgentFlags,
    #[command(flatten)]
    server: ServerFlags,
}

impl Up {
    /// Runs until a signal ends it.
    pub(crate) fn run(self, options: &Options, screen: &mut Screen) -> Result<(), Failure> {
        let file = self.server.begin("warn")?;
        let data_dir = self.data_dir.resolve(None, folders::data_dir)?;
        let center =
            self.center
                .config(data_dir.join("center"), file.center, options.insecure_http)?;
        let user = current_user()?;
        let mut agent = AgentConfig {
            on_stop: OnStop::Stop,
            ..self.agent.config(data_dir.join("agent"), file.agent)?
        };
        if agent.policy == PolicySource::default() {
            agent.policy = local_policy::source(&data_dir, &user)?;
        }
        let fleet = Fleet {
            data_dir,
            center,
            agent,
            has_demo: self.demo,
            user,
        };
        run_until_signal(async |stop| fleet.run(stop, screen).await)
    }
}

/// A fleet of one machine.
struct Fleet {
    data_dir: PathBuf,
    center: CenterConfig,
    agent: AgentConfig,
    has_demo: bool,
    user: String,
}

impl Fleet {
    async fn run(self, stop: CancellationToken, screen: &mut Screen) -> Result<(), Failure> {
        let scheme = scheme(&self.center);
        let agents_port = self.center.agent_listen;
        let is_advertised_elsewhere = self.center.agent_address.is_some();
        let center = Center::open(self.center).await?;
        let dialled = match center.agent_address().parse::<SocketAddr>() {
            Ok(bound) if !is_advertised_elsewhere => from_here(bound),
            _ => from_here(agents_port),
        };
        let group = center.default_group(&self.user).await?;
        if self.has_demo
            && let Some(group) = group
        {
            demo::create_once(&center, group, &self.data_dir, &self.user).await?;
        }
        let token = join_token(&center, group, &self.agent.data_dir).await?;
        let url = format!("{scheme}://{}", from_here(center.people_address()));
        let policy = self.agent.policy.path().to_owned();
        screen.line(welcome(&url, center.setup_code(), &self.data_dir, &policy))?;
        screen.flush()?;
        let agent = AgentConfig {
            centers: vec![dialled.to_string()],
            ..self.agent
        };
        run_both(center, agent, token, stop).await
    }
}

/// Runs the agent until told to stop and the center as long as the agent needs it; when one fails the other one is stopped.
async fn run_both(
    center: Center,
    agent: AgentConfig,
    token: Option<JoinToken>,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let stop_center = CancellationToken::new();
    let center = tokio::spawn(center.run(stop_center.clone()));
    let stop_agent = stop.clone();
    let agent = tokio::spawn(async move {
        let joined = match token {
            Some(token) => join(&agent.centers, &token, &agent.data_dir)
                .await
                .map(drop),
            None => Ok(()),
        };
        match joined {
            Ok(()) => agent::serve(agent, stop_agent).await,
            Err(error) => Err(error.into()),
        }
    });
    let mut center = std::pin::pin!(center);
    let mut agent = std::pin::pin!(agent);
    let (center, agent) = tokio::select! {
        ended = &mut agent => {
            stop_center.cancel();
            (center.await, ended)
        }
        ended = &mut center => {
            stop.cancel();
            (ended, agent.await)
        }
    };
    let panicked = |error| Failure::system("go on", error);
    center.map_err(panicked)?.map_err(Failure::from)?;
    agent.map_err(panicked)?
}

/// A token for the agent if it has no identity yet.
async fn join_token(
    center: &Center,
    group: Option<GroupId>,
    agent_dir: &Path,
) -> Result<Option<JoinToken>, Failure> {
    match Identity::load(agent_dir) {
        Ok(_) => Ok(None),
        Err(IdentityError::Missing { .. }) => Ok(Some(center.local_join_token(group).await?)),
        Err(error) => Err(cronfleet_agent::AgentError::from(error).into()),
    }
}

fn welcome(url: &str, setup_code: Option<&str>, data_dir: &Path, policy: &Path) -> String {
    let mut lines = vec![("console", url.to_owned())];
    match setup_code {
        Some(code) => {
            lines.push(("setup code", code.to_owned()));
            let next = "open the console and create the first administrator with the setup code";
            lines.push(("next", next.to_owned()));
        }
        None => lines.push(("next", "open the console and sign in".to_owned())),
    }
    lines.push(("data", data_dir.display().to_string()));
    lines.push(("policy", policy.display().to_string()));
    lines.push((
        "stop",
        "Ctrl-C stops the center, the agent and its processes".to_owned(),
    ));
    framed("Cronfleet is up.", &lines)
}

/// The address under which this machine reaches its own listener.
fn from_here(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

/// Name of the user that everything runs as.
fn current_user() -> Result<String, Failure> {
    let uid = nix::unistd::Uid::effective();
    match nix::unistd::User::from_uid(uid) {
        Ok(Some(user)) => Ok(user.name),
        Ok(None) => Err(Failure::system(
            "find my user",
            format!("user id {uid} has no name"),
        )),
        Err(error) => Err(Failure::system("find my user", error)),
    }
}
