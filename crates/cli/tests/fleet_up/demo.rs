//! `up --demo`: every sample really runs, Ctrl-C ends everything, and starting again goes on where it was.

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use crate::rig::{Rig, eventually};

const SAMPLES: [&str; 7] = [
    "clean-logs",
    "flaky-import",
    "heartbeat",
    "queue-worker",
    "slow-report",
    "tick",
    "每分钟库存盘点",
];

#[test]
fn samples_run_end_with_ctrl_c_and_go_on_after_a_restart() -> Result<()> {
    let mut rig = Rig::start(&["--demo", "--log", "info"])?;
    assert_eq!(names(&rig)?, SAMPLES);
    // The rare ones are asked for; the others must come by themselves.
    rig.cli(&["job", "run", "clean-logs", "--wait"])?.done()?;
    let stocktaking = rig
        .cli(&["job", "run", "每分钟库存盘点", "--wait"])?
        .done()?;
    assert!(
        stocktaking.stdout.contains("每分钟库存盘点"),
        "{stocktaking:?}"
    );
    // Waiting for a run is waiting for its retries, too.
    let flaky = rig.json(&["job", "run", "flaky-import", "--wait"])?;
    assert_eq!(flaky["items"][0]["attempt"], 3, "{flaky}");
    for (job, piece) in [
        ("clean-logs", "removed"),
        ("flaky-import", "prices"),
        ("每分钟库存盘点", "盘点完成"),
    ] {
        let output = rig.cli(&["run", "output", "--last", job])?.done()?;
        ensure!(output.stdout.contains(piece), "{job}: {output:?}");
    }
    for (job, piece) in [("heartbeat", "alive, load"), ("tick", "due 2")] {
        let run = eventually("a run of its own accord", || {
            let runs = rig.json(&[
                "run",
                "ls",
                "--job",
                job,
                "--outcome",
                "succeeded",
                "-n",
                "1",
            ])?;
            Ok(runs["items"].get(0).cloned())
        })?;
        let id = run["id"].as_str().context("id")?.to_owned();
        let output = rig.cli(&["run", "output", &id, "--follow"])?.done()?;
        ensure!(output.stdout.contains(piece), "{job}: {output:?}");
    }
    // Refused on record if the schedule has just started one: either way one is running.
    rig.cli(&["job", "run", "slow-report"])?.done()?;
    eventually("the slow run shows its first part while it runs", || {
        let runs = rig.json(&["run", "ls", "--job", "slow-report", "--state", "running"])?;
        let Some(id) = runs["items"][0]["id"].as_str() else {
            return Ok(None);
        };
        let output = rig.cli(&["run", "output", id])?;
        Ok(output.stdout.contains("reading part 1").then_some(()))
    })?;
    eventually("three workers run", || {
        let slots = rig.json(&["slot", "ls", "--job", "queue-worker"])?;
        let slots = slots["items"].as_array().context("slots")?;
        Ok((slots.len() == 3 && slots.iter().all(|slot| slot["state"] == "running")).then_some(()))
    })?;
    let before = rig.json(&["run", "ls", "--job", "heartbeat"])?["items"]
        .as_array()
        .context("runs")?
        .len();

    rig.signal(Signal::SIGINT)?;
    assert_eq!(rig.ended()?, Some(0));
    assert_eq!(rig.shims()?, Vec::<String>::new(), "no process is left");

    rig.start_again(&["--demo"])?;
    assert_eq!(rig.labelled("setup code"), None);
    assert_eq!(names(&rig)?, SAMPLES, "nothing twice");
    eventually("more runs than before, and the workers again", || {
        let runs = rig.json(&[
            "run",
            "ls",
            "--job",
            "heartbeat",
            "-n",
            "1000",
            "--outcome",
            "succeeded",
        ])?;
        let job = rig.json(&["job", "show", "queue-worker"])?;
        let count = runs["items"].as_array().context("runs")?.len();
        Ok((count > before && job["slots_running"] == 3).then_some(()))
    })?;
    // Whoever deletes a sample does not get it back.
    rig.cli(&["job", "delete", "tick", "--yes"])?.done()?;
    rig.signal(Signal::SIGTERM)?;
    assert_eq!(rig.ended()?, Some(0));
    rig.start_again(&["--demo"])?;
    assert_eq!(names(&rig)?.len(), SAMPLES.len() - 1);
    Ok(())
}

fn names(rig: &Rig) -> Result<Vec<String>> {
    let jobs = rig.json(&["job", "ls"])?;
    let name = |job: &serde_json::Value| job["spec"]["name"].as_str().map(str::to_owned);
    let mut names: Vec<String> = jobs["items"]
        .as_array()
        .context("jobs")?
        .iter()
        .filter_map(name)
        .collect();
    names.sort();
    Ok(names)
}
