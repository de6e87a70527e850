//! A job that writes as much as it can: how fast, at what memory of the agent, and what its neighbour notices.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cronfleet_api::run::{Outcome, Run};
use cronfleet_testkit::{Fleet, RunQuery, eventually};
use jiff::{Timestamp, ToSpan};
use uuid::Uuid;

use crate::figures::{Lags, line, ms};

/// Time for one flood, on a slow machine.
const FLOOD_TIME_MAX: Duration = Duration::from_secs(300);

/// How long the neighbour is watched with nobody else.
const QUIET_SECONDS: i64 = 10;

/// What is written: name, bytes, script.
const FLOODS: [(&str, u64, &str); 3] = [
    (
        "1 GB of lines",
        1_000_000_000,
        "yes 0123456789abcdef0123456789abcdef | head -c 1000000000",
    ),
    (
        "one line of 100 MB",
        100_000_000,
        "head -c 100000000 /dev/zero | tr '\\0' x",
    ),
    (
        "500 MB of random bytes",
        500_000_000,
        "head -c 500000000 /dev/urandom",
    ),
];

pub(crate) async fn measure(binary: &Path) -> Result<()> {
    let fleet = Fleet::start(binary).await?;
    let mut neighbour = Fleet::scheduled("neighbour", "@every 1s", "")?;
    neighbour.command.argv = Some(vec!["/bin/true".to_owned()]);
    let neighbour = fleet.api.create(fleet.group, neighbour).await?.id;
    let agent = fleet.agent.as_ref().context("the agent is down")?.pid();
    line("## Floods of output, the cap per run as it is by default\n")?;
    line(
        "| what | seconds | MB/s | kept MB | agent's resident memory at most MB | neighbour due each second: starts | lag p50 ms | lag max ms |",
    )?;
    line("|---|---|---|---|---|---|---|---|")?;
    let quiet_from = Timestamp::now() + 3.seconds();
    cronfleet_testkit::sleep_until(quiet_from).await;
    forget_peak(agent)?;
    cronfleet_testkit::sleep_until(quiet_from + QUIET_SECONDS.seconds()).await;
    let lags = neighbours(&fleet, neighbour, quiet_from, Timestamp::now()).await?;
    row("nothing", None, peak_mb(agent)?, &lags)?;
    for (index, (name, bytes, script)) in FLOODS.into_iter().enumerate() {
        let spec = Fleet::scheduled(&format!("flood-{index}"), "@yearly", script)?;
        let job = fleet.api.create(fleet.group, spec).await?;
        forget_peak(agent)?;
        let from = Timestamp::now();
        let run = *fleet.api.run_now(job.id).await?.first().context("a run")?;
        let run = eventually("the flood is over", FLOOD_TIME_MAX, async || {
            let run = fleet.api.run(run).await?;
            Ok(run.outcome.is_some().then_some(run))
        })
        .await?;
        ensure!(
            run.outcome == Some(Outcome::Succeeded) && run.output_bytes == bytes,
            "{run:?}"
        );
        // The neighbour is due once more at least, however short the flood was.
        let until = Timestamp::now() + 2.seconds();
        cronfleet_testkit::sleep_until(until).await;
        let lags = neighbours(&fleet, neighbour, from, until).await?;
        row(name, Some(&run), peak_mb(agent)?, &lags)?;
    }
    line("")
}

/// Start lags of the neighbour's runs due between two instants.
async fn neighbours(fleet: &Fleet, job: Uuid, from: Timestamp, until: Timestamp) -> Result<Lags> {
    let query = RunQuery {
        job: Some(job),
        state: None,
    };
    let of_time = |run: &Run| from <= run.due && run.due < until;
    let runs = eventually(
        "the neighbour's runs are over",
        FLOOD_TIME_MAX,
        async || {
            let mut runs = fleet.api.runs(&query).await?;
            runs.retain(of_time);
            let are_over = !runs.is_empty() && runs.iter().all(|run| run.outcome.is_some());
            Ok(are_over.then_some(runs))
        },
    )
    .await?;
    let failed = runs
        .iter()
        .find(|run| run.outcome != Some(Outcome::Succeeded));
    ensure!(failed.is_none(), "the neighbour: {failed:?}");
    Ok(Lags::of(&runs))
}

fn row(name: &str, run: Option<&Run>, peak_mb: f64, lags: &Lags) -> Result<()> {
    let flood = run.map_or_else(
        || "| | | ".to_owned(),
        |run| {
            let seconds = run.duration_us.unwrap_or(0) as f64 / 1e6;
            let [written, kept] = [
                run.output_bytes,
                run.output_bytes
                    .saturating_sub(run.output_dropped_bytes + run.output_trimmed_bytes),
            ]
            .map(|bytes| bytes as f64 / 1e6);
            format!("| {seconds:.2} | {:.0} | {kept:.1} ", written / seconds)
        },
    );
    line(&format!(
        "| {name} {flood}| {peak_mb:.1} | {} | {} | {} |",
        lags.len(),
        ms(lags.quantile(0.5)),
        ms(lags.quantile(1.0)),
    ))
}

/// Lets the largest resident size of a process be counted anew.
fn forget_peak(pid: u32) -> Result<()> {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5")
        .context("only root may reset the largest resident size of a process")
}

/// Largest resident size of a process since then, in MB (10^6 bytes).
fn peak_mb(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|rest| rest.split_whitespace().next());
    let kib: f64 = kib.context("no VmHWM")?.parse()?;
    Ok(kib * 1_024.0 / 1e6)
}
