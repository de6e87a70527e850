//! Daemon jobs are kept at N: restarted, scaled without touching the others, held back when they fail at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cronfleet_api::daemon::{Check, ReadinessSpec};
use cronfleet_api::outlook::NextStep;
use cronfleet_api::slot::{Slot, SlotRestart, SlotRestartAnswer, SlotState};
use cronfleet_testkit::{Fleet, eventually};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Method;
use uuid::Uuid;

async fn fleet() -> Result<Fleet> {
    Fleet::start(Path::new(env!("CARGO_BIN_EXE_cronfleet"))).await
}

/// Index and process id of the slots that run, once there are `count` and no others.
async fn running(fleet: &Fleet, job: Uuid, count: usize) -> Result<BTreeMap<u32, i32>> {
    eventually(
        &format!("{count} slots run"),
        Duration::from_secs(30),
        async || {
            let slots = fleet.api.slots(job).await?;
            let running: BTreeMap<u32, i32> = slots
                .iter()
                .filter(|slot| slot.state == SlotState::Running)
                .filter_map(|slot| Some((slot.index, slot.pid?)))
                .collect();
            let is_settled = running.len() == count
                && slots
                    .iter()
                    .filter(|s| s.state != SlotState::Stopped)
                    .count()
                    == count;
            Ok(is_settled.then_some(running))
        },
    )
    .await
    .with_context(|| fleet.logs())
}

#[tokio::test]
async fn three_processes_are_kept_and_scaled() -> Result<()> {
    let fleet = fleet().await?;
    let script = "trap 'exit 0' TERM; echo \"slot $CRONFLEET_SLOT of $CRONFLEET_SLOTS\"; while :; do sleep 0.1; done";
    let spec = Fleet::daemon("worker", 3, script)?;
    let job = fleet.api.create(fleet.group, spec.clone()).await?;
    let three = running(&fleet, job.id, 3).await?;
    ensure!(
        three.keys().copied().collect::<BTreeSet<_>>() == BTreeSet::from([0, 1, 2]),
        "{three:?}"
    );

    let victim = three[&1];
    let killed = Instant::now();
    kill(Pid::from_raw(victim), Signal::SIGKILL)?;
    eventually(
        "another process is in the slot",
        Duration::from_secs(10),
        async || {
            let slots = fleet.api.slots(job.id).await?;
            Ok(slots
                .iter()
                .any(|slot| slot.index == 1 && slot.pid.is_some_and(|pid| pid != victim))
                .then_some(()))
        },
    )
    .await?;
    ensure!(
        killed.elapsed() < Duration::from_secs(1),
        "back after {:?}",
        killed.elapsed()
    );
    let after = running(&fleet, job.id, 3).await?;
    ensure!(
        after[&0] == three[&0] && after[&2] == three[&2] && after[&1] != victim,
        "{three:?} {after:?}"
    );

    let mut five = spec.clone();
    five.processes = 5;
    let job = fleet.api.replace(&job, five).await?;
    let scaled = running(&fleet, job.id, 5).await?;
    ensure!(
        after.iter().all(|(index, pid)| scaled[index] == *pid),
        "{after:?} {scaled:?}"
    );

    let mut two = spec;
    two.processes = 2;
    let job = fleet.api.replace(&job, two).await?;
    let left = running(&fleet, job.id, 2).await?;
    ensure!(
        left[&0] == scaled[&0] && left[&1] == scaled[&1],
        "{scaled:?} {left:?}"
    );
    for index in 2..5 {
        let pid = scaled[&index];
        ensure!(
            kill(Pid::from_raw(pid), None).is_err(),
            "slot {index}, process {pid}, is still alive"
        );
    }

    fleet.api.act(job.id, "pause").await?;
    eventually("none is left", Duration::from_secs(20), async || {
        Ok(left
            .values()
            .all(|pid| kill(Pid::from_raw(*pid), None).is_err())
            .then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_command_that_ends_at_once_becomes_a_crash_loop_with_its_last_output() -> Result<()> {
    let fleet = fleet().await?;
    let mut spec = Fleet::daemon("broken", 1, "echo cannot open the config; exit 3")?;
    if let Some(daemon) = &mut spec.daemon {
        daemon.backoff_initial_ms = 100;
        daemon.backoff_max_ms = 2_000;
    }
    let job = fleet.api.create(fleet.group, spec).await?;
    let mut seen = BTreeSet::new();
    let slot = eventually("it is a crash loop", Duration::from_secs(30), async || {
        let slots = fleet.api.slots(job.id).await?;
        seen.extend(slots.iter().map(|slot| format!("{:?}", slot.state)));
        Ok(slots
            .into_iter()
            .find(|slot| slot.state == SlotState::CrashLoop))
    })
    .await
    .with_context(|| fleet.logs())?;
    ensure!(seen.contains("Backoff"), "{seen:?}");
    ensure!(slot.last_end.as_deref() == Some("exit 3"), "{slot:?}");
    let shown = eventually(
        "the last output is shown",
        Duration::from_secs(10),
        async || {
            let slots = fleet.api.slots(job.id).await?;
            Ok(slots.into_iter().find_map(|slot| slot.last_output))
        },
    )
    .await?;
    ensure!(shown.contains("cannot open the config"), "{shown:?}");
    Ok(())
}

#[tokio::test]
async fn daemons_outlive_their_agent() -> Result<()> {
    let mut fleet = fleet().await?;
    let job = fleet
        .api
        .create(
            fleet.group,
            Fleet::daemon("survivor", 4, "while :; do sleep 0.2; done")?,
        )
        .await?;
    let before = running(&fleet, job.id, 4).await?;
    for _ in 0..3 {
        fleet.kill_agent()?;
        fleet.start_agent().await?;
        let after = running(&fleet, job.id, 4).await?;
        ensure!(after == before, "{before:?} {after:?}\n{}", fleet.logs());
    }
    Ok(())
}

#[tokio::test]
async fn a_change_waits_for_readiness_and_says_what_comes_next() -> Result<()> {
    let fleet = fleet().await?;
    let flag = fleet.path("ready");
    let mut spec = Fleet::daemon("api", 3, "trap 'exit 0' TERM; while :; do sleep 0.1; done")?;
    if let Some(daemon) = &mut spec.daemon {
        daemon.readiness = Some(ReadinessSpec {
            check: Check {
                command: Some(vec![
                    "/usr/bin/test".to_owned(),
                    "-e".to_owned(),
                    flag.to_string_lossy().into_owned(),
                ]),
                ..Check::default()
            },
            initial_delay_ms: 0,
            period_ms: 200,
            timeout_ms: 5_000,
            successes: 1,
            start_timeout_ms: 600_000,
        });
    }
    let job = fleet.api.create(fleet.group, spec.clone()).await?;
    let within = Duration::from_secs(30);
    eventually("all are asked in vain", within, async || {
        let slots = fleet.api.slots(job.id).await?;
        let unready = slots.iter().filter(|slot| {
            slot.state == SlotState::Starting
                && slot.next_step == Some(NextStep::Ready)
                && slot
                    .probe
                    .as_ref()
                    .is_some_and(|probe| !probe.is_ok && probe.detail.as_deref() == Some("exit 1"))
        });
        Ok((unready.count() == 3).then_some(()))
    })
    .await
    .with_context(|| fleet.logs())?;
    std::fs::write(&flag, "")?;
    let first = running(&fleet, job.id, 3).await?;

    std::fs::remove_file(&flag)?;
    spec.environment
        .insert("CHANGED".to_owned(), "yes".to_owned());
    let job = fleet.api.replace(&job, spec).await?;
    eventually("one is replaced, two wait", within, async || {
        let slots = fleet.api.slots(job.id).await?;
        let waits = |slot: &&Slot| slot.next_step == Some(NextStep::Replace);
        let old: Vec<&Slot> = slots.iter().filter(waits).collect();
        ensure!(
            old.iter()
                .all(|slot| slot.pid == first.get(&slot.index).copied()),
            "{slots:?}"
        );
        let is_fresh = slots
            .iter()
            .any(|slot| slot.state == SlotState::Starting && slot.job_version == Some(job.version));
        Ok((old.len() == 2 && is_fresh).then_some(()))
    })
    .await
    .with_context(|| fleet.logs())?;
    std::fs::write(&flag, "")?;
    eventually("all are replaced", within, async || {
        let slots = fleet.api.slots(job.id).await?;
        let fresh = slots.iter().filter(|slot| {
            slot.state == SlotState::Running
                && slot.job_version == Some(job.version)
                && slot.next_step.is_none()
                && slot.pid != first.get(&slot.index).copied()
        });
        Ok((fresh.count() == 3).then_some(()))
    })
    .await
    .with_context(|| fleet.logs())
}

#[tokio::test]
async fn a_restart_asked_for_while_the_agent_is_away_happens_once_when_it_is_back() -> Result<()> {
    let mut fleet = fleet().await?;
    let spec = Fleet::daemon("worker", 2, "while :; do sleep 0.2; done")?;
    let job = fleet.api.create(fleet.group, spec).await?;
    let before = running(&fleet, job.id, 2).await?;
    fleet.kill_agent()?;
    eventually("the agent is away", Duration::from_secs(30), async || {
        let agents = fleet.api.agents().await?;
        Ok(agents.iter().all(|agent| !agent.is_online).then_some(()))
    })
    .await?;
    let request = SlotRestart {
        job_id: job.id,
        agent_id: None,
        index: Some(0),
    };
    let answer: SlotRestartAnswer = fleet
        .api
        .call(Method::POST, "/slots/restart", &request)
        .await?;
    ensure!(
        (answer.agents_told, answer.agents_waiting) == (0, 1),
        "{answer:?}"
    );
    fleet.start_agent().await?;
    let restarted = eventually(
        "the slot has another process",
        Duration::from_secs(30),
        async || {
            let now = running(&fleet, job.id, 2).await?;
            Ok((now[&0] != before[&0]).then_some(now))
        },
    )
    .await
    .with_context(|| fleet.logs())?;
    ensure!(restarted[&1] == before[&1], "{before:?} {restarted:?}");
    // The next agent, and the next session, find nothing left to do.
    fleet.kill_agent()?;
    fleet.start_agent().await?;
    ensure!(running(&fleet, job.id, 2).await? == restarted);
    ensure!(fleet.api.processes(job.id).await?.len() == 3);
    Ok(())
}
