//! The rules of cron, computed by brute force: every date of a window, every time of day of the pattern, and the zone
//! asked about each of them.

use std::collections::BTreeSet;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};

use crate::random::{Cron, Item, Items};

/// Every due instant in `(after, until]`.
pub(crate) fn due_instants(
    cron: &Cron,
    zone: &TimeZone,
    after: Timestamp,
    until: Timestamp,
) -> Vec<Timestamp> {
    let times = times_of_day(cron);
    let is_wall_clock = is_wall_clock(cron);
    let mut due = BTreeSet::new();
    let mut date = zone.to_datetime(after).date() - 2.days();
    let last = zone.to_datetime(until).date() + 2.days();
    while date <= last {
        if is_asked_for(cron, date) {
            for time in &times {
                due.extend(instants_of(date, *time, zone, is_wall_clock));
            }
        }
        date = date.tomorrow().unwrap();
    }
    due.into_iter()
        .filter(|at| *at > after && *at <= until)
        .collect()
}

/// How many times of day the pattern has.
pub(crate) fn times_a_day(cron: &Cron) -> usize {
    let count = |items: &Items| items.values().len();
    cron.second.as_ref().map_or(1, count) * count(&cron.minute) * count(&cron.hour)
}

fn times_of_day(cron: &Cron) -> Vec<Time> {
    let seconds = cron.second.as_ref().map_or(vec![0], Items::values);
    let mut times = Vec::new();
    for hour in cron.hour.values() {
        for minute in cron.minute.values() {
            times.extend(
                seconds
                    .iter()
                    .map(|second| Time::constant(hour as i8, minute as i8, *second as i8, 0)),
            );
        }
    }
    times
}

fn is_wall_clock(cron: &Cron) -> bool {
    let second_star = cron.second.as_ref().is_some_and(Items::begins_with_star);
    !(second_star || cron.minute.begins_with_star() || cron.hour.begins_with_star())
}

fn instants_of(date: Date, time: Time, zone: &TimeZone, is_wall_clock: bool) -> Vec<Timestamp> {
    let local = date.to_datetime(time);
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => vec![offset.to_timestamp(local).unwrap()],
        AmbiguousOffset::Fold { before, .. } if is_wall_clock => {
            vec![before.to_timestamp(local).unwrap()]
        }
        AmbiguousOffset::Fold { before, after } => {
            vec![
                before.to_timestamp(local).unwrap(),
                after.to_timestamp(local).unwrap(),
            ]
        }
        AmbiguousOffset::Gap { before, after } if is_wall_clock => {
            // The change lies between the two readings of a time that never was.
            let early = after.to_timestamp(local).unwrap();
            let late = before.to_timestamp(local).unwrap();
            let changes = zone
                .following(early - 1.second())
                .map(|change| change.timestamp());
            changes
                .take_while(|at| *at <= late)
                .filter(|at| offset_jumps(zone, *at))
                .collect()
        }
        AmbiguousOffset::Gap { .. } => Vec::new(),
    }
}

fn offset_jumps(zone: &TimeZone, at: Timestamp) -> bool {
    zone.to_offset(at - 1.second()) != zone.to_offset(at)
}

fn is_asked_for(cron: &Cron, date: Date) -> bool {
    if !cron.month.values().contains(&(date.month() as u32)) {
        return false;
    }
    let by_day = cron.day.values().contains(&(date.day() as u32))
        || cron
            .day
            .items
            .iter()
            .any(|item| is_special_day(*item, date));
    let by_weekday = cron.weekday.values().contains(&weekday_number(date))
        || cron
            .weekday
            .items
            .iter()
            .any(|item| is_special_day(*item, date));
    if cron.plus || cron.day.begins_with_star() || cron.weekday.begins_with_star() {
        by_day && by_weekday
    } else {
        by_day || by_weekday
    }
}

fn is_special_day(item: Item, date: Date) -> bool {
    match item {
        Item::Star { .. } | Item::Range { .. } | Item::Value(_) => false,
        Item::LastDay => date == date.last_of_month(),
        Item::LastWeekday => {
            let mut rest_of_month =
                (date.day() + 1..=date.days_in_month()).map(|day| with_day(date, day));
            is_workday(date) && !rest_of_month.any(is_workday)
        }
        Item::Nearest(day) => {
            let distance = |other: Date| (i64::from(other.day()) - i64::from(day)).abs();
            let workdays = (1..=date.days_in_month())
                .map(|day| with_day(date, day))
                .filter(|date| is_workday(*date));
            day <= date.days_in_month() as u32
                && workdays.min_by_key(|date| distance(*date)) == Some(date)
        }
        Item::Nth { weekday, n: 6 } => {
            weekday_number(date) == weekday && date.day() + 7 > date.days_in_month()
        }
        Item::Nth { weekday, n } => {
            weekday_number(date) == weekday && (date.day() as u32 - 1) / 7 + 1 == n
        }
    }
}

fn with_day(date: Date, day: i8) -> Date {
    Date::constant(date.year(), date.month(), day)
}

fn is_workday(date: Date) -> bool {
    !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

fn weekday_number(date: Date) -> u32 {
    date.weekday().to_sunday_zero_offset() as u32
}
