//! `cargo xtask faults`: whole fleets on real databases, and everything that can befall them.

use std::path::PathBuf;
use std::time::Instant;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use clap::Args;
use cronfleet_testdb::{PACKAGES, is_installed};

use crate::debian;
use crate::program::Program;
use crate::workspace::{cargo, target};

/// Sets the clock of single programs: package, and a file of it.
const CLOCK_SETTER: (&str, &str) = (
    "faketime",
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
);

/// Kill, suspend, cut off, fill up and set back centers, agents and databases; needs root, takes about ten minutes.
#[derive(Args)]
pub(crate) struct Faults {
    /// Markdown file for the table; target/faults.md when left out
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Only faults whose names contain this, e.g. "database"
    #[arg(long, default_value = "", hide_default_value = true)]
    only: String,
}

impl Faults {
    pub(crate) fn run(self) -> Result<()> {
        if Program::new("id").args(["-u"]).read()?.trim() != "0" {
            bail!("only root can mount disks that get full, and trace programs");
        }
        install()?;
        let packages = ["-p", "cronfleet-cli", "-p", "cronfleet-shim"];
        Program::new(cargo())
            .args(["build", "--locked", "--bins", "--test", "fleet_faults"])
            .args(packages)
            .run()?;
        let parts = target()?.join("faults");
        if parts.exists() {
            fs::remove_dir_all(&parts)?;
        }
        fs::create_dir_all(&parts)?;
        let begun = Instant::now();
        // Disks that it mounts are gone with it, however it ends.
        let done = Program::new("unshare")
            .args(["--mount", "--propagation", "private"])
            .args([cargo()])
            .args(["test", "--locked", "-p", "cronfleet-cli"])
            .args(["--test", "fleet_faults", "suite", "--"])
            .args(["--ignored", "--test-threads=3"])
            .env("CRONFLEET_FAULTS", &self.only)
            .env("CRONFLEET_FAULTS_REPORTS", &parts)
            .run();
        let mut text = format!(
            "# Faults\n\n`cargo xtask faults`: {} s.\n\n\
             A start is late more than a second after it was due. Times count from the end of the fault: until the first due \
             instant from which everything starts on time, and until every center, agent and process is back.\n",
            begun.elapsed().as_secs()
        );
        for engine in ["SQLite", "PostgreSQL", "MariaDB"] {
            if let Ok(part) = fs::read_to_string(parts.join(format!("{engine}.md"))) {
                text = text + "\n" + &part;
            }
        }
        let report = match self.report {
            Some(report) => env::current_dir()?.join(report),
            None => target()?.join("faults.md"),
        };
        fs::write(&report, &text).with_context(|| report.display().to_string())?;
        println!("\n{text}\nwritten to {}", report.display());
        done
    }
}

/// Installs database servers and what sets clocks.
fn install() -> Result<()> {
    let servers = PACKAGES
        .iter()
        .filter(|(_, program)| !is_installed(program))
        .map(|(package, _)| *package);
    let (package, file) = CLOCK_SETTER;
    let setter = (!std::path::Path::new(file).exists()).then_some(package);
    debian::install_packages(&servers.chain(setter).collect::<Vec<_>>())
}
