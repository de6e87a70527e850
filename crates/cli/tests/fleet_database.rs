//! A center on a database server, as a whole: jobs run from end to end, and a server that is killed and started again costs nothing.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cronfleet_api::run::{Outcome, Run};
use cronfleet_testdb::{Kind, Server};
use cronfleet_testkit::{Fleet, RunQuery, eventually};
use jiff::Timestamp;
use uuid::Uuid;

/// How long the server is away.
const AWAY: Duration = Duration::from_secs(3);
const WAIT: Duration = Duration::from_secs(90);

mod postgres {
    #[tokio::test]
    async fn a_fleet_outlives_its_database_server() -> anyhow::Result<()> {
        super::outlive(cronfleet_testdb::Kind::Postgres).await
    }
}

mod mysql {
    #[tokio::test]
    async fn a_fleet_outlives_its_database_server() -> anyhow::Result<()> {
        super::outlive(cronfleet_testdb::Kind::Mysql).await
    }
}

async fn outlive(kind: Kind) -> Result<()> {
    let mut server = Server::start(kind, true)?;
    let url = server.first_database();
    let fleet = Fleet::start_on(Path::new(env!("CARGO_BIN_EXE_cronfleet")), url).await?;
    // Every second, on time also while the database is away: orders are handed out before they are due.
    let every = Fleet::scheduled("every", "* * * * * *", "echo done")?;
    let every = fleet.api.create(fleet.group, every).await?;
    let long = Fleet::scheduled("long", "@yearly", "sleep 6; echo over")?;
    let long = fleet.api.create(fleet.group, long).await?;
    fleet.api.run_now(long.id).await?;
    succeeded(&fleet, every.id, 3).await?;
    let killed_at = Timestamp::now();
    server.kill()?;
    // It is the outage that is being tested: there is nothing to wait for.
    tokio::time::sleep(AWAY).await;
    server.start_again()?;
    let back_at = Timestamp::now();
    succeeded(&fleet, long.id, 1).await?;
    eventually("runs due after the outage", WAIT, async || {
        let runs = runs_of(&fleet, every.id).await;
        let done = runs
            .iter()
            .filter(|run| run.outcome == Some(Outcome::Succeeded));
        Ok((done.filter(|run| run.due > back_at).count() >= 3).then_some(()))
    })
    .await
    .with_context(|| fleet.logs())?;
    fleet.api.act(every.id, "pause").await?;
    let runs = eventually("every run has ended", WAIT, async || {
        let runs = runs_of(&fleet, every.id).await;
        let is_over = !runs.is_empty() && runs.iter().all(|run| run.outcome.is_some());
        Ok(is_over.then_some(runs))
    })
    .await
    .with_context(|| fleet.logs())?;
    // No second is missing, none is there twice, and those that were under way when the server died have their true ends.
    let mut dues: Vec<i64> = runs.iter().map(|run| run.due.as_second()).collect();
    dues.sort_unstable();
    ensure!(
        dues.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "due instants {dues:?}\n{}",
        fleet.logs()
    );
    let lost = runs
        .iter()
        .filter(|run| run.outcome == Some(Outcome::Lost))
        .count();
    ensure!(lost == 0, "{lost} runs are lost\n{}", fleet.logs());
    ensure!(
        runs.iter().any(|run| run.due < killed_at),
        "nothing was due before the outage"
    );
    Ok(())
}

/// The runs of a job; none while the center has no database.
async fn runs_of(fleet: &Fleet, job: Uuid) -> Vec<Run> {
    let query = RunQuery {
        job: Some(job),
        state: None,
    };
    fleet.api.runs(&query).await.unwrap_or_default()
}

async fn succeeded(fleet: &Fleet, job: Uuid, count: usize) -> Result<()> {
    eventually("runs have succeeded", WAIT, async || {
        let runs = runs_of(fleet, job).await;
        let done = runs
            .iter()
            .filter(|run| run.outcome == Some(Outcome::Succeeded));
        Ok((done.count() >= count).then_some(()))
    })
    .await
    .with_context(|| fleet.logs())
}
