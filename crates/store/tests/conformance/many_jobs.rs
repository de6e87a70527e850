use cronfleet_core::id::{AgentId, JobId};
use cronfleet_core::plan::PlannedRun;
use cronfleet_core::run::{Cause, Outcome, Reason, RunKey, RunState};
use cronfleet_store::{
    Conflict, DefinedJob, JobBasis, JobFilter, JobKindWord, ManyRuns, Stake, StoreError,
};
use jiff::Timestamp;

use crate::world::{ADMIN, ALL, DEADLINE, World, at, daemon, only, running, scheduled};

conformance! {
    jobs_are_found_as_the_list_finds_them,
    many_snoozes_are_one,
    many_snoozes_end_as_one,
    runs_of_many_jobs_are_recorded_once,
    nothing_of_many_is_done_when_one_job_changed,
    what_is_under_way_is_counted,
    thousands_are_snoozed_and_run_in_one_transaction,
}

async fn basis(w: &World, job: JobId) -> JobBasis {
    let row = w.store.job(&ALL, job).await.unwrap().unwrap();
    JobBasis {
        job,
        group: row.group,
        version: row.version,
        is_paused: row.is_paused,
    }
}

async fn bases(w: &World, jobs: &[JobId]) -> Vec<JobBasis> {
    let mut found = vec![];
    for job in jobs {
        found.push(basis(w, *job).await);
    }
    found
}

async fn snoozed_until(w: &World, job: JobId) -> Option<Timestamp> {
    let row = w.store.job(&ALL, job).await.unwrap();
    row?.snooze.map(|row| row.snooze.until)
}

fn many_runs(
    based_on: Vec<JobBasis>,
    trigger: &str,
    due: Timestamp,
    agents: &[AgentId],
) -> ManyRuns {
    let run = |basis: &JobBasis, agent: &AgentId| {
        let key = RunKey {
            job: basis.job,
            job_version: basis.version,
            due,
            agent: *agent,
            copy: 0,
            attempt: 1,
            trigger: trigger.to_owned(),
        };
        PlannedRun::new(key, 1, Cause::Manual, due, DEADLINE)
    };
    let runs = based_on.iter();
    let runs = runs.flat_map(|basis| agents.iter().map(move |agent| run(basis, agent)));
    ManyRuns {
        runs: runs.collect(),
        based_on,
        trigger: trigger.to_owned(),
        due,
        requested_by: ADMIN,
    }
}

async fn jobs_are_found_as_the_list_finds_them(w: World) {
    let (ours, theirs) = (w.group(1).await, w.group(2).await);
    let agent = w.agent(1, &[ours]).await;
    let a = w.job(1, ours, scheduled("report a")).await;
    let b = w.job(2, ours, daemon("report b", 1)).await;
    let c = w.job(3, theirs, scheduled("Report c")).await;
    let gone = w.job(4, ours, scheduled("report d")).await;
    w.store.delete_job(gone, at(1)).await.unwrap();
    w.store.pause_job(a, at(1)).await.unwrap();
    w.store.snooze_job(c, at(90), ADMIN, at(2)).await.unwrap();
    let found = async |reach, filter: JobFilter, ids: Option<&[JobId]>, limit| {
        let jobs = w
            .store
            .definitions_found(&reach, &filter, ids, limit)
            .await
            .unwrap();
        jobs.iter().map(|job| job.id).collect::<Vec<_>>()
    };
    let all = JobFilter::default;
    let mut everything = found(ALL, all(), None, 10).await;
    everything.sort_unstable();
    assert_eq!(everything, [a, b, c]);
    assert_eq!(found(ALL, all(), None, 2).await.len(), 2);
    assert_eq!(found(only(&[theirs]), all(), None, 10).await, [c]);
    let part = "REPORT A".to_owned();
    assert_eq!(found(ALL, JobFilter { part, ..all() }, None, 10).await, [a]);
    let kind = Some(JobKindWord::Daemon);
    assert_eq!(found(ALL, JobFilter { kind, ..all() }, None, 10).await, [b]);
    let is_paused = Some(true);
    assert_eq!(
        found(ALL, JobFilter { is_paused, ..all() }, None, 10).await,
        [a]
    );
    let agent = Some(agent);
    assert_eq!(
        found(ALL, JobFilter { agent, ..all() }, None, 10).await,
        [a, b]
    );
    assert_eq!(
        found(only(&[ours]), all(), Some(&[c, b, gone]), 10).await,
        [b]
    );
    let jobs = w
        .store
        .definitions_found(&ALL, &all(), Some(&[a, c]), 10)
        .await
        .unwrap();
    let of = |id: JobId| jobs.iter().find(|job: &&DefinedJob| job.id == id).unwrap();
    assert_eq!((of(a).is_paused, of(a).snoozed_until), (true, None));
    assert_eq!((of(c).version, of(c).snoozed_until), (1, Some(at(90))));
}

async fn many_snoozes_are_one(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let (a, b) = (
        w.job(1, group, scheduled("a")).await,
        w.job(2, group, scheduled("b")).await,
    );
    let session = w.session(agent).await;
    let sent = w.plan_one(a, at(60), agent).await;
    w.dispatch(&session).await;
    let unsent = w.plan_one(b, at(61), agent).await;
    let later = w.plan_one(b, at(500), agent).await;
    let based_on = bases(&w, &[a, b]).await;
    let done = w
        .store
        .snooze_jobs(&based_on, Some(at(400)), ADMIN, at(50))
        .await
        .unwrap();
    let revoked: Vec<_> = done
        .revoke
        .iter()
        .map(|one| (one.run, one.reason))
        .collect();
    assert_eq!(revoked, [(sent, Reason::Snoozed)]);
    let moved: Vec<_> = done.moved.iter().map(|one| (one.run, one.reason)).collect();
    assert_eq!(moved, [(unsent, Some(Reason::Snoozed))]);
    assert_eq!(w.state(unsent).await, RunState::Ended(Outcome::Skipped));
    assert_eq!(w.state(later).await, RunState::Planned, "it is over then");
    for job in [a, b] {
        let row = w
            .store
            .job(&ALL, job)
            .await
            .unwrap()
            .unwrap()
            .snooze
            .unwrap();
        assert_eq!(
            (row.snooze.since, row.snooze.until, row.by.as_str()),
            (at(50), at(400), "admin")
        );
    }
}

async fn many_snoozes_end_as_one(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let (a, b) = (
        w.job(1, group, scheduled("a")).await,
        w.job(2, group, scheduled("b")).await,
    );
    let session = w.session(agent).await;
    w.plan_one(a, at(60), agent).await;
    w.dispatch(&session).await;
    let based_on = bases(&w, &[a, b]).await;
    w.store
        .snooze_jobs(&based_on, Some(at(400)), ADMIN, at(50))
        .await
        .unwrap();
    let asked = async || w.store.outstanding(agent).await.unwrap()[0].revoke_reason;
    assert_eq!(asked().await, Some(Reason::Snoozed));
    w.store
        .snooze_jobs(&based_on[..1], None, ADMIN, at(51))
        .await
        .unwrap();
    assert_eq!(asked().await, None, "it is wanted again");
    assert_eq!(
        (snoozed_until(&w, a).await, snoozed_until(&w, b).await),
        (None, Some(at(400)))
    );
}

async fn runs_of_many_jobs_are_recorded_once(w: World) {
    let group = w.group(1).await;
    let agents = [w.agent(1, &[group]).await, w.agent(2, &[group]).await];
    let jobs = [
        w.job(1, group, scheduled("a")).await,
        w.job(2, group, scheduled("b")).await,
        w.job(3, group, scheduled("c")).await,
    ];
    let two = bases(&w, &jobs[..2]).await;
    let request = many_runs(two, "k1", at(5), &agents);
    let first = w.store.run_jobs(&request, at(5)).await.unwrap();
    assert_eq!(
        (first.runs.len(), first.agents.as_slice(), first.is_repeat),
        (4, &agents[..], false)
    );
    let row = w.run(first.runs[0]).await;
    assert_eq!(
        (row.cause, row.requested_by.as_deref(), row.trigger.as_str()),
        (Cause::Manual, Some("admin"), "k1")
    );
    let request = many_runs(bases(&w, &jobs[..2]).await, "k1", at(9), &agents);
    let again = w.store.run_jobs(&request, at(9)).await.unwrap();
    assert_eq!(
        (&again.runs, again.agents.len(), again.is_repeat),
        (&first.runs, 0, true)
    );
    // A job that was changed since has its runs all the same; one that is new under the key gets some.
    w.store.pause_job(jobs[0], at(10)).await.unwrap();
    let request = many_runs(bases(&w, &jobs).await, "k1", at(11), &agents[..1]);
    let more = w.store.run_jobs(&request, at(11)).await.unwrap();
    assert_eq!(
        (more.runs.len(), more.agents.as_slice(), more.is_repeat),
        (5, &agents[..1], false)
    );
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..6 {
        let request = many_runs(bases(&w, &jobs).await, "k2", at(20 + number), &agents);
        let store = w.store.clone();
        tasks.spawn(async move { store.run_jobs(&request, at(30)).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| !answer.is_repeat).count(), 1);
    assert!(answers.iter().all(|answer| answer.runs == answers[0].runs));
}

async fn nothing_of_many_is_done_when_one_job_changed(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let (a, b) = (
        w.job(1, group, scheduled("a")).await,
        w.job(2, group, scheduled("b")).await,
    );
    let based_on = bases(&w, &[a, b]).await;
    let request = many_runs(based_on.clone(), "k", at(5), &[agent]);
    let refused = async |expected: Conflict, now: Timestamp| {
        let snoozed = w
            .store
            .snooze_jobs(&based_on, Some(at(500)), ADMIN, now)
            .await;
        assert!(
            matches!(snoozed, Err(StoreError::Conflict(found)) if found == expected),
            "{snoozed:?}"
        );
        assert_eq!(
            (snoozed_until(&w, a).await, snoozed_until(&w, b).await),
            (None, None)
        );
    };
    refused(Conflict::PlanningBehind, at(61)).await;
    w.store.pause_job(b, at(5)).await.unwrap();
    refused(Conflict::StaleSet, at(6)).await;
    let ran = w.store.run_jobs(&request, at(6)).await;
    assert!(
        matches!(ran, Err(StoreError::Conflict(Conflict::StaleSet))),
        "{ran:?}"
    );
    w.store.delete_job(b, at(7)).await.unwrap();
    refused(Conflict::StaleSet, at(8)).await;
    assert_eq!(
        w.store.agents_with_planned(at(100), at(100)).await.unwrap(),
        [],
        "nothing was recorded"
    );
}

async fn what_is_under_way_is_counted(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let (a, b) = (
        w.job(1, group, scheduled("a")).await,
        w.job(2, group, scheduled("b")).await,
    );
    let session = w.session(agent).await;
    let alive = w.plan_one(a, at(60), agent).await;
    w.dispatch(&session).await;
    w.claim(&session, alive, running(at(60))).await;
    w.plan_one(a, at(120), agent).await;
    let stakes = w.store.stakes(&[a, b]).await.unwrap();
    let expected = Stake {
        waiting: 1,
        alive: 1,
        processes: 0,
    };
    assert_eq!(stakes.get(&a), Some(&expected));
    assert_eq!(stakes.get(&b), None);
    let found = w
        .store
        .definitions_found(&ALL, &JobFilter::default(), None, 10)
        .await
        .unwrap();
    let agents = w.store.agents_of_defined(&found).await.unwrap();
    assert_eq!(agents.get(&a).map(Vec::as_slice), Some(&[agent][..]));
}

async fn thousands_are_snoozed_and_run_in_one_transaction(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let mut jobs = vec![];
    for number in 1..=450 {
        jobs.push(
            w.job(number, group, scheduled(&format!("job {number:03}")))
                .await,
        );
    }
    let based_on = bases(&w, &jobs).await;
    w.store
        .snooze_jobs(&based_on, Some(at(400)), ADMIN, at(5))
        .await
        .unwrap();
    let found = w
        .store
        .definitions_found(&ALL, &JobFilter::default(), None, 1_000)
        .await
        .unwrap();
    assert!(found.len() == 450 && found.iter().all(|job| job.snoozed_until == Some(at(400))));
    let request = many_runs(based_on, "k", at(6), &[agent]);
    assert_eq!(
        w.store.run_jobs(&request, at(6)).await.unwrap().runs.len(),
        450
    );
    assert!(w.store.run_jobs(&request, at(7)).await.unwrap().is_repeat);
}
