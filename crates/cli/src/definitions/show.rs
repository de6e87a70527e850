//! Showing a plan.

use cronfleet_api::definition::{ChangeAction, DefinitionChange, DefinitionPlan, FieldChange};
use serde_json::Value;

use crate::failure::Failure;
use crate::screen::Screen;
use crate::shown;

/// Most characters of a value.
const VALUE_LENGTH_MAX: usize = 120;
/// Most lines of a text that differ.
const LINES_MAX: usize = 40;

/// Shows what would be changed, or was.
pub(super) fn plan(screen: &mut Screen, plan: &DefinitionPlan) -> Result<(), Failure> {
    for change in &plan.changes {
        screen.line(heading(change))?;
        for field in &change.fields {
            for line in field_lines(field) {
                screen.line(format_args!("      {line}"))?;
            }
        }
    }
    Ok(())
}

fn heading(change: &DefinitionChange) -> String {
    let (sign, what) = match change.action {
        ChangeAction::Create => ('+', "create"),
        ChangeAction::Update => ('~', "change"),
        ChangeAction::Pause => ('~', "pause"),
        ChangeAction::Resume => ('~', "resume"),
        ChangeAction::Delete => ('-', "delete"),
    };
    let (group, name) = (shown::plain(&change.group), shown::plain(&change.name));
    let version = change
        .version
        .map_or_else(String::new, |version| format!("  (version {version})"));
    format!("{sign} {what:<6}  {group}/{name}{version}")
}

/// What differs in a field; of a text the lines.
pub(crate) fn field_lines(change: &FieldChange) -> Vec<String> {
    let field = shown::plain(&change.field);
    if let (Some(Value::String(old)), Some(Value::String(new))) = (&change.old, &change.new)
        && (old.contains('\n') || new.contains('\n'))
    {
        let lines = text_lines(old, new)
            .into_iter()
            .map(|line| format!("  {line}"));
        return std::iter::once(format!("{field}:")).chain(lines).collect();
    }
    let value = |value: &Option<Value>| match value {
        None => "(none)".to_owned(),
        Some(value) => shown::cut(&value.to_string(), VALUE_LENGTH_MAX),
    };
    vec![format!(
        "{field}: {} → {}",
        value(&change.old),
        value(&change.new)
    )]
}

/// The lines in which two texts differ, between those with which both begin and end.
fn text_lines(old: &str, new: &str) -> Vec<String> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.split('\n').collect(), new.split('\n').collect());
    let pairs = old.iter().zip(&new);
    let begin = pairs.take_while(|(a, b)| a == b).count();
    let shorter = old.len().min(new.len()) - begin;
    let pairs = old.iter().rev().zip(new.iter().rev()).take(shorter);
    let end = pairs.take_while(|(a, b)| a == b).count();
    let part = |lines: &[&str], sign: char| -> Vec<String> {
        let lines = lines.get(begin..lines.len() - end).unwrap_or_default();
        let more = lines.len().saturating_sub(LINES_MAX);
        let shown = lines.iter().take(LINES_MAX);
        let shown = shown.map(|line| format!("{sign} {}", shown::cut(line, VALUE_LENGTH_MAX)));
        let more = (more > 0).then(|| format!("{sign} … {more} more lines"));
        shown.chain(more).collect()
    };
    let mut lines = part(&old, '-');
    lines.extend(part(&new, '+'));
    lines
}

/// How much is changed, in one sentence.
pub(super) fn summary(plan: &DefinitionPlan) -> String {
    let count = |wanted: ChangeAction| {
        let changes = plan.changes.iter();
        changes.filter(|change| change.action == wanted).count()
    };
    let parts = [
        (count(ChangeAction::Create), "created"),
        (count(ChangeAction::Update), "changed"),
        (count(ChangeAction::Pause), "paused"),
        (count(ChangeAction::Resume), "resumed"),
        (count(ChangeAction::Delete), "deleted"),
        (plan.unchanged as usize, "unchanged"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if parts.is_empty() {
        return "no jobs".to_owned();
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_shows_both_values_and_a_text_its_lines() {
        let field = |old: Value, new: Value| {
            field_lines(&FieldChange {
                field: "f".to_owned(),
                old: (!old.is_null()).then_some(old),
                new: (!new.is_null()).then_some(new),
            })
        };
        assert_eq!(field(json!(3), json!([1])), ["f: 3 → [1]"]);
        assert_eq!(field(Value::Null, json!("a")), ["f: (none) → \"a\""]);
        assert_eq!(
            field(json!("a\nb\nc\nd\n"), json!("a\nx\ny\nd\n")),
            ["f:", "  - b", "  - c", "  + x", "  + y"]
        );
        assert_eq!(field(json!("a\na\n"), json!("a\na\na\n")), ["f:", "  + a"]);
    }
}
