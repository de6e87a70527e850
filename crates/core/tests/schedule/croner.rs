//! Equality with an independent library on the patterns for which both have the same rules: day fields not both
//! restricted, and times of day that are either an interval or a single value.

use std::str::FromStr;

use croner::Cron as Croner;
use jiff::tz::AmbiguousOffset;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::random::{Cron, Item, Items, Start, cron, start};
use crate::{bundled_zone, schedule};

const ZONES: &[&str] = &[
    "UTC",
    "Asia/Shanghai",
    "America/New_York",
    "Europe/London",
    "Africa/Casablanca",
    "Pacific/Chatham",
];

fn has_same_rules(cron: &Cron, zone: &str) -> bool {
    let one_day_field = cron.day.is_star() || cron.weekday.is_star();
    let time_fields = [cron.second.as_ref(), Some(&cron.minute), Some(&cron.hour)];
    let mut time_fields = time_fields.into_iter().flatten();
    let is_interval = time_fields.clone().any(Items::begins_with_star);
    let is_single = time_fields.all(|field| matches!(field.items.as_slice(), [Item::Value(_)]));
    one_day_field
        && !loses_last_day(cron)
        && !cron.plus
        && (zone == "UTC" || is_interval || is_single)
}

/// The library forgets `L` beside `LW` in one list: `L,LW` has no run on a month's last day that is a Sunday.
fn loses_last_day(cron: &Cron) -> bool {
    let has = |wanted: fn(&Item) -> bool| cron.day.items.iter().any(wanted);
    has(|item| matches!(item, Item::LastDay)) && has(|item| matches!(item, Item::LastWeekday))
}

/// Whether an instant lies in the second pass of an overlap. The library runs a time of day there once more when
/// asked from such an instant, although it ran in the first pass.
fn is_second_pass(zone: &str, at: Timestamp) -> bool {
    let tz = bundled_zone(zone);
    let readings = tz.to_ambiguous_timestamp(tz.to_datetime(at)).offset();
    matches!(readings, AmbiguousOffset::Fold { after, .. } if after == tz.to_offset(at))
}

fn next_few(cron: &Croner, zone: &str, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let mut at = from.to_zoned(bundled_zone(zone));
    let mut found = Vec::new();
    while found.len() < 5 {
        match cron.find_next_occurrence(&at, false) {
            Ok(next) if next.timestamp() <= until => at = next,
            _ => break,
        }
        found.push(at.timestamp());
    }
    found
}

fn check(cron: &Cron, zone: &str, start: Start) -> Result<(), TestCaseError> {
    let Ok(theirs) = Croner::from_str(&cron.to_string()) else {
        return Ok(());
    };
    let from = start.instant(zone, 36 * 60);
    if is_second_pass(zone, from) {
        return Ok(());
    }
    let until = from + SignedDuration::from_hours(24 * 365 * 2);
    let found = next_few(&theirs, zone, from, until);
    if found.is_empty() {
        return Ok(());
    }
    prop_assert_eq!(
        schedule(&cron.to_string(), zone).between(from, until, 5),
        found,
        "{} in {} from {}",
        cron,
        zone,
        from
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn common_rules_give_common_answers(cron in cron(), zone in proptest::sample::select(ZONES), start in start()) {
        prop_assume!(has_same_rules(&cron, zone));
        check(&cron, zone, start)?;
    }
}
