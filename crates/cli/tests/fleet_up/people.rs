//! Client commands for groups, users and agents against a real center.

use anyhow::{Context, Result};
use cronfleet_testkit::Program;
use std::path::Path;

use crate::rig::{CRONFLEET, Rig, eventually, text};

const ALICES_PASSWORD: &str = "violet engine morning 3";

#[test]
fn members_do_what_their_role_allows_and_see_nothing_else() -> Result<()> {
    let rig = Rig::start(&["--log", "info"])?;
    rig.cli(&["group", "create", "web", "--run-as", "daemon"])?
        .done()?;
    for group in ["default", "web"] {
        rig.cli(&[
            "job",
            "create",
            "--group",
            group,
            "--name",
            "same",
            "--cron",
            "@yearly",
            "--all-agents",
            "--",
            "/bin/true",
        ])?
        .done()?;
    }
    rig.cli_with(
        &["user", "create", "alice", "--password-stdin"],
        ALICES_PASSWORD,
    )?
    .done()?;
    rig.cli(&["group", "member", "set", "web", "alice", "viewer"])?
        .done()?;
    let login = ["login", "--login", "alice", "--password-stdin"];
    rig.cli_as("alice", &login, ALICES_PASSWORD)?.done()?;
    let alice = |arguments: &[&str]| rig.cli_as("alice", arguments, "");

    rig.cli(&["job", "show", "same"])?.refused(2, "web/same")?;
    alice(&["job", "show", "same"])?.done()?;
    alice(&["job", "show", "default/same"])?.refused(4, "there is no job")?;
    let hidden = rig.json(&["job", "show", "default/same"])?["id"]
        .as_str()
        .context("id")?
        .to_owned();
    alice(&["job", "show", &hidden])?.refused(4, "")?;
    alice(&["job", "run", &hidden])?.refused(4, "")?;
    alice(&["job", "run", "same"])?.refused(3, "owner of the group")?;
    alice(&["job", "delete", "same", "--yes"])?.refused(3, "")?;
    alice(&["user", "ls"])?.refused(3, "")?;
    alice(&["group", "create", "mine"])?.refused(3, "")?;

    rig.cli(&["group", "member", "set", "web", "alice", "operator"])?
        .done()?;
    alice(&["job", "pause", "same"])?.done()?;
    alice(&["job", "edit", "same", "--timeout", "30s"])?.refused(3, "")?;
    let shown = rig.cli(&["group", "show", "web"])?.done()?.stdout;
    assert!(shown.contains("operator  alice"), "{shown}");
    rig.cli(&["group", "delete", "web", "--yes"])?
        .refused(5, "")?;
    rig.cli(&["group", "member", "remove", "web", "alice"])?
        .done()?;
    alice(&["job", "show", "same"])?.refused(4, "")?;
    rig.cli(&["user", "disable", "alice"])?.done()?;
    alice(&["whoami"])?.refused(3, "")?;
    Ok(())
}

#[test]
fn a_second_agent_joins_and_waits_for_approval() -> Result<()> {
    let rig = Rig::start(&["--log", "info"])?;
    let token = rig.json(&["agent", "token", "--group", "default"])?["token"]
        .as_str()
        .context("token")?
        .to_owned();
    let address = rig.json(&["agent", "token"])?["command"]
        .as_str()
        .context("command")?
        .to_owned();
    let address = address
        .split_whitespace()
        .skip_while(|word| *word != "--center")
        .nth(1)
        .context("address")?;
    let data = rig.path("second");
    let join = [
        "agent",
        "join",
        "--center",
        address,
        "--token",
        &token,
        "--data-dir",
        text(&data)?,
    ];
    rig.cli(&join)?.done()?;
    rig.cli(&join)?.refused(1, "has joined already")?;
    let other = rig.path("third");
    let again = [
        "agent",
        "join",
        "--center",
        address,
        "--token",
        &token,
        "--data-dir",
        text(&other)?,
    ];
    rig.cli(&again)?.refused(1, "cronfleet agent token")?;

    let run = rig.path("run-second");
    let policy = rig.path("policy-second.toml");
    cronfleet_testkit::write_policy(&policy)?;
    let arguments = [
        "agent",
        "run",
        "--data-dir",
        text(&data)?,
        "--runtime-dir",
        text(&run)?,
        "--policy",
        text(&policy)?,
    ];
    let mut agent = Program::start(Path::new(CRONFLEET), &arguments, &rig.path("agent.log"))?;
    let pending = || -> Result<Option<String>> {
        let agents = rig.json(&["agent", "ls", "--state", "pending"])?;
        Ok(agents["items"][0]["id"].as_str().map(str::to_owned))
    };
    let id = eventually("it is pending", pending)?;
    rig.cli(&["agent", "edit", &id, "--name", "second"])?
        .done()?;
    assert!(
        rig.cli(&["agent", "approve", "second"])?
            .done()?
            .stdout
            .contains("approved second")
    );
    eventually("it is online", || {
        let agent = rig.json(&["agent", "show", "second"])?;
        Ok((agent["is_online"] == true && agent["state"] == "active").then_some(()))
    })?;
    let create = [
        "job",
        "create",
        "--name",
        "there",
        "--cron",
        "@yearly",
        "--agent",
        "second",
        "--directory",
        "/",
    ];
    rig.cli(&[&create[..], &["--", "/bin/true"]].concat())?
        .done()?;
    let ran = rig.cli(&["job", "run", "there", "--wait"])?.done()?;
    assert!(ran.stdout.contains("second"), "{ran:?}");
    rig.cli(&["agent", "revoke", "second"])?
        .refused(2, "--yes")?;
    rig.cli(&["agent", "revoke", "second", "--yes"])?.done()?;
    agent.stop()
}
