//! `@every`: fixed intervals, counted from the epoch.
//!
//! The instants are the whole multiples of the interval since 1970-01-01T00:00:00Z. So they do not depend on when a
//! center started, two centers agree on them, and no time zone touches them.

use jiff::Timestamp;

use super::calendar::{YEAR_MAX, day_number};
use super::error::{ErrorCode, Field, ScheduleError};
use super::piece::Piece;

/// An interval of whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Every {
    pub(super) millis: u64,
}

/// Units with their length in milliseconds, from large to small.
pub(super) const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];
const MILLIS_MIN: u64 = 100;
const MILLIS_MAX: u64 = 366 * 86_400_000;
const NANOS_PER_MILLI: i128 = 1_000_000;

impl Every {
    /// How often it is due on a day of 24 hours, at most.
    pub(super) fn times_per_day(self) -> u64 {
        UNITS[0].1.div_ceil(self.millis)
    }

    /// Reads `500ms`, `90s`, `1h30m`, `2d`.
    pub(super) fn parse(text: Piece<'_>) -> Result<Every, ScheduleError> {
        if text.text.is_empty() {
            let hint =
                "write a duration such as \"@every 500ms\", \"@every 90s\" or \"@every 1h30m\"";
            return Err(text.refuse(
                ErrorCode::EveryMissing,
                Field::Expression,
                "the duration after @every is missing",
                hint,
            ));
        }
        let mut rest = text;
        let mut millis: u64 = 0;
        let mut units_used = 0;
        while !rest.text.is_empty() {
            let (number, unit, behind) = split_part(rest)?;
            let Some(place) = UNITS
                .iter()
                .position(|(name, _)| unit.text.eq_ignore_ascii_case(name))
            else {
                let message = format!("unknown unit {:?}", unit.text);
                let hint = "use d, h, m, s or ms";
                return Err(unit.refuse(ErrorCode::EveryUnit, Field::Expression, message, hint));
            };
            if place < units_used {
                let message = format!("the unit {:?} comes twice or too late", unit.text);
                let hint = "write each unit once, from large to small, such as \"1d2h30m\"";
                return Err(unit.refuse(
                    ErrorCode::EveryUnitOrder,
                    Field::Expression,
                    message,
                    hint,
                ));
            }
            units_used = place + 1;
            millis = millis.saturating_add(number.large_number().saturating_mul(UNITS[place].1));
            rest = behind;
        }
        check_length(text, millis)?;
        Ok(Every { millis })
    }

    /// The first instant strictly after `after`.
    pub(super) fn next_after(self, after: Timestamp) -> Option<Timestamp> {
        self.instant(self.count_until(after) + 1)
    }

    /// The last instant strictly before `before`.
    pub(super) fn prev_before(self, before: Timestamp) -> Option<Timestamp> {
        let last = (before.as_nanosecond() - 1).div_euclid(self.nanos());
        self.instant(last.min(self.last()))
    }

    /// How many instants there are in `(after, until]`.
    pub(super) fn count(self, after: Timestamp, until: Timestamp) -> u64 {
        let count = self.count_until(until).min(self.last()) - self.count_until(after);
        u64::try_from(count).unwrap_or(0)
    }

    /// Whether `t` is one of the instants.
    pub(super) fn matches(self, t: Timestamp) -> bool {
        t.as_nanosecond().rem_euclid(self.nanos()) == 0
            && (0..=self.last()).contains(&t.as_nanosecond().div_euclid(self.nanos()))
    }

    /// The place of the last instant at or before `until`; the epoch has place 0, and -1 comes before all.
    fn count_until(self, until: Timestamp) -> i128 {
        until.as_nanosecond().div_euclid(self.nanos()).max(-1)
    }

    fn instant(self, place: i128) -> Option<Timestamp> {
        (0..=self.last())
            .contains(&place)
            .then(|| Timestamp::from_nanosecond(place * self.nanos()).ok())
            .flatten()
    }

    /// The place of the last instant before the year 2200.
    fn last(self) -> i128 {
        (i128::from(day_number(YEAR_MAX + 1, 1, 1)) * 86_400_000 - 1) / i128::from(self.millis)
    }

    fn nanos(self) -> i128 {
        i128::from(self.millis) * NANOS_PER_MILLI
    }
}

/// Splits `1h30m` into `1`, `h` and `30m`.
fn split_part(text: Piece<'_>) -> Result<(Piece<'_>, Piece<'_>, Piece<'_>), ScheduleError> {
    let digits = text.text.bytes().take_while(u8::is_ascii_digit).count();
    let letters = text
        .skip(digits)
        .text
        .bytes()
        .take_while(u8::is_ascii_alphabetic)
        .count();
    if digits == 0 || letters == 0 {
        let message = format!("{:?} is not a duration", text.text);
        let place = text.skip(digits);
        let hint = match place.text.bytes().next() {
            Some(b'.' | b',') => {
                "write whole numbers, such as \"1s500ms\" in the place of \"1.5s\""
            }
            Some(b' ' | b'\t') => "write the parts without spaces, such as \"1h30m\"",
            _ => "write numbers with units, such as \"500ms\", \"90s\", \"1h30m\" or \"2d\"",
        };
        return Err(place.refuse(ErrorCode::EverySyntax, Field::Expression, message, hint));
    }
    let number = Piece {
        text: &text.text[..digits],
        ..text
    };
    let unit = text.skip(digits);
    Ok((
        number,
        Piece {
            text: &unit.text[..letters],
            ..unit
        },
        unit.skip(letters),
    ))
}

fn check_length(text: Piece<'_>, millis: u64) -> Result<(), ScheduleError> {
    if millis < MILLIS_MIN {
        let message = format!("an interval of {millis} ms is too short");
        let hint = "the shortest interval is 100ms";
        return Err(text
            .refuse(ErrorCode::EveryTooShort, Field::Expression, message, hint)
            .suggest("100ms"));
    }
    if millis > MILLIS_MAX {
        let message = format!("an interval of {:?} is too long", text.text);
        let hint = "the longest interval is 366d; use a cron expression for rarer runs";
        return Err(text
            .refuse(ErrorCode::EveryTooLong, Field::Expression, message, hint)
            .suggest("366d"));
    }
    Ok(())
}
