//! Phases of a check: each runs even if an earlier one failed, unless it needs that one.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::program::Program;
use crate::tally::{self, Tally};

/// A check in phases, with what each said.
#[derive(Default)]
pub(crate) struct Phases {
    done: Vec<Done>,
    summaries: Vec<String>,
    tally: Tally,
}

struct Done {
    name: &'static str,
    took: Duration,
    end: End,
}

enum End {
    Passed,
    Failed(String),
    NotRun(&'static str),
}

impl Phases {
    /// Runs a phase unless one that it needs did not pass.
    pub(crate) fn run(
        &mut self,
        name: &'static str,
        needs: &[&str],
        phase: impl FnOnce(&mut Self) -> Result<()>,
    ) {
        let blocker = self
            .done
            .iter()
            .find(|done| needs.contains(&done.name) && !matches!(done.end, End::Passed))
            .map(|done| done.name);
        println!("\n=== {name}");
        let start = Instant::now();
        let end = match blocker {
            Some(blocker) => End::NotRun(blocker),
            None => match phase(self) {
                Ok(()) => End::Passed,
                Err(error) => {
                    println!("FAILED: {error:#}");
                    End::Failed(format!("{error:#}"))
                }
            },
        };
        self.done.push(Done {
            name,
            took: start.elapsed(),
            end,
        });
    }

    /// Runs a test runner inside a phase and adds its counts up.
    pub(crate) fn test(&mut self, runner: Program) -> Result<()> {
        let (output, is_success) = runner.watch()?;
        let lines = tally::summary_lines(&output);
        for line in &lines {
            self.tally += tally::count(line);
        }
        let is_counted = !lines.is_empty();
        self.summaries.extend(lines);
        match (is_success, is_counted) {
            (true, true) => Ok(()),
            (true, false) => bail!("the test runner printed no summary"),
            (false, _) => bail!("tests failed"),
        }
    }

    /// Prints times, summaries and, as the last line, the counts of all tests.
    ///
    /// # Errors
    /// A phase did not pass.
    pub(crate) fn finish(self) -> Result<()> {
        let total: Duration = self.done.iter().map(|done| done.took).sum();
        println!("\n=== times");
        for done in &self.done {
            let end = match &done.end {
                End::Passed => "ok".to_owned(),
                End::Failed(_) => "FAILED".to_owned(),
                End::NotRun(blocker) => format!("not run: needs {blocker}"),
            };
            println!(
                "{:>8.1} s  {:<28}  {end}",
                done.took.as_secs_f64(),
                done.name
            );
        }
        println!("{:>8.1} s  in all", total.as_secs_f64());
        let failed: Vec<&Done> = self
            .done
            .iter()
            .filter(|done| !matches!(done.end, End::Passed))
            .collect();
        if !failed.is_empty() {
            println!("\n=== failures");
        }
        for done in &failed {
            if let End::Failed(why) = &done.end {
                println!("{}: {why}", done.name);
            }
        }
        println!("\n=== tests");
        for line in &self.summaries {
            println!("{line}");
        }
        println!("{}", self.tally);
        match failed.first() {
            None => Ok(()),
            Some(first) => bail!(
                "{} of {} phases did not pass, first {}",
                failed.len(),
                self.done.len(),
                first.name
            ),
        }
    }
}
