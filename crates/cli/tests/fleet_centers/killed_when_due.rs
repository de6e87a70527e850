//! A thousand runs are due at one instant, and that is when the center that plans, which also has the agent, is killed.
//!
//! Three instants follow each other: one undisturbed, the one of the kill, and the one that only the other center can plan. The
//! commands themselves stamp what started, and when.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cronfleet_api::run::{Outcome, Run};
use cronfleet_testdb::{Kind, Server};
use cronfleet_testkit::{Fleet, RunQuery, eventually, sleep_until};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::TAKEOVER_MAX;
use crate::other::{Other, plans};

/// Jobs that are due together, and processes that each asks for: a thousand runs.
const JOBS: usize = 20;
const COPIES: u32 = 50;
const RUNS: usize = JOBS * COPIES as usize;
/// Time to create all jobs before the orders of the first instant are handed out.
const AHEAD: SignedDuration = SignedDuration::from_secs(25);
/// From one instant to the next: longer than orders are handed out ahead, so that the last one is not planned before the kill.
const EVERY: SignedDuration = SignedDuration::from_secs(20);
/// Longest wait for a thousand starts, and their ends.
const WAIT: Duration = Duration::from_secs(100);
/// Worst start lag at the instant of the kill, as a multiple of the undisturbed one and a constant on top: other tests and an
/// agent that dials use the same processors. It is printed as it is.
const LAG_RATIO_MAX: f64 = 3.0;
const LAG_MORE_MAX: f64 = 2.0;

/// What a command says of itself: its run, and when it started.
struct Stamp {
    run: Uuid,
    at: Timestamp,
}

pub(crate) async fn check(kind: Kind) -> Result<()> {
    let server = Server::start(kind, false)?;
    let database = server.first_database();
    let binary = Path::new(env!("CARGO_BIN_EXE_cronfleet"));
    let mut fleet = Fleet::start_on(binary, database.clone()).await?;
    let other = Other::start(&fleet, &database).await?;
    plans(&fleet.api).await?;
    let first = Timestamp::from_second((Timestamp::now() + AHEAD).as_second())?;
    let (kill, last) = (first + EVERY, first + EVERY + EVERY);
    for (index, due) in [first, kill, last].into_iter().enumerate() {
        create(&fleet, index, due).await?;
    }

    sleep_until(kill).await;
    fleet.kill_center()?;
    let killed = Timestamp::now();

    sleep_until(last).await;
    eventually("all that is due has started", WAIT, async || {
        Ok((stamps(&fleet)?.len() >= 3 * RUNS).then_some(()))
    })
    .await
    .with_context(|| fleet.logs())?;
    let under_way = RunQuery {
        state: Some("planned,dispatched,accepted,running"),
        ..RunQuery::default()
    };
    eventually("every run has ended", WAIT, async || {
        let runs = other.api.runs(&under_way).await?;
        Ok(runs.is_empty().then_some(()))
    })
    .await
    .with_context(|| fleet.logs())?;
    let runs = other.api.runs(&RunQuery::default()).await?;

    let stamps = stamps(&fleet)?;
    for due in [first, kill, last] {
        each_started_once(due, &runs, &stamps).with_context(|| fleet.logs())?;
    }
    let planned = runs.iter().filter(|run| run.due == last);
    let planned = planned.map(|run| run.planned_at).min();
    let takeover = planned.context("no runs")?.duration_since(killed);
    let (undisturbed, disturbed) = (
        Lags::of(first, &runs, &stamps),
        Lags::of(kill, &runs, &stamps),
    );
    println!(
        "{kind:?}: killed at an instant with {RUNS} due runs: start lag {disturbed}, at the instant before {undisturbed}; \
         planning began {:.1} s later",
        takeover.as_secs_f64()
    );
    ensure!(
        takeover > SignedDuration::ZERO && takeover.unsigned_abs() <= TAKEOVER_MAX,
        "planning began after {takeover:?}"
    );
    ensure!(
        disturbed.p99 <= undisturbed.p99 * LAG_RATIO_MAX + LAG_MORE_MAX,
        "start lag {disturbed}, undisturbed {undisturbed}"
    );
    Ok(())
}

/// Creates the jobs of an instant; their commands start nothing: the shell reads the clock from a file.
async fn create(fleet: &Fleet, instant: usize, due: Timestamp) -> Result<()> {
    let script = format!(
        "read up idle < /proc/uptime; echo $CRONFLEET_RUN_ID $up >> {}",
        fleet.path("stamps").display()
    );
    for index in 0..JOBS {
        let name = format!("due-{instant}-{index}");
        let mut spec = Fleet::scheduled(&name, &format!("@at {due}"), &script)?;
        spec.processes = COPIES;
        fleet.api.create(fleet.group, spec).await?;
    }
    Ok(())
}

fn stamps(fleet: &Fleet) -> Result<Vec<Stamp>> {
    let up = std::fs::read_to_string("/proc/uptime")?;
    let up = up.split(' ').next().context("no uptime")?;
    let booted = Timestamp::now() - SignedDuration::try_from_secs_f64(up.parse()?)?;
    let text = std::fs::read_to_string(fleet.path("stamps")).unwrap_or_default();
    text.lines()
        .map(|line| {
            let (run, up) = line.split_once(' ').with_context(|| line.to_owned())?;
            let at = booted + SignedDuration::try_from_secs_f64(up.parse()?)?;
            Ok(Stamp {
                run: run.parse()?,
                at,
            })
        })
        .collect()
}

/// Every run of an instant is there, has succeeded, and has started once.
fn each_started_once(due: Timestamp, runs: &[Run], stamps: &[Stamp]) -> Result<()> {
    let runs: Vec<&Run> = runs.iter().filter(|run| run.due == due).collect();
    ensure!(runs.len() == RUNS, "{} runs were due at {due}", runs.len());
    let places: HashSet<_> = runs.iter().map(|run| (run.job_id, run.copy)).collect();
    ensure!(
        places.len() == RUNS,
        "{} places of {RUNS} at {due}",
        places.len()
    );
    let mut starts: HashMap<Uuid, u32> = HashMap::new();
    for stamp in stamps {
        *starts.entry(stamp.run).or_default() += 1;
    }
    let wrong: Vec<_> = runs
        .iter()
        .map(|run| (run, starts.get(&run.id).copied().unwrap_or(0)))
        .filter(|(run, starts)| *starts != 1 || run.outcome != Some(Outcome::Succeeded))
        .collect();
    ensure!(wrong.is_empty(), "at {due}, with their starts: {wrong:?}");
    Ok(())
}

/// Start lags of an instant, in seconds.
struct Lags {
    p50: f64,
    p99: f64,
}

impl Lags {
    fn of(due: Timestamp, runs: &[Run], stamps: &[Stamp]) -> Self {
        let runs: HashSet<Uuid> = runs
            .iter()
            .filter(|run| run.due == due)
            .map(|run| run.id)
            .collect();
        let started = stamps.iter().filter(|stamp| runs.contains(&stamp.run));
        let mut lags: Vec<f64> = started
            .map(|stamp| stamp.at.duration_since(due).as_secs_f64())
            .collect();
        lags.sort_unstable_by(f64::total_cmp);
        let at = |percent: usize| lags[(lags.len() - 1) * percent / 100];
        Self {
            p50: at(50),
            p99: at(99),
        }
    }
}

impl std::fmt::Display for Lags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "p50 {:.2} s, p99 {:.2} s", self.p50, self.p99)
    }
}
