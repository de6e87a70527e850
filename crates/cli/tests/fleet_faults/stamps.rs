//! What the jobs themselves write down, apart from what centers and agents say, and the scripts that do.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::Timestamp;
use uuid::Uuid;

/// A run has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) run: Uuid,
    pub(crate) due: Timestamp,
    pub(crate) at: Timestamp,
}

/// A run was about to exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) run: Uuid,
    pub(crate) code: i32,
    pub(crate) at: Timestamp,
}

/// A process of a daemon has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Birth {
    pub(crate) process: Uuid,
    pub(crate) pid: i32,
    pub(crate) at: Timestamp,
}

/// Everything that was written down.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stamps {
    pub(crate) starts: Vec<Start>,
    pub(crate) ends: Vec<End>,
    pub(crate) births: Vec<Birth>,
}

/// The file in which all jobs write, a line at a time. The clock is the machine's own, which nobody sets.
#[derive(Debug, Clone)]
pub(crate) struct StampFile(PathBuf);

/// The time to the microsecond, for the shell.
const NOW: &str = "$(($(date +%s%N)/1000))";

impl StampFile {
    pub(crate) fn create(path: PathBuf) -> Result<Self> {
        std::fs::write(&path, "")?;
        Ok(Self(path))
    }

    /// A run that does `work` and exits with `code`.
    pub(crate) fn run(&self, work: &str, code: i32) -> String {
        let file = self.0.display();
        format!(
            "echo start $CRONFLEET_RUN_ID $CRONFLEET_DUE {NOW} >> {file}; {work}; \
             echo end $CRONFLEET_RUN_ID {code} {NOW} >> {file}; exit {code}"
        )
    }

    /// A process of a daemon, which never ends by itself.
    pub(crate) fn daemon(&self) -> String {
        let file = self.0.display();
        format!("echo birth $CRONFLEET_PROCESS_ID $$ {NOW} >> {file}; while :; do sleep 1; done")
    }

    /// Everything so far.
    pub(crate) fn read(&self) -> Result<Stamps> {
        read(&self.0)
    }
}

fn read(path: &Path) -> Result<Stamps> {
    let text = std::fs::read_to_string(path)?;
    let mut stamps = Stamps::default();
    // A last line without an end is still being written.
    for line in text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
    {
        let words: Vec<&str> = line.split_whitespace().collect();
        stamps
            .take(&words)
            .with_context(|| format!("a job wrote {line:?}"))?;
    }
    Ok(stamps)
}

impl Stamps {
    fn take(&mut self, words: &[&str]) -> Result<()> {
        match words {
            ["start", run, due, at] => self.starts.push(Start {
                run: run.parse()?,
                due: due.parse()?,
                at: time(at)?,
            }),
            ["end", run, code, at] => self.ends.push(End {
                run: run.parse()?,
                code: code.parse()?,
                at: time(at)?,
            }),
            ["birth", process, pid, at] => self.births.push(Birth {
                process: process.parse()?,
                pid: pid.parse()?,
                at: time(at)?,
            }),
            _ => anyhow::bail!("no such stamp"),
        }
        Ok(())
    }
}

fn time(word: &str) -> Result<Timestamp> {
    Ok(Timestamp::from_microsecond(word.parse()?)?)
}
