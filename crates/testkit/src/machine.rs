//! A machine with an agent, in a directory of its own.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::program::Program;

/// Where an agent lives and what it dials. What its shims hold ends with it.
#[derive(Debug)]
pub struct Machine {
    binary: PathBuf,
    dir: PathBuf,
    center: String,
}

impl Machine {
    /// A machine in the directory `dir` with the given `cronfleet` binary. Its agent dials `center`, a `host:port`.
    pub fn new(binary: &Path, dir: PathBuf, center: String) -> Self {
        Self {
            binary: binary.to_owned(),
            dir,
            center,
        }
    }

    /// Lets its agent be started with another build of the product from now on.
    pub(crate) fn use_binary(&mut self, binary: &Path) {
        self.binary = binary.to_owned();
    }

    /// Joins with a token.
    ///
    /// # Errors
    /// The center refuses; the message has what was printed.
    pub fn join(&self, token: &str) -> anyhow::Result<()> {
        let done = Command::new(&self.binary)
            .args(["agent", "join", "--center", &self.center, "--token", token])
            .arg("--data-dir")
            .arg(self.data_dir())
            .output()?;
        ensure!(
            done.status.success(),
            "agent join: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        Ok(())
    }

    /// The agent's program with its arguments; a policy that allows everything is in its place.
    ///
    /// # Errors
    /// The policy cannot be written.
    pub fn command(&self) -> anyhow::Result<Command> {
        let policy = self.path("policy.toml");
        write_policy(&policy)?;
        let mut command = Command::new(&self.binary);
        command.arg("agent");
        command.arg("--data-dir").arg(self.data_dir());
        command.arg("--runtime-dir").arg(self.runtime_dir());
        command.arg("--policy").arg(policy);
        Ok(command)
    }

    /// Starts the agent.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(&self) -> anyhow::Result<Program> {
        Program::spawn(self.command()?, &self.log())
    }

    /// A path on the machine.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// What its agent keeps.
    pub fn data_dir(&self) -> PathBuf {
        self.path("agent")
    }

    /// Folder of run folders.
    pub fn runtime_dir(&self) -> PathBuf {
        self.path("run")
    }

    /// What its agents print.
    pub fn log(&self) -> PathBuf {
        self.path("agent.log")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        end_shims(&self.runtime_dir());
    }
}

/// Writes a policy that lets an agent run everything as everybody: what is under test is elsewhere.
///
/// # Errors
/// The file cannot be written.
pub fn write_policy(path: &Path) -> anyhow::Result<()> {
    let text = "version = 1\n[run_as]\nmin_uid = 0\ndeny_root = false\ndeny_groups = []\n[exec]\nprivileges = true\n";
    std::fs::write(path, text)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))?;
    Ok(())
}

/// Kills what the shims below a runtime directory hold; they follow their agent's death on purpose.
fn end_shims(runtime_dir: &Path) {
    for pid in shims(runtime_dir) {
        let _gone = kill(Pid::from_raw(pid), Signal::SIGUSR1);
    }
}

/// Process ids of the shims whose folders are below a runtime directory.
pub fn shims(runtime_dir: &Path) -> Vec<i32> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let prefix = runtime_dir.to_string_lossy().into_owned();
    let is_shim = |pid: &i32| {
        std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|arguments| {
            String::from_utf8_lossy(&arguments)
                .split('\0')
                .nth(1)
                .is_some_and(|argument| argument.starts_with(&prefix))
        })
    };
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(is_shim)
        .collect()
}
