//! `cronfleet export`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use cronfleet_api::definition::{DEFINITIONS_MAX, DEFINITIONS_VERSION, Definition};
use cronfleet_api::group::Group;
use serde_json::{Value, json};

use super::concise::Defaults;
use super::write;
use crate::args::Options;
use crate::client::{Client, id_of};
use crate::failure::Failure;
use crate::screen::Screen;

/// Write the definitions of jobs as a file that apply takes.
#[derive(Args)]
#[command(after_help = "\
Examples:
  cronfleet export --group web > web.yaml
  cronfleet export -o jobs.yaml")]
pub(crate) struct Export {
    /// Only jobs of this group (name or id); may be repeated
    #[arg(long, short)]
    group: Vec<String>,
    /// Write into this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Export {
    /// Does it.
    pub(crate) async fn run(self, options: &Options, screen: &mut Screen) -> Result<(), Failure> {
        let client = Client::new(options)?;
        let mut definitions = Vec::new();
        if self.group.is_empty() {
            definitions = read(&client, None).await?;
        }
        for group in &self.group {
            let id = id_of::<Group>(&client, group).await?;
            definitions.extend(read(&client, Some(id.to_string())).await?);
        }
        definitions.sort_by(|a, b| {
            let key = |one: &Definition| (one.group.clone(), one.spec.name.clone(), one.id);
            key(a).cmp(&key(b))
        });
        // A group may be named twice.
        definitions.dedup_by_key(|definition| definition.id);
        if definitions.len() > DEFINITIONS_MAX {
            screen.note(format_args!(
                "these are {} jobs; apply takes {DEFINITIONS_MAX} at a time: export them group by group",
                definitions.len()
            ));
        }
        let document = document(&definitions);
        let text = if screen.is_json() {
            let text = serde_json::to_string_pretty(&document);
            text.map_err(|error| Failure::system("encode the definitions", error))? + "\n"
        } else {
            write::document(&document)
        };
        match &self.output {
            None => screen.bytes(text.as_bytes()),
            Some(path) => {
                put(path, &text)?;
                screen.note(format_args!(
                    "wrote {} jobs into {}",
                    definitions.len(),
                    path.display()
                ));
                Ok(())
            }
        }
    }
}

async fn read(client: &Client, group: Option<String>) -> Result<Vec<Definition>, Failure> {
    let query = group.into_iter().map(|id| ("group", id)).collect();
    Ok(client.list("/definitions", &query, usize::MAX).await?.rows)
}

/// The whole file as a value.
pub(super) fn document(definitions: &[Definition]) -> Value {
    let defaults = Defaults::new();
    let jobs: Vec<Value> = definitions
        .iter()
        .map(|definition| {
            let mut job = defaults.concise(&definition.spec);
            if let Value::Object(entries) = &mut job {
                let id = definition.id.map(|id| ("id".to_owned(), json!(id)));
                entries.extend(id);
                entries.insert("group".to_owned(), json!(definition.group));
                if definition.paused == Some(true) {
                    entries.insert("paused".to_owned(), json!(true));
                }
            }
            job
        })
        .collect();
    json!({ "cronfleet": DEFINITIONS_VERSION, "jobs": jobs })
}

/// Puts the new file in the place of an older one in one step, so that there is always a whole one.
fn put(path: &Path, text: &str) -> Result<(), Failure> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.tmp", std::process::id()));
    let draft = PathBuf::from(draft);
    let done = fs::write(&draft, text).and_then(|()| fs::rename(&draft, path));
    done.map_err(|source| {
        // It may not even have been begun.
        let _ = fs::remove_file(&draft);
        Failure::File {
            doing: "write",
            path: path.to_owned(),
            source,
        }
    })
}
