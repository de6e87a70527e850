//! Random schedules as data: their text for the engine, their meaning for the oracle.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::bundled_zone;

/// Zones with every kind of clock change that the world has had.
pub(crate) const ZONES: &[&str] = &[
    "UTC",
    "Asia/Shanghai",
    "America/New_York",
    "Europe/London",
    "Europe/Dublin",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "Pacific/Chatham",
    "Africa/Casablanca",
    "Africa/Monrovia",
    "America/Santiago",
    "America/St_Johns",
    "America/Caracas",
    "America/Nuuk",
    "Asia/Kathmandu",
    "Asia/Gaza",
    "Asia/Pyongyang",
    "Asia/Tehran",
];

/// One item of a field's list.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Item {
    Star {
        step: u32,
    },
    Range {
        from: u32,
        until: u32,
        step: u32,
    },
    Value(u32),
    LastDay,
    LastWeekday,
    Nearest(u32),
    /// n is 1-5, or 6 for the last one.
    Nth {
        weekday: u32,
        n: u32,
    },
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Item::Star { step: 1 } => f.write_str("*"),
            Item::Star { step } => write!(f, "*/{step}"),
            Item::Range {
                from,
                until,
                step: 1,
            } => write!(f, "{from}-{until}"),
            Item::Range { from, until, step } => write!(f, "{from}-{until}/{step}"),
            Item::Value(value) => write!(f, "{value}"),
            Item::LastDay => f.write_str("L"),
            Item::LastWeekday => f.write_str("LW"),
            Item::Nearest(day) => write!(f, "{day}W"),
            Item::Nth { weekday, n: 6 } => write!(f, "{weekday}L"),
            Item::Nth { weekday, n } => write!(f, "{weekday}#{n}"),
        }
    }
}

/// A field: a list of items between `min` and `max`.
#[derive(Clone, Debug)]
pub(crate) struct Items {
    pub(crate) items: Vec<Item>,
    pub(crate) min: u32,
    pub(crate) max: u32,
}

impl Items {
    pub(crate) fn begins_with_star(&self) -> bool {
        matches!(self.items.first(), Some(Item::Star { .. }))
    }

    pub(crate) fn is_star(&self) -> bool {
        matches!(self.items.as_slice(), [Item::Star { step: 1 }])
    }

    /// The plain values of the list; special day items have none.
    pub(crate) fn values(&self) -> Vec<u32> {
        let holds = |value: u32| {
            self.items.iter().any(|item| match *item {
                Item::Star { step } => (value - self.min).is_multiple_of(step),
                Item::Range { from, until, step } => {
                    (from..=until).contains(&value) && (value - from).is_multiple_of(step)
                }
                Item::Value(only) => only == value,
                Item::LastDay | Item::LastWeekday | Item::Nearest(_) | Item::Nth { .. } => false,
            })
        };
        (self.min..=self.max)
            .filter(|value| holds(*value))
            .collect()
    }
}

impl fmt::Display for Items {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items: Vec<String> = self.items.iter().map(ToString::to_string).collect();
        f.write_str(&items.join(","))
    }
}

/// A cron pattern.
#[derive(Clone, Debug)]
pub(crate) struct Cron {
    /// `None` for 5 fields.
    pub(crate) second: Option<Items>,
    pub(crate) minute: Items,
    pub(crate) hour: Items,
    pub(crate) day: Items,
    pub(crate) month: Items,
    pub(crate) weekday: Items,
    pub(crate) plus: bool,
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(second) = &self.second {
            write!(f, "{second} ")?;
        }
        let plus = if self.plus { "+" } else { "" };
        write!(
            f,
            "{} {} {} {} {plus}{}",
            self.minute, self.hour, self.day, self.month, self.weekday
        )
    }
}

fn value(min: u32, max: u32) -> impl Strategy<Value = Item> {
    (min..=max).prop_map(Item::Value)
}

fn range(min: u32, max: u32) -> impl Strategy<Value = Item> {
    (
        min..=max,
        min..=max,
        prop_oneof![3 => Just(1), 2 => 1..=max.max(1)],
    )
        .prop_map(|(a, b, step)| Item::Range {
            from: a.min(b),
            until: a.max(b),
            step,
        })
}

fn star_step(max: u32) -> impl Strategy<Value = Item> {
    (1..=max).prop_map(|step| Item::Star { step })
}

fn items(
    min: u32,
    max: u32,
    item: impl Strategy<Value = Item>,
    len: usize,
) -> impl Strategy<Value = Items> {
    proptest::collection::vec(item, 1..=len).prop_map(move |items| Items { items, min, max })
}

fn star(min: u32, max: u32) -> impl Strategy<Value = Items> {
    Just(Items {
        items: vec![Item::Star { step: 1 }],
        min,
        max,
    })
}

fn plain(min: u32, max: u32, star_weight: u32) -> impl Strategy<Value = Items> {
    prop_oneof![
        star_weight => star(min, max),
        2 => items(min, max, star_step(max), 1),
        4 => items(min, max, value(min, max), 3),
        3 => items(min, max, range(min, max), 2),
        1 => items(min, max, prop_oneof![value(min, max), range(min, max), star_step(max)], 3),
    ]
}

/// Hours with a liking for the early morning, when clocks change.
fn hours() -> impl Strategy<Value = Items> {
    prop_oneof![
        3 => plain(0, 23, 3),
        2 => items(0, 23, value(0, 4), 3),
        1 => items(0, 23, range(0, 4), 1),
    ]
}

fn days() -> impl Strategy<Value = Items> {
    let special = prop_oneof![
        Just(Item::LastDay),
        Just(Item::LastWeekday),
        (1..=31_u32).prop_map(Item::Nearest),
        value(1, 31),
    ];
    prop_oneof![4 => plain(1, 31, 8), 1 => items(1, 31, special, 2)]
}

fn weekdays() -> impl Strategy<Value = Items> {
    let special = prop_oneof![
        (0..=6_u32, 1..=6_u32).prop_map(|(weekday, n)| Item::Nth { weekday, n }),
        value(0, 6)
    ];
    prop_oneof![8 => plain(0, 6, 8), 1 => items(0, 6, star_step(7), 1), 2 => items(0, 6, special, 2)]
}

prop_compose! {
    /// Any pattern of 5 or 6 fields.
    pub(crate) fn cron()(
        second in proptest::option::of(plain(0, 59, 1)),
        minute in plain(0, 59, 2),
        hour in hours(),
        day in days(),
        month in plain(1, 12, 12),
        weekday in weekdays(),
        plus in proptest::bool::weighted(0.1),
    ) -> Cron {
        Cron { second, minute, hour, day, month, weekday, plus }
    }
}

/// Where in time a test starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    /// Seconds since the epoch, 1971 to 2195.
    second: i64,
    /// Minutes that the next clock change lies ahead instead, if the zone has one; may be more than a window is long.
    minutes_to_change: Option<i64>,
}

impl Start {
    /// The instant to start at, with the change (if any) inside a window of some minutes, or half an hour before it.
    pub(crate) fn instant(self, zone: &str, window_minutes: i64) -> Timestamp {
        let at = Timestamp::from_second(self.second).unwrap();
        match (
            self.minutes_to_change,
            bundled_zone(zone).following(at).next(),
        ) {
            (Some(minutes), Some(change)) => {
                change.timestamp() - SignedDuration::from_mins(minutes % window_minutes - 30)
            }
            _ => at,
        }
    }
}

/// Starts of which more than half lie near a clock change.
pub(crate) fn start() -> impl Strategy<Value = Start> {
    let second =
        prop_oneof![4 => 31_536_000..2_200_000_000_i64, 1 => 2_200_000_000..7_100_000_000_i64];
    (second, proptest::option::weighted(0.6, 0..36 * 60_i64)).prop_map(
        |(second, minutes_to_change)| Start {
            second,
            minutes_to_change,
        },
    )
}
