//! Writing YAML that people like to read and compare: blocks, no anchors, quotes where they are needed, texts of several lines as
//! they are.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The order in which keys are written; others follow by name.
const ORDER: [&str; 26] = [
    "cronfleet",
    "jobs",
    "id",
    "group",
    "name",
    "description",
    "paused",
    "scheduled",
    "daemon",
    "expression",
    "time_zone",
    "command",
    "argv",
    "interpreter",
    "text",
    "run_as",
    "directory",
    "environment",
    "umask",
    "secrets",
    "target",
    "processes",
    "output",
    "stop",
    "stragglers",
    "limits",
];

/// One document.
pub(super) fn document(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(entries) if !entries.is_empty() => map(&mut text, entries, 0, false),
        Value::Array(items) if !items.is_empty() => list(&mut text, items, 0),
        other => {
            scalar(&mut text, other, 0);
            text.push('\n');
        }
    }
    text
}

/// Entries, each on lines of its own. The first one may follow a dash.
fn map(text: &mut String, entries: &Map<String, Value>, indent: usize, is_begun: bool) {
    let rank = |key: &str| ORDER.iter().position(|known| *known == key);
    let mut keys: Vec<&String> = entries.keys().collect();
    keys.sort_by_key(|key| (rank(key).unwrap_or(ORDER.len()), *key));
    for (place, key) in keys.into_iter().enumerate() {
        if place > 0 || !is_begun {
            spaces(text, indent);
        }
        word(text, key);
        text.push(':');
        match entries.get(key) {
            Some(Value::Object(inner)) if !inner.is_empty() => {
                text.push('\n');
                map(text, inner, indent + 2, false);
            }
            Some(Value::Array(items)) if !items.is_empty() => {
                text.push('\n');
                list(text, items, indent + 2);
            }
            value => {
                text.push(' ');
                scalar(text, value.unwrap_or(&Value::Null), indent + 2);
                text.push('\n');
            }
        }
    }
}

fn list(text: &mut String, items: &[Value], indent: usize) {
    for item in items {
        spaces(text, indent);
        text.push_str("- ");
        match item {
            Value::Object(entries) if !entries.is_empty() => map(text, entries, indent + 2, true),
            Value::Array(inner) if !inner.is_empty() => {
                // A list in a list needs a line of its own; definitions have none.
                text.truncate(text.len() - 1);
                text.push('\n');
                list(text, inner, indent + 2);
            }
            other => {
                scalar(text, other, indent + 2);
                text.push('\n');
            }
        }
    }
}

fn spaces(text: &mut String, count: usize) {
    text.extend(std::iter::repeat_n(' ', count));
}

/// A value without anything in it but itself. `indent` is that of the lines of a text.
fn scalar(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(_) | Value::Number(_) => text.push_str(&value.to_string()),
        Value::String(string) if is_block(string) => block(text, string, indent),
        Value::String(string) => word(text, string),
        Value::Array(_) => text.push_str("[]"),
        Value::Object(_) => text.push_str("{}"),
    }
}

/// Whether a text can be written as it is, line by line: it has several lines, the first one is not indented, and nothing in it
/// would be lost or be something else.
fn is_block(string: &str) -> bool {
    let is_printable = |c: char| c == '\n' || c == '\t' || is_printable(c);
    let body = string.strip_suffix('\n').unwrap_or(string);
    body.contains('\n')
        && string.chars().all(is_printable)
        && !body.starts_with([' ', '\t', '\n'])
        && !body.ends_with('\n')
        && body.lines().all(|line| !line.ends_with([' ', '\t']))
}

fn block(text: &mut String, string: &str, indent: usize) {
    let body = match string.strip_suffix('\n') {
        Some(body) => {
            text.push('|');
            body
        }
        None => {
            text.push_str("|-");
            string
        }
    };
    for line in body.split('\n') {
        text.push('\n');
        if !line.is_empty() {
            spaces(text, indent);
            text.push_str(line);
        }
    }
}

/// A text on one line, in quotes unless everybody reads it as this text without them.
fn word(text: &mut String, string: &str) {
    if is_plain(string) {
        text.push_str(string);
        return;
    }
    text.push('"');
    for c in string.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            c if is_printable(c) => text.push(c),
            // Writing into a String cannot fail.
            c if u32::from(c) <= 0xffff => drop(write!(text, "\\u{:04x}", u32::from(c))),
            c => drop(write!(text, "\\U{:08x}", u32::from(c))),
        }
    }
    text.push('"');
}

fn is_plain(string: &str) -> bool {
    // Readers of YAML 1.1 take these for something else.
    const WORDS: [&str; 10] = [
        "null", "true", "false", "yes", "no", "on", "off", "y", "n", "~",
    ];
    let is_letter = |c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '_');
    let is_inside =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '.' | '+' | '=' | ' ');
    string.starts_with(is_letter)
        && string.chars().all(is_inside)
        && !string.ends_with(' ')
        && !WORDS.contains(&string.to_ascii_lowercase().as_str())
}

/// Whether YAML lets a character stand for itself in quotes. A mark of byte order and the line ends of Unicode are written as numbers,
/// so that editors leave them alone.
fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(
            c,
            '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::node::{self, Node};
    use super::super::yaml;
    use super::*;

    fn read(text: &str) -> Value {
        fn value(node: &Node) -> Value {
            match &node.value {
                node::Value::Null => Value::Null,
                node::Value::Bool(value) => json!(value),
                node::Value::Unsigned(value) => json!(value),
                node::Value::Signed(value) => json!(value),
                node::Value::Float(value) => json!(value),
                node::Value::Text(text) => json!(text),
                node::Value::List(items) => items.iter().map(value).collect(),
                node::Value::Map(entries) => {
                    let entries = entries.iter();
                    entries
                        .map(|(key, node)| (key.name.clone(), value(node)))
                        .collect()
                }
            }
        }
        let documents =
            yaml::documents(text).unwrap_or_else(|mistake| panic!("{mistake:?}\n{text}"));
        documents.first().map_or(Value::Null, value)
    }

    #[test]
    fn it_looks_as_people_write_it() {
        let value = json!({
            "jobs": [{
                "name": "nightly report",
                "group": "web",
                "environment": { "B": "", "A": "yes", "C": "a: b" },
                "scheduled": { "expression": "*/5 * * * *", "time_zone": "Asia/Shanghai" },
                "command": { "script": { "text": "set -e\n\necho \"a\"\n  b\n" } },
                "target": { "agent_ids": ["x", 1] },
                "daemon": {},
                "secrets": [],
            }],
            "cronfleet": 1,
        });
        let text = "\
cronfleet: 1
jobs:
  - group: web
    name: nightly report
    scheduled:
      expression: \"*/5 * * * *\"
      time_zone: Asia/Shanghai
    daemon: {}
    command:
      script:
        text: |
          set -e

          echo \"a\"
            b
    environment:
      A: \"yes\"
      B: \"\"
      C: \"a: b\"
    secrets: []
    target:
      agent_ids:
        - x
        - 1
";
        assert_eq!(document(&value), text);
        assert_eq!(read(text), value);
    }

    fn values() -> impl Strategy<Value = Value> {
        let texts = prop_oneof![
            any::<String>(),
            "[ \t\na-c:#'\"|>&*!%@`{}\\[\\],?-]{0,12}",
            "(0x|0o|-|\\+|\\.)?[0-9a-fA-F_.:]{0,6}",
            "(true|No|~|null|\\.inf|<<|---|\\.\\.\\.|=)",
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            texts.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((texts.clone(), inner), 0..4)
                    .prop_map(|entries| entries.into_iter().collect::<Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_as_it_was(value in values()) {
            let text = document(&value);
            prop_assert_eq!(read(&text), value, "{}", text);
        }
    }
}
