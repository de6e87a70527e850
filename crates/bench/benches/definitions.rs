//! How long `cronfleet apply` takes for a file of many jobs, on each engine: creating them, finding them unchanged, saving new
//! versions of all, refusing one among them, deleting them.
//!
//! `cargo xtask bench definitions [-- --engine sqlite --jobs 2000]`. A Markdown table on standard output. The time is that of the whole
//! command: reading the YAML, planning, applying, showing. Center, database server and command share the machine.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use cronfleet_testdb::{Kind, Server};
use cronfleet_testkit::{Fleet, GROUP};

/// Figures of `cronfleet apply`.
#[derive(Debug, Parser)]
struct Arguments {
    /// The `cronfleet` binary, built for release.
    #[arg(long, env = "CRONFLEET_BINARY")]
    binary: PathBuf,
    /// Only on this engine; on all when absent.
    #[arg(long)]
    engine: Option<Engine>,
    /// Jobs in the file.
    #[arg(long, default_value_t = 2_000)]
    jobs: usize,
    /// Given by `cargo bench`; means nothing.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What the center keeps its state in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// In a file of its own.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MariaDB or MySQL.
    Mariadb,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} jobs, seconds\n", arguments.jobs)?;
    writeln!(
        out,
        "| engine | create | unchanged | save | refuse one | export | delete |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|")?;
    for engine in Engine::value_variants() {
        if arguments.engine.is_some_and(|one| one != *engine) {
            continue;
        }
        let server = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(Server::start(Kind::Postgres, true)?),
            Engine::Mariadb => Some(Server::start(Kind::Mysql, true)?),
        };
        let fleet = match &server {
            None => Fleet::start(&arguments.binary).await?,
            Some(server) => Fleet::start_on(&arguments.binary, server.first_database()).await?,
        };
        let times = measure(&fleet, arguments.jobs)?;
        let times: Vec<String> = times
            .iter()
            .map(|time| format!("{:.2}", time.as_secs_f64()))
            .collect();
        writeln!(out, "| {engine:?} | {} |", times.join(" | "))?;
        // The center ends before its database.
        drop(fleet);
    }
    Ok(())
}

fn measure(fleet: &Fleet, jobs: usize) -> Result<[Duration; 6]> {
    let file = fleet.path("definitions.yaml");
    let path = file.to_str().context("the path is UTF-8")?;
    let apply = ["apply", "-f", path, "--yes"];
    let write = |text: &str, bad: Option<usize>| -> Result<()> {
        Ok(std::fs::write(&file, definitions(jobs, text, bad)?)?)
    };
    write("first", None)?;
    let create = run(fleet, &apply, 0)?;
    let unchanged = run(fleet, &["diff", "-f", path], 0)?;
    write("second", None)?;
    let save = run(fleet, &apply, 0)?;
    write("third", Some(jobs / 2))?;
    let refuse = run(fleet, &apply, 2)?;
    let export = run(fleet, &["export"], 0)?;
    std::fs::write(&file, "cronfleet: 1\njobs: []\n")?;
    let delete = run(
        fleet,
        &[&apply[..], &["--prune", "--group", GROUP]].concat(),
        0,
    )?;
    Ok([create, unchanged, save, refuse, export, delete])
}

/// Runs a command, which must end with this status.
fn run(fleet: &Fleet, arguments: &[&str], status: i32) -> Result<Duration> {
    let begun = Instant::now();
    let ended = Command::new(fleet.binary())
        .args(arguments)
        .env("CRONFLEET_SERVER", format!("http://{}", fleet.address()))
        .env("CRONFLEET_TOKEN", fleet.api.token().unwrap_or_default())
        .stdin(Stdio::null())
        .output()?;
    let took = begun.elapsed();
    ensure!(
        ended.status.code() == Some(status),
        "{arguments:?}: {ended:?}"
    );
    Ok(took)
}

/// A file of so many jobs, one of which may be bad.
fn definitions(jobs: usize, text: &str, bad: Option<usize>) -> Result<String> {
    let spec = Fleet::scheduled("x", "@daily", "true")?;
    let user = spec.run_as;
    let mut yaml = "cronfleet: 1\njobs:\n".to_owned();
    for job in 0..jobs {
        let hour = if bad == Some(job) { 25 } else { job % 24 };
        let minute = job % 60;
        write!(
            yaml,
            "  - group: {GROUP}
    name: job {job:05}
    description: Makes the {text} report of department {job}.
    scheduled:
      expression: {minute} {hour} * * *
      time_zone: Asia/Shanghai
      timeout_ms: 600000
      retry:
        attempts_max: 3
    command:
      argv:
        - /bin/echo
        - {text}
        - \"{job}\"
    run_as: \"{user}\"
    environment:
      DEPARTMENT: \"{job}\"
    target:
      all: true
"
        )?;
    }
    Ok(yaml)
}
