//! Moments at which the agent is killed.

use std::fmt;

use anyhow::{Context, Result};

/// Moments that are taken if nobody says how many.
const IN_A_NORMAL_RUN: usize = 48;

/// Effects beyond those counted that are tried, because no two plays are quite the same.
const BEYOND: usize = 20;

/// Says what to sweep: `all`, a number of moments, or moments as their violations name them, with commas between.
const CHOICE: &str = "CRONFLEET_SWEEP";

/// Which of the agents of a scenario is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// The one that does everything.
    First,
    /// The one that takes up the work of one killed in the middle.
    Second,
}

/// One moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    pub(crate) life: Life,
    /// Number of the effect, from 1; none to let it live.
    pub(crate) before: Option<usize>,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let life = match self.life {
            Life::First => 1,
            Life::Second => 2,
        };
        match self.before {
            Some(before) => write!(f, "{life}:{before}"),
            None => write!(f, "{life}:-"),
        }
    }
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
    choice.split(',').map(parse).collect()
}

fn parse(name: &str) -> Result<Point> {
    let (life, before) = name
        .split_once(':')
        .with_context(|| format!("{name:?} is no moment such as 1:17"))?;
    let life = if life == "1" {
        Life::First
    } else {
        Life::Second
    };
    let before = Some(before.parse()?);
    Ok(Point { life, before })
}

/// Moments all over both lives with so many effects each: as many as somebody asked for.
///
/// # Errors
/// What was asked for is no number.
pub(crate) fn spread(first: usize, second: usize) -> Result<Vec<Point>> {
    let point = |life, before| Point {
        life,
        before: Some(before),
    };
    let all: Vec<Point> = (1..=first + BEYOND)
        .map(|before| point(Life::First, before))
        .chain((1..=second + BEYOND).map(|before| point(Life::Second, before)))
        .collect();
    let count = match std::env::var(CHOICE).unwrap_or_default().as_str() {
        "" => IN_A_NORMAL_RUN,
        "all" => all.len(),
        count => count.parse().context("the number of moments")?,
    };
    let chosen = (0..count).filter_map(|turn| all.get(turn * all.len() / count));
    Ok(chosen.copied().collect())
}
