//! `cargo xtask up`: from a fresh clone to a running fleet of one machine.

use anyhow::Result;
use clap::Args;

use crate::program::Program;
use crate::{binary, console};

/// Build console and binary, then start a center with a local agent.
#[derive(Args)]
pub(crate) struct Up {
    /// Build an optimised binary: slower to build, faster to run
    #[arg(long)]
    release: bool,
    /// Arguments of "cronfleet up", e.g. --demo
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Up {
    pub(crate) fn run(self) -> Result<()> {
        console::build_if_stale()?;
        let binary = binary::build(self.release)?;
        Err(Program::new(binary)
            .args(["up"])
            .args(&self.arguments)
            .become_it())
    }
}
