//! The agent of `cronfleet up`: its policy, how it is, what the service manager hears.

use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::rig::{CRONFLEET, MOMENT, Rig, eventually, text};

fn status(rig: &Rig, command: &str) -> Result<serde_json::Value> {
    let (data, run) = (rig.path("data/agent"), rig.path("run"));
    rig.json(&[
        "agent",
        command,
        "--data-dir",
        text(&data)?,
        "--runtime-dir",
        text(&run)?,
    ])
}

#[test]
fn the_local_agent_has_a_policy_that_says_whom_it_runs_as() -> Result<()> {
    let rig = Rig::start(&[])?;
    let file = rig.labelled("policy").context("no policy in the frame")?;
    let written = std::fs::read_to_string(&file)?;
    ensure!(
        written.contains("cronfleet up") && written.contains("allow = ["),
        "{written}"
    );

    let now = status(&rig, "status")?;
    ensure!(
        now["link"]["is_up"] == true && now["work"]["is_ledger_writable"] == true,
        "{now}"
    );
    ensure!(now["policy"]["file"] == file.as_str(), "{now}");
    let shown = rig.cli(&["agent", "ls", "--json"])?.done()?;
    ensure!(
        shown.stdout.contains(&file),
        "the center knows of it: {}",
        shown.stdout
    );

    // A broken policy is said everywhere, and changes nothing.
    std::fs::write(&file, "version = 1\n[run_ass]\n")?;
    rig.signal(Signal::SIGHUP)?;
    let error = eventually("the broken policy is seen", || {
        Ok(status(&rig, "status")?["policy"]["reload_error"]
            .as_str()
            .map(str::to_owned))
    })?;
    ensure!(error.contains("run_ass"), "{error}");
    eventually("the center knows", || {
        let agents = rig.json(&["agent", "ls"])?;
        Ok(agents["items"][0]["policy"]["reload_error"]
            .is_string()
            .then_some(()))
    })?;
    std::fs::write(&file, &written)?;
    rig.signal(Signal::SIGHUP)?;
    eventually("the policy is good again", || {
        Ok(status(&rig, "status")?["policy"]["reload_error"]
            .is_null()
            .then_some(()))
    })
}

#[test]
fn the_doctor_asks_the_agent_what_is_in_force() -> Result<()> {
    let rig = Rig::start(&[])?;
    let file = rig.labelled("policy").context("no policy in the frame")?;
    let now = status(&rig, "status")?;
    let examined = || -> Result<serde_json::Value> {
        let (data, run) = (rig.path("data/agent"), rig.path("run"));
        // Its exit status speaks of the machine that the test runs on.
        let places = ["--data-dir", text(&data)?, "--runtime-dir", text(&run)?];
        let said = rig.cli(&[&["agent", "doctor", "--json"][..], &places].concat())?;
        Ok(serde_json::from_str(&said.stdout)?)
    };
    let finding = |findings: &serde_json::Value, check: &str| {
        let all = findings.as_array().cloned().unwrap_or_default();
        all.into_iter().find(|one| one["check"] == check)
    };
    let findings = examined()?;
    let policy = finding(&findings, "policy").context("no policy")?;
    let said = policy["detail"].as_str().unwrap_or_default();
    ensure!(said.starts_with(&file), "{findings}");
    ensure!(finding(&findings, "in force").is_none(), "{findings}");
    let cgroups = finding(&findings, "cgroups").context("no control groups")?;
    let mode = now["cgroups"]["mode"].as_str().context("no mode")?;
    let found = match mode {
        "none" => "the agent found none".to_owned(),
        mode => format!("the agent found {mode}"),
    };
    let said = cgroups["detail"].as_str().unwrap_or_default();
    ensure!(said.starts_with(&found), "{now} {findings}");

    // A file that was changed is not in force yet.
    let written = std::fs::read_to_string(&file)?;
    std::fs::write(&file, format!("{written}# changed\n"))?;
    let findings = examined()?;
    let newer = finding(&findings, "in force").context("the file is newer")?;
    ensure!(newer["verdict"] == "warn", "{findings}");
    Ok(())
}

#[test]
fn the_service_manager_is_told_when_it_is_ready_and_when_it_ends() -> Result<()> {
    let dir = tempfile::tempdir()?;
    // As the journal does: its socket is standard error, and it says so.
    let log = dir.path().join("log");
    let journal = std::fs::File::create(&log)?;
    let stream = journal.metadata()?;
    let socket = dir.path().join("notify");
    let manager = UnixDatagram::bind(&socket)?;
    manager.set_read_timeout(Some(MOMENT))?;
    let hear = || -> Result<String> {
        let mut bytes = [0; 256];
        let len = manager.recv(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes[..len]).into_owned())
    };
    let mut up = Command::new(CRONFLEET)
        .args([
            "up",
            "--listen",
            "127.0.0.1:0",
            "--agent-listen",
            "127.0.0.1:0",
        ])
        .args([
            "--data-dir",
            text(&dir.path().join("data"))?,
            "--runtime-dir",
            text(&dir.path().join("run"))?,
        ])
        .env("CRONFLEET_LOG", "info")
        .env("NOTIFY_SOCKET", &socket)
        .env(
            "JOURNAL_STREAM",
            format!("{}:{}", stream.dev(), stream.ino()),
        )
        .stdout(Stdio::null())
        .stderr(journal)
        .spawn()?;
    let pid = Pid::from_raw(i32::try_from(up.id())?);
    let heard = (|| {
        ensure!(hear()? == "READY=1", "not ready");
        kill(pid, Signal::SIGHUP)?;
        let reloading = hear()?;
        ensure!(
            reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="),
            "{reloading}"
        );
        ensure!(hear()? == "READY=1", "not ready again");
        kill(pid, Signal::SIGTERM)?;
        ensure!(hear()? == "STOPPING=1", "not stopping");
        Ok(())
    })();
    if heard.is_err() {
        up.kill()?;
    }
    let ended = eventually("it has ended", || Ok(up.try_wait()?))?;
    heard?;
    ensure!(ended.success(), "{ended}");
    let logged = std::fs::read_to_string(&log)?;
    ensure!(!logged.is_empty(), "nothing is logged");
    for line in logged.lines() {
        let is_marked = ["<3>ERROR", "<4> WARN", "<6> INFO"]
            .iter()
            .any(|head| line.starts_with(head));
        ensure!(
            is_marked,
            "no priority, or a time that the journal keeps itself: {line}"
        );
    }
    Ok(())
}
