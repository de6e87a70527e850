//! Calendars: which days count, such as the working days of a country, and what a job makes of days that do not.
//!
//! The days of presets are part of the program, as the rules of time zones are; those of other calendars are data that people
//! keep ([`own`]). How a schedule follows a calendar is in [`crate::schedule`].

pub mod ics;
pub mod own;

mod preset;
mod read;

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use jiff::civil::{Date, Weekday};

pub use own::{CalendarSpec, DayRange, OwnCalendar};
pub use preset::{preset, preset_names, presets};
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

/// The calendar that a definition names. Two are the same if they name the same one, whichever of its versions.
#[derive(Debug, Clone)]
pub struct CalendarChoice {
    /// Name of a preset, or of a calendar of the job's group or of the whole fleet.
    pub name: String,
    /// What is due on which of its days.
    pub mode: CalendarMode,
    /// Which calendar that people keep it is, and which version of it; `None` for a preset, and where nobody has looked it up.
    pub own: Option<OwnCalendar>,
    /// Its days, where they are known.
    pub days: Option<Arc<Calendar>>,
}

impl PartialEq for CalendarChoice {
    fn eq(&self, other: &Self) -> bool {
        let id = |own: Option<OwnCalendar>| own.map(|own| own.id);
        self.name == other.name && self.mode == other.mode && id(self.own) == id(other.own)
    }
}

impl Eq for CalendarChoice {}

impl CalendarChoice {
    /// The calendar of this name. The days of a preset are known.
    pub fn named(name: &str, mode: CalendarMode) -> Self {
        Self {
            name: name.to_owned(),
            mode,
            own: None,
            days: preset(name),
        }
    }

    /// What a schedule follows; `None` while the days are not known.
    pub fn rule(&self) -> Option<CalendarRule> {
        let calendar = self.days.clone()?;
        let mode = self.mode;
        Some(CalendarRule { calendar, mode })
    }
}

impl CalendarMode {
    /// Whether days that are not in lend what is due on them to another day.
    pub fn is_shifting(self) -> bool {
        matches!(self, Self::ShiftNext | Self::ShiftPrevious)
    }
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

    /// Their words, Sunday first: `SUN`, `MON`, …
    pub fn words(self) -> Vec<&'static str> {
        self.days().map(word).collect()
    }

    /// Reads [`Weekdays::words`], letter case aside; answers the first that is none.
    ///
    /// # Errors
    /// A word that is no day of the week.
    pub fn from_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        let day = |text: &'a str| {
            let days = Weekday::Sunday.cycle_forward().take(7);
            let mut same = days.filter(|day| word(*day).eq_ignore_ascii_case(text));
            same.next().ok_or(text)
        };
        let days: Result<Vec<Weekday>, &str> = words.into_iter().map(day).collect();
        Ok(Self::of(days?))
    }

    fn contains(self, day: Weekday) -> bool {
        self.0 >> day.to_sunday_zero_offset() & 1 == 1
    }
}

const fn word(day: Weekday) -> &'static str {
    match day {
        Weekday::Sunday => "SUN",
        Weekday::Monday => "MON",
        Weekday::Tuesday => "TUE",
        Weekday::Wednesday => "WED",
        Weekday::Thursday => "THU",
        Weekday::Friday => "FRI",
        Weekday::Saturday => "SAT",
    }
}

impl Calendar {
    /// Whether a date counts.
    pub fn contains(&self, date: Date) -> bool {
        self.added.contains(&date)
            || self.weekdays.contains(date.weekday()) && !self.removed.contains(&date)
    }

    /// Dates that are named, after this one.
    pub(crate) fn named_after(&self, date: Date) -> impl Iterator<Item = Date> {
        let after = (Bound::Excluded(date), Bound::Unbounded);
        let (added, removed) = (self.added.range(after), self.removed.range(after));
        added.chain(removed).copied()
    }

    /// Dates that are named, before this one.
    pub(crate) fn named_before(&self, date: Date) -> impl Iterator<Item = Date> {
        let (added, removed) = (self.added.range(..date), self.removed.range(..date));
        added.chain(removed).copied()
    }
}

impl CalendarRule {
    /// Whether something can be due on a date.
    pub fn is_in(&self, date: Date) -> bool {
        self.calendar.contains(date) != (self.mode == CalendarMode::Exclude)
    }

    /// Whether days that are not in lend what is due on them to another day.
    pub fn is_shifting(&self) -> bool {
        self.mode.is_shifting()
    }
}
