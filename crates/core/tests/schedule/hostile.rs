//! Input from people and programs who mean no good: no panic, no endless search, no wrong column.

use cronfleet_core::schedule::{Context, Language, Schedule, TEXT_LEN_MAX};
use jiff::Timestamp;
use proptest::prelude::*;

use crate::{instant, schedule};

/// Segments and months that one search may look at, whatever the text and the zone. Its time follows from this: a
/// step takes some 10 ns.
pub(crate) const STEPS_MAX: u32 = 1_000;

/// Checks that a text is either refused at a place inside it, or a schedule that answers in bounded steps.
fn survive(text: &str, zone: &str) {
    match Schedule::parse(text, &Context { zone, spread: 7 }) {
        Err(error) => {
            let columns = text.chars().count() + 1;
            assert!(
                (1..=columns).contains(&error.column),
                "{text:?}: column {} of {columns}",
                error.column
            );
            assert!(
                !error.message.is_empty() && !error.hint.is_empty(),
                "{text:?}"
            );
            assert!(!error.message.ends_with('.'), "{text:?}: {}", error.message);
            assert!(
                error.column != columns || error.found.is_empty(),
                "{text:?}: {error:?}"
            );
        }
        Ok(schedule) => {
            for t in [
                Timestamp::MIN,
                instant("2026-11-22T00:00:00Z"),
                instant("2199-12-31T00:00:00Z"),
                Timestamp::MAX,
            ] {
                let (next, steps) = schedule.next_after_counted(t);
                assert!(steps <= STEPS_MAX, "{text:?}: {steps} steps after {t}");
                assert!(
                    next.is_none_or(|next| next > t),
                    "{text:?}: {next:?} after {t}"
                );
                assert!(
                    schedule.prev_before(t).is_none_or(|prev| prev < t),
                    "{text:?}"
                );
            }
            let again = Schedule::parse(
                &schedule.canonical(),
                &Context {
                    zone: schedule.zone_name(),
                    spread: 0,
                },
            );
            assert_eq!(again.as_ref(), Ok(&schedule), "{text:?}");
            assert!(
                !schedule.describe(Language::En).is_empty()
                    && !schedule.describe(Language::ZhHans).is_empty()
            );
            schedule.warnings();
        }
    }
}

/// Fragments of schedules, right and wrong ones.
pub(crate) const FRAGMENTS: &[&str] = &[
    "*",
    "*/2",
    "*/0",
    "0",
    "1",
    "5",
    "7",
    "29",
    "30",
    "31",
    "59",
    "60",
    "99999999999",
    "-1",
    "1-5",
    "5-1",
    "1-5/2",
    "1-",
    "-",
    "/",
    ",",
    ",,",
    "L",
    "LW",
    "L-3",
    "W",
    "15W",
    "31W",
    "1#2",
    "1#6",
    "5L",
    "5#L",
    "FRI",
    "FRIL",
    "MON-FRI",
    "SAT-SUN",
    "JAN",
    "FEB",
    "?",
    "+1",
    "+",
    "H",
    "H(1-5)",
    "H/3",
    "H(",
    "H(5-1)",
    "H()",
    "@daily",
    "@every",
    "1h",
    "100ms",
    "1ms",
    "@at",
    "2026-12-01T02:30:00",
    "2026-02-30T00:00",
    "+08:00",
    "@reboot",
    "CRON_TZ=UTC",
    "TZ=",
    "CRON_TZ=Asia/Shanghai",
    "TZ=Mars/Base",
    "=",
    "２",
    "，",
    "\u{1f980}",
    "\u{0}",
    "\t",
    "\n",
    "2026",
    "1970",
    "2199",
    "2200",
    "2024-2030",
    "1970-2199/4",
    "%",
    "\"",
    "\\",
    "#",
    "(",
    ")",
    "é",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_characters(text in "\\PC{0,40}") {
        survive(&text, "Europe/London");
    }

    #[test]
    fn characters_of_cron(text in "[0-9*/,LW#?HhSUNmonfeb+@ ()-]{0,30}") {
        survive(&text, "America/New_York");
    }

    #[test]
    fn fields_of_cron_characters(fields in proptest::collection::vec("[0-9*][0-9/,LW#H-]{0,4}", 4..9)) {
        survive(&fields.join(" "), "Australia/Lord_Howe");
    }

    #[test]
    fn fragments_in_any_order(parts in proptest::collection::vec((proptest::sample::select(FRAGMENTS), proptest::sample::select(&["", " ", " ", " ", ","][..])), 1..9)) {
        let text: String = parts.into_iter().flat_map(|(fragment, separator)| [fragment, separator]).collect();
        survive(&text, "Antarctica/Troll");
    }

    #[test]
    fn good_schedules_with_one_character_changed(
        text in proptest::sample::select(&[
            "*/5 9-17 * * MON-FRI", "0 30 2 L * ? 2026-2030", "H H(0-7) * * *", "@every 1h30m", "@at 2026-12-01T02:30:00+08:00",
            "CRON_TZ=Asia/Shanghai 0 0 15W,LW * 1#2,5L", "0 0 13 * +FRI", "@daily",
        ][..]),
        place in any::<prop::sample::Index>(),
        character in "\\PC",
        how in 0..3_u8,
    ) {
        let mut characters: Vec<char> = text.chars().collect();
        let place = place.index(characters.len());
        let new: Vec<char> = character.chars().collect();
        match how {
            0 => { characters.splice(place..=place, new); }
            1 => { characters.splice(place..place, new); }
            _ => { characters.remove(place); }
        }
        survive(&characters.into_iter().collect::<String>(), "UTC");
    }
}

proptest! {
    // A name that is no zone is compared with all names that are, so this takes longer.
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn zones_from_outside(zone in "\\PC{0,20}") {
        survive("* * * * *", &zone);
    }
}

#[test]
fn a_text_may_have_256_characters_and_no_more() {
    let list = |len: usize| {
        let text = format!("{} * * * *", vec!["10"; 100].join(","));
        let mut text = text[text.len().saturating_sub(len)..].to_owned();
        text.replace_range(..1, "0");
        text
    };
    assert!(
        Schedule::parse(
            &list(TEXT_LEN_MAX),
            &Context {
                zone: "UTC",
                spread: 0
            }
        )
        .is_ok()
    );
    let error = Schedule::parse(
        &list(TEXT_LEN_MAX + 1),
        &Context {
            zone: "UTC",
            spread: 0,
        },
    )
    .unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.column),
        ("too_long", TEXT_LEN_MAX + 1)
    );
    survive(&"@".repeat(1_000_000), "UTC");
    survive(&",".repeat(256), "UTC");
    survive(&"\u{1f980}".repeat(256), "UTC");
}

#[test]
fn the_slowest_schedules_take_bounded_steps() {
    for text in [
        "0 0 29 2 +MON",
        "0 0 29 2 +1#5",
        "*/5 2 8-14 3 +SUN",
        "*/5 2 * 3 SUN#2",
        "0 0 0 29 2 +1 1970-2199",
        "0 0 0 29 2 * 2196",
        "0 0 0 31 12 * 2199",
        "* * * * * *",
        "0 0 31W 2,4,6,9,11,12 *",
    ] {
        for zone in [
            "UTC",
            "America/New_York",
            "Africa/Casablanca",
            "Antarctica/Troll",
        ] {
            let Ok(schedule) = Schedule::parse(text, &Context { zone, spread: 0 }) else {
                continue;
            };
            for year in (1970..2200).step_by(7) {
                let t = instant(&format!("{year}-06-01T00:00:00Z"));
                let (_, steps) = schedule.next_after_counted(t);
                assert!(steps <= 1_000, "{text} in {zone} after {t}: {steps} steps");
            }
        }
    }
}

#[test]
fn a_common_schedule_takes_a_handful_of_steps() {
    for (text, most) in [
        ("* * * * * *", 1),
        ("*/5 * * * *", 3),
        ("30 2 * * *", 4),
        ("0 0 1 * *", 6),
        ("0 0 29 2 *", 20),
    ] {
        let mut at = instant("2026-01-01T00:00:00Z");
        for _ in 0..500 {
            let (next, steps) = schedule(text, "America/New_York").next_after_counted(at);
            assert!(steps <= most + 3, "{text} after {at}: {steps} steps");
            let Some(next) = next else { break };
            at = next;
        }
    }
}
