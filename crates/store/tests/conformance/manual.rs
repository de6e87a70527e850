use cronfleet_core::id::{AgentId, JobId};
use cronfleet_core::plan::PlannedRun;
use cronfleet_core::run::{Cause, RunKey};
use cronfleet_store::{Conflict, ManualRuns, StoreError, Thing};
use jiff::Timestamp;

use crate::world::{ADMIN, DEADLINE, World, at, scheduled};

conformance! {
    a_key_makes_its_runs_once,
    the_version_must_be_in_force,
}

fn request(job: JobId, trigger: &str, due: Timestamp, agents: &[AgentId]) -> ManualRuns {
    let run = |agent: &AgentId| {
        let key = RunKey {
            job,
            job_version: 1,
            due,
            agent: *agent,
            copy: 0,
            attempt: 1,
            trigger: trigger.to_owned(),
        };
        PlannedRun::new(key, 1, Cause::Manual, due, DEADLINE)
    };
    ManualRuns {
        job,
        version: 1,
        trigger: trigger.to_owned(),
        due,
        runs: agents.iter().map(run).collect(),
        requested_by: Some(ADMIN),
        skipped: None,
    }
}

async fn a_key_makes_its_runs_once(w: World) {
    let group = w.group(1).await;
    let agents = [w.agent(1, &[group]).await, w.agent(2, &[group]).await];
    let job = w.job(1, group, scheduled("a")).await;
    let first = w
        .store
        .insert_manual_runs(&request(job, "k1", at(5), &agents), at(5))
        .await
        .unwrap();
    assert_eq!(
        (first.runs.len(), first.agents.as_slice(), first.is_repeat),
        (2, &agents[..], false)
    );
    let again = w
        .store
        .insert_manual_runs(&request(job, "k1", at(9), &agents), at(9))
        .await
        .unwrap();
    assert_eq!(
        (&again.runs, again.agents.len(), again.is_repeat),
        (&first.runs, 0, true)
    );
    let other = w
        .store
        .insert_manual_runs(&request(job, "k2", at(9), &agents[..1]), at(9))
        .await
        .unwrap();
    assert!(!other.is_repeat);
    let row = w.run(first.runs[0]).await;
    assert_eq!(
        (row.cause, row.requested_by.as_deref(), row.trigger.as_str()),
        (Cause::Manual, Some("admin"), "k1")
    );
    assert_eq!(
        w.store.agents_with_planned(at(5), at(5)).await.unwrap(),
        agents
    );
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..10 {
        let (store, request) = (
            w.store.clone(),
            request(job, "k3", at(20 + number), &agents),
        );
        tasks.spawn(async move { store.insert_manual_runs(&request, at(30)).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| !answer.is_repeat).count(), 1);
    assert!(answers.iter().all(|answer| answer.runs == answers[0].runs));
}

async fn the_version_must_be_in_force(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, scheduled("a")).await;
    let stale = ManualRuns {
        version: 2,
        ..request(job, "k", at(5), &[agent])
    };
    let refused = w.store.insert_manual_runs(&stale, at(5)).await;
    assert!(
        matches!(
            refused,
            Err(StoreError::Conflict(Conflict::StaleVersion { current: 1 }))
        ),
        "{refused:?}"
    );
    w.store.delete_job(job, at(6)).await.unwrap();
    let gone = w
        .store
        .insert_manual_runs(&request(job, "k", at(7), &[agent]), at(7))
        .await;
    assert!(
        matches!(gone, Err(StoreError::Missing { what: Thing::Job })),
        "{gone:?}"
    );
}
