//! Content lines: folded lines joined, names, parameters and values apart.

use super::{IcsError, IcsMistake};

/// A content line.
#[derive(Debug)]
pub(super) struct Line {
    /// Where it begins, from 1.
    pub(super) number: usize,
    /// Name in capitals.
    pub(super) name: String,
    /// Parameters, their names in capitals.
    parameters: Vec<(String, String)>,
    /// Value as it stands there.
    pub(super) value: String,
}

impl Line {
    /// Value of a parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The mistake, with its place.
    pub(super) fn fail(&self, mistake: IcsMistake) -> IcsError {
        IcsError {
            line: self.number,
            property: self.name.chars().take(64).collect(),
            mistake,
        }
    }

    /// The value, or a part of it, is not what it should be.
    pub(super) fn wrong(&self, text: &str, expected: &'static str) -> IcsError {
        self.fail(IcsMistake::Value {
            text: text.chars().take(64).collect(),
            expected,
        })
    }

    /// The value is not what it should be.
    pub(super) fn value_error(&self, expected: &'static str) -> IcsError {
        self.wrong(&self.value, expected)
    }
}

/// All content lines of a file.
pub(super) fn lines(text: &str) -> Result<Vec<Line>, IcsError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut unfolded: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let rest = line.strip_prefix([' ', '\t']);
        match (rest, unfolded.last_mut()) {
            (Some(rest), Some((_, last))) => last.push_str(rest),
            _ if line.trim().is_empty() => {}
            _ => unfolded.push((index + 1, line.to_owned())),
        }
    }
    let split = unfolded
        .into_iter()
        .map(|(number, line)| split(number, &line));
    split.collect()
}

/// Takes a line apart. A colon or semicolon between quotation marks belongs to a parameter's value.
fn split(number: usize, line: &str) -> Result<Line, IcsError> {
    let mut is_quoted = false;
    let colon = line.find(|c| {
        is_quoted ^= c == '"';
        c == ':' && !is_quoted
    });
    let refuse = || IcsError {
        line: number,
        property: line.chars().take(32).collect(),
        mistake: IcsMistake::Form("a line without a name and a colon"),
    };
    let colon = colon.ok_or_else(refuse)?;
    let (head, value) = (&line[..colon], &line[colon + 1..]);
    let mut is_quoted = false;
    let mut parts = head.split(|c| {
        is_quoted ^= c == '"';
        c == ';' && !is_quoted
    });
    let name = parts.next().unwrap_or_default().trim().to_ascii_uppercase();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(refuse());
    }
    let parameters = parts.map(|part| {
        let (name, value) = part.split_once('=').ok_or_else(refuse)?;
        Ok((
            name.to_ascii_uppercase(),
            value.trim_matches('"').to_owned(),
        ))
    });
    Ok(Line {
        number,
        parameters: parameters.collect::<Result<_, _>>()?,
        value: value.to_owned(),
        name,
    })
}
