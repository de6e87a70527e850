//! The agents with the highest peaks.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::answer::{AgentLoad, TOLD_MAX};
use super::block::Block;
use super::fleet::Fleet;
use super::load::{Load, PeakCounts, Sum};
use super::window::Window;
use crate::id::AgentId;

/// Most classes whose loads are worked out: of more, those that may have the highest peaks.
pub(super) const CLASSES_MAX: usize = 1_000;

/// Agents that have the same blocks, and so the same load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Class {
    /// Places of the blocks.
    pub(super) blocks: Vec<usize>,
    /// Sorted.
    pub(super) agents: Vec<AgentId>,
}

/// Puts together the agents, those for which `is_wanted`, that have the same blocks; agents with nothing are in none.
pub(super) fn classes(
    fleet: &Fleet,
    blocks: &[Block],
    is_wanted: impl Fn(AgentId) -> bool,
) -> Vec<Class> {
    let mut of_agent: BTreeMap<AgentId, Vec<usize>> = BTreeMap::new();
    for (place, block) in blocks.iter().enumerate() {
        if block.is_empty() {
            continue;
        }
        for agent in fleet.agents_of(block.agents) {
            if is_wanted(*agent) {
                of_agent.entry(*agent).or_default().push(place);
            }
        }
    }
    let mut classes: BTreeMap<Vec<usize>, Vec<AgentId>> = BTreeMap::new();
    for (agent, blocks) in of_agent {
        classes.entry(blocks).or_default().push(agent);
    }
    classes
        .into_iter()
        .map(|(blocks, agents)| Class { blocks, agents })
        .collect()
}

/// The classes that may have the highest peaks, at most [`CLASSES_MAX`].
pub(super) fn likeliest(blocks: &[Block], mut classes: Vec<Class>) -> Vec<Class> {
    if classes.len() > CLASSES_MAX {
        classes.sort_by_cached_key(|class| {
            let most = class.blocks.iter().map(|place| blocks[*place].peak_max);
            Reverse(most.fold(0, u64::saturating_add))
        });
        classes.truncate(CLASSES_MAX);
    }
    classes
}

/// The agents with the highest peaks, the highest first.
pub(super) fn busiest(
    blocks: &[Block],
    classes: Vec<Class>,
    window: &Window,
    counts: &mut PeakCounts<'_>,
) -> Vec<AgentLoad> {
    let mut loads: Vec<(Load, Class)> = likeliest(blocks, classes)
        .into_iter()
        .map(|class| (load(blocks, &class, window), class))
        .collect();
    loads.sort_by_cached_key(|(load, class)| (Reverse(load.rank()), class.agents.first().copied()));
    let mut told = Vec::new();
    for (mut load, class) in loads {
        if told.len() == TOLD_MAX {
            break;
        }
        let parts = class.blocks.iter().map(|place| (&blocks[*place], 1));
        load.peak_jobs = counts.at(&load, parts);
        let wanted = TOLD_MAX - told.len();
        told.extend(class.agents.iter().take(wanted).map(|agent| AgentLoad {
            agent: *agent,
            load: load.clone(),
        }));
    }
    told
}

fn load(blocks: &[Block], class: &Class, window: &Window) -> Load {
    let mut sum = Sum::new(window);
    for place in &class.blocks {
        sum.add(&blocks[*place], 1);
    }
    sum.finish().0
}
