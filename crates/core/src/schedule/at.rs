//! `@at`: one instant, as RFC 3339 or as a date and time of day in the schedule's zone.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset};

use super::error::{ErrorCode, Field, ScheduleError};
use super::piece::Piece;
use super::zone::Zone;

const HINT: &str =
    "write \"2026-12-01T02:30:00\" for the schedule's zone, or with \"Z\" or \"+08:00\" behind it";

/// Reads `2026-12-01T02:30:00` (in `zone`), `2026-12-01T02:30:00Z` or `2026-12-01T02:30:00+08:00`.
///
/// Seconds may be left out, and a fraction may have up to 3 digits. A local time inside a gap means the first instant
/// after it, one inside an overlap its first pass.
pub(super) fn parse_at(text: Piece<'_>, zone: &Zone) -> Result<Timestamp, ScheduleError> {
    if text.text.is_empty() {
        return Err(text.refuse(
            ErrorCode::AtMissing,
            Field::Expression,
            "the date and time after @at is missing",
            HINT,
        ));
    }
    let mut reader = Reader { text, at: 0 };
    let (local, offset) = reader.date_time()?;
    let at = match offset {
        Some(offset) => offset.to_timestamp(local).map_err(|_| out_of_range(text))?,
        None => resolve(local, zone).ok_or_else(|| out_of_range(text))?,
    };
    Ok(at)
}

/// The instant of a local time, by the rule for wall-clock schedules.
fn resolve(local: DateTime, zone: &Zone) -> Option<Timestamp> {
    match zone.tz().to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok(),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok(),
        AmbiguousOffset::Gap { before, .. } => {
            let after_gap = before.to_timestamp(local).ok()?.as_second();
            let segment = zone.segments().get(zone.segment_at(after_gap))?;
            Timestamp::from_second(segment.start).ok()
        }
    }
}

struct Reader<'a> {
    text: Piece<'a>,
    at: usize,
}

impl Reader<'_> {
    fn date_time(&mut self) -> Result<(DateTime, Option<Offset>), ScheduleError> {
        let year = self.digits(4)? as i16;
        self.sign(b"-")?;
        let month = self.digits(2)? as i8;
        self.sign(b"-")?;
        let day = self.digits(2)? as i8;
        self.sign(b"Tt ")?;
        let hour = self.digits(2)? as i8;
        self.sign(b":")?;
        let minute = self.digits(2)? as i8;
        let second = if self.skip(b":") {
            self.digits(2)? as i8
        } else {
            0
        };
        let millis = if self.skip(b".") { self.fraction()? } else { 0 };
        let offset = self.offset()?;
        if self.at < self.text.text.len() {
            return Err(self.wrong());
        }
        if !(1970..=2199).contains(&year) {
            return Err(out_of_range(self.text));
        }
        let local = DateTime::new(year, month, day, hour, minute, second, millis * 1_000_000);
        Ok((local.map_err(|_| out_of_range(self.text))?, offset))
    }

    fn offset(&mut self) -> Result<Option<Offset>, ScheduleError> {
        let sign = match self.peek() {
            None => return Ok(None),
            Some(b'Z' | b'z') => {
                self.at += 1;
                return Ok(Some(Offset::UTC));
            }
            Some(b'+') => 1,
            Some(b'-') => -1,
            Some(_) => return Err(self.wrong()),
        };
        self.at += 1;
        let hours = self.digits(2)?;
        self.sign(b":")?;
        let minutes = self.digits(2)?;
        if hours > 23 || minutes > 59 {
            return Err(out_of_range(self.text));
        }
        Ok(Offset::from_seconds(sign * (hours * 3_600 + minutes * 60)).ok())
    }

    /// One to three digits of a second's fraction, as milliseconds.
    fn fraction(&mut self) -> Result<i32, ScheduleError> {
        let digits = self
            .text
            .skip(self.at)
            .text
            .bytes()
            .take_while(u8::is_ascii_digit)
            .count();
        if digits > 3 {
            let message = "the time is finer than a millisecond";
            let hint = "write at most 3 digits behind the point";
            return Err(self.text.skip(self.at).refuse(
                ErrorCode::AtTooFine,
                Field::Expression,
                message,
                hint,
            ));
        }
        let number = self.digits(digits.max(1))?;
        Ok(number * [1, 100, 10, 1][digits.min(3)])
    }

    fn digits(&mut self, count: usize) -> Result<i32, ScheduleError> {
        let mut number = 0;
        for _ in 0..count {
            match self.peek() {
                Some(digit) if digit.is_ascii_digit() => {
                    number = number * 10 + i32::from(digit - b'0')
                }
                _ => return Err(self.wrong()),
            }
            self.at += 1;
        }
        Ok(number)
    }

    fn sign(&mut self, signs: &[u8]) -> Result<(), ScheduleError> {
        if self.skip(signs) {
            Ok(())
        } else {
            Err(self.wrong())
        }
    }

    fn skip(&mut self, signs: &[u8]) -> bool {
        let is_there = self.peek().is_some_and(|byte| signs.contains(&byte));
        self.at += usize::from(is_there);
        is_there
    }

    fn peek(&self) -> Option<u8> {
        self.text.text.as_bytes().get(self.at).copied()
    }

    fn wrong(&self) -> ScheduleError {
        let message = format!("{:?} is not a date and time", self.text.text);
        self.text
            .skip(self.at)
            .refuse(ErrorCode::AtSyntax, Field::Expression, message, HINT)
    }
}

fn out_of_range(text: Piece<'_>) -> ScheduleError {
    let message = format!("{:?} does not exist or lies outside 1970-2199", text.text);
    let hint = "write a real date from 1970 to 2199 and a time of day from 00:00:00 to 23:59:59";
    text.refuse(ErrorCode::AtOutOfRange, Field::Expression, message, hint)
}
