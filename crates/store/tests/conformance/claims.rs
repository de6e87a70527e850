use std::time::Duration;

use cronfleet_core::id::{JobId, RunId};
use cronfleet_core::job::{JobKind, JobSpec};
use cronfleet_core::order::{Claim, Cleanup, ExitStatus, KillMeans, Start, StopCause};
use cronfleet_core::plan::PlannedRun;
use cronfleet_core::retry::Failure;
use cronfleet_core::run::{Cause, Outcome, Reason, RunState};
use cronfleet_store::{AgentClaim, Conflict, RunFilter, Said, Session};
use jiff::SignedDuration;

use crate::world::{
    ADMIN, ALL, DEADLINE, World, applied, at, claim, end, exited, retried, run_at, running,
    scheduled,
};

conformance! {
    a_run_goes_its_way,
    a_claim_may_jump_ahead_and_never_goes_back,
    claims_of_one_batch_are_applied_in_order,
    everything_known_of_an_end_is_stored,
    claims_for_other_agents_and_unknown_runs_are_told,
    a_failed_run_is_tried_again_in_time,
    what_is_not_tried_again,
    only_failures_that_are_named_are_tried_again,
    a_lost_run_is_refined_once,
    any_order_and_repetition_ends_the_same,
    what_many_sessions_say_at_once_counts_as_if_each_had_said_it_alone,
}

struct Fleet {
    w: World,
    job: JobId,
    session: Session,
}

impl Fleet {
    async fn new(w: World) -> (Self, RunId) {
        let group = w.group(1).await;
        let agent = w.agent(1, &[group]).await;
        let job = w.job(1, group, retried("a", 3)).await;
        let session = w.session(agent).await;
        let run = w.plan_one(job, at(60), agent).await;
        w.dispatch(&session).await;
        (Self { w, job, session }, run)
    }

    async fn claim(&self, run: RunId, what: Claim) -> cronfleet_store::ClaimsApplied {
        self.w.claim(&self.session, run, what).await
    }

    /// The next attempt, if one is planned.
    async fn retry(&self, attempt: u32) -> Option<cronfleet_store::RunRow> {
        let filter = RunFilter {
            job: Some(self.job),
            ..RunFilter::default()
        };
        let runs = self
            .w
            .store
            .runs(&ALL, &filter, None, 100)
            .await
            .unwrap()
            .items;
        runs.into_iter().find(|run| run.attempt == attempt)
    }
}

async fn a_run_goes_its_way(w: World) {
    let (fleet, run) = Fleet::new(w).await;
    assert_eq!(
        fleet.claim(run, Claim::Accepted).await.moved[0].state,
        RunState::Accepted
    );
    assert_eq!(fleet.claim(run, Claim::Accepted).await.stale, [run]);
    fleet.claim(run, running(at(61))).await;
    let row = fleet.w.run(run).await;
    assert_eq!(
        (row.state, row.accepted_at, row.started_at, row.pid),
        (RunState::Running, Some(at(100)), Some(at(61)), Some(77))
    );
    let applied = fleet.claim(run, exited(at(63), 0)).await;
    assert_eq!(applied.moved[0].state, RunState::Ended(Outcome::Succeeded));
    assert_eq!(applied.agents, []);
    assert_eq!(
        fleet
            .w
            .store
            .outstanding(fleet.session.agent)
            .await
            .unwrap(),
        []
    );
}

async fn a_claim_may_jump_ahead_and_never_goes_back(w: World) {
    let (fleet, run) = Fleet::new(w).await;
    let start = Some(Start { at: at(60), pid: 9 });
    fleet
        .claim(
            run,
            Claim::Ended {
                start,
                end: end(at(63), ExitStatus::Exited(0), None),
            },
        )
        .await;
    let row = fleet.w.run(run).await;
    assert_eq!(
        (row.state, row.started_at),
        (RunState::Ended(Outcome::Succeeded), Some(at(60)))
    );
    let lost = Claim::Lost {
        reason: Reason::AgentCrashed,
        start: None,
    };
    for late in [Claim::Accepted, running(at(90)), lost, exited(at(99), 1)] {
        assert_eq!(fleet.claim(run, late).await.stale, [run]);
    }
    assert_eq!(fleet.w.run(run).await, row);
}

async fn claims_of_one_batch_are_applied_in_order(w: World) {
    let (fleet, run) = Fleet::new(w).await;
    let claims = [
        claim(run, Claim::Accepted),
        claim(run, running(at(60))),
        claim(run, exited(at(61), 0)),
        claim(run, Claim::Accepted),
    ];
    let applied = applied(&fleet.w.store, &fleet.session, &claims, at(70)).await;
    assert_eq!((applied.moved.len(), applied.stale), (1, vec![run]));
    let row = fleet.w.run(run).await;
    assert_eq!(
        (row.accepted_at, row.started_at, row.ended_at),
        (Some(at(70)), Some(at(60)), Some(at(61)))
    );
}

async fn everything_known_of_an_end_is_stored(w: World) {
    let (fleet, run) = Fleet::new(w).await;
    let status = ExitStatus::Signalled {
        signal: 9,
        has_core: true,
    };
    fleet
        .claim(
            run,
            Claim::Ended {
                start: None,
                end: end(at(63), status, Some(StopCause::Kill)),
            },
        )
        .await;
    let row = fleet.w.run(run).await;
    assert_eq!(
        (row.state, row.signal, row.exit_code),
        (RunState::Ended(Outcome::Killed), Some(9), None)
    );
    assert_eq!(row.duration, Some(Duration::from_millis(1_500)));
    assert_eq!(
        row.cleanup,
        Cleanup {
            stop_signal: Some(15),
            kill_means: Some(KillMeans::Descent),
            found: 2,
            left: 1,
        }
    );
    let usage = row.usage.unwrap();
    assert_eq!(
        (usage.user_time, usage.memory_peak_bytes),
        (Duration::from_millis(3), 5)
    );
    assert_eq!(row.output.unwrap().end_offset, 20);
    let job = fleet
        .w
        .job(2, fleet.w.run(run).await.group, retried("b", 1))
        .await;
    let second = fleet.w.plan_one(job, at(60), fleet.session.agent).await;
    fleet.w.dispatch(&fleet.session).await;
    let status = ExitStatus::NotStarted {
        reason: Reason::CommandMissing,
        detail: "x".repeat(5_000),
    };
    fleet
        .claim(
            second,
            Claim::Ended {
                start: None,
                end: end(at(63), status, None),
            },
        )
        .await;
    let row = fleet.w.run(second).await;
    assert_eq!(
        (row.state, row.reason),
        (
            RunState::Ended(Outcome::Failed),
            Some(Reason::CommandMissing)
        )
    );
    assert_eq!(row.detail.unwrap().len(), 1_000);
}

async fn claims_for_other_agents_and_unknown_runs_are_told(w: World) {
    let (fleet, run) = Fleet::new(w).await;
    let thief = fleet.w.agent(2, &[fleet.w.run(run).await.group]).await;
    let session = fleet.w.session(thief).await;
    let unknown = RunId::from_u128(5);
    let claims = [
        claim(run, exited(at(61), 0)),
        claim(unknown, Claim::Accepted),
    ];
    let applied = applied(&fleet.w.store, &session, &claims, at(70)).await;
    let claimed = |run| vec![(session.agent, run)];
    assert_eq!(
        (applied.foreign, applied.unknown, applied.moved),
        (claimed(run), claimed(unknown), vec![])
    );
    assert_eq!(fleet.w.state(run).await, RunState::Dispatched);
}

async fn a_failed_run_is_tried_again_in_time(w: World) {
    let (fleet, run) = Fleet::new(w).await;
    let applied = fleet.claim(run, exited(at(95), 1)).await;
    assert_eq!(applied.agents, [fleet.session.agent]);
    let second = fleet.retry(2).await.unwrap();
    assert_eq!(
        (second.cause, second.due, second.state),
        (Cause::Retry, at(60), RunState::Planned)
    );
    assert_eq!(
        (second.not_before, second.not_after),
        (at(105), at(105) + DEADLINE)
    );
    assert_eq!(
        fleet.claim(run, exited(at(95), 1)).await.agents,
        [],
        "a repetition asks for nothing"
    );
    fleet.w.dispatch(&fleet.session).await;
    let timed_out = end(at(96), ExitStatus::Exited(0), Some(StopCause::Timeout));
    fleet
        .claim(
            second.id,
            Claim::Ended {
                start: None,
                end: timed_out,
            },
        )
        .await;
    let third = fleet.retry(3).await.unwrap();
    assert_eq!(third.not_before, at(116), "the wait has doubled");
    let detail = fleet.w.store.run(&ALL, second.id).await.unwrap().unwrap();
    assert_eq!(detail.attempts, [run, third.id]);
    fleet.w.dispatch(&fleet.session).await;
    assert_eq!(fleet.claim(third.id, exited(at(130), 1)).await.agents, []);
    assert!(fleet.retry(4).await.is_none(), "three attempts in all");
}

async fn what_is_not_tried_again(w: World) {
    let (fleet, run) = Fleet::new(w).await;
    let agent = fleet.session.agent;
    let group = fleet.w.run(run).await.group;
    let lost = Claim::Lost {
        reason: Reason::AgentCrashed,
        start: None,
    };
    let killed = Claim::Ended {
        start: None,
        end: end(at(61), ExitStatus::Exited(1), Some(StopCause::Kill)),
    };
    let refused = Claim::Refused {
        reason: Reason::Overlap,
        detail: None,
    };
    for (number, what) in [lost, killed, refused, exited(at(61), 0)]
        .into_iter()
        .enumerate()
    {
        let job = fleet
            .w
            .job(10 + number as u128, group, retried(&format!("{number}"), 3))
            .await;
        let run = fleet.w.plan_one(job, at(60), agent).await;
        fleet.w.dispatch(&fleet.session).await;
        assert_eq!(fleet.claim(run, what.clone()).await.agents, [], "{what:?}");
    }
    fleet.w.store.request_kill(run, ADMIN, at(1)).await.unwrap();
    assert_eq!(
        fleet.claim(run, exited(at(61), 1)).await.agents,
        [],
        "somebody wanted its end"
    );
    for pause in [true, false] {
        let job = fleet
            .w
            .job(
                30 + u128::from(pause),
                group,
                retried(&format!("gone {pause}"), 3),
            )
            .await;
        let run = fleet.w.plan_one(job, at(60), agent).await;
        fleet.w.dispatch(&fleet.session).await;
        let edited = if pause {
            fleet.w.store.pause_job(job, at(61)).await
        } else {
            fleet.w.store.delete_job(job, at(61)).await
        };
        edited.unwrap();
        assert_eq!(
            fleet.claim(run, exited(at(70), 1)).await.agents,
            [],
            "paused: {pause}"
        );
    }
}

async fn only_failures_that_are_named_are_tried_again(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let session = w.session(agent).await;
    let mut spec = retried("a", 3);
    if let JobKind::Scheduled(scheduled) = &mut spec.kind {
        scheduled.retry.failures = vec![
            Failure::Exited {
                first: 70,
                last: 75,
            },
            Failure::TimedOut,
        ];
    }
    let timed_out = Claim::Ended {
        start: None,
        end: end(at(61), ExitStatus::Exited(1), Some(StopCause::Timeout)),
    };
    for (number, (what, is_retried)) in [
        (exited(at(61), 1), false),
        (exited(at(61), 75), true),
        (timed_out, true),
    ]
    .into_iter()
    .enumerate()
    {
        let spec = JobSpec {
            name: format!("{number}"),
            ..spec.clone()
        };
        let job = w.job(number as u128, group, spec).await;
        let run = w.plan_one(job, at(60), agent).await;
        w.dispatch(&session).await;
        let applied = w.claim(&session, run, what.clone()).await;
        assert_eq!(!applied.agents.is_empty(), is_retried, "{what:?}");
    }
}

async fn a_lost_run_is_refined_once(w: World) {
    let (fleet, run) = Fleet::new(w).await;
    fleet
        .claim(
            run,
            Claim::Lost {
                reason: Reason::LedgerMissing,
                start: None,
            },
        )
        .await;
    let row = fleet.w.run(run).await;
    assert_eq!(
        (row.state, row.reason, row.is_refined),
        (
            RunState::Ended(Outcome::Lost),
            Some(Reason::LedgerMissing),
            false
        )
    );
    assert_eq!(row.ended_at, Some(at(100)));
    let applied = fleet.claim(run, exited(at(63), 1)).await;
    assert_eq!(applied.agents, [], "no retry after the fact");
    let row = fleet.w.run(run).await;
    assert_eq!(
        (row.state, row.reason, row.is_refined),
        (RunState::Ended(Outcome::Failed), None, true)
    );
    assert_eq!(row.ended_at, Some(at(63)));
    assert_eq!(fleet.claim(run, exited(at(64), 0)).await.stale, [run]);
}

/// Whatever order cumulative claims arrive in, and however often: the end stands, and one retry at most.
async fn any_order_and_repetition_ends_the_same(w: World) {
    let (fleet, _) = Fleet::new(w).await;
    let group = fleet
        .w
        .store
        .job(&ALL, fleet.job)
        .await
        .unwrap()
        .unwrap()
        .group;
    let claims = [Claim::Accepted, running(at(60)), exited(at(62), 1)];
    let mut seed = 7_u64;
    for round in 0..40_u128 {
        let job = fleet
            .w
            .job(100 + round, group, retried(&format!("job {round}"), 2))
            .await;
        let run = run_at(job, 1, at(60), fleet.session.agent);
        let id = run.id;
        fleet.w.plan(job, vec![run]).await;
        fleet.w.dispatch(&fleet.session).await;
        let mut has_ended = false;
        while !has_ended {
            let mut batch = Vec::new();
            for _ in 0..3 {
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let pick = (seed >> 33) as usize % claims.len();
                has_ended |= pick == 2;
                batch.push(claim(id, claims[pick].clone()));
            }
            applied(&fleet.w.store, &fleet.session, &batch, at(70)).await;
        }
        let again = [claim(id, claims[1].clone())];
        applied(&fleet.w.store, &fleet.session, &again, at(71)).await;
        let row = fleet.w.run(id).await;
        assert_eq!(
            (row.state, row.ended_at),
            (RunState::Ended(Outcome::Failed), Some(at(62)))
        );
        let filter = RunFilter {
            job: Some(job),
            ..RunFilter::default()
        };
        let runs = fleet
            .w
            .store
            .runs(&ALL, &filter, None, 9)
            .await
            .unwrap()
            .items;
        assert_eq!(runs.len(), 2, "the run and one retry");
        let retry = runs.iter().find(|run| run.attempt == 2).unwrap();
        assert_eq!(retry.not_before, at(62) + SignedDuration::from_secs(10));
    }
}

async fn what_many_sessions_say_at_once_counts_as_if_each_had_said_it_alone(w: World) {
    // More runs than one statement is about, and a number that is rounded up.
    const RUNS: u32 = 37;
    let group = w.group(1).await;
    let job = w.job(1, group, scheduled("a")).await;
    let mut agents = Vec::new();
    for number in 1..=8 {
        agents.push(w.agent(number, &[group]).await);
    }
    let planned = |agent| {
        (0..RUNS).map(move |copy| {
            let mut key = run_at(job, 1, at(60), agent).key;
            key.copy = copy;
            PlannedRun::new(key, RUNS, Cause::Schedule, at(60), DEADLINE)
        })
    };
    w.plan(job, agents.iter().copied().flat_map(planned).collect())
        .await;
    let mut sessions = Vec::new();
    let mut runs: Vec<Vec<RunId>> = Vec::new();
    for agent in agents {
        let session = w.session(agent).await;
        runs.push(w.dispatch(&session).await);
        sessions.push(session);
    }
    assert!(runs.iter().all(|own| own.len() == RUNS as usize));
    let newer = w.session(sessions[5].agent).await;
    let outcome_of = |number: usize| match number % 4 {
        0 => vec![Claim::Accepted],
        1 => vec![Claim::Accepted, running(at(61))],
        2 => vec![Claim::Accepted, running(at(61)), exited(at(62), 0)],
        _ => vec![exited(at(63), 7)],
    };
    let said: Vec<Vec<AgentClaim>> = runs
        .iter()
        .map(|own| {
            let claims = own.iter().enumerate();
            claims
                .flat_map(|(number, run)| {
                    let claims = outcome_of(number).into_iter();
                    claims.map(|what| claim(*run, what))
                })
                .collect()
        })
        .collect();
    let together: Vec<Said<'_>> = sessions
        .iter()
        .zip(&said)
        .map(|(session, claims)| Said { session, claims })
        .collect();
    let applied = w.store.apply_claims(&together, at(70)).await.unwrap();
    assert_eq!(applied.refused, [(5, Conflict::StaleSession)]);
    assert_eq!(applied.moved.len(), 7 * RUNS as usize);
    for (place, own) in runs.iter().enumerate() {
        for (number, run) in own.iter().enumerate() {
            let row = w.run(*run).await;
            let (state, accepted, started, ended, exit_code) = if place == 5 {
                (RunState::Dispatched, None, None, None, None)
            } else {
                match number % 4 {
                    0 => (RunState::Accepted, Some(70), None, None, None),
                    1 => (RunState::Running, Some(70), Some(61), None, None),
                    2 => {
                        let state = RunState::Ended(Outcome::Succeeded);
                        (state, Some(70), Some(61), Some(62), Some(0))
                    }
                    _ => {
                        let state = RunState::Ended(Outcome::Failed);
                        (state, None, None, Some(63), Some(7))
                    }
                }
            };
            assert_eq!(
                (
                    row.state,
                    row.accepted_at,
                    row.started_at,
                    row.ended_at,
                    row.exit_code
                ),
                (
                    state,
                    accepted.map(at),
                    started.map(at),
                    ended.map(at),
                    exit_code
                ),
                "session {place}, run {number}"
            );
        }
    }
    let again = Said {
        session: &newer,
        claims: &said[5],
    };
    let applied = w
        .store
        .apply_claims(&[again, together[0]], at(71))
        .await
        .unwrap();
    assert_eq!(
        (applied.refused, applied.moved.len()),
        (vec![], RUNS as usize)
    );
    assert_eq!(applied.stale.len(), said[0].len(), "said before");
}
