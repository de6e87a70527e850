//! A document as it was read: values, each with its place in the file.

/// A place in a file; both numbers count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) at: Place,
    pub(super) value: Value,
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// The key of an entry in a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) at: Place,
    pub(super) name: String,
}

impl Node {
    /// The place that a path such as `scheduled.retry` or `secrets[1].name` leads to, and what stands there if it is one word or
    /// number; as far as the path leads anywhere.
    pub(super) fn find(&self, path: &str) -> (Place, Option<String>) {
        let (mut node, mut at) = (self, self.at);
        for step in steps(path) {
            let next = match (&node.value, step) {
                (Value::Map(entries), Step::Key(name)) => entries
                    .iter()
                    .find(|(key, _)| key.name == name)
                    .map(|(key, value)| (key.at, value)),
                (Value::List(items), Step::Item(index)) => {
                    items.get(index).map(|item| (item.at, item))
                }
                _ => None,
            };
            let Some(next) = next else { return (at, None) };
            (at, node) = next;
        }
        (at, node.value.shown())
    }
}

impl Value {
    /// What kind of value it is.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Unsigned(_) | Self::Signed(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }

    /// The value on one line, if it is short.
    fn shown(&self) -> Option<String> {
        const LENGTH_MAX: usize = 80;
        let text = match self {
            Self::Bool(value) => value.to_string(),
            Self::Unsigned(value) => value.to_string(),
            Self::Signed(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Text(text) => format!("{text:?}"),
            Self::Null | Self::List(_) | Self::Map(_) => return None,
        };
        (text.len() <= LENGTH_MAX).then_some(text)
    }
}

/// One step of a path.
#[derive(Debug, PartialEq, Eq)]
enum Step<'a> {
    Key(&'a str),
    Item(usize),
}

/// Takes a path apart.
fn steps(path: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let mut pieces = part.split('[');
        steps.extend(pieces.next().filter(|key| !key.is_empty()).map(Step::Key));
        let items = pieces.filter_map(|piece| piece.strip_suffix(']')?.parse().ok());
        steps.extend(items.map(Step::Item));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart() {
        use Step::{Item, Key};
        assert_eq!(steps(""), []);
        assert_eq!(steps("a.b"), [Key("a"), Key("b")]);
        assert_eq!(
            steps("a[3].b[0][1]"),
            [Key("a"), Item(3), Key("b"), Item(0), Item(1)]
        );
    }
}
