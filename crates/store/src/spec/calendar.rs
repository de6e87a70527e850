//! Stored form of a job's calendar: its name. Its days come from the program, as the rules of time zones do.

use cronfleet_core::calendar::{CalendarMode, CalendarRule, preset};
use serde::{Deserialize, Serialize};

use crate::error::StoreError;

#[derive(Serialize, Deserialize)]
pub(super) struct StoredCalendar {
    name: String,
    mode: StoredMode,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredMode {
    Include,
    Exclude,
    ShiftNext,
    ShiftPrevious,
}

impl From<&CalendarRule> for StoredCalendar {
    fn from(rule: &CalendarRule) -> Self {
        Self {
            name: rule.calendar.name.clone(),
            mode: match rule.mode {
                CalendarMode::Include => StoredMode::Include,
                CalendarMode::Exclude => StoredMode::Exclude,
                CalendarMode::ShiftNext => StoredMode::ShiftNext,
                CalendarMode::ShiftPrevious => StoredMode::ShiftPrevious,
            },
        }
    }
}

impl TryFrom<StoredCalendar> for CalendarRule {
    type Error = StoreError;

    fn try_from(stored: StoredCalendar) -> Result<Self, StoreError> {
        let Some(calendar) = preset(&stored.name) else {
            return Err(StoreError::corrupt(
                "calendar",
                UnknownCalendar { name: stored.name },
            ));
        };
        Ok(Self {
            calendar,
            mode: match stored.mode {
                StoredMode::Include => CalendarMode::Include,
                StoredMode::Exclude => CalendarMode::Exclude,
                StoredMode::ShiftNext => CalendarMode::ShiftNext,
                StoredMode::ShiftPrevious => CalendarMode::ShiftPrevious,
            },
        })
    }
}

/// The program has no calendar of this name.
#[derive(Debug, thiserror::Error)]
#[error("there is no calendar {name:?}")]
struct UnknownCalendar {
    name: String,
}
