//! Client commands for jobs, runs and slots against a real center.

use anyhow::{Context, Result, ensure};

use crate::rig::{PASSWORD, Rig, eventually, text};

/// `job create` of a shell script on all agents.
fn create(rig: &Rig, name: &str, flags: &[&str], script: &str) -> Result<crate::rig::Ran> {
    let base = [
        "job",
        "create",
        "--name",
        name,
        "--all-agents",
        "--directory",
        "/",
    ];
    rig.cli(&[&base, flags, &["--", "/bin/sh", "-c", script]].concat())
}

#[test]
fn a_job_lives_from_create_to_delete() -> Result<()> {
    let rig = Rig::start(&["--log", "info"])?;
    let created = create(
        &rig,
        "hello",
        &["--cron", "0 3 * * *", "--tz", "Asia/Shanghai"],
        "echo out; echo err >&2",
    )?;
    assert!(created.done()?.stdout.starts_with("created default/hello"));
    create(&rig, "hello", &["--cron", "@daily"], "true")?.refused(5, "has this name")?;
    create(&rig, "wrong", &["--cron", "0 3 32 * *"], "true")?
        .refused(2, "day_of_month, column 5")?;
    create(
        &rig,
        "wrong",
        &["--cron", "@daily", "--tz", "Mars/Base"],
        "true",
    )?
    .refused(2, "time_zone")?;
    create(
        &rig,
        "wrong",
        &["--cron", "@daily", "--restart", "always"],
        "true",
    )?
    .refused(2, "--restart")?;
    create(
        &rig,
        "wrong",
        &["--cron", "@daily", "--run-as", "0"],
        "true",
    )?
    .refused(2, "run_as")?;
    rig.cli(&["job", "show", "nothing"])?
        .refused(4, "there is no job")?;

    let run = rig.cli(&["job", "run", "hello", "--wait"])?.done()?;
    assert!(run.stdout.contains("succeeded"), "{run:?}");
    let output = rig
        .cli(&["run", "output", "--last", "hello", "--follow"])?
        .done()?;
    assert_eq!(
        (output.stdout.as_str(), output.stderr.as_str()),
        ("out\n", "err\n")
    );
    let output = rig
        .cli(&["run", "output", "--last", "hello", "--stream", "stderr"])?
        .done()?;
    assert_eq!(
        (output.stdout.as_str(), output.stderr.as_str()),
        ("", "err\n")
    );

    rig.cli(&["job", "edit", "hello", "--timeout", "30s", "--env", "A=1"])?
        .done()?;
    rig.cli(&[
        "job",
        "edit",
        "default/hello",
        "--unset",
        "timeout",
        "--",
        "/bin/false",
    ])?
    .done()?;
    rig.cli(&["job", "edit", "hello"])?
        .refused(2, "give flags or --file")?;
    let job = rig.json(&["job", "show", "hello"])?;
    assert_eq!(
        (&job["version"], &job["spec"]["environment"]["A"]),
        (&3.into(), &"1".into()),
        "{job}"
    );
    assert_eq!(job["spec"]["scheduled"].get("timeout_ms"), None);
    assert_eq!(
        rig.json(&["job", "versions", "hello"])?["items"]
            .as_array()
            .map(Vec::len),
        Some(3)
    );
    rig.cli(&["job", "run", "hello", "--wait"])?
        .refused(7, "1 of 1 runs did not succeed")?;

    // The agent knows what became of both, by itself.
    let data_dir = rig.path("data/agent");
    let ledger = rig.json(&["agent", "ledger", "--data-dir", text(&data_dir)?])?;
    let outcomes: Vec<_> = ledger
        .as_array()
        .map(|known| known.iter().map(|one| one["outcome"].clone()).collect())
        .context("a list")?;
    assert_eq!(outcomes, ["succeeded", "failed"], "{ledger}");

    assert!(
        rig.cli(&["job", "pause", "hello"])?
            .done()?
            .stdout
            .contains("paused default/hello")
    );
    assert_eq!(
        rig.json(&["job", "ls", "--paused"])?["items"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    rig.cli(&["job", "resume", "hello"])?.done()?;
    rig.cli(&["job", "delete", "hello"])?.refused(2, "--yes")?;
    rig.cli(&["job", "delete", "hello", "--yes"])?.done()?;
    rig.cli(&["job", "show", "hello"])?
        .refused(4, "there is no job")?;
    Ok(())
}

#[test]
fn definitions_travel_as_files() -> Result<()> {
    let rig = Rig::start(&["--log", "info"])?;
    let script = rig.path("job.py");
    std::fs::write(&script, "print('from a script')\n")?;
    let arguments = [
        "job",
        "create",
        "--name",
        "one",
        "--cron",
        "@daily",
        "--all-agents",
        "--script-file",
        text(&script)?,
    ];
    rig.cli(&[&arguments[..], &["--interpreter", "/bin/cat -n"]].concat())?
        .done()?;
    let spec = rig.cli(&["job", "show", "one", "--spec"])?.done()?.stdout;
    rig.cli_with(
        &["job", "create", "--file", "-", "--name", "two", "--paused"],
        &spec,
    )?
    .done()?;
    let two = rig.json(&["job", "show", "two"])?;
    assert_eq!(two["is_paused"], true);
    assert_eq!(
        two["spec"]["command"]["script"]["text"],
        "print('from a script')\n"
    );
    assert_eq!(
        two["spec"]["command"]["script"]["interpreter"],
        serde_json::json!(["/bin/cat", "-n"])
    );
    rig.cli_with(&["job", "create", "--file", "-"], "{\"nam\": 1}")?
        .refused(2, "unknown field `nam`")?;
    let run = rig.cli(&["job", "run", "one", "--wait"])?.done()?;
    ensure!(run.stdout.contains("succeeded"), "{run:?}");
    let output = rig.cli(&["run", "output", "--last", "one"])?.done()?;
    ensure!(output.stdout.contains("from a script"), "{output:?}");
    Ok(())
}

#[test]
fn a_run_is_followed_and_killed() -> Result<()> {
    let rig = Rig::start(&["--log", "info"])?;
    create(
        &rig,
        "long",
        &["--cron", "@yearly"],
        "echo begun; sleep 600",
    )?
    .done()?;
    let id = rig
        .cli(&["job", "run", "long"])?
        .done()?
        .stdout
        .trim()
        .to_owned();
    eventually("it has begun", || {
        Ok(rig
            .cli(&["run", "output", &id])?
            .stdout
            .contains("begun")
            .then_some(()))
    })?;
    rig.cli(&["job", "run", "long", "--wait", "--wait-timeout", "10ms"])?;
    assert!(
        rig.cli(&["run", "kill", &id])?
            .done()?
            .stdout
            .contains("is being killed")
    );
    let followed = rig
        .cli(&["run", "output", &id, "--follow"])?
        .refused(7, "did not succeed")?;
    assert_eq!(followed.stdout, "begun\n");
    let run = rig.json(&["run", "show", &id])?;
    assert_eq!(
        (&run["outcome"], &run["killed_by"]),
        (&"killed".into(), &"admin".into()),
        "{run}"
    );
    assert!(
        rig.cli(&["run", "kill", &id])?
            .done()?
            .stdout
            .contains("was already over")
    );
    rig.cli(&["run", "show", "00000000-0000-7000-8000-000000000000"])?
        .refused(4, "")?;
    Ok(())
}

#[test]
fn the_same_key_makes_no_second_run() -> Result<()> {
    let rig = Rig::start(&["--log", "info"])?;
    create(&rig, "once", &["--cron", "@yearly"], "true")?.done()?;
    let first = rig
        .cli(&["job", "run", "once", "--idempotency-key", "k1"])?
        .done()?
        .stdout;
    assert_eq!(
        rig.cli(&["job", "run", "once", "--idempotency-key", "k1"])?
            .done()?
            .stdout,
        first
    );
    assert_ne!(
        rig.cli(&["job", "run", "once", "--idempotency-key", "k2"])?
            .done()?
            .stdout,
        first
    );
    Ok(())
}

#[test]
fn daemons_are_scaled_and_restarted() -> Result<()> {
    let rig = Rig::start(&["--log", "info"])?;
    create(
        &rig,
        "worker",
        &["--daemon", "--processes", "2"],
        "exec sleep 600",
    )?
    .done()?;
    let pids = |count: usize| {
        eventually("all slots run", || {
            let slots = rig.json(&["slot", "ls", "--job", "worker"])?;
            let slots = slots["items"].as_array().context("slots")?;
            let running = slots.iter().filter(|slot| slot["state"] == "running");
            let pids: Vec<i64> = running.filter_map(|slot| slot["pid"].as_i64()).collect();
            Ok((pids.len() == count && slots.len() == count).then_some(pids))
        })
    };
    let two = pids(2)?;
    rig.cli(&["job", "edit", "worker", "--processes", "3"])?
        .done()?;
    let three = pids(3)?;
    assert_eq!(three[..2], two[..], "the others were not touched");
    rig.cli(&["slot", "restart", "worker", "--index", "0"])?
        .done()?;
    eventually("slot 0 has another process", || {
        let now = pids(3)?;
        Ok((now[0] != three[0] && now[1..] == three[1..]).then_some(()))
    })?;
    let processes = rig.json(&["slot", "processes", "worker", "--index", "0"])?;
    assert_eq!(processes["items"].as_array().map(Vec::len), Some(2));
    rig.cli(&["job", "delete", "worker", "--yes"])?.done()?;
    eventually("every process is gone", || {
        Ok(rig.shims()?.is_empty().then_some(()))
    })
}

#[test]
fn signing_in_and_out() -> Result<()> {
    let rig = Rig::start(&["--log", "info"])?;
    assert!(
        rig.cli(&["whoami"])?
            .done()?
            .stdout
            .starts_with("admin, administrator")
    );
    rig.cli_as("nobody", &["whoami"], "")?
        .refused(3, "cronfleet login")?;
    let login = ["login", "--login", "admin", "--password-stdin"];
    rig.cli_as("nobody", &login, "wrong password 1")?
        .refused(3, "")?;
    rig.cli_as("nobody", &login, PASSWORD)?.done()?;
    rig.cli_as("nobody", &["whoami"], "")?.done()?;
    rig.cli_as("nobody", &["logout"], "")?.done()?;
    rig.cli_as("nobody", &["whoami"], "")?
        .refused(3, "not signed in")?;
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(rig.path("config-admin/cronfleet/credentials.json"))?.permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    Ok(())
}
