use cronfleet_core::id::LifeId;
use cronfleet_core::plan::{Lapse, Plan};
use cronfleet_core::run::Reason;
use cronfleet_store::{JobPlan, LifeChunks, NewChunk, Purged};

use crate::world::{ALL, World, at, exited, run_at, scheduled};

conformance! {
    old_runs_go_with_their_output,
    old_output_goes_before_its_run,
    old_lapses_go,
}

fn output(life: LifeId) -> LifeChunks {
    let chunk = NewChunk {
        offset: 0,
        length: 3,
        is_compressed: false,
        data: b"abc".to_vec(),
    };
    LifeChunks {
        life,
        cap_bytes: 1_000,
        head_bytes: 0,
        chunks: vec![chunk],
        end_offset: None,
    }
}

async fn old_runs_go_with_their_output(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, scheduled("a")).await;
    let runs: Vec<_> = (1..=6)
        .map(|minute| run_at(job, 1, at(60 * minute), agent))
        .collect();
    let ids: Vec<_> = runs.iter().map(|run| run.id).collect();
    w.plan(job, runs).await;
    let session = w.session(agent).await;
    w.dispatch(&session).await;
    for id in [0, 1, 2, 4, 5] {
        w.store
            .append_output(agent, &[output(LifeId::from(ids[id]))], at(1))
            .await
            .unwrap();
        w.claim(&session, ids[id], exited(at(400), 0)).await;
    }
    let purged = w.store.purge_runs(at(300), 2).await.unwrap();
    assert_eq!(
        purged,
        Purged {
            runs: 2,
            outputs: 2,
            lapses: 0
        }
    );
    assert_eq!(w.store.purge_runs(at(300), 2).await.unwrap().runs, 1);
    assert_eq!(
        w.store.purge_runs(at(300), 2).await.unwrap(),
        Purged::default()
    );
    let mut kept = Vec::new();
    for id in &ids {
        kept.push(w.exists(*id).await);
    }
    assert_eq!(
        kept,
        [false, false, false, true, true, true],
        "the fourth has not ended"
    );
    assert_eq!(
        w.store
            .read_output(LifeId::from(ids[0]), 0, 9)
            .await
            .unwrap(),
        []
    );
    assert_eq!(
        w.store
            .read_output(LifeId::from(ids[4]), 0, 9)
            .await
            .unwrap()
            .len(),
        1
    );
}

async fn old_output_goes_before_its_run(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, scheduled("a")).await;
    let (ended, living) = (
        w.plan_one(job, at(60), agent).await,
        w.plan_one(job, at(120), agent).await,
    );
    let session = w.session(agent).await;
    w.dispatch(&session).await;
    for run in [ended, living] {
        w.store
            .append_output(agent, &[output(LifeId::from(run))], at(61))
            .await
            .unwrap();
    }
    w.claim(&session, ended, exited(at(62), 0)).await;
    assert_eq!(
        w.store.purge_outputs(at(61), 10).await.unwrap(),
        Purged::default()
    );
    assert_eq!(w.store.purge_outputs(at(62), 10).await.unwrap().outputs, 1);
    assert!(w.exists(ended).await);
    assert_eq!(
        w.store
            .read_output(LifeId::from(ended), 0, 9)
            .await
            .unwrap(),
        []
    );
    assert_eq!(
        w.store
            .read_output(LifeId::from(living), 0, 9)
            .await
            .unwrap()
            .len(),
        1
    );
}

async fn old_lapses_go(w: World) {
    let group = w.group(1).await;
    let job = w.job(1, group, scheduled("a")).await;
    let lapse = |from, reason| Lapse {
        due_from: at(from),
        due_to: at(from + 60),
        count: 2,
        reason,
    };
    let lapses = vec![
        lapse(60, Reason::CenterDown),
        lapse(180, Reason::NoTarget),
        lapse(900, Reason::CenterDown),
    ];
    let plan = Plan {
        runs: vec![],
        lapses,
        watermark: at(960),
        next_due: None,
        has_more: false,
        held_until: None,
    };
    let plan = JobPlan {
        job,
        expected_version: 1,
        expected_watermark: at(0),
        expected_snooze: None,
        plan,
    };
    w.store
        .commit_plans(&w.lease, 0, &[plan], at(960))
        .await
        .unwrap();
    assert_eq!(w.store.purge_lapses(at(241), 9).await.unwrap().lapses, 2);
    assert_eq!(w.store.purge_lapses(at(241), 9).await.unwrap().lapses, 0);
    assert_eq!(
        w.store
            .lapses(&ALL, None, None, None, 9)
            .await
            .unwrap()
            .items
            .len(),
        1
    );
}
