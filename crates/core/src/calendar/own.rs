//! Calendars that people keep: days of the week or a preset to begin with, days that count besides, days that do not.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, date};

use super::{Calendar, Weekdays, preset, preset_names};
use crate::id::CalendarId;
use crate::job::{SpecError, check};

/// Most dates that a calendar may name.
pub const DAYS_MAX: usize = 20_000;

/// First and last date that a calendar may name.
pub const DATES: (Date, Date) = (date(1970, 1, 1), date(2100, 12, 31));

/// Longest name, and longest description, in characters.
const NAME_LEN_MAX: usize = 64;
const DESCRIPTION_LEN_MAX: usize = 1_000;

/// One version of a calendar that people keep. Its days never change: a change makes another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OwnCalendar {
    /// Calendar.
    pub id: CalendarId,
    /// Version, from 1.
    pub version: u32,
}

/// Dates one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayRange {
    /// The first.
    pub first: Date,
    /// The last, not before the first.
    pub last: Date,
}

/// What a calendar says about a date by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It counts.
    In,
    /// It does not count.
    Out,
    /// Nothing: the day of the week decides, or the preset.
    Nothing,
}

/// What people say about a calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarSpec {
    /// Name: 1 to 64 letters, digits, `_`, `-`, `.`; unlike that of a preset.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Preset whose days count unless a date says otherwise.
    pub extends: Option<String>,
    /// Days of the week that count unless a date says otherwise; none where a preset says it.
    pub weekdays: Weekdays,
    /// Dates that count.
    pub days_in: Vec<DayRange>,
    /// Dates that do not count.
    pub days_out: Vec<DayRange>,
    /// Last date for which the dates are complete; where a preset is extended, that of the preset if it is later.
    pub known_until: Option<Date>,
}

impl CalendarSpec {
    /// Checks everything but whether the name is free.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), SpecError> {
        self.calendar().map(|_| ())
    }

    /// The calendar that it describes.
    ///
    /// # Errors
    /// See [`CalendarSpec::check`].
    pub fn calendar(&self) -> Result<Calendar, SpecError> {
        self.check_texts()?;
        let base = self.base()?;
        let (days_in, days_out) = (
            dates("days_in", &self.days_in)?,
            dates("days_out", &self.days_out)?,
        );
        check(
            days_in.len() + days_out.len() <= DAYS_MAX,
            "days_in",
            "calendar.too_many_days",
            || {
                let count = days_in.len() + days_out.len();
                (
                    format!("the calendar names {count} dates"),
                    format!("name at most {DAYS_MAX}"),
                )
            },
        )?;
        let both = days_in.intersection(&days_out).next();
        check(both.is_none(), "days_out", "calendar.in_and_out", || {
            let day = both.map_or_else(String::new, Date::to_string);
            (
                format!("{day} counts and does not count"),
                "name it once".into(),
            )
        })?;
        let of_weekday = |date: &Date| base.weekdays.contains(date.weekday());
        let mut calendar = Calendar {
            name: self.name.clone(),
            known_until: base.known_until.max(self.known_until),
            ..base.clone()
        };
        for date in &days_in {
            calendar.removed.remove(date);
        }
        for date in &days_out {
            calendar.added.remove(date);
        }
        calendar
            .added
            .extend(days_in.iter().filter(|date| !of_weekday(date)));
        calendar
            .removed
            .extend(days_out.iter().filter(|date| of_weekday(date)));
        Ok(calendar)
    }

    /// Says something else about dates than until now. `field` is where they come from.
    ///
    /// # Errors
    /// A range that ends before it begins, or lies outside of [`DATES`].
    pub fn say(
        &mut self,
        field: &'static str,
        days: &[DayRange],
        said: Said,
    ) -> Result<(), SpecError> {
        let days = dates(field, days)?;
        let mut days_in = dates("days_in", &self.days_in)?;
        let mut days_out = dates("days_out", &self.days_out)?;
        days_in.retain(|date| !days.contains(date));
        days_out.retain(|date| !days.contains(date));
        match said {
            Said::In => days_in.extend(days),
            Said::Out => days_out.extend(days),
            Said::Nothing => {}
        }
        self.days_in = ranges(&days_in);
        self.days_out = ranges(&days_out);
        Ok(())
    }

    fn base(&self) -> Result<Calendar, SpecError> {
        let Some(name) = &self.extends else {
            return Ok(Calendar {
                name: String::new(),
                weekdays: self.weekdays,
                added: BTreeSet::new(),
                removed: BTreeSet::new(),
                known_from: None,
                known_until: None,
            });
        };
        let found = preset(name).filter(|_| self.weekdays == Weekdays::default());
        found.map(|preset| (*preset).clone()).ok_or_else(|| {
            let is_known = preset(name).is_some();
            let (field, message, hint) = if is_known {
                (
                    "weekdays",
                    "a calendar that extends a preset has that one's days of the week".to_owned(),
                    "leave weekdays out, or extends".to_owned(),
                )
            } else {
                (
                    "extends",
                    format!("there is no preset {name:?}"),
                    format!("use one of {}", preset_names()),
                )
            };
            SpecError {
                field: field.to_owned(),
                code: "calendar.base",
                message,
                hint,
            }
        })
    }

    fn check_texts(&self) -> Result<(), SpecError> {
        check(is_name(&self.name), "name", "calendar.name", || {
            (
                format!("{:?} cannot be the name of a calendar", short(&self.name)),
                "use 1 to 64 letters, digits, dots, _ and -, not a dot first".into(),
            )
        })?;
        let is_free = preset(&self.name).is_none();
        check(is_free, "name", "calendar.preset_name", || {
            (
                format!("{} is a calendar that is part of the program", self.name),
                format!(
                    "choose another name, and extend it with extends: {}",
                    self.name
                ),
            )
        })?;
        let length = self.description.chars().count();
        let is_short = length <= DESCRIPTION_LEN_MAX && !self.description.contains('\0');
        check(is_short, "description", "calendar.description", || {
            (
                format!("the description has {length} characters"),
                format!("use at most {DESCRIPTION_LEN_MAX}, without NUL"),
            )
        })
    }
}

/// Whether a calendar can have this name.
fn is_name(name: &str) -> bool {
    let is_good = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=NAME_LEN_MAX).contains(&name.chars().count())
        && !name.starts_with('.')
        && name.chars().all(is_good)
}

fn short(text: &str) -> String {
    text.chars().take(NAME_LEN_MAX).collect()
}

/// The dates of ranges.
fn dates(field: &'static str, ranges: &[DayRange]) -> Result<BTreeSet<Date>, SpecError> {
    let mut dates = BTreeSet::new();
    for (place, range) in ranges.iter().enumerate() {
        let is_good = range.first <= range.last && DATES.0 <= range.first && range.last <= DATES.1;
        check(
            is_good,
            &format!("{field}[{place}]"),
            "calendar.range",
            || {
                (
                    format!(
                        "{range} is no range of dates from {} to {}",
                        DATES.0, DATES.1
                    ),
                    "write one date, or the first and the last as 2026-10-01/2026-10-07".into(),
                )
            },
        )?;
        for date in range.first.series(jiff::Span::new().days(1)) {
            if date > range.last || dates.len() > DAYS_MAX {
                break;
            }
            dates.insert(date);
        }
    }
    Ok(dates)
}

/// Dates as ranges, in order.
pub fn ranges(dates: &BTreeSet<Date>) -> Vec<DayRange> {
    let mut ranges: Vec<DayRange> = Vec::new();
    for &date in dates {
        match ranges.last_mut() {
            Some(range) if range.last.tomorrow().ok() == Some(date) => range.last = date,
            _ => ranges.push(DayRange {
                first: date,
                last: date,
            }),
        }
    }
    ranges
}

impl fmt::Display for DayRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}/{}", self.first, self.last)
        }
    }
}

/// A text that names no dates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is neither a date nor two with a slash between them")]
pub struct DayRangeError {
    text: String,
}

impl FromStr for DayRange {
    type Err = DayRangeError;

    fn from_str(text: &str) -> Result<Self, DayRangeError> {
        let refuse = || DayRangeError { text: short(text) };
        let (first, last) = text.split_once('/').unwrap_or((text, text));
        // Nothing but dates: the parser would also take a date with a time.
        let date = |text: &str| {
            let date = (text.len() == 10).then(|| text.parse::<Date>().ok());
            date.flatten().ok_or_else(refuse)
        };
        Ok(Self {
            first: date(first)?,
            last: date(last)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(days_in: &[&str], days_out: &[&str]) -> CalendarSpec {
        let read = |days: &[&str]| days.iter().map(|day| day.parse().unwrap()).collect();
        CalendarSpec {
            name: "ours".into(),
            description: String::new(),
            extends: Some("cn-workdays".into()),
            weekdays: Weekdays::default(),
            days_in: read(days_in),
            days_out: read(days_out),
            known_until: None,
        }
    }

    #[test]
    fn a_preset_is_extended_and_overridden() {
        let mut spec = spec(
            &["2026-10-01", "2027-01-30", "2026-11-02"],
            &["2026-10-10", "2027-02-08/2027-02-10", "2026-11-07"],
        );
        spec.known_until = Some(date(2027, 12, 31));
        let calendar = spec.calendar().unwrap();
        for (day, counts) in [
            (date(2026, 10, 1), true),
            (date(2026, 10, 2), false),
            (date(2026, 10, 10), false),
            (date(2026, 11, 2), true),
            (date(2026, 11, 7), false),
            (date(2027, 1, 30), true),
            (date(2027, 2, 8), false),
            (date(2027, 2, 11), true),
        ] {
            assert_eq!(calendar.contains(day), counts, "{day}");
        }
        assert_eq!(calendar.known_until, Some(date(2027, 12, 31)));
        assert_eq!(calendar.name, "ours");
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let good = spec(&[], &[]);
        assert_eq!(good.check(), Ok(()));
        let cases = [
            (
                CalendarSpec {
                    name: "weekdays".into(),
                    ..good.clone()
                },
                "name",
            ),
            (
                CalendarSpec {
                    name: "a b".into(),
                    ..good.clone()
                },
                "name",
            ),
            (
                CalendarSpec {
                    extends: Some("mars".into()),
                    ..good.clone()
                },
                "extends",
            ),
            (
                CalendarSpec {
                    weekdays: Weekdays::of([jiff::civil::Weekday::Monday]),
                    ..good.clone()
                },
                "weekdays",
            ),
            (spec(&["2026-10-02/2026-10-01"], &[]), "days_in[0]"),
            (spec(&["2026-10-01", "1969-12-31"], &[]), "days_in[1]"),
            (
                spec(&["2026-10-01/2026-10-03"], &["2026-10-03"]),
                "days_out",
            ),
            (spec(&["1970-01-01/2030-01-01"], &[]), "days_in"),
        ];
        for (spec, field) in cases {
            assert_eq!(spec.check().unwrap_err().field, field, "{spec:?}");
        }
        for text in ["2026-13-01", "2026-10-01T00:00:00", "2026-10-01/", "", "x"] {
            assert!(text.parse::<DayRange>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_last_word_about_a_date_counts() {
        let mut spec = spec(&["2026-10-01/2026-10-03"], &["2026-10-05"]);
        let days = |text: &str| [text.parse().unwrap()];
        spec.say("days", &days("2026-10-02/2026-10-04"), Said::Out)
            .unwrap();
        let texts = |days: &[DayRange]| days.iter().map(DayRange::to_string).collect::<Vec<_>>();
        assert_eq!(texts(&spec.days_in), ["2026-10-01"]);
        assert_eq!(texts(&spec.days_out), ["2026-10-02/2026-10-05"]);
        spec.say("days", &days("2026-10-03"), Said::In).unwrap();
        spec.say("days", &days("2026-10-05"), Said::Nothing)
            .unwrap();
        assert_eq!(texts(&spec.days_in), ["2026-10-01", "2026-10-03"]);
        assert_eq!(texts(&spec.days_out), ["2026-10-02", "2026-10-04"]);
        let wrong = spec.say("days", &days("2026-10-03/2026-10-02"), Said::In);
        assert_eq!(wrong.unwrap_err().field, "days[0]");
    }

    #[test]
    fn dates_and_ranges_are_the_same() {
        let texts = ["2026-09-30/2026-10-02", "2026-10-04"];
        let read: Vec<DayRange> = texts.iter().map(|text| text.parse().unwrap()).collect();
        let back = ranges(&dates("days_in", &read).unwrap());
        assert_eq!(back, read);
        assert_eq!(back[0].to_string(), texts[0]);
        assert_eq!(back[1].to_string(), texts[1]);
    }
}
