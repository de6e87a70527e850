//! One field of a cron pattern: lists of values, ranges, steps, names and the special day forms.

use super::days::NTH_LAST;
use super::error::{ErrorCode, Field, ScheduleError};
use super::piece::Piece;
use super::spread::spread_number;

/// What a field may hold.
#[derive(Debug)]
pub(super) struct FieldSpec {
    pub(super) field: Field,
    pub(super) min: u32,
    pub(super) max: u32,
    /// The largest value of `*`; less than `max` only where 7 is a second name of Sunday.
    star_max: u32,
    step_max: u32,
    /// The field's number for `H`, and the largest value `H` may take.
    spread: Option<(u8, u32)>,
    /// Three-letter names, the first one for `min`.
    names: &'static [&'static str],
}

const MONTH_NAMES: &[&str] = &[
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAY_NAMES: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const fn plain(field: Field, min: u32, max: u32, spread: Option<(u8, u32)>) -> FieldSpec {
    FieldSpec {
        field,
        min,
        max,
        star_max: max,
        step_max: max,
        spread,
        names: &[],
    }
}

pub(super) static SECOND: FieldSpec = plain(Field::Second, 0, 59, Some((0, 59)));
pub(super) static MINUTE: FieldSpec = plain(Field::Minute, 0, 59, Some((1, 59)));
pub(super) static HOUR: FieldSpec = plain(Field::Hour, 0, 23, Some((2, 23)));
pub(super) static DAY_OF_MONTH: FieldSpec = plain(Field::DayOfMonth, 1, 31, Some((3, 28)));
pub(super) static MONTH: FieldSpec = FieldSpec {
    names: MONTH_NAMES,
    ..plain(Field::Month, 1, 12, Some((4, 12)))
};
pub(super) static DAY_OF_WEEK: FieldSpec = FieldSpec {
    names: WEEKDAY_NAMES,
    star_max: 6,
    ..plain(Field::DayOfWeek, 0, 7, Some((5, 6)))
};
pub(super) static YEAR: FieldSpec = FieldSpec {
    step_max: 229,
    ..plain(Field::Year, 1970, 2199, None)
};

impl FieldSpec {
    fn range_text(&self) -> String {
        format!("{}-{}", self.min, self.max)
    }

    fn named(&self, word: &str) -> Option<u32> {
        let place = self
            .names
            .iter()
            .position(|name| name.eq_ignore_ascii_case(word))?;
        Some(self.min + place as u32)
    }

    /// What the field accepts, for hints.
    fn accepts(&self) -> String {
        let mut text = format!("write a number from {} to {}", self.min, self.max);
        if let [first, .., last] = self.names {
            text.push_str(&format!(" or a name from {first} to {last}"));
        }
        text
    }
}

/// The values of one field.
#[derive(Clone, Debug, Default)]
pub(super) struct FieldSet {
    /// Bit `value`, or `value - 1970` for years.
    pub(super) words: [u64; 4],
    /// The field begins with `*` or `?`.
    pub(super) star: bool,
    /// The field begins with `+`.
    pub(super) plus: bool,
    /// `nW`: bit n.
    pub(super) nearest: u32,
    /// `d#n` and `dL`, as in `DayRule::nth`.
    pub(super) nth: u64,
    /// `L`.
    pub(super) last: bool,
    /// `LW`.
    pub(super) last_weekday: bool,
}

/// Reads one field; `job` seeds `H`.
pub(super) fn parse_field(
    spec: &FieldSpec,
    text: Piece<'_>,
    job: u128,
) -> Result<FieldSet, ScheduleError> {
    let mut reader = FieldReader {
        spec,
        job,
        set: FieldSet::default(),
    };
    let mut list = text;
    if text.text.starts_with('+') {
        if spec.field != Field::DayOfWeek {
            let sign = Piece { text: "+", ..text };
            let message = format!("\"+\" has no meaning in the {} field", spec.field.words());
            let hint =
                "write \"+\" only before the day-of-week field, to make both day fields count";
            return Err(sign.refuse(ErrorCode::PlusInWrongField, spec.field, message, hint));
        }
        reader.set.plus = true;
        list = text.skip(1);
    }
    reader.set.star = list.text.starts_with(['*', '?']);
    for item in list.split(',') {
        reader.item(item)?;
    }
    Ok(reader.set)
}

struct FieldReader<'a> {
    spec: &'a FieldSpec,
    job: u128,
    set: FieldSet,
}

impl FieldReader<'_> {
    fn item(&mut self, item: Piece<'_>) -> Result<(), ScheduleError> {
        if item.text.is_empty() {
            let message = format!(
                "the {} field has an empty list item",
                self.spec.field.words()
            );
            let hint = "write a value on each side of a comma, and no comma at the ends";
            return Err(item.refuse(ErrorCode::EmptyItem, self.spec.field, message, hint));
        }
        let (body, step) = match item.split_once('/') {
            Some((body, step)) => (body, Some(self.step(step)?)),
            None => (item, None),
        };
        match body.text.as_bytes() {
            [b'*'] => self.add_range(self.spec.min, self.spec.star_max, step.unwrap_or(1)),
            [b'?'] => self.question_mark(body, step)?,
            [b'h' | b'H'] | [b'h' | b'H', b'(', ..] => self.spread(body, step)?,
            [] | [b'*' | b'?', ..] => {
                return Err(self.unexpected(if body.text.is_empty() {
                    item
                } else {
                    body.skip(1)
                }));
            }
            _ if body.text.contains('#') => self.nth(body, step.is_some())?,
            _ if body.text.contains('-') => self.range(body, step.unwrap_or(1))?,
            _ => self.single(body, step)?,
        }
        Ok(())
    }

    fn question_mark(&mut self, body: Piece<'_>, step: Option<u32>) -> Result<(), ScheduleError> {
        if !matches!(self.spec.field, Field::DayOfMonth | Field::DayOfWeek) {
            let message = format!(
                "\"?\" has no meaning in the {} field",
                self.spec.field.words()
            );
            let error = body.refuse(
                ErrorCode::QuestionMarkInWrongField,
                self.spec.field,
                message,
                "write \"*\"",
            );
            return Err(error.suggest("*"));
        }
        self.add_range(self.spec.min, self.spec.star_max, step.unwrap_or(1));
        Ok(())
    }

    fn step(&self, step: Piece<'_>) -> Result<u32, ScheduleError> {
        let (field, max) = (self.spec.field, self.spec.step_max);
        let hint = format!("write a step from 1 to {max}");
        if step.text.is_empty() {
            return Err(step.refuse(
                ErrorCode::StepMissing,
                field,
                "the step after \"/\" is missing",
                hint,
            ));
        }
        if !step.is_number() {
            return Err(step.refuse_character(field, |character| character.is_ascii_digit(), hint));
        }
        match step.number() {
            0 => {
                let message = "a step of 0 would never move on";
                Err(step.refuse(ErrorCode::StepZero, field, message, hint))
            }
            number if number > max => {
                let message = format!("step {} is out of range 1-{max}", step.text);
                Err(step.refuse(ErrorCode::StepOutOfRange, field, message, hint))
            }
            number => Ok(number),
        }
    }

    fn range(&mut self, body: Piece<'_>, step: u32) -> Result<(), ScheduleError> {
        let (low, high) = body.split_once('-').unwrap_or((body, body));
        if low.text.eq_ignore_ascii_case("L") || low.text.eq_ignore_ascii_case("LW") {
            return Err(self.last_offset(body));
        }
        if low.text.is_empty() || high.text.is_empty() {
            let message = format!("the range {:?} has only one end", body.text);
            let hint = format!("write both ends, such as \"{}\"", self.spec.range_text());
            return Err(body.refuse(ErrorCode::RangeIncomplete, self.spec.field, message, hint));
        }
        let from = self.value(low)?;
        let mut until = self.value(high)?;
        // Sunday has two numbers; as the end of a range it is the later one.
        if self.spec.field == Field::DayOfWeek && until == 0 && from > 0 && !high.is_number() {
            until = 7;
        }
        if from > until {
            return Err(self.range_reversed(body, low, high, step));
        }
        self.add_range(from, until, step);
        Ok(())
    }

    fn range_reversed(
        &self,
        body: Piece<'_>,
        low: Piece<'_>,
        high: Piece<'_>,
        step: u32,
    ) -> ScheduleError {
        let spec = self.spec;
        let message = format!("the range {:?} ends before it starts", body.text);
        let step = if step == 1 {
            String::new()
        } else {
            format!("/{step}")
        };
        let suggestion = match spec.field {
            Field::Year => format!("{}-{}{step}", high.text, low.text),
            Field::DayOfWeek if high.text == "0" => format!("{}-7{step}", low.text),
            Field::DayOfWeek if high.is_number() => {
                format!("{}-7{step},{}", low.text, head(1, high, &step))
            }
            Field::DayOfWeek => format!("{}-SUN{step},{}", low.text, head(1, high, &step)),
            _ => format!(
                "{}-{}{step},{}",
                low.text,
                spec.max,
                head(spec.min, high, &step)
            ),
        };
        let hint = format!("write \"{suggestion}\"");
        body.refuse(ErrorCode::RangeReversed, spec.field, message, hint)
            .suggest(suggestion)
    }

    fn last_offset(&self, body: Piece<'_>) -> ScheduleError {
        let (field, message) = (
            self.spec.field,
            format!(
                "{:?}, days before the last one, is not supported",
                body.text
            ),
        );
        if field != Field::DayOfMonth {
            return self.last_in_wrong_field(body);
        }
        let hint =
            "write \"L\" for the last day, \"LW\" for the last weekday, or the days as numbers";
        body.refuse(ErrorCode::LastOffset, field, message, hint)
    }

    /// A value standing alone, or one of `L`, `LW`, `nW`, `dL`.
    fn single(&mut self, body: Piece<'_>, step: Option<u32>) -> Result<(), ScheduleError> {
        if !self.special(body)? {
            let value = self.value(body)?;
            if let Some(step) = step {
                return Err(self.step_without_range(body, step));
            }
            self.add(value);
        } else if step.is_some() {
            return Err(self.special_in_range(body));
        }
        Ok(())
    }

    /// Reads `L`, `LW`, `nW` and `dL`; says whether the text was one of them.
    fn special(&mut self, body: Piece<'_>) -> Result<bool, ScheduleError> {
        let upper = body.text.to_ascii_uppercase();
        if self.spec.named(&upper).is_some() {
            return Ok(false);
        }
        let is_day_of_month = self.spec.field == Field::DayOfMonth;
        match upper.as_str() {
            "L" if is_day_of_month => self.set.last = true,
            "L" if self.spec.field == Field::DayOfWeek => {
                return Err(self.last_without_weekday(body));
            }
            "L" => return Err(self.last_in_wrong_field(body)),
            "LW" if is_day_of_month => self.set.last_weekday = true,
            "W" if is_day_of_month => return Err(self.nearest_without_day(body)),
            _ => {
                if let Some(day) = upper.strip_suffix('W').filter(|day| is_digits_or(day, "L")) {
                    if !is_day_of_month {
                        return Err(self.nearest_in_wrong_field(body));
                    }
                    self.set.nearest |= 1 << self.value(Piece { text: day, ..body })?;
                } else if let Some(day) = upper.strip_suffix('L').filter(|day| is_weekday(day)) {
                    if self.spec.field != Field::DayOfWeek {
                        return Err(self.last_in_wrong_field(body));
                    }
                    let weekday = self.value(Piece { text: day, ..body })? % 7;
                    self.set.nth |= 1 << (NTH_LAST + weekday);
                } else {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// `d#1` to `d#5` and `d#L`.
    fn nth(&mut self, body: Piece<'_>, has_step: bool) -> Result<(), ScheduleError> {
        let field = self.spec.field;
        let Some((weekday, count)) = body.split_once('#') else {
            return Ok(());
        };
        if field != Field::DayOfWeek {
            let message = format!("\"#\" has no meaning in the {} field", field.words());
            let hint = "write \"d#n\", the n-th weekday d of the month, in the day-of-week field";
            return Err(body.refuse(ErrorCode::NthInWrongField, field, message, hint));
        }
        if has_step || weekday.text.contains('-') {
            return Err(self.special_in_range(body));
        }
        let day = self.value(weekday)? % 7;
        self.set.nth |= match count.text {
            "L" | "l" => 1 << (NTH_LAST + day),
            "1" | "2" | "3" | "4" | "5" => 1 << ((count.number() - 1) * 7 + day),
            _ => {
                let message = format!("{:?} does not say which weekday of the month", body.text);
                let hint = format!(
                    "write \"{0}#1\" to \"{0}#5\", or \"{0}#L\" for the last one",
                    weekday.text
                );
                return Err(count.refuse(ErrorCode::NthOutOfRange, field, message, hint));
            }
        };
        Ok(())
    }

    /// `H`, `H(a-b)`, `H/n`, `H(a-b)/n`.
    fn spread(&mut self, body: Piece<'_>, step: Option<u32>) -> Result<(), ScheduleError> {
        let spec = self.spec;
        let Some((index, spread_max)) = spec.spread else {
            let message = format!("\"H\" has no meaning in the {} field", spec.field.words());
            let hint = "write the years themselves";
            return Err(body.refuse(ErrorCode::SpreadInWrongField, spec.field, message, hint));
        };
        let (mut low, mut high) = (spec.min, spread_max);
        if let Some(range) = body.text.get(1..).filter(|range| !range.is_empty()) {
            let ends = range
                .strip_prefix('(')
                .and_then(|range| range.strip_suffix(')'));
            let ends = ends.and_then(|text| {
                Piece {
                    text,
                    column: body.column + 2,
                }
                .split_once('-')
            });
            let Some((from, until)) =
                ends.filter(|(from, until)| !from.text.is_empty() && !until.text.is_empty())
            else {
                let message = format!("{:?} is not a spread over a range", body.text);
                let hint = format!(
                    "write \"H({}-{spread_max})\" with your own limits",
                    spec.min
                );
                return Err(body.refuse(ErrorCode::SpreadSyntax, spec.field, message, hint));
            };
            (low, high) = (self.value(from)?, self.value(until)?);
            if high > spread_max {
                let message = format!(
                    "\"H\" in the {} field goes up to {spread_max} only",
                    spec.field.words()
                );
                let hint = format!("write \"H({low}-{spread_max})\"");
                return Err(until
                    .refuse(ErrorCode::OutOfRange, spec.field, message, hint)
                    .suggest(spread_max.to_string()));
            }
            if low > high {
                let message = format!(
                    "the range \"{}-{}\" ends before it starts",
                    from.text, until.text
                );
                let hint = format!("write \"H({}-{})\"", until.text, from.text);
                return Err(body.refuse(ErrorCode::RangeReversed, spec.field, message, hint));
            }
        }
        let count = high - low + 1;
        let number = spread_number(self.job, index);
        match step {
            None => self.add(low + (number % u64::from(count)) as u32),
            Some(step) => self.add_range(
                low + (number % u64::from(step.min(count))) as u32,
                high,
                step,
            ),
        }
        Ok(())
    }

    /// A number or a name.
    fn value(&self, word: Piece<'_>) -> Result<u32, ScheduleError> {
        let spec = self.spec;
        if word.is_number() {
            let number = word.number();
            return if (spec.min..=spec.max).contains(&number) {
                Ok(number)
            } else {
                Err(self.out_of_range(word))
            };
        }
        if let Some(value) = spec.named(word.text) {
            return Ok(value);
        }
        if word.text.is_empty() || !word.text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(self.unexpected(word));
        }
        let upper = word.text.to_ascii_uppercase();
        if is_special(&upper) {
            return Err(self.special_in_range(word));
        }
        Err(self.unknown_name(word, &upper))
    }

    fn add_range(&mut self, from: u32, until: u32, step: u32) {
        let mut value = from;
        while value <= until {
            self.add(value);
            value += step;
        }
    }

    fn add(&mut self, value: u32) {
        let bit = match self.spec.field {
            Field::Year => value - self.spec.min,
            Field::DayOfWeek => value % 7,
            _ => value,
        };
        self.set.words[bit as usize / 64] |= 1 << (bit % 64);
    }

    fn out_of_range(&self, word: Piece<'_>) -> ScheduleError {
        let spec = self.spec;
        let message = format!(
            "{} {} is out of range {}",
            spec.field.words(),
            word.text,
            spec.range_text()
        );
        let hint = match (spec.field, word.number()) {
            (Field::Hour, 24) => "midnight is hour 0 of the next day".to_owned(),
            (Field::Second | Field::Minute, 60) => "write 0 for the full minute or hour".to_owned(),
            (Field::DayOfWeek, 1970..=2199) => {
                "a year needs all 7 fields: second minute hour day month weekday year".to_owned()
            }
            _ => spec.accepts(),
        };
        word.refuse(ErrorCode::OutOfRange, spec.field, message, hint)
    }

    fn unknown_name(&self, word: Piece<'_>, upper: &str) -> ScheduleError {
        let spec = self.spec;
        for (names, home) in [(MONTH_NAMES, "month"), (WEEKDAY_NAMES, "day-of-week")] {
            if spec.names != names && names.contains(&upper) {
                let message = format!(
                    "the name {:?} is not allowed in the {} field",
                    word.text,
                    spec.field.words()
                );
                let hint = format!("names like {:?} belong in the {home} field", word.text);
                return word.refuse(ErrorCode::NameInWrongField, spec.field, message, hint);
            }
        }
        if spec.names.is_empty() && upper.starts_with(|first: char| first.is_ascii_digit()) {
            return self.unexpected(word);
        }
        let message = format!(
            "unknown name {:?} in the {} field",
            word.text,
            spec.field.words()
        );
        let short = spec.names.iter().find(|name| upper.starts_with(**name));
        let error = word.refuse(
            ErrorCode::UnknownName,
            spec.field,
            message,
            match short {
                Some(name) => format!("write {name:?}"),
                None => spec.accepts(),
            },
        );
        match short {
            Some(name) => error.suggest(*name),
            None => error,
        }
    }

    fn unexpected(&self, piece: Piece<'_>) -> ScheduleError {
        let may_be_named = !self.spec.names.is_empty();
        let is_known = |character: char| {
            character.is_ascii_digit() || (may_be_named && character.is_ascii_alphabetic())
        };
        piece.refuse_character(self.spec.field, is_known, self.spec.accepts())
    }

    fn step_without_range(&self, body: Piece<'_>, step: u32) -> ScheduleError {
        let spec = self.spec;
        let max = if spec.field == Field::DayOfWeek {
            6.max(body.number().min(7))
        } else {
            spec.max
        };
        let suggestion = format!("{}-{max}/{step}", body.text);
        let found = format!("{}/{step}", body.text);
        let message = format!("{found:?} is read in different ways by different tools");
        let hint = format!("write \"{suggestion}\"");
        ScheduleError::new(
            ErrorCode::StepWithoutRange,
            spec.field,
            body.column,
            &found,
            message,
            hint,
        )
        .suggest(suggestion)
    }

    fn special_in_range(&self, piece: Piece<'_>) -> ScheduleError {
        let message = format!("{:?} cannot be part of a range or have a step", piece.text);
        piece.refuse(
            ErrorCode::SpecialInRange,
            self.spec.field,
            message,
            "write each day as an item of its own, apart by commas",
        )
    }

    fn last_without_weekday(&self, body: Piece<'_>) -> ScheduleError {
        let hint = "write \"FRIL\" for the last Friday of the month, or \"SAT\" for every Saturday";
        let message = "\"L\" alone does not say which weekday";
        body.refuse(
            ErrorCode::LastWithoutWeekday,
            self.spec.field,
            message,
            hint,
        )
    }

    fn last_in_wrong_field(&self, body: Piece<'_>) -> ScheduleError {
        let message = format!(
            "{:?} has no meaning in the {} field",
            body.text,
            self.spec.field.words()
        );
        let hint =
            "\"L\" belongs in the day-of-month field, \"FRIL\" or \"5L\" in the day-of-week field";
        body.refuse(ErrorCode::LastInWrongField, self.spec.field, message, hint)
    }

    fn nearest_in_wrong_field(&self, body: Piece<'_>) -> ScheduleError {
        let message = format!(
            "{:?} has no meaning in the {} field",
            body.text,
            self.spec.field.words()
        );
        body.refuse(
            ErrorCode::NearestInWrongField,
            self.spec.field,
            message,
            "\"15W\" and \"LW\" belong in the day-of-month field",
        )
    }

    fn nearest_without_day(&self, body: Piece<'_>) -> ScheduleError {
        let hint =
            "write \"15W\" for the weekday nearest to the 15th, or \"LW\" for the last weekday";
        body.refuse(
            ErrorCode::NearestWithoutDay,
            self.spec.field,
            "\"W\" alone does not say which day",
            hint,
        )
    }
}

/// The second half of a range that was split at the field's end.
fn head(min: u32, high: Piece<'_>, step: &str) -> String {
    if high.is_number() && high.number() == min {
        high.text.to_owned()
    } else if high.is_number() {
        format!("{min}-{}{step}", high.text)
    } else {
        first_name_to(high.text, step)
    }
}

fn first_name_to(name: &str, step: &str) -> String {
    let upper = name.to_ascii_uppercase();
    let first = if MONTH_NAMES.contains(&upper.as_str()) {
        "JAN"
    } else {
        "MON"
    };
    if upper == first {
        upper
    } else {
        format!("{first}-{name}{step}")
    }
}

fn is_digits_or(text: &str, other: &str) -> bool {
    text == other || (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_weekday(upper: &str) -> bool {
    WEEKDAY_NAMES.contains(&upper) || is_digits_or(upper, "SUN")
}

fn is_special(upper: &str) -> bool {
    matches!(upper, "L" | "LW" | "W")
        || upper
            .strip_suffix('W')
            .is_some_and(|day| is_digits_or(day, "L"))
        || upper.strip_suffix('L').is_some_and(is_weekday)
}
