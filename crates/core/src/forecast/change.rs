//! What one more job, or another definition of one, makes of the load.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::agents::{Class, classes, likeliest};
use super::block::{Block, Part, blocks};
use super::fleet::{Fleet, JobPlace};
use super::instants::{self, Instants};
use super::load::{Load, Peak, Sum};
use super::overlap::{self, ExpectedOverlap};
use super::window::Window;
use crate::id::AgentId;

/// Most agents that are told one by one.
const AGENTS_MAX: usize = 10;

/// What a change makes of the load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Runs of the job that become due, over all agents, before the change.
    pub starts_before: u64,
    /// The same after the change.
    pub starts_after: u64,
    /// The difference for each bucket of the window, over all agents.
    pub added_per_bucket: Vec<i64>,
    /// The agents that it is about, those with the highest peaks after the change first, at most 10.
    pub agents: Vec<AgentChange>,
    /// How many agents it is about: those of the job, before or after.
    pub agent_count: usize,
    /// Whether its runs, as they shall be, are expected to come while the one before is alive.
    pub overlap: Option<ExpectedOverlap>,
    /// Whether something was due too often to list: it was taken as evenly spread within a bucket.
    pub is_approximate: bool,
}

/// What a change makes of the load of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentChange {
    /// The agent.
    pub agent: AgentId,
    /// The second with the most starts of all jobs, before the change.
    pub before: Option<Peak>,
    /// The same after the change.
    pub after: Option<Peak>,
    /// Starts that are added in each bucket of the window.
    pub added_per_bucket: Vec<i64>,
}

/// Works out what becomes of the load if the job `old` of a fleet goes and `new` comes; neither counts as one of the others.
///
/// As costly as [`forecast`](super::forecast()).
pub fn change(
    fleet: &Fleet,
    old: Option<JobPlace>,
    new: Option<JobPlace>,
    window: &Window,
) -> Change {
    let part = |place| {
        let role = [(old, Part::Old), (new, Part::New)];
        let role = role.into_iter().find(|(job, _)| *job == Some(place));
        Some(role.map_or(Part::Base, |(_, part)| part))
    };
    let (blocks, users) = blocks(fleet, part);
    let instants = instants::instants(fleet, &users, window);
    let blocks: Vec<Block> = blocks
        .into_iter()
        .map(|cells| cells.settle(fleet, &instants, window))
        .collect();
    let of_part = |part| {
        let mut sum = Sum::new(window);
        for block in blocks.iter().filter(|block| block.part == part) {
            sum.add(block, block.agent_count);
        }
        sum.finish().0
    };
    let (before, after) = (of_part(Part::Old), of_part(Part::New));
    let touched: BTreeSet<AgentId> = [old, new]
        .into_iter()
        .flatten()
        .flat_map(|place| fleet.agents_of(fleet.job(place).agents))
        .copied()
        .collect();
    let classes = classes(fleet, &blocks, |agent| touched.contains(&agent));
    Change {
        starts_before: before.starts,
        starts_after: after.starts,
        added_per_bucket: added(&before, &after),
        agents: agents(&blocks, classes, window),
        agent_count: touched.len(),
        overlap: new.and_then(|place| overlap::overlap(fleet, place, &instants, window)),
        is_approximate: instants
            .iter()
            .any(|instants| matches!(instants, Instants::Counted { .. })),
    }
}

fn agents(blocks: &[Block], classes: Vec<Class>, window: &Window) -> Vec<AgentChange> {
    let mut loads: Vec<(Load, Load, Class)> = likeliest(blocks, classes)
        .into_iter()
        .map(|class| {
            let without = |part| load_without(part, blocks, &class, window);
            (without(Part::New), without(Part::Old), class)
        })
        .collect();
    loads.sort_by_cached_key(|(_, after, class)| {
        (Reverse(after.rank()), class.agents.first().copied())
    });
    let told = loads.iter().flat_map(|(before, after, class)| {
        class.agents.iter().map(|agent| AgentChange {
            agent: *agent,
            before: before.peak,
            after: after.peak,
            added_per_bucket: added(before, after),
        })
    });
    told.take(AGENTS_MAX).collect()
}

fn load_without(part: Part, blocks: &[Block], class: &Class, window: &Window) -> Load {
    let mut sum = Sum::new(window);
    let kept = class.blocks.iter().map(|place| &blocks[*place]);
    for block in kept.filter(|block| block.part != part) {
        sum.add(block, 1);
    }
    sum.finish().0
}

fn added(before: &Load, after: &Load) -> Vec<i64> {
    let signed = |count: &u64| i64::try_from(*count).unwrap_or(i64::MAX);
    let pairs = before
        .starts_per_bucket
        .iter()
        .zip(&after.starts_per_bucket);
    pairs
        .map(|(before, after)| signed(after) - signed(before))
        .collect()
}
