//! A cron pattern as bit masks, and the search for local times that match it.
//!
//! Everything here is about wall clocks: seconds on an endless local time line without any zone. A local second
//! counts from 1970-01-01T00:00:00 as a clock on the wall shows it.

use super::calendar::{
    DAY_SECONDS, Date, YEAR_MAX, YEAR_MIN, bit_at_or_after, bit_at_or_before, date_of, day_number,
    low_bits, month_len,
};
use super::days::{DayRule, day_at_or_after};

/// Every second, minute, hour, day and year that a cron pattern asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    /// Bit 0-59.
    pub(super) seconds: u64,
    /// Bit 0-59.
    pub(super) minutes: u64,
    /// Bit 0-23.
    pub(super) hours: u32,
    /// Bit 1-12.
    pub(super) months: u16,
    /// The field begins with `*`.
    pub(super) seconds_star: bool,
    /// The field begins with `*`.
    pub(super) minutes_star: bool,
    /// The field begins with `*`.
    pub(super) hours_star: bool,
    pub(super) days: DayRule,
    /// `None` for every year.
    pub(super) years: Option<Box<Years>>,
}

/// A set of years from 1970 to 2199.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Years {
    words: [u64; 4],
}

impl Years {
    /// The set with bit `year - 1970` for each year; `None` when it holds every year.
    pub(super) fn unless_all(words: [u64; 4]) -> Option<Box<Years>> {
        let years = Years { words };
        let is_all = (YEAR_MIN..=YEAR_MAX).all(|year| years.contains(year));
        (!is_all).then(|| Box::new(years))
    }

    pub(super) fn contains(&self, year: i32) -> bool {
        let bit = year - YEAR_MIN;
        (0..256).contains(&bit) && self.words[bit as usize / 64] >> (bit % 64) & 1 == 1
    }

    /// The years of the set, ascending.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = i32> + '_ {
        (YEAR_MIN..=YEAR_MAX).filter(|&year| self.contains(year))
    }
}

/// Counts the months that a search has looked at, which bounds its work.
pub(super) type Steps = u32;

impl Pattern {
    /// How often a day that matches is due, at most.
    pub(super) fn times_per_day(&self) -> u64 {
        let count = |mask: u64| u64::from(mask.count_ones());
        count(self.seconds) * count(self.minutes) * count(u64::from(self.hours))
    }

    /// Whether the pattern names times of day rather than an interval: none of its time fields begins with `*`.
    pub(super) fn is_wall_clock(&self) -> bool {
        !(self.seconds_star || self.minutes_star || self.hours_star)
    }

    /// Whether any date until 2199 matches.
    pub(super) fn has_date(&self) -> bool {
        self.date_at_or_after(
            Date {
                year: YEAR_MIN,
                month: 1,
                day: 1,
            },
            &mut 0,
        )
        .is_some()
    }

    /// The first matching local second at or after `from`.
    pub(super) fn next_local(&self, from: i64, steps: &mut Steps) -> Option<i64> {
        let mut day = from.div_euclid(DAY_SECONDS);
        let date = date_of(day);
        if self.asks_for_date(date)
            && let Some(second) = self.time_at_or_after(from.rem_euclid(DAY_SECONDS) as u32)
        {
            return Some(day * DAY_SECONDS + i64::from(second));
        }
        day = self.date_at_or_after(date_of(day + 1), steps)?;
        self.time_at_or_after(0)
            .map(|second| day * DAY_SECONDS + i64::from(second))
    }

    /// The last matching local second at or before `until`.
    pub(super) fn prev_local(&self, until: i64) -> Option<i64> {
        let mut day = until.div_euclid(DAY_SECONDS);
        let date = date_of(day);
        if self.asks_for_date(date)
            && let Some(second) = self.time_at_or_before(until.rem_euclid(DAY_SECONDS) as u32)
        {
            return Some(day * DAY_SECONDS + i64::from(second));
        }
        day = self.date_at_or_before(date_of(day - 1))?;
        let last = (DAY_SECONDS - 1) as u32;
        self.time_at_or_before(last)
            .map(|second| day * DAY_SECONDS + i64::from(second))
    }

    /// How many local seconds from `from` to `until`, both included, match.
    pub(super) fn count_local(&self, from: i64, until: i64) -> u64 {
        if from > until {
            return 0;
        }
        let (first, last) = (from.div_euclid(DAY_SECONDS), until.div_euclid(DAY_SECONDS));
        let before_from = self.times_below(from.rem_euclid(DAY_SECONDS) as u32);
        let up_to_until = self.times_below(until.rem_euclid(DAY_SECONDS) as u32 + 1);
        let on_first = self.asks_for_date(date_of(first));
        if first == last {
            return if on_first {
                up_to_until - before_from
            } else {
                0
            };
        }
        let a_day = self.times_below(DAY_SECONDS as u32);
        let mut count = self.count_dates(first + 1, last - 1) * a_day;
        if on_first {
            count += a_day - before_from;
        }
        if self.asks_for_date(date_of(last)) {
            count += up_to_until;
        }
        count
    }

    /// Whether the pattern runs on a date at all.
    pub(super) fn asks_for_date(&self, date: Date) -> bool {
        self.asks_for_year(date.year)
            && self.months >> date.month & 1 == 1
            && self.days.days_of(date.year, date.month) >> date.day & 1 == 1
    }

    fn asks_for_year(&self, year: i32) -> bool {
        (YEAR_MIN..=YEAR_MAX).contains(&year)
            && self.years.as_ref().is_none_or(|years| years.contains(year))
    }

    /// The day number of the first date at or after `from` that the pattern asks for.
    fn date_at_or_after(&self, from: Date, steps: &mut Steps) -> Option<i64> {
        let (mut month, mut day) = (from.month, from.day);
        for year in from.year.max(YEAR_MIN)..=YEAR_MAX {
            if year > from.year {
                (month, day) = (1, 1);
            }
            if !self.asks_for_year(year) {
                continue;
            }
            while let Some(asked) = bit_at_or_after(u64::from(self.months), month) {
                *steps += 1;
                let from_day = if asked == month { day } else { 1 };
                if let Some(found) = day_at_or_after(self.days.days_of(year, asked), from_day) {
                    return Some(day_number(year, asked, found));
                }
                (month, day) = (asked + 1, 1);
            }
        }
        None
    }

    /// The day number of the last date at or before `until` that the pattern asks for.
    fn date_at_or_before(&self, until: Date) -> Option<i64> {
        let (mut month, mut day) = (until.month, until.day);
        for year in (YEAR_MIN..=until.year.min(YEAR_MAX)).rev() {
            if year < until.year {
                (month, day) = (12, 31);
            }
            if !self.asks_for_year(year) {
                continue;
            }
            while let Some(asked) = bit_at_or_before(u64::from(self.months), month) {
                let until_day = if asked == month { day } else { 31 };
                let days = u64::from(self.days.days_of(year, asked));
                if let Some(found) = bit_at_or_before(days, until_day) {
                    return Some(day_number(year, asked, found));
                }
                (month, day) = (asked - 1, 31);
            }
        }
        None
    }

    /// How many dates from day number `first` to `last`, both included, the pattern asks for.
    fn count_dates(&self, first: i64, last: i64) -> u64 {
        if first > last {
            return 0;
        }
        let (from, until) = (date_of(first), date_of(last));
        let mut count = 0;
        for year in from.year..=until.year {
            if !self.asks_for_year(year) {
                continue;
            }
            let month_first = if year == from.year { from.month } else { 1 };
            let month_last = if year == until.year { until.month } else { 12 };
            for month in month_first..=month_last {
                if self.months >> month & 1 == 0 {
                    continue;
                }
                let mut days = u64::from(self.days.days_of(year, month));
                if (year, month) == (from.year, from.month) {
                    days &= !low_bits(from.day);
                }
                if (year, month) == (until.year, until.month) {
                    days &= low_bits(until.day + 1);
                }
                debug_assert!(days <= low_bits(month_len(year, month) + 1));
                count += u64::from(days.count_ones());
            }
        }
        count
    }

    /// The first matching second of a day at or after `from` (0-86399).
    fn time_at_or_after(&self, from: u32) -> Option<u32> {
        let (hour, minute, second) = (from / 3_600, from / 60 % 60, from % 60);
        let hours = u64::from(self.hours);
        if hours >> hour & 1 == 1 {
            if self.minutes >> minute & 1 == 1
                && let Some(second) = bit_at_or_after(self.seconds, second)
            {
                return Some(hour * 3_600 + minute * 60 + second);
            }
            if let Some(minute) = bit_at_or_after(self.minutes, minute + 1) {
                return Some(hour * 3_600 + minute * 60 + self.seconds.trailing_zeros());
            }
        }
        let hour = bit_at_or_after(hours, hour + 1)?;
        Some(hour * 3_600 + self.minutes.trailing_zeros() * 60 + self.seconds.trailing_zeros())
    }

    /// The last matching second of a day at or before `until` (0-86399).
    fn time_at_or_before(&self, until: u32) -> Option<u32> {
        let (hour, minute, second) = (until / 3_600, until / 60 % 60, until % 60);
        let hours = u64::from(self.hours);
        let last = |mask: u64| u64::BITS - 1 - mask.leading_zeros();
        if hours >> hour & 1 == 1 {
            if self.minutes >> minute & 1 == 1
                && let Some(second) = bit_at_or_before(self.seconds, second)
            {
                return Some(hour * 3_600 + minute * 60 + second);
            }
            if let Some(minute) = minute
                .checked_sub(1)
                .and_then(|top| bit_at_or_before(self.minutes, top))
            {
                return Some(hour * 3_600 + minute * 60 + last(self.seconds));
            }
        }
        let hour = hour
            .checked_sub(1)
            .and_then(|top| bit_at_or_before(hours, top))?;
        Some(hour * 3_600 + last(self.minutes) * 60 + last(self.seconds))
    }

    /// How many seconds of a day below `second` (0-86400) match.
    fn times_below(&self, second: u32) -> u64 {
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let below = |mask: u64, bit: u32| u64::from((mask & low_bits(bit)).count_ones());
        let (minutes, seconds) = (
            u64::from(self.minutes.count_ones()),
            u64::from(self.seconds.count_ones()),
        );
        let mut count = below(u64::from(self.hours), hour) * minutes * seconds;
        if hour < 24 && self.hours >> hour & 1 == 1 {
            count += below(self.minutes, minute) * seconds;
            if self.minutes >> minute & 1 == 1 {
                count += below(self.seconds, second);
            }
        }
        count
    }
}
