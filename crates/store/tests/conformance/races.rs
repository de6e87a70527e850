//! What several centers may do to one database at the same moment.

use cronfleet_core::id::UserId;
use cronfleet_store::{Conflict, NewUser, StoreError, UserUpdate};
use jiff::Timestamp;
use tokio::task::JoinSet;

use crate::world::{ADMIN, World, applied, at, run_at, running, scheduled, secret, taken};

conformance! {
    administrators_cannot_demote_each_other_at_once,
    one_setup_code_makes_one_administrator,
    claims_and_edits_that_cross_end_well,
}

fn admin(number: u128) -> NewUser {
    NewUser {
        id: UserId::from_u128(number),
        login: format!("user{number}"),
        display_name: String::new(),
        password_hash: "h".to_owned(),
        is_admin: true,
    }
}

async fn administrators_cannot_demote_each_other_at_once(w: World) {
    for round in 0..5 {
        let other = admin(100 + round);
        w.store.create_user(&other, at(0)).await.unwrap();
        let demoted = UserUpdate {
            is_admin: Some(false),
            ..UserUpdate::default()
        };
        let (one, two) = tokio::join!(
            w.store.update_user(ADMIN, &demoted),
            w.store.update_user(other.id, &demoted)
        );
        let refused = [&one, &two]
            .iter()
            .filter(|done| matches!(done, Err(StoreError::Conflict(Conflict::LastAdmin))))
            .count();
        assert_eq!(refused, 1, "{one:?} {two:?}");
        let back = UserUpdate {
            is_admin: Some(true),
            ..UserUpdate::default()
        };
        w.store.update_user(ADMIN, &back).await.unwrap();
        w.store.update_user(other.id, &demoted).await.unwrap();
    }
}

async fn one_setup_code_makes_one_administrator(w: World) {
    w.db.execute("DELETE FROM users").await;
    w.store.put_setup_code(secret(1), at(100)).await.unwrap();
    let mut tasks = JoinSet::new();
    for number in 0..4 {
        let store = w.store.clone();
        tasks.spawn(async move {
            store
                .create_first_admin(secret(1), &admin(number), at(1))
                .await
                .is_ok()
        });
    }
    let made = tasks.join_all().await;
    assert_eq!(made.iter().filter(|is_made| **is_made).count(), 1);
    assert_eq!(w.store.users("", None, 10).await.unwrap().items.len(), 1);
}

/// Deadlocks may happen here; nobody must hear of them.
async fn claims_and_edits_that_cross_end_well(w: World) {
    let group = w.group(1).await;
    let agents = [w.agent(1, &[group]).await, w.agent(2, &[group]).await];
    let mut jobs = Vec::new();
    for number in 1..=6 {
        let job = w
            .job(number, group, scheduled(&format!("job {number}")))
            .await;
        let runs = agents.map(|agent| run_at(job, 1, at(60), agent));
        w.plan(job, runs.to_vec()).await;
        jobs.push((job, runs));
    }
    let mut tasks = JoinSet::new();
    for (place, agent) in agents.into_iter().enumerate() {
        let session = w.session(agent).await;
        taken(&w.store, &session, at(0), at(60), 100).await;
        let claims: Vec<_> = jobs
            .iter()
            .map(|(_, runs)| crate::world::claim(runs[place].id, running(at(60))))
            .collect();
        let store = w.store.clone();
        tasks.spawn(async move {
            for claim in claims {
                applied(&store, &session, &[claim], at(61)).await;
            }
        });
    }
    for (job, _) in jobs.iter().rev() {
        let (store, job) = (w.store.clone(), *job);
        tasks.spawn(async move {
            store.pause_job(job, at(1)).await.unwrap();
        });
    }
    let (store, lease) = (w.store.clone(), w.lease.clone());
    tasks.spawn(async move {
        for second in 1..10 {
            store
                .expire_planned(&lease, at(second), Timestamp::MIN, 100)
                .await
                .unwrap();
            store
                .lose_unreachable(&lease, at(0), at(second), 100)
                .await
                .unwrap();
        }
    });
    tasks.join_all().await;
    let runs = w
        .store
        .runs(&crate::world::ALL, &Default::default(), None, 100)
        .await
        .unwrap();
    assert_eq!(runs.items.len(), 12);
    assert!(runs.items.iter().all(|run| run.state.word() == "running"));
}
