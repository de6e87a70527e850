//! iCalendar files (RFC 5545), as far as they say which days an event has.
//!
//! What changes which days count is read or refused with its line and its property, never passed over: rules of recurrence,
//! exceptions, moved occurrences. What does not (alarms, people, texts, tasks) is passed over.
//!
//! A day is the one that the event names in its own zone; an instant in UTC is a day of the zone that the reader is told.

mod lines;
mod recurrence;
mod value;

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use self::lines::{Line, lines};
use self::recurrence::{Rule, STEPS_MAX};
use self::value::{Moment, Moments, length, moments};
use super::own::{DATES, DAYS_MAX};
use crate::schedule::bundled_zone;

/// Longest file in bytes.
pub const BYTES_MAX: usize = 1 << 20;

/// The days of the events of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IcsDays {
    /// Each day on which there is an event, from 1970 to 2100.
    pub days: BTreeSet<Date>,
    /// Events that were read.
    pub events: u32,
    /// Events that were left out because their summaries do not have the text.
    pub others: u32,
}

/// A file that cannot be read, or whose days would not be the right ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, {property}: {mistake}")]
pub struct IcsError {
    /// Line of the file, from 1.
    pub line: usize,
    /// Property or component, e.g. `RRULE`.
    pub property: String,
    /// What is wrong.
    pub mistake: IcsMistake,
}

/// What is wrong with a line of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IcsMistake {
    /// It is not iCalendar.
    #[error("this is no iCalendar file: {0}")]
    Form(&'static str),
    /// The file is too long.
    #[error("the file has more than 1 MiB")]
    TooLong,
    /// The value cannot be read.
    #[error("{text:?} is not {expected}")]
    Value {
        /// The value, at most 64 characters.
        text: String,
        /// What is expected.
        expected: &'static str,
    },
    /// It comes twice.
    #[error("it comes twice in one event")]
    Twice,
    /// The event has no beginning.
    #[error("the event has no DTSTART")]
    NoStart,
    /// It would change which days count, and is not understood.
    #[error("{what} is not supported")]
    Unsupported {
        /// What.
        what: String,
    },
    /// An instant in UTC, and no zone was given.
    #[error("the time is in UTC: say in which time zone its day is meant")]
    Utc,
    /// The zone is not known, and it matters.
    #[error("there is no time zone {zone:?}")]
    Zone {
        /// The zone.
        zone: String,
    },
    /// The event ends before it begins.
    #[error("the event ends before it begins")]
    Backwards,
    /// The first day is not one of those that the rule asks for.
    #[error("the first day, {first}, is not one that the rule asks for")]
    NotInStep {
        /// The day.
        first: Date,
    },
    /// The event lies outside of the years that a calendar has.
    #[error("{date} is not between 1970 and 2100")]
    Outside {
        /// The day.
        date: Date,
    },
    /// There are too many days.
    #[error("the events have more than 20000 days")]
    TooMany,
    /// Working the rules out takes too long.
    #[error("the rules of the file take too long to work out")]
    TooLaborious,
}

/// Reads the days of the events of a file. `only`: those events whose summaries have this text, letter case aside. `zone`: where
/// instants in UTC are days.
///
/// # Errors
/// The first mistake.
pub fn read_ics(
    text: &str,
    only: Option<&str>,
    zone: Option<&TimeZone>,
) -> Result<IcsDays, IcsError> {
    let fail = |line: usize, property: &str, mistake| IcsError {
        line,
        property: property.to_owned(),
        mistake,
    };
    if text.len() > BYTES_MAX {
        return Err(fail(1, "file", IcsMistake::TooLong));
    }
    let only = only.map(str::to_lowercase);
    let mut found = IcsDays {
        days: BTreeSet::new(),
        events: 0,
        others: 0,
    };
    let mut open: Vec<String> = Vec::new();
    let mut event: Option<(usize, Event)> = None;
    let mut steps = 0;
    let all = lines(text)?;
    for line in &all {
        match line.name.as_str() {
            "BEGIN" => {
                let name = line.value.trim().to_ascii_uppercase();
                if open.is_empty() != (name == "VCALENDAR") {
                    let mistake = IcsMistake::Form("it does not begin with BEGIN:VCALENDAR");
                    return Err(line.fail(mistake));
                }
                if name == "VEVENT" && open.len() == 1 {
                    event = Some((line.number, Event::default()));
                }
                open.push(name);
            }
            "END" => {
                let name = line.value.trim().to_ascii_uppercase();
                if open.pop().as_ref() != Some(&name) {
                    return Err(line.fail(IcsMistake::Form("END without its BEGIN")));
                }
                if let Some((number, event)) = event.take_if(|_| open.len() == 1) {
                    event.finish(number, only.as_deref(), zone, &mut steps, &mut found)?;
                }
            }
            _ if open.is_empty() => {
                let mistake = IcsMistake::Form("it does not begin with BEGIN:VCALENDAR");
                return Err(line.fail(mistake));
            }
            _ => {
                // Lines of what an event contains, such as alarms, are not the event's.
                if let Some((_, event)) = event.as_mut().filter(|_| open.len() == 2) {
                    event.take(line)?;
                }
            }
        }
    }
    match (all.last(), open.is_empty()) {
        (Some(_), true) => Ok(found),
        (last, _) => Err(fail(
            last.map_or(1, |line| line.number),
            "file",
            IcsMistake::Form("it ends before END:VCALENDAR"),
        )),
    }
}

/// The lines of an event that say which days it has.
#[derive(Default)]
struct Event<'a> {
    start: Option<&'a Line>,
    end: Option<&'a Line>,
    duration: Option<&'a Line>,
    rule: Option<&'a Line>,
    more: Vec<&'a Line>,
    except: Vec<&'a Line>,
    summary: String,
    is_cancelled: bool,
}

impl<'a> Event<'a> {
    fn take(&mut self, line: &'a Line) -> Result<(), IcsError> {
        let place = match line.name.as_str() {
            "DTSTART" => &mut self.start,
            "DTEND" => &mut self.end,
            "DURATION" => &mut self.duration,
            "RRULE" => &mut self.rule,
            "RDATE" => {
                self.more.push(line);
                return Ok(());
            }
            "EXDATE" => {
                self.except.push(line);
                return Ok(());
            }
            "EXRULE" | "RECURRENCE-ID" => {
                let what = line.name.clone();
                return Err(line.fail(IcsMistake::Unsupported { what }));
            }
            "SUMMARY" => {
                self.summary = line.value.to_lowercase();
                return Ok(());
            }
            "STATUS" => {
                self.is_cancelled = line.value.trim().eq_ignore_ascii_case("CANCELLED");
                return Ok(());
            }
            _ => return Ok(()),
        };
        if place.replace(line).is_some() {
            return Err(line.fail(IcsMistake::Twice));
        }
        Ok(())
    }

    /// Adds the days of a complete event.
    fn finish(
        self,
        number: usize,
        only: Option<&str>,
        zone: Option<&TimeZone>,
        steps: &mut u32,
        found: &mut IcsDays,
    ) -> Result<(), IcsError> {
        if self.is_cancelled || only.is_some_and(|only| !self.summary.contains(only)) {
            found.others += 1;
            return Ok(());
        }
        found.events += 1;
        let start = self.start.ok_or(IcsError {
            line: number,
            property: "VEVENT".to_owned(),
            mistake: IcsMistake::NoStart,
        })?;
        let Moments { first, .. } = moments(start, zone)?.single(start)?;
        let length = self.length(start, first, zone)?;
        let excepted = days_of(&self.except, start, zone)?;
        let mut starts = days_of(&self.more, start, zone)?;
        let is_single = self.rule.is_none();
        match self.rule {
            None => {
                starts.insert(first.date());
            }
            Some(line) => {
                let rule = Rule::read(line, start, first, zone)?;
                rule.expand(line, first, steps, &mut starts)?;
            }
        }
        for day in starts.difference(&excepted) {
            let last = add(*day, length);
            let is_inside = DATES.0 <= *day && last <= DATES.1;
            if !is_inside && is_single {
                return Err(start.fail(IcsMistake::Outside { date: *day }));
            }
            for date in day.series(jiff::Span::new().days(1)) {
                *steps += 1;
                if date > last.min(DATES.1) {
                    break;
                }
                if date >= DATES.0 {
                    found.days.insert(date);
                }
                if found.days.len() > DAYS_MAX {
                    return Err(start.fail(IcsMistake::TooMany));
                }
                if *steps > STEPS_MAX {
                    return Err(start.fail(IcsMistake::TooLaborious));
                }
            }
        }
        Ok(())
    }

    /// Days from the first to the last one.
    fn length(
        &self,
        start: &Line,
        first: Moment,
        zone: Option<&TimeZone>,
    ) -> Result<i32, IcsError> {
        let (line, end) = match (self.end, self.duration) {
            (None, None) => return Ok(0),
            (Some(line), Some(_)) => return Err(line.fail(IcsMistake::Twice)),
            (Some(line), None) => {
                let zone = zone_of(line, start, zone)?;
                (line, moments(line, zone.as_ref())?.single(line)?.first)
            }
            (None, Some(line)) => (line, length(line, first)?),
        };
        let last = match (first, end) {
            (Moment::Day(first), Moment::Day(end)) if end == first => first,
            (Moment::Day(first), Moment::Day(end)) if end > first => before(end),
            (Moment::Time(first), Moment::Time(end)) if end == first => end.date(),
            (Moment::Time(first), Moment::Time(end)) if end > first => last_day(end),
            (Moment::Day(_), Moment::Day(_)) | (Moment::Time(_), Moment::Time(_)) => {
                return Err(line.fail(IcsMistake::Backwards));
            }
            (Moment::Day(_), Moment::Time(_)) | (Moment::Time(_), Moment::Day(_)) => {
                return Err(line.value_error("of the kind of DTSTART"));
            }
        };
        Ok((last - first.date()).get_days())
    }
}

/// What ends at midnight does not have the day that begins then.
fn last_day(end: DateTime) -> Date {
    if end.time() == jiff::civil::Time::midnight() {
        before(end.date())
    } else {
        end.date()
    }
}

fn before(date: Date) -> Date {
    date.yesterday().unwrap_or(date)
}

fn add(date: Date, days: i32) -> Date {
    date.saturating_add(jiff::Span::new().days(days))
}

/// Where instants in UTC of an event are days: in the zone of its beginning, if that has one.
fn zone_of(
    line: &Line,
    start: &Line,
    zone: Option<&TimeZone>,
) -> Result<Option<TimeZone>, IcsError> {
    let Some(name) = start.parameter("TZID") else {
        return Ok(zone.cloned());
    };
    let own = bundled_zone(name);
    let is_utc = |text: &str| text.trim().ends_with('Z');
    if own.is_none() && line.value.split(',').any(is_utc) {
        let zone = name.chars().take(64).collect();
        return Err(line.fail(IcsMistake::Zone { zone }));
    }
    Ok(own)
}

/// The days of lists of dates.
fn days_of(
    list: &[&Line],
    start: &Line,
    zone: Option<&TimeZone>,
) -> Result<BTreeSet<Date>, IcsError> {
    let mut days = BTreeSet::new();
    for line in list {
        let zone = zone_of(line, start, zone)?;
        let Moments { first, rest } = moments(line, zone.as_ref())?;
        days.insert(first.date());
        days.extend(rest.into_iter().map(Moment::date));
    }
    Ok(days)
}
