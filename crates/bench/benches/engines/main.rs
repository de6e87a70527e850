//! What the center does on each engine: how many runs a second it plans, hands out and records, and what it takes to hold many jobs.
//!
//! `cargo xtask bench engines [-- --engine sqlite --agents 2000 idle|burst|sustained|start]`. Figures go to standard output as
//! Markdown tables.
//!
//! The center is the real program, optimised, and the agents are 2,000 sessions of the real protocol over mutual TLS from this one
//! process. They do what agents say and start nothing: an order is claimed `accepted` when it comes, `running` when it is due, and
//! `ended` a moment later, each in a message of its own. A run counts as done when the center has acknowledged its end, which it
//! does after its commit. So planning, dispatch and recording are measured together, with everything between two processes; what is
//! left out is the agent's own work and its output, which `cargo xtask bench fleet` measures.
//!
//! Database, server and files lie in memory where there is `/dev/shm`: the figures are those of the processors, and syncing costs
//! nothing. Center, database server and fake agents share the machine.

mod fake;
mod many;
mod quiet;
mod rig;
mod usage;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use rig::{Engine, Rig};

/// Figures of the center on each engine.
#[derive(Debug, Parser)]
struct Arguments {
    /// The `cronfleet` binary, built for release.
    #[arg(long, env = "CRONFLEET_BINARY")]
    binary: PathBuf,
    /// Only on this engine; on all when absent.
    #[arg(long)]
    engine: Option<Engine>,
    /// Agents.
    #[arg(long, default_value_t = 2_000)]
    agents: usize,
    /// Runs per second that are asked for, one after the other, until one is too many.
    #[arg(long, value_delimiter = ',', default_value = "1000,2000,5000,10000")]
    rates: Vec<u32>,
    /// Given by `cargo bench`; means nothing.
    #[arg(long, hide = true)]
    bench: bool,
    /// What to measure; everything when absent.
    what: Vec<What>,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Processor time of a center that holds 10,000 jobs of which none is due.
    Idle,
    /// Whether 100,000 jobs that are due in one second are handed out before.
    Burst,
    /// Runs per second with 100,000 jobs.
    Sustained,
    /// Time to start with 1,000,000 jobs, and memory.
    Start,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let wants = |what| arguments.what.is_empty() || arguments.what.contains(&what);
    for engine in Engine::value_variants() {
        if arguments.engine.is_some_and(|one| one != *engine) {
            continue;
        }
        let mut rig = Rig::start(&arguments.binary, *engine, arguments.agents).await?;
        line(&format!("## {engine:?}, {} agents\n", arguments.agents))?;
        if wants(What::Idle) {
            quiet::idle(&mut rig).await?;
        }
        if wants(What::Burst) {
            many::burst(&mut rig).await?;
        }
        if wants(What::Sustained) {
            many::sustained(&mut rig, &arguments.rates).await?;
        }
        if wants(What::Start) {
            quiet::start(&mut rig).await?;
        }
    }
    Ok(())
}

/// Prints a line at once.
fn line(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}
