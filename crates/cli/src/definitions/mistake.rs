//! What is wrong with a file, and where.

use std::fmt::Display;

use serde::de::{self, Expected, Unexpected};

use super::node::Place;

/// A mistake in a file. What reads a value does not know where it stands: who gave it the value adds that on the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    /// Where; `None` as long as nobody has said it.
    pub(super) at: Option<Place>,
    /// Path of the field, as far as it is known.
    pub(super) field: String,
    /// What is wrong.
    pub(super) message: String,
    /// What would be right.
    pub(super) hint: Option<String>,
    /// Keys that would be known in place of an unknown one.
    known: Vec<&'static str>,
}

impl Mistake {
    pub(super) fn new(message: impl Into<String>, hint: &str) -> Self {
        Self {
            at: None,
            field: String::new(),
            message: message.into(),
            hint: (!hint.is_empty()).then(|| hint.to_owned()),
            known: Vec::new(),
        }
    }

    /// One thing stands where another is expected.
    pub(super) fn expected(expected: &str, found: &str) -> Self {
        Self::new(format!("{expected} is expected here, not {found}"), "")
    }

    /// A key that nobody knows.
    pub(super) fn unknown_key(key: &str, known: &[&'static str]) -> Self {
        Self {
            known: known.to_vec(),
            ..Self::new(format!("there is no key {key:?} here"), "")
        }
        .explained(key)
    }

    /// Says where, unless that was said.
    pub(super) fn at(mut self, at: Place) -> Self {
        self.at.get_or_insert(at);
        self
    }

    /// Says of which field, or in which it is.
    pub(super) fn within(mut self, step: &str) -> Self {
        let joint = match self.field.chars().next() {
            None | Some('[') => "",
            Some(_) => ".",
        };
        self.field = format!("{step}{joint}{}", self.field);
        self
    }

    /// More keys that would be known in place of an unknown one.
    pub(super) fn also_known(mut self, more: &[&'static str], key: &str) -> Self {
        if self.known.is_empty() {
            return self;
        }
        self.known.extend(more);
        self.explained(key)
    }

    fn explained(mut self, found: &str) -> Self {
        self.hint = Some(match closest(found, &self.known) {
            Some(close) => format!("did you mean {close}?"),
            None => format!("use one of {}", self.known.join(", ")),
        });
        self
    }
}

impl Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Mistake {}

impl de::Error for Mistake {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(message.to_string(), "")
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let is_scalar = matches!(
            found,
            Unexpected::Bool(_)
                | Unexpected::Unsigned(_)
                | Unexpected::Signed(_)
                | Unexpected::Float(_)
        );
        let is_text = expected.to_string() == "a string";
        let hint = if is_scalar && is_text {
            "put it in quotes"
        } else {
            ""
        };
        Self::new(format!("{expected} is expected here, not {found}"), hint)
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("{found} is not {expected}"), "")
    }

    fn unknown_variant(found: &str, expected: &'static [&'static str]) -> Self {
        let hint = match closest(found, expected) {
            Some(close) => format!("did you mean {close}? There are {}", expected.join(", ")),
            None => format!("use one of {}", expected.join(", ")),
        };
        Self::new(format!("{found:?} means nothing here"), &hint)
    }

    fn unknown_field(found: &str, expected: &'static [&'static str]) -> Self {
        Self::unknown_key(found, expected)
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            field: field.to_owned(),
            ..Self::new(format!("{field} is missing"), "add it")
        }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("{field} is given twice"), "keep one of them")
    }
}

/// The word that was probably meant.
fn closest(found: &str, known: &[&'static str]) -> Option<&'static str> {
    let distances = known.iter().map(|word| (distance(found, word), *word));
    let (distance, word) = distances.min()?;
    let is_close = distance <= 1 + word.chars().count().max(found.chars().count()) / 4;
    is_close.then_some(word)
}

/// How many letters must be changed, added or left out to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (done, x) in a.chars().take(64).enumerate() {
        let mut next = vec![done + 1];
        for (place, (y, pair)) in b.iter().zip(row.windows(2)).enumerate() {
            let [diagonal, above] = pair else { continue };
            let left = next.get(place).copied().unwrap_or(0);
            let change = diagonal + usize::from(x != *y);
            next.push(change.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_that_was_meant_is_found() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        let known = ["scheduled", "daemon", "run_as"];
        assert_eq!(closest("schedule", &known), Some("scheduled"));
        assert_eq!(closest("runas", &known), Some("run_as"));
        assert_eq!(closest("owner", &known), None);
    }

    #[test]
    fn a_field_is_known_by_its_path() {
        let mistake = Mistake::new("x", "").within("[3]").within("secrets");
        assert_eq!(mistake.field, "secrets[3]");
        assert_eq!(mistake.within("b").field, "b.secrets[3]");
    }
}
