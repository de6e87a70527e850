//! Files and documents become one set of definitions, of which every part knows where it was written.

use std::path::PathBuf;

use cronfleet_api::definition::{
    DEFINITIONS_MAX, DEFINITIONS_VERSION, Definition, DefinitionSet, PROBLEMS_MAX,
};
use cronfleet_api::error::{ErrorDetail, Problem};
use cronfleet_api::job::JobSpec;
use serde::Deserialize;

use super::files::{self, SourceFile};
use super::mistake::Mistake;
use super::node::{Key, Node, Place, Value};
use super::problem::{Located, Problems};
use super::shape::Entries;
use super::yaml;
use crate::failure::Failure;

/// Keys of a document.
const DOCUMENT_KEYS: [&str; 2] = ["cronfleet", "jobs"];
/// Keys of a job that are not part of its definition.
const JOB_KEYS: [&str; 3] = ["id", "group", "paused"];

/// A set, and where each of its jobs was written.
#[derive(Debug, Default)]
pub(crate) struct LoadedSet {
    pub(crate) jobs: Vec<Definition>,
    sources: Vec<Source>,
}

#[derive(Debug)]
struct Source {
    file: String,
    node: Node,
}

impl LoadedSet {
    /// Reads the files at these places as one set.
    ///
    /// # Errors
    /// What cannot be read; see [`LoadedSet::read`].
    pub(crate) fn of_paths(paths: &[PathBuf]) -> Result<Self, Failure> {
        Self::read(&files::read(paths)?)
    }

    /// Reads files as one set.
    ///
    /// # Errors
    /// Everything that is wrong with the form, with file, line and field; of each job the first.
    pub(super) fn read(files: &[SourceFile]) -> Result<Self, Failure> {
        let (mut set, mut mistakes) = (Self::default(), Vec::new());
        for file in files {
            let documents = match yaml::documents(&file.text) {
                Ok(documents) => documents,
                Err(mistake) => {
                    mistakes.push(Located::of_mistake(&file.name, mistake));
                    continue;
                }
            };
            for document in documents {
                if let Err(mistake) = set.add_document(&file.name, document, &mut mistakes) {
                    mistakes.push(Located::of_mistake(&file.name, mistake));
                }
            }
        }
        let total = mistakes.len();
        mistakes.truncate(PROBLEMS_MAX);
        if total > 0 {
            return Err(Failure::Definitions(Problems {
                status: None,
                total,
                listed: mistakes,
            }));
        }
        if set.jobs.len() > DEFINITIONS_MAX {
            return Err(Failure::Input {
                field: "--file".to_owned(),
                message: format!("there are {} jobs in these files", set.jobs.len()),
                hint: format!("apply at most {DEFINITIONS_MAX} at a time"),
            });
        }
        Ok(set)
    }

    fn add_document(
        &mut self,
        file: &str,
        document: Node,
        mistakes: &mut Vec<Located>,
    ) -> Result<(), Mistake> {
        let Node { at, value } = document;
        let Value::Map(entries) = value else {
            return Err(Mistake::new(
                "this is not a file of definitions",
                "begin it with \"cronfleet: 1\" and \"jobs:\"",
            )
            .at(at));
        };
        for (key, _) in &entries {
            if !DOCUMENT_KEYS.contains(&key.name.as_str()) {
                let mistake = Mistake::unknown_key(&key.name, &DOCUMENT_KEYS);
                return Err(mistake.at(key.at).within(&key.name));
            }
        }
        let (mut version, mut jobs) = (None, None);
        for (key, value) in entries {
            match key.name.as_str() {
                "cronfleet" => version = Some(value),
                _ => jobs = Some(value),
            }
        }
        check_version(version.as_ref(), at)?;
        let Some(jobs) = jobs else {
            let mistake = Mistake::new("jobs is missing", "add it; \"jobs: []\" stands for none");
            return Err(mistake.at(at).within("jobs"));
        };
        let jobs = match jobs.value {
            Value::Null => Vec::new(),
            Value::List(jobs) => jobs,
            other => {
                let mistake = Mistake::expected("a list of jobs", other.word());
                return Err(mistake.at(jobs.at).within("jobs"));
            }
        };
        for (index, node) in jobs.into_iter().enumerate() {
            match definition(&node) {
                Ok(definition) => {
                    self.jobs.push(definition);
                    let file = file.to_owned();
                    self.sources.push(Source { file, node });
                }
                Err(mistake) => {
                    let mut located = Located::of_mistake(file, mistake.at(node.at));
                    located.name_job(index, name_of(&node));
                    mistakes.push(located);
                }
            }
        }
        Ok(())
    }

    /// The set as it is sent.
    pub(super) fn to_request(&self, groups: Vec<String>, prune: bool) -> DefinitionSet {
        DefinitionSet {
            cronfleet: DEFINITIONS_VERSION,
            jobs: self.jobs.clone(),
            groups,
            prune,
        }
    }

    /// Turns what a center says about places in a request into places in files; a failure that is about nothing in them stays.
    pub(crate) fn located(&self, failure: Failure) -> Failure {
        let Failure::Server { status, detail } = failure else {
            return failure;
        };
        let problems = if detail.problems.is_empty() {
            self.only_problem(&detail).into_iter().collect()
        } else {
            detail.problems.clone()
        };
        if problems.is_empty() {
            return Failure::Server { status, detail };
        }
        let total = count_in(&detail.message).unwrap_or(problems.len());
        let listed = problems.iter().map(|problem| self.locate(problem));
        Failure::Definitions(Problems {
            status: Some(status),
            total,
            listed: listed.collect(),
        })
    }

    /// The problem that an answer is about, if it is one of a job.
    fn only_problem(&self, detail: &ErrorDetail) -> Option<Problem> {
        let field = detail.field.as_deref()?;
        let field = field.strip_prefix("set.").unwrap_or(field);
        self.source(field)?;
        Some(Problem {
            field: field.to_owned(),
            code: detail.code.clone(),
            message: detail.message.clone(),
            column: detail.column,
            hint: detail.hint.clone(),
            also: None,
            job: None,
        })
    }

    fn locate(&self, problem: &Problem) -> Located {
        let mut located = Located::of_problem(problem);
        let Some((source, field)) = self.source(&problem.field) else {
            // What is not of a job was asked for by a flag.
            located.field = flag(&problem.field).to_owned();
            return located;
        };
        let (at, value) = source.node.find(field);
        located.file = Some(source.file.clone());
        located.at = Some(at);
        located.value = value;
        field.clone_into(&mut located.field);
        located.job = name_of(&source.node).map(str::to_owned);
        located.also = problem.also.as_deref().and_then(|also| {
            let (source, field) = self.source(also)?;
            Some((source.file.clone(), source.node.find(field).0))
        });
        located
    }

    /// The job of a path such as `jobs[17].spec.run_as`, and the rest of the path as it is in a file.
    fn source<'a>(&self, path: &'a str) -> Option<(&Source, &'a str)> {
        let (index, rest) = path.strip_prefix("jobs[")?.split_once(']')?;
        let rest = rest.strip_prefix('.').unwrap_or(rest);
        let rest = rest.strip_prefix("spec.").unwrap_or(rest);
        Some((self.sources.get(index.parse::<usize>().ok()?)?, rest))
    }
}

/// The flag that a field of a request comes from.
fn flag(field: &str) -> &str {
    match field.split('[').next() {
        Some("groups") => "--group",
        Some("prune") => "--prune",
        _ => field,
    }
}

/// The number that a message begins with: of very many problems only some are listed.
fn count_in(message: &str) -> Option<usize> {
    message.split(' ').next()?.parse().ok()
}

fn check_version(version: Option<&Node>, at: Place) -> Result<(), Mistake> {
    let hint = format!("write cronfleet: {DEFINITIONS_VERSION}");
    let Some(version) = version else {
        let mistake = Mistake::new("this file does not say its version", &hint);
        return Err(mistake.at(at).within("cronfleet"));
    };
    if version.value == Value::Unsigned(u64::from(DEFINITIONS_VERSION)) {
        return Ok(());
    }
    let mistake = Mistake::new("this version of definitions is not known here", &hint);
    Err(mistake.at(version.at).within("cronfleet"))
}

/// Reads one job.
fn definition(node: &Node) -> Result<Definition, Mistake> {
    let Value::Map(entries) = &node.value else {
        return Err(Mistake::expected("a job", node.value.word()));
    };
    let (own, spec): (Vec<_>, Vec<_>) = entries
        .iter()
        .partition(|(key, _)| JOB_KEYS.contains(&key.name.as_str()));
    let spec = JobSpec::deserialize(Entries::new(spec, &JOB_KEYS))?;
    Ok(Definition {
        id: own_value(&own, "id")?,
        group: own_value(&own, "group")?.ok_or_else(|| {
            Mistake::new(
                "the group is missing",
                "add group: with the name of the group that owns the job",
            )
            .within("group")
        })?,
        paused: own_value(&own, "paused")?,
        spec,
    })
}

fn own_value<'de, T: Deserialize<'de>>(
    own: &[&'de (Key, Node)],
    name: &str,
) -> Result<Option<T>, Mistake> {
    let Some((_, value)) = own.iter().find(|(key, _)| key.name == name) else {
        return Ok(None);
    };
    Option::deserialize(value).map_err(|mistake| mistake.at(value.at).within(name))
}

/// What a job is called, as far as it says so.
fn name_of(node: &Node) -> Option<&str> {
    let Value::Map(entries) = &node.value else {
        return None;
    };
    entries.iter().find_map(|(key, value)| match &value.value {
        Value::Text(name) if key.name == "name" => Some(name.as_str()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> SourceFile {
        SourceFile {
            name: name.to_owned(),
            text: text.to_owned(),
        }
    }

    const GOOD: &str = "\
cronfleet: 1
jobs:
  - group: web
    name: report
    scheduled:
      expression: 0 25 * * *
    command:
      argv: [/bin/true]
    run_as: app
    target: {all: true}
    secrets:
      - name: key
        as: {env: KEY}
";

    fn refused(text: &str) -> Vec<String> {
        match LoadedSet::read(&[file("a.yaml", text)]) {
            Err(Failure::Definitions(problems)) => {
                problems.listed.iter().map(Located::line).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn several_files_and_documents_are_one_set() {
        let empty = "# nothing\n---\ncronfleet: 1\njobs:\n";
        let set = LoadedSet::read(&[
            file("a.yaml", &format!("{GOOD}---\n{GOOD}")),
            file("b.yaml", empty),
            file("c.yaml", GOOD),
        ])
        .unwrap();
        assert_eq!(set.jobs.len(), 3);
        assert_eq!(set.jobs[0].spec.secrets.len(), 1);
        let problem = |index: usize, field: &str| Problem {
            field: format!("jobs[{index}].{field}"),
            code: "x".to_owned(),
            message: "Wrong".to_owned(),
            column: Some(3),
            hint: None,
            also: Some("jobs[0].spec.name".to_owned()),
            job: None,
        };
        let line = |index, field| set.locate(&problem(index, field)).line();
        assert_eq!(
            line(0, "spec.scheduled.expression"),
            "a.yaml:6:7: report: scheduled.expression \"0 25 * * *\", column 3: Wrong (see also a.yaml:4)"
        );
        assert!(line(1, "spec.secrets[0].name").starts_with("a.yaml:26:9: "));
        assert!(line(2, "group").starts_with("c.yaml:3:5: report: group \"web\""));
        assert!(
            line(2, "spec.directory").starts_with("c.yaml:3:5: "),
            "what is not there is the job's"
        );
    }

    #[test]
    fn mistakes_of_form_have_file_line_and_field() {
        let with = |from: &str, to: &str| refused(&GOOD.replace(from, to));
        let cases = [
            (
                "run_as: app",
                "runas: app",
                "a.yaml:9:5: report: runas: there is no key \"runas\" here (did you mean run_as?)",
            ),
            (
                "group: web",
                "grup: web",
                "a.yaml:3:5: report: grup: there is no key \"grup\" here (did you mean group?)",
            ),
            (
                "      expression: 0 25",
                "      expresion: 0 25",
                "a.yaml:6:7: report: scheduled.expresion: there is no key \"expresion\" here (did you mean expression?)",
            ),
            (
                "argv: [/bin/true]",
                "argv: [/bin/sleep, 5]",
                "a.yaml:8:26: report: command.argv[1]: a string is expected here, not integer `5` (put it in quotes)",
            ),
            (
                "    run_as: app\n",
                "",
                "a.yaml:3:5: report: run_as: run_as is missing (add it)",
            ),
            (
                "{env: KEY}",
                "{var: KEY}",
                "a.yaml:13:13: report: secrets[0].as: \"var\" means nothing here (use one of env, file)",
            ),
            (
                "{all: true}",
                "{all: 1}",
                "a.yaml:10:19: report: target.all: a boolean is expected here, not integer `1`",
            ),
            (
                "group: web",
                "group: web\n    id: 7",
                "a.yaml:4:9: report: id: a formatted UUID string is expected here, not integer `7`",
            ),
            (
                "cronfleet: 1",
                "cronfleet: 2",
                "a.yaml:1:12: cronfleet: this version of definitions is not known here (write cronfleet: 1)",
            ),
            (
                "cronfleet: 1",
                "cronflet: 1",
                "a.yaml:1:1: cronflet: there is no key \"cronflet\" here (did you mean cronfleet?)",
            ),
            (
                "cronfleet: 1\n",
                "",
                "a.yaml:1:1: cronfleet: this file does not say its version (write cronfleet: 1)",
            ),
        ];
        for (from, to, line) in cases {
            assert_eq!(with(from, to), [line]);
        }
        assert_eq!(refused("- a\n").len(), 1);
        assert_eq!(refused("cronfleet: 1\njobs: {a: b}\n").len(), 1);
        let both = format!(
            "{}---\n{}",
            GOOD.replace("run_as", "x"),
            GOOD.replace("group", "y")
        );
        assert_eq!(refused(&both).len(), 2, "all are told at once");
    }
}
