use std::collections::{BTreeMap, BTreeSet};

use cronfleet_core::access::Reach;
use cronfleet_core::calendar::{CalendarChoice, CalendarMode, CalendarSpec, OwnCalendar, Weekdays};
use cronfleet_core::id::{CalendarId, GroupId, JobId};
use cronfleet_core::job::{JobKind, JobSpec};
use cronfleet_store::{CalendarDeletion, Conflict, NewCalendar, NewJob, StoreError, Timing};
use jiff::civil::{Weekday, date};

use crate::world::{ADMIN, ALL, World, at, only, scheduled};

conformance! {
    a_calendar_has_versions_that_stay,
    a_name_means_one_calendar,
    calendars_out_of_reach_do_not_exist,
    jobs_follow_the_version_that_they_were_saved_with,
    a_calendar_that_jobs_follow_stays,
    calendars_go_with_their_group,
}

fn spec(name: &str, days_out: &[&str]) -> CalendarSpec {
    CalendarSpec {
        name: name.to_owned(),
        description: "ours".to_owned(),
        extends: None,
        weekdays: Weekdays::of([Weekday::Monday, Weekday::Friday]),
        days_in: vec!["2026-10-10".parse().unwrap()],
        days_out: days_out.iter().map(|day| day.parse().unwrap()).collect(),
        known_until: Some(date(2026, 12, 31)),
    }
}

async fn create(
    w: &World,
    number: u128,
    group: Option<GroupId>,
    name: &str,
) -> Result<OwnCalendar, StoreError> {
    let new = NewCalendar {
        id: CalendarId::from_u128(number),
        group,
        spec: spec(name, &["2026-10-05/2026-10-07"]),
        author: ADMIN,
    };
    w.store.create_calendar(&new, at(1)).await?;
    Ok(OwnCalendar {
        id: new.id,
        version: 1,
    })
}

/// A job that follows a version of a calendar.
fn follower(name: &str, calendar: &str, own: OwnCalendar) -> JobSpec {
    let mut spec = scheduled(name);
    if let JobKind::Scheduled(scheduled) = &mut spec.kind {
        scheduled.calendar = Some(CalendarChoice {
            own: Some(own),
            ..CalendarChoice::named(calendar, CalendarMode::Include)
        });
    }
    spec
}

async fn a_calendar_has_versions_that_stay(w: World) {
    let first = create(&w, 1, None, "ours").await.unwrap();
    let row = w.store.calendar(&ALL, first.id).await.unwrap().unwrap();
    assert_eq!(row.spec, spec("ours", &["2026-10-05/2026-10-07"]));
    assert_eq!(
        (row.head.version, row.head.updated_by.as_str()),
        (1, "admin")
    );
    let next = spec("ours", &[]);
    let saved = w.store.replace_calendar(first.id, 1, &next, ADMIN, at(5));
    assert_eq!(saved.await.unwrap(), 2);
    let stale = w.store.replace_calendar(first.id, 1, &next, ADMIN, at(6));
    assert!(matches!(
        stale.await,
        Err(StoreError::Conflict(Conflict::StaleVersion { current: 2 }))
    ));
    let row = w.store.calendar(&ALL, first.id).await.unwrap().unwrap();
    assert_eq!(row.spec, next);
    assert_eq!((row.head.created_at, row.head.updated_at), (at(1), at(5)));
    let unknown = OwnCalendar {
        id: first.id,
        version: 9,
    };
    let versions = w.store.calendar_versions(&[first, unknown]).await.unwrap();
    assert_eq!(
        versions,
        [(first, spec("ours", &["2026-10-05/2026-10-07"]))]
    );
}

async fn a_name_means_one_calendar(w: World) {
    let (group, other) = (w.group(1).await, w.group(2).await);
    let fleet = create(&w, 1, None, "fleet").await.unwrap();
    let ours = create(&w, 2, Some(group), "ours").await.unwrap();
    let theirs = create(&w, 3, Some(other), "ours").await.unwrap();
    for (group, name) in [
        (None, "fleet"),
        (None, "ours"),
        (Some(group), "fleet"),
        (Some(group), "ours"),
    ] {
        let taken = create(&w, 9, group, name).await;
        assert!(
            matches!(
                taken,
                Err(StoreError::Conflict(Conflict::CalendarNameTaken))
            ),
            "{group:?} {name}: {taken:?}"
        );
    }
    let named = async |group| {
        let names = BTreeSet::from(["ours", "fleet", "none"]);
        w.store.calendars_named(group, &names).await.unwrap()
    };
    let expected = |own| BTreeMap::from([("fleet".to_owned(), fleet), ("ours".to_owned(), own)]);
    assert_eq!(named(group).await, expected(ours));
    assert_eq!(named(other).await, expected(theirs));
}

async fn calendars_out_of_reach_do_not_exist(w: World) {
    let (group, other) = (w.group(1).await, w.group(2).await);
    create(&w, 1, None, "fleet").await.unwrap();
    create(&w, 2, Some(group), "ours").await.unwrap();
    create(&w, 3, Some(other), "theirs").await.unwrap();
    let names = async |reach: &Reach| {
        let heads = w.store.calendars(reach).await.unwrap();
        heads.into_iter().map(|head| head.name).collect::<Vec<_>>()
    };
    assert_eq!(names(&ALL).await, ["fleet", "ours", "theirs"]);
    assert_eq!(names(&only(&[group])).await, ["fleet", "ours"]);
    assert_eq!(names(&Reach::Groups(vec![])).await, ["fleet"]);
    let reach = only(&[group]);
    let found = w.store.calendar(&reach, CalendarId::from_u128(3)).await;
    assert_eq!(found.unwrap(), None);
    let missing = create(&w, 4, Some(GroupId::from_u128(99)), "x").await;
    assert!(matches!(missing, Err(StoreError::Missing { .. })));
}

async fn jobs_follow_the_version_that_they_were_saved_with(w: World) {
    let group = w.group(1).await;
    let own = create(&w, 1, None, "ours").await.unwrap();
    let behind = async || {
        let jobs = w.store.jobs_behind_calendars(10).await.unwrap();
        let found = jobs.into_iter().map(|job| (job.job, job.calendar));
        found.collect::<Vec<(JobId, OwnCalendar)>>()
    };
    let first = w.job(1, group, follower("a", "ours", own)).await;
    let second = w.job(2, group, follower("b", "ours", own)).await;
    w.job(3, group, scheduled("c")).await;
    assert_eq!(behind().await, []);

    let next = spec("ours", &[]);
    let changed = w.store.replace_calendar(own.id, 1, &next, ADMIN, at(5));
    changed.await.unwrap();
    let new = OwnCalendar { version: 2, ..own };
    assert_eq!(behind().await, [(first, new), (second, new)]);
    assert_eq!(w.store.jobs_behind_calendars(1).await.unwrap().len(), 1);

    let saved = follower("a", "ours", new);
    let timing = Timing::default();
    let edit = w.store.replace_job(first, 1, &saved, timing, ADMIN, at(6));
    edit.await.unwrap();
    assert_eq!(behind().await, [(second, new)]);
    let plain = scheduled("b");
    let edit = w.store.replace_job(second, 1, &plain, timing, ADMIN, at(7));
    edit.await.unwrap();
    assert_eq!(behind().await, []);
    let heads = w.store.calendars(&ALL).await.unwrap();
    assert_eq!(heads[0].job_count, 1, "one follows it no longer");
}

async fn a_calendar_that_jobs_follow_stays(w: World) {
    let group = w.group(1).await;
    let own = create(&w, 1, Some(group), "ours").await.unwrap();
    let job = w.job(1, group, follower("a", "ours", own)).await;
    let kept = w.store.delete_calendar(own.id).await.unwrap();
    let some = vec![("group 001".to_owned(), "a".to_owned())];
    assert_eq!(kept, CalendarDeletion::InUse { some, count: 1 });
    w.store.delete_job(job, at(3)).await.unwrap();
    let gone = w.store.delete_calendar(own.id).await.unwrap();
    assert_eq!(gone, CalendarDeletion::Done);
    assert_eq!(w.store.calendars(&ALL).await.unwrap(), []);
    let again = w.store.delete_calendar(own.id).await;
    assert!(matches!(again, Err(StoreError::Missing { .. })));
    let versions = w.store.calendar_versions(&[own]).await.unwrap();
    assert_eq!(versions.len(), 1, "for old versions of jobs");
    create(&w, 2, Some(group), "ours").await.unwrap();
    let late = NewJob {
        id: JobId::from_u128(5),
        group,
        spec: follower("late", "ours", own),
        is_paused: false,
        timing: Timing::default(),
        author: ADMIN,
    };
    let refused = w.store.create_job(&late, at(4)).await;
    assert!(
        matches!(refused, Err(StoreError::Conflict(Conflict::CalendarGone))),
        "{refused:?}"
    );
}

async fn calendars_go_with_their_group(w: World) {
    let (group, other) = (w.group(1).await, w.group(2).await);
    let own = create(&w, 1, Some(group), "ours").await.unwrap();
    create(&w, 2, Some(other), "ours").await.unwrap();
    w.store.delete_group(group).await.unwrap();
    let left = w.store.calendars(&ALL).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(w.store.calendar_versions(&[own]).await.unwrap(), []);
}
