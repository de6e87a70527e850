use std::time::Duration;

use cronfleet_core::calendar::{CalendarChoice, CalendarMode};
use cronfleet_core::catch_up::CatchUp;
use cronfleet_core::id::{AgentId, JobId};
use cronfleet_core::job::{JobKind, JobSpec, Target};
use cronfleet_core::plan::{self, Lapse, PLAN_AHEAD, Plan, Planning};
use cronfleet_core::run::{Reason, RunState};
use cronfleet_core::schedule::{ActiveSpan, DstPolicy, GapPolicy, OverlapPolicy};
use cronfleet_store::{JobPlan, Lease, NewJob, StoreError, Timing};

use crate::world::{ADMIN, ALL, World, at, daemon, run_at, scheduled};

conformance! {
    due_jobs_come_with_their_agents,
    due_jobs_are_due_as_they_were_saved,
    the_walk_over_due_jobs_sees_each_once,
    runs_and_watermark_are_stored_together,
    a_failing_statement_leaves_nothing,
    a_job_that_changed_is_left_out,
    of_two_planners_one_wins,
    a_repeated_run_stays_as_it_is,
    many_jobs_are_planned_at_once,
    lapses_grow_while_nothing_lies_between,
    what_is_caught_up_is_recorded_as_such,
    a_job_in_quarantine_is_not_planned,
    a_definition_that_cannot_be_read_does_not_hold_up_the_others,
    reboot_jobs_are_those_of_the_agent,
}

fn plan(job: JobId, watermark: i64, runs: Vec<cronfleet_core::plan::PlannedRun>) -> JobPlan {
    JobPlan {
        job,
        expected_version: 1,
        expected_watermark: at(0),
        expected_snooze: None,
        plan: Plan {
            runs,
            lapses: vec![],
            watermark: at(watermark),
            next_due: Some(at(watermark + 60)),
            has_more: false,
            held_until: None,
        },
    }
}

async fn due_jobs_come_with_their_agents(w: World) {
    let (a, b) = (w.group(1).await, w.group(2).await);
    let agents = [
        w.agent(1, &[a]).await,
        w.agent(2, &[a, b]).await,
        w.agent(3, &[b]).await,
    ];
    let all = w.job(1, a, scheduled("all")).await;
    let chosen = JobSpec {
        target: Target::Agents(vec![agents[2], agents[1], agents[1]]),
        processes: 4,
        ..scheduled("c")
    };
    let chosen = w.job(2, a, chosen).await;
    let none = JobSpec {
        target: Target::Agents(vec![AgentId::from_u128(9)]),
        ..scheduled("none")
    };
    let none = w.job(3, a, none).await;
    w.job(4, a, daemon("daemon", 1)).await;
    let paused = w.job(5, a, scheduled("paused")).await;
    w.store.pause_job(paused, at(1)).await.unwrap();
    assert_eq!(
        w.store.due_jobs(&w.lease, at(59), None, 10).await.unwrap(),
        []
    );
    assert_eq!(w.store.next_due(0).await.unwrap(), Some(at(60)));
    let due = w.store.due_jobs(&w.lease, at(60), None, 10).await.unwrap();
    let found: Vec<_> = due
        .iter()
        .map(|job| (job.job, job.agents.clone()))
        .collect();
    assert_eq!(
        found,
        [
            (all, vec![agents[0], agents[1]]),
            (chosen, vec![agents[1]]),
            (none, vec![])
        ]
    );
    let chosen = &due[1];
    assert_eq!(
        (
            chosen.group,
            chosen.version,
            chosen.watermark,
            chosen.processes
        ),
        (a, 1, at(0), 4)
    );
    assert_eq!(
        (
            chosen.scheduled.expression.as_str(),
            chosen.scheduled.time_zone.as_str()
        ),
        ("* * * * *", "UTC")
    );
    assert_eq!(chosen.scheduled.start_deadline, Duration::from_secs(60));
    let other = Lease {
        shard: 1,
        ..w.lease.clone()
    };
    assert_eq!(
        w.store.due_jobs(&other, at(60), None, 10).await.unwrap(),
        [],
        "another shard"
    );
    w.store.revoke_agent(agents[0], at(2)).await.unwrap();
    assert_eq!(
        w.store.due_jobs(&w.lease, at(60), None, 1).await.unwrap()[0].agents,
        [agents[1]]
    );
}

async fn due_jobs_are_due_as_they_were_saved(w: World) {
    let group = w.group(1).await;
    let mut spec = scheduled("a");
    let JobKind::Scheduled(saved) = &mut spec.kind else {
        unreachable!("it is scheduled")
    };
    saved.dst = DstPolicy {
        gap: Some(GapPolicy::Skip),
        overlap: Some(OverlapPolicy::Both),
    };
    saved.active = ActiveSpan {
        from: Some(at(-60)),
        until: Some(at(3_600)),
    };
    let mode = CalendarMode::ShiftPrevious;
    saved.calendar = Some(CalendarChoice::named("cn-workdays", mode));
    let saved = saved.clone();
    w.job(1, group, spec).await;
    let due = w.store.due_jobs(&w.lease, at(60), None, 9).await.unwrap();
    assert_eq!(due[0].scheduled, *saved);
}

async fn the_walk_over_due_jobs_sees_each_once(w: World) {
    let group = w.group(1).await;
    let mut expected = Vec::new();
    for number in 1..=7 {
        expected.push(w.job(number, group, scheduled(&format!("{number}"))).await);
    }
    let mut found = Vec::new();
    loop {
        let batch = w
            .store
            .due_jobs(&w.lease, at(60), found.last().copied(), 3)
            .await
            .unwrap();
        if batch.is_empty() {
            break;
        }
        found.extend(
            batch
                .into_iter()
                .map(|job| (job.next_due.unwrap(), job.job)),
        );
    }
    let expected: Vec<_> = expected.into_iter().map(|job| (at(60), job)).collect();
    assert_eq!(found, expected);
}

async fn runs_and_watermark_are_stored_together(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, scheduled("a")).await;
    let run = run_at(job, 1, at(60), agent);
    let committed = w
        .store
        .commit_plans(&w.lease, 0, &[plan(job, 60, vec![run.clone()])], at(45))
        .await
        .unwrap();
    assert_eq!((committed.agents, committed.run_count), (vec![agent], 1));
    let row = w.run(run.id).await;
    assert_eq!(
        (row.state, row.due, row.not_before, row.not_after),
        (RunState::Planned, at(60), at(60), at(120))
    );
    assert_eq!(
        (
            row.planned_at,
            row.job_name.as_str(),
            row.agent_name.as_str()
        ),
        (at(45), "a", "agent 001")
    );
    let job = w.store.job(&ALL, job).await.unwrap().unwrap();
    assert_eq!((job.watermark, job.next_due), (at(60), Some(at(120))));
}

async fn a_failing_statement_leaves_nothing(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, scheduled("a")).await;
    w.db.break_updates("jobs", "watermark").await;
    let run = run_at(job, 1, at(60), agent);
    let mut plan = plan(job, 60, vec![run.clone()]);
    plan.plan.lapses.push(Lapse {
        due_from: at(1),
        due_to: at(2),
        count: 2,
        reason: Reason::CenterDown,
    });
    let failed = w.store.commit_plans(&w.lease, 0, &[plan], at(45)).await;
    assert!(
        matches!(failed, Err(StoreError::Statement(_))),
        "{failed:?}"
    );
    assert!(!w.exists(run.id).await);
    assert_eq!(
        w.store
            .lapses(&ALL, None, None, None, 9)
            .await
            .unwrap()
            .items,
        []
    );
}

async fn a_job_that_changed_is_left_out(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let mut plans = Vec::new();
    for number in 1..=5 {
        let job = w.job(number, group, scheduled(&format!("{number}"))).await;
        plans.push(plan(job, 60, vec![run_at(job, 1, at(60), agent)]));
    }
    let timing = Timing {
        next_due: Some(at(60)),
        is_reboot: false,
    };
    w.store
        .replace_job(plans[0].job, 1, &scheduled("new"), timing, ADMIN, at(0))
        .await
        .unwrap();
    w.store.pause_job(plans[1].job, at(0)).await.unwrap();
    w.store.delete_job(plans[2].job, at(0)).await.unwrap();
    plans[3].expected_watermark = at(-1);
    let committed = w
        .store
        .commit_plans(&w.lease, 0, &plans, at(1))
        .await
        .unwrap();
    let changed: Vec<JobId> = plans[..4].iter().map(|plan| plan.job).collect();
    assert_eq!((committed.left_out, committed.run_count), (changed, 1));
    assert!(!w.exists(plans[0].plan.runs[0].id).await);
    assert!(w.exists(plans[4].plan.runs[0].id).await);
}

async fn of_two_planners_one_wins(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, scheduled("a")).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (store, lease) = (w.store.clone(), w.lease.clone());
        let plan = plan(job, 60, vec![run_at(job, 1, at(60), agent)]);
        tasks.spawn(async move { store.commit_plans(&lease, 0, &[plan], at(1)).await.unwrap() });
    }
    let committed = tasks.join_all().await;
    assert_eq!(
        committed
            .iter()
            .filter(|one| one.left_out.is_empty())
            .count(),
        1
    );
    assert_eq!(committed.iter().map(|one| one.run_count).sum::<u64>(), 1);
}

async fn a_repeated_run_stays_as_it_is(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, scheduled("a")).await;
    let run = w.plan_one(job, at(60), agent).await;
    w.dispatch(&w.session(agent).await).await;
    w.db.execute("UPDATE jobs SET watermark = 0").await;
    let again = JobPlan {
        expected_watermark: jiff::Timestamp::UNIX_EPOCH,
        expected_snooze: None,
        ..plan(job, 60, vec![run_at(job, 1, at(60), agent)])
    };
    let committed = w
        .store
        .commit_plans(&w.lease, 0, &[again], at(50))
        .await
        .unwrap();
    assert_eq!((committed.left_out, committed.run_count), (vec![], 0));
    assert_eq!(w.state(run).await, RunState::Dispatched);
}

async fn many_jobs_are_planned_at_once(w: World) {
    let group = w.group(1).await;
    let agents = [w.agent(1, &[group]).await, w.agent(2, &[group]).await];
    let mut plans = Vec::new();
    for number in 0..450 {
        let job = JobId::from_u128(1_000 + number);
        let new = NewJob {
            id: job,
            group,
            spec: scheduled(&format!("{number}")),
            is_paused: false,
            timing: Timing {
                next_due: Some(at(60)),
                is_reboot: false,
            },
            author: ADMIN,
        };
        w.store.create_job(&new, at(0)).await.unwrap();
        let next_due = (number % 2 == 0).then(|| at(200));
        let mut one = plan(
            job,
            60,
            agents
                .iter()
                .map(|agent| run_at(job, 1, at(60), *agent))
                .collect(),
        );
        one.plan.next_due = next_due;
        plans.push(one);
    }
    let committed = w
        .store
        .commit_plans(&w.lease, 0, &plans, at(1))
        .await
        .unwrap();
    assert_eq!(
        (committed.run_count, committed.left_out, committed.agents),
        (900, vec![], agents.to_vec())
    );
    assert_eq!(
        w.store
            .due_jobs(&w.lease, at(199), None, 1_000)
            .await
            .unwrap(),
        []
    );
    assert_eq!(
        w.store
            .due_jobs(&w.lease, at(200), None, 1_000)
            .await
            .unwrap()
            .len(),
        225
    );
}

async fn lapses_grow_while_nothing_lies_between(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, scheduled("a")).await;
    let lapse = |from: i64, to, reason| Lapse {
        due_from: at(from),
        due_to: at(to),
        count: 2,
        reason,
    };
    let step = async |lapses: Vec<Lapse>, runs: Vec<i64>| {
        let row = w.store.job(&ALL, job).await.unwrap().unwrap();
        let runs = runs
            .into_iter()
            .map(|due| run_at(job, 1, at(due), agent))
            .collect();
        let watermark = row.watermark + jiff::SignedDuration::from_secs(1_000);
        let plan = Plan {
            runs,
            lapses,
            watermark,
            next_due: Some(watermark),
            has_more: false,
            held_until: None,
        };
        let plan = JobPlan {
            job,
            expected_version: 1,
            expected_watermark: row.watermark,
            expected_snooze: None,
            plan,
        };
        assert_eq!(
            w.store
                .commit_plans(&w.lease, 0, &[plan], row.watermark)
                .await
                .unwrap()
                .left_out,
            []
        );
    };
    step(vec![lapse(60, 120, Reason::NoTarget)], vec![]).await;
    step(vec![lapse(180, 240, Reason::NoTarget)], vec![]).await;
    step(vec![lapse(300, 360, Reason::CenterDown)], vec![]).await;
    step(vec![lapse(420, 480, Reason::NoTarget)], vec![540]).await;
    step(vec![lapse(600, 660, Reason::NoTarget)], vec![]).await;
    let page = w
        .store
        .lapses(&ALL, Some(job), None, None, 2)
        .await
        .unwrap();
    let next = w
        .store
        .lapses(&ALL, None, Some(group), page.next, 9)
        .await
        .unwrap();
    let found: Vec<_> = page
        .items
        .iter()
        .chain(&next.items)
        .map(|row| row.lapse)
        .collect();
    assert_eq!(
        found,
        [
            lapse(600, 660, Reason::NoTarget),
            lapse(420, 480, Reason::NoTarget),
            lapse(300, 360, Reason::CenterDown),
            Lapse {
                due_from: at(60),
                due_to: at(240),
                count: 4,
                reason: Reason::NoTarget
            },
        ]
    );
    assert_eq!(
        next.items[1].decision.decided_at,
        at(1_000),
        "when it was last extended"
    );
}

async fn what_is_caught_up_is_recorded_as_such(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let mut spec = scheduled("a");
    if let JobKind::Scheduled(scheduled) = &mut spec.kind {
        scheduled.catch_up = CatchUp::All {
            max: 2,
            window: Duration::from_secs(3_600),
        };
    }
    let job = w.job(1, group, spec).await;
    let due = w.store.due_jobs(&w.lease, at(60), None, 9).await.unwrap();
    let schedule = due[0].scheduled.schedule(job).unwrap();
    let planning = Planning {
        job,
        job_version: 1,
        schedule: &schedule,
        jitter: due[0].scheduled.jitter,
        start_deadline: due[0].scheduled.start_deadline,
        catch_up: due[0].scheduled.catch_up,
        agents: &due[0].agents,
        picker: None,
        copies: 1,
        hold: Default::default(),
        watermark: at(0),
    };
    let now = at(6 * 60 + 1);
    let made = JobPlan {
        plan: plan::plan(&planning, now, PLAN_AHEAD),
        ..plan(job, 60, vec![])
    };
    w.store
        .commit_plans(&w.lease, 0, &[made], now)
        .await
        .unwrap();
    let rows = w.store.runs(&ALL, &Default::default(), None, 9).await;
    let found: Vec<_> = rows
        .unwrap()
        .items
        .iter()
        .map(|run| (run.due, run.is_caught_up, run.not_before, run.not_after))
        .collect();
    assert_eq!(
        found,
        [
            (at(360), false, now, at(420)),
            (at(300), true, now, at(421)),
            (at(240), true, now, at(421)),
        ]
    );
    let lapses = w.store.lapses(&ALL, None, None, None, 9).await.unwrap();
    assert_eq!(
        lapses.items[0].lapse,
        Lapse {
            due_from: at(60),
            due_to: at(180),
            count: 3,
            reason: Reason::CatchUpExceeded
        }
    );
    let session = w.session(agent).await;
    assert_eq!(w.dispatch(&session).await.len(), 3);
}

async fn a_job_in_quarantine_is_not_planned(w: World) {
    let group = w.group(1).await;
    let job = w.job(1, group, scheduled("a")).await;
    w.store.quarantine_job(&w.lease, job, 2).await.unwrap();
    assert_eq!(
        w.store
            .due_jobs(&w.lease, at(60), None, 9)
            .await
            .unwrap()
            .len(),
        1,
        "another version"
    );
    w.store.quarantine_job(&w.lease, job, 1).await.unwrap();
    assert_eq!(
        w.store.due_jobs(&w.lease, at(60), None, 9).await.unwrap(),
        []
    );
}

async fn a_definition_that_cannot_be_read_does_not_hold_up_the_others(w: World) {
    let group = w.group(1).await;
    let (bad, good) = (
        w.job(1, group, scheduled("bad")).await,
        w.job(2, group, scheduled("good")).await,
    );
    w.db.execute(&format!(
        "UPDATE job_versions SET spec = '{{}}' WHERE job_id = '{bad}'"
    ))
    .await;
    for _ in 0..2 {
        let due = w.store.due_jobs(&w.lease, at(60), None, 9).await.unwrap();
        assert_eq!(due.iter().map(|job| job.job).collect::<Vec<_>>(), [good]);
    }
    let unreadable = w.store.job(&ALL, bad).await;
    assert!(
        matches!(unreadable, Err(StoreError::Corrupt { .. })),
        "{unreadable:?}"
    );
}

async fn reboot_jobs_are_those_of_the_agent(w: World) {
    let (a, b) = (w.group(1).await, w.group(2).await);
    let (agent, other) = (w.agent(1, &[a]).await, w.agent(2, &[a, b]).await);
    for (number, group, target) in [
        (1, a, Target::All),
        (2, a, Target::Agents(vec![other])),
        (3, b, Target::All),
        (4, a, Target::All),
    ] {
        let new = NewJob {
            id: JobId::from_u128(number),
            group,
            spec: JobSpec {
                target,
                ..scheduled(&format!("{number}"))
            },
            is_paused: number == 4,
            timing: Timing {
                next_due: None,
                is_reboot: true,
            },
            author: ADMIN,
        };
        w.store.create_job(&new, at(0)).await.unwrap();
    }
    w.job(5, a, scheduled("5")).await;
    let jobs = async |agent| {
        let jobs = w.store.reboot_jobs(agent).await.unwrap();
        jobs.into_iter()
            .map(|job| job.job.as_uuid().as_u128())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (jobs(agent).await, jobs(other).await),
        (vec![1], vec![1, 2, 3])
    );
}
