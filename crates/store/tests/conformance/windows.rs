use std::time::Duration;

use cronfleet_core::access::Reach;
use cronfleet_core::id::{AgentId, GroupId, JobId, UserId, WindowId};
use cronfleet_core::plan::{Lapse, Plan};
use cronfleet_core::run::{Outcome, Reason, RunState};
use cronfleet_store::{
    Conflict, JobPlan, NewWindow, StoreError, Thing, WINDOWS_PER_SCOPE_MAX, WindowFilter,
    WindowRow, WindowScope, WindowSpec, WindowWhen,
};
use jiff::Timestamp;

use crate::world::{ADMIN, ALL, World, at, only, run_at, scheduled};

conformance! {
    a_window_keeps_what_it_was,
    windows_show_within_reach,
    a_scope_has_so_many_windows,
    a_plan_made_without_a_window_does_not_count,
    what_a_window_holds_is_taken_back,
    a_job_that_is_held_is_left_alone,
    windows_go_with_their_groups_and_with_time,
}

const WEEKLY: Duration = Duration::from_secs(8 * 3_600);

fn once(reason: &str, from: i64, until: i64) -> WindowSpec {
    WindowSpec {
        reason: reason.to_owned(),
        when: WindowWhen::Once {
            from: at(from),
            until: at(until),
        },
    }
}

fn weekly(reason: &str) -> WindowSpec {
    WindowSpec {
        reason: reason.to_owned(),
        when: WindowWhen::Recurring {
            expression: "0 22 * * 6".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            lasts: WEEKLY,
        },
    }
}

async fn made(w: &World, number: u128, scope: WindowScope, spec: WindowSpec) -> WindowId {
    let window = NewWindow {
        id: WindowId::from_u128(number),
        scope,
        spec,
        author: ADMIN,
    };
    w.store.create_window(&window, at(0)).await.unwrap();
    window.id
}

async fn listed(w: &World, reach: &Reach, filter: WindowFilter, now: Timestamp) -> Vec<WindowRow> {
    let page = w.store.windows(reach, filter, now, None, 100).await;
    page.unwrap().items
}

async fn a_window_keeps_what_it_was(w: World) {
    assert_eq!(w.store.windows_version().await.unwrap(), 0);
    let id = made(&w, 1, WindowScope::Fleet, once("upgrade", 100, 200)).await;
    let row = w.store.window(&ALL, id).await.unwrap().unwrap();
    assert_eq!(
        (row.version, row.scope, row.group),
        (1, WindowScope::Fleet, None)
    );
    assert_eq!(row.spec, once("upgrade", 100, 200));
    assert_eq!(
        (row.since, row.over_at, row.author.as_str()),
        (at(0), Some(at(200)), "admin")
    );

    let replace = |version, spec, now| {
        let store = w.store.clone();
        async move {
            store
                .replace_window(id, version, &spec, ADMIN, at(now))
                .await
        }
    };
    replace(1, weekly("upgrades"), 50).await.unwrap();
    let stale = replace(1, once("late", 1, 2), 60).await;
    assert!(matches!(
        stale,
        Err(StoreError::Conflict(Conflict::WindowChanged { current: 2 }))
    ));
    assert_eq!(w.store.windows_version().await.unwrap(), 2);
    w.store.end_window(id, at(70)).await.unwrap();
    w.store.end_window(id, at(80)).await.unwrap();
    assert!(replace(2, weekly("again"), 90).await.is_err());

    let versions: Vec<_> = w
        .store
        .windows_after(at(10))
        .await
        .unwrap()
        .into_iter()
        .map(|row| (row.version, row.spec, row.since, row.ended_at))
        .collect();
    assert_eq!(
        versions,
        [
            (1, once("upgrade", 100, 200), at(0), Some(at(50))),
            (2, weekly("upgrades"), at(50), Some(at(70))),
        ]
    );
    assert_eq!(w.store.windows_after(at(71)).await.unwrap(), []);
    assert_eq!(listed(&w, &ALL, WindowFilter::default(), at(90)).await, []);
    let filter = WindowFilter {
        with_over: true,
        ..WindowFilter::default()
    };
    let over = listed(&w, &ALL, filter, at(90)).await;
    assert_eq!((over.len(), over[0].version), (1, 2));
    let nothing = w
        .store
        .end_window(WindowId::from_u128(9), at(90))
        .await
        .unwrap_err();
    assert!(matches!(
        nothing,
        StoreError::Missing {
            what: Thing::Window
        }
    ));
}

async fn windows_show_within_reach(w: World) {
    let (mine, other) = (w.group(1).await, w.group(2).await);
    let job = w.job(1, other, scheduled("a")).await;
    let gone = w.job(2, other, scheduled("b")).await;
    made(&w, 1, WindowScope::Fleet, weekly("fleet")).await;
    made(&w, 2, WindowScope::Group(mine), weekly("mine")).await;
    made(&w, 3, WindowScope::Group(other), weekly("other")).await;
    made(&w, 4, WindowScope::Job(job), weekly("job")).await;
    made(&w, 5, WindowScope::Job(gone), weekly("deleted")).await;
    w.store.delete_job(gone, at(1)).await.unwrap();
    let reasons = |rows: Vec<WindowRow>| -> Vec<String> {
        rows.into_iter().map(|row| row.spec.reason).collect()
    };
    let everything = WindowFilter::default();
    let of = |reach: Reach, filter| {
        let w = &w;
        async move { reasons(listed(w, &reach, filter, at(1)).await) }
    };
    assert_eq!(of(only(&[mine]), everything).await, ["mine", "fleet"]);
    assert_eq!(of(only(&[]), everything).await, ["fleet"]);
    assert_eq!(of(ALL, everything).await, ["job", "other", "mine", "fleet"]);
    let of_group = WindowFilter {
        group: Some(other),
        ..everything
    };
    assert_eq!(of(ALL, of_group).await, ["job", "other"]);
    assert_eq!(of(only(&[mine]), of_group).await, [""; 0]);
    let of_job = WindowFilter {
        job: Some(job),
        ..everything
    };
    assert_eq!(of(ALL, of_job).await, ["job"]);
    let id = WindowId::from_u128(3);
    assert!(w.store.window(&only(&[mine]), id).await.unwrap().is_none());
    let row = w.store.window(&only(&[other]), id).await.unwrap().unwrap();
    assert_eq!(
        (row.group, row.scope_name.as_str()),
        (Some(other), "group 002")
    );

    let first = w.store.windows(&ALL, everything, at(1), None, 3).await;
    let first = first.unwrap();
    assert_eq!(first.items.len(), 3);
    let rest = w
        .store
        .windows(&ALL, everything, at(1), first.next, 3)
        .await;
    assert_eq!(reasons(rest.unwrap().items), ["fleet"]);
}

async fn a_scope_has_so_many_windows(w: World) {
    let group = w.group(1).await;
    for number in 1..=u128::from(WINDOWS_PER_SCOPE_MAX) {
        made(&w, number, WindowScope::Group(group), once("x", 10, 20)).await;
    }
    let more = |scope, now| {
        let window = NewWindow {
            id: WindowId::from_u128(1_000 + now as u128),
            scope,
            spec: weekly("more"),
            author: ADMIN,
        };
        let store = w.store.clone();
        async move { store.create_window(&window, at(now)).await }
    };
    assert!(matches!(
        more(WindowScope::Group(group), 1).await,
        Err(StoreError::Conflict(Conflict::TooManyWindows))
    ));
    more(WindowScope::Fleet, 2).await.unwrap();
    more(WindowScope::Group(group), 20).await.unwrap();
    let nowhere = more(WindowScope::Job(JobId::from_u128(7)), 21).await;
    assert!(matches!(
        nowhere,
        Err(StoreError::Missing { what: Thing::Job })
    ));
    let nowhere = more(WindowScope::Group(GroupId::from_u128(7)), 22).await;
    assert!(matches!(
        nowhere,
        Err(StoreError::Missing { what: Thing::Group })
    ));
}

/// A plan of a job whose due instant at 60 s is held, made at that moment.
fn held_plan(job: JobId) -> JobPlan {
    JobPlan {
        job,
        expected_version: 1,
        expected_watermark: at(0),
        expected_snooze: None,
        plan: Plan {
            runs: vec![],
            lapses: vec![Lapse {
                due_from: at(60),
                due_to: at(60),
                count: 1,
                reason: Reason::Frozen,
            }],
            watermark: at(60),
            next_due: Some(at(120)),
            has_more: false,
            held_until: Some(at(120)),
        },
    }
}

async fn a_plan_made_without_a_window_does_not_count(w: World) {
    let group = w.group(1).await;
    let job = w.job(1, group, scheduled("a")).await;
    let before = w.store.windows_version().await.unwrap();
    made(&w, 1, WindowScope::Group(group), once("x", 10, 2_000)).await;
    let plans = [held_plan(job)];
    let stale = w
        .store
        .commit_plans(&w.lease, before, &plans, at(60))
        .await
        .unwrap_err();
    assert!(
        matches!(stale, StoreError::Conflict(Conflict::StaleWindows)),
        "{stale:?}"
    );
    let now = w.store.windows_version().await.unwrap();
    let committed = w.store.commit_plans(&w.lease, now, &plans, at(60)).await;
    assert_eq!(committed.unwrap().left_out, []);
    let lapses = w.store.lapses(&ALL, Some(job), None, None, 9).await;
    assert_eq!(lapses.unwrap().items[0].lapse.reason, Reason::Frozen);

    assert!(w.store.resign_lease(&w.lease).await.unwrap());
    let stale = w
        .store
        .commit_plans(&w.lease, now, &plans, at(60))
        .await
        .unwrap_err();
    assert!(matches!(stale, StoreError::Conflict(Conflict::StaleLease)));
}

async fn what_a_window_holds_is_taken_back(w: World) {
    let group = w.group(1).await;
    let agents: Vec<AgentId> = vec![w.agent(1, &[group]).await, w.agent(2, &[group]).await];
    let job = w.job(1, group, scheduled("a")).await;
    let session = w.session(agents[0]).await;
    let runs: Vec<_> = [60, 120]
        .into_iter()
        .flat_map(|due| agents.iter().map(move |agent| (due, *agent)))
        .map(|(due, agent)| run_at(job, 1, at(due), agent))
        .collect();
    w.plan(job, runs.clone()).await;
    assert_eq!(w.dispatch(&session).await.len(), 2);
    made(&w, 1, WindowScope::Fleet, once("x", 100, 200)).await;
    let windows = w.store.windows_version().await.unwrap();

    let mut ahead = w.store.runs_ahead(at(0), None, 3).await.unwrap();
    let last = ahead.last().map(|run| run.run);
    ahead.extend(w.store.runs_ahead(at(0), last, 3).await.unwrap());
    assert_eq!(ahead.len(), 4);
    ahead.retain(|run| run.due == at(120));
    let ids: Vec<_> = ahead.iter().map(|run| run.run).collect();
    assert!(ahead.iter().all(|run| (run.job, run.group) == (job, group)));
    let stale = w
        .store
        .freeze_runs(&w.lease, windows - 1, &ids, at(50))
        .await;
    assert!(matches!(
        stale,
        Err(StoreError::Conflict(Conflict::StaleWindows))
    ));

    let frozen = w
        .store
        .freeze_runs(&w.lease, windows, &ids, at(50))
        .await
        .unwrap();
    let (sent, unsent) = (runs[2].id, runs[3].id);
    let revoked: Vec<_> = frozen
        .revoke
        .iter()
        .map(|one| (one.run, one.reason))
        .collect();
    assert_eq!(revoked, [(sent, Reason::Frozen)]);
    let moved: Vec<_> = frozen
        .moved
        .iter()
        .map(|one| (one.run, one.reason))
        .collect();
    assert_eq!(moved, [(unsent, Some(Reason::Frozen))]);
    assert_eq!(
        w.state(unsent).await,
        RunState::Ended(Outcome::Skipped),
        "it stays on record: its due instant is decided"
    );
    assert_eq!(w.state(sent).await, RunState::Dispatched);
    assert_eq!(w.state(runs[1].id).await, RunState::Planned);
    let outstanding = w.store.outstanding(agents[0]).await.unwrap();
    let asked: Vec<_> = outstanding
        .iter()
        .filter_map(|run| run.revoke_reason)
        .collect();
    assert_eq!(asked, [Reason::Frozen], "asked again at the next connect");
    assert_eq!(w.store.runs_ahead(at(60), None, 9).await.unwrap().len(), 1);
}

async fn a_job_that_is_held_is_left_alone(w: World) {
    let group = w.group(1).await;
    let job = w.job(1, group, scheduled("a")).await;
    let windows = w.store.windows_version().await.unwrap();
    let plans = [held_plan(job)];
    w.store
        .commit_plans(&w.lease, windows, &plans, at(60))
        .await
        .unwrap();
    let due = |now| {
        let (store, lease) = (w.store.clone(), w.lease.clone());
        async move {
            let jobs = store
                .due_jobs_unless_held(&lease, at(130), now, None, 9)
                .await;
            jobs.unwrap().into_iter().map(|job| job.held_until).next()
        }
    };
    assert_eq!(due(Some(at(119))).await, None);
    assert_eq!(due(Some(at(120))).await, Some(Some(at(120))));
    assert_eq!(due(None).await, Some(Some(at(120))));
    let timing = cronfleet_store::Timing {
        next_due: Some(at(100)),
        is_reboot: false,
    };
    w.store
        .replace_job(job, 1, &scheduled("a"), timing, ADMIN, at(70))
        .await
        .unwrap();
    assert_eq!(due(Some(at(80))).await, Some(None), "planned anew");
}

async fn windows_go_with_their_groups_and_with_time(w: World) {
    let group = w.group(1).await;
    let author = UserId::from_u128(0xad);
    assert_eq!(author, ADMIN);
    made(&w, 1, WindowScope::Group(group), weekly("group")).await;
    made(&w, 2, WindowScope::Fleet, once("old", 10, 20)).await;
    made(&w, 3, WindowScope::Fleet, weekly("for ever")).await;
    w.store.delete_group(group).await.unwrap();
    w.store.purge_lapses(at(20), 9).await.unwrap();
    assert_eq!(w.store.windows_after(at(0)).await.unwrap().len(), 2);
    w.store.purge_lapses(at(21), 9).await.unwrap();
    let left = w.store.windows_after(at(0)).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].spec, weekly("for ever"));
}
