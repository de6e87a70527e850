//! Spread: on which of the agents that its target selects a job runs, and how those are picked.
//!
//! A job runs on each of them, or on some: then the center picks as many as it asks for, offers them the run, and decides who
//! starts it only when it is due; see [`crate::offer`].

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::id::{AgentId, JobId};
use crate::jitter;
use crate::job::{SpecError, check, range};

/// Most agents that a job may ask for.
pub const COUNT_MAX: u32 = 10_000;

/// On how many of the agents that its target selects a due instant runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Spread {
    /// On each of them.
    #[default]
    Each,
    /// On some of them.
    Some {
        /// On how many, 1 to 10,000; on all if there are fewer.
        count: u32,
        /// Which are asked first.
        pick: Pick,
    },
}

/// Which agents are asked first. Those that are out of reach come last in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Pick {
    /// Those with the fewest runs planned, under way or alive.
    #[default]
    FewestRunning,
    /// Those whose processors have the least to do: load average per processor.
    LeastLoad,
    /// The next ones by their ids after the one that had the last run.
    RoundRobin,
    /// The one that had the last run, then those by hash.
    Sticky,
    /// By a hash of job and agent: the same order for ever, another one for each job.
    Hash,
}

impl Pick {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::FewestRunning,
        Self::LeastLoad,
        Self::RoundRobin,
        Self::Sticky,
        Self::Hash,
    ];

    /// The word in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::FewestRunning => "fewest_running",
            Self::LeastLoad => "least_load",
            Self::RoundRobin => "round_robin",
            Self::Sticky => "sticky",
            Self::Hash => "hash",
        }
    }

    /// Reads [`Pick::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|pick| pick.word() == word)
    }
}

impl Spread {
    /// Whether its runs are offered: one agent among several is to be found for each.
    pub const fn offers(self) -> bool {
        matches!(self, Self::Some { .. })
    }

    /// On how many of so many agents it runs.
    pub fn width(self, agents: usize) -> usize {
        match self {
            Self::Each => agents,
            Self::Some { count, .. } => agents.min(count as usize),
        }
    }

    /// Those on which it may be expected to run, the same each time: all, or some by hash. Sorted.
    pub fn likely(self, job: JobId, mut agents: Vec<AgentId>) -> Vec<AgentId> {
        if let Self::Some { count, .. } = self {
            agents.sort_by_cached_key(|agent| hash(job, *agent));
            agents.truncate(count as usize);
            agents.sort_unstable();
        }
        agents
    }

    /// Checks the bounds.
    ///
    /// # Errors
    /// No agent is asked for, or too many.
    pub fn check(self) -> Result<(), SpecError> {
        match self {
            Self::Each => Ok(()),
            Self::Some { count, .. } => {
                range("target.count", u64::from(count), 1, u64::from(COUNT_MAX))
            }
        }
    }
}

/// Whether the start of a job's host can be when it is due: then it is due on that host alone.
///
/// # Errors
/// Its runs are offered.
pub fn check_reboot(spread: Spread) -> Result<(), SpecError> {
    check(!spread.offers(), "target.mode", "job.any_reboot", || {
        (
            "a job that runs when a host starts runs on that host".into(),
            "use each, or a schedule".into(),
        )
    })
}

/// How long after a due instant a run waits by its job's jitter: one that is offered as long on whichever agent.
pub fn wait(most: Duration, job: JobId, agent: AgentId, copy: u32, is_offer: bool) -> Duration {
    let whose = if is_offer {
        AgentId::from_u128(0)
    } else {
        agent
    };
    jitter::wait(most, job, whose, copy)
}

/// An agent that may be picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Agent.
    pub agent: AgentId,
    /// Whether it has a session with a center.
    pub is_online: bool,
    /// Runs on it that have not ended.
    pub active_runs: u32,
    /// Load average over one minute per processor, in thousandths.
    pub load_permille: u32,
}

/// The agents of one job, from which one after the other is picked. What was picked counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picker {
    job: JobId,
    pick: Pick,
    count: u32,
    candidates: Vec<Candidate>,
    /// Who had the last run.
    last: Option<AgentId>,
}

impl Picker {
    /// Picks among `candidates` for a job; `last` had its last run. `None` if the job runs on each of its agents.
    pub fn new(
        job: JobId,
        spread: Spread,
        candidates: Vec<Candidate>,
        last: Option<AgentId>,
    ) -> Option<Self> {
        let Spread::Some { count, pick } = spread else {
            return None;
        };
        Some(Self {
            job,
            pick,
            count,
            candidates,
            last,
        })
    }

    /// The same, and each of the candidates is to have a run.
    pub fn on_all(mut self) -> Self {
        self.count = COUNT_MAX;
        self
    }

    /// Runs of one copy and due instant where so many agents are selected.
    pub fn runs_among(&self, agents: usize) -> usize {
        agents.min(self.count as usize)
    }

    /// The agents of the next due instant and copy: as many as the job asks for, without those in `except`.
    pub fn next(&mut self, except: &[AgentId]) -> Vec<AgentId> {
        let mut free: Vec<Candidate> = self
            .candidates
            .iter()
            .filter(|candidate| !except.contains(&candidate.agent))
            .copied()
            .collect();
        free.sort_by_cached_key(|candidate| self.preference(candidate));
        free.truncate(self.count as usize);
        let picked: Vec<AgentId> = free.iter().map(|candidate| candidate.agent).collect();
        for candidate in &mut self.candidates {
            candidate.active_runs += u32::from(picked.contains(&candidate.agent));
        }
        self.last = picked.last().copied().or(self.last);
        picked
    }

    /// The one that takes the place of another, if there is one that can be reached.
    pub fn instead(&mut self, except: &[AgentId]) -> Option<AgentId> {
        let count = std::mem::replace(&mut self.count, 1);
        let next = self.next(except).first().copied();
        self.count = count;
        next.filter(|agent| {
            let mut candidates = self.candidates.iter();
            candidates.any(|candidate| candidate.agent == *agent && candidate.is_online)
        })
    }

    /// Sorts candidates: the first is asked first.
    fn preference(&self, candidate: &Candidate) -> (bool, u64, [u8; 16]) {
        let measure = match self.pick {
            Pick::FewestRunning => u64::from(candidate.active_runs),
            Pick::LeastLoad => u64::from(candidate.load_permille),
            Pick::RoundRobin => u64::from(self.last.is_some_and(|last| candidate.agent <= last)),
            Pick::Sticky => u64::from(self.last != Some(candidate.agent)),
            Pick::Hash => 0,
        };
        let tie = match self.pick {
            Pick::RoundRobin => *candidate.agent.as_uuid().as_bytes(),
            _ => hash(self.job, candidate.agent),
        };
        (!candidate.is_online, measure, tie)
    }
}

/// What the digest begins with, so that it is not the digest of anything else.
const DOMAIN: &[u8] = b"cronfleet pick v1";

fn hash(job: JobId, agent: AgentId) -> [u8; 16] {
    let digest = Sha256::new()
        .chain_update(DOMAIN)
        .chain_update(job.as_uuid().as_bytes())
        .chain_update(agent.as_uuid().as_bytes())
        .finalize();
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(number: u128) -> AgentId {
        AgentId::from_u128(number)
    }

    fn candidates(count: u128) -> Vec<Candidate> {
        (1..=count)
            .map(|number| Candidate {
                agent: agent(number),
                is_online: true,
                active_runs: 0,
                load_permille: 0,
            })
            .collect()
    }

    fn picker(pick: Pick, count: u32, candidates: Vec<Candidate>, last: Option<u128>) -> Picker {
        let spread = Spread::Some { count, pick };
        Picker::new(JobId::from_u128(1), spread, candidates, last.map(agent)).unwrap()
    }

    /// Whom it picks, four times.
    fn four(mut picker: Picker) -> Vec<u128> {
        (0..4)
            .map(|_| picker.next(&[])[0].as_uuid().as_u128())
            .collect()
    }

    #[test]
    fn the_next_in_turn_comes_after_the_last_one() {
        let of = |last| four(picker(Pick::RoundRobin, 1, candidates(3), last));
        assert_eq!(of(None), [1, 2, 3, 1]);
        assert_eq!(of(Some(2)), [3, 1, 2, 3]);
        assert_eq!(of(Some(9)), [1, 2, 3, 1], "the last one is gone");
    }

    #[test]
    fn the_fewest_running_count_what_was_just_picked() {
        let mut all = candidates(3);
        (all[0].active_runs, all[1].active_runs, all[2].active_runs) = (2, 0, 5);
        let picked = four(picker(Pick::FewestRunning, 1, all, None));
        assert_eq!(picked[..2], [2, 2]);
        assert!(picked[2..].contains(&1), "{picked:?}");
    }

    #[test]
    fn what_is_out_of_reach_comes_last() {
        for pick in Pick::ALL {
            let mut all = candidates(3);
            all[1].is_online = false;
            let picked = picker(pick, 3, all.clone(), Some(2)).next(&[]);
            assert_eq!(picked[2], agent(2), "{pick:?}");
            let instead = |except: &[AgentId]| picker(pick, 2, all.clone(), None).instead(except);
            assert!(instead(&[agent(1)]) == Some(agent(3)), "{pick:?}");
            assert_eq!(instead(&[agent(1), agent(3)]), None, "{pick:?}");
        }
    }

    #[test]
    fn a_sticky_job_stays_and_a_hashed_one_does_not_depend_on_the_last() {
        assert_eq!(
            four(picker(Pick::Sticky, 1, candidates(5), Some(4))),
            [4; 4]
        );
        let hashed = |last| four(picker(Pick::Hash, 1, candidates(5), last));
        assert_eq!(hashed(None), hashed(Some(3)));
        let loads = |mut all: Vec<Candidate>| {
            all[2].load_permille = 0;
            four(picker(Pick::LeastLoad, 1, all, None))
        };
        let mut busy = candidates(3);
        busy.iter_mut().for_each(|one| one.load_permille = 900);
        assert_eq!(loads(busy), [3; 4]);
    }

    #[test]
    fn so_many_are_picked_as_are_asked_for_each_once() {
        for pick in Pick::ALL {
            let picked = picker(pick, 2, candidates(3), None).next(&[]);
            assert_eq!(picked.len(), 2);
            assert_ne!(picked[0], picked[1]);
            assert_eq!(picker(pick, 9, candidates(3), None).next(&[]).len(), 3);
        }
    }
}
