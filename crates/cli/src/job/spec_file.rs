//! Definitions as JSON, from files, from standard input, from an editor.

use std::io::Read;
use std::path::Path;

use cronfleet_api::job::JobSpec;

use crate::failure::Failure;

/// Reads a text file, or standard input for `-`.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = match path.to_str() {
        Some("-") => std::io::stdin().read_to_string(&mut text),
        _ => std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text)),
    };
    read.map_err(|source| Failure::File {
        doing: "read",
        path: path.to_owned(),
        source,
    })?;
    Ok(text)
}

/// Reads a definition.
pub(super) fn parse(text: &str) -> Result<JobSpec, Failure> {
    serde_json::from_str(text).map_err(|error| Failure::Input {
        field: "--file".to_owned(),
        message: format!("this is not the definition of a job: {error}"),
        hint: "see \"cronfleet job show <job> --spec\" for one".to_owned(),
    })
}
