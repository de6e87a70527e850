//! The agent is killed before every one of its effects in a scripted scenario; whatever it was about to do, the promises hold.
//!
//! A scenario that nobody disturbs tells how many effects there are (see `cronfleet_testkit::Traced`). Then the scenario is
//! played again and again, each time with an agent that is killed before another one of them and started again at once; many
//! play side by side under one center. Before the second life of a scenario the agent is killed in the middle of its work, so
//! that taking up what an earlier agent left is swept, too.
//!
//! `cargo xtask sweep` takes all moments, or as many of them, evenly spread, as it is told to.

mod checker;
mod point;
mod scenario;
mod stamps;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail};
use cronfleet_testkit::{Effect, EffectKind, Fleet};
use futures_util::future::join_all;

use point::{Life, Point};
use scenario::{Played, play};

/// Scenarios that play side by side.
const AT_ONCE: usize = 8;

/// Names a file for the report.
const REPORT: &str = "CRONFLEET_SWEEP_REPORT";

/// What is swept, and since when.
struct Sweep {
    begun: Instant,
    moments: usize,
    /// How many effects there were without a kill.
    counted: String,
}

/// What came of the scenarios that were played.
#[derive(Default)]
struct Tally {
    /// Kills by what the agent was about to do.
    killed: BTreeMap<(EffectKind, String), u32>,
    /// Moments that an agent did not come to.
    unreached: u32,
    violations: Vec<String>,
}

#[tokio::test]
#[ignore = "needs a machine with nothing else to do: cargo xtask sweep"]
async fn killed_before_any_of_its_effects_the_agent_keeps_its_promises() -> Result<()> {
    let fleet = Fleet::start(Path::new(env!("CARGO_BIN_EXE_cronfleet"))).await?;
    let begun = Instant::now();
    let mut queue = VecDeque::from(point::chosen()?);
    let mut counted = String::new();
    if queue.is_empty() {
        let first = undisturbed(&fleet, Life::First).await?;
        let second = undisturbed(&fleet, Life::Second).await?;
        write!(counted, "{} + {} effects", first.len(), second.len())?;
        queue = point::spread(first.len(), second.len())?.into();
    }
    let sweep = Sweep {
        begun,
        moments: queue.len(),
        counted,
    };
    let tally = play_all(&fleet, queue, &sweep).await?;
    if !tally.violations.is_empty() {
        bail!("{}", sweep.report(&tally)?);
    }
    Ok(())
}

/// Plays the scenario without a kill and answers every effect of the agent in one of its lives.
async fn undisturbed(fleet: &Fleet, life: Life) -> Result<Vec<Effect>> {
    let point = Point { life, before: None };
    let played = play(fleet, point).await?;
    Ok(played.effects)
}

async fn play_all(fleet: &Fleet, queue: VecDeque<Point>, sweep: &Sweep) -> Result<Tally> {
    let (queue, tally) = (RefCell::new(queue), RefCell::new(Tally::default()));
    let next = || queue.borrow_mut().pop_front();
    let players = (0..AT_ONCE).map(async |_| {
        while let Some(point) = next() {
            let played = play(fleet, point).await;
            tally.borrow_mut().take(point, played);
            sweep.keep(&tally.borrow())?;
        }
        Ok(())
    });
    join_all(players)
        .await
        .into_iter()
        .collect::<Result<()>>()?;
    Ok(tally.into_inner())
}

impl Tally {
    fn take(&mut self, point: Point, played: Result<Played>) {
        match played {
            Ok(played) => match played.effects.last().filter(|_| played.was_killed) {
                Some(effect) => {
                    let what = (effect.kind, effect.place.clone());
                    *self.killed.entry(what).or_default() += 1;
                }
                None => self.unreached += 1,
            },
            Err(error) => self.violations.push(format!("{point}: {error:#}")),
        }
    }
}

impl Sweep {
    /// Writes what came of it so far where somebody wants it.
    fn keep(&self, tally: &Tally) -> Result<()> {
        if let Some(path) = std::env::var_os(REPORT) {
            std::fs::write(path, self.report(tally)?)?;
        }
        Ok(())
    }

    fn report(&self, tally: &Tally) -> Result<String> {
        let mut text = String::new();
        let reached: u32 = tally.killed.values().sum();
        writeln!(
            text,
            "{} moments ({}), {:.0} s: {reached} kills kept every promise, {} violations, {} not reached",
            self.moments,
            self.counted,
            self.begun.elapsed().as_secs_f64(),
            tally.violations.len(),
            tally.unreached
        )?;
        for ((kind, place), count) in &tally.killed {
            writeln!(text, "{count:>6}  {kind:?} {place}")?;
        }
        for violation in &tally.violations {
            writeln!(text, "\n{violation}")?;
        }
        Ok(text)
    }
}
