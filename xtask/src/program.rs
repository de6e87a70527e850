//! Programs: shown before they run, without standard input, failing with what was run.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};

/// A program with its arguments.
pub(crate) struct Program {
    command: Command,
}

impl Program {
    /// A program that will run in the root of the repository.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command
            .current_dir(crate::workspace::root())
            .stdin(Stdio::null());
        Self { command }
    }

    /// Adds arguments.
    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it in another directory.
    pub(crate) fn directory(mut self, directory: impl AsRef<Path>) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Runs it, showing what it prints.
    pub(crate) fn run(mut self) -> Result<()> {
        println!("$ {}", self.text());
        let status = self
            .command
            .status()
            .with_context(|| format!("cannot start {}", self.text()))?;
        if status.success() {
            Ok(())
        } else {
            bail!("{} ended with {status}", self.text())
        }
    }

    /// Runs it quietly and returns what it printed.
    pub(crate) fn read(mut self) -> Result<String> {
        let output = self
            .command
            .output()
            .with_context(|| format!("cannot start {}", self.text()))?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            bail!(
                "{} ended with {}\n{}",
                self.text(),
                output.status,
                errors.trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs it, showing what it prints, and returns that: standard output and standard error as they came, line by line.
    /// Also returns whether it succeeded, because a failed test run still has its counts.
    pub(crate) fn watch(mut self) -> Result<(String, bool)> {
        println!("$ {}", self.text());
        let mut child = self
            .command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", self.text()))?;
        let seen = Arc::new(Mutex::new(String::new()));
        let readers = [
            child.stdout.take().map(|pipe| tee(pipe, Arc::clone(&seen))),
            child.stderr.take().map(|pipe| tee(pipe, Arc::clone(&seen))),
        ];
        let status = child
            .wait()
            .with_context(|| format!("cannot wait for {}", self.text()))?;
        for reader in readers.into_iter().flatten() {
            // A reader that panicked has lost output, not the result.
            let _ = reader.join();
        }
        let seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
        Ok((seen, status.success()))
    }

    /// Becomes the program: signals and exit status are its own from here on. Returns only if that failed.
    pub(crate) fn become_it(mut self) -> anyhow::Error {
        use std::os::unix::process::CommandExt;
        println!("$ {}", self.text());
        let text = self.text();
        self.command.stdin(Stdio::inherit());
        anyhow::Error::from(self.command.exec()).context(format!("cannot start {text}"))
    }

    fn text(&self) -> String {
        let mut text = self.command.get_program().to_string_lossy().into_owned();
        for argument in self.command.get_args() {
            text.push(' ');
            text.push_str(&argument.to_string_lossy());
        }
        text
    }
}

/// Shows and keeps every line of a pipe.
fn tee(pipe: impl Read + Send + 'static, seen: Arc<Mutex<String>>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut lines = BufReader::new(pipe);
        let mut line = Vec::new();
        while lines
            .read_until(b'\n', &mut line)
            .is_ok_and(|count| count > 0)
        {
            let text = String::from_utf8_lossy(&line);
            // Nobody may be watching; the text is kept all the same.
            let _ = std::io::stdout().write_all(text.as_bytes());
            seen.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_str(&text);
            line.clear();
        }
    })
}

/// Whether a program can be found in `PATH`.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}
