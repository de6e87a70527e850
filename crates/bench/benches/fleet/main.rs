//! Figures of the real product, each beside what the machine itself can do in the same run.
//!
//! `cargo xtask bench fleet [-- burst|sustained|memory|supervision|flood|shim]`. Figures go to standard output as Markdown tables.

mod bare;
mod burst;
mod cpu;
mod figures;
mod flood;
mod memory;
mod shim;
mod supervision;
mod sustained;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Figures of the real product.
#[derive(Debug, Parser)]
struct Arguments {
    /// The `cronfleet` binary, built for release.
    #[arg(long, env = "CRONFLEET_BINARY")]
    binary: PathBuf,
    /// Given by `cargo bench`; means nothing.
    #[arg(long, hide = true)]
    bench: bool,
    /// What to measure; everything when absent.
    what: Vec<What>,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Start lag of 10, 200 and 1,000 jobs due in one second.
    Burst,
    /// Runs per second that one agent sustains with output recorded.
    Sustained,
    /// Memory of an idle agent and of a center with 10,000 jobs.
    Memory,
    /// Memory of 100 daemon processes beside supervisord, and how soon a killed one is back.
    Supervision,
    /// Throughput of jobs that write as much as they can, the agent's memory meanwhile, and what a neighbour notices.
    Flood,
    /// Time from start to exit record, and memory, of one shim.
    Shim,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let wants = |what| arguments.what.is_empty() || arguments.what.contains(&what);
    if wants(What::Burst) {
        burst::measure(&arguments.binary).await?;
    }
    if wants(What::Sustained) {
        sustained::measure(&arguments.binary).await?;
    }
    if wants(What::Memory) {
        memory::measure(&arguments.binary).await?;
    }
    if wants(What::Supervision) {
        supervision::measure(&arguments.binary).await?;
    }
    if wants(What::Flood) {
        flood::measure(&arguments.binary).await?;
    }
    if wants(What::Shim) {
        shim::measure(&arguments.binary)?;
    }
    Ok(())
}
