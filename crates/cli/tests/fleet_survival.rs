//! Fifty daemon processes and twenty runs under an agent that is killed again and again: they do not notice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cronfleet_api::run::{Outcome, Run};
use cronfleet_api::slot::SlotState;
use cronfleet_testkit::{Fleet, RunQuery, eventually};
use jiff::Timestamp;
use uuid::Uuid;

const DAEMONS: u32 = 50;
const RUNS: u32 = 20;
const KILLS: u32 = 10;
/// Rounds in which the agent comes back as another build, and as the old one again.
const UPGRADE: u32 = 3;
const DOWNGRADE: u32 = 7;
/// Lines that every run writes, one each half second.
const LINES: u32 = 60;

#[tokio::test]
async fn nothing_notices_that_the_agent_dies_ten_times() -> Result<()> {
    let mut fleet = Fleet::start(Path::new(env!("CARGO_BIN_EXE_cronfleet"))).await?;
    let builds = [fleet.binary().to_owned(), another_build(&fleet)?];
    let worker = "i=0; while :; do i=$((i+1)); echo $i; sleep 1; done";
    let daemon = Fleet::daemon("worker", DAEMONS, worker)?;
    let daemon = fleet.api.create(fleet.group, daemon).await?;
    let script = format!(
        "i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo $i; sleep 0.5; done; exit $((CRONFLEET_COPY % 7))"
    );
    let mut run = Fleet::scheduled("run", "@yearly", &script)?;
    run.processes = RUNS;
    let run = fleet.api.create(fleet.group, run).await?;
    fleet.api.run_now(run.id).await?;
    let pids = daemon_pids(&fleet, daemon.id).await?;
    let started = runs(&fleet, run.id, |run| run.pid.is_some()).await?;

    for round in 0..KILLS {
        tokio::time::sleep(any_wait()).await;
        fleet.kill_agent()?;
        tokio::time::sleep(any_wait()).await;
        match round {
            UPGRADE => fleet.use_agent_binary(&builds[1]),
            DOWNGRADE => fleet.use_agent_binary(&builds[0]),
            _ => {}
        }
        fleet.spawn_agent()?;
    }

    let ended = runs(&fleet, run.id, |run| run.outcome.is_some()).await?;
    ensure!(ended.len() == RUNS as usize, "{} runs", ended.len());
    for run in &ended {
        let expected = i32::try_from(run.copy % 7)?;
        ensure!(
            run.exit_code == Some(expected)
                && run.outcome
                    == Some(if expected == 0 {
                        Outcome::Succeeded
                    } else {
                        Outcome::Failed
                    }),
            "copy {} should exit with {expected}: {run:?}\n{}",
            run.copy,
            fleet.logs()
        );
        let before = started.iter().find(|before| before.id == run.id);
        ensure!(
            before.is_some_and(|before| before.pid == run.pid),
            "{before:?} {run:?}"
        );
        check_lines(&whole_output(&fleet, run.id).await?, Some(LINES))?;
    }
    ensure!(
        daemon_pids(&fleet, daemon.id).await? == pids,
        "other processes than before"
    );

    fleet.api.act(daemon.id, "pause").await?;
    let ended = eventually(
        "every process has ended",
        Duration::from_secs(60),
        async || {
            let processes = fleet.api.processes(daemon.id).await?;
            Ok(processes
                .iter()
                .all(|process| process.ended_at.is_some())
                .then_some(processes))
        },
    )
    .await
    .with_context(|| fleet.logs())?;
    ensure!(
        ended.len() == DAEMONS as usize,
        "{} processes in all",
        ended.len()
    );
    for process in ended {
        ensure!(process.signal.as_deref() == Some("TERM"), "{process:?}");
        check_lines(&whole_output(&fleet, process.id).await?, None)?;
    }
    Ok(())
}

/// Names a directory with an older or newer build, binary and shim, to be upgraded to and downgraded from.
const OTHER_BUILD: &str = "CRONFLEET_OTHER_BUILD";

/// The build that somebody named; else binary and shim at another place, as a package puts them there: the agent that starts
/// from it takes over what an agent with other files left.
fn another_build(fleet: &Fleet) -> Result<PathBuf> {
    if let Some(other) = std::env::var_os(OTHER_BUILD) {
        return Ok(PathBuf::from(other).join("cronfleet"));
    }
    let dir = fleet.path("next");
    std::fs::create_dir(&dir)?;
    let from = fleet
        .binary()
        .parent()
        .context("the binary is in a directory")?;
    for name in ["cronfleet", "cronfleet-shim"] {
        std::fs::copy(from.join(name), dir.join(name))?;
    }
    Ok(dir.join("cronfleet"))
}

/// A few hundred milliseconds, never the same.
fn any_wait() -> Duration {
    Duration::from_micros(
        100_000 + u64::from(Timestamp::now().subsec_nanosecond().unsigned_abs()) / 1_000 % 900_000,
    )
}

async fn daemon_pids(fleet: &Fleet, job: Uuid) -> Result<BTreeMap<u32, i32>> {
    eventually("every slot runs", Duration::from_secs(60), async || {
        let slots = fleet.api.slots(job).await?;
        let pids: BTreeMap<u32, i32> = slots
            .iter()
            .filter(|slot| slot.state == SlotState::Running)
            .filter_map(|slot| Some((slot.index, slot.pid?)))
            .collect();
        Ok((pids.len() == DAEMONS as usize).then_some(pids))
    })
    .await
    .with_context(|| fleet.logs())
}

async fn runs(fleet: &Fleet, job: Uuid, is_there: impl Fn(&Run) -> bool) -> Result<Vec<Run>> {
    let query = RunQuery {
        job: Some(job),
        state: None,
    };
    eventually(
        "every run is as far",
        Duration::from_secs(120),
        async || {
            let runs = fleet.api.runs(&query).await?;
            Ok(runs.iter().all(&is_there).then_some(runs))
        },
    )
    .await
    .with_context(|| fleet.logs())
}

async fn whole_output(fleet: &Fleet, life: Uuid) -> Result<String> {
    eventually(
        "the output is complete",
        Duration::from_secs(60),
        async || {
            let (text, is_complete) = fleet.api.output(life).await?;
            Ok(is_complete.then_some(text))
        },
    )
    .await
    .with_context(|| fleet.logs())
}

/// Every number from 1 on, once.
fn check_lines(text: &str, count: Option<u32>) -> Result<()> {
    let lines: Vec<u32> = text.lines().map(str::parse).collect::<Result<_, _>>()?;
    let is_whole = lines.iter().copied().eq(1..=u32::try_from(lines.len())?);
    ensure!(is_whole && !lines.is_empty(), "lines {lines:?}");
    ensure!(
        count.is_none_or(|count| lines.len() == count as usize),
        "{} lines instead of {count:?}",
        lines.len()
    );
    Ok(())
}
