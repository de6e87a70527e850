//! Calendars as text: one thing a line, for people to keep up to date.
//!
//! `weekdays MON TUE …` comes once; `from` and `until` tell for which time the dates are known; `in` and `out` name a date, or
//! the first and the last of several. `#` begins a comment. A line that changes nothing is a mistake.

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};

use super::{Calendar, Weekdays};

/// Most days that one line may name.
const DAYS_PER_LINE_MAX: usize = 366;

/// A text that is no calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {mistake}")]
pub struct ReadError {
    /// Number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub mistake: Mistake,
}

/// What can be wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// It begins with another word.
    #[error("{word:?} is not one of weekdays, from, until, in, out")]
    Word {
        /// The word.
        word: String,
    },
    /// A date, or a day of the week, cannot be read.
    #[error("{text:?} is not {expected}")]
    Value {
        /// What stands there.
        text: String,
        /// What is expected.
        expected: &'static str,
    },
    /// There are too few values, or too many.
    #[error("wrong number of values")]
    Count,
    /// The last date lies before the first, or more than a year after it.
    #[error("the dates are no range of up to 366 days")]
    Range,
    /// It says what holds already.
    #[error("{date} is {state} already")]
    NoChange {
        /// The date.
        date: Date,
        /// `in` or `out`.
        state: &'static str,
    },
    /// A date lies outside of `from` and `until`.
    #[error("{date} is not between from and until")]
    Unknown {
        /// The date.
        date: Date,
    },
}

/// Reads a calendar.
///
/// # Errors
/// The first line that is wrong.
pub fn read(name: &str, text: &str) -> Result<Calendar, ReadError> {
    let mut calendar = Calendar {
        name: name.to_owned(),
        weekdays: Weekdays::default(),
        added: BTreeSet::new(),
        removed: BTreeSet::new(),
        known_from: None,
        known_until: None,
    };
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [word, values @ ..] = words.as_slice() {
            take(&mut calendar, word, values).map_err(|mistake| ReadError {
                line: index + 1,
                mistake,
            })?;
        }
    }
    Ok(calendar)
}

fn take(calendar: &mut Calendar, word: &str, values: &[&str]) -> Result<(), Mistake> {
    match (word, values) {
        ("weekdays", [_, ..]) => {
            let days: Result<Vec<Weekday>, Mistake> =
                values.iter().map(|day| weekday(day)).collect();
            calendar.weekdays = Weekdays::of(days?);
        }
        ("from", [at]) => calendar.known_from = Some(date(at)?),
        ("until", [at]) => calendar.known_until = Some(date(at)?),
        ("in" | "out", [first]) => set(calendar, word == "in", date(first)?, date(first)?)?,
        ("in" | "out", [first, last]) => set(calendar, word == "in", date(first)?, date(last)?)?,
        ("weekdays" | "from" | "until" | "in" | "out", _) => return Err(Mistake::Count),
        _ => {
            return Err(Mistake::Word {
                word: word.to_owned(),
            });
        }
    }
    Ok(())
}

fn set(calendar: &mut Calendar, is_in: bool, first: Date, last: Date) -> Result<(), Mistake> {
    if last < first {
        return Err(Mistake::Range);
    }
    let mut changes = 0;
    for (count, date) in first.series(jiff::Span::new().days(1)).enumerate() {
        if date > last {
            break;
        }
        if count >= DAYS_PER_LINE_MAX {
            return Err(Mistake::Range);
        }
        let is_known = calendar.known_from.is_some_and(|from| from <= date)
            && calendar.known_until.is_some_and(|until| date <= until);
        if !is_known {
            return Err(Mistake::Unknown { date });
        }
        // A holiday may take in days that are free anyway, as long as one of them is not.
        if calendar.contains(date) != is_in {
            changes += 1;
            if is_in {
                calendar.added.insert(date);
            } else {
                calendar.removed.insert(date);
            }
        }
    }
    if changes == 0 {
        return Err(Mistake::NoChange {
            date: first,
            state: if is_in { "in" } else { "out" },
        });
    }
    Ok(())
}

fn date(text: &str) -> Result<Date, Mistake> {
    text.parse().map_err(|_| Mistake::Value {
        text: text.to_owned(),
        expected: "a date such as 2026-10-01",
    })
}

fn weekday(text: &str) -> Result<Weekday, Mistake> {
    let read = Weekdays::from_words([text])
        .ok()
        .filter(|_| text == text.to_uppercase());
    read.and_then(|day| day.days().next())
        .ok_or_else(|| Mistake::Value {
            text: text.to_owned(),
            expected: "one of SUN MON TUE WED THU FRI SAT",
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_is_told_with_its_line() {
        let head = "weekdays MON TUE WED THU FRI\nfrom 2026-01-01\nuntil 2026-12-31\n";
        let cases = [
            (
                "off 2026-10-01",
                "\"off\" is not one of weekdays, from, until, in, out",
            ),
            (
                "out 2026-13-01",
                "\"2026-13-01\" is not a date such as 2026-10-01",
            ),
            (
                "weekdays MO",
                "\"MO\" is not one of SUN MON TUE WED THU FRI SAT",
            ),
            ("in", "wrong number of values"),
            ("until 2026-01-01 2026-01-02", "wrong number of values"),
            (
                "out 2026-10-02 2026-10-01",
                "the dates are no range of up to 366 days",
            ),
            ("out 2026-10-03 2026-10-04", "2026-10-03 is out already"),
            ("in 2026-10-01", "2026-10-01 is in already"),
            ("out 2027-01-01", "2027-01-01 is not between from and until"),
            ("out 2025-12-31", "2025-12-31 is not between from and until"),
        ];
        for (line, mistake) in cases {
            let error = read("test", &format!("{head}{line}")).unwrap_err();
            assert_eq!(error.to_string(), format!("line 4: {mistake}"));
        }
        let read = read(
            "test",
            &format!("{head}# nothing\n\nout 2026-10-01 # a day"),
        )
        .unwrap();
        assert_eq!(read.removed.len(), 1);
        assert!(read.added.is_empty());
    }
}
