//! Jobs run at their instants: none missing, none twice, on time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cronfleet_api::job::Job;
use cronfleet_api::run::{Outcome, Run};
use cronfleet_core::id::{AgentId, JobId};
use cronfleet_core::jitter::wait;
use cronfleet_testkit::{Fleet, RunQuery, eventually, sleep_until};
use jiff::{Span, Timestamp, ToSpan};

/// How late a run may start on a machine that has nothing else to do.
const LAG_MAX_US: i64 = 100_000;

async fn fleet() -> Result<Fleet> {
    Fleet::start(Path::new(env!("CARGO_BIN_EXE_cronfleet"))).await
}

/// The next full second after `after`.
fn full_second(after: Span) -> Result<Timestamp> {
    Ok(Timestamp::from_second(
        (Timestamp::now() + after).as_second() + 1,
    )?)
}

/// The runs of a job due from `from` on and before `until`, once all of them have ended.
async fn ended_runs(
    fleet: &Fleet,
    job: &Job,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<Run>> {
    let query = RunQuery {
        job: Some(job.id),
        state: None,
    };
    eventually(
        "every run of the window has ended",
        Duration::from_secs(60),
        async || {
            let runs = fleet.api.runs(&query).await?;
            let window: Vec<Run> = runs
                .into_iter()
                .filter(|run| (from..until).contains(&run.due))
                .collect();
            Ok(window
                .iter()
                .all(|run| run.outcome.is_some())
                .then_some(window))
        },
    )
    .await
}

#[tokio::test]
async fn every_second_and_every_quarter_second_for_a_minute() -> Result<()> {
    let fleet = fleet().await?;
    let script = "echo \"$CRONFLEET_DUE\"";
    let second = fleet
        .api
        .create(
            fleet.group,
            Fleet::scheduled("second", "* * * * * *", script)?,
        )
        .await?;
    let quarter = fleet
        .api
        .create(
            fleet.group,
            Fleet::scheduled("quarter", "@every 250ms", script)?,
        )
        .await?;
    let from = full_second(2.seconds())?;
    let until = from + 60.seconds();
    sleep_until(until).await;
    for (job, step_ms, count) in [(&second, 1_000, 60), (&quarter, 250, 240)] {
        let runs = ended_runs(&fleet, job, from, until).await?;
        let dues: BTreeSet<i64> = runs.iter().map(|run| run.due.as_millisecond()).collect();
        let expected: BTreeSet<i64> = (0..count)
            .map(|n| from.as_millisecond() + n * step_ms)
            .collect();
        ensure!(
            runs.len() == expected.len(),
            "{}: {} runs, {count} expected\n{}",
            job.spec.name,
            runs.len(),
            fleet.logs()
        );
        ensure!(dues == expected, "{}: {dues:?}", job.spec.name);
        for run in &runs {
            ensure!(
                run.outcome == Some(Outcome::Succeeded),
                "{run:?}\n{}",
                fleet.logs()
            );
            let lag = run.lag_us.context("a run that succeeded has a start")?;
            ensure!(
                (0..LAG_MAX_US).contains(&lag),
                "{}: started {lag} µs after {}",
                job.spec.name,
                run.due
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn with_jitter_a_target_keeps_its_distance_from_the_due_instant() -> Result<()> {
    let fleet = fleet().await?;
    let mut spec = Fleet::scheduled("spread", "* * * * * *", "echo \"$CRONFLEET_DUE\"")?;
    let jitter = Duration::from_secs(3);
    spec.scheduled
        .as_mut()
        .context("a scheduled job")?
        .jitter_ms = 3_000;
    spec.processes = 3;
    let job = fleet.api.create(fleet.group, spec).await?;
    let from = full_second(4.seconds())?;
    let until = from + 6.seconds();
    sleep_until(until + jitter).await;
    let runs = ended_runs(&fleet, &job, from, until).await?;
    ensure!(runs.len() == 18, "{runs:?}\n{}", fleet.logs());
    let mut waits = BTreeSet::new();
    for run in &runs {
        let (job, agent) = (
            JobId::from_uuid(run.job_id),
            AgentId::from_uuid(run.agent_id),
        );
        let wait = wait(jitter, job, agent, run.copy);
        waits.insert(wait);
        ensure!(run.not_before == run.due + wait, "waits {wait:?}: {run:?}");
        let lag = run.lag_us.context("it has a start")? - i64::try_from(wait.as_micros())?;
        ensure!(
            (0..LAG_MAX_US).contains(&lag),
            "started {lag} µs after its wait: {run:?}"
        );
    }
    ensure!(waits.len() == 3, "{waits:?}");
    Ok(())
}

#[tokio::test]
async fn two_hundred_jobs_due_in_the_same_second() -> Result<()> {
    let fleet = fleet().await?;
    let due = full_second(30.seconds())?;
    let mut jobs = BTreeSet::new();
    for index in 0..200 {
        let spec = Fleet::scheduled(&format!("job-{index}"), &format!("@at {due}"), "true")?;
        jobs.insert(fleet.api.create(fleet.group, spec).await?.id);
    }
    ensure!(
        Timestamp::now() < due,
        "creating the jobs took too long for this test to mean anything"
    );
    sleep_until(due).await;
    let runs = eventually("200 runs have ended", Duration::from_secs(60), async || {
        let runs = fleet
            .api
            .runs(&RunQuery {
                state: Some("ended"),
                ..RunQuery::default()
            })
            .await?;
        Ok((runs.len() >= 200).then_some(runs))
    })
    .await?;
    let ran: BTreeSet<_> = runs.iter().map(|run| run.job_id).collect();
    ensure!(
        runs.len() == 200 && ran == jobs,
        "{} runs of {} jobs",
        runs.len(),
        ran.len()
    );
    for run in &runs {
        ensure!(
            run.outcome == Some(Outcome::Succeeded) && run.due == due,
            "{run:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn several_copies_of_a_due_instant_are_runs_of_their_own() -> Result<()> {
    let fleet = fleet().await?;
    let mut spec = Fleet::scheduled(
        "copies",
        "@at 2030-01-01T00:00:00Z",
        "echo \"$CRONFLEET_COPY of $CRONFLEET_COPIES\"",
    )?;
    spec.processes = 4;
    let job = fleet.api.create(fleet.group, spec).await?;
    let ids = fleet.api.run_now(job.id).await?;
    ensure!(ids.len() == 4, "{ids:?}");
    let mut outputs = BTreeMap::new();
    for id in ids {
        let output = eventually(
            "the output is complete",
            Duration::from_secs(20),
            async || {
                let (text, is_complete) = fleet.api.output(id).await?;
                Ok(is_complete.then_some(text))
            },
        )
        .await?;
        outputs.insert(fleet.api.run(id).await?.copy, output);
    }
    let expected: BTreeMap<u32, String> = (0..4)
        .map(|copy| (copy, format!("{copy} of 4\n")))
        .collect();
    ensure!(outputs == expected, "{outputs:?}");
    Ok(())
}

#[tokio::test]
async fn a_new_version_takes_over_at_once_and_no_instant_runs_twice() -> Result<()> {
    let fleet = fleet().await?;
    let stamps = fleet.path("stamps");
    let script =
        |version: &str| format!("echo \"$CRONFLEET_DUE {version}\" >> {}", stamps.display());
    let job = fleet
        .api
        .create(
            fleet.group,
            Fleet::scheduled("edited", "* * * * * *", &script("one"))?,
        )
        .await?;
    let lines = || std::fs::read_to_string(&stamps).unwrap_or_default();
    eventually(
        "the first version runs",
        Duration::from_secs(30),
        async || Ok((lines().lines().count() >= 3).then_some(())),
    )
    .await?;
    let saved = Timestamp::now();
    fleet
        .api
        .replace(
            &job,
            Fleet::scheduled("edited", "* * * * * *", &script("two"))?,
        )
        .await?;
    eventually(
        "the second version runs",
        Duration::from_secs(30),
        async || Ok((lines().matches("two").count() >= 5).then_some(())),
    )
    .await?;
    fleet.api.act(job.id, "pause").await?;
    let mut dues = BTreeSet::new();
    for line in lines().lines() {
        let (due, version) = line.split_once(' ').context("a stamp")?;
        ensure!(dues.insert(due.to_owned()), "{due} ran twice:\n{}", lines());
        let due: Timestamp = due.parse()?;
        // The run of the second in which it was saved may have begun; none after that.
        ensure!(
            version == "two" || due <= saved + 1.second(),
            "{due} ran the old version, saved at {saved}"
        );
    }
    let first: Timestamp = dues.first().context("stamps")?.parse()?;
    let last: Timestamp = dues.last().context("stamps")?.parse()?;
    let span = usize::try_from(last.as_second() - first.as_second())? + 1;
    ensure!(
        dues.len() == span,
        "{} of {span} instants ran:\n{}\n{}",
        dues.len(),
        lines(),
        fleet.logs()
    );
    Ok(())
}

#[tokio::test]
async fn pause_and_resume_leave_nothing_missed() -> Result<()> {
    let fleet = fleet().await?;
    let job = fleet
        .api
        .create(
            fleet.group,
            Fleet::scheduled("paused", "* * * * * *", "true")?,
        )
        .await?;
    let query = RunQuery {
        job: Some(job.id),
        state: Some("ended"),
    };
    let ran = async || {
        let runs = fleet.api.runs(&query).await?;
        Ok::<_, anyhow::Error>(
            runs.into_iter()
                .filter(|run| run.outcome == Some(Outcome::Succeeded))
                .count(),
        )
    };
    eventually("it runs", Duration::from_secs(30), async || {
        Ok((ran().await? >= 3).then_some(()))
    })
    .await?;
    fleet.api.act(job.id, "pause").await?;
    let settled = Timestamp::now() + 2.seconds();
    sleep_until(settled).await;
    let before = ran().await?;
    sleep_until(settled + 3.seconds()).await;
    ensure!(ran().await? == before, "it ran while paused");
    fleet.api.act(job.id, "resume").await?;
    eventually("it runs again", Duration::from_secs(30), async || {
        Ok((ran().await? >= before + 3).then_some(()))
    })
    .await?;
    fleet.api.act(job.id, "pause").await?;
    for run in fleet
        .api
        .runs(&RunQuery {
            job: Some(job.id),
            state: Some("ended"),
        })
        .await?
    {
        let is_right = matches!(run.outcome, Some(Outcome::Succeeded | Outcome::Skipped));
        ensure!(is_right, "{run:?}");
    }
    ensure!(
        fleet.api.lapses(job.id).await?.is_empty(),
        "a pause is no lapse"
    );
    Ok(())
}
