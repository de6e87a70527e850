//! Processor time that the parts of a fleet have used.

use anyhow::Context;
use cronfleet_testkit::{Fleet, Program};

/// Clock ticks per second in `/proc`: the same on every Linux that we build for.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time in milliseconds, user and system together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CpuTime {
    pub(crate) center_ms: f64,
    pub(crate) agent_ms: f64,
    /// Of the agent's children that are over: shims with their commands.
    pub(crate) lives_ms: f64,
}

impl CpuTime {
    /// Until now.
    pub(crate) fn of(fleet: &Fleet) -> anyhow::Result<Self> {
        let (center_ms, _) = used(fleet.center.as_ref())?;
        let (agent_ms, lives_ms) = used(fleet.agent.as_ref())?;
        Ok(Self {
            center_ms,
            agent_ms,
            lives_ms,
        })
    }

    /// What was used after `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            center_ms: self.center_ms - before.center_ms,
            agent_ms: self.agent_ms - before.agent_ms,
            lives_ms: self.lives_ms - before.lives_ms,
        }
    }

    /// The share of each of `runs`.
    pub(crate) fn per(self, runs: usize) -> Self {
        let runs = runs.max(1) as f64;
        Self {
            center_ms: self.center_ms / runs,
            agent_ms: self.agent_ms / runs,
            lives_ms: self.lives_ms / runs,
        }
    }
}

/// Own time, and that of children that are over.
fn used(program: Option<&Program>) -> anyhow::Result<(f64, f64)> {
    let pid = program.context("the program is down")?.pid();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = stat.rsplit_once(')').context("no name in stat")?;
    // utime, stime, cutime and cstime are fields 14 to 17 of the line; what follows the name begins with the third.
    let ticks: Vec<f64> = rest
        .split_whitespace()
        .skip(11)
        .take(4)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let [user, system, user_of_children, system_of_children] = ticks[..] else {
        anyhow::bail!("stat is too short");
    };
    let ms = |ticks: f64| ticks * 1_000.0 / TICKS_PER_SECOND;
    Ok((ms(user + system), ms(user_of_children + system_of_children)))
}
