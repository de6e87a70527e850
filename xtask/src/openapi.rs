//! The API description `openapi.json` and the console's types: made from the code and committed. Tests on both sides fail
//! when they are not in step.

use std::fs;

use anyhow::{Context, Result};

use crate::console;
use crate::program::Program;
use crate::workspace::{self, cargo};

/// Writes both files.
pub(crate) fn write() -> Result<()> {
    let description = Program::new(cargo())
        .args([
            "run",
            "--quiet",
            "-p",
            "cronfleet-cli",
            "--bin",
            "cronfleet",
            "--",
            "openapi",
        ])
        .read()?;
    let path = workspace::root().join("openapi.json");
    fs::write(&path, description).with_context(|| format!("cannot write {}", path.display()))?;
    console::install()?;
    console::generate_types()
}
