//! The refusals of a single field, in words.

use super::error::{ErrorCode, Field, ScheduleError};
use super::field_spec::{FieldSpec, home_of_name, is_special};
use super::piece::Piece;

impl FieldSpec {
    fn refuse(
        &self,
        piece: Piece<'_>,
        code: ErrorCode,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> ScheduleError {
        piece.refuse(code, self.field, message, hint)
    }

    fn no_meaning(&self, piece: Piece<'_>, code: ErrorCode, hint: &str) -> ScheduleError {
        let message = format!(
            "{:?} has no meaning in the {} field",
            piece.text,
            self.field.words()
        );
        self.refuse(piece, code, message, hint)
    }

    /// What the field accepts, for hints.
    fn accepts(&self) -> String {
        let mut text = format!("write a number from {} to {}", self.min, self.max);
        if let [first, .., last] = self.names {
            text.push_str(&format!(" or a name from {first} to {last}"));
        }
        text
    }

    pub(super) fn empty_item(&self, item: Piece<'_>) -> ScheduleError {
        let message = format!("the {} field has an empty list item", self.field.words());
        let hint = "write a value on each side of a comma, and no comma at the ends";
        self.refuse(item, ErrorCode::EmptyItem, message, hint)
    }

    /// Points at the first character of a piece that no value has.
    pub(super) fn unexpected(&self, piece: Piece<'_>) -> ScheduleError {
        let may_be_named = !self.names.is_empty();
        let is_known = |character: char| {
            character.is_ascii_digit() || (may_be_named && character.is_ascii_alphabetic())
        };
        piece.refuse_character(self.field, is_known, self.accepts())
    }

    /// A word that is neither a number nor a name of this field.
    pub(super) fn not_a_value(&self, word: Piece<'_>) -> ScheduleError {
        let upper = word.text.to_ascii_uppercase();
        let is_word = !upper.is_empty() && upper.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_word {
            return self.unexpected(word);
        }
        if is_special(&upper) {
            return self.special_in_range(word);
        }
        if let Some(home) = home_of_name(&upper) {
            let field = self.field.words();
            let message = format!(
                "the name {:?} is not allowed in the {field} field",
                word.text
            );
            let hint = format!(
                "names like {:?} belong in the {} field",
                word.text,
                home.words()
            );
            return self.refuse(word, ErrorCode::NameInWrongField, message, hint);
        }
        if upper.starts_with(|first: char| first.is_ascii_digit()) {
            return word.refuse_character(
                self.field,
                |character| character.is_ascii_digit(),
                self.accepts(),
            );
        }
        let message = format!(
            "unknown name {:?} in the {} field",
            word.text,
            self.field.words()
        );
        match self.names.iter().find(|name| upper.starts_with(**name)) {
            Some(short) => self
                .refuse(
                    word,
                    ErrorCode::UnknownName,
                    message,
                    format!("write {short:?}"),
                )
                .suggest(*short),
            None => self.refuse(word, ErrorCode::UnknownName, message, self.accepts()),
        }
    }

    pub(super) fn out_of_range(&self, word: Piece<'_>) -> ScheduleError {
        let (min, max) = (self.min, self.max);
        let message = format!(
            "{} {} is out of range {min}-{max}",
            self.field.words(),
            word.text
        );
        let hint = match (self.field, word.number()) {
            (Field::Hour, 24) => "midnight is hour 0 of the next day".to_owned(),
            (Field::Second | Field::Minute, 60) => "write 0 for the full minute or hour".to_owned(),
            (Field::DayOfWeek, 1970..=2199) => {
                "a year needs all 7 fields: second minute hour day month weekday year".to_owned()
            }
            _ => self.accepts(),
        };
        self.refuse(word, ErrorCode::OutOfRange, message, hint)
    }

    pub(super) fn range_incomplete(&self, body: Piece<'_>) -> ScheduleError {
        let message = format!("the range {:?} has only one end", body.text);
        let hint = format!("write both ends, such as \"{}-{}\"", self.min, self.max);
        self.refuse(body, ErrorCode::RangeIncomplete, message, hint)
    }

    /// `high` comes with its value.
    pub(super) fn range_reversed(
        &self,
        item: Piece<'_>,
        low: Piece<'_>,
        (high, until): (Piece<'_>, u32),
        step: u32,
    ) -> ScheduleError {
        let step = if step == 1 {
            String::new()
        } else {
            format!("/{step}")
        };
        let (first, high_text) = (self.first_like(high), high.text);
        let better = match self.field {
            Field::Year => format!("{high_text}-{}{step}", low.text),
            Field::DayOfWeek if until == 0 => format!("{}-7{step}", low.text),
            _ => {
                let rest = format!("{}-{}{step}", low.text, self.max_like(low.text));
                let is_first = high_text.eq_ignore_ascii_case(&first);
                if is_first {
                    format!("{rest},{first}")
                } else {
                    format!("{rest},{first}-{high_text}{step}")
                }
            }
        };
        let message = format!("the range {:?} ends before it starts", item.text);
        let hint = format!("write \"{better}\"");
        self.refuse(item, ErrorCode::RangeReversed, message, hint)
            .suggest(better)
    }

    /// The value that follows the field's largest one, as the writer of `word` would write it.
    fn first_like(&self, word: Piece<'_>) -> String {
        let first = if self.field == Field::DayOfWeek {
            1
        } else {
            self.min
        };
        let name = self
            .named(word.text)
            .and_then(|_| self.names.get((first - self.min) as usize));
        name.map_or_else(|| first.to_string(), ToString::to_string)
    }

    pub(super) fn step_not_a_number(&self, step: Piece<'_>) -> ScheduleError {
        let hint = format!("write a step from 1 to {}", self.step_max);
        if step.text.is_empty() {
            return self.refuse(
                step,
                ErrorCode::StepMissing,
                "the step after \"/\" is missing",
                hint,
            );
        }
        step.refuse_character(self.field, |character| character.is_ascii_digit(), hint)
    }

    pub(super) fn step_out_of_range(&self, step: Piece<'_>, number: u32) -> ScheduleError {
        let max = self.step_max;
        let hint = format!("write a step from 1 to {max}");
        if number == 0 {
            return self.refuse(
                step,
                ErrorCode::StepZero,
                "a step of 0 would never move on",
                hint,
            );
        }
        let message = format!("step {} is out of range 1-{max}", step.text);
        self.refuse(step, ErrorCode::StepOutOfRange, message, hint)
    }

    pub(super) fn step_without_range(
        &self,
        item: Piece<'_>,
        body: Piece<'_>,
        value: u32,
    ) -> ScheduleError {
        let max = match self.field {
            Field::DayOfWeek if body.is_number() => self.star_max.max(value).to_string(),
            Field::DayOfWeek => "SAT".to_owned(),
            _ => self.max_like(body.text),
        };
        let better = format!("{}-{max}{}", body.text, &item.text[body.text.len()..]);
        let message = format!(
            "{:?} is read in different ways by different tools",
            item.text
        );
        let hint = format!("write \"{better}\"");
        self.refuse(item, ErrorCode::StepWithoutRange, message, hint)
            .suggest(better)
    }

    pub(super) fn special_in_range(&self, piece: Piece<'_>) -> ScheduleError {
        let message = format!("{:?} cannot be part of a range or have a step", piece.text);
        let hint = "write each day as an item of its own, apart by commas";
        self.refuse(piece, ErrorCode::SpecialInRange, message, hint)
    }

    pub(super) fn question_mark_in_wrong_field(&self, body: Piece<'_>) -> ScheduleError {
        self.no_meaning(body, ErrorCode::QuestionMarkInWrongField, "write \"*\"")
            .suggest("*")
    }

    pub(super) fn plus_in_wrong_field(&self, sign: Piece<'_>) -> ScheduleError {
        let hint = "write \"+\" only before the day-of-week field, to make both day fields count";
        self.no_meaning(sign, ErrorCode::PlusInWrongField, hint)
    }

    pub(super) fn last_offset(&self, body: Piece<'_>) -> ScheduleError {
        if self.field != Field::DayOfMonth {
            return self.last_in_wrong_field(body);
        }
        let message = format!(
            "{:?}, days before the last one, is not supported",
            body.text
        );
        let hint =
            "write \"L\" for the last day, \"LW\" for the last weekday, or the days as numbers";
        self.refuse(body, ErrorCode::LastOffset, message, hint)
    }

    pub(super) fn last_without_weekday(&self, body: Piece<'_>) -> ScheduleError {
        let message = "\"L\" alone does not say which weekday";
        let hint = "write \"FRIL\" for the last Friday of the month, or \"SAT\" for every Saturday";
        self.refuse(body, ErrorCode::LastWithoutWeekday, message, hint)
    }

    pub(super) fn last_in_wrong_field(&self, body: Piece<'_>) -> ScheduleError {
        let hint =
            "\"L\" belongs in the day-of-month field, \"FRIL\" or \"5L\" in the day-of-week field";
        self.no_meaning(body, ErrorCode::LastInWrongField, hint)
    }

    pub(super) fn nearest_in_wrong_field(&self, body: Piece<'_>) -> ScheduleError {
        let hint = "\"15W\" and \"LW\" belong in the day-of-month field";
        self.no_meaning(body, ErrorCode::NearestInWrongField, hint)
    }

    pub(super) fn nearest_without_day(&self, body: Piece<'_>) -> ScheduleError {
        let hint =
            "write \"15W\" for the weekday nearest to the 15th, or \"LW\" for the last weekday";
        self.refuse(
            body,
            ErrorCode::NearestWithoutDay,
            "\"W\" alone does not say which day",
            hint,
        )
    }

    pub(super) fn nth_in_wrong_field(&self, body: Piece<'_>) -> ScheduleError {
        let hint = "write \"d#n\", the n-th weekday d of the month, in the day-of-week field";
        self.no_meaning(body, ErrorCode::NthInWrongField, hint)
    }

    pub(super) fn nth_out_of_range(&self, weekday: Piece<'_>, count: Piece<'_>) -> ScheduleError {
        let day = weekday.text;
        let message = format!("{:?} is no count of weekdays in a month", count.text);
        let hint = format!("write \"{day}#1\" to \"{day}#5\", or \"{day}#L\" for the last one");
        self.refuse(count, ErrorCode::NthOutOfRange, message, hint)
    }

    pub(super) fn spread_in_wrong_field(&self, body: Piece<'_>) -> ScheduleError {
        self.no_meaning(
            body,
            ErrorCode::SpreadInWrongField,
            "write the years themselves",
        )
    }

    pub(super) fn spread_syntax(&self, body: Piece<'_>, spread_max: u32) -> ScheduleError {
        let message = format!("{:?} is not a spread over a range", body.text);
        let hint = format!(
            "write \"H({}-{spread_max})\" with your own limits",
            self.min
        );
        self.refuse(body, ErrorCode::SpreadSyntax, message, hint)
    }

    pub(super) fn spread_out_of_range(&self, until: Piece<'_>, spread_max: u32) -> ScheduleError {
        let message = format!(
            "\"H\" in the {} field goes up to {spread_max} only",
            self.field.words()
        );
        let hint = format!("write {spread_max} or less");
        self.refuse(until, ErrorCode::OutOfRange, message, hint)
            .suggest(spread_max.to_string())
    }
}
