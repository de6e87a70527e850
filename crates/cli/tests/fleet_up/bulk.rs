//! `cronfleet job bulk` against a real center: shown first, then done to all jobs or to none.

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::rig::{Rig, eventually};

fn create(rig: &Rig, name: &str, more: &[&str]) -> Result<()> {
    let job = ["job", "create", "--name", name, "--all-agents"];
    rig.cli(&[&job[..], more, &["--", "/bin/true"]].concat())?
        .done()?;
    Ok(())
}

fn is_paused(rig: &Rig, name: &str) -> Result<Value> {
    Ok(rig.json(&["job", "show", name])?["is_paused"].clone())
}

#[test]
fn many_jobs_are_changed_as_one_or_not_at_all() -> Result<()> {
    let rig = Rig::start(&[])?;
    for name in ["report-a", "report-b", "other"] {
        create(&rig, name, &["--cron", "0 9 * * *"])?;
    }
    create(&rig, "report-worker", &["--daemon"])?;
    let bulk = |arguments: &[&str]| rig.cli(&[&["job", "bulk"], arguments].concat());

    bulk(&["pause"])?.refused(2, "--search")?;
    let dry = bulk(&["pause", "--search", "report", "--dry-run"])?.done()?;
    ensure!(
        dry.stdout.contains("~ default/report-a  (version 1)"),
        "{dry:?}"
    );
    ensure!(dry.stderr.contains("would be done: 3 paused"), "{dry:?}");
    ensure!(is_paused(&rig, "report-a")? == false);

    let done = bulk(&["pause", "--search", "report", "--yes"])?.done()?;
    ensure!(done.stderr.contains("done: 3 paused"), "{done:?}");
    ensure!(is_paused(&rig, "report-b")? == true && is_paused(&rig, "other")? == false);
    bulk(&["resume", "--paused", "--yes"])?.done()?;

    // A daemon has no schedule: all are left as they are.
    let zone = ["set", "--search", "report", "--tz", "Asia/Shanghai"];
    bulk(&[&zone[..], &["--yes"]].concat())?.refused(2, "report-worker")?;
    ensure!(rig.json(&["job", "show", "report-a"])?["version"] == 1);
    bulk(&[&zone[..], &["--kind", "scheduled", "--yes"]].concat())?.done()?;
    let shown = rig.json(&["job", "show", "report-a"])?;
    ensure!(
        shown["spec"]["scheduled"]["time_zone"] == "Asia/Shanghai" && shown["version"] == 2,
        "{shown}"
    );

    let run = [
        "run",
        "--job",
        "report-a",
        "--job",
        "default/other",
        "--yes",
    ];
    let run = [&run[..], &["--idempotency-key", "once"]].concat();
    let ran = bulk(&run)?.done()?;
    ensure!(ran.stdout.lines().count() >= 2, "{ran:?}");
    let again = bulk(&run)?.done()?;
    let ids = |text: &str| -> Vec<String> {
        let ids = text.lines().filter(|line| line.len() == 36);
        ids.map(str::to_owned).collect()
    };
    ensure!(
        ids(&again.stdout) == ids(&ran.stdout) && ids(&ran.stdout).len() == 2,
        "{ran:?}, {again:?}"
    );
    eventually("both have run", || {
        let runs = rig.json(&["run", "ls", "--outcome", "succeeded"])?;
        let runs = runs["items"].as_array().cloned().unwrap_or_default();
        let wanted = ids(&ran.stdout);
        let found = runs.iter().filter_map(|run| run["id"].as_str());
        let found = found.filter(|id| wanted.iter().any(|one| one == id));
        Ok((found.count() == 2).then_some(()))
    })?;

    bulk(&["delete", "--search", "report", "--yes"])?.done()?;
    let left = rig.json(&["job", "ls", "report"])?;
    ensure!(
        left["items"].as_array().is_some_and(Vec::is_empty),
        "{left}"
    );
    Ok(())
}
