//! Why jobs refuse a change of many: every one of them by name, so that nothing has to be tried twice.

use std::collections::BTreeMap;

use cronfleet_api::bulk::BulkChange;
use cronfleet_api::definition::PROBLEMS_MAX;
use cronfleet_api::error::Problem;
use cronfleet_core::access::Role;
use cronfleet_store::DefinedJob;
use serde_json::Value;
use uuid::Uuid;

use super::bulk_set::place;
use super::definition_problems::problem;
use super::error::ApiError;

/// Jobs that refuse a change.
#[derive(Debug)]
pub(super) struct Refusals {
    fields: BTreeMap<String, Value>,
    action: &'static str,
    found: Vec<Problem>,
    total: usize,
}

impl Refusals {
    /// None yet.
    pub(super) fn new(change: &BulkChange) -> Self {
        let (action, fields) = match change {
            BulkChange::Pause {} => ("pause jobs", None),
            BulkChange::Resume {} => ("resume jobs", None),
            BulkChange::Delete {} => ("delete jobs", None),
            BulkChange::Snooze { .. } | BulkChange::Unsnooze {} => ("snooze jobs", None),
            BulkChange::Run { .. } => ("run jobs", None),
            BulkChange::Set { fields } => ("save jobs", Some(fields.clone())),
        };
        Self {
            fields: fields.unwrap_or_default(),
            action,
            found: Vec::new(),
            total: 0,
        }
    }

    /// Adds a job whose group gives the caller too low a role.
    pub(super) fn check_role(&mut self, role: Role, job: &DefinedJob, least: Role) {
        if role >= least {
            return;
        }
        let message = format!(
            "your role in group {:?} does not allow to {}",
            job.group_name, self.action
        );
        let hint = format!(
            "ask an owner of the group for the role {}, or leave its jobs out",
            least.word()
        );
        self.push(job, problem("filter", "auth.forbidden", message, hint));
    }

    /// Adds the rule that a job breaks.
    ///
    /// # Errors
    /// Every error that is not about the job.
    pub(super) fn add(&mut self, job: &DefinedJob, error: ApiError) -> Result<(), ApiError> {
        let found = match error {
            ApiError::Invalid {
                field,
                code,
                message,
                column,
                hint,
            } => Problem {
                column,
                ..problem(&place(&field, &self.fields), &code, message, hint)
            },
            ApiError::Conflict {
                code,
                message,
                hint,
                ..
            } => problem("filter", code, message, hint),
            ApiError::Frozen { ref reason, until } => problem(
                "change.ignore_windows",
                "job.frozen",
                format!("nothing of the job starts until {until}: {reason}"),
                "wait until then, end the window, or run it all the same with ignore_windows",
            ),
            error => return Err(error),
        };
        self.push(job, found);
        Ok(())
    }

    /// Adds a job that was named and is not there.
    pub(super) fn add_missing(&mut self, index: usize, id: Uuid) {
        self.total += 1;
        if self.found.len() < PROBLEMS_MAX {
            self.found.push(problem(
                &format!("filter.ids[{index}]"),
                "not_found",
                format!("there is no job {id}, or it is not yours to see"),
                "leave it out",
            ));
        }
    }

    fn push(&mut self, job: &DefinedJob, found: Problem) {
        self.total += 1;
        if self.found.len() < PROBLEMS_MAX {
            self.found.push(Problem {
                job: Some(format!("{}/{}", job.group_name, job.spec.name)),
                ..found
            });
        }
    }

    /// Fails if there are any; the first ones are listed.
    pub(super) fn into_result(self) -> Result<(), ApiError> {
        if self.total == 0 {
            return Ok(());
        }
        Err(ApiError::Refused {
            problems: self.found,
            total: self.total,
        })
    }
}
