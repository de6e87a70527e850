//! The console: its packages, its build, its checks.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::phase::Phases;
use crate::program::Program;
use crate::workspace;

fn npm() -> Program {
    Program::new("npm")
        .directory(directory())
        .env("npm_config_update_notifier", "false")
}

fn directory() -> PathBuf {
    workspace::root().join("web")
}

/// Installs exactly the packages of the lock file, unless they are there.
pub(crate) fn install() -> Result<()> {
    let lock = directory().join("package-lock.json");
    // npm writes this copy of the lock file as the last step of an installation.
    let installed = directory().join("node_modules/.package-lock.json");
    let is_fresh = match (modified(&lock), modified(&installed)) {
        (Some(lock), Some(installed)) => lock <= installed,
        _ => false,
    };
    if is_fresh {
        return Ok(());
    }
    npm()
        .args(["ci", "--no-audit", "--no-fund"])
        .run()
        .context("is Node.js 20 or later installed?")
}

/// Builds the console unless it is newer than everything it is made of.
pub(crate) fn build_if_stale() -> Result<()> {
    let built = modified(&directory().join("dist/index.html"));
    let sources = [
        "src",
        "public",
        "build",
        "index.html",
        "package-lock.json",
        "vite.config.ts",
    ];
    let newest = sources
        .iter()
        .filter_map(|name| newest(&directory().join(name)))
        .max();
    if built.is_some() && built >= newest {
        return Ok(());
    }
    install()?;
    build()
}

/// Type check and build.
pub(crate) fn build() -> Result<()> {
    npm().args(["run", "build"]).run()
}

/// Format and lint.
pub(crate) fn lint() -> Result<()> {
    npm().args(["run", "lint"]).run()
}

/// First-load size against its limit.
pub(crate) fn size() -> Result<()> {
    npm().args(["run", "size"]).run()
}

/// Unit and component tests.
pub(crate) fn test(phases: &mut Phases) -> Result<()> {
    phases.test(npm().args(["test"]).env("NO_COLOR", "1"))
}

/// Writes the types of the API description.
pub(crate) fn generate_types() -> Result<()> {
    npm().args(["run", "gen"]).run()
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .ok()
}

/// When a file, or the newest file below a directory, was changed.
fn newest(path: &Path) -> Option<SystemTime> {
    let Ok(entries) = fs::read_dir(path) else {
        return modified(path);
    };
    entries
        .filter_map(|entry| newest(&entry.ok()?.path()))
        .max()
}
