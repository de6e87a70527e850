//! `@every`, `@at`, `@reboot` and `H`.

use cronfleet_core::schedule::{Context, Kind, Schedule};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::{instant, schedule};

#[test]
fn intervals_count_from_the_epoch() {
    let schedule = schedule("@every 250ms", "Asia/Shanghai");
    assert_eq!(schedule.kind(), Kind::Every);
    let from = instant("2026-11-22T00:00:00.1Z");
    let runs = schedule.between(from, from + SignedDuration::from_secs(60), 1_000);
    assert_eq!(runs.len(), 240);
    assert_eq!(runs[0], instant("2026-11-22T00:00:00.25Z"));
    assert_eq!(
        schedule.prev_before(runs[0]),
        Some(instant("2026-11-22T00:00:00Z"))
    );
    assert!(schedule.matches(runs[0]) && !schedule.matches(from));
    assert_eq!(
        schedule.next_after(Timestamp::MIN),
        Some(Timestamp::UNIX_EPOCH)
    );
    assert_eq!(schedule.prev_before(Timestamp::UNIX_EPOCH), None);
    assert_eq!(schedule.next_after(Timestamp::MAX), None);
    assert_eq!(
        schedule.prev_before(Timestamp::MAX),
        Some(instant("2199-12-31T23:59:59.75Z"))
    );
    assert_eq!(
        schedule.count_between(Timestamp::MIN, Timestamp::MAX, u64::MAX),
        29_032_473_600
    );
    assert_eq!(schedule.count_between(Timestamp::MIN, Timestamp::MAX, 5), 5);
    assert_eq!(schedule.count_between(Timestamp::MAX, Timestamp::MIN, 5), 0);
}

#[test]
fn intervals_do_not_see_clock_changes() {
    let schedule = schedule("@every 1h", "America/New_York");
    let from = instant("2026-03-08T00:00:00Z");
    assert_eq!(
        schedule
            .between(from, from + SignedDuration::from_hours(48), 100)
            .len(),
        48
    );
}

#[test]
fn durations_have_one_normal_form() {
    for (text, canonical) in [
        ("@every 500ms", "@every 500ms"),
        ("@every 90s", "@every 1m30s"),
        ("@every 1h30m", "@every 1h30m"),
        ("@every 2d", "@every 2d"),
        ("@EVERY 36H", "@every 1d12h"),
        ("@every 1500ms", "@every 1s500ms"),
        ("@every 366d", "@every 366d"),
        ("@every  0100ms ", "@every 100ms"),
    ] {
        assert_eq!(schedule(text, "UTC").canonical(), canonical, "{text}");
    }
}

#[test]
fn one_off_instants() {
    for (text, zone, at) in [
        (
            "@at 2026-12-01T02:30:00Z",
            "Asia/Shanghai",
            "2026-12-01T02:30:00Z",
        ),
        (
            "@at 2026-12-01T02:30:00+08:00",
            "UTC",
            "2026-11-30T18:30:00Z",
        ),
        (
            "@at 2026-12-01T02:30:00",
            "Asia/Shanghai",
            "2026-11-30T18:30:00Z",
        ),
        (
            "@at 2026-12-01 02:30",
            "Asia/Shanghai",
            "2026-11-30T18:30:00Z",
        ),
        (
            "@at 2026-12-01t02:30:15.5z",
            "UTC",
            "2026-12-01T02:30:15.5Z",
        ),
        (
            "CRON_TZ=Asia/Tokyo @at 2026-12-01T02:30",
            "UTC",
            "2026-11-30T17:30:00Z",
        ),
        // Inside a gap: the first instant after it. Inside an overlap: the first pass.
        (
            "@at 2026-03-08T02:30:00",
            "America/New_York",
            "2026-03-08T07:00:00Z",
        ),
        (
            "@at 2026-11-01T01:30:00",
            "America/New_York",
            "2026-11-01T05:30:00Z",
        ),
    ] {
        let schedule = schedule(text, zone);
        let at = instant(at);
        assert_eq!(schedule.kind(), Kind::At);
        assert_eq!(
            schedule.between(Timestamp::MIN, Timestamp::MAX, 5),
            [at],
            "{text}"
        );
        assert_eq!(schedule.next_after(at), None);
        assert_eq!(schedule.prev_before(at), None);
        assert_eq!(schedule.prev_before(Timestamp::MAX), Some(at));
        assert!(schedule.matches(at));
        assert_eq!(schedule.count_between(at, Timestamp::MAX, 5), 0);
        assert_eq!(schedule.count_between(Timestamp::MIN, at, 5), 1);
    }
    assert_eq!(
        schedule("@at 2026-12-01T02:30", "Asia/Shanghai").canonical(),
        "@at 2026-12-01T02:30:00+08:00"
    );
    assert_eq!(
        schedule("@at 2026-12-01T02:30", "UTC").canonical(),
        "@at 2026-12-01T02:30:00Z"
    );
    assert_eq!(
        schedule("@at 1971-01-01T00:00", "Africa/Monrovia").canonical(),
        "@at 1971-01-01T00:44:30Z"
    );
}

#[test]
fn reboot_has_no_instants() {
    let schedule = schedule("@reboot", "UTC");
    assert_eq!(schedule.kind(), Kind::Reboot);
    assert_eq!(schedule.next_after(Timestamp::MIN), None);
    assert_eq!(schedule.prev_before(Timestamp::MAX), None);
    assert_eq!(schedule.count_between(Timestamp::MIN, Timestamp::MAX, 5), 0);
    assert!(!schedule.matches(Timestamp::UNIX_EPOCH));
    assert_eq!(schedule.canonical(), "@reboot");
}

#[test]
fn spread_values_never_change() {
    let job = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
    for (text, canonical) in [
        ("H H * * *", "11 10 * * *"),
        ("H H H H H", "11 10 19 5 2"),
        ("H H(0-7) * * *", "11 2 * * *"),
        ("H/15 * * * *", "11-56/15 * * * *"),
        ("H H/6 * * *", "11 4-22/6 * * *"),
        ("H H H * * *", "49 11 10 * * *"),
        ("H(10-20)/5 H(9-17)/4 H * *", "11,16 11,15 19 * *"),
        ("h h * * h", "11 10 * * 2"),
    ] {
        let schedule = Schedule::parse(
            text,
            &Context {
                zone: "UTC",
                spread: job,
            },
        )
        .unwrap();
        assert_eq!(schedule.canonical(), canonical, "{text}");
    }
}

#[test]
fn spread_jobs_lie_apart() {
    let canonical = |spread| {
        Schedule::parse(
            "H H * * *",
            &Context {
                zone: "UTC",
                spread,
            },
        )
        .unwrap()
        .canonical()
    };
    let mut times: Vec<String> = (0..500).map(canonical).collect();
    times.sort_unstable();
    times.dedup();
    assert!(
        times.len() > 400,
        "{} different times of 1,440 for 500 jobs",
        times.len()
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn intervals_keep_the_laws(millis in 100..31_622_400_000_u64, at in 0..5_000_000_000_000_i64, count in 0..50_u64) {
        let schedule = schedule(&format!("@every {millis}ms"), "UTC");
        let at = Timestamp::from_millisecond(at).unwrap();
        let next = schedule.next_after(at).unwrap();
        prop_assert!(next > at && schedule.matches(next));
        prop_assert_eq!(next.as_millisecond() % millis as i64, 0);
        prop_assert!(next.as_millisecond() - at.as_millisecond() <= millis as i64);
        prop_assert!(schedule.prev_before(next).is_none_or(|prev| prev <= at));
        prop_assert_eq!(schedule.matches(at), at.as_millisecond() % millis as i64 == 0);
        let until = next + SignedDuration::from_millis((millis * count) as i64);
        prop_assert_eq!(schedule.count_between(at, until, u64::MAX), count + 1);
    }
}
