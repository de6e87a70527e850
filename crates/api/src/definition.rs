//! Sets of definitions: what a file says about many jobs, and what applying it would change.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::job::JobSpec;

/// Version of the form of [`DefinitionSet`] and of definition files.
pub const DEFINITIONS_VERSION: u32 = 1;
/// Most jobs of one set.
pub const DEFINITIONS_MAX: usize = 10_000;
/// Most problems that are listed of a set that is refused.
pub const PROBLEMS_MAX: usize = 100;

/// What one job shall be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Id. Names the job whatever it is called; where there is no such job it is created with this id. When absent, the job of
    /// that name in the group is meant, or a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// Name of the owning group.
    pub group: String,
    /// Whether it is paused; when absent, it stays as it is, and a new job is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// Its definition.
    pub spec: JobSpec,
}

/// `POST /definitions/plan`: what many jobs shall be, all together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DefinitionSet {
    /// Version of this form: 1.
    pub cronfleet: u32,
    /// The jobs, at most 10,000.
    pub jobs: Vec<Definition>,
    /// Names of further groups whose jobs the set describes completely: with `prune`, also when it has none of them.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Deletes the jobs that the set does not have, in all groups that it names.
    #[serde(default)]
    pub prune: bool,
}

/// `POST /definitions/apply`: makes a plan true, if it is still the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DefinitionsApply {
    /// The set that was planned.
    pub set: DefinitionSet,
    /// `digest` of the plan that was shown.
    pub digest: String,
}

/// What applying a set changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DefinitionPlan {
    /// Stands for the plan: what is asked for, and the version and pause of each job that it is based on.
    pub digest: String,
    /// The changes, in the order of the set, then what is deleted.
    pub changes: Vec<DefinitionChange>,
    /// Jobs of the set that are already as they shall be.
    pub unchanged: u32,
}

/// What applying a set does to one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DefinitionChange {
    /// What is done.
    pub action: ChangeAction,
    /// Place in `jobs`, from 0; absent for what is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// Id; absent in the plan of a job to create that does not ask for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// Name of the owning group.
    pub group: String,
    /// Name, as it is afterwards.
    pub name: String,
    /// Version that the plan is based on; absent for what is created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// What differs, for jobs that are saved, paused or resumed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
}

/// What is done to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeAction {
    /// It is created.
    Create,
    /// It gets a new version, and may be paused or resumed at the same time.
    Update,
    /// It is paused, and stays as it is otherwise.
    Pause,
    /// It is resumed, and stays as it is otherwise.
    Resume,
    /// It is deleted.
    Delete,
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldChange {
    /// Path in the definition, e.g. `scheduled.expression`; or `paused`.
    pub field: String,
    /// Value before; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// Value afterwards; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
}

/// Which fields differ between two definitions, in the order of their paths. Lists are compared as a whole.
pub fn field_changes(old: &JobSpec, new: &JobSpec) -> Vec<FieldChange> {
    let value = |spec: &JobSpec| serde_json::to_value(spec).unwrap_or_default();
    let mut changes = Vec::new();
    compare("", Some(&value(old)), Some(&value(new)), &mut changes);
    changes
}

fn compare(path: &str, old: Option<&Value>, new: Option<&Value>, changes: &mut Vec<FieldChange>) {
    if old == new {
        return;
    }
    if let (Some(Value::Object(old)), Some(Value::Object(new))) = (old, new) {
        let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let path = match path {
                "" => key.clone(),
                _ => format!("{path}.{key}"),
            };
            compare(&path, old.get(key), new.get(key), changes);
        }
        return;
    }
    changes.push(FieldChange {
        field: path.to_owned(),
        old: old.cloned(),
        new: new.cloned(),
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec(change: impl FnOnce(&mut Value)) -> JobSpec {
        let mut value = json!({
            "name": "backup",
            "scheduled": { "expression": "@daily", "retry": { "attempts_max": 3 } },
            "command": { "argv": ["/bin/true", "-v"] },
            "environment": { "A": "1" },
            "run_as": "app",
            "target": { "all": true },
        });
        change(&mut value);
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn only_what_differs_is_told_with_both_values() {
        let old = spec(|_| {});
        assert_eq!(field_changes(&old, &old), []);
        let new = spec(|value| {
            value["scheduled"]["retry"]["attempts_max"] = json!(4);
            value["scheduled"]["timeout_ms"] = json!(500);
            value["command"]["argv"][1] = json!("-q");
            value["environment"] = json!({ "B": "2" });
        });
        let told = |field: &str, old: Value, new: Value| FieldChange {
            field: field.to_owned(),
            old: (!old.is_null()).then_some(old),
            new: (!new.is_null()).then_some(new),
        };
        assert_eq!(
            field_changes(&old, &new),
            [
                told(
                    "command.argv",
                    json!(["/bin/true", "-v"]),
                    json!(["/bin/true", "-q"])
                ),
                told("environment.A", json!("1"), Value::Null),
                told("environment.B", Value::Null, json!("2")),
                told("scheduled.retry.attempts_max", json!(3), json!(4)),
                told("scheduled.timeout_ms", Value::Null, json!(500)),
            ]
        );
    }
}
