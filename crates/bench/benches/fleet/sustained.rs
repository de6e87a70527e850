//! Runs per second that one agent keeps up, each with its output recorded.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use cronfleet_api::job::Overlap;
use cronfleet_api::run::{Outcome, Run};
use cronfleet_testkit::{Fleet, RunQuery, eventually};
use jiff::{Timestamp, ToSpan};

use crate::bare;
use crate::cpu::CpuTime;
use crate::figures::{Lags, line, ms};

/// How long each rate is kept up.
const SECONDS: i64 = 20;
/// Processes that the bare loop starts for its own rate.
const BARE: usize = 1_000;

pub(crate) async fn measure(binary: &Path) -> anyhow::Result<()> {
    line("## Sustained runs with output recorded, one agent\n")?;
    let bare = bare::start_all(BARE)?;
    line(&format!(
        "A bare two-thread loop starts {:.0} processes/s here.\n",
        BARE as f64 / bare.as_secs_f64()
    ))?;
    line(
        "| asked runs/s | ended runs/s | succeeded | start lag p50 ms | p99 ms | with output | processor ms per run: center | agent | shims and commands | center RSS MB | agent RSS MB |",
    )?;
    line("|---|---|---|---|---|---|---|---|---|---|---|")?;
    for copies in [10_u32, 20, 30, 40, 50, 100] {
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
    spec.scheduled
        .as_mut()
        .context("the job is scheduled")?
        .overlap = Overlap::Allow;
    let before = CpuTime::of(&fleet)?;
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
    let runs_count = runs.len();
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
    let cpu = CpuTime::of(&fleet)?.since(before).per(runs_count);
    line(&format!(
        "| {} | {:.0} | {succeeded} of {} | {} | {} | {with_output} | {:.2} | {:.2} | {:.2} | {:.0} | {:.0} |",
        copies * 10,
        succeeded as f64 / seconds,
        due.len(),
        ms(lags.quantile(0.5)),
        ms(lags.quantile(0.99)),
        cpu.center_ms,
        cpu.agent_ms,
        cpu.lives_ms,
        crate::memory::rss_mb(fleet.center.as_ref())?,
        crate::memory::rss_mb(fleet.agent.as_ref())?,
    ))
}
