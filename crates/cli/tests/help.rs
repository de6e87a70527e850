//! Help texts and errors that need no center: what a person reads first.

use std::process::{Command, Output};

fn cronfleet(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cronfleet"))
        .args(arguments)
        .env_clear()
        .env("COLUMNS", "100")
        .env("HOME", "/nonexistent")
        .output()
        .expect("cronfleet runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn help_of_every_noun() {
    let mut help = String::new();
    for noun in [
        "",
        "job",
        "run",
        "slot",
        "agent",
        "agent policy",
        "group",
        "group member",
        "user",
        "window",
        "calendar",
        "schedule",
        "export",
        "diff",
        "apply",
        "forecast",
    ] {
        let mut arguments: Vec<&str> = noun.split_whitespace().collect();
        arguments.push("-h");
        let output = cronfleet(&arguments);
        assert!(output.status.success(), "{noun}");
        help.push_str(&format!(
            "$ cronfleet {}\n{}\n",
            arguments.join(" "),
            text(&output.stdout)
        ));
    }
    insta::assert_snapshot!(help);
}

#[test]
fn help_of_servers() {
    let mut help = String::new();
    for server in [
        ["up", "-h"].as_slice(),
        &["center", "-h"],
        &["agent", "run", "-h"],
        &["agent", "join", "-h"],
    ] {
        let output = cronfleet(server);
        assert!(output.status.success(), "{server:?}");
        help.push_str(&format!(
            "$ cronfleet {}\n{}\n",
            server.join(" "),
            text(&output.stdout)
        ));
    }
    insta::assert_snapshot!(help);
}

#[test]
fn help_of_job_create() {
    insta::assert_snapshot!(text(&cronfleet(&["job", "create", "-h"]).stdout));
}

/// Arguments, exit status, and a piece of what standard error says.
#[test]
fn mistakes_without_a_center_have_their_exit_status() {
    let cases: [(&[&str], i32, &str); 9] = [
        (&[], 2, "Usage: cronfleet"),
        (&["jobs"], 2, "similar"),
        (
            &["job", "ls", "--server", "http://127.0.0.1:1"],
            6,
            "Connection refused",
        ),
        (
            &["job", "ls", "--server", "http://192.0.2.1:8780"],
            2,
            "--insecure-http",
        ),
        (
            &["job", "ls", "--server", "ftp://127.0.0.1"],
            2,
            "is not the address of a center",
        ),
        (
            &["login", "--server", "http://127.0.0.1:1"],
            2,
            "--password-stdin",
        ),
        (
            &["job", "create", "--cron", "@daily", "--daemon"],
            2,
            "cannot be used with",
        ),
        (&["job", "create", "--timeout", "30"], 2, "write 30s"),
        (
            &[
                "agent",
                "join",
                "--center",
                "127.0.0.1:1",
                "--token",
                "cfj_x",
            ],
            2,
            "not a join token",
        ),
    ];
    for (arguments, status, piece) in cases {
        let output = cronfleet(arguments);
        let stderr = text(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(status),
            "{arguments:?}: {stderr}"
        );
        assert!(stderr.contains(piece), "{arguments:?}: {stderr}");
    }
}

#[test]
fn an_agent_that_has_not_joined_says_how_to() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let path = directory.path().to_str().expect("UTF-8");
    let shim = env!("CARGO_BIN_EXE_cronfleet");
    let output = cronfleet(&["agent", "run", "--data-dir", path, "--shim", shim]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("cronfleet agent token"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn errors_are_also_json_for_programs() {
    let output = cronfleet(&["job", "ls", "--json", "--server", "http://127.0.0.1:1"]);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["error"]["code"], "server.unreachable");
}

#[test]
fn completions_exist_for_common_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let output = cronfleet(&["completions", shell]);
        assert!(output.status.success());
        assert!(text(&output.stdout).contains("schedule"), "{shell}");
    }
}
