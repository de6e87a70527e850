use cronfleet_core::id::{RunId, UserId};
use cronfleet_core::run::{Outcome, Reason, RunState};
use cronfleet_store::{KillAnswer, StoreError, Thing};

use crate::world::{ADMIN, World, at, exited, scheduled};

conformance! {
    a_run_that_was_never_sent_ends_at_once,
    a_run_that_was_sent_is_asked_for,
}

async fn a_run_that_was_never_sent_ends_at_once(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, scheduled("a")).await;
    let run = w.plan_one(job, at(60), agent).await;
    let answer = w.store.request_kill(run, ADMIN, at(1)).await.unwrap();
    assert!(
        matches!(answer, KillAnswer::Ended(moved) if moved.run == run),
        "{answer:?}"
    );
    let row = w.run(run).await;
    assert_eq!(
        (row.state, row.reason),
        (
            RunState::Ended(Outcome::Skipped),
            Some(Reason::KilledBeforeStart)
        )
    );
    assert_eq!(
        (row.killed_by.as_deref(), row.kill_requested_at),
        (Some("admin"), Some(at(1)))
    );
    assert_eq!(
        w.store.request_kill(run, ADMIN, at(2)).await.unwrap(),
        KillAnswer::AlreadyEnded
    );
    let missing = w
        .store
        .request_kill(RunId::from_u128(1), ADMIN, at(2))
        .await;
    assert!(
        matches!(missing, Err(StoreError::Missing { what: Thing::Run })),
        "{missing:?}"
    );
}

async fn a_run_that_was_sent_is_asked_for(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let ann = UserId::from_u128(1);
    w.user(ann, "ann", false).await;
    let job = w.job(1, group, scheduled("a")).await;
    let run = w.plan_one(job, at(60), agent).await;
    let session = w.session(agent).await;
    w.dispatch(&session).await;
    assert_eq!(
        w.store.request_kill(run, ann, at(1)).await.unwrap(),
        KillAnswer::Ask(agent)
    );
    assert_eq!(
        w.store.request_kill(run, ADMIN, at(2)).await.unwrap(),
        KillAnswer::Ask(agent)
    );
    let row = w.run(run).await;
    assert_eq!(
        (row.killed_by.as_deref(), row.kill_requested_at),
        (Some("ann"), Some(at(1))),
        "the first one"
    );
    let outstanding = w.store.outstanding(agent).await.unwrap();
    assert!(outstanding.iter().all(|one| one.is_kill_requested));
    assert_eq!(outstanding.len(), 1);
    w.claim(&session, run, exited(at(61), 0)).await;
    assert_eq!(w.store.outstanding(agent).await.unwrap(), []);
}
