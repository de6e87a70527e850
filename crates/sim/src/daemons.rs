//! One agent's daemons under a virtual clock: the real slot book, with a modelled host, ledger and link around it.
//!
//! Processes start slowly or not at all, are ready late, fall ill, ignore signals and crash; the agent is killed at any moment
//! and between any two effects, the machine loses power together with the tail of the ledger, the center is away, people change
//! the job, scale it and restart it. Then everything heals. Checked all along: never two live processes in a slot, and never
//! more of a job taken down for a replacement than it allows. Checked in the end: every wanted slot has one live process of the
//! version that is wanted, and no other process lives.

mod host;
mod life;
mod rules;
mod world;

/// A mistake that an agent might have been written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotMutant {
    /// A process counts as ended once it was told to stop.
    EndsWhenTold,
    /// A restarting agent does not ask its host what lives.
    ForgetsLives,
    /// A restarting agent believes that everything it started still lives.
    BelievesLedger,
    /// The ledger is not written at all.
    NoLedger,
    /// Whatever a probe finds counts as good.
    ProbesLie,
    /// The limit of unavailable processes is not part of what is wanted.
    ReplacesAllAtOnce,
    /// A start that the machine has no room for is forgotten.
    DropsStarts,
}

impl SlotMutant {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::EndsWhenTold,
        Self::ForgetsLives,
        Self::BelievesLedger,
        Self::NoLedger,
        Self::ProbesLie,
        Self::ReplacesAllAtOnce,
        Self::DropsStarts,
    ];
}

/// What came of a seed.
#[derive(Debug, Default)]
pub struct SlotOutcome {
    /// Promises that were broken; the first few.
    pub violations: Vec<String>,
    /// Processes that started.
    pub starts: u64,
    /// Processes that were stopped to be replaced.
    pub replaced: u64,
}

/// Runs one seed.
pub fn run_seed(seed: u64, mutant: Option<SlotMutant>) -> SlotOutcome {
    let mut world = world::World::new(seed, mutant);
    world.run();
    world.outcome
}
