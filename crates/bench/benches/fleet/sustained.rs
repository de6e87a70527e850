//! Runs per second that one agent keeps up, each with its output recorded.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use cronfleet_api::run::{Outcome, Run};
use cronfleet_testkit::{Fleet, RunQuery, eventually};
use jiff::{Timestamp, ToSpan};

use crate::figures::{Lags, line, ms};

/// How long each rate is kept up.
const SECONDS: i64 = 20;

pub(crate) async fn measure(binary: &Path) -> anyhow::Result<()> {
    line("## Sustained runs with output recorded, one agent\n")?;
    line(
        "| asked runs/s | ended runs/s | succeeded | start lag p50 ms | p99 ms | with output | center RSS MB | agent RSS MB |",
    )?;
    line("|---|---|---|---|---|---|---|---|")?;
    for copies in [20_u32, 50, 100, 150] {
        rate(binary, copies).await?;
    }
    line("")
}

/// One rate: a job that asks for `copies` processes ten times a second.
async fn rate(binary: &Path, copies: u32) -> anyhow::Result<()> {
    let fleet = Fleet::start(binary).await?;
    let mut spec = Fleet::scheduled("sustained", "@every 100ms", "")?;
    spec.command.argv = Some(vec!["/bin/echo".to_owned(), "out".to_owned()]);
    spec.processes = copies;
    let from = Timestamp::now();
    let job = fleet.api.create(fleet.group, spec).await?;
    let until = from + SECONDS.seconds();
    cronfleet_testkit::sleep_until(until).await;
    let query = RunQuery {
        job: Some(job.id),
        state: None,
    };
    fleet.api.act(job.id, "pause").await?;
    let runs = eventually(
        "every run has ended",
        Duration::from_secs(120),
        async || {
            let runs = fleet.api.runs(&query).await?;
            let is_over = runs.iter().all(|run| run.outcome.is_some());
            Ok(is_over.then_some(runs))
        },
    )
    .await?;
    let due: Vec<Run> = runs
        .into_iter()
        .filter(|run| run.due <= until && run.cause == cronfleet_api::run::Cause::Schedule)
        .collect();
    ensure!(!due.is_empty(), "no runs");
    let succeeded = due
        .iter()
        .filter(|run| run.outcome == Some(Outcome::Succeeded))
        .count();
    let with_output = due.iter().filter(|run| run.output_bytes == 4).count();
    let first = due.iter().map(|run| run.due).min().unwrap_or(from);
    let last_end = due
        .iter()
        .filter_map(|run| run.ended_at)
        .max()
        .unwrap_or(until);
    let seconds = (last_end.as_microsecond() - first.as_microsecond()) as f64 / 1e6;
    let lags = Lags::of(&due);
    line(&format!(
        "| {} | {:.0} | {succeeded} of {} | {} | {} | {with_output} | {:.0} | {:.0} |",
        copies * 10,
        succeeded as f64 / seconds,
        due.len(),
        ms(lags.quantile(0.5)),
        ms(lags.quantile(0.99)),
        crate::memory::rss_mb(fleet.center.as_ref())?,
        crate::memory::rss_mb(fleet.agent.as_ref())?,
    ))
}
