//! Runs that wait: for their turn while the previous one is alive, which they may also take the place of, and for room within their agent's
//! limits; also when the agent dies meanwhile.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cronfleet_api::agent::Agent;
use cronfleet_api::job::{Job, JobSpec, Overlap};
use cronfleet_api::run::{Outcome, Run};
use cronfleet_testkit::{Fleet, RunQuery, eventually};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

const WAIT: Duration = Duration::from_secs(60);

/// A job for every second that runs for two and a half, and writes down when it starts and when it ends.
fn spec(fleet: &Fleet, overlap: Overlap, queue_max: Option<u32>) -> Result<JobSpec> {
    let name = format!("{overlap:?}");
    let log = fleet.path(&name).display().to_string();
    let script = format!(
        "say() {{ echo $1 $CRONFLEET_DUE >> {log}; }}; trap 'say end; exit 0' TERM; say start; sleep 2.5 & wait $!; say end"
    );
    let mut spec = Fleet::scheduled(&name, "* * * * * *", &script)?;
    let scheduled = spec.scheduled.as_mut().context("a scheduled job")?;
    (scheduled.overlap, scheduled.queue_max) = (overlap, queue_max);
    scheduled.start_deadline_ms = None;
    Ok(spec)
}

async fn ended(fleet: &Fleet, job: &Job) -> Result<Vec<Run>> {
    let query = RunQuery {
        job: Some(job.id),
        state: Some("ended"),
    };
    fleet.api.runs(&query).await
}

fn count(runs: &[Run], outcome: Outcome, reason: Option<&str>) -> usize {
    let is_like = |run: &&Run| run.outcome == Some(outcome) && run.reason.as_deref() == reason;
    runs.iter().filter(is_like).count()
}

/// Waits for so many more runs of a job that end like this.
async fn more(
    fleet: &Fleet,
    job: &Job,
    outcome: Outcome,
    reason: Option<&str>,
    wanted: usize,
) -> Result<()> {
    let before = count(&ended(fleet, job).await?, outcome, reason);
    let what = format!("{wanted} more runs end {outcome:?} {reason:?}");
    eventually(&what, WAIT, async || {
        let found = count(&ended(fleet, job).await?, outcome, reason);
        Ok((found >= before + wanted).then_some(()))
    })
    .await
    .with_context(|| fleet.logs())
}

/// What the job's commands wrote: one after the other, in the order in which they were due.
fn check_turns(fleet: &Fleet, job: &Job) -> Result<usize> {
    let log = std::fs::read_to_string(fleet.path(&job.spec.name))?;
    let lines: Vec<&str> = log.lines().collect();
    let mut dues = Vec::new();
    for turn in lines.chunks(2) {
        let due = turn[0].strip_prefix("start ").context(log.clone())?;
        if let Some(end) = turn.get(1) {
            ensure!(*end == format!("end {due}"), "{due}: {log}");
        }
        dues.push(due);
    }
    ensure!(dues.is_sorted(), "{log}");
    Ok(dues.len())
}

#[tokio::test]
async fn runs_wait_for_their_turn_or_take_each_others_place() -> Result<()> {
    let mut fleet = Fleet::start(Path::new(env!("CARGO_BIN_EXE_cronfleet"))).await?;
    let queue = spec(&fleet, Overlap::Queue, Some(2))?;
    let queue = fleet.api.create(fleet.group, queue).await?;
    let replace = spec(&fleet, Overlap::Replace, None)?;
    let replace = fleet.api.create(fleet.group, replace).await?;
    let shown = queue.spec.scheduled.as_ref().context("a scheduled job")?;
    ensure!(
        (shown.queue_max, shown.start_deadline_ms) == (Some(2), Some(3_600_000)),
        "{shown:?}"
    );

    more(&fleet, &queue, Outcome::Skipped, Some("queue_full"), 2).await?;
    more(&fleet, &replace, Outcome::Killed, Some("replaced"), 3).await?;
    fleet.kill_agent()?;
    fleet.start_agent().await?;
    more(&fleet, &queue, Outcome::Succeeded, None, 3).await?;
    more(&fleet, &replace, Outcome::Killed, Some("replaced"), 3).await?;

    for job in [&queue, &replace] {
        fleet.api.act(job.id, "pause").await?;
    }
    let turns = check_turns(&fleet, &queue)?;
    let succeeded = count(&ended(&fleet, &queue).await?, Outcome::Succeeded, None);
    ensure!(turns >= succeeded && succeeded >= 4, "{turns}, {succeeded}");
    check_turns(&fleet, &replace)?;
    eventually("a run that is not replaced succeeds", WAIT, async || {
        let found = count(&ended(&fleet, &replace).await?, Outcome::Succeeded, None);
        Ok((found == 1).then_some(()))
    })
    .await
    .with_context(|| fleet.logs())
}

/// Limits the only agent, with nothing else in the request.
async fn limit(fleet: &Fleet, limits: Value) -> Result<Agent> {
    let agent = fleet.api.agents().await?.pop().context("an agent")?;
    let change = json!({ "run_limits": limits });
    let path = format!("/agents/{}", agent.id);
    fleet.api.call(Method::PATCH, &path, &change).await
}

/// Runs a job of so many processes now, and answers its runs when all of them have succeeded.
async fn all_succeed(fleet: &Fleet, spec: JobSpec) -> Result<Vec<Run>> {
    let job = fleet.api.create(fleet.group, spec).await?;
    let count = fleet.api.run_now(job.id).await?.len();
    eventually("all runs succeed", WAIT, async || {
        let runs = ended(fleet, &job).await?;
        ensure!(
            runs.iter()
                .all(|run| run.outcome == Some(Outcome::Succeeded))
        );
        Ok((runs.len() == count).then_some(runs))
    })
    .await
    .with_context(|| fleet.logs())
}

#[tokio::test]
async fn an_agent_holds_to_its_limits() -> Result<()> {
    let mut fleet = Fleet::start(Path::new(env!("CARGO_BIN_EXE_cronfleet"))).await?;
    let agent = limit(&fleet, json!({ "running_max": 2 })).await?;
    let log = fleet.path("alive").display().to_string();
    let script = format!("echo + >> {log}; sleep 1; echo - >> {log}");
    let mut spec = Fleet::scheduled("crowd", "@yearly", &script)?;
    spec.processes = 8;
    let job = fleet.api.create(fleet.group, spec).await?;
    fleet.api.run_now(job.id).await?;
    let path = format!("/agents/{}", agent.id);
    eventually("some of them wait, visibly", WAIT, async || {
        let agent: Agent = fleet.api.get(&path).await?;
        let waiting = agent.waiting.context("one agent tells what waits")?;
        Ok((waiting.count > 0 && waiting.since.is_some()).then_some(()))
    })
    .await
    .with_context(|| fleet.logs())?;
    // Its ledger knows the limits; nobody tells it while it has no center.
    fleet.kill_agent()?;
    fleet.kill_center()?;
    fleet.spawn_agent()?;
    let lines = || std::fs::read_to_string(&log).unwrap_or_default();
    eventually("all of them have run", WAIT, async || {
        Ok((lines().matches('-').count() == 8).then_some(()))
    })
    .await
    .with_context(|| fleet.logs())?;
    let mut alive = 0;
    for mark in lines().lines() {
        alive += if mark == "+" { 1 } else { -1 };
        ensure!((0..=2).contains(&alive), "{}", lines());
    }

    fleet.start_center().await?;
    limit(&fleet, json!({ "starts_per_second": 4 })).await?;
    let mut spec = Fleet::scheduled("stream", "@yearly", "true")?;
    spec.processes = 8;
    let runs = all_succeed(&fleet, spec).await?;
    let mut starts: Vec<Timestamp> = runs.iter().filter_map(|run| run.started_at).collect();
    starts.sort();
    let took = starts[7].duration_since(starts[0]);
    ensure!(took >= SignedDuration::from_millis(1_700), "{starts:?}");
    Ok(())
}
