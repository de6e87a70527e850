//! The `cronfleet` binary and the shim beside it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::program::Program;
use crate::workspace::{self, cargo};

/// Builds binary and shim; returns the binary's path.
pub(crate) fn build(is_release: bool) -> Result<PathBuf> {
    let profile = if is_release { "release" } else { "dev" };
    Program::new(cargo())
        .args([
            "build",
            "--locked",
            "--profile",
            profile,
            "-p",
            "cronfleet-cli",
            "-p",
            "cronfleet-shim",
        ])
        .run()?;
    let directory = workspace::target()?.join(if is_release { "release" } else { "debug" });
    place_static_shim(&directory)?;
    Ok(directory.join("cronfleet"))
}

/// Puts a statically linked shim into `directory`. It needs a third of the memory of the dynamic one, of which there is
/// one per process; where it cannot be built the dynamic one stays and does the same.
pub(crate) fn place_static_shim(directory: &Path) -> Result<()> {
    let target = workspace::target()?.join("static-shim");
    let platform = static_platform()?;
    let built = Program::new(cargo())
        .args([
            "build",
            "--locked",
            "--release",
            "-p",
            "cronfleet-shim",
            "--bin",
            "cronfleet-shim",
        ])
        .args(["--target", &platform, "--target-dir"])
        .args([&target])
        .env("RUSTFLAGS", STATIC)
        .run();
    if let Err(error) = built {
        println!("note: the shim stays dynamically linked: {error:#}");
        return Ok(());
    }
    // A running shim keeps its own file: the new one takes the name, not the content.
    let draft = directory.join(".cronfleet-shim.new");
    let built = target.join(&platform).join("release/cronfleet-shim");
    fs::copy(built, &draft)
        .and_then(|_| fs::rename(&draft, directory.join("cronfleet-shim")))
        .with_context(|| format!("cannot put the shim into {}", directory.display()))
}

/// How a shim is linked: nothing to load, and at a fixed address, because every page that is relocated is a page for each process.
const STATIC: &str = "-C target-feature=+crt-static -C relocation-model=static";

/// The target triple for a static shim: the host's with musl where its standard library is installed (`rustup target add`), because
/// that C library touches the fewest pages, else the host's own.
fn static_platform() -> Result<String> {
    let host = host()?;
    let musl = host.replace("-gnu", "-musl");
    let libraries = Program::new("rustc")
        .args(["--print", "target-libdir", "--target", &musl])
        .read();
    let is_installed = libraries.is_ok_and(|path| Path::new(path.trim()).is_dir());
    Ok(if is_installed { musl } else { host })
}

/// The target triple of this machine.
fn host() -> Result<String> {
    let version = Program::new("rustc").args(["-vV"]).read()?;
    let line = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(line.context("rustc does not name its host")?.to_owned())
}
