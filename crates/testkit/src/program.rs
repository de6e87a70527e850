//! One started program of the product.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Time for a program to end after SIGTERM before a test fails.
const STOP_WAIT: Duration = Duration::from_secs(30);

/// A started program; killed when dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts `binary` with `arguments`; its output goes to the file `log`, appended.
    ///
    /// # Errors
    /// The program or the file cannot be opened.
    pub fn start(binary: &Path, arguments: &[&str], log: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(binary);
        command.args(arguments);
        Self::spawn(command, log)
    }

    /// Starts a program; its output goes to the file `log`, appended.
    ///
    /// # Errors
    /// The program or the file cannot be opened.
    pub fn spawn(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        let child = command
            .env(
                "RUST_LOG",
                std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned()),
            )
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the program has printed so far.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn printed(&self) -> anyhow::Result<String> {
        Ok(String::from_utf8_lossy(&std::fs::read(&self.log)?).into_owned())
    }

    /// Whether the program has ended, and how.
    ///
    /// # Errors
    /// The operating system refuses to tell.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// The program is gone.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(kill(Pid::from_raw(i32::try_from(self.pid())?), signal)?)
    }

    /// Kills the program with SIGKILL and waits for its end.
    ///
    /// # Errors
    /// The program was gone already.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks the program to end with SIGTERM and waits for it.
    ///
    /// # Errors
    /// It did not end in time, or with a failure.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::SIGTERM)?;
        let deadline = Instant::now() + STOP_WAIT;
        loop {
            if let Some(status) = self.child.try_wait()? {
                anyhow::ensure!(
                    status.success(),
                    "ended with {status}:\n{}",
                    self.printed()?
                );
                return Ok(());
            }
            anyhow::ensure!(
                Instant::now() < deadline,
                "still there {STOP_WAIT:?} after SIGTERM:\n{}",
                self.printed()?
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
