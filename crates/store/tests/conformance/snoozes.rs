use cronfleet_core::id::{AgentId, JobId, RunId};
use cronfleet_core::order::Claim;
use cronfleet_core::plan::Plan;
use cronfleet_core::run::{Outcome, Reason, RunState};
use cronfleet_core::window::Snooze;
use cronfleet_store::{
    ChangeSet, Conflict, JobBasis, JobChange, JobPlan, Session, StoreError, Timing,
};

use crate::world::{ADMIN, ALL, World, at, exited, retried, run_at, running};

conformance! {
    a_snooze_takes_back_what_starts_in_it,
    a_snooze_that_ends_wants_again_what_was_not_given_back,
    a_plan_made_before_a_snooze_does_not_count,
    a_snooze_waits_for_the_planner,
    nothing_is_tried_again_within_a_snooze,
    an_edit_and_a_pause_keep_the_snooze,
}

struct Fleet {
    w: World,
    job: JobId,
    agent: AgentId,
    session: Session,
}

impl Fleet {
    async fn new(w: World) -> Self {
        let group = w.group(1).await;
        let agent = w.agent(1, &[group]).await;
        let job = w.job(1, group, retried("a", 3)).await;
        let session = w.session(agent).await;
        Self {
            w,
            job,
            agent,
            session,
        }
    }

    /// A run that its agent has.
    async fn sent(&self, due: i64) -> RunId {
        let run = self.w.plan_one(self.job, at(due), self.agent).await;
        self.w.dispatch(&self.session).await;
        run
    }

    async fn snooze(&self, now: i64, until: i64) -> cronfleet_store::JobEdited {
        let snoozed = self.w.store.snooze_job(self.job, at(until), ADMIN, at(now));
        snoozed.await.unwrap()
    }

    async fn row(&self) -> cronfleet_store::JobRow {
        self.w.store.job(&ALL, self.job).await.unwrap().unwrap()
    }
}

async fn a_snooze_takes_back_what_starts_in_it(w: World) {
    let f = Fleet::new(w).await;
    let sent = f.sent(60).await;
    let unsent = f.w.plan_one(f.job, at(61), f.agent).await;
    let later = f.w.plan_one(f.job, at(62), f.agent).await;
    let edited = f.snooze(50, 62).await;
    assert_eq!(edited.version, 1);
    let revoked: Vec<_> = edited
        .revoke
        .iter()
        .map(|one| (one.run, one.reason))
        .collect();
    assert_eq!(revoked, [(sent, Reason::Snoozed)]);
    let moved: Vec<_> = edited
        .moved
        .iter()
        .map(|one| (one.run, one.reason))
        .collect();
    assert_eq!(moved, [(unsent, Some(Reason::Snoozed))]);
    assert_eq!(f.w.state(unsent).await, RunState::Ended(Outcome::Skipped));
    assert_eq!(f.w.state(later).await, RunState::Planned, "it is over then");
    let row = f.row().await;
    assert_eq!(row.watermark, at(62), "everything stays decided");
    let snooze = row.snooze.unwrap();
    assert_eq!(
        (snooze.snooze, snooze.by.as_str()),
        (
            Snooze {
                since: at(50),
                until: at(62)
            },
            "admin"
        )
    );
    let refused = Claim::Refused {
        reason: Reason::Snoozed,
        detail: None,
    };
    f.w.claim(&f.session, sent, refused).await;
    let run = f.w.run(sent).await;
    assert_eq!(
        (run.state, run.reason),
        (RunState::Ended(Outcome::Skipped), Some(Reason::Snoozed))
    );
}

async fn a_snooze_that_ends_wants_again_what_was_not_given_back(w: World) {
    let f = Fleet::new(w).await;
    let sent = f.sent(60).await;
    f.snooze(50, 500).await;
    let asked = |f: &Fleet| {
        let (store, agent) = (f.w.store.clone(), f.agent);
        async move { store.outstanding(agent).await.unwrap()[0].revoke_reason }
    };
    assert_eq!(asked(&f).await, Some(Reason::Snoozed));
    f.w.store.end_snooze(f.job, at(51)).await.unwrap();
    assert_eq!(asked(&f).await, None);
    assert_eq!(f.row().await.snooze, None);
    let again = f.w.store.end_snooze(f.job, at(10_000)).await.unwrap();
    assert_eq!(again.revoke, [], "there is none to end");
    f.w.claim(&f.session, sent, running(at(60))).await;
    assert_eq!(f.w.state(sent).await, RunState::Running);
}

async fn a_plan_made_before_a_snooze_does_not_count(w: World) {
    let f = Fleet::new(w).await;
    let plan = |snooze| JobPlan {
        job: f.job,
        expected_version: 1,
        expected_watermark: at(0),
        expected_snooze: snooze,
        plan: Plan {
            runs: vec![run_at(f.job, 1, at(60), f.agent)],
            lapses: vec![],
            watermark: at(60),
            next_due: Some(at(120)),
            has_more: false,
            held_until: None,
        },
    };
    f.snooze(10, 50).await;
    let due =
        f.w.store
            .due_jobs(&f.w.lease, at(60), None, 9)
            .await
            .unwrap();
    assert_eq!(
        due[0].snooze,
        Some(Snooze {
            since: at(10),
            until: at(50)
        })
    );
    for (snooze, left_out) in [(None, vec![f.job]), (Some(at(50)), vec![])] {
        let committed =
            f.w.store
                .commit_plans(&f.w.lease, 0, &[plan(snooze)], at(50))
                .await
                .unwrap();
        assert_eq!(committed.left_out, left_out, "{snooze:?}");
    }
}

async fn a_snooze_waits_for_the_planner(w: World) {
    let f = Fleet::new(w).await;
    let behind = |refused: Result<_, StoreError>| {
        matches!(refused, Err(StoreError::Conflict(Conflict::PlanningBehind)))
    };
    let late = f.w.store.snooze_job(f.job, at(500), ADMIN, at(60)).await;
    assert!(behind(late));
    f.snooze(59, 500).await;
    assert!(behind(f.w.store.end_snooze(f.job, at(60)).await));
    assert!(f.row().await.snooze.is_some(), "nothing half done");
    f.w.store.end_snooze(f.job, at(59)).await.unwrap();
}

async fn nothing_is_tried_again_within_a_snooze(w: World) {
    let f = Fleet::new(w).await;
    let attempts = |f: &Fleet| {
        let store = f.w.store.clone();
        async move {
            let rows = store.runs(&ALL, &Default::default(), None, 9).await;
            let mut found: Vec<_> = rows
                .unwrap()
                .items
                .iter()
                .map(|run| (run.attempt, run.reason))
                .collect();
            found.sort_unstable_by_key(|(attempt, _)| *attempt);
            found
        }
    };
    let mut alive = Vec::new();
    for due in [60, 70, 80] {
        let run = f.sent(due).await;
        f.w.claim(&f.session, run, running(at(due))).await;
        alive.push(run);
    }
    let fails = async |run| f.w.claim(&f.session, run, exited(at(99), 1)).await;
    fails(alive[0]).await;
    assert_eq!(attempts(&f).await.len(), 4);
    // What fails is tried again after 10 s.
    f.snooze(100, 500).await;
    assert_eq!(attempts(&f).await.last(), Some(&(2, Some(Reason::Snoozed))));
    fails(alive[1]).await;
    assert_eq!(attempts(&f).await.len(), 4);
    f.snooze(100, 105).await;
    fails(alive[2]).await;
    assert_eq!(attempts(&f).await.len(), 5, "the snooze is over by then");
}

async fn an_edit_and_a_pause_keep_the_snooze(w: World) {
    let f = Fleet::new(w).await;
    f.snooze(10, 500).await;
    let snooze = f.row().await.snooze;
    let timing = Timing::default();
    f.w.store
        .replace_job(f.job, 1, &retried("b", 1), timing, ADMIN, at(20))
        .await
        .unwrap();
    f.w.store.pause_job(f.job, at(30)).await.unwrap();
    f.w.store
        .resume_job(f.job, 2, timing, at(40))
        .await
        .unwrap();
    let row = f.row().await;
    assert_eq!(row.snooze, snooze);
    let set = ChangeSet {
        based_on: vec![JobBasis {
            job: f.job,
            group: row.group,
            version: row.version,
            is_paused: false,
        }],
        create: vec![],
        change: vec![JobChange {
            job: f.job,
            spec: Some(retried("c", 1)),
            timing,
            is_paused: false,
        }],
        delete: vec![],
        author: ADMIN,
    };
    f.w.store.change_jobs(&set, at(50)).await.unwrap();
    let row = f.row().await;
    assert_eq!((row.version, row.snooze), (3, snooze));
}
