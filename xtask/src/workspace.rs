//! Where things are.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::program::Program;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// Cargo's target directory.
pub(crate) fn target() -> Result<PathBuf> {
    let metadata = metadata()?;
    let path = metadata["target_directory"]
        .as_str()
        .context("cargo metadata names no target directory")?;
    Ok(path.into())
}

/// What `cargo metadata` says about our own packages.
pub(crate) fn metadata() -> Result<serde_json::Value> {
    let text = Program::new(cargo())
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .read()?;
    serde_json::from_str(&text).context("cargo metadata printed something else than JSON")
}

/// The cargo that runs us.
pub(crate) fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}
