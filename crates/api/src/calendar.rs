//! Calendars that scheduled jobs follow.

use cronfleet_core::calendar as domain;
use cronfleet_core::job::SpecError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a job follows a calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarRule {
    /// Name of the calendar: `weekdays` (Monday to Friday), or `cn-workdays` (mainland China: Monday to Friday without public
    /// holidays, and the weekend days on which is worked instead).
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

/// The rule with the days of its calendar, as they are known now.
///
/// # Errors
/// There is no calendar of that name.
pub fn calendar_rule(rule: CalendarRule) -> Result<domain::CalendarRule, SpecError> {
    let Some(calendar) = domain::preset(&rule.name) else {
        let names: Vec<&str> = domain::presets()
            .iter()
            .map(|calendar| calendar.name.as_str())
            .collect();
        let name: String = rule.name.chars().take(64).collect();
        return Err(SpecError {
            field: "scheduled.calendar.name".to_owned(),
            code: "job.calendar_unknown",
            message: format!("there is no calendar {name:?}"),
            hint: format!("use one of {}", names.join(", ")),
        });
    };
    Ok(domain::CalendarRule {
        calendar,
        mode: match rule.mode {
            CalendarMode::Include => domain::CalendarMode::Include,
            CalendarMode::Exclude => domain::CalendarMode::Exclude,
            CalendarMode::ShiftNext => domain::CalendarMode::ShiftNext,
            CalendarMode::ShiftPrevious => domain::CalendarMode::ShiftPrevious,
        },
    })
}

impl From<&domain::CalendarRule> for CalendarRule {
    fn from(rule: &domain::CalendarRule) -> Self {
        Self {
            name: rule.calendar.name.clone(),
            mode: match rule.mode {
                domain::CalendarMode::Include => CalendarMode::Include,
                domain::CalendarMode::Exclude => CalendarMode::Exclude,
                domain::CalendarMode::ShiftNext => CalendarMode::ShiftNext,
                domain::CalendarMode::ShiftPrevious => CalendarMode::ShiftPrevious,
            },
        }
    }
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
            let rule = CalendarRule {
                name: "cn-workdays".to_owned(),
                mode,
            };
            let read = calendar_rule(rule.clone()).unwrap();
            assert_eq!(CalendarRule::from(&read), rule);
        }
        let unknown = CalendarRule {
            name: "mars".to_owned(),
            mode: CalendarMode::Include,
        };
        let error = calendar_rule(unknown).unwrap_err();
        assert_eq!(error.field, "scheduled.calendar.name");
        assert_eq!(error.hint, "use one of weekdays, cn-workdays");
    }
}
