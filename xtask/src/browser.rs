//! Browser tests: the real binary, the real console, Chromium.

use anyhow::Result;

use crate::phase::Phases;
use crate::program::Program;
use crate::workspace;

/// Installs their packages and runs them against the binary that was built.
pub(crate) fn test(phases: &mut Phases) -> Result<()> {
    let directory = workspace::root().join("e2e");
    let npm = || Program::new("npm").directory(&directory);
    npm().args(["ci", "--no-audit", "--no-fund"]).run()?;
    let binary = workspace::target()?.join("debug/cronfleet");
    phases.test(
        npm()
            .args(["test"])
            .env("CRONFLEET_BINARY", binary)
            .env("NO_COLOR", "1"),
    )
}
