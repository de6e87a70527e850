//! Definitions without what they would be anyway: files stay short, and say what somebody decided.

use cronfleet_api::convert::job_spec;
use cronfleet_api::job::JobSpec;
use cronfleet_core::job as domain;
use serde_json::{Value, json};

/// Parts that stay, however little is left of them: without them a definition is another one, or none.
const KEPT: [&str; 4] = ["scheduled", "daemon", "command", "target"];

/// The defaults of the two kinds of jobs.
pub(super) struct Defaults {
    scheduled: Value,
    daemon: Value,
}

impl Defaults {
    /// Asks the interface for its defaults.
    pub(super) fn new() -> Self {
        Self {
            scheduled: defaults(json!({ "scheduled": { "expression": "@daily" } })),
            daemon: defaults(json!({ "daemon": {} })),
        }
    }

    /// A definition as it is written: everything in it means the same when it is read again.
    pub(super) fn concise(&self, spec: &JobSpec) -> Value {
        let full = serde_json::to_value(spec).unwrap_or_default();
        let Some(meant) = meaning(&full) else {
            // Another version's definition, which this one does not understand: nothing of it can be known to be a default.
            return full;
        };
        let defaults = match spec.daemon {
            Some(_) => &self.daemon,
            None => &self.scheduled,
        };
        let mut short = full.clone();
        let mut unknown = Vec::new();
        strip(&mut short, defaults, "", &mut unknown);
        for pointer in unknown {
            strip_by_trial(&mut short, &pointer, &meant);
        }
        if meaning(&short).as_ref() == Some(&meant) {
            short
        } else {
            full
        }
    }
}

/// What a definition means. The time zone is that of the job, never a center's default.
fn meaning(value: &Value) -> Option<domain::JobSpec> {
    let spec: JobSpec = serde_json::from_value(value.clone()).ok()?;
    job_spec(spec, "").ok()
}

/// A definition of a kind as it is shown, with what has no default taken out.
fn defaults(kind: Value) -> Value {
    let mut value = json!({ "name": "x", "command": { "argv": ["x"] }, "run_as": "x", "target": { "all": true } });
    merge(&mut value, kind);
    let spec: Option<JobSpec> = serde_json::from_value(value).ok();
    let read = spec.and_then(|spec| job_spec(spec, "UTC").ok());
    let shown = read.map(|spec| JobSpec::from(&spec));
    let mut defaults = serde_json::to_value(shown).unwrap_or_default();
    if let Value::Object(entries) = &mut defaults {
        entries.remove("name");
        entries.remove("run_as");
        if let Some(Value::Object(scheduled)) = entries.get_mut("scheduled") {
            scheduled.remove("expression");
            scheduled.remove("time_zone");
        }
    }
    merge(
        &mut defaults,
        json!({
            "command": { "script": { "interpreter": ["/bin/sh"] } },
            "target": { "all": false, "agent_ids": [], "mode": "each", "count": 1, "pick": "fewest_running" },
        }),
    );
    defaults
}

/// Puts the entries of one object into another, in place of those that have the same keys.
fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

/// Takes out what equals the defaults. Objects that the defaults do not have are listed by their pointers.
fn strip(value: &mut Value, defaults: &Value, pointer: &str, unknown: &mut Vec<String>) {
    let Value::Object(entries) = value else {
        return;
    };
    entries.retain(|key, value| {
        let default = defaults.get(key);
        KEPT.contains(&key.as_str()) || default != Some(value)
    });
    for (key, value) in entries {
        let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
        match defaults.get(key) {
            Some(defaults) => strip(value, defaults, &pointer, unknown),
            None if value.is_object() => unknown.push(pointer),
            None => {}
        }
    }
}

/// Takes out what makes no difference, one after the other.
fn strip_by_trial(root: &mut Value, pointer: &str, meant: &domain::JobSpec) {
    let keys: Vec<String> = match root.pointer(pointer) {
        Some(Value::Object(entries)) => entries.keys().cloned().collect(),
        _ => return,
    };
    for key in keys {
        let mut trial = root.clone();
        if let Some(Value::Object(entries)) = trial.pointer_mut(pointer) {
            entries.remove(&key);
        }
        if meaning(&trial).as_ref() == Some(meant) {
            *root = trial;
        } else {
            strip_by_trial(root, &format!("{pointer}/{key}"), meant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written of a definition that says this.
    fn written(value: Value) -> Value {
        let spec = meaning(&value).unwrap();
        let mut short = Defaults::new().concise(&JobSpec::from(&spec));
        assert_eq!(meaning(&short).unwrap(), spec);
        for (key, same) in [("name", "a"), ("run_as", "app")] {
            let removed = short.as_object_mut().unwrap().remove(key);
            assert_eq!(removed, Some(json!(same)));
        }
        short
    }

    fn with(more: Value) -> Value {
        let mut value = json!({ "name": "a", "command": { "argv": ["x"] }, "run_as": "app", "target": { "all": true } });
        merge(&mut value, more);
        value
    }

    #[test]
    fn only_what_somebody_decided_is_written() {
        let basis = json!({ "command": { "argv": ["x"] }, "target": { "all": true } });
        let mut expected = basis.clone();
        merge(&mut expected, json!({ "daemon": {} }));
        assert_eq!(written(with(json!({ "daemon": {} }))), expected);

        let scheduled = json!({ "scheduled": { "expression": "@daily", "time_zone": "UTC" } });
        let mut expected = basis.clone();
        merge(&mut expected, scheduled.clone());
        assert_eq!(
            written(with(scheduled)),
            expected,
            "the zone is always said"
        );

        for target in [
            json!({ "all": true, "mode": "any" }),
            json!({ "all": true, "mode": "any", "count": 3, "pick": "sticky" }),
        ] {
            let some = json!({ "scheduled": { "expression": "@daily", "time_zone": "UTC" }, "target": target });
            let mut expected = basis.clone();
            merge(&mut expected, some.clone());
            assert_eq!(written(with(some)), expected);
        }

        let decided = json!({
            "scheduled": {
                "expression": "@daily",
                "time_zone": "Asia/Shanghai",
                "dst": { "gap": "skip" },
                "active_from": "2026-01-01T00:00:00Z",
                "active_until": "2027-01-01T00:00:00Z",
                "calendar": { "name": "cn-workdays", "mode": "shift_next" },
                "catch_up": { "policy": "all", "max": 3 },
                "retry": { "attempts_max": 3 },
                "overlap": "allow",
            },
            "limits": { "io_priority": { "class": "idle" }, "no_new_privileges": false },
            "output": { "when_full": "block" },
            "umask": "027",
            "command": { "script": { "text": "" } },
            "target": { "agent_ids": ["00000000-0000-0000-0000-000000000001"] },
            "environment": { "A": "" },
        });
        assert_eq!(written(with(decided.clone())), decided);

        let checks = json!({
            "daemon": {
                "readiness": { "check": { "tcp": { "port": 80 } } },
                "health": { "check": { "http": { "port": 80, "path": "/ok" } }, "failures": 7 },
                "max_age_ms": 3_600_000,
            },
        });
        let mut expected = basis;
        merge(&mut expected, checks.clone());
        assert_eq!(written(with(checks)), expected);
    }
}
