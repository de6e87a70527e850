//! Moments at which the agent is killed.

use std::fmt;

use anyhow::{Context, Result, bail, ensure};
use cronfleet_testkit::{Effect, EffectKind, Moment};

/// Effects beyond those counted that are tried, because no two plays are quite the same.
const BEYOND: usize = 20;

/// Says what to sweep: `all`, a number of moments, or moments as their violations name them, with commas between.
const CHOICE: &str = "CRONFLEET_SWEEP";

/// Says which part of that, for several that sweep at the same time: `1/2` and `2/2`.
const PART: &str = "CRONFLEET_SWEEP_PART";

/// Moments of the test that always runs: right after processes and commands were started, around what the agent writes down,
/// says and removes, early and late in both lives. Each is named by what happens then, for the number of an effect is not the
/// same in every play.
const FEW: [&str; 14] = [
    "1:after 1 Clone program",
    "1:after 1 Send packet socket",
    "1:after 3 Send packet socket",
    "1:before 6 Write agent/ledger",
    "1:after 14 Write agent/ledger",
    "1:before 5 Sync agent/ledger",
    "1:after 12 Send network",
    "1:before 9 Entry unlink",
    "2:before 1 Sync agent/ledger",
    "2:after 2 Send packet socket",
    "2:before 4 Write agent/ledger",
    "2:after 1 Signal ",
    "2:before 7 Entry unlink",
    "2:after 9 Send network",
];

/// Which of the agents of a scenario is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Life {
    /// The one that does everything.
    First,
    /// The one that takes up the work of one killed in the middle.
    Second,
}

/// One moment.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(crate) life: Life,
    /// None to let it live.
    pub(crate) moment: Option<Moment>,
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "1",
            Self::Second => "2",
        })
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let life = self.life;
        match &self.moment {
            None => write!(f, "{life}:-"),
            Some(Moment::Effect(number)) => write!(f, "{life}:{number}"),
            Some(Moment::Before(Effect { kind, place }, number)) => {
                write!(f, "{life}:before {number} {kind:?} {place}")
            }
            Some(Moment::After(Effect { kind, place }, number)) => {
                write!(f, "{life}:after {number} {kind:?} {place}")
            }
        }
    }
}

impl Point {
    /// Reads a moment as it is displayed.
    ///
    /// # Errors
    /// It names none.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        let parsed = || {
            let (life, moment) = name.split_once(':')?;
            let life = match life {
                "1" => Life::First,
                "2" => Life::Second,
                _ => return None,
            };
            let moment = match moment.parse() {
                Ok(number) => Moment::Effect(number),
                Err(_) => by_effect(moment)?,
            };
            let moment = Some(moment);
            Some(Self { life, moment })
        };
        parsed().with_context(|| format!("{name:?} is no moment such as 1:17"))
    }
}

fn by_effect(text: &str) -> Option<Moment> {
    let mut words = text.splitn(4, ' ');
    let (side, number) = (words.next()?, words.next()?.parse().ok()?);
    let kind = words.next()?;
    let kind = EffectKind::ALL
        .into_iter()
        .find(|known| format!("{known:?}") == kind)?;
    let effect = Effect::new(kind, words.next().unwrap_or_default().to_owned());
    match side {
        "before" => Some(Moment::Before(effect, number)),
        "after" => Some(Moment::After(effect, number)),
        _ => None,
    }
}

/// The moments of the test that always runs.
///
/// # Errors
/// One of them is misspelt.
pub(crate) fn few() -> Result<Vec<Point>> {
    FEW.into_iter().map(Point::parse).collect()
}

/// The moments that somebody asked for by name; none if nobody did.
///
/// # Errors
/// What was asked for names no moment.
pub(crate) fn chosen() -> Result<Vec<Point>> {
    let choice = std::env::var(CHOICE).unwrap_or_default();
    if !choice.contains(':') {
        return Ok(Vec::new());
    }
    choice.split(',').map(Point::parse).collect()
}

/// Moments all over both lives with so many effects each: as many as somebody asked for, or the part of all that was asked for.
///
/// # Errors
/// What was asked for is no number or no part.
pub(crate) fn spread(first: usize, second: usize) -> Result<Vec<Point>> {
    let (part, parts) = part()?;
    let of_life = |life, count| {
        let numbers = (1..=count + BEYOND).filter(move |number| number % parts == part % parts);
        numbers.map(move |number| Point {
            life,
            moment: Some(Moment::Effect(number)),
        })
    };
    let all: Vec<Point> = of_life(Life::First, first)
        .chain(of_life(Life::Second, second))
        .collect();
    let count = match std::env::var(CHOICE).unwrap_or_default().as_str() {
        "" | "all" => all.len(),
        count => count.parse().context("the number of moments")?,
    };
    let chosen = (0..count).filter_map(|turn| all.get(turn * all.len() / count));
    Ok(chosen.cloned().collect())
}

/// Which part of how many.
fn part() -> Result<(usize, usize)> {
    let Ok(text) = std::env::var(PART) else {
        return Ok((1, 1));
    };
    let Some((part, parts)) = text.split_once('/') else {
        bail!("{text:?} is no part such as 1/2");
    };
    let (part, parts) = (part.parse()?, parts.parse()?);
    ensure!((1..=parts).contains(&part), "there is no part {text}");
    Ok((part, parts))
}
