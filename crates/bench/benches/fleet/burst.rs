//! Many jobs due in the same second: how late does each start?

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use cronfleet_api::run::Outcome;
use cronfleet_testkit::{Fleet, RunQuery, eventually};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{Timestamp, ToSpan};

use crate::bare;
use crate::figures::{Lags, line, ms};

/// Jobs created at a time.
const CREATE_AT_ONCE: usize = 16;

pub(crate) async fn measure(binary: &Path) -> anyhow::Result<()> {
    line("## Start lag of jobs due in the same second\n")?;
    line("| jobs | started | p50 ms | p99 ms | last ms | bare two-thread loop ms | last / bare |")?;
    line("|---|---|---|---|---|---|---|")?;
    for count in [10_usize, 200, 1_000] {
        let lags = burst(binary, count).await?;
        let bare = bare::start_all(count)?;
        let last = lags.quantile(1.0);
        line(&format!(
            "| {count} | {} | {} | {} | {} | {} | {:.2} |",
            lags.len(),
            ms(lags.quantile(0.5)),
            ms(lags.quantile(0.99)),
            ms(last),
            ms(bare),
            last.as_secs_f64() / bare.as_secs_f64(),
        ))?;
    }
    line("")
}

async fn burst(binary: &Path, count: usize) -> anyhow::Result<Lags> {
    let fleet = Fleet::start(binary).await?;
    // Time enough to create them all, to plan and to hand out.
    let seconds = i64::try_from(count)? / 50 + 25;
    let due = Timestamp::from_second((Timestamp::now() + seconds.seconds()).as_second())?;
    stream::iter(0..count)
        .map(|index| {
            let fleet = &fleet;
            async move {
                let mut spec =
                    Fleet::scheduled(&format!("burst-{index}"), &format!("@at {due}"), "")?;
                spec.command.argv = Some(vec!["/bin/true".to_owned()]);
                fleet.api.create(fleet.group, spec).await.map(|_| ())
            }
        })
        .buffer_unordered(CREATE_AT_ONCE)
        .try_collect::<()>()
        .await?;
    ensure!(
        Timestamp::now() < due,
        "creating {count} jobs took longer than {seconds} s"
    );
    let within = Duration::from_secs(u64::try_from(seconds)? + 120);
    let runs = eventually("every run has ended", within, async || {
        if Timestamp::now() < due + 1.second() {
            return Ok(None);
        }
        let runs = fleet
            .api
            .runs(&RunQuery {
                state: Some("ended"),
                ..RunQuery::default()
            })
            .await?;
        Ok((runs.len() >= count).then_some(runs))
    })
    .await?;
    let failed = runs
        .iter()
        .filter(|run| run.outcome != Some(Outcome::Succeeded))
        .count();
    ensure!(
        runs.len() == count && failed == 0,
        "{} runs of {count}, {failed} not succeeded",
        runs.len()
    );
    Ok(Lags::of(&runs))
}
