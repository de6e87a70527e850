//! Equality with the daemon on days when clocks change: cronie's main loop, minute by minute, over the same pattern.
//!
//! The loop keeps a wall clock in minutes (`timeRunning` in its `cron.c`) and the minute up to which it has worked (`virtualTime`),
//! and looks at the distance of the two. What it starts is compared with what the engine says that is due.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::random::{Cron, Item, Items, cron};
use crate::{bundled_zone, schedule};

/// The longest change of the wall clock that the daemon takes for summer time, in minutes. Beyond, a clock was set.
const LONGEST_CHANGE_MIN: i64 = 3 * 60;
/// Up to so many minutes the daemon was only late.
const LATE_MIN: i64 = 5;

/// When the daemon works out anew how far its clock is from UTC.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Notices {
    /// As it is: when the flag for summer time changes.
    SummerTime,
    /// At each change of the offset, as after a restart of the daemon.
    Everything,
}

/// What starts in a stretch of time, and how often in the same minute.
pub(crate) fn starts(
    cron: &Cron,
    zone: &TimeZone,
    notices: Notices,
    after: Timestamp,
    until: Timestamp,
) -> BTreeMap<Timestamp, u32> {
    let mut daemon = Daemon::new(cron, zone, notices, after);
    let mut found = BTreeMap::new();
    let mut now = after + SignedDuration::from_mins(1);
    while now <= until {
        let count = daemon.minute(now);
        if count > 0 {
            found.insert(now, count);
        }
        now += SignedDuration::from_mins(1);
    }
    found
}

struct Daemon<'a> {
    cron: &'a Cron,
    zone: &'a TimeZone,
    notices: Notices,
    is_wild: bool,
    is_summer: bool,
    offset_s: i64,
    /// The last minute of the wall clock that has been worked through.
    worked_min: i64,
}

impl<'a> Daemon<'a> {
    fn new(cron: &'a Cron, zone: &'a TimeZone, notices: Notices, started: Timestamp) -> Self {
        let info = zone.to_offset_info(started);
        let offset_s = i64::from(info.offset().seconds());
        Self {
            cron,
            zone,
            notices,
            is_wild: cron.minute.begins_with_star() || cron.hour.begins_with_star(),
            is_summer: info.dst().is_dst(),
            offset_s,
            worked_min: (started.as_second() + offset_s).div_euclid(60),
        }
    }

    /// One turn of the loop: how many starts it makes.
    fn minute(&mut self, now: Timestamp) -> u32 {
        let clock_min = self.clock_min(now);
        let behind_min = clock_min - self.worked_min;
        if behind_min.abs() > LONGEST_CHANGE_MIN {
            self.worked_min = clock_min;
            return u32::from(self.matches(clock_min));
        }
        let runs_now = self.is_wild && self.matches(clock_min);
        if behind_min <= 0 {
            return u32::from(runs_now);
        }
        let missed = self.worked_min + 1..=clock_min;
        self.worked_min = clock_min;
        if self.is_wild && behind_min > LATE_MIN {
            return u32::from(runs_now);
        }
        missed.map(|minute| u32::from(self.matches(minute))).sum()
    }

    fn clock_min(&mut self, now: Timestamp) -> i64 {
        let info = self.zone.to_offset_info(now);
        if self.notices == Notices::Everything || info.dst().is_dst() != self.is_summer {
            self.is_summer = info.dst().is_dst();
            self.offset_s = i64::from(info.offset().seconds());
        }
        (now.as_second() + self.offset_s).div_euclid(60)
    }

    fn matches(&self, wall_min: i64) -> bool {
        let local = TimeZone::UTC.to_datetime(Timestamp::from_second(wall_min * 60).unwrap());
        let holds = |items: &Items, value: i8| items.values().contains(&(value as u32));
        let by_day = holds(&self.cron.day, local.day());
        let by_weekday = holds(&self.cron.weekday, local.weekday().to_sunday_zero_offset());
        let has_star = self.cron.day.begins_with_star() || self.cron.weekday.begins_with_star();
        holds(&self.cron.minute, local.minute())
            && holds(&self.cron.hour, local.hour())
            && holds(&self.cron.month, local.month())
            && if has_star {
                by_day && by_weekday
            } else {
                by_day || by_weekday
            }
    }
}

/// Zones whose clocks change by half an hour to two hours, at hours from midnight on; and some that stand still.
const ZONES: &[&str] = &[
    "America/New_York",
    "Europe/London",
    "Europe/Dublin",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "America/Santiago",
    "America/St_Johns",
    "America/Havana",
    "Pacific/Chatham",
    "Africa/Casablanca",
    "Asia/Gaza",
    "Asia/Tehran",
    "Asia/Shanghai",
    "UTC",
];

/// A pattern that a crontab can have, on any day more often than not.
fn crontab_pattern() -> impl Strategy<Value = Cron> {
    (cron(), proptest::bool::weighted(0.7)).prop_filter_map(
        "days that cronie does not know",
        |(cron, is_daily)| {
            let any = |min, max| Items {
                items: vec![Item::Star { step: 1 }],
                min,
                max,
            };
            let cron = Cron {
                second: None,
                plus: false,
                ..cron
            };
            if is_daily {
                return Some(Cron {
                    day: any(1, 31),
                    month: any(1, 12),
                    weekday: any(0, 6),
                    ..cron
                });
            }
            let is_plain = |item: &Item| {
                matches!(
                    item,
                    Item::Star { .. } | Item::Range { .. } | Item::Value(_)
                )
            };
            let is_known =
                cron.day.items.iter().all(is_plain) && cron.weekday.items.iter().all(is_plain);
            is_known.then_some(cron)
        },
    )
}

/// The next change of summer time after an instant that the daemon can notice, in minutes of UTC; else the instant itself.
fn change_after(zone: &TimeZone, at: Timestamp) -> Timestamp {
    let before = |at: Timestamp| zone.to_offset_info(at - SignedDuration::from_secs(1));
    let changes = zone.following(at).map(|change| change.timestamp()).take(8);
    let mut noticed = changes.filter(|at| {
        let (old, new) = (before(*at), zone.to_offset_info(*at));
        let jump_s = new.offset().seconds() - old.offset().seconds();
        old.dst() != new.dst() && jump_s != 0
    });
    noticed.next().unwrap_or(at)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_daemon_starts_what_is_due(
        cron in crontab_pattern(),
        zone in proptest::sample::select(ZONES),
        minute in 15_780_000..35_000_000_i64, // 2000 to 2036
    ) {
        let tz = bundled_zone(zone);
        let change = change_after(&tz, Timestamp::from_second(minute * 60).unwrap());
        let day = SignedDuration::from_hours(24);
        let (after, until) = (change - day, change + day);
        let started = starts(&cron, &tz, Notices::SummerTime, after, until);
        let started: Vec<Timestamp> = started.into_keys().collect();
        let due = schedule(&cron.to_string(), zone).between(after, until, usize::MAX);
        prop_assert_eq!(due, started, "{} in {} around {}", cron, zone, change);
    }
}
