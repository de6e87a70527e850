//! The agent is killed before every one of its effects in a scripted scenario; whatever it was about to do, the promises hold.
//!
//! A scenario that nobody disturbs tells how many effects there are (see `cronfleet_testkit::Traced`). Then the scenario is
//! played again and again, each time with an agent that is killed before another one of them and started again at once; many
//! play side by side under one center. Before the second life of a scenario the agent is killed in the middle of its work, so
//! that taking up what an earlier agent left is swept, too.
//!
//! `cargo xtask sweep` takes all moments, a part of them, or as many of them, evenly spread, as it is told to. A few that are chosen
//! by what happens around them always run.

mod checker;
mod point;
mod scenario;
mod stamps;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, bail};
use cronfleet_testkit::{Effect, EffectKind, Fleet};
use futures_util::future::{join, join_all};

use point::{Life, Point};
use scenario::{Played, play};

/// Scenarios that play side by side.
const AT_ONCE: usize = 8;

/// How many of the few moments that always run may go by: no two plays are quite the same.
const UNREACHED_MAX: u32 = 2;

/// Names a file for the report.
const REPORT: &str = "CRONFLEET_SWEEP_REPORT";

/// Names another build to sweep, so that a long sweep is not disturbed by the next build: a `cronfleet` beside its shim.
const BINARY: &str = "CRONFLEET_BINARY";

/// What is swept, and since when.
struct Sweep {
    begun: Instant,
    moments: usize,
    /// How many effects there were without a kill.
    counted: String,
    /// All of those.
    effects: Vec<(Life, Effect)>,
}

/// What came of the scenarios that were played.
#[derive(Default)]
struct Tally {
    /// Kills by what the agent was about to do.
    killed: BTreeMap<(EffectKind, String), u32>,
    /// Moments that an agent did not come to.
    unreached: u32,
    violations: Vec<String>,
    /// What is right and rare.
    rarities: Vec<String>,
}

/// A part of the sweep that is small and says as much as it can: see [`point::few`].
#[tokio::test]
async fn killed_around_what_matters_the_agent_keeps_its_promises() -> Result<()> {
    let fleet = Fleet::start(&binary()).await?;
    let queue = VecDeque::from(point::few()?);
    let sweep = Sweep {
        begun: Instant::now(),
        moments: queue.len(),
        counted: "not counted".to_owned(),
        effects: Vec::new(),
    };
    let tally = play_all(&fleet, queue, &sweep).await?;
    let most_are_reached = tally.unreached <= UNREACHED_MAX;
    if !tally.violations.is_empty() || !most_are_reached {
        bail!("{}", sweep.report(&tally)?);
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs a machine with nothing else to do: cargo xtask sweep"]
async fn killed_before_any_of_its_effects_the_agent_keeps_its_promises() -> Result<()> {
    let fleet = Fleet::start(&binary()).await?;
    let begun = Instant::now();
    let mut queue = VecDeque::from(point::chosen()?);
    let mut counted = "not counted".to_owned();
    let mut effects = Vec::new();
    if queue.is_empty() {
        let plays = join(
            undisturbed(&fleet, Life::First),
            undisturbed(&fleet, Life::Second),
        );
        let (first, second) = plays.await;
        let (first, second) = (first?, second?);
        counted = format!("{} + {} effects", first.len(), second.len());
        queue = point::spread(first.len(), second.len())?.into();
        effects.extend(first.into_iter().map(|effect| (Life::First, effect)));
        effects.extend(second.into_iter().map(|effect| (Life::Second, effect)));
    }
    let sweep = Sweep {
        begun,
        moments: queue.len(),
        counted,
        effects,
    };
    let tally = play_all(&fleet, queue, &sweep).await?;
    if !tally.violations.is_empty() {
        bail!("{}", sweep.report(&tally)?);
    }
    Ok(())
}

/// The build that is swept.
fn binary() -> PathBuf {
    let built = || PathBuf::from(env!("CARGO_BIN_EXE_cronfleet"));
    std::env::var_os(BINARY).map_or_else(built, PathBuf::from)
}

/// Plays the scenario without a kill and answers every effect of the agent in one of its lives.
async fn undisturbed(fleet: &Fleet, life: Life) -> Result<Vec<Effect>> {
    let point = Point { life, moment: None };
    let played = play(fleet, &point).await?;
    Ok(played.effects)
}

async fn play_all(fleet: &Fleet, queue: VecDeque<Point>, sweep: &Sweep) -> Result<Tally> {
    let (queue, tally) = (RefCell::new(queue), RefCell::new(Tally::default()));
    let next = || queue.borrow_mut().pop_front();
    let players = (0..AT_ONCE).map(async |_| {
        while let Some(point) = next() {
            let played = play(fleet, &point).await;
            tally.borrow_mut().take(&point, played);
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
    fn take(&mut self, point: &Point, played: Result<Played>) {
        if let Ok(played) = &played {
            let rarities = played.rarities.iter();
            self.rarities
                .extend(rarities.map(|rarity| format!("{point}: {rarity}")));
        }
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
        let mut there_are: BTreeMap<&(Life, Effect), u32> = BTreeMap::new();
        for effect in &self.effects {
            *there_are.entry(effect).or_default() += 1;
        }
        if !there_are.is_empty() {
            writeln!(text, "\nwithout a kill there are:")?;
        }
        for ((life, Effect { kind, place }), count) in there_are {
            writeln!(text, "{count:>6}  {life}: {kind:?} {place}")?;
        }
        for rarity in &tally.rarities {
            writeln!(text, "\nright and rare: {rarity}")?;
        }
        for violation in &tally.violations {
            writeln!(text, "\n{violation}")?;
        }
        Ok(text)
    }
}
