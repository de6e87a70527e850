use std::time::Duration;

use cronfleet_core::plan::Plan;
use cronfleet_store::{Conflict, JobPlan, Lease, Store, StoreError};

use crate::world::{HOUR, World, at, run_at, scheduled};

conformance! {
    a_term_excludes_others_until_its_time_is_over,
    renewing_and_resigning_take_the_very_term,
    resigning_hands_over_and_keeps_the_epoch,
    a_stale_planner_stores_nothing,
    planning_counts_up_and_epochs_never_fall,
    a_lease_from_beyond_is_no_obstacle,
    the_clock_is_the_databases,
    of_many_takers_one_wins,
}

const TTL: Duration = Duration::from_secs(10);

/// Ends the term that goes on, as time would.
async fn run_out(w: &World) {
    w.db.execute("UPDATE leases SET expires_at = 1").await;
}

async fn other_store(w: &World) -> Store {
    w.db.open().await.unwrap()
}

async fn a_term_excludes_others_until_its_time_is_over(w: World) {
    let other = other_store(&w).await;
    assert_eq!(w.lease.epoch, 1);
    assert_eq!(other.take_lease(0, "other", HOUR).await.unwrap(), None);
    assert_eq!(
        w.store.take_lease(0, "center", HOUR).await.unwrap(),
        None,
        "not even its holder takes a term that goes on"
    );
    let row = other.lease(0).await.unwrap();
    assert_eq!(
        (row.holder.as_str(), row.epoch, row.is_held),
        ("center", 1, true)
    );
    run_out(&w).await;
    assert!(!other.lease(0).await.unwrap().is_held);
    let taken = other.take_lease(0, "other", TTL).await.unwrap().unwrap();
    assert_eq!((taken.holder.as_str(), taken.epoch), ("other", 2));
    assert!(!w.store.renew_lease(&w.lease, TTL).await.unwrap());
    assert_eq!(other.take_lease(1, "other", TTL).await.unwrap(), None);
}

/// A renewal matched by name alone would let a stale holder of the same name go on.
async fn renewing_and_resigning_take_the_very_term(w: World) {
    run_out(&w).await;
    assert!(
        !w.store.renew_lease(&w.lease, TTL).await.unwrap(),
        "its time is over although nobody came after it"
    );
    let second = w.store.take_lease(0, "center", HOUR).await.unwrap();
    let second = second.unwrap();
    assert_eq!(second.epoch, 2);
    let wrong = [
        w.lease.clone(),
        Lease {
            holder: "other".to_owned(),
            ..second.clone()
        },
        Lease {
            epoch: 3,
            ..second.clone()
        },
        Lease {
            shard: 1,
            ..second.clone()
        },
    ];
    for wrong in &wrong {
        assert!(!w.store.renew_lease(wrong, TTL).await.unwrap(), "{wrong:?}");
        assert!(!w.store.resign_lease(wrong).await.unwrap(), "{wrong:?}");
    }
    assert!(w.store.renew_lease(&second, TTL).await.unwrap());
    assert!(w.store.lease(0).await.unwrap().is_held);
}

async fn resigning_hands_over_and_keeps_the_epoch(w: World) {
    assert!(w.store.resign_lease(&w.lease).await.unwrap());
    assert!(!w.store.resign_lease(&w.lease).await.unwrap());
    assert!(!w.store.renew_lease(&w.lease, TTL).await.unwrap());
    let row = w.store.lease(0).await.unwrap();
    assert_eq!((row.epoch, row.is_held), (1, false));
    let next = w.store.take_lease(0, "next", TTL).await.unwrap().unwrap();
    assert_eq!(next.epoch, 2);
}

async fn a_stale_planner_stores_nothing(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, scheduled("a")).await;
    let late = w.plan_one(job, at(10), agent).await;
    let run = run_at(job, 1, at(60), agent);
    let id = run.id;
    let plan = JobPlan {
        job,
        expected_version: 1,
        expected_watermark: at(10),
        expected_snooze: None,
        plan: Plan {
            runs: vec![run],
            lapses: vec![],
            watermark: at(60),
            next_due: Some(at(120)),
            has_more: false,
            held_until: None,
        },
    };
    let other = other_store(&w).await;
    run_out(&w).await;
    let successor = other.take_lease(0, "other", HOUR).await.unwrap().unwrap();

    let stale = |error: StoreError| matches!(error, StoreError::Conflict(Conflict::StaleLease));
    let committed = w
        .store
        .commit_plans(&w.lease, 0, std::slice::from_ref(&plan), at(1))
        .await;
    assert!(committed.is_err_and(stale));
    let expired = w.store.expire_planned(&w.lease, at(500), at(0), 9).await;
    assert!(expired.is_err_and(stale));
    let lost = w
        .store
        .lose_unreachable(&w.lease, at(500), at(500), 9)
        .await;
    assert!(lost.is_err_and(stale));
    assert!(
        w.store
            .quarantine_job(&w.lease, job, 1)
            .await
            .is_err_and(stale)
    );
    assert!(!w.exists(id).await);
    assert!(!w.state(late).await.is_ended());
    let due = other.due_jobs(&successor, at(70), None, 9).await.unwrap();
    assert_eq!(due[0].watermark, at(10), "the watermark stayed");

    let committed = other.commit_plans(&successor, 0, &[plan], at(1)).await;
    assert_eq!(committed.unwrap().run_count, 1);
    assert!(w.exists(id).await);
}

async fn planning_counts_up_and_epochs_never_fall(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, scheduled("a")).await;
    w.plan_one(job, at(60), agent).await;
    w.plan_one(job, at(120), agent).await;
    let seq = w.db.texts("SELECT CAST(seq AS CHAR(9)) FROM leases").await;
    assert_eq!(seq[0].trim(), "2");
    let mut before = w.lease.epoch;
    for _ in 0..3 {
        let taken = w.store.seize_lease(0, "center").await.unwrap();
        assert_eq!(taken.epoch, before + 1);
        before = taken.epoch;
    }
    assert_eq!(
        w.store
            .take_lease(0, "other", TTL)
            .await
            .unwrap()
            .map(|lease| lease.epoch),
        Some(5),
        "a term without an end is for a database of one center; on a copy of it others may begin"
    );
}

/// Given by a clock that was ahead by a year and has been set right since.
async fn a_lease_from_beyond_is_no_obstacle(w: World) {
    w.db.execute("UPDATE leases SET expires_at = expires_at + 31536000000000")
        .await;
    let taken = w.store.take_lease(0, "other", TTL).await.unwrap().unwrap();
    assert_eq!(taken.epoch, 2);
    let row = w.store.lease(0).await.unwrap();
    assert_eq!((row.holder.as_str(), row.is_held), ("other", true));
}

async fn the_clock_is_the_databases(w: World) {
    let before = jiff::Timestamp::now();
    let there = w.store.database_time().await.unwrap();
    let after = jiff::Timestamp::now();
    let slack = Duration::from_millis(2);
    assert!(
        before - slack <= there && there <= after + slack,
        "{before} {there} {after}"
    );
}

async fn of_many_takers_one_wins(w: World) {
    run_out(&w).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..8 {
        let store = w.store.clone();
        tasks.spawn(async move {
            store
                .take_lease(0, &format!("center {number}"), TTL)
                .await
                .unwrap()
        });
    }
    let taken = tasks.join_all().await;
    assert_eq!(taken.iter().flatten().count(), 1);
    assert_eq!(w.store.lease(0).await.unwrap().epoch, 2);
}
