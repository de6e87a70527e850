//! Why: whatever the history of a job, each of its due instants has exactly one answer.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use cronfleet_core::calendar::{CalendarMode, CalendarRule, preset};
use cronfleet_core::schedule::{Context, Schedule};
use cronfleet_core::why::{Answer, History, Pause, Version, neighbours};
use jiff::Timestamp;
use proptest::prelude::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn schedule(text: &str) -> Schedule {
    let context = Context {
        zone: "UTC",
        spread: 7,
    };
    Schedule::parse(text, &context).unwrap()
}

fn second(at: Timestamp) -> i64 {
    at.as_second() - 1_800_000_000
}

#[test]
fn each_kind_of_answer_is_one_stretch() {
    let (ten, twenty) = (schedule("@every 10s"), schedule("@every 20s"));
    let versions = [
        Version {
            number: 1,
            since: at(0),
            schedule: Some(&ten),
        },
        Version {
            number: 2,
            since: at(205),
            schedule: Some(&twenty),
        },
    ];
    let history = History {
        versions: &versions,
        pauses: &[Pause {
            from: at(101),
            until: Some(at(151)),
        }],
        lapses: &[(at(40), at(70))],
        // One of version 1 was sent before the edit, and says nothing about version 2.
        runs: &[(at(30), 1), (at(80), 1), (at(220), 1), (at(240), 2)],
        watermark: at(250),
        deleted_at: None,
    };
    let found: Vec<_> = history
        .stretches(at(0), at(300))
        .iter()
        .map(|stretch| {
            let range = (second(stretch.due_from), second(stretch.due_to));
            (range, stretch.count, stretch.job_version, stretch.answer)
        })
        .collect();
    assert_eq!(
        found,
        [
            ((10, 20), 2, 1, Answer::NotRecorded),
            ((40, 70), 4, 1, Answer::Lapse(0)),
            ((90, 100), 2, 1, Answer::NotRecorded),
            ((110, 150), 5, 1, Answer::Paused),
            ((160, 200), 5, 1, Answer::NotRecorded),
            ((220, 220), 1, 2, Answer::NotRecorded),
            ((260, 300), 3, 2, Answer::NotPlanned),
        ]
    );
    let clipped = history.stretches(at(49), at(60));
    assert_eq!((clipped.len(), clipped[0].count), (1, 2));
    assert_eq!(clipped[0].answer, Answer::Lapse(0));
    let deleted = History {
        deleted_at: Some(at(250)),
        ..history
    };
    assert_eq!(deleted.stretches(at(240), at(300)), []);
    assert_eq!(
        neighbours(&versions, at(215)),
        (Some(at(200)), Some(at(220)))
    );
    assert_eq!(neighbours(&versions, at(-5)), (None, None));
}

#[test]
fn a_year_of_seconds_is_one_stretch() {
    let schedule = schedule("* * * * * *");
    let year = 366 * 86_400;
    let history = History {
        versions: &[Version {
            number: 1,
            since: at(0),
            schedule: Some(&schedule),
        }],
        pauses: &[],
        lapses: &[(at(1), at(year))],
        runs: &[],
        watermark: at(year),
        deleted_at: None,
    };
    let found = history.stretches(at(0), at(year));
    assert_eq!((found.len(), found[0].count), (1, year as u64));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_due_instant_has_exactly_one_answer(
        edits in prop::collection::vec((1..200_i64, 0..4_usize), 1..5),
        pauses in prop::collection::vec((1..200_i64, 1..60_i64), 0..4),
        lapse_steps in prop::collection::vec((1..200_i64, 0..50_i64), 0..4),
        run_picks in prop::collection::vec(any::<bool>(), 400),
        watermark in 0..900_i64,
        from in 0..600_i64,
        length in 0..600_i64,
    ) {
        let kinds = ["@every 7s", "*/5 * * * * *", "@every 11s", "3,50 * * * * *"].map(schedule);
        let mut since = 0;
        let versions: Vec<Version<'_>> = edits.iter().enumerate().map(|(index, (wait, kind))| {
            since += wait;
            Version { number: index as u32 + 1, since: at(since), schedule: Some(&kinds[*kind]) }
        }).collect();
        let mut begin = 0;
        let pauses: Vec<Pause> = pauses.iter().map(|(wait, length)| {
            let from = begin + wait;
            begin = from + length;
            Pause { from: at(from), until: Some(at(begin)) }
        }).collect();
        // Each due instant, its version, and whether the job was paused.
        let mut due = BTreeMap::new();
        for (index, version) in versions.iter().enumerate() {
            let until = versions.get(index + 1).map_or(at(1_300), |next| next.since);
            for instant in version.schedule.unwrap().between(version.since, until, 10_000) {
                let is_paused = pauses.iter().any(|p| p.from < instant && instant <= p.until.unwrap());
                due.insert(instant, (version.number, is_paused));
            }
        }
        let mut end = 0;
        let lapses: Vec<(Timestamp, Timestamp)> = lapse_steps.iter().filter_map(|(wait, length)| {
            let from = end + wait;
            end = from + length;
            let mut within = due.range(at(from)..=at(end)).filter(|(_, (_, is_paused))| !is_paused);
            let first = *within.next()?.0;
            Some((first, within.next_back().map_or(first, |(last, _)| *last)))
        }).collect();
        let runs: Vec<(Timestamp, u32)> = due.iter().zip(run_picks)
            .filter(|((instant, _), is_run)| {
                *is_run && !lapses.iter().any(|(first, last)| first <= instant && *instant <= last)
            })
            .map(|((instant, (version, _)), _)| (*instant, *version))
            .collect();
        let history = History {
            versions: &versions,
            pauses: &pauses,
            lapses: &lapses,
            runs: &runs,
            watermark: at(watermark),
            deleted_at: None,
        };
        let (after, until) = (at(from), at(from + length));
        let mut answers: BTreeMap<Timestamp, Answer> = BTreeMap::new();
        for stretch in history.stretches(after, until) {
            let schedule = versions[stretch.job_version as usize - 1].schedule.unwrap();
            let within = schedule.between(stretch.due_from - Duration::from_micros(1), stretch.due_to, 10_000);
            prop_assert_eq!(within.len() as u64, stretch.count);
            for instant in within {
                prop_assert!(answers.insert(instant, stretch.answer).is_none(), "two answers for {instant}");
                prop_assert_eq!(due.get(&instant).map(|(version, _)| *version), Some(stretch.job_version));
            }
        }
        for (instant, (_, is_paused)) in due.range(at(from)..=until).filter(|(instant, _)| **instant > after) {
            let lapse = lapses.iter().position(|(first, last)| first <= instant && instant <= last);
            let expected = if runs.iter().any(|(run, _)| run == instant) {
                None
            } else if let Some(index) = lapse {
                Some(Answer::Lapse(index))
            } else if *is_paused {
                Some(Answer::Paused)
            } else if *instant <= history.watermark {
                Some(Answer::NotRecorded)
            } else {
                Some(Answer::NotPlanned)
            };
            prop_assert_eq!(answers.remove(instant), expected, "{}", instant);
        }
        prop_assert!(answers.is_empty(), "{answers:?}");
    }
}

#[test]
fn what_a_calendar_leaves_out_is_told_beside_what_is_due() {
    let calendar = preset("weekdays").unwrap();
    let mode = CalendarMode::Include;
    let working = schedule("0 9 * * *").with_calendar(Some(CalendarRule { calendar, mode }));
    let instant = |text: &str| -> Timestamp { text.parse().unwrap() };
    let history = History {
        versions: &[Version {
            number: 4,
            since: instant("2026-11-02T00:00:00Z"),
            schedule: Some(&working),
        }],
        pauses: &[Pause {
            from: instant("2026-11-14T00:00:00Z"),
            until: Some(instant("2026-11-16T00:00:00Z")),
        }],
        lapses: &[],
        runs: &[(instant("2026-11-06T09:00:00Z"), 4)],
        watermark: instant("2026-11-10T12:00:00Z"),
        deleted_at: None,
    };
    let found: Vec<_> = history
        .stretches(
            instant("2026-11-06T00:00:00Z"),
            instant("2026-11-22T00:00:00Z"),
        )
        .iter()
        .map(|stretch| (stretch.due_from.to_string(), stretch.count, stretch.answer))
        .collect();
    // The weekend of the 14th was a pause, in which nothing would have been due on any calendar.
    let expected = [
        ("2026-11-07T09:00:00Z", 2, Answer::Calendar),
        ("2026-11-09T09:00:00Z", 2, Answer::NotRecorded),
        ("2026-11-11T09:00:00Z", 3, Answer::NotPlanned),
        ("2026-11-16T09:00:00Z", 5, Answer::NotPlanned),
        ("2026-11-21T09:00:00Z", 1, Answer::Calendar),
    ];
    let expected = expected.map(|(from, count, answer)| (from.to_owned(), count, answer));
    assert_eq!(found, expected);
}
