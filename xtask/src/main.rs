//! Every developer command in one place: `cargo xtask up | test | ci | sim | sweep | faults | bench | machine | openapi`.
//!
//! The same commands run on a laptop and in CI; `.ci/run` only calls `cargo xtask ci`. Nothing here needs more than Rust,
//! Node.js and, for the browser tests, what [`debian`] installs where it may.
#![expect(
    clippy::print_stdout,
    reason = "a developer's tool talks on the terminal"
)]

mod bench;
mod binary;
mod browser;
mod ci;
mod console;
mod databases;
mod debian;
mod faults;
mod machine;
mod openapi;
mod phase;
mod program;
mod rust;
mod sim;
mod sweep;
mod tally;
mod up;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developer commands of Cronfleet.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build console and binary, then start a center with a local agent
    Up(up::Up),
    /// Check format and lints, and run the tests that take no long time
    Test,
    /// Everything that CI does
    Ci,
    /// Run the simulated fleet over many seeds
    Sim(sim::Sim),
    /// Kill the agent before every one of its effects
    Sweep(sweep::Sweep),
    /// Let everything befall whole fleets on real databases that can; needs root
    Faults(faults::Faults),
    /// Run benchmarks and print their tables
    Bench(bench::Bench),
    /// Install, kill, survive and reboot under a real systemd; needs root and mmdebstrap
    Machine(machine::Machine),
    /// Write openapi.json and the console's types from the code
    Openapi,
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Up(up) => up.run(),
        Command::Test => ci::quick(),
        Command::Ci => ci::full(),
        Command::Sim(sim) => sim.run(),
        Command::Sweep(sweep) => sweep.run(),
        Command::Faults(faults) => faults.run(),
        Command::Bench(bench) => bench.run(),
        Command::Machine(machine) => machine.run(),
        Command::Openapi => openapi::write(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}
