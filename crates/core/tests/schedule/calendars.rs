//! Schedules that follow a calendar: a year by hand, and laws against days that are looked at one by one.

use std::collections::BTreeSet;
use std::sync::Arc;

use cronfleet_core::calendar::{Calendar, CalendarMode, CalendarRule, Weekdays, preset};
use cronfleet_core::schedule::{LeftOut, Schedule, Warning};
use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};

use crate::{bundled_zone, instant, schedule};

const MODES: [CalendarMode; 4] = [
    CalendarMode::Include,
    CalendarMode::Exclude,
    CalendarMode::ShiftNext,
    CalendarMode::ShiftPrevious,
];

fn on(text: &str, zone: &str, calendar: &str, mode: CalendarMode) -> Schedule {
    let calendar = preset(calendar).unwrap();
    schedule(text, zone).with_calendar(Some(CalendarRule { calendar, mode }))
}

/// The working days of mainland China, month by month, worked out from the notices of the State Council's General Office on the
/// holidays of 2025 and of 2026. Either year has 248: 365 days without 104 of weekends and 13 public holidays.
const WORKING_DAYS: [(&str, &str); 24] = [
    ("2025-01", "2-3 6-10 13-17 20-24 26-27"),
    ("2025-02", "5-8 10-14 17-21 24-28"),
    ("2025-03", "3-7 10-14 17-21 24-28 31"),
    ("2025-04", "1-3 7-11 14-18 21-25 27-30"),
    ("2025-05", "6-9 12-16 19-23 26-30"),
    ("2025-06", "3-6 9-13 16-20 23-27 30"),
    ("2025-07", "1-4 7-11 14-18 21-25 28-31"),
    ("2025-08", "1 4-8 11-15 18-22 25-29"),
    ("2025-09", "1-5 8-12 15-19 22-26 28-30"),
    ("2025-10", "9-11 13-17 20-24 27-31"),
    ("2025-11", "3-7 10-14 17-21 24-28"),
    ("2025-12", "1-5 8-12 15-19 22-26 29-31"),
    ("2026-01", "4-9 12-16 19-23 26-30"),
    ("2026-02", "2-6 9-14 24-28"),
    ("2026-03", "2-6 9-13 16-20 23-27 30-31"),
    ("2026-04", "1-3 7-10 13-17 20-24 27-30"),
    ("2026-05", "6-9 11-15 18-22 25-29"),
    ("2026-06", "1-5 8-12 15-18 22-26 29-30"),
    ("2026-07", "1-3 6-10 13-17 20-24 27-31"),
    ("2026-08", "3-7 10-14 17-21 24-28 31"),
    ("2026-09", "1-4 7-11 14-18 20-24 28-30"),
    ("2026-10", "8-10 12-16 19-23 26-30"),
    ("2026-11", "2-6 9-13 16-20 23-27 30"),
    ("2026-12", "1-4 7-11 14-18 21-25 28-31"),
];

fn working_days(year: &str) -> Vec<Date> {
    let mut days = Vec::new();
    for (month, ranges) in WORKING_DAYS {
        if !month.starts_with(year) {
            continue;
        }
        for range in ranges.split(' ') {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last): (i8, i8) = (first.parse().unwrap(), last.parse().unwrap());
            let month: Date = format!("{month}-01").parse().unwrap();
            days.extend((first..=last).map(|day| month.with().day(day).build().unwrap()));
        }
    }
    days
}

/// Local dates of what is due from one instant until another.
fn dates(schedule: &Schedule, after: &str, until: &str) -> Vec<Date> {
    let zone = bundled_zone(schedule.zone_name());
    schedule
        .between(instant(after), instant(until), 10_000)
        .into_iter()
        .map(|due| zone.to_datetime(due).date())
        .collect()
}

#[test]
fn two_years_of_working_days_in_shanghai() {
    for (year, after, until) in [
        ("2025", "2024-12-31T16:00:00Z", "2025-12-31T16:00:00Z"),
        ("2026", "2025-12-31T16:00:00Z", "2026-12-31T16:00:00Z"),
    ] {
        let expected = working_days(year);
        assert_eq!(expected.len(), 248);
        let working = on(
            "0 9 * * *",
            "Asia/Shanghai",
            "cn-workdays",
            CalendarMode::Include,
        );
        assert_eq!(dates(&working, after, until), expected);
        let due = working.between(instant(after), instant(until), 1_000);
        assert!(
            due.iter()
                .all(|due| due.to_string().ends_with("T01:00:00Z"))
        );
        // Shifting a job that runs on each working day anyway adds nothing.
        for mode in [CalendarMode::ShiftNext, CalendarMode::ShiftPrevious] {
            let shifted = on("0 9 * * *", "Asia/Shanghai", "cn-workdays", mode);
            assert_eq!(shifted.between(instant(after), instant(until), 1_000), due);
        }
        let free = on(
            "0 9 * * *",
            "Asia/Shanghai",
            "cn-workdays",
            CalendarMode::Exclude,
        );
        let free = dates(&free, after, until);
        assert_eq!(free.len(), 365 - 248);
        assert!(free.iter().all(|date| !expected.contains(date)));
    }
}

#[test]
fn the_first_of_each_month_shifted_to_a_working_day() {
    let shifted = |mode| {
        let schedule = on("0 9 1 * *", "Asia/Shanghai", "cn-workdays", mode);
        dates(&schedule, "2025-12-31T15:59:59Z", "2026-12-31T16:00:00Z")
    };
    let day = |month, day| date(2026, month, day);
    assert_eq!(
        shifted(CalendarMode::ShiftNext),
        [
            day(1, 4),
            day(2, 2),
            day(3, 2),
            day(4, 1),
            day(5, 6),
            day(6, 1),
            day(7, 1),
            day(8, 3),
            day(9, 1),
            day(10, 8),
            day(11, 2),
            day(12, 1),
        ]
    );
    // 2026-01-01 came to 2025-12-31, and 2027-01-01 is a Friday behind what is known.
    assert_eq!(
        shifted(CalendarMode::ShiftPrevious),
        [
            day(1, 30),
            day(2, 28),
            day(4, 1),
            day(4, 30),
            day(6, 1),
            day(7, 1),
            day(7, 31),
            day(9, 1),
            day(9, 30),
            day(10, 30),
            day(12, 1),
        ]
    );
}

#[test]
fn what_a_calendar_leaves_out_can_be_told() {
    let working = on(
        "0 9,18 * * *",
        "Asia/Shanghai",
        "cn-workdays",
        CalendarMode::Include,
    );
    let left_out = working.left_out(
        instant("2026-09-18T16:00:00Z"),
        instant("2026-10-03T01:00:00Z"),
    );
    let stretch = |first: &str, last: &str, count| LeftOut {
        first: instant(first),
        last: instant(last),
        count,
    };
    assert_eq!(
        left_out,
        [
            stretch("2026-09-19T01:00:00Z", "2026-09-19T10:00:00Z", 2),
            stretch("2026-09-25T01:00:00Z", "2026-09-27T10:00:00Z", 6),
            stretch("2026-10-01T01:00:00Z", "2026-10-03T01:00:00Z", 5),
        ]
    );
    let daily = schedule("0 9 * * *", "Asia/Shanghai");
    assert_eq!(daily.left_out(Timestamp::MIN, Timestamp::MAX), []);
}

#[test]
fn a_calendar_warns_a_year_before_its_dates_end() {
    let warning = |calendar: &str, from: &str| {
        on(
            "0 9 * * *",
            "Asia/Shanghai",
            calendar,
            CalendarMode::Include,
        )
        .calendar_ends(instant(from))
    };
    let until = date(2026, 12, 31);
    assert_eq!(warning("cn-workdays", "2025-12-31T00:00:00Z"), None);
    assert_eq!(
        warning("cn-workdays", "2026-01-01T00:00:00Z"),
        Some(Warning::CalendarEnds { until })
    );
    assert_eq!(warning("weekdays", "2026-01-01T00:00:00Z"), None);
    // After it the days of the week decide.
    let working = on(
        "0 9 * * *",
        "Asia/Shanghai",
        "cn-workdays",
        CalendarMode::Include,
    );
    assert_eq!(
        dates(&working, "2026-12-31T16:00:00Z", "2027-01-05T16:00:00Z"),
        [date(2027, 1, 1), date(2027, 1, 4), date(2027, 1, 5)]
    );
}

#[test]
fn what_a_calendar_never_lets_through_is_never_due() {
    for text in ["0 9 * * SAT", "* * * * SUN"] {
        let never = on(text, "UTC", "weekdays", CalendarMode::Include);
        assert_eq!(never.next_after(instant("2026-01-01T00:00:00Z")), None);
        assert_eq!(never.prev_before(instant("2026-01-01T00:00:00Z")), None);
    }
    let empty = Calendar {
        weekdays: cronfleet_core::calendar::Weekdays::default(),
        ..Calendar::clone(&preset("weekdays").unwrap())
    };
    let calendar = Arc::new(empty);
    for mode in [
        CalendarMode::Include,
        CalendarMode::ShiftNext,
        CalendarMode::ShiftPrevious,
    ] {
        let calendar = Arc::clone(&calendar);
        let never = schedule("@hourly", "UTC").with_calendar(Some(CalendarRule { calendar, mode }));
        assert_eq!(never.next_after(instant("2026-01-01T00:00:00Z")), None);
        assert_eq!(never.count_between(Timestamp::MIN, Timestamp::MAX, 9), 0);
    }
}

#[test]
fn what_is_too_dense_cannot_be_shifted() {
    for (text, is_too_dense) in [
        ("0 * * * *", false),
        ("*/59 * * * *", true),
        ("0 9 * * *", false),
        ("@every 1h", false),
        ("@every 59m", true),
        ("@at 2026-01-01T00:00:00", false),
    ] {
        assert_eq!(
            schedule(text, "UTC").is_too_dense_to_shift(),
            is_too_dense,
            "{text}"
        );
    }
}

/// What is due in a window, day by day: the schedule without a calendar, and where each of its instants goes.
fn expected(
    plain: &Schedule,
    rule: &CalendarRule,
    after: Timestamp,
    until: Timestamp,
) -> Vec<Timestamp> {
    const MARGIN: SignedDuration = SignedDuration::from_hours(24 * 20);
    let zone = bundled_zone(plain.zone_name());
    let mut due = Vec::new();
    for raw in plain.between(after - MARGIN, until + MARGIN, 100_000) {
        let local = zone.to_datetime(raw);
        let mut day = local.date();
        match rule.mode {
            CalendarMode::Include | CalendarMode::Exclude => {
                let is_wanted = rule.mode == CalendarMode::Include;
                if rule.calendar.contains(day) == is_wanted {
                    due.push(raw);
                }
                continue;
            }
            CalendarMode::ShiftNext => {
                while !rule.calendar.contains(day) {
                    day = day.tomorrow().unwrap();
                }
            }
            CalendarMode::ShiftPrevious => {
                while !rule.calendar.contains(day) {
                    day = day.yesterday().unwrap();
                }
            }
        }
        due.push(if day == local.date() {
            raw
        } else {
            zone.to_timestamp(day.to_datetime(local.time())).unwrap()
        });
    }
    due.retain(|due| after < *due && *due <= until);
    due.sort_unstable();
    due.dedup();
    due
}

#[test]
fn a_calendar_does_to_a_schedule_what_looking_at_each_day_does() {
    let texts = [
        "0 9 * * *",
        "30 6,21 * * *",
        "15 4 1 * *",
        "0 0 * * SAT,SUN",
        "0 12 */3 * *",
        "@every 7h",
        "59 59 23 L * *",
    ];
    let zones = ["UTC", "Asia/Shanghai", "America/New_York", "Pacific/Apia"];
    let (after, until) = (
        instant("2026-01-20T03:30:00Z"),
        instant("2026-11-20T17:00:00Z"),
    );
    for text in texts {
        for zone in zones {
            for calendar in ["weekdays", "cn-workdays"] {
                for mode in MODES {
                    let plain = schedule(text, zone);
                    let calendar = preset(calendar).unwrap();
                    let rule = CalendarRule { calendar, mode };
                    let expected = expected(&plain, &rule, after, until);
                    let ruled = plain.clone().with_calendar(Some(rule));
                    let name = format!("{text} in {zone} {mode:?}");
                    assert_eq!(ruled.between(after, until, 100_000), expected, "{name}");
                    assert_eq!(
                        ruled.count_between(after, until, u64::MAX),
                        expected.len() as u64,
                        "{name}"
                    );
                    let mut backwards = Vec::new();
                    let mut at = until + SignedDuration::from_nanos(1);
                    while let Some(due) = ruled.prev_before(at).filter(|due| *due > after) {
                        backwards.push(due);
                        at = due;
                    }
                    backwards.reverse();
                    assert_eq!(backwards, expected, "{name}, backwards");
                    for due in &expected {
                        assert!(ruled.matches(*due), "{name} at {due}");
                    }
                    for raw in plain.between(after, until, 100_000) {
                        assert_eq!(
                            ruled.matches(raw),
                            expected.contains(&raw),
                            "{name} at {raw}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn times_that_clocks_skip_are_shifted_as_they_were_asked_for() {
    // Clocks go from 02:00 to 03:00 on Sunday, 2026-03-08.
    let due = |text: &str| {
        let shifted = on(
            text,
            "America/New_York",
            "weekdays",
            CalendarMode::ShiftNext,
        );
        shifted.between(
            instant("2026-03-07T00:00:00Z"),
            instant("2026-03-10T04:00:00Z"),
            10,
        )
    };
    assert_eq!(due("30 2 * * *"), [instant("2026-03-09T06:30:00Z")]);
    assert_eq!(
        due("0,30 2,3 8 * *"),
        [
            instant("2026-03-09T06:00:00Z"),
            instant("2026-03-09T06:30:00Z"),
            instant("2026-03-09T07:00:00Z"),
            instant("2026-03-09T07:30:00Z"),
        ]
    );
}

#[test]
fn changes_of_clocks_on_days_that_are_left_out_make_no_difference() {
    let year = (
        instant("2026-01-01T00:00:00Z"),
        instant("2027-01-01T00:00:00Z"),
    );
    for (mode, count) in [
        (CalendarMode::Include, 0),
        (CalendarMode::ShiftNext, 0),
        (CalendarMode::Exclude, 2),
    ] {
        let nightly = on("30 1,2 * * *", "America/New_York", "weekdays", mode);
        assert_eq!(nightly.clock_changes(year.0, year.1).len(), count);
        let tells_of_clocks = nightly
            .warnings()
            .iter()
            .any(|warning| matches!(warning, Warning::GapMoves | Warning::OverlapRunsOnce));
        assert_eq!(tells_of_clocks, count > 0, "{mode:?}");
    }
}

#[test]
fn every_second_of_working_days_is_counted_without_looking_at_each() {
    let working = on(
        "* * * * * *",
        "Asia/Shanghai",
        "cn-workdays",
        CalendarMode::Include,
    );
    let year = (
        instant("2025-12-31T15:59:59Z"),
        instant("2026-12-31T15:59:59Z"),
    );
    assert_eq!(
        working.count_between(year.0, year.1, u64::MAX),
        248 * 86_400
    );
    let (next, steps) = working.next_after_counted(instant("2026-10-01T00:00:00Z"));
    assert_eq!(next, Some(instant("2026-10-07T16:00:00Z")));
    assert!(steps < 100, "{steps}");
}

/// Nothing but days that are named, years apart.
#[test]
fn a_calendar_of_few_days_is_followed_over_years() {
    let days = ["2026-03-03", "2031-03-03"];
    let calendar = Arc::new(Calendar {
        name: "few".into(),
        weekdays: Weekdays::default(),
        added: days.iter().map(|day| day.parse().unwrap()).collect(),
        removed: BTreeSet::new(),
        known_from: None,
        known_until: None,
    });
    let on = |text: &str, mode| {
        let calendar = Arc::clone(&calendar);
        schedule(text, "UTC").with_calendar(Some(CalendarRule { calendar, mode }))
    };
    let daily = on("0 9 * * *", CalendarMode::Include);
    let due = ["2026-03-03T09:00:00Z", "2031-03-03T09:00:00Z"].map(instant);
    let all = (
        instant("2020-01-01T00:00:00Z"),
        instant("2100-01-01T00:00:00Z"),
    );
    assert_eq!(daily.between(all.0, all.1, 10), due);
    assert_eq!(daily.next_after(due[0]), Some(due[1]));
    assert_eq!(daily.next_after(due[1]), None);
    assert_eq!(daily.prev_before(due[1]), Some(due[0]));
    assert_eq!(daily.prev_before(due[0]), None);
    // What falls on the days between them is due on the next one, or the one before.
    let next = on("0 9 10 3 *", CalendarMode::ShiftNext);
    assert_eq!(next.next_after(due[0]), Some(due[1]));
    assert_eq!(next.next_after(due[1]), None);
    let previous = on("0 9 10 3 *", CalendarMode::ShiftPrevious);
    assert_eq!(previous.between(all.0, all.1, 10), due);
}
