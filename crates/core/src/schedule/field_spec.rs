//! What each field of a cron pattern may hold.

use super::error::Field;

/// The range, names and special rules of a field.
#[derive(Debug)]
pub(super) struct FieldSpec {
    pub(super) field: Field,
    pub(super) min: u32,
    pub(super) max: u32,
    /// The largest value of `*`; less than `max` only where 7 is a second name of Sunday.
    pub(super) star_max: u32,
    pub(super) step_max: u32,
    /// The field's number for `H`, and the largest value `H` may take.
    pub(super) spread: Option<(u8, u32)>,
    /// Three-letter names, the first one for `min`.
    pub(super) names: &'static [&'static str],
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
    /// The value of a name, in any case.
    pub(super) fn named(&self, word: &str) -> Option<u32> {
        let place = self
            .names
            .iter()
            .position(|name| name.eq_ignore_ascii_case(word))?;
        Some(self.min + place as u32)
    }

    /// The largest value as the writer of `word` would write it: a name beside names, else a number.
    pub(super) fn max_like(&self, word: &str) -> String {
        match (self.field, self.named(word)) {
            (Field::DayOfWeek, Some(_)) => "SUN".to_owned(),
            (Field::Month, Some(_)) => "DEC".to_owned(),
            _ => self.max.to_string(),
        }
    }
}

/// Whether a word (in capitals) is `L`, `W`, or ends in one of them as `LW`, `nW` and `dL` do.
pub(super) fn is_special(word: &str) -> bool {
    matches!(word, "L" | "W") || is_nearest(word) || is_last_weekday(word)
}

/// `nW` or `LW`, in capitals.
pub(super) fn is_nearest(word: &str) -> bool {
    word.strip_suffix('W')
        .is_some_and(|day| day == "L" || is_digits(day))
}

/// `dL`, in capitals.
pub(super) fn is_last_weekday(word: &str) -> bool {
    word.strip_suffix('L')
        .is_some_and(|day| WEEKDAY_NAMES.contains(&day) || is_digits(day))
}

/// The field to which a name (in capitals) belongs.
pub(super) fn home_of_name(word: &str) -> Option<Field> {
    if MONTH_NAMES.contains(&word) {
        Some(Field::Month)
    } else if WEEKDAY_NAMES.contains(&word) {
        Some(Field::DayOfWeek)
    } else {
        None
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
