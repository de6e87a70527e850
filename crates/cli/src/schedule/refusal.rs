//! A schedule that was refused, with the place in what the person typed.

use cronfleet_core::schedule::{Context, Field, Schedule, ScheduleError};

use crate::failure::Failure;

/// A schedule that was refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The expression as typed.
    pub(crate) expression: String,
    /// The time zone beside it.
    pub(crate) zone: String,
    /// What is wrong with which of the two.
    pub(crate) error: ScheduleError,
}

/// Reads a schedule as typed.
pub(super) fn parse(expression: &str, zone: &str, spread: u128) -> Result<Schedule, Failure> {
    Schedule::parse(expression, &Context { zone, spread }).map_err(|error| {
        let refusal = Refusal {
            expression: expression.to_owned(),
            zone: zone.to_owned(),
            error,
        };
        Failure::Schedule(Box::new(refusal))
    })
}

impl Refusal {
    /// What was typed, and a caret under the character that is wrong.
    pub(crate) fn pointer(&self) -> String {
        // A zone inside the text stands behind `TZ=`, so only a zone beside the text begins at column 1.
        let is_zone = self.error.field == Field::TimeZone && self.error.column == 1;
        let typed = if is_zone {
            &self.zone
        } else {
            &self.expression
        };
        let before = typed.chars().take(self.error.column.saturating_sub(1));
        // Everything before an error is ASCII: any other character is the error itself.
        let indent: String = before.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let width = self.error.found.chars().count().max(1);
        let shown: String = typed
            .chars()
            .map(|c| if c.is_control() && c != '\t' { '·' } else { c })
            .collect();
        format!("    {shown}\n    {indent}{}", "^".repeat(width))
    }
}
