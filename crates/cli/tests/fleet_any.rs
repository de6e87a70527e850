//! Jobs for which some agents are enough, on real machines: one of them starts each run, whichever is there, and never two.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cronfleet_api::job::{Job, JobSpec, Overlap};
use cronfleet_api::run::{Outcome, Run, RunState};
use cronfleet_api::target::{Pick, Target, TargetMode};
use cronfleet_testkit::{Fleet, Machine, Program, RunQuery, eventually};
use jiff::{SignedDuration, Timestamp};
use nix::sys::signal::Signal;
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(60);

async fn ids(fleet: &Fleet) -> Result<Vec<Uuid>> {
    let agents = fleet.api.agents().await?;
    Ok(agents.iter().map(|agent| agent.id).collect())
}

/// Three machines that serve the fleet's first group, beside its own agent.
async fn machines(fleet: &Fleet) -> Result<Vec<(Machine, Program, Uuid)>> {
    let mut machines = Vec::new();
    for name in ["a", "b", "c"] {
        let before: Vec<Uuid> = ids(fleet).await?;
        let machine = fleet.machine_in(name, fleet.group).await?;
        let joined = ids(fleet)
            .await?
            .into_iter()
            .find(|id| !before.contains(id));
        let program = machine.start()?;
        machines.push((machine, program, joined.context("the agent that joined")?));
    }
    eventually("all machines are online", WAIT, async || {
        let online = fleet.api.agents().await?;
        let is_online = |id: &Uuid| online.iter().any(|one| one.id == *id && one.is_online);
        Ok(machines
            .iter()
            .all(|(_, _, id)| is_online(id))
            .then_some(()))
    })
    .await
    .with_context(|| fleet.logs())?;
    Ok(machines)
}

/// A job for every second on any of the three machines, which writes down when it starts and when it ends.
fn spec(
    fleet: &Fleet,
    name: &str,
    lasts: &str,
    overlap: Overlap,
    (pick, agents): (Pick, &[(Machine, Program, Uuid)]),
) -> Result<JobSpec> {
    let log = fleet.path(name).display().to_string();
    let script = format!(
        "echo start $CRONFLEET_DUE >> {log}; sleep {lasts}; echo end $CRONFLEET_DUE >> {log}"
    );
    let mut spec = Fleet::scheduled(name, "* * * * * *", &script)?;
    spec.target = Target {
        agent_ids: agents.iter().map(|(_, _, id)| *id).collect(),
        mode: TargetMode::Any,
        pick: Some(pick),
        ..Target::default()
    };
    spec.scheduled.as_mut().context("a scheduled job")?.overlap = overlap;
    Ok(spec)
}

async fn ended(fleet: &Fleet, job: &Job) -> Result<Vec<Run>> {
    let query = RunQuery {
        job: Some(job.id),
        state: Some("ended"),
    };
    fleet.api.runs(&query).await
}

fn is_passed_on(run: &Run) -> bool {
    run.reason.as_deref() == Some("offered_elsewhere")
}

/// Waits until every due instant from `from` to `until` has one outcome, and gives the runs that have it.
async fn outcomes(
    fleet: &Fleet,
    job: &Job,
    from: Timestamp,
    until: Timestamp,
) -> Result<BTreeMap<Timestamp, Run>> {
    let expected = (until.as_second() - from.as_second()) as usize;
    eventually("every due instant has its outcome", WAIT, async || {
        let runs = ended(fleet, job).await?;
        let mut found = BTreeMap::new();
        let within = |run: &&Run| run.due >= from && run.due < until && !is_passed_on(run);
        for run in runs.iter().filter(within) {
            let before = found.insert(run.due, run.clone());
            ensure!(
                before.is_none(),
                "two runs of {}: {before:?} {run:?}",
                run.due
            );
        }
        Ok((found.len() == expected).then_some(found))
    })
    .await
    .with_context(|| fleet.logs())
}

/// Due instants that the job's commands say they started for, in their order; each once.
fn started(fleet: &Fleet, name: &str) -> Result<Vec<String>> {
    let log = std::fs::read_to_string(fleet.path(name)).unwrap_or_default();
    let started: Vec<String> = log
        .lines()
        .filter_map(|line| Some(line.strip_prefix("start ")?.to_owned()))
        .collect();
    let once: BTreeSet<&String> = started.iter().collect();
    ensure!(once.len() == started.len(), "started twice: {log}");
    Ok(started)
}

fn next_second(wait: i64) -> Result<Timestamp> {
    let now = Timestamp::now() + SignedDuration::from_secs(wait);
    Ok(Timestamp::from_second(now.as_second() + 1)?)
}

#[tokio::test]
async fn each_run_starts_on_one_machine_and_they_take_turns() -> Result<()> {
    let fleet = Fleet::start(Path::new(env!("CARGO_BIN_EXE_cronfleet"))).await?;
    let machines = machines(&fleet).await?;
    let group = fleet.group;
    let spec = spec(
        &fleet,
        "turns",
        "0",
        Overlap::Forbid,
        (Pick::RoundRobin, &machines),
    )?;
    let job = fleet.api.create(group, spec).await?;
    let from = next_second(1)?;
    let until = from + SignedDuration::from_secs(9);
    let runs = outcomes(&fleet, &job, from, until).await?;
    let mut by_agent: BTreeMap<Uuid, usize> = BTreeMap::new();
    for run in runs.values() {
        ensure!(run.outcome == Some(Outcome::Succeeded), "{run:?}");
        *by_agent.entry(run.agent_id).or_default() += 1;
    }
    ensure!(
        by_agent.len() == 3 && by_agent.values().all(|count| (2..=4).contains(count)),
        "{by_agent:?}"
    );
    started(&fleet, "turns")?;
    Ok(())
}

/// Where the job's last run was, among the machines.
async fn place(fleet: &Fleet, job: &Job, machines: &[(Machine, Program, Uuid)]) -> Result<usize> {
    let last = eventually("it runs somewhere", WAIT, async || {
        let since = Timestamp::now() - SignedDuration::from_secs(3);
        let runs = ended(fleet, job).await?;
        let runs = runs.into_iter().filter(|run| run.due > since);
        let good = runs.filter(|run| run.outcome == Some(Outcome::Succeeded));
        Ok(good.max_by_key(|run| run.due))
    })
    .await
    .with_context(|| fleet.logs())?;
    let mut places = machines.iter();
    places
        .position(|(_, _, id)| *id == last.agent_id)
        .context("one of the machines")
}

#[tokio::test]
async fn another_machine_takes_over_from_one_that_dies_or_stands_still() -> Result<()> {
    let fleet = Fleet::start(Path::new(env!("CARGO_BIN_EXE_cronfleet"))).await?;
    let mut machines = machines(&fleet).await?;
    let how = (Pick::Sticky, &machines[..]);
    let job = fleet
        .api
        .create(
            fleet.group,
            spec(&fleet, "sticky", "0", Overlap::Allow, how)?,
        )
        .await?;
    for is_killed in [true, false] {
        let place = place(&fleet, &job, &machines).await?;
        let (machine, program, agent) = &mut machines[place];
        let from = next_second(0)?;
        if is_killed {
            program.kill()?;
        } else {
            program.signal(Signal::SIGSTOP)?;
        }
        // While it is away the others do its work, all but what had the word in that very moment.
        let until = from + SignedDuration::from_secs(10);
        let others = eventually("others do its work", WAIT, async || {
            let runs = ended(&fleet, &job).await?;
            let others = runs.iter().filter(|run| {
                let is_good = run.outcome == Some(Outcome::Succeeded);
                run.due >= from && run.due < until && is_good && run.agent_id != *agent
            });
            Ok(Some(others.count()).filter(|count| *count >= 8))
        })
        .await;
        let known = fleet.api.runs_due(from, until).await?;
        if is_killed {
            *program = machine.start()?;
        } else {
            program.signal(Signal::SIGCONT)?;
        }
        let shown = || -> String {
            let line = |run: &Run| {
                let (due, agent, reason) = (run.due, run.agent_id, run.reason.as_deref());
                format!(
                    "{due} {agent} {:?} {:?} {reason:?}\n",
                    run.state, run.outcome
                )
            };
            known.iter().map(line).collect()
        };
        others.with_context(|| format!("killed: {is_killed}, its agent {agent}\n{}", shown()))?;
        let runs = outcomes(&fleet, &job, from, until).await?;
        let bad = runs
            .values()
            .filter(|run| run.outcome != Some(Outcome::Succeeded));
        let bad: Vec<&Run> = bad.collect();
        ensure!(bad.len() <= 2, "{bad:#?}");
        started(&fleet, "sticky")?;
    }
    Ok(())
}

#[tokio::test]
async fn two_never_overlap_on_different_machines() -> Result<()> {
    let fleet = Fleet::start(Path::new(env!("CARGO_BIN_EXE_cronfleet"))).await?;
    let machines = machines(&fleet).await?;
    let spec = spec(
        &fleet,
        "long",
        "1.6",
        Overlap::Forbid,
        (Pick::RoundRobin, &machines),
    )?;
    let job = fleet.api.create(fleet.group, spec).await?;
    let from = next_second(1)?;
    let until = from + SignedDuration::from_secs(10);
    let runs = outcomes(&fleet, &job, from, until).await?;
    let skipped = runs
        .values()
        .filter(|run| run.reason.as_deref() == Some("overlap"));
    let good = runs
        .values()
        .filter(|run| run.outcome == Some(Outcome::Succeeded));
    ensure!(skipped.count() >= 4 && good.count() >= 4, "{runs:#?}");
    let log = std::fs::read_to_string(fleet.path("long"))?;
    let lines: Vec<&str> = log.lines().collect();
    for turn in lines.chunks(2) {
        let due = turn[0].strip_prefix("start ").context(log.clone())?;
        ensure!(
            turn.get(1).is_none_or(|end| *end == format!("end {due}")),
            "{log}"
        );
    }
    Ok(())
}

/// Waits for such a run of the job.
async fn run_that_is(
    fleet: &Fleet,
    job: &Job,
    what: &str,
    is: impl Fn(&Run) -> bool,
) -> Result<Run> {
    let query = RunQuery {
        job: Some(job.id),
        state: None,
    };
    eventually(what, WAIT, async || {
        Ok(fleet.api.runs(&query).await?.into_iter().find(&is))
    })
    .await
    .with_context(|| fleet.logs())
}

#[tokio::test]
async fn what_may_be_alive_out_of_reach_blocks_others_until_it_is_released() -> Result<()> {
    let fleet = Fleet::start(Path::new(env!("CARGO_BIN_EXE_cronfleet"))).await?;
    let machines = machines(&fleet).await?;
    for (name, overlap) in [("forbid", Overlap::Forbid), ("replace", Overlap::Replace)] {
        let how = (Pick::RoundRobin, &machines[..]);
        let mut spec = spec(&fleet, name, "600", overlap, how)?;
        let scheduled = spec.scheduled.as_mut().context("a scheduled job")?;
        scheduled.start_deadline_ms = Some(2_000);
        if overlap == Overlap::Replace {
            // The first one is to be out of reach before the next one is due.
            scheduled.expression = "*/10 * * * * *".into();
        }
        let job = fleet.api.create(fleet.group, spec).await?;
        let is_running = |run: &Run| run.state == RunState::Running;
        let first = run_that_is(&fleet, &job, "one runs", is_running).await?;
        let place = machines.iter().position(|(_, _, id)| *id == first.agent_id);
        let (_, program, _) = &machines[place.context("one of the machines")?];
        program.signal(Signal::SIGSTOP)?;
        let is_blocked = |run: &Run| run.reason.as_deref() == Some("blocked");
        run_that_is(&fleet, &job, "the next one is blocked", is_blocked).await?;
        ensure!(started(&fleet, name)?.len() == 1, "it alone has started");

        fleet.api.release(first.id).await?;
        let is_next = |run: &Run| is_running(run) && run.id != first.id;
        let next = run_that_is(&fleet, &job, "another one runs", is_next).await?;
        ensure!(next.agent_id != first.agent_id, "{next:?}");

        program.signal(Signal::SIGCONT)?;
        let is_over = |run: &Run| run.id == first.id && run.outcome == Some(Outcome::Killed);
        run_that_is(&fleet, &job, "what was released is stopped", is_over).await?;
        fleet.api.act(job.id, "pause").await?;
        fleet.api.kill(next.id).await?;
    }
    Ok(())
}
