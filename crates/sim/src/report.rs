//! What came of a seed.

use std::collections::BTreeMap;
use std::fmt;

use cronfleet_core::id::RunId;
use cronfleet_core::run::RunState;

use crate::time::{SECOND, micros};
use crate::world::{Stamp, World};

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which promise.
    pub promise: &'static str,
    /// The run it is about, if it is about one.
    pub run: Option<RunId>,
    /// How it was broken.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.detail)?;
        self.run.map_or(Ok(()), |run| write!(f, " (run {run})"))
    }
}

/// Figures of one or many seeds.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Seeds.
    pub seeds: u64,
    /// Runs recorded.
    pub runs: u64,
    /// Commands started.
    pub starts: u64,
    /// Lapses recorded.
    pub lapses: u64,
    /// Ends of commands that the center learnt of a minute later or more.
    pub told_late: u64,
    /// Events of the simulation.
    pub events: u64,
    /// Runs by state or outcome and reason.
    pub by_end: BTreeMap<String, u64>,
}

impl Tally {
    /// Adds the figures of another.
    pub fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.runs += other.runs;
        self.starts += other.starts;
        self.lapses += other.lapses;
        self.told_late += other.told_late;
        self.events += other.events;
        for (end, count) in &other.by_end {
            *self.by_end.entry(end.clone()).or_default() += count;
        }
    }
}

/// What came of a seed.
#[derive(Debug, Clone)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Promises that were broken.
    pub violations: Vec<Violation>,
    /// Figures.
    pub tally: Tally,
    /// What happened, line by line, if that was asked for.
    pub log: Vec<String>,
}

impl Report {
    pub(crate) fn new(seed: u64, world: &mut World, violations: Vec<Violation>) -> Self {
        let mut tally = Tally {
            seeds: 1,
            runs: world.db.runs.len() as u64,
            starts: world
                .stamps
                .values()
                .map(|stamps| stamps.len() as u64)
                .sum(),
            lapses: world.db.lapses.len() as u64,
            told_late: told_late(world),
            events: world.event_count,
            by_end: BTreeMap::new(),
        };
        for row in world.db.runs.values() {
            let word = if let RunState::Ended(outcome) = row.state {
                outcome.word()
            } else {
                row.state.word()
            };
            let end = row.reason.map_or_else(
                || word.to_owned(),
                |reason| format!("{word}({})", reason.word()),
            );
            *tally.by_end.entry(end).or_default() += 1;
        }
        Self {
            seed,
            violations,
            tally,
            log: world.log.take().unwrap_or_default(),
        }
    }

    /// The lines of the log about one run.
    pub fn lines_about(&self, run: RunId) -> impl Iterator<Item = &String> {
        let run = run.to_string();
        let about = move |line: &&String| {
            line.contains(&run)
                || line.contains("fault")
                || line.contains("dies")
                || line.contains("session")
        };
        self.log.iter().filter(about)
    }
}

fn told_late(world: &World) -> u64 {
    let is_late = |(run, stamps): &(&RunId, &Vec<Stamp>)| {
        let ended = stamps.iter().find_map(|stamp| stamp.end);
        let told = world.db.runs.get(run).and_then(|row| row.history.last());
        matches!((ended, told), (Some((ended, _)), Some((told, state, _)))
            if state.is_ended() && micros(*told) - ended >= 60 * SECOND)
    };
    world.stamps.iter().filter(is_late).count() as u64
}
