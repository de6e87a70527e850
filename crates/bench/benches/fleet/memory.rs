//! Resident memory of an idle agent, and of a center with 10,000 jobs.

use std::path::Path;

use anyhow::{Context, ensure};
use cronfleet_api::job::Job;
use cronfleet_api::page::Page;
use cronfleet_testkit::{Fleet, Program};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::figures::line;

/// Jobs that the center holds.
const JOBS: usize = 10_000;

pub(crate) async fn measure(binary: &Path) -> anyhow::Result<()> {
    let fleet = Fleet::start(binary).await?;
    let idle_agent = rss_mb(fleet.agent.as_ref())?;
    let idle_center = rss_mb(fleet.center.as_ref())?;
    stream::iter(0..JOBS)
        .map(|index| {
            let fleet = &fleet;
            async move {
                // Every job has its own minute of the year.
                let expression = format!(
                    "{} {} {} {} *",
                    index % 60,
                    index / 60 % 24,
                    1 + index % 28,
                    1 + index % 12
                );
                let spec = Fleet::scheduled(&format!("job-{index:05}"), &expression, "true")?;
                fleet.api.create(fleet.group, spec).await.map(|_| ())
            }
        })
        .buffer_unordered(16)
        .try_collect::<()>()
        .await?;
    let page: Page<Job> = fleet.api.get("/jobs?limit=500").await?;
    ensure!(
        page.items.len() == 500,
        "the list of jobs has {} rows",
        page.items.len()
    );
    line("## Resident memory\n")?;
    line("| what | MB |")?;
    line("|---|---|")?;
    line(&format!("| idle agent | {idle_agent:.1} |"))?;
    line(&format!("| idle center | {idle_center:.1} |"))?;
    line(&format!(
        "| center with {JOBS} jobs | {:.1} |",
        rss_mb(fleet.center.as_ref())?
    ))?;
    line("")
}

/// Resident memory of a program in MB (10^6 bytes).
pub(crate) fn rss_mb(program: Option<&Program>) -> anyhow::Result<f64> {
    let pid = program.context("the program is down")?.pid();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next())
        .context("no VmRSS")?
        .parse()?;
    Ok(kib * 1_024.0 / 1e6)
}
