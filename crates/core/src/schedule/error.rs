//! Why a schedule text was refused: what, where, and what would be right.

use std::fmt;

/// A schedule text that was refused, with the place and the cure.
///
/// `Display` is the message: lower-case, without a full stop. To render the error in another language use `code`,
/// `field`, `found` and `suggestion`; the texts carry nothing beyond them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ScheduleError {
    /// What is wrong.
    pub code: ErrorCode,
    /// The part of the schedule that is wrong.
    pub field: Field,
    /// Where, as a 1-based count of characters in the text as typed. 1 when the zone that came beside the text is wrong.
    pub column: usize,
    /// What is wrong, as an English phrase.
    pub message: String,
    /// What would be right, as an English phrase.
    pub hint: String,
    /// The piece of the text that is wrong; empty when something is missing.
    pub found: String,
    /// What to write in the place of `found`, when that is known.
    pub suggestion: Option<String>,
}

impl ScheduleError {
    pub(super) fn new(
        code: ErrorCode,
        field: Field,
        column: usize,
        found: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> ScheduleError {
        ScheduleError {
            code,
            field,
            column,
            message: message.into(),
            hint: hint.into(),
            found: found.to_owned(),
            suggestion: None,
        }
    }

    /// A calendar that does not exist, or whose days are not known here.
    pub(crate) fn unknown_calendar(name: &str) -> ScheduleError {
        ScheduleError::new(
            ErrorCode::UnknownCalendar,
            Field::Calendar,
            1,
            name,
            format!("the days of calendar {name:?} are not known"),
            "choose another calendar",
        )
    }

    /// Adds the text that would be right in the place of the one found.
    pub(super) fn suggest(mut self, suggestion: impl Into<String>) -> ScheduleError {
        self.suggestion = Some(suggestion.into());
        self
    }
}

/// The part of a schedule that an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// The seconds field (first of 6 or 7).
    Second,
    /// The minutes field.
    Minute,
    /// The hours field.
    Hour,
    /// The day-of-month field.
    DayOfMonth,
    /// The month field.
    Month,
    /// The day-of-week field.
    DayOfWeek,
    /// The year field (last of 7).
    Year,
    /// The text as a whole, a macro, or the argument of `@every` or `@at`.
    Expression,
    /// The time zone.
    TimeZone,
    /// The calendar.
    Calendar,
}

impl Field {
    /// The stable name: `second`, `minute`, … `time_zone`.
    pub fn as_str(self) -> &'static str {
        match self {
            Field::Second => "second",
            Field::Minute => "minute",
            Field::Hour => "hour",
            Field::DayOfMonth => "day_of_month",
            Field::Month => "month",
            Field::DayOfWeek => "day_of_week",
            Field::Year => "year",
            Field::Expression => "expression",
            Field::TimeZone => "time_zone",
            Field::Calendar => "calendar",
        }
    }

    /// The name in running English text: `day-of-month`.
    pub(super) fn words(self) -> &'static str {
        match self {
            Field::DayOfMonth => "day-of-month",
            Field::DayOfWeek => "day-of-week",
            Field::TimeZone => "time zone",
            other => other.as_str(),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// What is wrong with a schedule text. The text form of a code never changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorCode {
            /// Every code, for listings and for tests that translations are complete.
            pub const ALL: &[ErrorCode] = &[$(ErrorCode::$variant,)*];

            /// The stable text form, in `snake_case`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(ErrorCode::$variant => $text,)*
                }
            }
        }
    };
}

error_codes! {
    /// No schedule at all.
    Empty = "empty",
    /// More than 256 characters.
    TooLong = "too_long",
    /// A character outside ASCII, often a full-width digit or comma.
    NonAscii = "non_ascii",
    /// Not 5, 6 or 7 fields.
    FieldCount = "field_count",
    /// Nothing before, between or after commas.
    EmptyItem = "empty_item",
    /// A character that means nothing at this place.
    UnexpectedCharacter = "unexpected_character",
    /// Neither a number nor a name.
    UnknownName = "unknown_name",
    /// A name of a month or weekday in another field.
    NameInWrongField = "name_in_wrong_field",
    /// A number outside the field's range.
    OutOfRange = "out_of_range",
    /// A range whose end is missing.
    RangeIncomplete = "range_incomplete",
    /// A range that ends before it starts.
    RangeReversed = "range_reversed",
    /// `a/n`, which tools read in different ways.
    StepWithoutRange = "step_without_range",
    /// Nothing after `/`.
    StepMissing = "step_missing",
    /// A step of 0.
    StepZero = "step_zero",
    /// A step larger than the field's largest value.
    StepOutOfRange = "step_out_of_range",
    /// `?` outside the two day fields.
    QuestionMarkInWrongField = "question_mark_in_wrong_field",
    /// `+` outside the day-of-week field.
    PlusInWrongField = "plus_in_wrong_field",
    /// `L` outside the two day fields.
    LastInWrongField = "last_in_wrong_field",
    /// `L-n`.
    LastOffset = "last_offset",
    /// `L` without a weekday in the day-of-week field.
    LastWithoutWeekday = "last_without_weekday",
    /// `W` outside the day-of-month field.
    NearestInWrongField = "nearest_in_wrong_field",
    /// `W` without a day.
    NearestWithoutDay = "nearest_without_day",
    /// `L`, `W` or `#` as an end of a range or before a step.
    SpecialInRange = "special_in_range",
    /// `#` outside the day-of-week field.
    NthInWrongField = "nth_in_wrong_field",
    /// `#` without a count of 1-5 or `L` behind it.
    NthOutOfRange = "nth_out_of_range",
    /// `H` in the year field.
    SpreadInWrongField = "spread_in_wrong_field",
    /// `H(…` that is not `H(a-b)`.
    SpreadSyntax = "spread_syntax",
    /// No run before the year 2200.
    Never = "never",
    /// A word after `@` that is not a macro.
    UnknownMacro = "unknown_macro",
    /// Text behind a macro that takes none.
    MacroArgument = "macro_argument",
    /// `@every` without a duration.
    EveryMissing = "every_missing",
    /// A duration that is not numbers with units.
    EverySyntax = "every_syntax",
    /// A unit other than d, h, m, s, ms.
    EveryUnit = "every_unit",
    /// Units twice or not from large to small.
    EveryUnitOrder = "every_unit_order",
    /// Shorter than 100 ms.
    EveryTooShort = "every_too_short",
    /// Longer than 366 days.
    EveryTooLong = "every_too_long",
    /// `@at` without a date and time.
    AtMissing = "at_missing",
    /// A date and time that is not RFC 3339.
    AtSyntax = "at_syntax",
    /// A date or time of day that does not exist, or a year outside 1970-2199.
    AtOutOfRange = "at_out_of_range",
    /// A fraction finer than a millisecond.
    AtTooFine = "at_too_fine",
    /// No name behind `CRON_TZ=`, or an empty zone.
    TimeZoneMissing = "time_zone_missing",
    /// A time zone that is not in the IANA database.
    UnknownTimeZone = "unknown_time_zone",
    /// A calendar whose days are not known.
    UnknownCalendar = "unknown_calendar",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_different_texts() {
        let mut texts: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), ErrorCode::ALL.len());
    }
}
