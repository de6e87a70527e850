//! Changing all jobs that a filter finds, as one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::definition::FieldChange;
use crate::job::JobKind;

/// Most jobs of one change.
pub const BULK_JOBS_MAX: usize = 10_000;
/// Most runs that one request starts.
pub const BULK_RUNS_MAX: usize = 10_000;

/// Which jobs: those that `GET /jobs` lists with the same parameters, or those that are named one by one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobSelection {
    /// Searched for in the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Only jobs of this group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Uuid>,
    /// Only jobs of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<JobKind>,
    /// Only paused jobs, or only those that are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// Only jobs that run on this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Uuid>,
    /// These jobs, 1 to 10,000; then nothing else is present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<Uuid>>,
}

/// What is done with each of the jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(
    tag = "action",
    rename_all = "snake_case",
    rename_all_fields = "snake_case",
    deny_unknown_fields
)]
pub enum BulkChange {
    /// It is paused. Operators.
    Pause {},
    /// It is resumed. Operators.
    Resume {},
    /// It is deleted. Owners.
    Delete {},
    /// It is snoozed, as `PUT /jobs/{id}/snooze` does. Operators.
    Snooze {
        /// Until when it rests, at most 366 days from now.
        until: Timestamp,
    },
    /// Its snooze is ended. Operators.
    Unsnooze {},
    /// It runs now, on all of its agents, as `POST /jobs/{id}/run` does. Operators.
    Run {
        /// Also within a window in which nothing starts.
        #[serde(default)]
        ignore_windows: bool,
    },
    /// Fields of its definition get other values: a new version. Editors.
    Set {
        /// New values by path in the definition, e.g. `run_as`, `scheduled.time_zone`, `target`; `null` takes the value away. The name
        /// cannot be set.
        fields: BTreeMap<String, Value>,
    },
}

/// `POST /jobs/bulk/plan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkRequest {
    /// Which jobs.
    pub filter: JobSelection,
    /// What is done with them.
    pub change: BulkChange,
}

/// `POST /jobs/bulk/apply`: makes a plan true, if it is still the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkApply {
    /// Which jobs.
    pub filter: JobSelection,
    /// What is done with them.
    pub change: BulkChange,
    /// `digest` of the plan that was shown.
    pub digest: String,
}

/// What a change of many jobs does, or did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BulkPlan {
    /// Stands for the plan: what is asked for, which jobs are found, and the version, pause and snooze of each.
    pub digest: String,
    /// The jobs that are changed, by name.
    pub jobs: Vec<BulkJob>,
    /// Jobs that are found and are already as they shall be.
    pub unchanged: u32,
    /// Runs that are started, over all jobs; 0 unless they are to run.
    pub runs: u32,
    /// Ids of the runs that were started, once it is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub run_ids: Vec<Uuid>,
}

/// What becomes of one of the jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BulkJob {
    /// Id.
    pub id: Uuid,
    /// Name of the owning group.
    pub group: String,
    /// Name.
    pub name: String,
    /// Version that the plan is based on.
    pub version: u32,
    /// What differs afterwards; also `paused` and `snoozed_until`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
    /// Runs of it that are started.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub runs: u32,
    /// Runs that are planned or wait on their agents, as the plan is made: a pause, a deletion and a snooze withdraw those that
    /// they concern, and a new version replaces them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waiting: u32,
    /// Runs that are alive: they go on.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub alive: u32,
    /// Daemon processes that run: a pause and a deletion stop them, and a new version restarts them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub processes: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;

    #[test]
    fn a_change_is_its_action_with_what_belongs_to_it() {
        for (json, is_read) in [
            (json!({ "action": "pause" }), true),
            (
                json!({ "action": "pause", "until": "2026-12-01T00:00:00Z" }),
                false,
            ),
            (
                json!({ "action": "snooze", "until": "2026-12-01T00:00:00Z" }),
                true,
            ),
            (json!({ "action": "snooze" }), false),
            (json!({ "action": "run", "ignore_windows": true }), true),
            (
                json!({ "action": "set", "fields": { "run_as": "app", "directory": null } }),
                true,
            ),
            (json!({ "action": "move" }), false),
            (json!({}), false),
        ] {
            let read = from_value::<BulkChange>(json.clone());
            assert_eq!(read.is_ok(), is_read, "{json}: {read:?}");
            if let Ok(change) = read {
                assert_eq!(to_value(&change).unwrap(), json);
            }
        }
    }
}
