//! The API description `openapi.json` and the console's types: made from the code, committed, and checked to be in step.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::console;
use crate::program::Program;
use crate::workspace::{self, cargo};

/// The committed description.
const DESCRIPTION: &str = "openapi.json";
/// The committed types.
const TYPES: &str = "web/src/api/schema.d.ts";

/// Writes both files.
pub(crate) fn write() -> Result<()> {
    console::install()?;
    make(
        &workspace::root().join(DESCRIPTION),
        &workspace::root().join(TYPES),
    )
}

/// Compares both files with what the code says.
pub(crate) fn check() -> Result<()> {
    let directory = workspace::target()?.join("openapi");
    fs::create_dir_all(&directory)?;
    let (description, types) = (
        directory.join("openapi.json"),
        directory.join("schema.d.ts"),
    );
    make(&description, &types)?;
    for (made, committed) in [(&description, DESCRIPTION), (&types, TYPES)] {
        let committed_text = fs::read(workspace::root().join(committed)).unwrap_or_default();
        if fs::read(made)? != committed_text {
            bail!(
                "{committed} is not what the code says: run \"cargo xtask openapi\" and commit it"
            );
        }
    }
    Ok(())
}

fn make(description: &Path, types: &Path) -> Result<()> {
    let text = Program::new(cargo())
        .args([
            "run",
            "--quiet",
            "--locked",
            "-p",
            "cronfleet-cli",
            "--bin",
            "cronfleet",
            "--",
            "openapi",
        ])
        .read()?;
    fs::write(description, text)
        .with_context(|| format!("cannot write {}", description.display()))?;
    console::generate_types(description, types)
}
