//! A center and one agent as separate programs in a temporary directory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use cronfleet_api::job::{Command, JobSpec, OutputPolicy, ScheduledSpec, StopPolicy};
use cronfleet_api::limits::{Limits, Stragglers};
use cronfleet_api::target::Target;
use tempfile::TempDir;
use uuid::Uuid;

use crate::api::Api;
use crate::center_host::CenterHost;
use crate::machine::Machine;
use crate::program::Program;
use crate::proxy::Proxy;
use crate::wait::eventually;

/// Name of the group that the fleet's agent serves.
pub const GROUP: &str = "default";

/// Time for a program to come up.
const UP_WAIT: Duration = Duration::from_secs(30);

/// Time for a machine to join where many do.
const JOIN_MAX: Duration = Duration::from_secs(120);

/// Time until one that was told to wait tries again.
const JOIN_AGAIN: Duration = Duration::from_secs(1);

/// A center and an agent; both end with it.
#[derive(Debug)]
pub struct Fleet {
    binary: PathBuf,
    machine: Machine,
    dir: TempDir,
    host: CenterHost,
    /// The center, unless it is down.
    pub center: Option<Program>,
    /// The agent, unless it is down.
    pub agent: Option<Program>,
    /// Signed in as administrator.
    pub api: Api,
    /// The group [`GROUP`].
    pub group: Uuid,
}

impl Fleet {
    /// Starts center and agent with the given `cronfleet` binary, creates the administrator, lets the agent join.
    ///
    /// # Errors
    /// Something does not come up; the message has what was printed.
    pub async fn start(binary: &Path) -> anyhow::Result<Self> {
        let dir = temporary_dir()?;
        let host = CenterHost::new(binary, dir.path().join("center"))?;
        Self::start_at(dir, host, binary).await
    }

    /// The same with a center on this database.
    ///
    /// # Errors
    /// See [`Fleet::start`].
    pub async fn start_on(binary: &Path, database: String) -> anyhow::Result<Self> {
        let dir = temporary_dir()?;
        let host = CenterHost::new(binary, dir.path().join("center"))?;
        Self::start_at(dir, host.on_database(Some(database)), binary).await
    }

    /// As [`Fleet::start`], with a link between center and agents that can be cut: nobody is told another address. The link is a
    /// task, so the runtime needs more than one thread.
    ///
    /// # Errors
    /// As of [`Fleet::start`].
    pub async fn start_behind_link(binary: &Path) -> anyhow::Result<(Self, Proxy)> {
        let dir = temporary_dir()?;
        let host = CenterHost::new(binary, dir.path().join("center"))?;
        let link = Proxy::start(host.agent_listen()).await?;
        let fleet = Self::start_at(dir, host.dialled_at(link.address()), binary).await?;
        Ok((fleet, link))
    }

    async fn start_at(dir: TempDir, host: CenterHost, binary: &Path) -> anyhow::Result<Self> {
        let (center, api) = host.start_first().await?;
        let agent_dir = dir.path().to_owned();
        let mut fleet = Self {
            machine: Machine::new(binary, agent_dir, host.agent_address().to_owned()),
            binary: binary.to_owned(),
            dir,
            host,
            center: Some(center),
            agent: None,
            group: api.group_named(GROUP).await?,
            api,
        };
        fleet.machine.join(&fleet.api.invite(fleet.group).await?)?;
        fleet.start_agent().await?;
        Ok(fleet)
    }

    /// One more machine with a group of its own, both called `name`. Its agent has joined and is not started.
    ///
    /// # Errors
    /// The center refuses.
    pub async fn machine(&self, name: &str) -> anyhow::Result<(Machine, Uuid)> {
        let group = self.api.group_named(name).await?;
        Ok((self.machine_in(name, group).await?, group))
    }

    /// One more machine of a group, called `name`. Its agent has joined and is not started.
    ///
    /// # Errors
    /// The center refuses.
    pub async fn machine_in(&self, name: &str, group: Uuid) -> anyhow::Result<Machine> {
        let dir = self.path(name);
        std::fs::create_dir(&dir)?;
        let machine = Machine::new(&self.binary, dir, self.host.agent_address().to_owned());
        let token = self.api.invite(group).await?;
        eventually("the machine may join", JOIN_MAX, async || {
            match machine.join(&token) {
                // Many join from one address.
                Err(error) if error.to_string().contains("wait a minute") => {
                    tokio::time::sleep(JOIN_AGAIN).await;
                    Ok(None)
                }
                joined => joined.map(Some),
            }
        })
        .await?;
        Ok(machine)
    }

    /// Starts the center (again) and waits until it serves.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn start_center(&mut self) -> anyhow::Result<()> {
        self.center = Some(self.host.start().await?);
        Ok(())
    }

    /// Starts the agent (again) and waits until it is online.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn start_agent(&mut self) -> anyhow::Result<()> {
        self.spawn_agent()?;
        let log = self.path("agent.log");
        eventually("the agent is online", UP_WAIT, async || {
            if let Some(status) = self.agent.as_mut().context("the agent is down")?.ended()? {
                anyhow::bail!(
                    "the agent ended with {status}:\n{}",
                    std::fs::read_to_string(&log)?
                );
            }
            Ok(self
                .api
                .agents()
                .await?
                .iter()
                .any(|agent| agent.is_online)
                .then_some(()))
        })
        .await
    }

    /// Starts the agent (again) without waiting.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn spawn_agent(&mut self) -> anyhow::Result<()> {
        self.agent = Some(self.machine.start()?);
        Ok(())
    }

    /// Lets the agent be started with another build of the product from now on: an upgrade, or the way back.
    pub fn use_agent_binary(&mut self, binary: &Path) {
        self.machine.use_binary(binary);
    }

    /// Kills the center with SIGKILL.
    ///
    /// # Errors
    /// It is down already.
    pub fn kill_center(&mut self) -> anyhow::Result<()> {
        self.center.take().context("the center is down")?.kill()
    }

    /// Kills the agent with SIGKILL.
    ///
    /// # Errors
    /// It is down already.
    pub fn kill_agent(&mut self) -> anyhow::Result<()> {
        self.agent.take().context("the agent is down")?.kill()
    }

    /// A path in the fleet's temporary directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The program under test.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Address of the center's REST interface, `host:port`.
    pub fn address(&self) -> &str {
        self.host.listen()
    }

    /// Where agents reach the center, `host:port`.
    pub fn agent_address(&self) -> &str {
        self.host.agent_address()
    }

    /// What center and agent have printed, for messages of failed tests.
    pub fn logs(&self) -> String {
        let read = |name| std::fs::read_to_string(self.path(name)).unwrap_or_default();
        format!(
            "--- center ---\n{}\n--- agent ---\n{}",
            read("center.log"),
            read("agent.log")
        )
    }

    /// Definition of a scheduled job that runs a shell script on every agent of the group as the test's own user.
    ///
    /// # Errors
    /// The test's own user has no name.
    pub fn scheduled(name: &str, expression: &str, script: &str) -> anyhow::Result<JobSpec> {
        Ok(JobSpec {
            scheduled: Some(ScheduledSpec {
                expression: expression.to_owned(),
                time_zone: Some("UTC".to_owned()),
                dst: Default::default(),
                active_from: None,
                active_until: None,
                calendar: None,
                overlap: Default::default(),
                queue_max: None,
                jitter_ms: 0,
                start_deadline_ms: None,
                catch_up: Default::default(),
                timeout_ms: None,
                retry: Default::default(),
            }),
            ..base(name, script)?
        })
    }

    /// Definition of a daemon job that keeps `processes` shells running a script.
    ///
    /// # Errors
    /// The test's own user has no name.
    pub fn daemon(name: &str, processes: u32, script: &str) -> anyhow::Result<JobSpec> {
        Ok(JobSpec {
            daemon: Some(Default::default()),
            processes,
            ..base(name, script)?
        })
    }
}

impl Drop for Fleet {
    /// Ends the agent together with the processes it holds, then the center.
    fn drop(&mut self) {
        drop(self.agent.take());
        drop(self.center.take());
    }
}

fn base(name: &str, script: &str) -> anyhow::Result<JobSpec> {
    Ok(JobSpec {
        name: name.to_owned(),
        description: String::new(),
        scheduled: None,
        daemon: None,
        command: Command {
            argv: Some(vec![
                "/bin/sh".to_owned(),
                "-c".to_owned(),
                script.to_owned(),
            ]),
            script: None,
        },
        run_as: user()?,
        directory: Some("/".to_owned()),
        environment: Default::default(),
        secrets: Vec::new(),
        umask: None,
        stragglers: Stragglers::default(),
        limits: Limits::default(),
        target: Target {
            all: true,
            ..Target::default()
        },
        processes: 1,
        output: OutputPolicy::default(),
        stop: StopPolicy::default(),
    })
}

/// Name of the user that the test runs as.
pub(crate) fn user() -> anyhow::Result<String> {
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::effective())?;
    Ok(user.context("the current user has no name")?.name)
}

/// A directory in memory, as the runtime directory of an agent must be for secrets.
///
/// # Errors
/// It cannot be made.
pub fn temporary_dir() -> std::io::Result<TempDir> {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    tempfile::Builder::new()
        .prefix("cronfleet-test-")
        .tempdir_in(place)
}
