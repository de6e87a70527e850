//! Schedules that are in force for a span of time only.

use cronfleet_core::schedule::{ActiveSpan, Schedule};
use jiff::{SignedDuration, Timestamp};

use crate::{instant, schedule};

const NANOSECOND: SignedDuration = SignedDuration::from_nanos(1);

fn spans() -> Vec<ActiveSpan> {
    let instants = [
        "2026-10-31T23:59:59.999Z",
        "2026-11-01T05:30:00Z",
        "2026-11-01T05:30:00.000000001Z",
        "2026-11-01T07:00:00Z",
        "2026-11-02T00:00:00Z",
    ];
    let mut borders: Vec<Option<Timestamp>> = instants.map(|text| Some(instant(text))).into();
    borders.push(None);
    let mut spans = Vec::new();
    for &from in &borders {
        spans.extend(borders.iter().map(|&until| ActiveSpan { from, until }));
    }
    spans
}

/// The due instants of an unbounded schedule that lie in a span.
fn expected(
    schedule: &Schedule,
    span: ActiveSpan,
    after: Timestamp,
    until: Timestamp,
) -> Vec<Timestamp> {
    let mut due = schedule.between(after, until, 10_000);
    due.retain(|due| span.from.is_none_or(|from| *due >= from));
    due.retain(|due| span.until.is_none_or(|until| *due < until));
    due
}

#[test]
fn a_span_takes_away_what_lies_outside_and_nothing_else() {
    let (after, until) = (
        instant("2026-10-31T12:00:00Z"),
        instant("2026-11-02T12:00:00Z"),
    );
    let texts = [
        "30 1 * * *",
        "*/30 * * * *",
        "@every 90m",
        "@at 2026-11-01T05:30:00Z",
        "0 0 1 1 *",
    ];
    for text in texts {
        let unbounded = schedule(text, "America/New_York");
        for span in spans() {
            let bounded = unbounded.clone().within(span);
            let expected = expected(&unbounded, span, after, until);
            assert_eq!(
                bounded.between(after, until, 10_000),
                expected,
                "{text} {span:?}"
            );
            assert_eq!(
                bounded.count_between(after, until, u64::MAX),
                expected.len() as u64,
                "{text} {span:?}"
            );
            let last = expected.last().copied();
            let previous = bounded.prev_before(until + NANOSECOND);
            assert_eq!(previous.filter(|due| *due > after), last, "{text} {span:?}");
            for due in unbounded.between(after, until, 10_000) {
                assert_eq!(
                    bounded.matches(due),
                    expected.contains(&due),
                    "{text} {span:?} at {due}"
                );
            }
        }
    }
}

#[test]
fn the_first_instant_belongs_to_a_span_and_the_last_does_not() {
    let (from, until) = (
        instant("2026-11-01T00:00:00Z"),
        instant("2026-11-03T00:00:00Z"),
    );
    let span = ActiveSpan {
        from: Some(from),
        until: Some(until),
    };
    let daily = schedule("@daily", "UTC").within(span);
    assert_eq!(
        daily.between(Timestamp::MIN, Timestamp::MAX, 9),
        [from, instant("2026-11-02T00:00:00Z")]
    );
    assert_eq!(daily.next_after(from - NANOSECOND), Some(from));
    assert_eq!(
        daily.prev_before(Timestamp::MAX),
        Some(instant("2026-11-02T00:00:00Z"))
    );
    assert_eq!(daily.prev_before(from), None);
    assert!(span.contains(from) && !span.contains(until) && !span.is_empty());
    assert!(
        ActiveSpan {
            from: Some(until),
            until: Some(until)
        }
        .is_empty()
    );
}

#[test]
fn a_span_hides_changes_of_clocks_outside_of_it() {
    let changes = |from: &str| {
        let span = ActiveSpan {
            from: Some(instant(from)),
            until: None,
        };
        schedule("30 2 * * *", "America/New_York")
            .within(span)
            .clock_changes(
                instant("2026-01-01T00:00:00Z"),
                instant("2027-01-01T00:00:00Z"),
            )
            .len()
    };
    assert_eq!(changes("2026-03-08T07:00:00Z"), 1);
    assert_eq!(changes("2026-03-08T07:00:01Z"), 0);
}
