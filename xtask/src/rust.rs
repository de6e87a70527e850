//! Checks and tests of the Rust code.

use anyhow::Result;

use crate::databases::Databases;
use crate::phase::Phases;
use crate::program::{Program, is_installed};
use crate::workspace::cargo;

/// `cargo fmt --check`.
pub(crate) fn format() -> Result<()> {
    Program::new(cargo())
        .args(["fmt", "--all", "--check"])
        .run()
}

/// Clippy with every warning an error.
pub(crate) fn lint() -> Result<()> {
    Program::new(cargo())
        .args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ])
        .run()
}

/// The documentation, with every warning an error.
pub(crate) fn document() -> Result<()> {
    Program::new(cargo())
        .args([
            "doc",
            "--workspace",
            "--no-deps",
            "--document-private-items",
            "--locked",
        ])
        .env(
            "RUSTDOCFLAGS",
            "-D warnings -A rustdoc::private_intra_doc_links",
        )
        .run()
}

/// Builds everything that tests need.
pub(crate) fn build() -> Result<()> {
    Program::new(cargo())
        .args(["build", "--workspace", "--bins", "--tests", "--locked"])
        .run()
}

/// Runs the tests: all of them on these servers, or without those that need servers or long times of their own.
pub(crate) fn test(phases: &mut Phases, databases: Option<&Databases>) -> Result<()> {
    let program = Program::new(cargo()).env("CARGO_TERM_COLOR", "never");
    let program = match databases {
        Some(databases) => databases.tell(program),
        None => program,
    };
    if is_installed("cargo-nextest") {
        let profile = if databases.is_some() { "ci" } else { "quick" };
        let arguments = [
            "nextest",
            "run",
            "--workspace",
            "--locked",
            "--profile",
            profile,
        ];
        return phases.test(program.args(arguments));
    }
    // Tests that measure time must not run beside others, and cargo test knows no such thing: one at a time.
    let mut arguments = vec![
        "test",
        "--workspace",
        "--locked",
        "--no-fail-fast",
        "--",
        "--test-threads=1",
    ];
    if databases.is_none() {
        arguments.extend(["--skip", "postgres::", "--skip", "mysql::"]);
    }
    phases.test(program.args(arguments))
}

/// Runs the examples in the documentation, which nextest leaves out.
pub(crate) fn test_documentation(phases: &mut Phases) -> Result<()> {
    if !is_installed("cargo-nextest") {
        return Ok(());
    }
    phases.test(Program::new(cargo()).args(["test", "--doc", "--workspace", "--locked"]))
}
