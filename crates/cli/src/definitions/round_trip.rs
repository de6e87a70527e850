//! Whatever can be saved comes back from a file as it was.

use cronfleet_api::convert::job_spec;
use cronfleet_api::definition::Definition;
use cronfleet_api::job::JobSpec;
use proptest::prelude::*;
use proptest::strategy::Union;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::export::document;
use super::files::SourceFile;
use super::set::LoadedSet;
use super::write;

/// One of some values, or nothing.
fn maybe(values: &[Value]) -> BoxedStrategy<Option<Value>> {
    let some = Union::new(values.iter().cloned().map(|value| Just(Some(value))));
    prop_oneof![Just(None), some].boxed()
}

/// Entries of an object, each one there or not.
fn entries(keys: Vec<(&'static str, BoxedStrategy<Option<Value>>)>) -> BoxedStrategy<Value> {
    let (names, values): (Vec<_>, Vec<_>) = keys.into_iter().unzip();
    values
        .prop_map(move |values| {
            let entries = names.iter().zip(values);
            let entries = entries.filter_map(|(name, value)| Some(((*name).to_owned(), value?)));
            Value::Object(entries.collect())
        })
        .boxed()
}

fn some(strategy: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Option<Value>> {
    prop_oneof![Just(None), strategy.prop_map(Some)].boxed()
}

fn always(strategy: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Option<Value>> {
    strategy.prop_map(Some).boxed()
}

fn texts() -> impl Strategy<Value = String> + Clone {
    prop_oneof![
        "[a-z][a-z0-9 ]{0,8}[a-z]",
        "(true|no|12|0x1f|~|null|1e3|- a|a: b|# c|'|\"|\\{\\}|@x|%d|&a|\\*|!|=|2026-01-01)",
        "[ -~é年]{1,20}",
        "([a-z \t#:'\"-]{0,8}\n){1,4}[a-z]{0,3}\n{0,2}",
    ]
}

fn check() -> BoxedStrategy<Value> {
    let checks = [
        json!({ "command": ["/bin/check", "-v"] }),
        json!({ "tcp": { "port": 80 } }),
        json!({ "tcp": { "port": 80, "address": "::1", "adds_slot": true } }),
        json!({ "http": { "port": 8080, "path": "/ready" } }),
        json!({ "http": { "port": 8080, "path": "/", "expected_status": 204 } }),
    ];
    Union::new(checks.into_iter().map(Just)).boxed()
}

fn scheduled() -> BoxedStrategy<Value> {
    entries(vec![
        (
            "expression",
            always(prop_oneof![
                Just(json!("0 2 * * *")),
                Just(json!("@every 250ms")),
                Just(json!("H 3 1 * *")),
                Just(json!("@reboot"))
            ]),
        ),
        ("time_zone", maybe(&[json!("UTC"), json!("Asia/Shanghai")])),
        (
            "dst",
            some(entries(vec![
                ("gap", maybe(&[json!("run"), json!("skip")])),
                ("overlap", maybe(&[json!("first"), json!("both")])),
            ])),
        ),
        (
            "active_from",
            maybe(&[
                json!("2026-01-01T00:00:00Z"),
                json!("2026-01-01T08:00:00.123456Z"),
            ]),
        ),
        ("active_until", maybe(&[json!("2027-01-01T00:00:00Z")])),
        (
            "calendar",
            some(entries(vec![
                (
                    "name",
                    always(prop_oneof![
                        Just(json!("weekdays")),
                        Just(json!("cn-workdays"))
                    ]),
                ),
                (
                    "mode",
                    always(prop_oneof![
                        Just(json!("include")),
                        Just(json!("exclude")),
                        Just(json!("shift_next")),
                        Just(json!("shift_previous"))
                    ]),
                ),
            ])),
        ),
        (
            "overlap",
            maybe(&[
                json!("forbid"),
                json!("allow"),
                json!("queue"),
                json!("replace"),
            ]),
        ),
        ("jitter_ms", maybe(&[json!(0), json!(30_000)])),
        ("start_deadline_ms", maybe(&[json!(60_000), json!(1_000)])),
        (
            "catch_up",
            some(entries(vec![
                (
                    "policy",
                    maybe(&[json!("none"), json!("latest"), json!("all")]),
                ),
                ("max", maybe(&[json!(3)])),
                ("window_ms", maybe(&[json!(3_600_000)])),
            ])),
        ),
        ("timeout_ms", maybe(&[json!(500)])),
        (
            "retry",
            some(entries(vec![
                ("attempts_max", maybe(&[json!(1), json!(3)])),
                ("backoff_initial_ms", maybe(&[json!(1_000), json!(2_000)])),
                ("backoff_max_ms", maybe(&[json!(300_000), json!(400_000)])),
            ])),
        ),
    ])
}

fn daemon() -> BoxedStrategy<Value> {
    entries(vec![
        (
            "restart",
            maybe(&[json!("always"), json!("on_failure"), json!("never")]),
        ),
        (
            "expected_exit_codes",
            maybe(&[json!([0]), json!([0, 3]), json!([])]),
        ),
        ("backoff_max_ms", maybe(&[json!(60_000), json!(70_000)])),
        (
            "readiness",
            some(entries(vec![
                ("check", always(check())),
                ("period_ms", maybe(&[json!(1_000), json!(2_000)])),
                ("successes", maybe(&[json!(1), json!(2)])),
            ])),
        ),
        (
            "health",
            some(entries(vec![
                ("check", always(check())),
                ("failures", maybe(&[json!(3), json!(4)])),
            ])),
        ),
        ("max_age_ms", maybe(&[json!(3_600_000)])),
        ("max_memory_bytes", maybe(&[json!(1_073_741_824_u64)])),
        ("max_unavailable", maybe(&[json!(1), json!(2)])),
    ])
}

fn command() -> BoxedStrategy<Value> {
    let argv = prop::collection::vec(texts(), 0..3).prop_map(|more| {
        let argv = [vec!["/bin/true".to_owned()], more].concat();
        json!({ "argv": argv })
    });
    let script = (
        texts(),
        maybe(&[json!(["/bin/sh"]), json!(["python3", "-u"])]),
    )
        .prop_map(
            |(text, interpreter)| json!({ "script": { "text": text, "interpreter": interpreter } }),
        );
    prop_oneof![argv, script].boxed()
}

/// A definition, and whether it is paused.
fn definitions() -> impl Strategy<Value = (Value, bool)> {
    let kind = prop_oneof![
        scheduled().prop_map(|spec| json!({ "scheduled": spec })),
        daemon().prop_map(|spec| json!({ "daemon": spec })),
    ];
    let rest = entries(vec![
        (
            "name",
            always(texts().prop_map(|text| json!(text.replace(char::is_control, "x")))),
        ),
        ("description", some(texts().prop_map(Value::from))),
        ("command", always(command())),
        ("run_as", always(Just(json!("app")))),
        ("directory", maybe(&[json!("/"), json!("/srv/with space")])),
        (
            "environment",
            some(
                prop::collection::btree_map("[A-Z_][A-Z0-9_]{0,6}", texts(), 0..3)
                    .prop_map(|map| json!(map)),
            ),
        ),
        ("umask", maybe(&[json!("022"), json!("027"), json!("0")])),
        (
            "secrets",
            maybe(&[
                json!([]),
                json!([{ "name": "key", "as": { "env": "KEY" } }, { "name": "tls", "as": { "file": "tls.key" } }]),
            ]),
        ),
        (
            "target",
            always(prop_oneof![
                Just(json!({ "all": true })),
                Just(json!({ "agent_ids": [Uuid::from_u128(7), Uuid::from_u128(8)] })),
            ]),
        ),
        ("processes", maybe(&[json!(1), json!(4)])),
        (
            "output",
            some(entries(vec![
                ("mode", maybe(&[json!("store"), json!("discard")])),
                ("cap_bytes", maybe(&[json!(4_096)])),
                ("when_full", maybe(&[json!("drop"), json!("block")])),
            ])),
        ),
        (
            "stop",
            some(entries(vec![
                ("signal", maybe(&[json!("TERM"), json!("INT")])),
                ("grace_ms", maybe(&[json!(0), json!(10_000)])),
            ])),
        ),
        ("stragglers", maybe(&[json!("kill")])),
        (
            "limits",
            some(entries(vec![
                ("memory_max_bytes", maybe(&[json!(67_108_864)])),
                ("nice", maybe(&[json!(-5), json!(5)])),
                (
                    "io_priority",
                    maybe(&[
                        json!({ "class": "idle" }),
                        json!({ "class": "best_effort", "level": 7 }),
                    ]),
                ),
                ("no_new_privileges", maybe(&[json!(true), json!(false)])),
            ])),
        ),
    ]);
    (rest, kind, any::<bool>()).prop_map(|(mut spec, kind, is_paused)| {
        if let (Value::Object(spec), Value::Object(kind)) = (&mut spec, kind) {
            spec.extend::<Map<String, Value>>(kind);
        }
        (spec, is_paused)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { max_global_rejects: 20_000, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn what_is_exported_is_applied_as_it_was(asked in prop::collection::vec(definitions(), 1..4)) {
        let mut exported = Vec::new();
        for (index, (spec, is_paused)) in asked.into_iter().enumerate() {
            let spec: JobSpec = serde_json::from_value(spec).unwrap();
            let valid = job_spec(spec, "Europe/Berlin");
            prop_assume!(valid.is_ok());
            exported.push(Definition {
                id: Some(Uuid::from_u128(index as u128)),
                group: "a: group".to_owned(),
                paused: Some(is_paused),
                // As a center shows it.
                spec: JobSpec::from(&valid.unwrap()),
            });
        }
        let text = write::document(&document(&exported));
        let file = SourceFile { name: "x.yaml".to_owned(), text };
        let read = LoadedSet::read(std::slice::from_ref(&file)).unwrap();
        prop_assert_eq!(read.jobs.len(), exported.len());
        for (read, exported) in read.jobs.iter().zip(&exported) {
            prop_assert_eq!((read.id, &read.group), (exported.id, &exported.group));
            prop_assert_eq!(read.paused.unwrap_or(false), exported.paused.unwrap_or(false));
            // A center with another default zone reads the same.
            let same = job_spec(read.spec.clone(), "UTC").unwrap();
            prop_assert_eq!(&JobSpec::from(&same), &exported.spec, "{}", file.text);
        }
    }
}
