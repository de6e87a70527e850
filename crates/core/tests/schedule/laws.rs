//! Laws that hold for every schedule, and equality with the brute-force oracle.

use cronfleet_core::schedule::{Context, ErrorCode, Language, Schedule, time_zone_names};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::oracle::{due_instants, times_a_day};
use crate::random::{Cron, Start, ZONES, cron, start};
use crate::{bundled_zone, schedule};

/// More answers than this are not compared in one case.
const COMPARED_MAX: usize = 150;

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// An instant to start from, and one so long after it that there is a fair number of runs in between.
fn window(cron: &Cron, zone: &str, start: Start) -> (Timestamp, Timestamp) {
    let hours = match times_a_day(cron) {
        0..3 => 24 * 200,
        3..20 => 24 * 30,
        20..400 => 24 * 3,
        400..2_000 => 24,
        2_000..20_000 => 3,
        _ => 1,
    };
    let from = start.instant(zone, hours * 60);
    (from, from + SignedDuration::from_hours(hours))
}

fn parse(cron: &Cron, zone: &str) -> Option<Schedule> {
    match Schedule::parse(&cron.to_string(), &Context { zone, spread: 0 }) {
        Ok(schedule) => Some(schedule),
        Err(error) => {
            assert_eq!(error.code, ErrorCode::Never, "{cron}: {error}");
            None
        }
    }
}

/// Everything that must hold for a pattern in a zone from some instant on.
fn check_laws(cron: &Cron, zone: &str, start: Start) -> Result<(), TestCaseError> {
    let (from, until) = window(cron, zone, start);
    let expected = due_instants(cron, &bundled_zone(zone), from, until);
    let Some(schedule) = parse(cron, zone) else {
        prop_assert!(
            expected.is_empty(),
            "{cron} in {zone} was refused and yet runs at {expected:?}"
        );
        return Ok(());
    };
    let all = schedule.between(from, until, usize::MAX);
    prop_assert_eq!(&all, &expected, "{} in {} from {}", cron, zone, from);
    prop_assert_eq!(
        schedule.count_between(from, until, u64::MAX),
        expected.len() as u64
    );
    prop_assert_eq!(
        schedule.count_between(from, until, 3),
        expected.len().min(3) as u64
    );
    prop_assert_eq!(
        &schedule.between(from, until, 3)[..],
        &expected[..expected.len().min(3)]
    );
    check_neighbours(&schedule, &expected, until)
}

fn check_neighbours(
    schedule: &Schedule,
    due: &[Timestamp],
    until: Timestamp,
) -> Result<(), TestCaseError> {
    let mut back = until + SignedDuration::from_nanos(1);
    for at in due.iter().rev().take(COMPARED_MAX) {
        prop_assert_eq!(schedule.prev_before(back), Some(*at), "before {}", back);
        prop_assert!(schedule.matches(*at), "{}", at);
        back = *at;
    }
    for pair in due.windows(2).take(COMPARED_MAX) {
        prop_assert!(pair[0] < pair[1]);
        prop_assert_eq!(schedule.next_after(pair[0]), Some(pair[1]));
        let between = pair[0] + SignedDuration::from_nanos(1);
        prop_assert_eq!(schedule.next_after(between), Some(pair[1]));
        prop_assert_eq!(schedule.prev_before(between), Some(pair[0]));
        let second_later = pair[0] + SignedDuration::from_secs(1);
        prop_assert_eq!(schedule.matches(second_later), second_later == pair[1]);
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(3_000))]

    #[test]
    fn patterns_equal_the_oracle(cron in cron(), zone in proptest::sample::select(ZONES), start in start()) {
        check_laws(&cron, zone, start)?;
    }

    #[test]
    fn next_and_prev_are_each_other_s_inverse(cron in cron(), zone in proptest::sample::select(ZONES), start in start()) {
        let Some(schedule) = parse(&cron, zone) else { return Ok(()) };
        let t = start.instant(zone, 36 * 60);
        if let Some(next) = schedule.next_after(t) {
            prop_assert!(next > t);
            prop_assert!(schedule.matches(next));
            prop_assert!(schedule.prev_before(next).is_none_or(|prev| prev <= t));
        }
        if let Some(prev) = schedule.prev_before(t) {
            prop_assert!(prev < t);
            prop_assert!(schedule.matches(prev));
            prop_assert!(schedule.next_after(prev).is_none_or(|next| next >= t));
        }
    }

    #[test]
    fn the_canonical_text_means_the_same(cron in cron(), spread in any::<u128>()) {
        let Some(first) = parse(&cron, "Europe/London") else { return Ok(()) };
        let canonical = first.canonical();
        let again = Schedule::parse(&canonical, &Context { zone: "Europe/London", spread });
        prop_assert_eq!(again.as_ref(), Ok(&first), "{} became {}", cron, canonical);
        prop_assert_eq!(again.unwrap().canonical(), canonical);
    }
}

proptest! {
    #![proptest_config(config(600))]

    #[test]
    fn every_zone_of_the_world_equals_the_oracle(
        cron in cron(), zone in proptest::sample::select(time_zone_names()), start in start()
    ) {
        check_laws(&cron, &zone, start)?;
    }

    #[test]
    fn one_sentence_means_one_schedule(one in cron(), other in cron(), which in 0..6_u8) {
        let mut near = one.clone();
        match which {
            0 => near.second = other.second,
            1 => near.minute = other.minute,
            2 => near.hour = other.hour,
            3 => near.day = other.day,
            4 => near.month = other.month,
            _ => near.weekday = other.weekday,
        }
        let (Some(one), Some(near)) = (parse(&one, "UTC"), parse(&near, "UTC")) else { return Ok(()) };
        for language in [Language::En, Language::ZhHans] {
            if one.describe(language) == near.describe(language) {
                let from = Timestamp::from_second(1_767_225_600).unwrap();
                let until = from + SignedDuration::from_hours(24 * 365 * 5);
                prop_assert_eq!(one.between(from, until, 500), near.between(from, until, 500), "{}", one.describe(language));
                prop_assert_eq!(one.count_between(from, until, u64::MAX), near.count_between(from, until, u64::MAX));
            }
        }
    }

    #[test]
    fn spread_fields_stay_in_range_and_read_back(spread in any::<u128>(), low in 0..59_u32, span in 1..60_u32, step in 1..60_u32) {
        let (high, step) = ((low + span).min(59), step.min(59));
        for text in [format!("H({low}-{high})/{step} H H H H"), "H/7 H(3-19)/5 H H * *".to_owned(), "H H H * * H".to_owned()] {
            let schedule = Schedule::parse(&text, &Context { zone: "UTC", spread }).unwrap();
            prop_assert!(!schedule.canonical().contains('H'));
            let again = Schedule::parse(&schedule.canonical(), &Context { zone: "UTC", spread: 0 });
            prop_assert_eq!(again, Ok(schedule));
        }
        let bounded = Schedule::parse(&format!("H({low}-{high}) * * * *"), &Context { zone: "UTC", spread }).unwrap();
        let minute: u32 = bounded.canonical().split(' ').next().unwrap().parse().unwrap();
        prop_assert!((low..=high).contains(&minute));
    }
}

#[test]
fn counting_and_walking_agree_over_a_year_of_every_kind_of_zone() {
    let from = Timestamp::from_second(1_767_225_600).unwrap();
    let until = from + SignedDuration::from_hours(24 * 366);
    for zone in ZONES {
        for text in [
            "*/10 * * * *",
            "30 0-3 * * *",
            "0 0,12 1,15 * 2",
            "15,45 1-2 * * SUN",
            "0 */2 L * *",
        ] {
            let schedule = schedule(text, zone);
            let walked = schedule.between(from, until, usize::MAX).len() as u64;
            assert_eq!(
                schedule.count_between(from, until, u64::MAX),
                walked,
                "{text} in {zone}"
            );
        }
    }
}
