use cronfleet_core::id::RunId;
use cronfleet_core::order::Claim;
use cronfleet_core::run::{Outcome, Reason, RunState};
use cronfleet_store::{Conflict, JobEdited, Session, StoreError, Timing};

use crate::world::{ADMIN, ALL, World, at, exited, retried, run_at, running, scheduled};

conformance! {
    an_edit_withdraws_what_is_to_come,
    an_edit_waits_for_the_planner,
    the_new_version_runs_once_the_old_one_is_given_back,
    the_new_version_gives_way_to_what_was_started,
    a_new_plan_sees_what_was_started_meanwhile,
    an_edit_on_an_edit_waits_for_the_one_that_was_sent,
    a_lost_run_of_the_old_version_is_never_doubled,
    a_pause_loses_nothing_and_misses_nothing,
    a_deleted_job_runs_no_more,
}

const TIMING: Timing = Timing {
    next_due: None,
    is_reboot: false,
};

fn skipped(reason: Reason) -> Claim {
    Claim::Refused {
        reason,
        detail: None,
    }
}

struct Fleet {
    w: World,
    job: cronfleet_core::id::JobId,
    agent: cronfleet_core::id::AgentId,
    session: Session,
}

impl Fleet {
    /// A job whose run at 60 s is with its agent.
    async fn new(w: World) -> (Self, RunId) {
        let group = w.group(1).await;
        let agent = w.agent(1, &[group]).await;
        let job = w.job(1, group, retried("a", 3)).await;
        let session = w.session(agent).await;
        let run = w.plan_one(job, at(60), agent).await;
        w.dispatch(&session).await;
        (
            Self {
                w,
                job,
                agent,
                session,
            },
            run,
        )
    }

    async fn replace(&self, version: u32) -> JobEdited {
        let spec = retried(&format!("v{version}"), 3);
        self.w
            .store
            .replace_job(self.job, version - 1, &spec, TIMING, ADMIN, at(10))
            .await
            .unwrap()
    }

    /// Plans the run at 60 s anew.
    async fn plan(&self, version: u32) -> RunId {
        let run = run_at(self.job, version, at(60), self.agent);
        let id = run.id;
        self.w.plan(self.job, vec![run]).await;
        id
    }

    async fn claim(&self, run: RunId, what: Claim) -> cronfleet_store::ClaimsApplied {
        self.w.claim(&self.session, run, what).await
    }
}

async fn an_edit_withdraws_what_is_to_come(w: World) {
    let (fleet, sent) = Fleet::new(w).await;
    let unsent = fleet.w.plan_one(fleet.job, at(120), fleet.agent).await;
    let edited = fleet.replace(2).await;
    assert_eq!(edited.version, 2);
    let revoked: Vec<_> = edited
        .revoke
        .iter()
        .map(|one| (one.agent, one.run, one.reason))
        .collect();
    assert_eq!(revoked, [(fleet.agent, sent, Reason::Superseded)]);
    assert_eq!(edited.moved, []);
    assert!(!fleet.w.exists(unsent).await, "never sent: planned anew");
    let job = fleet.w.store.job(&ALL, fleet.job).await.unwrap().unwrap();
    assert_eq!((job.watermark, job.next_due), (at(10), None));
    let outstanding = fleet.w.store.outstanding(fleet.agent).await.unwrap();
    assert_eq!(
        outstanding[0].revoke_reason,
        Some(Reason::Superseded),
        "asked again at the next connect"
    );
}

async fn an_edit_waits_for_the_planner(w: World) {
    let group = w.group(1).await;
    let job = w.job(1, group, scheduled("a")).await;
    for late in [at(60), at(61)] {
        let refused = w
            .store
            .replace_job(job, 1, &scheduled("b"), TIMING, ADMIN, late)
            .await;
        assert!(
            matches!(refused, Err(StoreError::Conflict(Conflict::PlanningBehind))),
            "{refused:?}"
        );
        assert!(w.store.pause_job(job, late).await.is_err());
        assert!(w.store.delete_job(job, late).await.is_err());
    }
    w.store
        .replace_job(job, 1, &scheduled("b"), TIMING, ADMIN, at(59))
        .await
        .unwrap();
    w.store.pause_job(job, at(1_000)).await.unwrap();
}

async fn the_new_version_runs_once_the_old_one_is_given_back(w: World) {
    let (fleet, old) = Fleet::new(w).await;
    fleet.replace(2).await;
    let new = fleet.plan(2).await;
    assert_eq!(fleet.w.dispatch(&fleet.session).await, [], "it waits");
    assert_eq!(
        fleet
            .w
            .store
            .agents_with_planned(at(100), at(100))
            .await
            .unwrap(),
        []
    );
    fleet.claim(old, Claim::Accepted).await;
    assert_eq!(fleet.w.dispatch(&fleet.session).await, [], "it still waits");
    let applied = fleet.claim(old, skipped(Reason::Superseded)).await;
    assert_eq!(applied.agents, [fleet.agent], "to be told");
    assert_eq!(fleet.w.state(old).await, RunState::Ended(Outcome::Skipped));
    assert_eq!(fleet.w.dispatch(&fleet.session).await, [new]);
}

async fn the_new_version_gives_way_to_what_was_started(w: World) {
    let (fleet, old) = Fleet::new(w).await;
    fleet.replace(2).await;
    let new = fleet.plan(2).await;
    let applied = fleet.claim(old, running(at(60))).await;
    let moved: Vec<_> = applied
        .moved
        .iter()
        .map(|moved| (moved.run, moved.state, moved.reason))
        .collect();
    let given_way = (
        new,
        RunState::Ended(Outcome::Skipped),
        Some(Reason::Superseded),
    );
    assert_eq!(moved, [(old, RunState::Running, None), given_way]);
    fleet.claim(old, exited(at(61), 0)).await;
    assert_eq!(fleet.w.dispatch(&fleet.session).await, []);
}

async fn a_new_plan_sees_what_was_started_meanwhile(w: World) {
    let (fleet, old) = Fleet::new(w).await;
    fleet.replace(2).await;
    fleet.claim(old, exited(at(61), 0)).await;
    let run = run_at(fleet.job, 2, at(60), fleet.agent);
    let committed = fleet.w.plan(fleet.job, vec![run.clone()]).await;
    assert_eq!(committed.agents, []);
    assert_eq!(committed.moved[0].reason, Some(Reason::Superseded));
    assert_eq!(
        fleet.w.state(run.id).await,
        RunState::Ended(Outcome::Skipped)
    );
}

async fn an_edit_on_an_edit_waits_for_the_one_that_was_sent(w: World) {
    let (fleet, old) = Fleet::new(w).await;
    fleet.replace(2).await;
    let second = fleet.plan(2).await;
    fleet.replace(3).await;
    assert!(!fleet.w.exists(second).await, "it was never sent");
    let third = fleet.plan(3).await;
    assert_eq!(fleet.w.dispatch(&fleet.session).await, []);
    fleet.claim(old, skipped(Reason::Superseded)).await;
    assert_eq!(fleet.w.dispatch(&fleet.session).await, [third]);
}

async fn a_lost_run_of_the_old_version_is_never_doubled(w: World) {
    let (fleet, old) = Fleet::new(w).await;
    fleet.replace(2).await;
    let new = fleet.plan(2).await;
    fleet
        .w
        .store
        .close_session(&fleet.session, at(20))
        .await
        .unwrap();
    let moved = fleet
        .w
        .store
        .lose_unreachable(&fleet.w.lease, at(30), at(40), 10)
        .await
        .unwrap();
    assert_eq!(
        moved.iter().map(|moved| moved.run).collect::<Vec<_>>(),
        [old, new]
    );
    assert_eq!(fleet.w.state(old).await, RunState::Ended(Outcome::Lost));
    assert_eq!(
        fleet.w.state(new).await,
        RunState::Ended(Outcome::Skipped),
        "it may have started"
    );
}

async fn a_pause_loses_nothing_and_misses_nothing(w: World) {
    let (fleet, sent) = Fleet::new(w).await;
    let unsent = fleet.w.plan_one(fleet.job, at(120), fleet.agent).await;
    let paused = fleet.w.store.pause_job(fleet.job, at(10)).await.unwrap();
    assert_eq!(
        paused
            .revoke
            .iter()
            .map(|one| (one.run, one.reason))
            .collect::<Vec<_>>(),
        [(sent, Reason::Paused)]
    );
    assert!(!fleet.w.exists(unsent).await);
    assert_eq!(
        fleet.w.store.pause_job(fleet.job, at(11)).await.unwrap(),
        JobEdited {
            version: 1,
            ..JobEdited::default()
        }
    );
    assert_eq!(
        fleet
            .w
            .store
            .due_jobs(&fleet.w.lease, at(1_000_000), None, 10)
            .await
            .unwrap(),
        []
    );
    let timing = Timing {
        next_due: Some(at(5_040)),
        is_reboot: false,
    };
    let stale = fleet
        .w
        .store
        .resume_job(fleet.job, 2, timing, at(5_000))
        .await;
    assert!(
        matches!(
            stale,
            Err(StoreError::Conflict(Conflict::StaleVersion { current: 1 }))
        ),
        "{stale:?}"
    );
    fleet
        .w
        .store
        .resume_job(fleet.job, 1, timing, at(5_000))
        .await
        .unwrap();
    let job = fleet.w.store.job(&ALL, fleet.job).await.unwrap().unwrap();
    assert_eq!(
        (job.is_paused, job.watermark, job.next_due),
        (false, at(5_000), Some(at(5_040)))
    );
    let outstanding = fleet.w.store.outstanding(fleet.agent).await.unwrap();
    assert_eq!(outstanding[0].revoke_reason, None, "wanted again");
    fleet
        .w
        .store
        .resume_job(fleet.job, 1, timing, at(6_000))
        .await
        .unwrap();
    let job = fleet.w.store.job(&ALL, fleet.job).await.unwrap().unwrap();
    assert_eq!(job.watermark, at(5_000), "resuming twice changes nothing");
}

async fn a_deleted_job_runs_no_more(w: World) {
    let (fleet, sent) = Fleet::new(w).await;
    fleet.claim(sent, exited(at(1), 1)).await;
    let retry = fleet
        .w
        .store
        .runs(&ALL, &cronfleet_store::RunFilter::default(), None, 10)
        .await
        .unwrap()
        .items;
    let retry = retry.iter().find(|run| run.attempt == 2).unwrap().id;
    let deleted = fleet.w.store.delete_job(fleet.job, at(2)).await.unwrap();
    assert_eq!(
        deleted
            .moved
            .iter()
            .map(|moved| (moved.run, moved.reason))
            .collect::<Vec<_>>(),
        [(retry, Some(Reason::Deleted))]
    );
    assert_eq!(fleet.w.dispatch(&fleet.session).await, []);
    assert_eq!(fleet.w.run(sent).await.job_name, "a", "its runs stay");
}
