//! Values: dates, times, lengths.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span};

use super::lines::Line;
use super::{IcsError, IcsMistake};

/// When an event begins or ends: a day, or a time of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Day(Date),
    Time(DateTime),
}

impl Moment {
    pub(super) fn date(self) -> Date {
        match self {
            Self::Day(date) => date,
            Self::Time(at) => at.date(),
        }
    }
}

/// At least one moment.
pub(super) struct Moments {
    pub(super) first: Moment,
    pub(super) rest: Vec<Moment>,
}

impl Moments {
    /// Refuses more than one.
    pub(super) fn single(self, line: &Line) -> Result<Self, IcsError> {
        if self.rest.is_empty() {
            Ok(self)
        } else {
            Err(line.value_error("a single date"))
        }
    }
}

/// Reads the dates or times of a line.
pub(super) fn moments(line: &Line, zone: Option<&TimeZone>) -> Result<Moments, IcsError> {
    let kind = line.parameter("VALUE").map(str::to_ascii_uppercase);
    if kind.as_deref() == Some("PERIOD") {
        let what = "a PERIOD".to_owned();
        return Err(line.fail(IcsMistake::Unsupported { what }));
    }
    let read = |text: &str| {
        let text = text.trim();
        let found = match kind.as_deref() {
            Some("DATE") => date(text).map(Moment::Day),
            None if !text.contains('T') => date(text).map(Moment::Day),
            Some("DATE-TIME") | None => return time(line, text, zone).map(Moment::Time),
            Some(_) => None,
        };
        found.ok_or_else(|| line.wrong(text, "a date such as 20261001"))
    };
    let mut values = line.value.split(',');
    let first = read(values.next().unwrap_or_default())?;
    Ok(Moments {
        first,
        rest: values.map(read).collect::<Result<_, _>>()?,
    })
}

/// Reads `20261001`.
pub(super) fn date(text: &str) -> Option<Date> {
    let is_plain = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i16>().ok();
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok();
    date.filter(|_| is_plain)
}

/// Reads `20261001T090000` as clocks of its zone show it; with a `Z` behind it as clocks of `zone` do.
pub(super) fn time(line: &Line, text: &str, zone: Option<&TimeZone>) -> Result<DateTime, IcsError> {
    let (text, is_utc) = match text.strip_suffix('Z') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let at = local(text).ok_or_else(|| line.wrong(text, "a time such as 20261001T090000"))?;
    if !is_utc {
        return Ok(at);
    }
    let zone = zone.ok_or_else(|| line.fail(IcsMistake::Utc))?;
    let instant = TimeZone::UTC
        .to_timestamp(at)
        .map_err(|_| line.wrong(text, "a time of a year up to 9999"))?;
    Ok(zone.to_datetime(instant))
}

fn local(text: &str) -> Option<DateTime> {
    let (day, clock) = text.split_once('T')?;
    if clock.len() != 6 || !clock.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| clock.get(range)?.parse::<i8>().ok();
    // A leap second belongs to its minute.
    let second = number(4..6)?.min(59);
    let at = date(day)?.at(number(0..2)?.min(23), number(2..4)?.min(59), second, 0);
    let is_clock = number(0..2)? < 24 && number(2..4)? < 60 && number(4..6)? <= 60;
    is_clock.then_some(at)
}

/// Where an event of this DURATION ends.
pub(super) fn length(line: &Line, first: Moment) -> Result<Moment, IcsError> {
    let wrong = || line.value_error("a length such as P1D or PT2H");
    let text = line.value.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    let (days, clock) = match text.strip_prefix('P').ok_or_else(wrong)?.split_once('T') {
        Some((days, clock)) => (days, Some(clock)),
        None => (text.strip_prefix('P').unwrap_or_default(), None),
    };
    let days = sum(days, &[('W', 7), ('D', 1)]).ok_or_else(wrong)?;
    let seconds = match clock {
        None => 0,
        Some("") => return Err(wrong()),
        Some(clock) => sum(clock, &[('H', 3_600), ('M', 60), ('S', 1)]).ok_or_else(wrong)?,
    };
    if text == "P" || days > 100_000 || seconds > 1_000_000_000 {
        return Err(wrong());
    }
    let days = Span::new().days(days);
    match first {
        Moment::Day(_) if seconds != 0 => Err(line.value_error("a whole number of days")),
        Moment::Day(date) => date.checked_add(days).map(Moment::Day).map_err(|_| wrong()),
        Moment::Time(at) => at
            .checked_add(days)
            .and_then(|at| at.checked_add(SignedDuration::from_secs(seconds)))
            .map(Moment::Time)
            .map_err(|_| wrong()),
    }
}

/// Adds up numbers with units, the units in this order.
fn sum(text: &str, units: &[(char, i64)]) -> Option<i64> {
    let (mut rest, mut units, mut total) = (text, units, 0_i64);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: i64 = rest[..end].parse().ok()?;
        let unit = rest[end..].chars().next()?;
        let place = units.iter().position(|(letter, _)| *letter == unit)?;
        total = total.checked_add(number.checked_mul(units[place].1)?)?;
        units = &units[place + 1..];
        rest = &rest[end + 1..];
    }
    Some(total)
}
