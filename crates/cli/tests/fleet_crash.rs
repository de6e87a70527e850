//! Center and agent are killed with SIGKILL: nothing is lost, nothing runs twice, the record tells the truth.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cronfleet_api::run::{Outcome, Run};
use cronfleet_testkit::{Fleet, RunQuery, eventually, sleep_until};
use jiff::{Timestamp, ToSpan};

async fn fleet() -> Result<Fleet> {
    Fleet::start(Path::new(env!("CARGO_BIN_EXE_cronfleet"))).await
}

/// A script that leaves proof of its start and of its end, apart from what center and agent say.
fn stamping(dir: &Path, work: &str) -> String {
    let dir = dir.display();
    format!(
        "echo x >> {dir}/$CRONFLEET_RUN_ID.start; {work}; echo x >> {dir}/$CRONFLEET_RUN_ID.end"
    )
}

/// How often each run left a stamp of a kind.
fn stamps(dir: &Path, kind: &str) -> Result<BTreeMap<String, usize>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == kind) {
            let run = path
                .file_stem()
                .context("stem")?
                .to_string_lossy()
                .into_owned();
            found.insert(run, std::fs::read_to_string(&path)?.lines().count());
        }
    }
    Ok(found)
}

/// What the record says must agree with the stamps.
fn check_truth(runs: &[Run], dir: &Path) -> Result<()> {
    let starts = stamps(dir, "start")?;
    let ends = stamps(dir, "end")?;
    let recorded: BTreeSet<String> = runs.iter().map(|run| run.id.to_string()).collect();
    for (run, count) in &starts {
        ensure!(*count == 1, "run {run} started {count} times");
        ensure!(
            recorded.contains(run),
            "run {run} started and is not recorded"
        );
    }
    for run in runs {
        let id = run.id.to_string();
        let (has_started, has_ended) = (starts.contains_key(&id), ends.contains_key(&id));
        let is_true = match run.outcome.context("every run has an outcome")? {
            Outcome::Succeeded => has_started && has_ended,
            Outcome::Failed | Outcome::Killed | Outcome::TimedOut => has_started,
            Outcome::Skipped | Outcome::Missed => !has_started && run.reason.is_some(),
            Outcome::Lost => run.reason.is_some(),
        };
        ensure!(
            is_true,
            "started: {has_started}, ended: {has_ended}, but recorded is {run:?}"
        );
    }
    Ok(())
}

/// All runs of the fleet, once none is under way.
async fn settled(fleet: &Fleet) -> Result<Vec<Run>> {
    eventually(
        "every run has an outcome",
        Duration::from_secs(90),
        async || {
            let runs = fleet.api.runs(&RunQuery::default()).await?;
            Ok(runs.iter().all(|run| run.outcome.is_some()).then_some(runs))
        },
    )
    .await
    .with_context(|| fleet.logs())
}

#[tokio::test]
async fn killing_the_center_loses_no_instant_and_doubles_none() -> Result<()> {
    let mut fleet = fleet().await?;
    let dir = fleet.path("stamps");
    std::fs::create_dir(&dir)?;
    let mut jobs = Vec::new();
    for index in 0..20 {
        let spec = Fleet::scheduled(
            &format!("job-{index:02}"),
            "* * * * * *",
            &stamping(&dir, "true"),
        )?;
        jobs.push(fleet.api.create(fleet.group, spec).await?);
    }
    let from = Timestamp::from_second(Timestamp::now().as_second() + 3)?;
    sleep_until(from + 4.seconds()).await;
    let killed_at = Timestamp::now();
    fleet.kill_center()?;
    sleep_until(killed_at + 5.seconds()).await;
    fleet.start_center().await?;
    let up_at = Timestamp::now();
    let until = Timestamp::from_second(up_at.as_second() + 10)?;
    sleep_until(until).await;
    for job in &jobs {
        fleet.api.act(job.id, "pause").await?;
    }
    let runs = settled(&fleet).await?;
    check_truth(&runs, &dir)?;
    for job in &jobs {
        let mut by_due: BTreeMap<Timestamp, Vec<&Run>> = BTreeMap::new();
        for run in runs.iter().filter(|run| run.job_id == job.id) {
            by_due.entry(run.due).or_default().push(run);
        }
        let lapses = fleet.api.lapses(job.id).await?;
        let mut due = from;
        while due < until {
            let of_due = by_due.get(&due).map_or(0, Vec::len);
            let in_lapse = lapses
                .iter()
                .any(|lapse| lapse.due_from <= due && due <= lapse.due_to);
            ensure!(
                of_due == 1 || (of_due == 0 && in_lapse),
                "{} at {due}: {of_due} runs, in a lapse: {in_lapse}\n{}",
                job.spec.name,
                fleet.logs()
            );
            due += 1.second();
        }
    }
    // Orders were handed out ahead: what was due while the center was down started all the same, and on time.
    let meanwhile: Vec<&Run> = runs
        .iter()
        .filter(|run| run.due > killed_at && run.due < killed_at + 5.seconds())
        .collect();
    ensure!(
        meanwhile.len() >= 20 * 4,
        "{} runs were due meanwhile",
        meanwhile.len()
    );
    for run in meanwhile {
        ensure!(run.outcome == Some(Outcome::Succeeded), "{run:?}");
        let lag = run.lag_us.context("start")?;
        ensure!(
            (0..1_000_000).contains(&lag),
            "started {lag} µs late while the center was down"
        );
    }
    Ok(())
}

#[tokio::test]
async fn killing_the_agent_around_starts_never_starts_twice() -> Result<()> {
    let mut fleet = fleet().await?;
    let dir = fleet.path("stamps");
    std::fs::create_dir(&dir)?;
    let mut jobs = Vec::new();
    for index in 0..5 {
        let mut spec = Fleet::scheduled(
            &format!("short-{index}"),
            "@every 500ms",
            &stamping(&dir, "true"),
        )?;
        spec.processes = 2;
        jobs.push(fleet.api.create(fleet.group, spec).await?);
    }
    jobs.push(
        fleet
            .api
            .create(
                fleet.group,
                Fleet::scheduled("long", "*/3 * * * * *", &stamping(&dir, "sleep 4"))?,
            )
            .await?,
    );
    let begin = Timestamp::now();
    eventually("runs start", Duration::from_secs(30), async || {
        Ok((stamps(&dir, "start")?.len() > 20).then_some(()))
    })
    .await?;
    // Kills spread over the phases of a half-second period: before arming, between arming and start, right after.
    for (round, phase_ms) in [20_i64, 90, 180, 260, 340, 410, 480, 505]
        .into_iter()
        .enumerate()
    {
        let second = Timestamp::now().as_second() + 2;
        sleep_until(Timestamp::from_millisecond(second * 1_000 + phase_ms)?).await;
        fleet
            .kill_agent()
            .with_context(|| format!("round {round}"))?;
        fleet.start_agent().await?;
    }
    for job in &jobs {
        fleet.api.act(job.id, "pause").await?;
    }
    let runs = settled(&fleet).await?;
    ensure!(runs.len() > 100, "{} runs since {begin}", runs.len());
    check_truth(&runs, &dir).with_context(|| fleet.logs())?;
    let lost = runs
        .iter()
        .filter(|run| run.outcome == Some(Outcome::Lost))
        .count();
    ensure!(
        lost == 0,
        "the shims outlive the agent, so nothing is unknown, but {lost} runs are lost\n{}",
        fleet.logs()
    );
    Ok(())
}

#[tokio::test]
async fn a_run_outlives_its_agent_and_its_end_is_known() -> Result<()> {
    let mut fleet = fleet().await?;
    let spec = Fleet::scheduled(
        "outlives",
        "@at 2030-01-01T00:00:00Z",
        "for n in 1 2 3 4 5 6 7 8; do echo $n; sleep 0.5; done; exit 7",
    )?;
    let job = fleet.api.create(fleet.group, spec).await?;
    let run = *fleet.api.run_now(job.id).await?.first().context("a run")?;
    eventually("it runs", Duration::from_secs(20), async || {
        Ok(fleet.api.run(run).await?.started_at)
    })
    .await?;
    let pid = fleet.api.run(run).await?.pid;
    fleet.kill_agent()?;
    sleep_until(Timestamp::now() + 1.second()).await;
    fleet.start_agent().await?;
    let ended = eventually("it has ended", Duration::from_secs(30), async || {
        let run = fleet.api.run(run).await?;
        Ok(run.outcome.is_some().then_some(run))
    })
    .await?;
    ensure!(
        ended.outcome == Some(Outcome::Failed) && ended.exit_code == Some(7) && ended.pid == pid,
        "{ended:?}"
    );
    let text = eventually(
        "the output is complete",
        Duration::from_secs(20),
        async || {
            let (text, is_complete) = fleet.api.output(run).await?;
            Ok(is_complete.then_some(text))
        },
    )
    .await?;
    ensure!(text == "1\n2\n3\n4\n5\n6\n7\n8\n", "{text:?}");
    Ok(())
}
