//! `cargo xtask sweep`: the agent killed before every one of its effects, one after the other.

use anyhow::Result;
use clap::Args;

use crate::program::Program;
use crate::workspace::{cargo, target};

/// Kill the agent before every one of its effects (fsync, clone, send, write, ...); takes most of an hour on two processors.
#[derive(Args)]
pub(crate) struct Sweep {
    /// all, a number of moments evenly spread, or moments as violations name them, e.g. 1:17,2:120
    #[arg(long, default_value = "all")]
    moments: String,

    /// one part of all moments, e.g. 1/2: for two that sweep at the same time
    #[arg(long)]
    part: Option<String>,
}

impl Sweep {
    pub(crate) fn run(self) -> Result<()> {
        let packages = ["-p", "cronfleet-cli", "-p", "cronfleet-shim"];
        Program::new(cargo())
            .args(["build", "--locked", "--bins"])
            .args(packages)
            .run()?;
        let part = self.part.as_deref().unwrap_or("1/1");
        let name = match part {
            "1/1" => "sweep.txt".to_owned(),
            part => format!("sweep-{}.txt", part.replace('/', "-of-")),
        };
        let report = target()?.join(name);
        let done = Program::new(cargo())
            .args(["test", "--locked", "-p", "cronfleet-cli"])
            .args(["--test", "fleet_sweep", "--", "--ignored"])
            .env("CRONFLEET_SWEEP", &self.moments)
            .env("CRONFLEET_SWEEP_PART", part)
            .env("CRONFLEET_SWEEP_REPORT", &report)
            .run();
        if let Ok(text) = std::fs::read_to_string(&report) {
            println!("\n{text}");
        }
        done
    }
}
