//! New values for fields of many definitions: paths as differences are told, values as requests write them.

use std::collections::BTreeMap;

use cronfleet_api::job as shape;
use cronfleet_core::job::{JobKind, JobSpec, ScheduledSpec};
use serde_json::{Map, Value};

use super::error::ApiError;

/// Path of the values in requests.
const FIELDS: &str = "change.fields";

/// Checks what can be checked without a job.
///
/// # Errors
/// [`ApiError::Invalid`] for paths that no definition has, or that cannot be set.
pub(super) fn check_paths(fields: &BTreeMap<String, Value>) -> Result<(), ApiError> {
    if fields.is_empty() {
        return Err(ApiError::invalid(
            FIELDS,
            "bulk.nothing_set",
            "no field is set",
            "name at least one, e.g. \"run_as\"",
        ));
    }
    for path in fields.keys() {
        let (why, hint) = match path.as_str() {
            "name" => (
                "a name is of one job only",
                "rename jobs one by one, or by definitions as files",
            ),
            "scheduled" | "daemon" => (
                "a whole schedule cannot be set",
                "set its fields, e.g. \"scheduled.time_zone\"",
            ),
            path if path.split('.').any(str::is_empty) => (
                "a path is names with dots between them",
                "write it as plans tell it, e.g. \"scheduled.retry.attempts_max\"",
            ),
            _ => continue,
        };
        let (field, message) = (format!("{FIELDS}.{path}"), format!("{path:?}: {why}"));
        return Err(ApiError::invalid(&field, "bulk.field", message, hint));
    }
    Ok(())
}

/// The calendar that definitions name with the change, if that is another one.
pub(super) fn calendar_set(fields: &BTreeMap<String, Value>) -> Option<&str> {
    let whole = fields.get("scheduled.calendar");
    let name = whole.and_then(|calendar| calendar.get("name"));
    fields
        .get("scheduled.calendar.name")
        .or(name)
        .and_then(Value::as_str)
}

/// A definition with new values.
///
/// # Errors
/// [`ApiError::Invalid`] with the field, if a value does not fit or the job has no such field.
pub(super) fn patched(
    spec: &JobSpec,
    fields: &BTreeMap<String, Value>,
) -> Result<shape::JobSpec, ApiError> {
    let mut asked = shape::JobSpec::from(spec);
    if let (JobKind::Scheduled(scheduled), Some(asked)) = (&spec.kind, &mut asked.scheduled) {
        forget_old_overlap(scheduled, asked, fields);
    }
    // What is only text and numbers can always be encoded.
    let mut json = serde_json::to_value(asked).unwrap_or_default();
    for (path, value) in fields {
        refuse_other_kind(spec, path)?;
        put(&mut json, path, value);
    }
    serde_path_to_error::deserialize(json).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." {
            "spec".to_owned()
        } else {
            format!("spec.{path}")
        };
        ApiError::invalid(
            &field,
            "bulk.value",
            error.into_inner().to_string(),
            "see JobSpec in the description of the interface",
        )
    })
}

/// Takes away what only belongs to the overlap policy that gives way to another one: the length of the queue, and the start deadline
/// if it was that policy's default.
fn forget_old_overlap(
    before: &ScheduledSpec,
    asked: &mut shape::ScheduledSpec,
    fields: &BTreeMap<String, Value>,
) {
    let stays = serde_json::to_value(asked.overlap).ok();
    if fields
        .get("scheduled.overlap")
        .is_none_or(|new| Some(new) == stays.as_ref())
    {
        return;
    }
    asked.queue_max = None;
    if before.start_deadline == before.overlap.start_deadline_default() {
        asked.start_deadline_ms = None;
    }
}

fn refuse_other_kind(spec: &JobSpec, path: &str) -> Result<(), ApiError> {
    let (other, what, kind) = match &spec.kind {
        JobKind::Scheduled(_) => ("daemon.", "the job is scheduled", "daemon"),
        JobKind::Daemon(_) => ("scheduled.", "the job is a daemon", "scheduled"),
    };
    if !path.starts_with(other) {
        return Ok(());
    }
    Err(ApiError::invalid(
        &format!("spec.{path}"),
        "bulk.other_kind",
        format!("{what} and has no {path}"),
        format!("choose jobs of the kind {kind:?} only"),
    ))
}

/// Puts a value at a path, or takes it away. What is no object on the way becomes one, and is refused when it is read.
fn put(json: &mut Value, path: &str, value: &Value) {
    let (parents, last) = path.rsplit_once('.').unwrap_or(("", path));
    let mut at = json;
    for parent in parents.split('.').filter(|parent| !parent.is_empty()) {
        at = object(at).entry(parent).or_insert(Value::Null);
    }
    let at = object(at);
    if value.is_null() {
        at.remove(last);
    } else {
        at.insert(last.to_owned(), value.clone());
    }
}

fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it was made one")
}

/// The place in the request of a field that a rule is about; in the definition, if the request does not set it.
pub(super) fn place(field: &str, fields: &BTreeMap<String, Value>) -> String {
    let path = field.strip_prefix("spec.").unwrap_or(field);
    let is_about = |set: &&String| {
        let below = |a: &str, b: &str| {
            a.strip_prefix(b)
                .is_some_and(|rest| rest.starts_with(['.', '[']))
        };
        set.as_str() == path || below(path, set) || below(set, path)
    };
    match fields.keys().find(is_about) {
        Some(set) => format!("{FIELDS}.{set}"),
        None => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use cronfleet_api::convert::job_spec;
    use serde_json::{from_value, json};

    use super::*;

    fn set(value: Value) -> BTreeMap<String, Value> {
        from_value(value).unwrap()
    }

    fn spec(kind: Value) -> JobSpec {
        let mut json = json!({
            "name": "report", "command": { "argv": ["/bin/true"] }, "run_as": "app", "target": { "all": true },
            "directory": "/srv",
        });
        json.as_object_mut()
            .unwrap()
            .extend(kind.as_object().unwrap().clone());
        job_spec(from_value(json).unwrap(), "UTC").unwrap()
    }

    fn scheduled() -> JobSpec {
        spec(json!({ "scheduled": { "expression": "@daily" } }))
    }

    fn refusal(spec: &JobSpec, fields: Value) -> (String, String) {
        match patched(spec, &set(fields)) {
            Err(ApiError::Invalid { field, code, .. }) => (field, code),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_are_put_where_they_belong_and_nothing_else_changes() {
        let before = shape::JobSpec::from(&scheduled());
        let fields = set(json!({
            "run_as": "www-data",
            "directory": null,
            "scheduled.time_zone": "Asia/Shanghai",
            "scheduled.retry.attempts_max": 3,
            "scheduled.calendar.name": "cn-workdays",
            "scheduled.calendar.mode": "include",
            "environment.MODE": "x",
        }));
        let after = patched(&scheduled(), &fields).unwrap();
        let mut expected = before;
        expected.run_as = "www-data".to_owned();
        expected.directory = None;
        expected
            .environment
            .insert("MODE".to_owned(), "x".to_owned());
        let inner = expected.scheduled.as_mut().unwrap();
        inner.time_zone = Some("Asia/Shanghai".to_owned());
        inner.retry.attempts_max = 3;
        inner.calendar = after.scheduled.as_ref().unwrap().calendar.clone();
        assert!(inner.calendar.is_some());
        assert_eq!(after, expected);
    }

    #[test]
    fn another_overlap_brings_its_own_start_deadline() {
        let queue = set(json!({ "scheduled.overlap": "queue", "scheduled.queue_max": 5 }));
        let queued = patched(&scheduled(), &queue).unwrap();
        let inner = queued.scheduled.as_ref().unwrap();
        assert_eq!((inner.queue_max, inner.start_deadline_ms), (Some(5), None));
        let queued = job_spec(queued, "UTC").unwrap();
        let allow = set(json!({ "scheduled.overlap": "allow" }));
        let allowed = patched(&queued, &allow).unwrap().scheduled.unwrap();
        assert_eq!((allowed.queue_max, allowed.start_deadline_ms), (None, None));
        let same = set(json!({ "scheduled.overlap": "queue" }));
        assert_eq!(
            patched(&queued, &same).unwrap(),
            shape::JobSpec::from(&queued)
        );
    }

    #[test]
    fn what_does_not_fit_names_its_field() {
        let of = |field: &str, code: &str| (field.to_owned(), code.to_owned());
        let daemon = spec(json!({ "daemon": {} }));
        for (spec, fields, expected) in [
            (
                scheduled(),
                json!({ "run_us": "app" }),
                of("spec.run_us", "bulk.value"),
            ),
            (
                scheduled(),
                json!({ "processes": "3" }),
                of("spec.processes", "bulk.value"),
            ),
            (
                scheduled(),
                json!({ "run_as": null }),
                of("spec", "bulk.value"),
            ),
            (
                daemon,
                json!({ "scheduled.time_zone": "UTC" }),
                of("spec.scheduled.time_zone", "bulk.other_kind"),
            ),
        ] {
            assert_eq!(refusal(&spec, fields), expected);
        }
    }

    #[test]
    fn some_paths_cannot_be_set_at_all() {
        assert!(
            check_paths(&set(
                json!({ "run_as": "app", "scheduled.overlap": "allow" })
            ))
            .is_ok()
        );
        for fields in [
            json!({}),
            json!({ "name": "x" }),
            json!({ "scheduled": {} }),
            json!({ "a..b": 1 }),
        ] {
            assert!(check_paths(&set(fields.clone())).is_err(), "{fields}");
        }
    }

    #[test]
    fn a_place_is_that_of_the_value_that_was_set() {
        let fields = set(json!({ "target": { "all": true }, "scheduled.retry.attempts_max": 2 }));
        for (field, expected) in [
            ("spec.target.agent_ids", "change.fields.target"),
            ("spec.target.agent_ids[3]", "change.fields.target"),
            (
                "spec.scheduled.retry",
                "change.fields.scheduled.retry.attempts_max",
            ),
            ("spec.run_as", "spec.run_as"),
        ] {
            assert_eq!(place(field, &fields), expected);
        }
    }
}
