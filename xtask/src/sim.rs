//! `cargo xtask sim`: the whole fleet in one thread under a virtual clock, over many seeds.

use anyhow::Result;
use clap::Args;

use crate::program::Program;
use crate::workspace::cargo;

/// Seeds that CI runs.
pub(crate) const SEEDS_IN_CI: u64 = 2_000;

/// Run the simulated fleet over many seeds.
#[derive(Args)]
pub(crate) struct Sim {
    /// How many seeds
    #[arg(long, default_value_t = SEEDS_IN_CI)]
    seeds: u64,
    /// Further arguments of the simulator
    #[arg(last = true)]
    arguments: Vec<String>,
}

impl Sim {
    pub(crate) fn run(self) -> Result<()> {
        program(self.seeds).args(self.arguments).run()
    }
}

/// The simulator over seeds from 0.
pub(crate) fn program(seeds: u64) -> Program {
    Program::new(cargo()).args([
        "run",
        "--quiet",
        "--locked",
        "--profile",
        "sim",
        "-p",
        "cronfleet-sim",
        "--",
        "--seeds",
        &seeds.to_string(),
    ])
}
