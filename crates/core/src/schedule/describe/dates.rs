//! The dates of a pattern, taken apart without any language.

use crate::schedule::calendar::bits;
use crate::schedule::days::{DayRule, NTH_LAST};
use crate::schedule::pattern::Pattern;

/// On which dates a pattern runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DatePhrase {
    pub(super) days: DaysPhrase,
    /// 1-12; empty for every month.
    pub(super) months: Vec<u32>,
    /// Empty for every year.
    pub(super) years: Vec<u32>,
}

/// On which days of its months a pattern runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DaysPhrase {
    Every,
    OfMonth(MonthDays),
    OfWeek(WeekDays),
    /// A day that is one or the other.
    Either(MonthDays, WeekDays),
    /// A day that is both.
    Both(MonthDays, WeekDays),
}

/// Days by their place in the month; never all empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MonthDays {
    /// 1-31.
    pub(super) numbers: Vec<u32>,
    /// The weekday nearest to these days, 1-31.
    pub(super) nearest: Vec<u32>,
    pub(super) last: bool,
    pub(super) last_weekday: bool,
}

/// Days by their weekday; never all empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WeekDays {
    /// 1 (Monday) to 7 (Sunday), ascending.
    pub(super) weekdays: Vec<u32>,
    /// The n-th such weekday of the month: n 1-5, or 6 for the last one; weekday 1 (Monday) to 7 (Sunday).
    pub(super) nth: Vec<(u32, u32)>,
}

/// The n of [`WeekDays::nth`] that means the last one.
pub(super) const LAST: u32 = 6;

impl DatePhrase {
    pub(super) fn of(pattern: &Pattern) -> DatePhrase {
        let months: Vec<u32> = bits(u64::from(pattern.months)).collect();
        let years = pattern
            .years
            .as_ref()
            .map(|years| years.iter().map(|year| year as u32).collect());
        DatePhrase {
            days: DaysPhrase::of(&pattern.days),
            months: if months.len() == 12 {
                Vec::new()
            } else {
                months
            },
            years: years.unwrap_or_default(),
        }
    }
}

impl DaysPhrase {
    fn of(rule: &DayRule) -> DaysPhrase {
        match (rule.is_any_day(), rule.is_any_weekday(), rule.needs_both()) {
            (true, true, _) => DaysPhrase::Every,
            (true, false, true) => DaysPhrase::OfWeek(WeekDays::of(rule)),
            (false, true, true) => DaysPhrase::OfMonth(MonthDays::of(rule)),
            (true, false, false) | (false, true, false) => DaysPhrase::Every,
            (false, false, false) => DaysPhrase::Either(MonthDays::of(rule), WeekDays::of(rule)),
            (false, false, true) => DaysPhrase::Both(MonthDays::of(rule), WeekDays::of(rule)),
        }
    }
}

impl MonthDays {
    fn of(rule: &DayRule) -> MonthDays {
        MonthDays {
            numbers: bits(u64::from(rule.days)).collect(),
            nearest: bits(u64::from(rule.nearest)).collect(),
            last: rule.last,
            last_weekday: rule.last_weekday,
        }
    }
}

impl WeekDays {
    fn of(rule: &DayRule) -> WeekDays {
        let monday_first = |day: u32| if day == 0 { 7 } else { day };
        let mut weekdays: Vec<u32> = bits(u64::from(rule.weekdays)).map(monday_first).collect();
        weekdays.sort_unstable();
        let mut nth: Vec<(u32, u32)> = bits(rule.nth)
            .map(|bit| {
                if bit >= NTH_LAST {
                    (LAST, bit - NTH_LAST)
                } else {
                    (bit / 7 + 1, bit % 7)
                }
            })
            .map(|(n, day)| (n, monday_first(day)))
            .collect();
        nth.sort_unstable();
        WeekDays { weekdays, nth }
    }
}
