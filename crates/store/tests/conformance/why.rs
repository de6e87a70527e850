use cronfleet_core::access::Role;
use cronfleet_core::id::{JobId, UserId};
use cronfleet_core::plan::{Lapse, Plan};
use cronfleet_core::run::Reason;
use cronfleet_core::why::Pause;
use cronfleet_store::{JobPlan, ManualRuns, NewJob, TermHolder, Timing, WhyPage};
use jiff::Timestamp;

use crate::world::{ADMIN, ALL, HOUR, World, at, only, run_at, scheduled};

conformance! {
    runs_and_lapses_tell_who_planned_them,
    a_lapse_of_another_term_is_another_lapse,
    pauses_and_versions_are_on_record,
    what_explains_only_what_is_gone_goes,
    pages_follow_each_other,
    what_people_asked_for_stands_apart,
    a_job_out_of_reach_has_no_answers,
}

async fn why(w: &World, job: JobId, from: i64, to: i64) -> WhyPage {
    w.store
        .why(&ALL, job, (at(from), at(to)), None, 100)
        .await
        .unwrap()
        .unwrap()
}

fn no_target(from: i64, to: i64) -> Lapse {
    Lapse {
        due_from: at(from),
        due_to: at(to),
        count: 2,
        reason: Reason::NoTarget,
    }
}

/// Commits a lapse that takes the watermark from one moment to another.
async fn lapse(w: &World, job: JobId, lapse: Lapse, (from, to): (Timestamp, Timestamp)) {
    let plan = JobPlan {
        job,
        expected_version: 1,
        expected_watermark: from,
        expected_snooze: None,
        plan: Plan {
            runs: vec![],
            lapses: vec![lapse],
            watermark: to,
            next_due: Some(to),
            has_more: false,
            held_until: None,
        },
    };
    let committed = w
        .store
        .commit_plans(&w.lease, 0, &[plan], to)
        .await
        .unwrap();
    assert_eq!(committed.left_out, []);
}

async fn runs_and_lapses_tell_who_planned_them(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, scheduled("a")).await;
    let run = w.plan_one(job, at(60), agent).await;
    lapse(&w, job, no_target(120, 180), (at(60), at(200))).await;
    let page = why(&w, job, 0, 300).await;
    let found: Vec<_> = page.runs.iter().map(|run| (run.id, run.epoch)).collect();
    assert_eq!(found, [(run, Some(w.lease.epoch))]);
    let decision = page.lapses[0].decision;
    assert_eq!(
        (decision.epoch, decision.job_version, decision.decided_at),
        (Some(w.lease.epoch), Some(1), at(200))
    );
    assert_eq!(
        page.holders.get(&w.lease.epoch),
        Some(&TermHolder {
            id: "center".to_owned(),
            name: None
        })
    );
    assert_eq!((page.watermark, page.is_deleted), (at(200), false));
    for (from, to, lapses) in [(0, 120, 0), (180, 181, 1), (181, 300, 0)] {
        let found = why(&w, job, from, to).await.lapses.len();
        assert_eq!(found, lapses, "{from} to {to}");
    }
}

async fn a_lapse_of_another_term_is_another_lapse(mut w: World) {
    let group = w.group(1).await;
    let job = w.job(1, group, scheduled("a")).await;
    lapse(&w, job, no_target(60, 120), (at(0), at(120))).await;
    assert!(w.store.resign_lease(&w.lease).await.unwrap());
    w.lease = w.store.take_lease(0, "other", HOUR).await.unwrap().unwrap();
    lapse(&w, job, no_target(180, 240), (at(120), at(240))).await;
    lapse(&w, job, no_target(300, 360), (at(240), at(360))).await;
    let page = why(&w, job, 0, 1_000).await;
    let found: Vec<_> = page
        .lapses
        .iter()
        .map(|row| {
            let holder = row
                .decision
                .epoch
                .and_then(|epoch| page.holders.get(&epoch));
            (
                row.lapse.due_from,
                row.lapse.count,
                holder.unwrap().id.as_str(),
            )
        })
        .collect();
    assert_eq!(found, [(at(60), 2, "center"), (at(180), 4, "other")]);
}

async fn what_explains_only_what_is_gone_goes(mut w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, scheduled("a")).await;
    w.plan_one(job, at(60), agent).await;
    let first = w.lease.epoch;
    assert!(w.store.resign_lease(&w.lease).await.unwrap());
    w.lease = w.store.take_lease(0, "other", HOUR).await.unwrap().unwrap();
    lapse(&w, job, no_target(120, 180), (at(60), at(180))).await;
    for moment in [180, 300] {
        w.store.pause_job(job, at(moment)).await.unwrap();
        let timing = Timing {
            next_due: None,
            is_reboot: false,
        };
        w.store
            .resume_job(job, 1, timing, at(moment + 50))
            .await
            .unwrap();
    }
    w.store.pause_job(job, at(400)).await.unwrap();
    // The moment that the second term began is the database's own: it lies before or after all of these.
    w.store.purge_lapses(at(120), 9).await.unwrap();
    let page = why(&w, job, 0, 1_000).await;
    assert_eq!((page.lapses.len(), page.pauses.len()), (1, 3));
    w.store.purge_lapses(at(300), 9).await.unwrap();
    let begins: Vec<_> = why(&w, job, 0, 1_000)
        .await
        .pauses
        .iter()
        .map(|pause| pause.from)
        .collect();
    assert_eq!(begins, [at(300), at(400)]);
    w.store.purge_lapses(Timestamp::MAX, 9).await.unwrap();
    let page = why(&w, job, 0, 1_000).await;
    assert_eq!(page.pauses.len(), 1);
    assert_eq!(page.runs[0].epoch, Some(first));
    assert!(!page.holders.contains_key(&first));
    let other = w.job(2, group, scheduled("b")).await;
    lapse(&w, other, no_target(120, 180), (at(0), at(180))).await;
    let page = why(&w, other, 0, 1_000).await;
    assert_eq!(page.holders[&w.lease.epoch].id, "other");
}

async fn pauses_and_versions_are_on_record(w: World) {
    let group = w.group(1).await;
    let job = w.job(1, group, scheduled("a")).await;
    let timing = Timing {
        next_due: Some(at(3_600)),
        is_reboot: false,
    };
    w.store
        .replace_job(job, 1, &scheduled("b"), timing, ADMIN, at(5))
        .await
        .unwrap();
    for moment in [10, 30] {
        w.store.pause_job(job, at(moment)).await.unwrap();
        w.store.pause_job(job, at(moment + 1)).await.unwrap();
        w.store
            .resume_job(job, 2, timing, at(moment + 10))
            .await
            .unwrap();
    }
    w.store.pause_job(job, at(50)).await.unwrap();
    let pause = |from, until: Option<i64>| Pause {
        from: at(from),
        until: until.map(at),
    };
    let all = why(&w, job, 0, 100).await;
    assert_eq!(
        all.pauses,
        [pause(10, Some(20)), pause(30, Some(40)), pause(50, None)]
    );
    let versions: Vec<_> = all.versions.iter().map(|v| (v.number, v.since)).collect();
    assert_eq!(versions, [(1, at(0)), (2, at(5))]);
    let later = why(&w, job, 25, 45).await;
    assert_eq!(later.pauses, [pause(30, Some(40))]);
    assert_eq!(later.versions.len(), 1);
    assert_eq!(
        later.versions[0]
            .spec
            .as_ref()
            .map(|spec| spec.name.as_str()),
        Some("b")
    );
    w.store.delete_job(job, at(60)).await.unwrap();
    let deleted = why(&w, job, 0, 100).await;
    assert_eq!((deleted.is_deleted, deleted.watermark), (true, at(60)));
    let new = NewJob {
        id: JobId::from_u128(2),
        group,
        spec: scheduled("paused"),
        is_paused: true,
        timing,
        author: ADMIN,
    };
    w.store.create_job(&new, at(7)).await.unwrap();
    let page = why(&w, new.id, 0, 100).await;
    assert_eq!(page.pauses, [pause(7, None)]);
}

async fn pages_follow_each_other(w: World) {
    let group = w.group(1).await;
    let mut agents = Vec::new();
    for number in 1..=3 {
        agents.push(w.agent(number, &[group]).await);
    }
    let job = w.job(1, group, scheduled("a")).await;
    let mut expected = Vec::new();
    for due in [60, 120, 180] {
        let runs: Vec<_> = agents
            .iter()
            .map(|agent| run_at(job, 1, at(due), *agent))
            .collect();
        expected.extend(runs.iter().map(|run| run.id));
        w.plan(job, runs).await;
    }
    expected.sort();
    let (mut found, mut seen, mut done) = (Vec::new(), None, at(0));
    loop {
        let page = w
            .store
            .why(&ALL, job, (at(0), at(600)), seen, 2)
            .await
            .unwrap()
            .unwrap();
        assert!(page.runs.len() <= 2 && done <= page.until);
        done = page.until;
        found.extend(page.runs.iter().map(|run| run.id));
        seen = page.next;
        if seen.is_none() {
            break;
        }
    }
    assert_eq!(found, expected);
    assert_eq!(done, at(600) - std::time::Duration::from_micros(1));
}

async fn what_people_asked_for_stands_apart(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, scheduled("a")).await;
    let mut run = run_at(job, 1, at(70), agent);
    run.key.trigger = "by hand".to_owned();
    run.id = run.key.id();
    let request = ManualRuns {
        job,
        version: 1,
        trigger: "by hand".to_owned(),
        due: at(70),
        runs: vec![run],
        requested_by: Some(ADMIN),
        skipped: None,
    };
    w.store.insert_manual_runs(&request, at(70)).await.unwrap();
    let page = why(&w, job, 0, 100).await;
    assert_eq!((page.runs.len(), page.others.len()), (0, 1));
    assert_eq!(page.others[0].epoch, None);
}

async fn a_job_out_of_reach_has_no_answers(w: World) {
    let (group, other) = (w.group(1).await, w.group(2).await);
    let job = w.job(1, group, scheduled("a")).await;
    let user = UserId::from_u128(7);
    w.user(user, "guest", false).await;
    w.member(user, other, Role::Owner).await;
    for (reach, is_there) in [(only(&[other]), false), (only(&[group]), true)] {
        let page = w.store.why(&reach, job, (at(0), at(9)), None, 9).await;
        assert_eq!(page.unwrap().is_some(), is_there);
    }
}
