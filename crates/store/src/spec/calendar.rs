//! Stored form of a job's calendar: its name, and which version of which one it is if people keep it. The days of a preset come from
//! the program, as the rules of time zones do.

use cronfleet_core::calendar::{CalendarChoice, CalendarMode, OwnCalendar, preset};
use cronfleet_core::id::CalendarId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::StoreError;

#[derive(Serialize, Deserialize)]
pub(super) struct StoredCalendar {
    name: String,
    mode: StoredMode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    own: Option<StoredOwn>,
}

#[derive(Serialize, Deserialize)]
struct StoredOwn {
    id: Uuid,
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredMode {
    Include,
    Exclude,
    ShiftNext,
    ShiftPrevious,
}

impl From<&CalendarChoice> for StoredCalendar {
    fn from(choice: &CalendarChoice) -> Self {
        Self {
            name: choice.name.clone(),
            mode: match choice.mode {
                CalendarMode::Include => StoredMode::Include,
                CalendarMode::Exclude => StoredMode::Exclude,
                CalendarMode::ShiftNext => StoredMode::ShiftNext,
                CalendarMode::ShiftPrevious => StoredMode::ShiftPrevious,
            },
            own: choice.own.map(|own| StoredOwn {
                id: own.id.as_uuid(),
                version: own.version,
            }),
        }
    }
}

impl TryFrom<StoredCalendar> for CalendarChoice {
    type Error = StoreError;

    fn try_from(stored: StoredCalendar) -> Result<Self, StoreError> {
        let own = stored.own.map(|own| OwnCalendar {
            id: CalendarId::from_uuid(own.id),
            version: own.version,
        });
        let days = preset(&stored.name).filter(|_| own.is_none());
        if days.is_none() && own.is_none() {
            return Err(StoreError::corrupt(
                "calendar",
                UnknownCalendar { name: stored.name },
            ));
        }
        Ok(Self {
            mode: match stored.mode {
                StoredMode::Include => CalendarMode::Include,
                StoredMode::Exclude => CalendarMode::Exclude,
                StoredMode::ShiftNext => CalendarMode::ShiftNext,
                StoredMode::ShiftPrevious => CalendarMode::ShiftPrevious,
            },
            name: stored.name,
            own,
            days,
        })
    }
}

/// The program has no calendar of this name.
#[derive(Debug, thiserror::Error)]
#[error("there is no calendar {name:?}")]
struct UnknownCalendar {
    name: String,
}
