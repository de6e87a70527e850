use cronfleet_core::access::Reach;
use cronfleet_core::id::{AgentId, GroupId, JobId, RunId};
use cronfleet_core::order::Claim;
use cronfleet_core::run::{Cause, Outcome, Reason, RunState};
use cronfleet_store::{RunFilter, RunPhase, RunRow};

use crate::world::{ALL, World, at, at_ms, exited, only, run_at, running, scheduled, taken};

conformance! {
    every_filter_finds_what_a_scan_finds,
    pages_join_without_gap_or_overlap,
    many_groups_are_listed_too,
}

struct Fleet {
    w: World,
    groups: Vec<GroupId>,
    agents: Vec<AgentId>,
    jobs: Vec<JobId>,
    /// All runs, newest first.
    runs: Vec<RunRow>,
}

impl Fleet {
    /// Three groups with two jobs each on two agents, and runs in every state.
    async fn new(w: World) -> Self {
        let mut fleet = Self {
            w,
            groups: vec![],
            agents: vec![],
            jobs: vec![],
            runs: vec![],
        };
        let w = &fleet.w;
        for number in 1..=3 {
            fleet.groups.push(w.group(number).await);
        }
        for number in 1..=2 {
            fleet.agents.push(w.agent(number, &fleet.groups).await);
        }
        for number in 0..6 {
            let group = fleet.groups[number as usize / 2];
            fleet.jobs.push(
                w.job(number + 1, group, scheduled(&format!("job {number}")))
                    .await,
            );
        }
        let sessions = [
            w.session(fleet.agents[0]).await,
            w.session(fleet.agents[1]).await,
        ];
        for (place, job) in fleet.jobs.iter().enumerate() {
            let mut runs = Vec::new();
            for tick in 0..12 {
                for agent in &fleet.agents {
                    runs.push(run_at(
                        *job,
                        1,
                        at_ms(60_000 + 250 * tick + place as i64),
                        *agent,
                    ));
                }
            }
            let ids: Vec<RunId> = runs.iter().map(|run| run.id).collect();
            w.plan(*job, runs).await;
            for session in &sessions {
                taken(&w.store, session, at(0), at_ms(62_300), 1_000).await;
            }
            for (number, id) in ids.iter().enumerate() {
                let what = match number / 2 {
                    0 => Claim::Accepted,
                    1 => running(at(60)),
                    2 => exited(at(61), 0),
                    3 => exited(at(61), 1),
                    4 => Claim::Lost {
                        reason: Reason::HostRebooted,
                        start: None,
                    },
                    5 => Claim::Refused {
                        reason: Reason::Overlap,
                        detail: None,
                    },
                    _ => continue,
                };
                w.claim(&sessions[number % 2], *id, what).await;
            }
        }
        fleet.runs = fleet
            .w
            .store
            .runs(&ALL, &RunFilter::default(), None, 500)
            .await
            .unwrap()
            .items;
        assert_eq!(fleet.runs.len(), 144);
        assert!(fleet.runs.is_sorted_by(|a, b| a.id > b.id));
        fleet
    }

    async fn list(&self, reach: &Reach, filter: &RunFilter) -> Vec<RunId> {
        let page = self.w.store.runs(reach, filter, None, 500).await.unwrap();
        page.items.iter().map(|run| run.id).collect()
    }

    fn scan(&self, reach: &Reach, filter: &RunFilter) -> Vec<RunId> {
        let keep = |run: &&RunRow| {
            let outcome = if let RunState::Ended(outcome) = run.state {
                Some(outcome)
            } else {
                None
            };
            reach.includes(run.group)
                && filter.job.is_none_or(|job| run.job == job)
                && filter.agent.is_none_or(|agent| run.agent == agent)
                && filter.group.is_none_or(|group| run.group == group)
                && (filter.phases.is_empty()
                    || filter
                        .phases
                        .iter()
                        .any(|phase| phase.word() == run.state.word()))
                && (filter.outcomes.is_empty()
                    || outcome.is_some_and(|outcome| filter.outcomes.contains(&outcome)))
                && (filter.causes.is_empty() || filter.causes.contains(&run.cause))
                && filter.from.is_none_or(|from| run.due >= from)
                && filter.to.is_none_or(|to| run.due < to)
        };
        self.runs.iter().filter(keep).map(|run| run.id).collect()
    }
}

async fn every_filter_finds_what_a_scan_finds(w: World) {
    let f = Fleet::new(w).await;
    let reaches = [ALL, only(&f.groups[..2]), only(&f.groups[1..2]), only(&[])];
    let outcomes: [&[Outcome]; 4] = [
        &[],
        &[Outcome::Failed],
        &[Outcome::Lost, Outcome::Skipped, Outcome::Lost],
        &[Outcome::Succeeded, Outcome::Failed],
    ];
    let phases: [&[RunPhase]; 4] = [
        &[],
        &[RunPhase::Running],
        &[RunPhase::Planned, RunPhase::Dispatched, RunPhase::Accepted],
        &[RunPhase::Ended],
    ];
    let mut cases = 0;
    for reach in &reaches {
        for job in [None, Some(f.jobs[2])] {
            for agent in [None, Some(f.agents[1])] {
                for group in [None, Some(f.groups[1])] {
                    for outcomes in outcomes {
                        for phases in phases {
                            for (from, to) in
                                [(None, None), (Some(at_ms(60_502)), Some(at_ms(62_001)))]
                            {
                                let filter = RunFilter {
                                    job,
                                    agent,
                                    group,
                                    phases: phases.to_vec(),
                                    outcomes: outcomes.to_vec(),
                                    causes: vec![Cause::Schedule],
                                    from,
                                    to,
                                };
                                assert_eq!(
                                    f.list(reach, &filter).await,
                                    f.scan(reach, &filter),
                                    "{reach:?} {filter:?}"
                                );
                                cases += 1;
                            }
                        }
                    }
                }
            }
        }
    }
    assert_eq!(cases, 1_024);
    let retries = RunFilter {
        causes: vec![Cause::Retry],
        ..RunFilter::default()
    };
    assert_eq!(f.list(&ALL, &retries).await, []);
}

async fn pages_join_without_gap_or_overlap(w: World) {
    let f = Fleet::new(w).await;
    let bad = RunFilter {
        outcomes: vec![Outcome::Failed, Outcome::Lost],
        ..RunFilter::default()
    };
    let active = RunFilter {
        phases: vec![RunPhase::Planned, RunPhase::Running],
        ..RunFilter::default()
    };
    for (reach, filter) in [
        (ALL, RunFilter::default()),
        (only(&f.groups), RunFilter::default()),
        (ALL, bad),
        (ALL, active),
    ] {
        let mut found = Vec::new();
        let mut before = None;
        loop {
            let page = f.w.store.runs(&reach, &filter, before, 7).await.unwrap();
            assert!(page.items.len() == 7 || page.next.is_none());
            found.extend(page.items.iter().map(|run| run.id));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(found, f.scan(&reach, &filter), "{filter:?}");
    }
}

async fn many_groups_are_listed_too(w: World) {
    let f = Fleet::new(w).await;
    let mut groups = f.groups.clone();
    groups.extend((100..200).map(GroupId::from_u128));
    assert_eq!(
        f.list(&only(&groups), &RunFilter::default()).await.len(),
        144
    );
    let nine = &groups[2..];
    assert_eq!(f.list(&only(nine), &RunFilter::default()).await.len(), 48);
}
