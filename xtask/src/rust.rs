//! Checks and tests of the Rust code.

use anyhow::Result;

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

/// Runs the tests, all of them or without those that need long times of their own.
pub(crate) fn test(phases: &mut Phases, is_quick: bool) -> Result<()> {
    if is_installed("cargo-nextest") {
        let profile = if is_quick { "quick" } else { "ci" };
        let arguments = [
            "nextest",
            "run",
            "--workspace",
            "--locked",
            "--profile",
            profile,
        ];
        return phases.test(
            Program::new(cargo())
                .args(arguments)
                .env("CARGO_TERM_COLOR", "never"),
        );
    }
    // Tests that measure time must not run beside others, and cargo test knows no such thing: one at a time.
    let arguments = [
        "test",
        "--workspace",
        "--locked",
        "--no-fail-fast",
        "--",
        "--test-threads=1",
    ];
    phases.test(Program::new(cargo()).args(arguments))
}

/// Runs the examples in the documentation, which nextest leaves out.
pub(crate) fn test_documentation(phases: &mut Phases) -> Result<()> {
    if !is_installed("cargo-nextest") {
        return Ok(());
    }
    phases.test(Program::new(cargo()).args(["test", "--doc", "--workspace", "--locked"]))
}
