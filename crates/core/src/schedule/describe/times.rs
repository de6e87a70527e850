//! The time of day of a pattern, taken apart without any language.

use crate::schedule::calendar::bits;
use crate::schedule::pattern::Pattern;

/// When on a day a pattern runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TimePhrase {
    /// At these seconds of the day.
    Clock(Vec<u32>),
    /// At equal distances all day long, over midnight too. `phase` is the first second of the day.
    Periodic { every: u32, unit: Unit, phase: u32 },
    /// At equal distances from the second of the day `first` to `last`.
    Window {
        every: u32,
        unit: Unit,
        first: u32,
        last: u32,
    },
    /// In every hour, at these minutes and this second.
    MinutesOfHour { minutes: Vec<u32>, second: u32 },
    /// Anything else: the values of each field, with `None` for all of them.
    Fields {
        seconds: Option<Vec<u32>>,
        minutes: Option<Vec<u32>>,
        hours: Option<Vec<u32>>,
    },
}

/// What a period counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Second,
    Minute,
    Hour,
}

impl Unit {
    pub(super) fn seconds(self) -> u32 {
        match self {
            Unit::Second => 1,
            Unit::Minute => 60,
            Unit::Hour => 3_600,
        }
    }
}

/// So many times of day are listed rather than told as a period.
const CLOCK_LEN_LISTED: usize = 3;
/// So many times of day can be listed at all.
const CLOCK_LEN_MAX: usize = 12;

impl TimePhrase {
    pub(super) fn of(pattern: &Pattern) -> TimePhrase {
        let seconds: Vec<u32> = bits(pattern.seconds).collect();
        let minutes: Vec<u32> = bits(pattern.minutes).collect();
        let hours: Vec<u32> = bits(u64::from(pattern.hours)).collect();
        let count = seconds.len() * minutes.len() * hours.len();
        if count <= CLOCK_LEN_LISTED {
            return TimePhrase::Clock(clock_times(&seconds, &minutes, &hours));
        }
        if let Some(phrase) = period(&seconds, &minutes, &hours) {
            return phrase;
        }
        if count <= CLOCK_LEN_MAX {
            return TimePhrase::Clock(clock_times(&seconds, &minutes, &hours));
        }
        if let (&[second], 24) = (seconds.as_slice(), hours.len()) {
            return TimePhrase::MinutesOfHour { minutes, second };
        }
        let unless_all = |values: Vec<u32>, all: usize| (values.len() < all).then_some(values);
        TimePhrase::Fields {
            seconds: unless_all(seconds, 60),
            minutes: unless_all(minutes, 60),
            hours: unless_all(hours, 24),
        }
    }
}

fn clock_times(seconds: &[u32], minutes: &[u32], hours: &[u32]) -> Vec<u32> {
    let mut times = Vec::new();
    for hour in hours {
        for minute in minutes {
            times.extend(
                seconds
                    .iter()
                    .map(|second| hour * 3_600 + minute * 60 + second),
            );
        }
    }
    times
}

/// The pattern as a period, if its runs lie at equal distances all day long or within one window.
fn period(seconds: &[u32], minutes: &[u32], hours: &[u32]) -> Option<TimePhrase> {
    let first = hours.first()? * 3_600 + minutes.first()? * 60 + seconds.first()?;
    let last = hours.last()? * 3_600 + minutes.last()? * 60 + seconds.last()?;
    let (unit, every) = if seconds.len() > 1 {
        let is_even = minutes.len() == 1 && hours.len() == 1 || is_full_cycle(seconds, 60);
        let is_joined = is_contiguous(hours)
            && (minutes.len() == 60 || hours.len() == 1 && is_contiguous(minutes));
        (is_even && is_joined).then_some((Unit::Second, equal_distance(seconds)?))?
    } else if minutes.len() > 1 {
        let is_even = hours.len() == 1 || is_full_cycle(minutes, 60);
        (is_even && is_contiguous(hours)).then_some((Unit::Minute, equal_distance(minutes)?))?
    } else {
        (Unit::Hour, equal_distance(hours)?)
    };
    let distance = every * unit.seconds();
    if first < distance && last + distance >= 86_400 && 86_400 % distance == 0 {
        Some(TimePhrase::Periodic {
            every,
            unit,
            phase: first,
        })
    } else {
        Some(TimePhrase::Window {
            every,
            unit,
            first,
            last,
        })
    }
}

/// The distance between neighbours if it is the same for all; 1 or more values.
fn equal_distance(values: &[u32]) -> Option<u32> {
    let distance = match values {
        [first, second, ..] => second - first,
        _ => 1,
    };
    values
        .windows(2)
        .all(|pair| pair[1] - pair[0] == distance)
        .then_some(distance)
}

fn is_contiguous(values: &[u32]) -> bool {
    values.windows(2).all(|pair| pair[1] == pair[0] + 1)
}

/// Whether equal distances go on over the end of the cycle into the next one.
fn is_full_cycle(values: &[u32], cycle: u32) -> bool {
    equal_distance(values).is_some_and(|distance| distance * values.len() as u32 == cycle)
}

/// The distance of seconds or minutes that cover the whole cycle evenly from 0 on.
pub(super) fn whole_cycle(values: &[u32]) -> Option<u32> {
    let distance = equal_distance(values)?;
    (values.first() == Some(&0) && values.len() > 2 && is_full_cycle(values, 60))
        .then_some(distance)
}
