//! One field of a cron pattern: lists of values, ranges, steps, names and the special day forms.

use super::days::NTH_LAST;
use super::error::{ErrorCode, Field, ScheduleError};
use super::field_spec::{FieldSpec, is_last_weekday, is_nearest, is_special};
use super::piece::Piece;
use super::spread::spread_number;

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
            return Err(spec.plus_in_wrong_field(Piece { text: "+", ..text }));
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
        let spec = self.spec;
        let (body, step) = match item.split_once('/') {
            Some((body, step)) => (body, Some(self.step(step)?)),
            None => (item, None),
        };
        match body.text.as_bytes() {
            [] if step.is_none() => return Err(spec.empty_item(item)),
            [] => return Err(spec.unexpected(item)),
            [b'?'] if !matches!(spec.field, Field::DayOfMonth | Field::DayOfWeek) => {
                return Err(spec.question_mark_in_wrong_field(body));
            }
            [b'*' | b'?'] => self.add_range(spec.min, spec.star_max, step.unwrap_or(1)),
            [b'*' | b'?', ..] => return Err(spec.unexpected(body.skip(1))),
            [b'h' | b'H'] | [b'h' | b'H', b'(', ..] => self.spread(body, step)?,
            text if text.contains(&b'#') => self.nth(body, step.is_some())?,
            text if text.contains(&b'-') => self.range(item, body, step.unwrap_or(1))?,
            _ => self.single(item, body, step)?,
        }
        Ok(())
    }

    fn step(&self, step: Piece<'_>) -> Result<u32, ScheduleError> {
        if step.text.is_empty() || !step.is_number() {
            return Err(self.spec.step_not_a_number(step));
        }
        match step.number() {
            number if (1..=self.spec.step_max).contains(&number) => Ok(number),
            number => Err(self.spec.step_out_of_range(step, number)),
        }
    }

    fn range(&mut self, item: Piece<'_>, body: Piece<'_>, step: u32) -> Result<(), ScheduleError> {
        let spec = self.spec;
        let (low, high) = body.split_once('-').unwrap_or((body, body));
        if low.text.eq_ignore_ascii_case("L") || low.text.eq_ignore_ascii_case("LW") {
            return Err(spec.last_offset(body));
        }
        if low.text.is_empty() || high.text.is_empty() {
            return Err(spec.range_incomplete(body));
        }
        let from = self.value(low)?;
        let mut until = self.value(high)?;
        // Sunday has two numbers; as the end of a range it is the later one.
        if spec.field == Field::DayOfWeek && until == 0 && from > 0 && !high.is_number() {
            until = 7;
        }
        if from > until {
            return Err(spec.range_reversed(item, low, (high, until), step));
        }
        self.add_range(from, until, step);
        Ok(())
    }

    /// A value standing alone, or one of `L`, `LW`, `nW`, `dL`.
    fn single(
        &mut self,
        item: Piece<'_>,
        body: Piece<'_>,
        step: Option<u32>,
    ) -> Result<(), ScheduleError> {
        let upper = body.text.to_ascii_uppercase();
        if is_special(&upper) {
            return if step.is_some() {
                Err(self.spec.special_in_range(body))
            } else {
                self.special(body, &upper)
            };
        }
        let value = self.value(body)?;
        if step.is_some() {
            return Err(self.spec.step_without_range(item, body, value));
        }
        self.add(value);
        Ok(())
    }

    /// `L`, `LW`, `nW` and `dL`; `upper` is the text in capitals.
    fn special(&mut self, body: Piece<'_>, upper: &str) -> Result<(), ScheduleError> {
        let spec = self.spec;
        let day = Piece {
            text: &body.text[..body.text.len() - 1],
            ..body
        };
        match (upper, spec.field) {
            ("L", Field::DayOfMonth) => self.set.last = true,
            ("LW", Field::DayOfMonth) => self.set.last_weekday = true,
            ("W", Field::DayOfMonth) => return Err(spec.nearest_without_day(body)),
            ("L", Field::DayOfWeek) => return Err(spec.last_without_weekday(body)),
            ("W", _) => return Err(spec.nearest_in_wrong_field(body)),
            (_, Field::DayOfMonth) if is_nearest(upper) => {
                self.set.nearest |= 1 << self.value(day)?;
            }
            (_, Field::DayOfWeek) if is_last_weekday(upper) => {
                self.set.nth |= 1 << (NTH_LAST + self.value(day)? % 7);
            }
            _ if is_nearest(upper) => return Err(spec.nearest_in_wrong_field(body)),
            _ => return Err(spec.last_in_wrong_field(body)),
        }
        Ok(())
    }

    /// `d#1` to `d#5` and `d#L`.
    fn nth(&mut self, body: Piece<'_>, has_step: bool) -> Result<(), ScheduleError> {
        let Some((weekday, count)) = body.split_once('#') else {
            return Ok(());
        };
        if self.spec.field != Field::DayOfWeek {
            return Err(self.spec.nth_in_wrong_field(body));
        }
        if has_step || weekday.text.contains('-') {
            return Err(self.spec.special_in_range(body));
        }
        let day = self.value(weekday)? % 7;
        self.set.nth |= match count.text {
            "L" | "l" => 1 << (NTH_LAST + day),
            "1" | "2" | "3" | "4" | "5" => 1 << ((count.number() - 1) * 7 + day),
            _ => return Err(self.spec.nth_out_of_range(weekday, count)),
        };
        Ok(())
    }

    /// `H`, `H(a-b)`, `H/n`, `H(a-b)/n`.
    fn spread(&mut self, body: Piece<'_>, step: Option<u32>) -> Result<(), ScheduleError> {
        let spec = self.spec;
        let Some((index, spread_max)) = spec.spread else {
            return Err(spec.spread_in_wrong_field(body));
        };
        let (mut low, mut high) = (spec.min, spread_max);
        if body.text.len() > 1 {
            let (from, until) =
                spread_ends(body).ok_or_else(|| spec.spread_syntax(body, spread_max))?;
            (low, high) = (self.value(from)?, self.value(until)?);
            if high > spread_max {
                return Err(spec.spread_out_of_range(until, spread_max));
            }
            if low > high {
                let message = format!("the range of {:?} ends before it starts", body.text);
                let better = format!("H({}-{})", until.text, from.text);
                let hint = format!("write \"{better}\"");
                let error = body.refuse(ErrorCode::RangeReversed, spec.field, message, hint);
                return Err(error.suggest(better));
            }
        }
        let count = high - low + 1;
        let number = spread_number(self.job, index);
        match step {
            None => self.add(low + (number % u64::from(count)) as u32),
            Some(step) => {
                self.add_range(
                    low + (number % u64::from(step.min(count))) as u32,
                    high,
                    step,
                );
            }
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
                Err(spec.out_of_range(word))
            };
        }
        spec.named(word.text).ok_or_else(|| spec.not_a_value(word))
    }

    fn add_range(&mut self, from: u32, until: u32, step: u32) {
        for value in (from..=until).step_by(step as usize) {
            self.add(value);
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
}

/// The two ends of `H(a-b)`, if that is what the text is.
fn spread_ends(body: Piece<'_>) -> Option<(Piece<'_>, Piece<'_>)> {
    let text = body.text.get(2..)?.strip_suffix(')')?;
    let (from, until) = Piece {
        text,
        column: body.column + 2,
    }
    .split_once('-')?;
    (!from.text.is_empty() && !until.text.is_empty()).then_some((from, until))
}
