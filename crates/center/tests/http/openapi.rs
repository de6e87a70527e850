//! The committed description of the REST interface is the one that the code gives.

use std::fs;
use std::path::Path;

use serde_json::Value;

fn document() -> Value {
    serde_json::to_value(cronfleet_center::http::openapi()).unwrap()
}

/// With `UPDATE=1` in the environment the file is written instead of compared.
#[test]
fn openapi_json_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&document()).unwrap());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, text).unwrap();
        return;
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "openapi.json differs from the code: run UPDATE=1 cargo test -p cronfleet-center --test http"
    );
}

#[test]
fn every_operation_is_documented() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        assert!(path.starts_with("/api/v1/"), "{path}");
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            ids.push(operation["operationId"].as_str().unwrap().to_owned());
            assert!(
                operation["summary"].is_string(),
                "{place} says what it does"
            );
            assert!(
                operation["x-permission"].is_string(),
                "{place} says who may call it"
            );
            assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{place}");
            let public = operation["x-permission"] == "public";
            assert_eq!(operation["security"].is_null(), public, "{place}");
            assert!(operation["responses"]["default"].is_object(), "{place}");
            for parameter in operation["parameters"].as_array().unwrap_or(&vec![]) {
                let name = &parameter["name"];
                assert!(
                    parameter["description"].is_string(),
                    "{place}: parameter {name}"
                );
                assert!(parameter["schema"].is_object(), "{place}: parameter {name}");
            }
        }
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "operation ids are unique");
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut open = vec![&document];
    let mut count = 0;
    while let Some(value) = open.pop() {
        match value {
            Value::Object(fields) => {
                if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
                    let pointer = target.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{target} is missing");
                    count += 1;
                }
                open.extend(fields.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    assert!(count > 100);
}
