//! The table of what came of each fault.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::play::Played;
use crate::rig::Engine;

/// What came of the faults so far.
#[derive(Debug)]
pub(crate) struct Report {
    engine: Engine,
    begun: Instant,
    played: Vec<Played>,
}

impl Report {
    pub(crate) fn new(engine: Engine) -> Self {
        Self {
            engine,
            begun: Instant::now(),
            played: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, played: Played) {
        self.played.push(played);
    }

    /// Number of promises that were broken.
    pub(crate) fn violations(&self) -> usize {
        self.played
            .iter()
            .map(|played| played.violations.len())
            .sum()
    }

    /// As Markdown.
    pub(crate) fn text(&self) -> Result<String> {
        let mut text = String::new();
        writeln!(
            text,
            "## {}\n\n{} faults, {} runs due, {} violations, {} s\n",
            self.engine.name(),
            self.played.len(),
            self.played.iter().map(|played| played.due).sum::<usize>(),
            self.violations(),
            self.begun.elapsed().as_secs()
        )?;
        writeln!(
            text,
            "| fault | lasts | due | late | skipped | missed | lost | latest start | on time again after | whole again after | violations |"
        )?;
        writeln!(text, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")?;
        for played in &self.played {
            writeln!(
                text,
                "| {} | {} s | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                played.fault.name(),
                played.fault.lasts().as_secs(),
                played.due,
                played.late,
                played.skipped,
                played.missed,
                played.lost,
                seconds(played.lag_max.unsigned_abs()),
                seconds(played.on_time_after.unsigned_abs()),
                seconds(played.whole_after),
                played.violations.len()
            )?;
        }
        for played in &self.played {
            if !played.violations.is_empty() {
                writeln!(text, "\n### Violations: {}\n", played.fault.name())?;
            }
            for violation in &played.violations {
                writeln!(text, "- {violation}")?;
            }
        }
        Ok(text)
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
