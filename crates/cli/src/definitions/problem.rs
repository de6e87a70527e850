//! What is wrong with definitions, told by file, line and field.

use cronfleet_api::error::Problem;
use serde_json::{Value, json};

use super::mistake::Mistake;
use super::node::Place;
use crate::shown;

/// Everything that is wrong with some definitions; nothing of them was done.
#[derive(Debug)]
pub(crate) struct Problems {
    /// HTTP status, if a center found them.
    pub(super) status: Option<u16>,
    /// How many there are.
    pub(super) total: usize,
    /// Those that are listed.
    pub(super) listed: Vec<Located>,
}

/// One thing that is wrong.
#[derive(Debug, Default)]
pub(super) struct Located {
    pub(super) file: Option<String>,
    pub(super) at: Option<Place>,
    /// Name of the job.
    pub(super) job: Option<String>,
    /// Path in the file, below the job.
    pub(super) field: String,
    /// What stands there, if it is short.
    pub(super) value: Option<String>,
    column: Option<u32>,
    code: Option<String>,
    message: String,
    hint: Option<String>,
    /// File and place of what it contradicts.
    pub(super) also: Option<(String, Place)>,
}

impl Problems {
    /// HTTP status, if a center found them.
    pub(crate) fn status(&self) -> Option<u16> {
        self.status
    }

    /// One line per problem.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.listed.iter().map(Located::line).collect();
        if self.total > self.listed.len() {
            lines.push(format!("and {} more", self.total - self.listed.len()));
        }
        lines
    }

    /// The problems as programs read them.
    pub(crate) fn json(&self) -> Value {
        self.listed.iter().map(Located::json).collect()
    }
}

impl std::fmt::Display for Problems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.total {
            1 => f.write_str("1 problem in the definitions; nothing was changed"),
            total => write!(
                f,
                "{total} problems in the definitions; nothing was changed"
            ),
        }
    }
}

impl Located {
    /// A mistake in a file.
    pub(super) fn of_mistake(file: &str, mistake: Mistake) -> Self {
        Self {
            file: Some(file.to_owned()),
            at: mistake.at,
            field: mistake.field,
            message: mistake.message,
            hint: mistake.hint,
            ..Self::default()
        }
    }

    /// What a center says; where that is written is still to be found.
    pub(super) fn of_problem(problem: &Problem) -> Self {
        Self {
            field: problem.field.clone(),
            column: problem.column,
            code: Some(problem.code.clone()),
            message: problem.message.clone(),
            hint: problem.hint.clone(),
            ..Self::default()
        }
    }

    /// Says in which job it is: by name, or by its place in the list.
    pub(super) fn name_job(&mut self, index: usize, name: Option<&str>) {
        self.job = Some(name.map_or_else(|| format!("jobs[{index}]"), str::to_owned));
    }

    /// `file:line:column: job: field value: message (hint)`.
    pub(super) fn line(&self) -> String {
        let mut line = String::new();
        if let Some(file) = &self.file {
            line.push_str(file);
            line.push(':');
        }
        if let Some(at) = self.at {
            line.push_str(&format!("{}:{}:", at.line, at.column));
        }
        if let Some(job) = &self.job {
            line.push_str(&format!(" {job}:"));
        }
        let mut what = self.field.clone();
        if let Some(value) = &self.value {
            what.push_str(&format!(" {value}"));
        }
        if let Some(column) = self.column {
            what.push_str(&format!(", column {column}"));
        }
        if !what.is_empty() {
            line.push_str(&format!(" {what}:"));
        }
        line.push_str(&format!(" {}", self.message));
        if let Some(hint) = &self.hint {
            line.push_str(&format!(" ({hint})"));
        }
        if let Some((file, at)) = &self.also {
            line.push_str(&format!(" (see also {file}:{})", at.line));
        }
        shown::plain(line.trim_start()).to_string()
    }

    fn json(&self) -> Value {
        json!({
            "file": self.file,
            "line": self.at.map(|at| at.line),
            "job": self.job,
            "field": self.field,
            "column": self.column,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "also": self.also.as_ref().map(|(file, at)| json!({ "file": file, "line": at.line })),
        })
    }
}
