//! From the text of a schedule to its plan.

use std::sync::Arc;

use super::at::parse_at;
use super::cron::Cron;
use super::days::DayRule;
use super::error::{ErrorCode, Field, ScheduleError};
use super::every::Every;
use super::field::{FieldSet, parse_field};
use super::field_spec::{DAY_OF_MONTH, DAY_OF_WEEK, HOUR, MINUTE, MONTH, SECOND, YEAR};
use super::pattern::{Pattern, Years};
use super::piece::Piece;
use super::walk::DstRule;
use super::zone::{Zone, similar_name};
use super::{ActiveSpan, Context, Plan, Schedule};

/// The longest schedule text, in characters.
pub const TEXT_LEN_MAX: usize = 256;

/// Macros and the 5-field text each one stands for.
pub(super) const MACROS: &[(&str, &str)] = &[
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
    ("@minutely", "* * * * *"),
];

pub(super) fn parse(text: &str, context: &Context<'_>) -> Result<Schedule, ScheduleError> {
    check_characters(text)?;
    let whole = Piece { text, column: 1 }.trim();
    let (zone, rest) = split_zone(whole, context)?;
    if rest.text.is_empty() {
        let hint = "write a cron expression such as \"30 2 * * *\", or \"@every 10m\"";
        return Err(rest.refuse(
            ErrorCode::Empty,
            Field::Expression,
            "the schedule is empty",
            hint,
        ));
    }
    let plan = if rest.text.starts_with('@') {
        parse_macro(rest, &zone, context)?
    } else {
        parse_cron(rest, &zone, context.spread)?
    };
    Ok(Schedule {
        plan,
        zone,
        active: ActiveSpan::default(),
        calendar: None,
    })
}

fn check_characters(text: &str) -> Result<(), ScheduleError> {
    let length = text.chars().count();
    if length > TEXT_LEN_MAX {
        let message = format!("the schedule is {length} characters long, more than {TEXT_LEN_MAX}");
        let hint = format!(
            "use at most {TEXT_LEN_MAX} characters; ranges and steps are shorter than lists"
        );
        return Err(ScheduleError::new(
            ErrorCode::TooLong,
            Field::Expression,
            TEXT_LEN_MAX + 1,
            "",
            message,
            hint,
        ));
    }
    let Some((place, character)) = text
        .chars()
        .enumerate()
        .find(|(_, character)| !character.is_ascii())
    else {
        return Ok(());
    };
    let message = format!("the character {character:?} is not plain ASCII");
    let found = character.to_string();
    let error = |hint: String| {
        ScheduleError::new(
            ErrorCode::NonAscii,
            Field::Expression,
            place + 1,
            &found,
            message,
            hint,
        )
    };
    Err(match ascii_twin(character) {
        Some(twin) => error(format!("write {twin:?}")).suggest(twin),
        None => error("use only digits, Latin letters and the signs of cron".to_owned()),
    })
}

/// The ASCII character that a full-width or typographic one stands for.
fn ascii_twin(character: char) -> Option<char> {
    match character {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(character) - 0xfee0),
        '\u{3000}' | '\u{a0}' => Some(' '),
        '\u{3001}' => Some(','),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Some('-'),
        '\u{00d7}' | '\u{2217}' => Some('*'),
        _ => None,
    }
}

/// Takes a `CRON_TZ=` or `TZ=` prefix off; without one the zone of the context holds.
fn split_zone<'a>(
    whole: Piece<'a>,
    context: &Context<'_>,
) -> Result<(Arc<Zone>, Piece<'a>), ScheduleError> {
    let (first, rest) = whole.split_word();
    let named = first.split_once('=').filter(|(key, _)| {
        key.text.eq_ignore_ascii_case("CRON_TZ") || key.text.eq_ignore_ascii_case("TZ")
    });
    match named {
        Some((_, name)) => Ok((find_zone(name)?, rest)),
        None => Ok((
            find_zone(Piece {
                text: context.zone,
                column: 1,
            })?,
            whole,
        )),
    }
}

fn find_zone(name: Piece<'_>) -> Result<Arc<Zone>, ScheduleError> {
    if name.text.is_empty() {
        let hint = "write an IANA name such as \"Asia/Shanghai\" or \"UTC\"";
        return Err(name.refuse(
            ErrorCode::TimeZoneMissing,
            Field::TimeZone,
            "the time zone is missing",
            hint,
        ));
    }
    if let Some(zone) = Zone::named(name.text) {
        return Ok(zone);
    }
    let message = format!("unknown time zone {:?}", name.text);
    Err(match similar_name(name.text) {
        Some(similar) => name
            .refuse(
                ErrorCode::UnknownTimeZone,
                Field::TimeZone,
                message,
                format!("did you mean {similar:?}?"),
            )
            .suggest(similar),
        None => {
            let hint = "write an IANA name such as \"Asia/Shanghai\" or \"UTC\"";
            name.refuse(ErrorCode::UnknownTimeZone, Field::TimeZone, message, hint)
        }
    })
}

fn parse_macro(
    text: Piece<'_>,
    zone: &Arc<Zone>,
    context: &Context<'_>,
) -> Result<Plan, ScheduleError> {
    let (word, argument) = text.split_word();
    let name = word.text.to_ascii_lowercase();
    match name.as_str() {
        "@every" => return Every::parse(argument).map(Plan::Every),
        "@at" => return parse_at(argument, zone).map(Plan::At),
        _ => {}
    }
    let expansion = MACROS.iter().find(|(known, _)| *known == name);
    if expansion.is_none() && name != "@reboot" {
        let message = format!("unknown macro {:?}", word.text);
        let hint =
            "write @yearly, @monthly, @weekly, @daily, @hourly, @minutely, @every, @at or @reboot";
        return Err(word.refuse(ErrorCode::UnknownMacro, Field::Expression, message, hint));
    }
    if !argument.text.is_empty() {
        let message = format!("{name} takes nothing behind it");
        let hint = format!("write only {name:?}");
        return Err(argument.refuse(ErrorCode::MacroArgument, Field::Expression, message, hint));
    }
    match expansion {
        Some((_, fields)) => parse_cron(
            Piece {
                text: fields,
                column: word.column,
            },
            zone,
            context.spread,
        ),
        None => Ok(Plan::Reboot),
    }
}

fn parse_cron(text: Piece<'_>, zone: &Arc<Zone>, job: u128) -> Result<Plan, ScheduleError> {
    let words: Vec<Piece<'_>> = words(text);
    let (second, fields, year) = match *words.as_slice() {
        [minute, hour, day, month, weekday] => (None, [minute, hour, day, month, weekday], None),
        [second, minute, hour, day, month, weekday] => {
            (Some(second), [minute, hour, day, month, weekday], None)
        }
        [second, minute, hour, day, month, weekday, year] => (
            Some(second),
            [minute, hour, day, month, weekday],
            Some(year),
        ),
        _ => return Err(field_count(text, &words)),
    };
    let [minute, hour, day, month, weekday] = fields;
    let second = match second {
        Some(second) => parse_field(&SECOND, second, job)?,
        None => FieldSet {
            words: [1, 0, 0, 0],
            ..FieldSet::default()
        },
    };
    let minute = parse_field(&MINUTE, minute, job)?;
    let hour = parse_field(&HOUR, hour, job)?;
    let days = parse_field(&DAY_OF_MONTH, day, job)?;
    let months = parse_field(&MONTH, month, job)?;
    let weekdays = parse_field(&DAY_OF_WEEK, weekday, job)?;
    let years = year.map(|year| parse_field(&YEAR, year, job)).transpose()?;
    let pattern = Pattern {
        seconds: second.words[0],
        minutes: minute.words[0],
        hours: hour.words[0] as u32,
        months: months.words[0] as u16,
        seconds_star: second.star,
        minutes_star: minute.star,
        hours_star: hour.star,
        days: day_rule(&days, &weekdays),
        years: years.and_then(|years| Years::unless_all(years.words)),
    };
    let dst = DstRule::of(&pattern);
    if !pattern.has_date() {
        let hint = "no date until the end of 2199 has this day, weekday, month and year at once";
        let message = "this date never comes";
        return Err(day.refuse(ErrorCode::Never, Field::DayOfMonth, message, hint));
    }
    Cron::new(pattern, dst, zone).map(Plan::Cron).ok_or_else(|| {
        let message = format!("this time never comes in {}", zone.name());
        let hint = "clocks go forward over it each time; write the minute and hour without \"*\" to run after the change";
        text.refuse(ErrorCode::Never, Field::Expression, message, hint)
    })
}

fn words(text: Piece<'_>) -> Vec<Piece<'_>> {
    let mut words = Vec::with_capacity(7);
    let mut rest = text;
    while !rest.text.is_empty() {
        let (word, behind) = rest.split_word();
        words.push(word);
        rest = behind;
    }
    words
}

fn field_count(text: Piece<'_>, words: &[Piece<'_>]) -> ScheduleError {
    let fields = if words.len() == 1 { "field" } else { "fields" };
    let message = format!("{} {fields} found where 5, 6 or 7 are needed", words.len());
    let hint = "write: minute hour day-of-month month day-of-week; a sixth field in front is the second, a seventh at the end the year";
    let place = words
        .get(7)
        .copied()
        .unwrap_or_else(|| text.skip(text.text.len()));
    place.refuse(ErrorCode::FieldCount, Field::Expression, message, hint)
}

fn day_rule(days: &FieldSet, weekdays: &FieldSet) -> DayRule {
    DayRule {
        days: days.words[0] as u32,
        nearest: days.nearest,
        weekdays: weekdays.words[0] as u8,
        nth: weekdays.nth,
        last: days.last,
        last_weekday: days.last_weekday,
        days_star: days.star,
        weekdays_star: weekdays.star,
        // A star does the same already.
        plus: weekdays.plus && !days.star && !weekdays.star,
    }
}
