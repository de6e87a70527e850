//! The whole fleet in one thread under a virtual clock: centers with their database, agents with their ledgers, hosts with
//! their processes, a network between them, people who change their minds, and everything that can go wrong.
//!
//! What decides is the product's own code (`cronfleet_core`: planning, the run's state machine, the order book, the schedule
//! engine); the rest is modelled. One seed tells the whole story: what the fleet looks like, what happens and when. Faults come
//! first; then everything heals, and every run must come to its end. The [`checker`] shares no code with the product:
//! it has its own idea of when a job is due, and the commands themselves say when they ran.
//!
//! [`Mutant`]s are mistakes built in on purpose; each must be found.

mod agent;
mod calendar;
mod center;
mod checker;
pub mod daemons;
mod database;
mod election;
mod faults;
mod host;
mod mutant;
mod offers;
mod operate;
mod oracle;
mod report;
mod rest;
mod rng;
mod swarm;
mod time;
mod world;

pub use mutant::Mutant;
pub use report::{Report, Tally, Violation};

use std::time::Duration;

/// How to run a seed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// A mistake to build in.
    pub mutant: Option<Mutant>,
    /// Whether to keep a log of what happened.
    pub is_logged: bool,
    /// Instead of the drawn faults all agents are out of reach for so long, once, while a long job runs on them.
    pub apart: Option<Duration>,
}

/// Runs one seed and checks what came of it.
pub fn run_seed(seed: u64, options: Options) -> Report {
    let mut world = world::World::new(seed, options);
    world.run();
    let violations = checker::check(&world);
    Report::new(seed, &mut world, violations)
}
