//! Calendars that scheduled jobs follow.

use cronfleet_core::calendar::{self as domain, DayRange, Weekdays};
use cronfleet_core::job::SpecError;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// How a job follows a calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarRule {
    /// Name of the calendar: `weekdays` (Monday to Friday), `cn-workdays` (mainland China: Monday to Friday without public
    /// holidays, and the weekend days on which is worked instead), or a calendar of the job's group or of the fleet.
    pub name: String,
    /// What is due on which of its days.
    pub mode: CalendarMode,
}

/// What a job makes of the days of a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CalendarMode {
    /// Due only on days that count.
    Include,
    /// Due only on days that do not count.
    Exclude,
    /// What falls on a day that does not count is due at the same time of the next one that does.
    ShiftNext,
    /// What falls on a day that does not count is due at the same time of the last one before it that does.
    ShiftPrevious,
}

/// A calendar to list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CalendarHead {
    /// Id; absent for a preset, which is part of the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// Name: what jobs and definitions call it.
    pub name: String,
    /// Owning group; absent for presets and for calendars of the whole fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<Uuid>,
    /// Name of the owning group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_name: Option<String>,
    /// Version in force; absent for a preset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Jobs that follow it, of all groups; absent for a preset, and for who may not change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_count: Option<u64>,
    /// Whether I may change it.
    pub can_edit: bool,
    /// Login of who made the version in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_by: Option<String>,
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

/// A calendar that people keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Calendar {
    /// Id.
    pub id: Uuid,
    /// Owning group; absent for a calendar of the whole fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<Uuid>,
    /// Name of the owning group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_name: Option<String>,
    /// Version in force: the `ETag`.
    pub version: u32,
    /// What it says.
    pub spec: CalendarSpec,
    /// Jobs that follow it, of all groups; absent for who may not change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_count: Option<u64>,
    /// Whether I may change it.
    pub can_edit: bool,
    /// Login of who made the version in force; empty if the user is gone.
    pub updated_by: String,
    /// When the calendar was created.
    pub created_at: Timestamp,
    /// When the version in force was made.
    pub updated_at: Timestamp,
}

/// What a calendar says about days. Dates are written `2026-10-01`; several one after the other `2026-10-01/2026-10-07`. They name at
/// most 20,000 days from 1970 to 2100 in all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarSpec {
    /// Name: 1 to 64 letters, digits, dots, `_` and `-`; not that of a preset. It stays as it is.
    pub name: String,
    /// Free text, up to 1,000 characters.
    #[serde(default)]
    pub description: String,
    /// Preset whose days count unless a date says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// Days of the week that count unless a date says otherwise: `MON` to `SUN`. None together with `extends`.
    #[serde(default)]
    pub weekdays: Vec<String>,
    /// Dates that count.
    #[serde(default)]
    pub days_in: Vec<String>,
    /// Dates that do not count.
    #[serde(default)]
    pub days_out: Vec<String>,
    /// Last date for which the dates are complete; warnings are given from a year before it. With `extends` that of the preset, if
    /// it is later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    pub known_until: Option<Date>,
}

/// `POST /calendars`: creates a calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarCreate {
    /// Owning group; absent for a calendar of the whole fleet, which only administrators may make.
    #[serde(default)]
    pub group_id: Option<Uuid>,
    /// What it says.
    pub spec: CalendarSpec,
}

/// `PUT /calendars/{id}`: saves a calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarReplace {
    /// What it says from now on; the name must be the one that it has.
    pub spec: CalendarSpec,
}

/// `POST /calendars/preview`: which days of a year count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarPreviewRequest {
    /// The calendar, saved or not. Of a preset: any name, and `extends`.
    pub spec: CalendarSpec,
    /// The year, 1970 to 2100.
    pub year: i16,
}

/// Which days of a year count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CalendarYear {
    /// The year.
    pub year: i16,
    /// Days that count, in order, as single dates and ranges.
    pub days: Vec<String>,
    /// How many these are.
    pub day_count: u32,
    /// Days on which a date says otherwise than the day of the week.
    pub exceptions: Vec<String>,
    /// Last date for which the dates are complete, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    pub known_until: Option<Date>,
}

/// `POST /calendars/read`: which days the events of an iCalendar file have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarReadRequest {
    /// The file, up to 1 MiB.
    pub text: String,
    /// Only events whose summaries have this text, letter case aside.
    #[serde(default)]
    pub containing: Option<String>,
    /// IANA time zone in which instants in UTC are days. A file that has such instants is refused without it.
    #[serde(default)]
    pub time_zone: Option<String>,
}

/// The days of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CalendarRead {
    /// The days, in order, as single dates and ranges.
    pub days: Vec<String>,
    /// How many these are.
    pub day_count: u32,
    /// Events that they come from.
    pub events: u32,
    /// Events that were left out: cancelled ones, and those without the text.
    pub others: u32,
}

/// The calendar that a definition names. The days are known of presets only.
///
/// # Errors
/// It cannot be the name of a calendar.
pub fn calendar_choice(rule: CalendarRule) -> Result<domain::CalendarChoice, SpecError> {
    let is_name = rule.name.chars().count() <= 64 && !rule.name.chars().any(char::is_control);
    if !is_name || rule.name.is_empty() {
        return Err(unknown(&rule.name));
    }
    Ok(domain::CalendarChoice::named(&rule.name, rule.mode.into()))
}

/// The rule with the days of a preset, where nobody can be asked for others.
///
/// # Errors
/// There is no preset of that name.
pub fn preset_rule(rule: CalendarRule) -> Result<domain::CalendarRule, SpecError> {
    let choice = calendar_choice(rule)?;
    choice.rule().ok_or_else(|| unknown(&choice.name))
}

/// A calendar that does not exist.
pub fn unknown(name: &str) -> SpecError {
    let name: String = name.chars().take(64).collect();
    SpecError {
        field: "scheduled.calendar.name".to_owned(),
        code: "job.calendar_unknown",
        message: format!("there is no calendar {name:?}"),
        hint: format!(
            "use one of {}, or a calendar of the group or of the fleet",
            domain::preset_names()
        ),
    }
}

impl From<CalendarMode> for domain::CalendarMode {
    fn from(mode: CalendarMode) -> Self {
        match mode {
            CalendarMode::Include => Self::Include,
            CalendarMode::Exclude => Self::Exclude,
            CalendarMode::ShiftNext => Self::ShiftNext,
            CalendarMode::ShiftPrevious => Self::ShiftPrevious,
        }
    }
}

impl From<&domain::CalendarChoice> for CalendarRule {
    fn from(choice: &domain::CalendarChoice) -> Self {
        Self {
            name: choice.name.clone(),
            mode: match choice.mode {
                domain::CalendarMode::Include => CalendarMode::Include,
                domain::CalendarMode::Exclude => CalendarMode::Exclude,
                domain::CalendarMode::ShiftNext => CalendarMode::ShiftNext,
                domain::CalendarMode::ShiftPrevious => CalendarMode::ShiftPrevious,
            },
        }
    }
}

impl TryFrom<CalendarSpec> for domain::CalendarSpec {
    type Error = SpecError;

    fn try_from(spec: CalendarSpec) -> Result<Self, SpecError> {
        let words = spec.weekdays.iter().map(String::as_str);
        let weekdays = Weekdays::from_words(words).map_err(|word| SpecError {
            field: "weekdays".to_owned(),
            code: "calendar.weekday",
            message: format!("{:?} is no day of the week", cut(word)),
            hint: "use MON, TUE, WED, THU, FRI, SAT, SUN".to_owned(),
        })?;
        let read = Self {
            name: spec.name,
            description: spec.description,
            extends: spec.extends,
            weekdays,
            days_in: ranges("days_in", &spec.days_in)?,
            days_out: ranges("days_out", &spec.days_out)?,
            known_until: spec.known_until,
        };
        read.check()?;
        Ok(read)
    }
}

impl From<domain::CalendarSpec> for CalendarSpec {
    fn from(spec: domain::CalendarSpec) -> Self {
        let texts = |ranges: &[DayRange]| ranges.iter().map(DayRange::to_string).collect();
        let words = spec.weekdays.words();
        Self {
            days_in: texts(&spec.days_in),
            days_out: texts(&spec.days_out),
            weekdays: words.into_iter().map(str::to_owned).collect(),
            name: spec.name,
            description: spec.description,
            extends: spec.extends,
            known_until: spec.known_until,
        }
    }
}

fn ranges(field: &str, texts: &[String]) -> Result<Vec<DayRange>, SpecError> {
    let read = |(place, text): (usize, &String)| {
        text.parse::<DayRange>().map_err(|error| SpecError {
            field: format!("{field}[{place}]"),
            code: "calendar.date",
            message: error.to_string(),
            hint: "write 2026-10-01, or 2026-10-01/2026-10-07".to_owned(),
        })
    };
    texts.iter().enumerate().map(read).collect()
}

fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_reads_back_as_it_was() {
        for mode in [
            CalendarMode::Include,
            CalendarMode::Exclude,
            CalendarMode::ShiftNext,
            CalendarMode::ShiftPrevious,
        ] {
            for name in ["cn-workdays", "ours"] {
                let name = name.to_owned();
                let rule = CalendarRule { name, mode };
                let read = calendar_choice(rule.clone()).unwrap();
                assert_eq!(CalendarRule::from(&read), rule);
                assert_eq!(read.rule().is_some(), rule.name == "cn-workdays");
            }
        }
        let unknown = CalendarRule {
            name: "mars".to_owned(),
            mode: CalendarMode::Include,
        };
        let error = preset_rule(unknown).unwrap_err();
        assert_eq!(error.field, "scheduled.calendar.name");
        let hint = "use one of weekdays, cn-workdays, or a calendar of the group or of the fleet";
        assert_eq!(error.hint, hint);
    }

    #[test]
    fn a_calendar_reads_back_as_it_was() {
        let spec = CalendarSpec {
            name: "ours".to_owned(),
            weekdays: vec!["MON".to_owned(), "TUE".to_owned()],
            days_in: vec!["2026-10-10".to_owned()],
            days_out: vec!["2026-10-05/2026-10-07".to_owned()],
            known_until: Some(jiff::civil::date(2026, 12, 31)),
            ..CalendarSpec::default()
        };
        let read = domain::CalendarSpec::try_from(spec.clone()).unwrap();
        assert_eq!(CalendarSpec::from(read), spec);
        let field = |spec: CalendarSpec| domain::CalendarSpec::try_from(spec).unwrap_err().field;
        let weekdays = vec!["MO".to_owned()];
        assert_eq!(
            field(CalendarSpec {
                weekdays,
                ..spec.clone()
            }),
            "weekdays"
        );
        let days_out = vec!["2026-10-10".to_owned(), "5 October".to_owned()];
        assert_eq!(field(CalendarSpec { days_out, ..spec }), "days_out[1]");
    }
}
