//! `cronfleet schedule`: what an expression means, computed here without a center.

mod explain;
mod next;
mod refusal;

use clap::Subcommand;

pub(crate) use refusal::Refusal;

use crate::failure::Failure;
use crate::screen::Screen;

/// Subcommands of `cronfleet schedule`.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Print the next due instants of an expression, one UTC instant a line
    Next(next::Next),
    /// Say what an expression means, with its next due instants and warnings
    Explain(explain::Explain),
}

impl Command {
    /// Does it.
    pub(crate) fn run(self, screen: &mut Screen) -> Result<(), Failure> {
        match self {
            Self::Next(next) => next.run(screen),
            Self::Explain(explain) => explain.run(screen),
        }
    }
}

/// Refuses an expression that no center would take; without a zone the center's own will be taken, so any will do here.
pub(crate) fn check(expression: &str, zone: Option<&str>) -> Result<(), Failure> {
    refusal::parse(expression, zone.unwrap_or("UTC"), 0).map(drop)
}
