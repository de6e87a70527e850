//! Several centers over one database server: the planning one is killed, suspended and stopped, and a job that is due every second
//! neither misses one nor runs twice; and the planning one is killed at an instant at which a thousand runs are due.
#![expect(clippy::print_stdout, reason = "figures of take-overs")]

mod killed_when_due;
mod other;

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cronfleet_api::run::{Outcome, Run};
use cronfleet_testdb::{Kind, Server};
use cronfleet_testkit::{Api, Fleet, RunQuery, eventually};
use nix::sys::signal::Signal;
use uuid::Uuid;

use other::{Other, centers, here, plans};

/// Longest time until another center plans.
const TAKEOVER_MAX: Duration = Duration::from_secs(12);
/// The same when the planning one is stopped in good order.
const HANDOVER_MAX: Duration = Duration::from_secs(5);
const WAIT: Duration = Duration::from_secs(60);

mod postgres {
    #[tokio::test]
    async fn planning_goes_on_whatever_befalls_the_center_that_plans() -> anyhow::Result<()> {
        super::befall(cronfleet_testdb::Kind::Postgres).await
    }

    #[tokio::test]
    async fn a_center_killed_when_a_thousand_runs_are_due_loses_and_delays_none()
    -> anyhow::Result<()> {
        super::killed_when_due::check(cronfleet_testdb::Kind::Postgres).await
    }
}

mod mysql {
    #[tokio::test]
    async fn planning_goes_on_whatever_befalls_the_center_that_plans() -> anyhow::Result<()> {
        super::befall(cronfleet_testdb::Kind::Mysql).await
    }

    #[tokio::test]
    async fn a_center_killed_when_a_thousand_runs_are_due_loses_and_delays_none()
    -> anyhow::Result<()> {
        super::killed_when_due::check(cronfleet_testdb::Kind::Mysql).await
    }
}

async fn befall(kind: Kind) -> Result<()> {
    let server = Server::start(kind, false)?;
    let database = server.first_database();
    let binary = Path::new(env!("CARGO_BIN_EXE_cronfleet"));
    let mut fleet = Fleet::start_on(binary, database.clone()).await?;
    let mut other = Other::start(&fleet, &database).await?;
    let stamps = fleet.path("stamps");
    let script = format!("echo $CRONFLEET_RUN_ID >> {}", stamps.display());
    let job = Fleet::scheduled("every", "* * * * * *", &script)?;
    let job = fleet.api.create(fleet.group, job).await?.id;
    plans(&fleet.api).await?;

    // The planning one, which also has the agent, is killed.
    let began = Instant::now();
    fleet.kill_center()?;
    plans(&other.api).await?;
    let takeover = began.elapsed();
    ensure!(takeover <= TAKEOVER_MAX, "it took {takeover:?}");
    is_online_at(&fleet, &other.api).await?;
    fleet.start_center().await?;

    // The planning one stands still for longer than its term, and comes back in the belief that it plans.
    other.program.signal(Signal::SIGSTOP)?;
    let began = Instant::now();
    plans(&fleet.api).await?;
    let suspended = began.elapsed();
    ensure!(suspended <= TAKEOVER_MAX, "it took {suspended:?}");
    tokio::time::sleep(Duration::from_secs(15).saturating_sub(began.elapsed())).await;
    other.program.signal(Signal::SIGCONT)?;
    eventually(
        "the suspended one serves and does not plan",
        WAIT,
        async || {
            let here = here(&other.api).await;
            Ok(here
                .is_some_and(|here| here.is_live && !here.is_planning)
                .then_some(()))
        },
    )
    .await?;

    // The planning one is stopped in good order.
    let began = Instant::now();
    fleet.center.take().context("the center is down")?.stop()?;
    plans(&other.api).await?;
    let handover = began.elapsed();
    ensure!(handover <= HANDOVER_MAX, "it took {handover:?}");
    is_online_at(&fleet, &other.api).await?;

    // What one center commits, the agent of another one does.
    fleet.start_center().await?;
    eventually("both live", WAIT, async || {
        let centers = centers(&fleet.api).await.unwrap_or_default();
        let live = centers.iter().filter(|center| center.is_live);
        Ok((live.count() == 2).then_some(()))
    })
    .await?;
    let long = Fleet::scheduled("long", "@yearly", "sleep 600")?;
    let long = fleet.api.create(fleet.group, long).await?.id;
    fleet.api.run_now(long).await?;
    let run = eventually("it runs", WAIT, async || {
        let runs = runs_of(&fleet.api, long).await?;
        Ok(runs.into_iter().find(|run| run.started_at.is_some()))
    })
    .await?;
    let began = Instant::now();
    fleet.api.kill(run.id).await?;
    eventually("it is killed", WAIT, async || {
        Ok((fleet.api.run(run.id).await?.outcome == Some(Outcome::Killed)).then_some(()))
    })
    .await?;
    let killed = began.elapsed();
    ensure!(
        killed < Duration::from_secs(10),
        "a kill took {killed:?}: no hint came"
    );

    fleet.api.act(job, "pause").await?;
    let runs = eventually("every run has ended", WAIT, async || {
        let runs = runs_of(&fleet.api, job).await?;
        let is_over = !runs.is_empty() && runs.iter().all(|run| run.outcome.is_some());
        Ok(is_over.then_some(runs))
    })
    .await
    .with_context(|| fleet.logs())?;
    println!(
        "{kind:?}: {} runs; taken over after {takeover:?} and {suspended:?}, handed over after {handover:?}, killed after {killed:?}",
        runs.len()
    );
    check(&fleet, &runs, &std::fs::read_to_string(stamps)?)?;
    other.program.stop()?;
    other.start_again(&fleet).await
}

/// Every second has its run, each has succeeded, and each has started once.
fn check(fleet: &Fleet, runs: &[Run], stamps: &str) -> Result<()> {
    let mut dues: Vec<i64> = runs.iter().map(|run| run.due.as_second()).collect();
    dues.sort_unstable();
    ensure!(
        dues.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "due instants {dues:?}\n{}",
        fleet.logs()
    );
    let bad: Vec<&Run> = runs
        .iter()
        .filter(|run| !matches!(run.outcome, Some(Outcome::Succeeded | Outcome::Skipped)))
        .collect();
    ensure!(bad.is_empty(), "{bad:?}\n{}", fleet.logs());
    let stamps: Vec<&str> = stamps.lines().collect();
    let once: HashSet<&str> = stamps.iter().copied().collect();
    ensure!(once.len() == stamps.len(), "started twice: {stamps:?}");
    let succeeded = runs
        .iter()
        .filter(|run| run.outcome == Some(Outcome::Succeeded));
    for run in succeeded {
        ensure!(
            once.contains(run.id.to_string().as_str()),
            "{run:?} did not run"
        );
    }
    Ok(())
}

/// Waits until the agent has its session with the center that answers.
async fn is_online_at(fleet: &Fleet, api: &Api) -> Result<()> {
    eventually("the agent is here", WAIT, async || {
        Ok(here(api)
            .await
            .is_some_and(|here| here.agent_count == 1)
            .then_some(()))
    })
    .await
    .with_context(|| fleet.logs())
}

async fn runs_of(api: &Api, job: Uuid) -> Result<Vec<Run>> {
    let query = RunQuery {
        job: Some(job),
        ..RunQuery::default()
    };
    api.runs(&query).await
}
