//! Calendars: which days count, such as the working days of a country, and what a job makes of days that do not.
//!
//! The days are part of the program, as the rules of time zones are. How a schedule follows a calendar is in [`crate::schedule`].

mod preset;
mod read;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::civil::{Date, Weekday};

pub use preset::{preset, presets};
pub use read::{ReadError, read};

/// Which days count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// Stable name, e.g. `cn-workdays`.
    pub name: String,
    /// Days of the week that count unless a date says otherwise.
    pub weekdays: Weekdays,
    /// Dates that count although their day of the week does not.
    pub added: BTreeSet<Date>,
    /// Dates that do not count although their day of the week does.
    pub removed: BTreeSet<Date>,
    /// First date for which the dates are known; before it the days of the week decide. `None`: they always do.
    pub known_from: Option<Date>,
    /// Last date for which the dates are known; after it the days of the week decide. `None`: they always do.
    pub known_until: Option<Date>,
}

/// A set of days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Weekdays(u8);

/// How a job follows a calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarRule {
    /// The days.
    pub calendar: Arc<Calendar>,
    /// What is due on which of them.
    pub mode: CalendarMode,
}

/// What a job makes of the days of a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CalendarMode {
    /// Due only on days that count.
    Include,
    /// Due only on days that do not count.
    Exclude,
    /// What falls on a day that does not count is due at the same time of the next one that does.
    ShiftNext,
    /// What falls on a day that does not count is due at the same time of the last one before it that does.
    ShiftPrevious,
}

impl Weekdays {
    /// The set of these days.
    pub fn of(days: impl IntoIterator<Item = Weekday>) -> Self {
        Self(
            days.into_iter()
                .fold(0, |bits, day| bits | 1 << day.to_sunday_zero_offset()),
        )
    }

    /// Its days, Sunday first.
    pub fn days(self) -> impl Iterator<Item = Weekday> {
        Weekday::Sunday
            .cycle_forward()
            .take(7)
            .filter(move |day| self.contains(*day))
    }

    fn contains(self, day: Weekday) -> bool {
        self.0 >> day.to_sunday_zero_offset() & 1 == 1
    }
}

impl Calendar {
    /// Whether a date counts.
    pub fn contains(&self, date: Date) -> bool {
        self.added.contains(&date)
            || self.weekdays.contains(date.weekday()) && !self.removed.contains(&date)
    }
}

impl CalendarRule {
    /// Whether something can be due on a date.
    pub fn is_in(&self, date: Date) -> bool {
        self.calendar.contains(date) != (self.mode == CalendarMode::Exclude)
    }

    /// Whether days that are not in lend what is due on them to another day.
    pub fn is_shifting(&self) -> bool {
        matches!(
            self.mode,
            CalendarMode::ShiftNext | CalendarMode::ShiftPrevious
        )
    }
}
