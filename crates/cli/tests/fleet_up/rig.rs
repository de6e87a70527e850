//! A `cronfleet up` of its own for each test, and client commands against it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use cronfleet_testdb::reserved_address;
use cronfleet_testkit::Program;
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

/// The program under test.
pub(crate) const CRONFLEET: &str = env!("CARGO_BIN_EXE_cronfleet");
/// Password of the administrator `admin`.
pub(crate) const PASSWORD: &str = "quiet harbour lantern 7";
/// Longest wait for anything that should take a moment, on a busy machine.
pub(crate) const MOMENT: Duration = Duration::from_secs(60);

/// A running `cronfleet up` in a temporary directory.
pub(crate) struct Rig {
    /// The program, unless it was stopped.
    pub(crate) up: Option<Program>,
    /// What it printed in its frame.
    pub(crate) welcome: String,
    url: String,
    /// Where people and agents connect; the same after a restart.
    listen: [String; 2],
    starts: u32,
    dir: TempDir,
}

/// What a client command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Rig {
    /// Starts it for the first time and creates the administrator from the command line.
    pub(crate) fn start(flags: &[&str]) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("cronfleet-test-")
            .tempdir()?;
        let listen = [reserved_address()?, reserved_address()?];
        let url = format!("http://{}", listen[0]);
        let mut rig = Self {
            up: None,
            welcome: String::new(),
            url,
            listen,
            starts: 0,
            dir,
        };
        rig.start_again(flags)?;
        let code = rig.labelled("setup code").context("no setup code")?;
        let setup = [
            "setup",
            "--code",
            &code,
            "--login",
            "admin",
            "--password-stdin",
        ];
        rig.cli_with(&setup, PASSWORD)?.done()?;
        Ok(rig)
    }

    /// Starts it on the same directory.
    pub(crate) fn start_again(&mut self, flags: &[&str]) -> Result<()> {
        self.starts += 1;
        let log = self.path(&format!("up-{}.log", self.starts));
        let (data, run) = (self.path("data"), self.path("run"));
        let [listen, agent_listen] = self.listen.clone();
        let mut arguments = vec!["up", "--listen", &listen, "--agent-listen", &agent_listen];
        arguments.extend(["--data-dir", text(&data)?, "--runtime-dir", text(&run)?]);
        arguments.extend(flags);
        let mut up = Program::start(Path::new(CRONFLEET), &arguments, &log)?;
        self.welcome = eventually("the frame is printed", || {
            let printed = up.printed()?;
            ensure!(up.ended()?.is_none(), "it ended:\n{printed}");
            Ok(printed.contains('└').then_some(printed))
        })?;
        self.up = Some(up);
        ensure!(
            self.labelled("console").as_ref() == Some(&self.url),
            "{}",
            self.welcome
        );
        eventually("the agent is online", || {
            // Before the administrator exists only the health check answers, and it says enough.
            let is_there = match self.starts {
                1 => self.log()?.contains("the agent is active"),
                _ => self.json(&["agent", "ls"])?["items"][0]["is_online"] == true,
            };
            Ok(is_there.then_some(()))
        })
    }

    /// What stands behind a label in the frame.
    pub(crate) fn labelled(&self, label: &str) -> Option<String> {
        let line = self
            .welcome
            .lines()
            .find_map(|line| line.trim_start_matches('│').trim().strip_prefix(label))?;
        Some(line.trim_end_matches('│').trim().to_owned())
    }

    /// What the running program has logged.
    pub(crate) fn log(&self) -> Result<String> {
        self.up.as_ref().context("it is stopped")?.printed()
    }

    /// Sends a signal to the running program.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        self.up.as_ref().context("it is stopped")?.signal(signal)
    }

    /// Waits for its end and returns its exit status.
    pub(crate) fn ended(&mut self) -> Result<Option<i32>> {
        let mut up = self.up.take().context("it is stopped")?;
        let status = eventually("it has ended", || up.ended())?;
        Ok(status.code())
    }

    /// Runs a client command.
    pub(crate) fn cli(&self, arguments: &[&str]) -> Result<Ran> {
        self.cli_with(arguments, "")
    }

    /// Runs a client command with a text on its standard input.
    pub(crate) fn cli_with(&self, arguments: &[&str], input: &str) -> Result<Ran> {
        self.cli_as("admin", arguments, input)
    }

    /// Runs a client command with the sign-ins of another person.
    pub(crate) fn cli_as(&self, person: &str, arguments: &[&str], input: &str) -> Result<Ran> {
        let mut child = Command::new(CRONFLEET)
            .args(arguments)
            .env("CRONFLEET_SERVER", &self.url)
            .env("XDG_CONFIG_HOME", self.path(&format!("config-{person}")))
            .env("TZ", "UTC")
            .env_remove("CRONFLEET_TOKEN")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        child
            .stdin
            .take()
            .context("stdin")?
            .write_all(input.as_bytes())?;
        let output = child.wait_with_output()?;
        Ok(Ran {
            status: output.status.code().context("a signal ended the command")?,
            stdout: String::from_utf8(output.stdout)?,
            stderr: String::from_utf8(output.stderr)?,
        })
    }

    /// Runs a client command that must succeed, and reads its JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Result<Value> {
        let ran = self.cli(&[arguments, &["--json"]].concat())?.done()?;
        serde_json::from_str(&ran.stdout).with_context(|| format!("{arguments:?}: {ran:?}"))
    }

    /// A path in the temporary directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Command lines of the shims that still hold processes of this rig.
    pub(crate) fn shims(&self) -> Result<Vec<String>> {
        let run = self.path("run");
        let run = text(&run)?;
        let mut shims = vec![];
        for entry in std::fs::read_dir("/proc")?.flatten() {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            if line.contains("cronfleet-shim") && line.contains(run) {
                shims.push(line);
            }
        }
        Ok(shims)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let Some(up) = self.up.as_mut() else { return };
        // A failed test must not leave processes behind.
        if up.stop().is_err() {
            let _gone = up.kill();
        }
    }
}

impl Ran {
    /// The command must have succeeded.
    pub(crate) fn done(self) -> Result<Self> {
        ensure!(self.status == 0, "{self:?}");
        Ok(self)
    }

    /// The command must have failed with this status, and have said this on standard error.
    pub(crate) fn refused(self, status: i32, piece: &str) -> Result<Self> {
        ensure!(
            self.status == status && self.stderr.contains(piece),
            "{status} {piece:?}: {self:?}"
        );
        Ok(self)
    }
}

/// Looks until `condition` answers something.
pub(crate) fn eventually<T>(
    what: &str,
    mut condition: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + MOMENT;
    loop {
        if let Some(answer) = condition()? {
            return Ok(answer);
        }
        if Instant::now() >= deadline {
            bail!("not within {MOMENT:?}: {what}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) fn text(path: &Path) -> Result<&str> {
    path.to_str().context("the path is not UTF-8")
}
