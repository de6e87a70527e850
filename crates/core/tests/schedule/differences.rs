//! The list "Where Cronfleet differs from others, on purpose" in `docs/schedules.md` is true, line by line.

use cronfleet_core::schedule::{Context, Schedule};
use jiff::Timestamp;

use crate::cronie::{self, Notices};
use crate::published::rows;
use crate::random::{Cron, Item, Items};
use crate::{bundled_zone, instant, schedule};

/// Each line of the list, with the test of what it says about us.
const LIST: &[(&str, fn())] = &[
    ("seconds, years", seconds_come_first),
    ("`L`, `W`, `#`", special_days),
    ("day numbers", sunday_is_0_and_7),
    ("both day fields", either_day_unless_one_begins_with_a_star),
    ("all days written out", every_day_written_out_is_no_star),
    ("`a/n`", || refused(&["5/15 * * * *", "0 3/6 * * *"])),
    ("less than five fields", || {
        refused(&["5", "5 4", "* * * *"])
    }),
    ("ranges that wrap (`22-2`)", ranges_do_not_wrap),
    ("a time of day in a gap", a_time_in_a_gap_runs_at_its_end),
    (
        "several times of day in one gap",
        several_times_in_a_gap_are_one_run,
    ),
    ("an interval in a gap", an_interval_skips_a_gap),
    ("a time of day that comes twice", a_time_of_day_runs_once),
    ("gaps longer than 3 hours", a_day_left_out_is_a_gap),
    (
        "zone changes without summer time",
        every_change_of_a_zone_counts,
    ),
    (
        "`@hourly` in an autumn night",
        an_hour_that_comes_twice_runs_twice,
    ),
    ("`@every`", intervals_do_not_depend_on_a_start),
    ("`@reboot`", reboot_is_no_time),
    ("a date that never comes", || {
        refused(&["0 0 30 2 *", "0 0 31 4,6 *"])
    }),
    ("`~` (random minute)", || {
        refused(&["~ * * * *", "0~30 * * * *"])
    }),
    ("`%`, user and command in the line", || {
        refused(&["0 2 * * * root backup", "0 2 * * * backup%now"]);
    }),
];

#[test]
fn each_line_of_the_list_has_a_reason_and_holds() {
    let listed = rows("Where Cronfleet differs from others, on purpose");
    let names: Vec<&str> = listed.iter().map(|row| row[0]).collect();
    let tested: Vec<&str> = LIST.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, tested);
    for row in &listed {
        assert!(row.len() == 4 && !row[3].is_empty(), "{row:?}");
    }
    for (_, holds) in LIST {
        holds();
    }
}

/// What cron-parser answers to these has been recorded: `generate.cjs` writes it.
#[test]
fn cron_parser_differs_where_the_list_says_so() {
    for line in include_str!("corpus/cron-parser-differs.txt").lines() {
        let mut parts = line.split('|');
        let mut part = || parts.next().unwrap();
        let (text, zone, start, theirs) = (part(), part(), part(), part());
        let start = Timestamp::from_second(start.parse().unwrap()).unwrap();
        let Ok(found) = Schedule::parse(text, &Context { zone, spread: 0 }) else {
            continue;
        };
        let found = found.between(start, Timestamp::MAX, theirs.split(' ').count());
        let ours: Vec<String> = found.iter().map(|at| at.as_second().to_string()).collect();
        assert_ne!(ours.join(" "), theirs, "{text} in {zone}");
    }
}

#[track_caller]
fn due(text: &str, zone: &str, after: &str, expected: &[&str]) {
    let expected: Vec<Timestamp> = expected.iter().map(|text| instant(text)).collect();
    let found = schedule(text, zone).between(instant(after), Timestamp::MAX, expected.len());
    assert_eq!(found, expected, "{text} in {zone}");
}

#[track_caller]
fn refused(texts: &[&str]) {
    for text in texts {
        let context = Context {
            zone: "UTC",
            spread: 0,
        };
        assert!(Schedule::parse(text, &context).is_err(), "{text}");
    }
}

/// A daily pattern of single minutes and hours, for the daemon.
fn daily(minutes: &[u32], hours: &[u32]) -> Cron {
    let list = |values: &[u32], max| Items {
        items: values.iter().map(|value| Item::Value(*value)).collect(),
        min: 0,
        max,
    };
    let any = |min, max| Items {
        items: vec![Item::Star { step: 1 }],
        min,
        max,
    };
    Cron {
        second: None,
        minute: list(minutes, 59),
        hour: list(hours, 23),
        day: any(1, 31),
        month: any(1, 12),
        weekday: any(0, 6),
        plus: false,
    }
}

/// What the daemon starts: instants, and how often each.
fn daemon(
    cron: &Cron,
    zone: &str,
    notices: Notices,
    after: &str,
    until: &str,
) -> Vec<(String, u32)> {
    cronie::starts(
        cron,
        &bundled_zone(zone),
        notices,
        instant(after),
        instant(until),
    )
    .into_iter()
    .map(|(at, count)| (at.to_string(), count))
    .collect()
}

fn seconds_come_first() {
    due(
        "5 4 3 * * *",
        "UTC",
        "2026-01-01T00:00:00Z",
        &["2026-01-01T03:04:05Z"],
    );
    due(
        "0 0 2 1 1 * 2030",
        "UTC",
        "2026-01-01T00:00:00Z",
        &["2030-01-01T02:00:00Z"],
    );
    // A year at the end of six fields is no day of the week.
    refused(&["0 2 1 1 * 2030"]);
}

fn special_days() {
    refused(&["0 0 L-3 * *", "0 0 LW-1 * *"]);
    due(
        "0 0 31W 4-5 *",
        "UTC",
        "2026-04-01T00:00:00Z",
        &["2026-05-29T00:00:00Z"],
    );
    due(
        "0 0 15W,L * TUE#2,FRIL",
        "UTC",
        "2026-11-01T00:00:00Z",
        &[
            "2026-11-10T00:00:00Z",
            "2026-11-16T00:00:00Z",
            "2026-11-27T00:00:00Z",
            "2026-11-30T00:00:00Z",
        ],
    );
}

fn sunday_is_0_and_7() {
    for text in ["0 0 * * 0", "0 0 * * 7", "0 0 * * SUN"] {
        due(
            text,
            "UTC",
            "2026-11-23T00:00:00Z",
            &["2026-11-29T00:00:00Z"],
        );
    }
    due(
        "0 0 * * SAT-SUN",
        "UTC",
        "2026-11-23T00:00:00Z",
        &["2026-11-28T00:00:00Z", "2026-11-29T00:00:00Z"],
    );
    refused(&["0 0 * * 8"]);
}

fn either_day_unless_one_begins_with_a_star() {
    let after = "2026-11-01T00:00:00Z";
    due(
        "0 0 3 * MON",
        "UTC",
        after,
        &["2026-11-02T00:00:00Z", "2026-11-03T00:00:00Z"],
    );
    due(
        "0 0 */2 * MON",
        "UTC",
        after,
        &["2026-11-09T00:00:00Z", "2026-11-23T00:00:00Z"],
    );
    due(
        "0 0 9 * +MON",
        "UTC",
        after,
        &["2026-11-09T00:00:00Z", "2027-08-09T00:00:00Z"],
    );
}

fn every_day_written_out_is_no_star() {
    let after = "2026-11-01T00:00:00Z";
    due(
        "0 0 1-31 * MON",
        "UTC",
        after,
        &["2026-11-02T00:00:00Z", "2026-11-03T00:00:00Z"],
    );
    due(
        "0 0 13 * 0-6",
        "UTC",
        after,
        &["2026-11-02T00:00:00Z", "2026-11-03T00:00:00Z"],
    );
}

fn ranges_do_not_wrap() {
    refused(&["0 22-2 * * *", "0 0 * * FRI-MON", "0 0 * NOV-FEB *"]);
    // A range from a value to itself is that value.
    due(
        "0 5-5 * * *",
        "UTC",
        "2026-11-01T00:00:00Z",
        &["2026-11-01T05:00:00Z", "2026-11-02T05:00:00Z"],
    );
}

const SPRING: [&str; 2] = ["2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"];

fn a_time_in_a_gap_runs_at_its_end() {
    let zone = "America/New_York";
    due(
        "30 2 * * *",
        zone,
        SPRING[0],
        &["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"],
    );
    let started = daemon(
        &daily(&[30], &[2]),
        zone,
        Notices::SummerTime,
        SPRING[0],
        SPRING[1],
    );
    assert_eq!(started, [("2026-03-08T07:00:00Z".to_owned(), 1)]);
}

fn several_times_in_a_gap_are_one_run() {
    let zone = "America/New_York";
    due(
        "5,20,35 2 * * *",
        zone,
        SPRING[0],
        &["2026-03-08T07:00:00Z", "2026-03-09T06:05:00Z"],
    );
    let started = daemon(
        &daily(&[5, 20, 35], &[2]),
        zone,
        Notices::SummerTime,
        SPRING[0],
        SPRING[1],
    );
    assert_eq!(started, [("2026-03-08T07:00:00Z".to_owned(), 3)]);
}

fn an_interval_skips_a_gap() {
    due(
        "*/30 2 * * *",
        "America/New_York",
        SPRING[0],
        &["2026-03-09T06:00:00Z", "2026-03-09T06:30:00Z"],
    );
}

fn a_time_of_day_runs_once() {
    let (zone, after, until) = (
        "America/New_York",
        "2026-11-01T04:00:00Z",
        "2026-11-02T05:00:00Z",
    );
    due(
        "30 1 * * *",
        zone,
        after,
        &["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"],
    );
    let started = daemon(&daily(&[30], &[1]), zone, Notices::SummerTime, after, until);
    assert_eq!(started, [("2026-11-01T05:30:00Z".to_owned(), 1)]);
}

/// Samoa had no 30 December 2011.
fn a_day_left_out_is_a_gap() {
    let (zone, after, until) = (
        "Pacific/Apia",
        "2011-12-30T06:00:00Z",
        "2011-12-31T06:00:00Z",
    );
    due(
        "30 14 30 12 *",
        zone,
        after,
        &["2011-12-30T10:00:00Z", "2012-12-30T00:30:00Z"],
    );
    let day = Items {
        items: vec![Item::Value(30)],
        min: 1,
        max: 31,
    };
    let month = Items {
        items: vec![Item::Value(12)],
        min: 1,
        max: 12,
    };
    let cron = Cron {
        day,
        month,
        ..daily(&[30], &[14])
    };
    assert!(daemon(&cron, zone, Notices::Everything, after, until).is_empty());
}

/// Venezuela moved by half an hour at 02:30 on 1 May 2016, and has no summer time.
fn every_change_of_a_zone_counts() {
    let (zone, after, until) = (
        "America/Caracas",
        "2016-05-01T05:00:00Z",
        "2016-05-02T04:00:00Z",
    );
    due(
        "45 2 * * *",
        zone,
        after,
        &["2016-05-01T07:00:00Z", "2016-05-02T06:45:00Z"],
    );
    due("0 9 * * *", zone, after, &["2016-05-01T13:00:00Z"]);
    let nine = daily(&[0], &[9]);
    let started = |notices| daemon(&nine, zone, notices, after, until);
    assert_eq!(
        started(Notices::SummerTime),
        [("2016-05-01T13:30:00Z".to_owned(), 1)]
    );
    assert_eq!(
        started(Notices::Everything),
        [("2016-05-01T13:00:00Z".to_owned(), 1)]
    );
}

fn an_hour_that_comes_twice_runs_twice() {
    due(
        "@hourly",
        "America/New_York",
        "2026-11-01T04:30:00Z",
        &[
            "2026-11-01T05:00:00Z",
            "2026-11-01T06:00:00Z",
            "2026-11-01T07:00:00Z",
        ],
    );
}

fn intervals_do_not_depend_on_a_start() {
    for after in ["2026-11-01T00:00:01Z", "2026-11-01T02:59:59Z"] {
        due("@every 5h", "UTC", after, &["2026-11-01T03:00:00Z"]);
    }
}

fn reboot_is_no_time() {
    assert_eq!(schedule("@reboot", "UTC").next_after(Timestamp::MIN), None);
}
