//! Runs that come due while the previous one is alive: they wait for their turn, or take its place; also when the agent dies meanwhile.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cronfleet_api::job::{Job, JobSpec, Overlap};
use cronfleet_api::run::{Outcome, Run};
use cronfleet_testkit::{Fleet, RunQuery, eventually};

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
