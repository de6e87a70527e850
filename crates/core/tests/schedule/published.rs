//! The examples of `docs/schedules.md` are true.

use cronfleet_core::schedule::{Context, Schedule};
use jiff::{SignedDuration, Timestamp};

use crate::{bundled_zone, schedule};

const RULES: &str = include_str!("../../../../docs/schedules.md");

/// The cells of every table row below a heading, up to the next heading.
pub(crate) fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let below = RULES
        .lines()
        .skip_while(|line| !line.starts_with('#') || !line.ends_with(heading))
        .skip(1);
    let section = below.take_while(|line| !line.starts_with('#'));
    let rows = section.filter(|line| line.starts_with('|') && !line.starts_with("|--"));
    rows.skip(1)
        .map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect()
}

/// The pieces of a cell between backticks.
fn codes(cell: &str) -> Vec<String> {
    let pieces = cell.split('`').skip(1).step_by(2);
    pieces.map(|code| code.replace('…', "* * * * *")).collect()
}

fn parse(text: &str) -> Result<Schedule, String> {
    Schedule::parse(
        text,
        &Context {
            zone: "Asia/Shanghai",
            spread: 1,
        },
    )
    .map_err(|error| error.to_string())
}

#[test]
fn what_is_shown_is_accepted() {
    let shown: Vec<String> = rows("Schedules")
        .iter()
        .flat_map(|row| codes(row[0]))
        .collect();
    assert!(shown.len() >= 9, "{shown:?}");
    for text in shown {
        assert!(parse(&text).is_ok(), "{text}: {:?}", parse(&text));
    }
}

#[test]
fn short_forms_are_the_same_as_their_fields() {
    let table = rows("Short forms");
    assert!(table.len() >= 6);
    for row in table {
        for short in codes(row[0]) {
            assert_eq!(parse(&short), parse(&codes(row[1])[0]), "{short}");
        }
    }
}

#[test]
fn what_is_refused_is_refused_and_its_cure_accepted() {
    let table = rows("What is refused");
    assert!(table.len() >= 12);
    for row in table {
        for text in codes(row[0]) {
            assert!(parse(&text).is_err(), "{text} was accepted");
        }
        for text in row.get(2).into_iter().flat_map(|cell| codes(cell)) {
            assert!(parse(&text).is_ok(), "{text}: {:?}", parse(&text));
        }
    }
}

/// Local times of a day, with the offset where the day has two readings of the time.
fn day_of(text: &str, date: &str) -> Vec<String> {
    let tz = bundled_zone("America/New_York");
    let midnight = tz
        .to_timestamp(format!("{date}T00:00:00").parse().unwrap())
        .unwrap();
    let next = tz
        .to_timestamp(format!("{date}T23:59:59").parse().unwrap())
        .unwrap();
    let before = midnight - SignedDuration::from_nanos(1);
    let show = |at: Timestamp| at.display_with_offset(tz.to_offset(at)).to_string();
    schedule(text, "America/New_York")
        .between(before, next, 100)
        .into_iter()
        .map(show)
        .collect()
}

#[test]
fn the_days_when_clocks_change_are_as_shown() {
    let table = rows("Days when clocks change");
    assert!(table.len() >= 6);
    for row in table {
        let text = &codes(row[0])[0];
        for (date, cell) in ["2026-03-08", "2026-11-01"].into_iter().zip(&row[1..]) {
            let runs = day_of(text, date);
            let shown: Vec<&str> = cell
                .split(", ")
                .map(|time| time.trim_end_matches(" (once)"))
                .collect();
            let is_open = shown.last() == Some(&"…");
            let shown: Vec<&str> = shown.into_iter().filter(|time| *time != "…").collect();
            assert!(
                is_open || runs.len() == shown.len(),
                "{text} on {date}: {runs:?} for {shown:?}"
            );
            for (run, time) in runs.iter().zip(&shown) {
                let (clock, offset) = (&time[..5], &time[5..]);
                let is_shown =
                    run.starts_with(&format!("{date}T{clock}:00")) && run.ends_with(offset);
                assert!(is_shown, "{text} on {date}: {run} for {time}");
            }
        }
    }
}

#[test]
fn the_spread_example_is_right() {
    let job = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
    assert!(
        RULES.contains(
            "`01234567-89ab-cdef-0123-456789abcdef` with `H H * * *` runs as `11 10 * * *`"
        )
    );
    let schedule = Schedule::parse(
        "H H * * *",
        &Context {
            zone: "UTC",
            spread: job,
        },
    )
    .unwrap();
    assert_eq!(schedule.canonical(), "11 10 * * *");
}
