//! `cargo xtask bench`: every bench target of the workspace, or one of them. Each prints its own table.

use anyhow::{Result, bail};
use clap::Args;
use serde_json::Value;

use crate::program::Program;
use crate::workspace::{self, cargo};
use crate::{binary, console};

/// Run benchmarks and print their tables.
#[derive(Args)]
pub(crate) struct Bench {
    /// Only this one; all when absent
    what: Option<String>,
    /// Say which there are
    #[arg(long)]
    list: bool,
    /// Arguments of the benchmark
    #[arg(last = true)]
    arguments: Vec<String>,
}

impl Bench {
    pub(crate) fn run(self) -> Result<()> {
        let all = targets()?;
        if self.list {
            all.iter()
                .for_each(|(package, name)| println!("{name}  ({package})"));
            return Ok(());
        }
        let chosen: Vec<_> = all
            .iter()
            .filter(|(_, name)| self.what.as_ref().is_none_or(|what| what == name))
            .collect();
        if chosen.is_empty() {
            let names: Vec<&str> = all.iter().map(|(_, name)| name.as_str()).collect();
            bail!(
                "there is no such benchmark; there are: {}",
                names.join(", ")
            );
        }
        // Benchmarks of the whole system run the binary as people do: optimised, with console and static shim.
        console::build_if_stale()?;
        let cronfleet = binary::build(true)?;
        for (package, name) in chosen {
            println!("\n=== {name}");
            Program::new(cargo())
                .args(["bench", "--locked", "-p", package, "--bench", name, "--"])
                .args(&self.arguments)
                .env("CRONFLEET_BINARY", &cronfleet)
                .run()?;
        }
        Ok(())
    }
}

/// Package and name of every bench target.
fn targets() -> Result<Vec<(String, String)>> {
    let metadata = workspace::metadata()?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut found = vec![];
    for package in list(&metadata["packages"]) {
        for target in list(&package["targets"]) {
            if target["kind"][0] == "bench" {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                found.push((text(&package["name"]), text(&target["name"])));
            }
        }
    }
    Ok(found)
}
