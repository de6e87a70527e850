//! A center in a directory of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use cronfleet_testdb::reserved_address;
use tokio::time::timeout;

use crate::api::Api;
use crate::program::Program;
use crate::wait::eventually;

/// Time for a center to come up.
const UP_WAIT: Duration = Duration::from_secs(30);

/// Time for one that works to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// What every center of a deployment must have, below its data directory.
const SHARED_FILES: [&str; 3] = ["pki/ca.key", "pki/ca.crt", "master.key"];

/// Where a center lives, listens and keeps its records.
#[derive(Debug, Clone)]
pub struct CenterHost {
    binary: PathBuf,
    dir: PathBuf,
    listen: String,
    agent_listen: String,
    agent_address: String,
    database: Option<String>,
    environment: Vec<(String, String)>,
}

impl CenterHost {
    /// A center of the given `cronfleet` binary with its data in `dir` and its log beside that, on ports of loopback that stay
    /// its own.
    ///
    /// # Errors
    /// There is no port.
    pub fn new(binary: &Path, dir: PathBuf) -> anyhow::Result<Self> {
        let agent_listen = reserved_address()?;
        Ok(Self {
            binary: binary.to_owned(),
            dir,
            listen: reserved_address()?,
            agent_address: agent_listen.clone(),
            agent_listen,
            database: None,
            environment: Vec::new(),
        })
    }

    /// On the database with this URL instead of a file of its own.
    #[must_use]
    pub fn on_database(self, database: Option<String>) -> Self {
        Self { database, ..self }
    }

    /// Telling agents to dial another address than that it listens on.
    #[must_use]
    pub fn dialled_at(self, agent_address: String) -> Self {
        Self {
            agent_address,
            ..self
        }
    }

    /// With one more environment variable.
    #[must_use]
    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Where people connect, `host:port`.
    pub fn listen(&self) -> &str {
        &self.listen
    }

    /// Where it waits for agents, `host:port`.
    pub fn agent_listen(&self) -> &str {
        &self.agent_listen
    }

    /// Where agents are told to connect, `host:port`.
    pub fn agent_address(&self) -> &str {
        &self.agent_address
    }

    /// Its data directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What it prints.
    pub fn log(&self) -> PathBuf {
        self.dir.with_extension("log")
    }

    /// The program with its arguments.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("center");
        command.arg("--data-dir").arg(&self.dir);
        command.args(["--listen", &self.listen]);
        command.args(["--agent-listen", &self.agent_listen]);
        command.args(["--agent-address", &self.agent_address]);
        if let Some(database) = &self.database {
            command.args(["--database", database]);
        }
        for (name, value) in &self.environment {
            command.env(name, value);
        }
        command
    }

    /// Starts it and waits until it serves.
    ///
    /// # Errors
    /// It does not come up; the message has what it printed.
    pub async fn start(&self) -> anyhow::Result<Program> {
        let mut center = Program::spawn(self.command(), &self.log())?;
        eventually("the center is ready", UP_WAIT, async || {
            if let Some(status) = center.ended()? {
                anyhow::bail!("the center ended with {status}:\n{}", center.printed()?);
            }
            Ok(self.is_ready().await.then_some(()))
        })
        .await?;
        Ok(center)
    }

    /// Starts it for the first time and creates the administrator, as whom the answer is signed in.
    ///
    /// # Errors
    /// It does not come up, or prints no setup code.
    pub async fn start_first(&self) -> anyhow::Result<(Program, Api)> {
        let center = self.start().await?;
        let printed = center.printed()?;
        let code = setup_code(&printed).with_context(|| format!("no setup code in:\n{printed}"))?;
        let mut api = Api::new(&self.listen);
        api.set_up(&code).await?;
        Ok((center, api))
    }

    /// Whether it says that it serves, with a database that answers.
    pub async fn is_ready(&self) -> bool {
        let url = format!("http://{}/readyz", self.listen);
        let asked = timeout(ANSWER_WAIT, reqwest::get(&url)).await;
        asked.is_ok_and(|answer| answer.is_ok_and(|answer| answer.status().is_success()))
    }

    /// Copies what all centers of a deployment share from another one.
    ///
    /// # Errors
    /// A file cannot be copied.
    pub fn share_files_of(&self, other: &Self) -> anyhow::Result<()> {
        for file in SHARED_FILES {
            let to = self.dir.join(file);
            std::fs::create_dir_all(to.parent().context("path")?)?;
            std::fs::copy(other.dir.join(file), to)?;
        }
        Ok(())
    }
}

/// The setup code in what a center printed: five groups of four characters.
fn setup_code(printed: &str) -> Option<String> {
    let is_code = |word: &&str| {
        word.len() == 24
            && word.split('-').count() == 5
            && word
                .split('-')
                .all(|group| group.len() == 4 && group.bytes().all(|b| b.is_ascii_alphanumeric()))
    };
    printed
        .split(|c: char| c.is_whitespace() || "|│\"'`:".contains(c))
        .find(is_code)
        .map(str::to_owned)
}
