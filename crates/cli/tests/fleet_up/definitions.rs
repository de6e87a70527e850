//! `export`, `diff` and `apply` against a real center, and runs that follow what was applied.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::rig::{Rig, eventually, text};

/// Time within which a set of 2,000 jobs must be planned and applied.
const FAST: Duration = Duration::from_secs(5);

/// `job create` of a shell command on all agents.
fn create(rig: &Rig, name: &str, flags: &[&str], script: &str) -> Result<()> {
    let base = [
        "job",
        "create",
        "--name",
        name,
        "--all-agents",
        "--directory",
        "/",
    ];
    rig.cli(&[&base, flags, &["--", "/bin/sh", "-c", script]].concat())?
        .done()?;
    Ok(())
}

/// The user that jobs of the rig run as.
fn run_as(rig: &Rig) -> Result<String> {
    let groups = rig.json(&["group", "ls"])?;
    let user = groups["items"][0]["run_as"][0].as_str();
    user.map(str::to_owned).context("the group has a user")
}

fn output_of(rig: &Rig, job: &str) -> Result<String> {
    rig.cli(&["job", "run", job, "--wait"])?.done()?;
    Ok(rig.cli(&["run", "output", "--last", job])?.done()?.stdout)
}

#[test]
fn definitions_go_out_come_back_and_are_followed() -> Result<()> {
    let rig = Rig::start(&["--log", "info"])?;
    create(
        &rig,
        "report",
        &[
            "--cron",
            "0 3 * * *",
            "--tz",
            "Asia/Shanghai",
            "--retry",
            "3",
        ],
        "echo one",
    )?;
    create(
        &rig,
        "worker",
        &["--daemon", "--processes", "2"],
        "exec sleep 600",
    )?;
    create(
        &rig,
        "idle",
        &["--cron", "@yearly", "--tz", "UTC", "--paused"],
        "true",
    )?;
    let file = rig.path("jobs.yaml");
    let path = text(&file)?;
    rig.cli(&["export", "-o", path])?.done()?;
    let exported = std::fs::read_to_string(&file)?;
    ensure!(
        exported.starts_with("cronfleet: 1\njobs:\n  - id: "),
        "{exported}"
    );
    let place = |name: &str| {
        exported
            .find(&format!("name: {name}\n"))
            .context("exported")
    };
    ensure!(
        place("idle")? < place("report")? && place("report")? < place("worker")?,
        "{exported}"
    );
    ensure!(
        exported.contains("retry:\n        attempts_max: 3\n"),
        "{exported}"
    );
    ensure!(exported.matches("paused: true").count() == 1, "{exported}");
    for default in [
        "umask",
        "overlap",
        "start_deadline_ms",
        "backoff",
        "limits",
        "stop",
        "output",
    ] {
        ensure!(
            !exported.contains(default),
            "{default} is as it would be anyway:\n{exported}"
        );
    }
    ensure!(
        rig.cli(&["export"])?.done()?.stdout == exported,
        "always in the same order"
    );
    let same = rig.cli(&["diff", "-f", path])?.done()?;
    ensure!(
        same.stdout.is_empty() && same.stderr == "3 unchanged\n",
        "{same:?}"
    );
    let json = rig
        .cli(&["export", "--json", "--group", "default"])?
        .done()?
        .stdout;
    rig.cli_with(&["diff", "-f", "-"], &json)?.done()?;

    // What is edited in the file is shown, then done, then followed.
    let edited = exported
        .replace("echo one", "echo two")
        .replace("name: idle", "name: was idle")
        .replace("    paused: true\n", "    paused: false\n")
        .replace("processes: 2", "processes: 1");
    std::fs::write(&file, &edited)?;
    let shown = rig.cli(&["diff", "-f", path])?.refused(8, "3 changed")?;
    for line in [
        "~ change  default/was idle  (version 1)",
        "      name: \"idle\" → \"was idle\"",
        "      paused: true → false",
        "~ change  default/report  (version 1)",
        "      command.argv: [\"/bin/sh\",\"-c\",\"echo one\"] → [\"/bin/sh\",\"-c\",\"echo two\"]",
        "      processes: 2 → 1",
    ] {
        ensure!(
            shown.stdout.lines().any(|found| found == line),
            "{line:?}: {}",
            shown.stdout
        );
    }
    ensure!(output_of(&rig, "report")? == "one\n");
    rig.cli(&["apply", "-f", path])?.refused(2, "--yes")?;
    let applied = rig.cli(&["apply", "-f", path, "--yes"])?.done()?;
    ensure!(
        applied.stdout == shown.stdout && applied.stderr == "applied: 3 changed\n",
        "{applied:?}"
    );
    ensure!(output_of(&rig, "report")? == "two\n");
    eventually("one process is left", || {
        let slots = rig.json(&["slot", "ls", "--job", "worker"])?;
        let running = slots["items"].as_array().context("slots")?.iter();
        let running = running.filter(|slot| slot["state"] == "running").count();
        Ok((running == 1 && rig.shims()?.len() == 1).then_some(()))
    })?;
    rig.cli(&["diff", "-f", path])?.done()?;

    // Without --prune nothing is deleted.
    let user = run_as(&rig)?;
    let one = format!(
        "cronfleet: 1\njobs:\n- {{group: default, name: new, run_as: \"{user}\", target: {{all: true}},\n  \
         scheduled: {{expression: '@every 1s'}}, directory: /, command: {{argv: [/bin/echo, every second]}}}}\n"
    );
    std::fs::write(&file, one)?;
    rig.cli(&["apply", "-f", path, "--yes"])?.done()?;
    eventually("the new job runs by its schedule", || {
        let runs = rig.json(&["run", "ls", "--job", "new", "--outcome", "succeeded"])?;
        Ok((runs["items"].as_array().context("runs")?.len() > 1).then_some(()))
    })?;
    let pruned = rig
        .cli(&["apply", "-f", path, "--prune", "--yes", "--json"])?
        .done()?;
    let pruned: Value = serde_json::from_str(&pruned.stdout)?;
    ensure!(
        pruned["changes"].as_array().map(Vec::len) == Some(3) && pruned["unchanged"] == 1,
        "{pruned}"
    );
    let left = rig.json(&["job", "ls"])?;
    ensure!(left["items"].as_array().map(Vec::len) == Some(1), "{left}");
    eventually("no process is left", || {
        Ok(rig.shims()?.is_empty().then_some(()))
    })
}

#[test]
fn a_bad_line_is_named_and_nothing_is_done() -> Result<()> {
    let rig = Rig::start(&["--log", "info"])?;
    let (file, user) = (rig.path("many.yaml"), run_as(&rig)?);
    let many = |bad: Option<usize>| -> Result<()> {
        let mut yaml = "cronfleet: 1\njobs:\n".to_owned();
        for number in 0..2_000 {
            let hour = if bad == Some(number) { 25 } else { number % 24 };
            write!(
                yaml,
                "  - group: default\n    name: job {number:04}\n    scheduled:\n      expression: 0 {hour} 1 1 *\n      \
                 time_zone: UTC\n    command:\n      argv:\n        - /bin/true\n    run_as: \"{user}\"\n    target:\n      all: true\n"
            )?;
        }
        Ok(std::fs::write(&file, yaml)?)
    };
    let count = || -> Result<usize> {
        let jobs = rig.json(&["job", "ls", "--limit", "5000"])?;
        Ok(jobs["items"].as_array().context("jobs")?.len())
    };
    let path = text(&file)?;

    many(Some(1_234))?;
    let refused = rig
        .cli(&["apply", "-f", path, "--yes"])?
        .refused(2, "1 problem in the definitions; nothing was changed")?;
    // Each job has 11 lines; the expression is on its fourth.
    let line = 2 + 11 * 1_234 + 4;
    let place =
        format!("{path}:{line}:7: job 1234: scheduled.expression \"0 25 1 1 *\", column 3: ");
    ensure!(
        refused.stderr.contains(&place),
        "{place}: {}",
        refused.stderr
    );
    let json = rig.cli(&["apply", "-f", path, "--yes", "--json"])?;
    let json: Value = serde_json::from_str(&json.stdout)?;
    let problem = &json["error"]["problems"][0];
    ensure!(
        problem["line"] == line && problem["field"] == "scheduled.expression",
        "{json}"
    );
    ensure!(count()? == 0, "nothing was changed");

    many(None)?;
    let begun = Instant::now();
    rig.cli(&["apply", "-f", path, "--yes"])?.done()?;
    let took = begun.elapsed();
    ensure!(count()? == 2_000 && took < FAST, "{took:?}");
    let begun = Instant::now();
    let same = rig.cli(&["diff", "-f", path])?.done()?;
    let took = begun.elapsed();
    ensure!(
        same.stderr == "2000 unchanged\n" && took < FAST,
        "{took:?} {same:?}"
    );

    // Form, syntax, places in several files, what is missing.
    let broken = rig.path("broken.yaml");
    let broken = text(&broken)?;
    let cases = [
        (
            "cronfleet: 1\njobs:\n- name: [a\n",
            "broken.yaml:4:1: this is not YAML",
        ),
        (
            "cronfleet: 1\njobs:\n- name: a\n  runas: b\n",
            "broken.yaml:4:3: a: runas: there is no key \"runas\" here (did you mean run_as?)",
        ),
        ("cronfleet: 7\njobs: []\n", "broken.yaml:1:12: cronfleet: "),
    ];
    for (yaml, piece) in cases {
        std::fs::write(broken, yaml)?;
        rig.cli(&["diff", "-f", path, "-f", broken])?
            .refused(2, piece)?;
    }
    std::fs::write(
        broken,
        "cronfleet: 1\njobs:\n- {group: default, name: job 0003, command: {argv: [x]}, run_as: x, target: {all: true}, daemon: {}}\n",
    )?;
    rig.cli(&["diff", "-f", path, "-f", broken])?
        .refused(2, &format!("(see also {path}:37)"))?;
    rig.cli(&["diff", "-f", text(&rig.path("nothing"))?])?
        .refused(1, "cannot read")?;
    rig.cli(&["diff", "-f", path, "--group", "x"])?
        .refused(2, "--prune")?;
    rig.cli(&["diff", "-f", path, "--prune", "--group", "x"])?
        .refused(4, "--group: There is no such group")?;
    Ok(())
}
