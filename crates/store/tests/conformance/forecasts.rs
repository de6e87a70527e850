use std::time::Duration;

use cronfleet_core::forecast::Durations;
use cronfleet_core::id::{AgentId, JobId};
use cronfleet_core::job::{JobKind, Target};
use cronfleet_core::order::{Claim, ExitStatus, StopCause};
use cronfleet_core::plan::PlannedRun;
use cronfleet_store::{ActiveFilter, NewJob, Timing};

use crate::world::{ADMIN, ALL, World, at, daemon, end, only, run_at, running, scheduled};

conformance! {
    only_what_will_be_planned_is_active,
    active_jobs_of_an_agent_are_those_that_run_on_it,
    serving_agents_are_active_and_sorted,
    durations_are_those_of_the_newest_runs_that_ran,
    many_jobs_have_their_own_durations,
}

async fn active(w: &World, filter: ActiveFilter) -> Vec<JobId> {
    let (mut found, mut after) = (vec![], None);
    loop {
        let page = w.store.active_jobs(&ALL, &filter, after, 2).await.unwrap();
        assert!(page.items.len() <= 2);
        found.extend(page.items.iter().map(|job| job.id));
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

async fn only_what_will_be_planned_is_active(w: World) {
    let (one, two) = (w.group(1).await, w.group(2).await);
    let mut jobs = vec![];
    for number in 1..=5 {
        let group = if number == 5 { two } else { one };
        let spec = scheduled(&format!("job {number}"));
        jobs.push(w.job(number, group, spec).await);
    }
    w.job(6, one, daemon("d", 1)).await;
    let reboot = NewJob {
        id: JobId::from_u128(7),
        group: one,
        spec: scheduled("at boot"),
        is_paused: false,
        timing: Timing {
            next_due: None,
            is_reboot: true,
        },
        author: ADMIN,
    };
    w.store.create_job(&reboot, at(0)).await.unwrap();
    w.store.pause_job(jobs[1], at(1)).await.unwrap();
    w.store.delete_job(jobs[2], at(1)).await.unwrap();
    let left = active(&w, ActiveFilter::default()).await;
    assert_eq!(left, [jobs[0], jobs[3], jobs[4]]);
    let of_groups = |groups| ActiveFilter {
        groups: Some(groups),
        ..ActiveFilter::default()
    };
    assert_eq!(active(&w, of_groups(vec![two])).await, [jobs[4]]);
    assert_eq!(active(&w, of_groups(vec![])).await, []);
    let page = w
        .store
        .active_jobs(&only(&[one]), &of_groups(vec![one, two]), None, 9)
        .await
        .unwrap();
    let told: Vec<_> = page
        .items
        .iter()
        .map(|job| {
            let plan = job.plan.as_ref().unwrap();
            let expression = plan.scheduled.expression.as_str();
            (job.name.as_str(), job.group, expression, plan.processes)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("job 1", one, "* * * * *", 1),
            ("job 4", one, "* * * * *", 1)
        ]
    );
}

async fn active_jobs_of_an_agent_are_those_that_run_on_it(w: World) {
    let group = w.group(1).await;
    let (first, second) = (w.agent(1, &[group]).await, w.agent(2, &[group]).await);
    let everywhere = w.job(1, group, scheduled("everywhere")).await;
    let mut chosen = scheduled("chosen");
    chosen.target = Target::Agents(vec![second]);
    let chosen = w.job(2, group, chosen).await;
    let on = |agent| ActiveFilter {
        agent: Some(agent),
        ..ActiveFilter::default()
    };
    assert_eq!(active(&w, on(first)).await, [everywhere]);
    assert_eq!(active(&w, on(second)).await, [everywhere, chosen]);
    assert_eq!(active(&w, on(AgentId::from_u128(9))).await, []);
}

async fn serving_agents_are_active_and_sorted(w: World) {
    let (one, two) = (w.group(1).await, w.group(2).await);
    let late = w.agent(5, &[one]).await;
    let early = w.agent(3, &[one, two]).await;
    let gone = w.agent(4, &[one]).await;
    w.store.revoke_agent(gone, at(2)).await.unwrap();
    let serving = w.store.serving_agents(&ALL).await.unwrap();
    assert_eq!(serving[&one], [early, late]);
    assert_eq!(serving[&two], [early]);
    let names = w.store.agent_names(&[early, late]).await.unwrap();
    assert_eq!(
        (names.len(), names[&early].as_str()),
        (2, "agent 003"),
        "{names:?}"
    );
    let names = w.store.group_names(&[two]).await.unwrap();
    assert_eq!(names[&two], "group 002");
}

/// Lets planned runs of an agent start, and end as they shall; those without an end go on.
async fn ends(
    w: &World,
    agent: AgentId,
    runs: &[PlannedRun],
    ends: &[Option<(ExitStatus, Option<StopCause>, Duration)>],
) {
    let session = w.session(agent).await;
    w.dispatch(&session).await;
    for (run, ending) in runs.iter().zip(ends) {
        w.claim(&session, run.id, running(run.key.due)).await;
        if let Some((status, stopped_for, took)) = ending {
            let mut end = end(run.key.due, status.clone(), *stopped_for);
            end.duration = *took;
            let ended = Claim::Ended { start: None, end };
            w.claim(&session, run.id, ended).await;
        }
    }
}

async fn durations_are_those_of_the_newest_runs_that_ran(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, scheduled("a")).await;
    let never = w.job(2, group, scheduled("never ran")).await;
    let seconds = Duration::from_secs;
    let good = |took| Some((ExitStatus::Exited(0), None, seconds(took)));
    let mut endings: Vec<_> = (1..=120).map(good).collect();
    endings.push(Some((ExitStatus::Exited(3), None, seconds(200))));
    endings.push(Some((
        ExitStatus::Signalled {
            signal: 9,
            has_core: false,
        },
        Some(StopCause::Timeout),
        seconds(300),
    )));
    endings.push(Some((
        ExitStatus::Exited(0),
        Some(StopCause::Kill),
        seconds(400),
    )));
    endings.push(None);
    let runs: Vec<_> = (1..=endings.len() as i64)
        .map(|place| run_at(job, 1, at(60 * place), agent))
        .collect();
    w.plan(job, runs.clone()).await;
    ends(&w, agent, &runs, &endings).await;
    let told = w
        .store
        .past_durations(&[job, never], at(60 * 200))
        .await
        .unwrap();
    // The newest hundred that count: 23 to 120 seconds, 200 and 300.
    let durations = Durations {
        p50: seconds(72),
        p90: seconds(112),
        run_count: 100,
    };
    assert_eq!(told.get(&job), Some(&durations));
    assert_eq!(told.len(), 1);
    let early = w.store.past_durations(&[job], at(60 * 2)).await.unwrap();
    assert_eq!(
        early[&job].run_count, 2,
        "what was due later does not count"
    );
    assert_eq!(early[&job].p90, seconds(2));
    let none = w.store.past_durations(&[], at(60)).await.unwrap();
    assert!(none.is_empty());
}

async fn many_jobs_have_their_own_durations(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let (mut jobs, mut runs, mut endings) = (vec![], vec![], vec![]);
    for number in 1..=130_u32 {
        let mut spec = scheduled(&format!("job {number}"));
        if let JobKind::Scheduled(scheduled) = &mut spec.kind {
            scheduled.expression = "@hourly".to_owned();
        }
        let job = w.job(u128::from(number), group, spec).await;
        let run = run_at(job, 1, at(60), agent);
        w.plan(job, vec![run.clone()]).await;
        jobs.push(job);
        runs.push(run);
        let took = Duration::from_millis(u64::from(number));
        endings.push(Some((ExitStatus::Exited(0), None, took)));
    }
    ends(&w, agent, &runs, &endings).await;
    let told = w.store.past_durations(&jobs, at(100)).await.unwrap();
    assert_eq!(told.len(), 130);
    for (job, number) in jobs.iter().zip(1..) {
        assert_eq!(told[job].p50, Duration::from_millis(number));
    }
}
