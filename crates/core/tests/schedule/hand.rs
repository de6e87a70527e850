//! Schedules against tables worked out by hand from calendars and zone rules.

use cronfleet_core::schedule::{DstPolicy, GapPolicy, OverlapPolicy};
use jiff::Timestamp;

use crate::{bundled_zone, instant, schedule};

/// The first runs at or after a local time, as local times with their offset.
fn local_runs(text: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let schedule = schedule(text, zone);
    let tz = bundled_zone(zone);
    let from = tz.to_timestamp(from.parse().unwrap()).unwrap();
    let before = from - jiff::SignedDuration::from_nanos(1);
    schedule
        .between(before, Timestamp::MAX, count)
        .into_iter()
        .map(|at| at.display_with_offset(tz.to_offset(at)).to_string())
        .collect()
}

#[track_caller]
fn check(text: &str, zone: &str, from: &str, expected: &[&str]) {
    assert_eq!(
        local_runs(text, zone, from, expected.len()),
        expected,
        "{text} in {zone}"
    );
}

#[test]
fn a_day_in_shanghai() {
    check(
        "30 2 * * *",
        "Asia/Shanghai",
        "2026-11-22T02:30:00",
        &[
            "2026-11-22T02:30:00+08:00",
            "2026-11-23T02:30:00+08:00",
            "2026-11-24T02:30:00+08:00",
        ],
    );
    check(
        "*/20 9-10 * * 1-5",
        "Asia/Shanghai",
        "2026-11-20T10:30:00",
        &[
            "2026-11-20T10:40:00+08:00",
            "2026-11-23T09:00:00+08:00",
            "2026-11-23T09:20:00+08:00",
        ],
    );
    check(
        "*/30 59 23 31 12 *",
        "Asia/Shanghai",
        "2026-11-22T00:00:00",
        &[
            "2026-12-31T23:59:00+08:00",
            "2026-12-31T23:59:30+08:00",
            "2027-12-31T23:59:00+08:00",
        ],
    );
}

#[test]
fn a_wall_clock_time_runs_once_on_each_day_of_a_new_york_year() {
    let schedule = schedule("30 2 * * *", "America/New_York");
    let runs = schedule.between(
        instant("2026-01-01T05:00:00Z"),
        instant("2027-01-01T05:00:00Z"),
        1_000,
    );
    assert_eq!(runs.len(), 365);
    let tz = bundled_zone("America/New_York");
    for (run, day) in runs.iter().zip(1..) {
        let local = tz.to_datetime(*run);
        assert_eq!(local.date().day_of_year(), day);
        let expected = if day == 67 { (3, 0) } else { (2, 30) };
        assert_eq!((local.hour(), local.minute()), expected, "{local}");
    }
}

#[test]
fn the_spring_gap_of_new_york() {
    let day = "2026-03-08T00:00:00";
    let zone = "America/New_York";
    check(
        "30 2 * * *",
        zone,
        day,
        &["2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"],
    );
    // Several times inside one gap become one run; a time at its end is that run.
    check(
        "0,30 2,3 * * *",
        zone,
        day,
        &["2026-03-08T03:00:00-04:00", "2026-03-08T03:30:00-04:00"],
    );
    check(
        "5-50/15 2 * * *",
        zone,
        day,
        &["2026-03-08T03:00:00-04:00", "2026-03-09T02:05:00-04:00"],
    );
    // Six fields with 0 in front behave like five.
    check(
        "0 30 2 * * *",
        zone,
        day,
        &["2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"],
    );
    // Intervals follow real time.
    check(
        "*/30 * * * *",
        zone,
        "2026-03-08T01:30:00",
        &[
            "2026-03-08T01:30:00-05:00",
            "2026-03-08T03:00:00-04:00",
            "2026-03-08T03:30:00-04:00",
        ],
    );
    check(
        "*/30 2 * * *",
        zone,
        day,
        &["2026-03-09T02:00:00-04:00", "2026-03-09T02:30:00-04:00"],
    );
    check(
        "30 */2 * * *",
        zone,
        "2026-03-08T00:31:00",
        &["2026-03-08T04:30:00-04:00"],
    );
}

#[test]
fn the_autumn_overlap_of_new_york() {
    let day = "2026-11-01T00:00:00";
    let zone = "America/New_York";
    check(
        "30 1 * * *",
        zone,
        day,
        &["2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"],
    );
    check(
        "0,30 1 * * *",
        zone,
        day,
        &[
            "2026-11-01T01:00:00-04:00",
            "2026-11-01T01:30:00-04:00",
            "2026-11-02T01:00:00-05:00",
        ],
    );
    check(
        "0 1-2 * * *",
        zone,
        day,
        &["2026-11-01T01:00:00-04:00", "2026-11-01T02:00:00-05:00"],
    );
    check(
        "*/30 * * * *",
        zone,
        "2026-11-01T00:30:00",
        &[
            "2026-11-01T00:30:00-04:00",
            "2026-11-01T01:00:00-04:00",
            "2026-11-01T01:30:00-04:00",
            "2026-11-01T01:00:00-05:00",
            "2026-11-01T01:30:00-05:00",
            "2026-11-01T02:00:00-05:00",
        ],
    );
    // A year of its own does not hide the second pass of an interval.
    check(
        "0 */20 1 1 11 * 2026",
        zone,
        "2026-11-01T00:30:00",
        &[
            "2026-11-01T01:00:00-04:00",
            "2026-11-01T01:20:00-04:00",
            "2026-11-01T01:40:00-04:00",
            "2026-11-01T01:00:00-05:00",
            "2026-11-01T01:20:00-05:00",
            "2026-11-01T01:40:00-05:00",
        ],
    );
}

#[test]
fn a_search_backwards_from_the_second_pass_finds_the_first() {
    let second_pass = instant("2026-11-01T06:05:00Z");
    for text in ["*/30 10,30,50 1 1 11 * 2026", "*/30 10,30,50 1 1 11 *"] {
        let schedule = schedule(text, "America/New_York");
        assert_eq!(
            schedule.prev_before(second_pass),
            Some(instant("2026-11-01T05:50:30Z")),
            "{text}"
        );
    }
    let once = schedule("10 1 1 11 *", "America/New_York");
    assert_eq!(
        once.prev_before(second_pass),
        Some(instant("2026-11-01T05:10:00Z"))
    );
    assert_eq!(
        once.next_after(second_pass),
        Some(instant("2027-11-01T05:10:00Z"))
    );
}

#[test]
fn changes_of_an_unusual_length() {
    // Half an hour: 02:00 becomes 02:30, and 02:00 becomes 01:30.
    check(
        "15 2 * * *",
        "Australia/Lord_Howe",
        "2026-10-04T00:00:00",
        &["2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"],
    );
    check(
        "45 1 * * *",
        "Australia/Lord_Howe",
        "2026-04-05T00:00:00",
        &["2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"],
    );
    // Two hours: 01:00 becomes 03:00.
    check(
        "30 1,2 * * *",
        "Antarctica/Troll",
        "2026-03-29T00:00:00",
        &["2026-03-29T03:00:00+02:00", "2026-03-30T01:30:00+02:00"],
    );
    // A whole day that never was: 2011-12-30 in Samoa.
    check(
        "0 12 * * *",
        "Pacific/Apia",
        "2011-12-29T00:00:00",
        &[
            "2011-12-29T12:00:00-10:00",
            "2011-12-31T00:00:00+14:00",
            "2011-12-31T12:00:00+14:00",
        ],
    );
    check(
        "0 * * * *",
        "Pacific/Apia",
        "2011-12-29T23:00:00",
        &["2011-12-29T23:00:00-10:00", "2011-12-31T00:00:00+14:00"],
    );
    // No midnight: 2026-09-06 begins at 01:00 in Chile.
    check(
        "0 0 * * *",
        "America/Santiago",
        "2026-09-05T12:00:00",
        &["2026-09-06T01:00:00-03:00", "2026-09-07T00:00:00-03:00"],
    );
}

#[test]
fn policies_of_a_job_replace_the_rule_of_cron() {
    let runs = |text: &str, policy: DstPolicy, from: &str, count: usize| {
        let schedule = schedule(text, "America/New_York").with_dst_policy(policy);
        let runs = schedule.between(instant(from), Timestamp::MAX, count);
        runs.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let skip = DstPolicy {
        gap: Some(GapPolicy::Skip),
        ..DstPolicy::default()
    };
    assert_eq!(
        runs("30 2 * * *", skip, "2026-03-08T05:00:00Z", 1),
        ["2026-03-09T06:30:00Z"]
    );
    let both = DstPolicy {
        overlap: Some(OverlapPolicy::Both),
        ..DstPolicy::default()
    };
    assert_eq!(
        runs("30 1 * * *", both, "2026-11-01T04:00:00Z", 2),
        ["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"]
    );
    let wall = DstPolicy {
        overlap: Some(OverlapPolicy::First),
        gap: Some(GapPolicy::Run),
    };
    assert_eq!(
        runs("*/30 * * * *", wall, "2026-11-01T05:00:00Z", 2),
        ["2026-11-01T05:30:00Z", "2026-11-01T07:00:00Z"]
    );
    assert_eq!(
        runs("*/30 2 * * *", wall, "2026-03-08T05:00:00Z", 2),
        ["2026-03-08T07:00:00Z", "2026-03-09T06:00:00Z"]
    );
}

#[test]
fn rare_days() {
    let table: &[(&str, &str, [&str; 2])] = &[
        ("0 0 29 2 *", "2097-01-01", ["2104-02-29", "2108-02-29"]),
        ("0 0 29 2 +MON", "2026-11-22", ["2044-02-29", "2072-02-29"]),
        ("0 0 31 * *", "2026-02-01", ["2026-03-31", "2026-05-31"]),
        ("0 0 L 2 *", "2027-01-01", ["2027-02-28", "2028-02-29"]),
        ("0 0 L * *", "2026-11-30", ["2026-11-30", "2026-12-31"]),
        ("0 0 LW * *", "2026-05-01", ["2026-05-29", "2026-06-30"]),
        ("0 0 1W * *", "2026-08-01", ["2026-08-03", "2026-09-01"]),
        ("0 0 30W 2-4 *", "2026-02-01", ["2026-03-30", "2026-04-30"]),
        ("0 0 31W * *", "2026-04-01", ["2026-05-29", "2026-07-31"]),
        ("0 0 15W,L * *", "2026-08-01", ["2026-08-14", "2026-08-31"]),
        ("0 0 * * FRI#L", "2026-12-01", ["2026-12-25", "2027-01-29"]),
        ("0 0 * * 5L", "2026-12-01", ["2026-12-25", "2027-01-29"]),
        ("0 0 * * 7L", "2026-12-01", ["2026-12-27", "2027-01-31"]),
        ("0 0 * * 2#2", "2026-11-01", ["2026-11-10", "2026-12-08"]),
        ("0 0 * * 1#5", "2026-11-01", ["2026-11-30", "2027-03-29"]),
        (
            "0 0 * * SAT-SUN",
            "2026-11-22",
            ["2026-11-22", "2026-11-28"],
        ),
        ("0 0 * * 5-7", "2026-11-22", ["2026-11-22", "2026-11-27"]),
    ];
    for (text, from, days) in table {
        let expected = days.map(|day| format!("{day}T00:00:00+00:00"));
        assert_eq!(local_runs(text, "UTC", from, 2), expected, "{text}");
    }
}

#[test]
fn the_day_rule_of_vixie_cron() {
    let table: &[(&str, &str, [&str; 3])] = &[
        // Both restricted: either of them.
        (
            "0 0 13 * 5",
            "2026-11-01",
            ["2026-11-06", "2026-11-13", "2026-11-20"],
        ),
        (
            "0 0 13 * 5",
            "2026-12-05",
            ["2026-12-11", "2026-12-13", "2026-12-18"],
        ),
        // A plus: both of them.
        (
            "0 0 13 * +5",
            "2026-11-01",
            ["2026-11-13", "2027-08-13", "2028-10-13"],
        ),
        // One begins with a star: both of them, steps included.
        (
            "0 0 */2 * 1",
            "2026-11-01",
            ["2026-11-09", "2026-11-23", "2026-12-07"],
        ),
        (
            "0 0 1-7 * */7",
            "2026-11-01",
            ["2026-11-01", "2026-12-06", "2027-01-03"],
        ),
        (
            "0 0 ? * 1",
            "2026-11-01",
            ["2026-11-02", "2026-11-09", "2026-11-16"],
        ),
        (
            "0 0 1 * ?",
            "2026-11-01",
            ["2026-11-01", "2026-12-01", "2027-01-01"],
        ),
        // Written out in full is restricted, and every day satisfies it.
        (
            "0 0 1-31 * 1",
            "2026-11-01",
            ["2026-11-01", "2026-11-02", "2026-11-03"],
        ),
    ];
    for (text, from, days) in table {
        let expected = days.map(|day| format!("{day}T00:00:00+00:00"));
        assert_eq!(local_runs(text, "UTC", from, 3), expected, "{text}");
    }
}

#[test]
fn macros_equal_their_five_fields() {
    let pairs = [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@Midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
        ("@minutely", "* * * * *"),
    ];
    for (word, fields) in pairs {
        assert_eq!(
            schedule(word, "Asia/Shanghai"),
            schedule(fields, "Asia/Shanghai"),
            "{word}"
        );
    }
}

#[test]
fn years_bound_a_schedule() {
    let schedule = schedule("0 0 0 1 1 * 2027-2029/2", "UTC");
    let all = schedule.between(Timestamp::MIN, Timestamp::MAX, 10);
    assert_eq!(
        all,
        [
            instant("2027-01-01T00:00:00Z"),
            instant("2029-01-01T00:00:00Z")
        ]
    );
    assert_eq!(schedule.prev_before(Timestamp::MAX), Some(all[1]));
    assert_eq!(schedule.prev_before(all[0]), None);
    assert_eq!(
        schedule.count_between(Timestamp::MIN, Timestamp::MAX, 10),
        2
    );
}

#[test]
fn the_first_and_the_last_instant_of_all() {
    for (zone, first, last) in [
        ("UTC", "1970-01-01T00:00:00Z", "2199-12-31T23:59:59Z"),
        (
            "Asia/Shanghai",
            "1969-12-31T16:00:00Z",
            "2199-12-31T15:59:59Z",
        ),
        (
            "America/New_York",
            "1970-01-01T05:00:00Z",
            "2200-01-01T04:59:59Z",
        ),
    ] {
        let schedule = schedule("* * * * * *", zone);
        assert_eq!(
            schedule.next_after(Timestamp::MIN),
            Some(instant(first)),
            "{zone}"
        );
        assert_eq!(
            schedule.prev_before(Timestamp::MAX),
            Some(instant(last)),
            "{zone}"
        );
        assert_eq!(schedule.next_after(instant(last)), None, "{zone}");
        assert_eq!(schedule.prev_before(instant(first)), None, "{zone}");
    }
}

#[test]
fn sub_second_questions_round_the_right_way() {
    let schedule = schedule("* * * * * *", "UTC");
    for (at, before, after) in [
        (
            "2026-11-22T00:00:00.999Z",
            "2026-11-22T00:00:00Z",
            "2026-11-22T00:00:01Z",
        ),
        (
            "2026-11-22T00:00:01Z",
            "2026-11-22T00:00:00Z",
            "2026-11-22T00:00:02Z",
        ),
        (
            "2026-11-22T00:00:01.001Z",
            "2026-11-22T00:00:01Z",
            "2026-11-22T00:00:02Z",
        ),
    ] {
        assert_eq!(
            schedule.prev_before(instant(at)),
            Some(instant(before)),
            "{at}"
        );
        assert_eq!(
            schedule.next_after(instant(at)),
            Some(instant(after)),
            "{at}"
        );
    }
    assert!(!schedule.matches(instant("2026-11-22T00:00:01.001Z")));
    assert!(schedule.matches(instant("2026-11-22T00:00:01Z")));
}
