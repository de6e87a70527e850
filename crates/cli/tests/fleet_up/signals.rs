//! Two signals: the second one ends it at once, and nothing is lost from sight by that.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use crate::rig::{Rig, eventually};

#[test]
fn a_second_signal_ends_it_at_once_and_the_next_start_finds_the_processes() -> Result<()> {
    let mut rig = Rig::start(&["--log", "info"])?;
    let stubborn = "trap '' TERM; echo ready; while :; do sleep 1; done";
    rig.cli(&[
        "job",
        "create",
        "--name",
        "stubborn",
        "--daemon",
        "--all-agents",
        "--directory",
        "/",
        "--stop-grace",
        "10m",
        "--",
        "/bin/sh",
        "-c",
        stubborn,
    ])?
    .done()?;
    let pid = eventually("it runs", || pid(&rig))?;

    rig.signal(Signal::SIGINT)?;
    eventually("it is being stopped", || {
        Ok(rig.log()?.contains("the agent ends").then_some(()))
    })?;
    let asked = Instant::now();
    rig.signal(Signal::SIGINT)?;
    assert_eq!(rig.ended()?, Some(1));
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "{:?}",
        asked.elapsed()
    );

    rig.start_again(&["--log", "info"])?;
    assert!(rig.log()?.contains("processes.adopted=1"), "{}", rig.log()?);
    eventually(
        "the process that was asked to stop is replaced or kept",
        || {
            let slots = rig.json(&["slot", "ls", "--job", "stubborn"])?;
            Ok(slots["items"][0]["pid"]
                .as_i64()
                .filter(|known| *known == pid))
        },
    )?;
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(i32::try_from(pid)?),
        Signal::SIGKILL,
    )?;
    rig.cli(&["job", "delete", "stubborn", "--yes"])?.done()?;
    eventually("nothing is left of it", || {
        Ok(rig.shims()?.is_empty().then_some(()))
    })?;
    rig.signal(Signal::SIGTERM)?;
    assert_eq!(rig.ended()?, Some(0));
    Ok(())
}

/// Process id of the only slot, once it is ready.
fn pid(rig: &Rig) -> Result<Option<i64>> {
    let slots = rig.json(&["slot", "ls", "--job", "stubborn"])?;
    let slot = &slots["items"][0];
    let Some(process) = slot["process_id"]
        .as_str()
        .filter(|_| slot["state"] == "running")
    else {
        return Ok(None);
    };
    let output = rig.cli(&["run", "output", process])?;
    Ok(if output.stdout.contains("ready") {
        Some(slot["pid"].as_i64().context("pid")?)
    } else {
        None
    })
}
