//! What is to be expected of a stretch of time, for everything, for groups and for agents.

use std::collections::{BTreeMap, BTreeSet};

use super::agents::{busiest, classes};
use super::block::{Block, Part, blocks};
use super::fleet::Fleet;
use super::instants::{self, Instants};
use super::load::{Load, PeakCounts, Sum};
use super::overlap::{self, ExpectedOverlap};
use super::suggestion::{self, Suggestion};
use super::window::Window;
use crate::id::{AgentId, GroupId};

/// Most agents, groups and overlaps that are told one by one.
pub const TOLD_MAX: usize = 50;

/// What is to be expected of a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// Everything together.
    pub total: Load,
    /// The groups with the highest peaks, at most [`TOLD_MAX`].
    pub groups: Vec<GroupLoad>,
    /// Groups with anything to start, or still alive.
    pub group_count: usize,
    /// The agents with the highest peaks, at most [`TOLD_MAX`].
    pub agents: Vec<AgentLoad>,
    /// Agents with anything to start, or still alive.
    pub agent_count: usize,
    /// Jobs whose runs are expected to last longer than the next due instant is away; the worst first, at most [`TOLD_MAX`].
    pub overlaps: Vec<ExpectedOverlap>,
    /// How many such jobs there are.
    pub overlap_count: usize,
    /// Jobs of one fixed time that `H` would spread, those with the most starts first.
    pub suggestions: Vec<Suggestion>,
    /// Jobs that were taken into account.
    pub job_count: usize,
    /// Jobs of which no duration is known: they count as starts, not as processes alive.
    pub unknown_duration_count: usize,
    /// Jobs that are due too often to list: they are taken as evenly spread within a bucket.
    pub approximate_job_count: usize,
}

/// What is to be expected of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupLoad {
    /// The group.
    pub group: GroupId,
    /// Its load on all agents together.
    pub load: Load,
}

/// What is to be expected of one agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentLoad {
    /// The agent.
    pub agent: AgentId,
    /// Its load.
    pub load: Load,
}

/// Works out what the jobs of a fleet promise for a stretch of time.
///
/// Takes a second or so for a hundred thousand jobs: not for threads that others wait for.
pub fn forecast(fleet: &Fleet, window: &Window) -> Forecast {
    let parts = |_| Some(Part::Base);
    let (blocks, users) = blocks(fleet, parts);
    let instants = instants::instants(fleet, &users, window);
    let blocks: Vec<Block> = blocks
        .into_iter()
        .map(|cells| cells.settle(fleet, &instants, window))
        .collect();
    let mut counts = PeakCounts::new(fleet, &instants, window);
    let mut sum = Sum::new(window);
    for block in &blocks {
        sum.add(block, block.agent_count);
    }
    let (mut total, marks) = sum.finish();
    let everything = blocks.iter().map(|block| (block, block.agent_count));
    total.peak_jobs = counts.at(&total, everything);
    let (groups, group_count) = groups(&blocks, window, &mut counts);
    let classes = classes(fleet, &blocks, |_| true);
    let agent_count = classes.iter().map(|class| class.agents.len()).sum();
    let (overlaps, overlap_count) = overlap::overlaps(fleet, &instants, window);
    Forecast {
        total,
        groups,
        group_count,
        agents: busiest(&blocks, classes, window, &mut counts),
        agent_count,
        overlaps,
        overlap_count,
        suggestions: suggestion::suggestions(fleet, &instants, &marks, window),
        job_count: fleet.jobs().len(),
        unknown_duration_count: unknown_durations(fleet),
        approximate_job_count: approximate_jobs(fleet, &instants),
    }
}

fn groups(
    blocks: &[Block],
    window: &Window,
    counts: &mut PeakCounts<'_>,
) -> (Vec<GroupLoad>, usize) {
    let mut of_group: BTreeMap<GroupId, Vec<&Block>> = BTreeMap::new();
    for block in blocks.iter().filter(|block| !block.is_empty()) {
        of_group.entry(block.group).or_default().push(block);
    }
    let mut loads: Vec<(Load, GroupId)> = of_group
        .iter()
        .map(|(group, blocks)| {
            let mut sum = Sum::new(window);
            for block in blocks {
                sum.add(block, block.agent_count);
            }
            (sum.finish().0, *group)
        })
        .collect();
    loads.sort_by_key(|(load, group)| (std::cmp::Reverse(load.rank()), *group));
    loads.truncate(TOLD_MAX);
    let told = loads.into_iter().map(|(mut load, group)| {
        let parts = of_group
            .get(&group)
            .into_iter()
            .flatten()
            .map(|block| (*block, block.agent_count));
        load.peak_jobs = counts.at(&load, parts);
        GroupLoad { group, load }
    });
    (told.collect(), of_group.len())
}

fn unknown_durations(fleet: &Fleet) -> usize {
    let jobs = fleet.jobs().iter();
    jobs.filter(|job| job.durations.is_none()).count()
}

fn approximate_jobs(fleet: &Fleet, instants: &[Instants]) -> usize {
    let counted: BTreeSet<usize> = instants
        .iter()
        .enumerate()
        .filter(|(_, instants)| matches!(instants, Instants::Counted { .. }))
        .map(|(place, _)| place)
        .collect();
    let schedules = fleet.schedules_of_jobs();
    schedules
        .filter(|schedule| counted.contains(schedule))
        .count()
}
