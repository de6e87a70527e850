//! A forecast and what then happens are the same: starts to the second on each agent, and runs that overlap.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cronfleet_api::forecast::{Forecast, ForecastPeak, OverlapEffect};
use cronfleet_api::run::{Outcome, Run};
use cronfleet_testkit::{Fleet, RunQuery, eventually, sleep_until};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// Time for runs that are due to be planned.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn what_is_forecast_is_what_is_planned() -> Result<()> {
    let fleet = Fleet::start(Path::new(env!("CARGO_BIN_EXE_cronfleet"))).await?;
    // Nobody starts its agent: its runs are planned all the same.
    let (_west, west) = fleet.machine("west").await?;
    let due = Timestamp::from_second(Timestamp::now().as_second() / 5 * 5 + 30)?;
    for number in 0..10 {
        let mut spec = Fleet::scheduled(&format!("once-{number}"), &format!("@at {due}"), "true")?;
        spec.processes = 1 + number % 2;
        fleet.api.create(fleet.group, spec).await?;
    }
    for number in 0..4 {
        let spec = Fleet::scheduled(&format!("fives-{number}"), "*/5 * * * * *", "true")?;
        fleet.api.create(west, spec).await?;
    }
    let spec = Fleet::scheduled("quarters", "@every 250ms", "true")?;
    fleet.api.create(fleet.group, spec).await?;
    ensure!(
        Timestamp::now() < due - SignedDuration::from_secs(2),
        "creating the jobs took too long for this test to mean anything"
    );
    let all: Forecast = fleet.api.get(&format!("/forecast?from={due}")).await?;
    let once = format!("/forecast?from={due}&group={}", fleet.group);
    let ours: Forecast = fleet.api.get(&once).await?;
    ensure!(
        all.total.peak
            == Some(ForecastPeak {
                at: due,
                count: 15 + 4 + 4
            }),
        "{:?}",
        all.total.peak
    );
    ensure!(
        all.is_everything && all.approximate_job_count == 1,
        "{all:?}"
    );
    ensure!(
        ours.total.starts == 15 + 4 * 86_400,
        "{:?}",
        ours.total.starts
    );

    let end = due + SignedDuration::from_secs(1);
    sleep_until(end).await;
    let planned = eventually("the second is planned", PATIENCE, async || {
        let runs = fleet.api.runs_due(due, end).await?;
        Ok((runs.len() as u64 >= 23).then_some(runs))
    })
    .await?;
    let mut by_agent: BTreeMap<Uuid, u64> = BTreeMap::new();
    for run in &planned {
        *by_agent.entry(run.agent_id).or_default() += 1;
    }
    let told: BTreeMap<Uuid, u64> = all
        .agents
        .iter()
        .map(|agent| (agent.agent_id, agent.load.peak.map_or(0, |peak| peak.count)))
        .collect();
    ensure!(by_agent == told, "planned {by_agent:?}, forecast {told:?}");
    Ok(())
}

#[tokio::test]
async fn runs_that_will_overlap_are_told_by_what_past_ones_took() -> Result<()> {
    let fleet = Fleet::start(Path::new(env!("CARGO_BIN_EXE_cronfleet"))).await?;
    let spec = Fleet::scheduled("slow", "* * * * * *", "sleep 2.4")?;
    let slow = fleet.api.create(fleet.group, spec).await?;
    let query = RunQuery {
        job: Some(slow.id),
        state: None,
    };
    let runs = eventually("five runs have ended well", PATIENCE, async || {
        let runs: Vec<Run> = fleet.api.runs(&query).await?;
        let is_good = |run: &&Run| run.outcome == Some(Outcome::Succeeded);
        Ok((runs.iter().filter(is_good).count() >= 5).then_some(runs))
    })
    .await?;
    let forecast: Forecast = fleet.api.get("/forecast").await?;
    let told = forecast.overlaps.first().context("an overlap")?;
    ensure!(
        told.job_id == slow.id && told.effect == OverlapEffect::Skips,
        "{told:?}"
    );
    ensure!((2_400..3_000).contains(&told.lasting_ms), "{told:?}");
    // Of three due instants one starts and two are skipped: so it is told, and so it was.
    ensure!(
        told.due_count == 86_400 && told.count.abs_diff(57_600) <= 2,
        "{told:?}"
    );
    let count = |outcome| {
        runs.iter()
            .filter(|run| run.outcome == Some(outcome))
            .count()
    };
    let (good, skipped) = (count(Outcome::Succeeded), count(Outcome::Skipped));
    ensure!(
        skipped.abs_diff(2 * good) <= 3,
        "{good} ran, {skipped} were skipped"
    );
    ensure!(
        forecast.total.alive_peak.map(|peak| peak.count) == Some(1),
        "{:?}",
        forecast.total.alive_peak
    );
    Ok(())
}
