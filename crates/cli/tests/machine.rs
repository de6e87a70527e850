//! What needs no center: the policy of a machine, its agent's health, its units.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

fn cronfleet(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cronfleet"))
        .args(arguments)
        .env_remove("CRONFLEET_POLICY")
        .output()
        .expect("cronfleet runs")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path is UTF-8")
}

/// A policy file in a directory of its own.
fn policy(text: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("there is room");
    let path = dir
        .path()
        .canonicalize()
        .expect("it is there")
        .join("policy.toml");
    fs::write(&path, text).expect("it can be written");
    fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("it is mine");
    (dir, path)
}

#[test]
fn a_policy_explains_its_decision_rule_by_rule() {
    let (_dir, path) = policy("version = 1\n[run_as]\nmin_uid = 1\ndeny_groups = []\n");
    let check = |user: &str, more: &[&str]| {
        let mut arguments = vec![
            "agent",
            "policy",
            "check",
            "--policy",
            text(&path),
            "--user",
            user,
        ];
        arguments.extend(more);
        arguments.extend(["--", "/bin/echo", "hello"]);
        cronfleet(&arguments)
    };
    let denied = check("root", &[]);
    assert_eq!(denied.status.code(), Some(3), "{denied:?}");
    let said = String::from_utf8_lossy(&denied.stdout).into_owned();
    assert!(
        said.contains("run_as.deny_root      DENY  root has uid 0"),
        "{said}"
    );
    assert!(said.contains("exec.mode             ok    any"), "{said}");
    let allowed = check("nobody", &[]);
    assert_eq!(allowed.status.code(), Some(0), "{allowed:?}");
    let as_json = json(&check("root", &["--json"]));
    assert_eq!(as_json["is_allowed"], false);
    assert_eq!(as_json["rules"][0]["rule"], "run_as.deny_root");
    assert_eq!(as_json["rules"][0]["is_denied"], true);
    assert_eq!(check("no-such-user-here", &[]).status.code(), Some(2));
}

#[test]
fn a_machine_without_certificate_authorities_can_speak_plain_http() {
    let nowhere = tempfile::tempdir().expect("there is room");
    let asked = Command::new(env!("CARGO_BIN_EXE_cronfleet"))
        .args(["job", "ls", "--server", "http://127.0.0.1:1"])
        .env("SSL_CERT_FILE", nowhere.path().join("none.pem"))
        .env("SSL_CERT_DIR", nowhere.path())
        .env("HOME", nowhere.path())
        .output()
        .expect("cronfleet runs");
    assert_eq!(asked.status.code(), Some(6), "nobody answers: {asked:?}");
}

#[test]
fn a_bounded_policy_names_the_real_file() {
    let (_dir, path) = policy(
        "version = 1\n[run_as]\nmin_uid = 1\n[exec]\nmode = \"exact\"\nexact = [\"/bin/echo\"]\nscripts = false\n",
    );
    let check = |words: &[&str]| {
        let arguments = [
            "agent",
            "policy",
            "check",
            "--policy",
            text(&path),
            "--user",
            "nobody",
        ];
        cronfleet(&[&arguments[..], words].concat())
    };
    assert_eq!(
        check(&["--", "echo", "x"]).status.code(),
        Some(0),
        "found in PATH"
    );
    let other = check(&["--", "/bin/cat"]);
    assert_eq!(other.status.code(), Some(3));
    assert!(
        String::from_utf8_lossy(&other.stdout).contains("/cat is not one of ["),
        "{other:?}"
    );
    let script = check(&["--script", "--", "/bin/echo"]);
    assert_eq!(script.status.code(), Some(3));
    let steered = check(&["--env", "LD_PRELOAD=/x.so", "--", "/bin/echo"]);
    assert!(
        String::from_utf8_lossy(&steered.stderr).contains("environment.steering: LD_PRELOAD"),
        "{steered:?}"
    );
}

#[test]
fn what_is_shown_is_a_policy_file_that_says_the_same() {
    let (_dir, path) = policy("version = 1\n[caps]\nprocesses = 7\n");
    let shown = cronfleet(&["agent", "policy", "show", "--policy", text(&path)]);
    assert!(shown.status.success(), "{shown:?}");
    let (_other_dir, other) = policy(&String::from_utf8_lossy(&shown.stdout));
    let [first, second] = [&path, &other].map(|path| {
        json(&cronfleet(&[
            "agent",
            "policy",
            "show",
            "--json",
            "--policy",
            text(path),
        ]))["policy"]
            .clone()
    });
    assert_eq!(first, second);
    assert!(first.as_str().expect("a text").contains("processes = 7"));
}

#[test]
fn a_policy_that_others_could_change_is_no_policy() {
    let (_dir, path) = policy("version = 1\n");
    fs::set_permissions(&path, Permissions::from_mode(0o666)).expect("it is mine");
    let refused = cronfleet(&["agent", "policy", "show", "--policy", text(&path)]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains("is not safe") && said.contains("can be changed by group or others"),
        "{said}"
    );
}

#[test]
fn a_machine_without_an_agent_says_so() {
    let dir = tempfile::tempdir().expect("there is room");
    let (data, run) = (dir.path().join("data"), dir.path().join("run"));
    let places = ["--data-dir", text(&data), "--runtime-dir", text(&run)];
    let status = cronfleet(&[&["agent", "status"][..], &places].concat());
    assert_eq!(status.status.code(), Some(6), "{status:?}");
    let ledger = cronfleet(&["agent", "ledger", "--json", "--data-dir", text(&data)]);
    assert_eq!(json(&ledger), serde_json::json!([]), "{ledger:?}");
    let (_policy_dir, path) = policy("version = 1\n[run_as]\nallow = [\"no-such-user-here\"]\n");
    let doctor = cronfleet(
        &[
            &["agent", "doctor", "--json", "--policy", text(&path)][..],
            &places,
        ]
        .concat(),
    );
    assert_eq!(
        doctor.status.code(),
        Some(1),
        "it has not joined: {doctor:?}"
    );
    let findings = json(&doctor);
    let verdict = |check: &str| {
        let findings = findings.as_array().expect("a list");
        let found = findings.iter().find(|finding| finding["check"] == check);
        found.unwrap_or_else(|| panic!("{check}: {findings:?}"))["verdict"].clone()
    };
    assert_eq!(verdict("agent"), "warn");
    assert_eq!(verdict("identity"), "FAIL");
    assert_eq!(verdict("policy"), "ok");
    assert_eq!(verdict("users"), "warn");
    for check in [
        "shim", "rights", "cgroups", "limits", "disk", "inodes", "tmpfs",
    ] {
        verdict(check);
    }
    let said = findings.to_string();
    assert!(
        said.contains("an agent started from here would find"),
        "{said}"
    );
    assert!(!run.exists(), "an examination makes nothing");
}

/// The units as systemd reads them, where there is one to read them.
#[test]
fn the_units_are_understood_and_the_center_is_hardened() {
    if Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_err()
    {
        return;
    }
    let dir = tempfile::tempdir().expect("there is room");
    for name in ["cronfleet-agent.service", "cronfleet-center.service"] {
        let packaged = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../packaging/systemd")
            .join(name);
        let unit = fs::read_to_string(packaged).expect("the unit is there");
        assert!(unit.contains("ExecStart=/usr/local/bin/cronfleet "));
        let unit = unit.replace("/usr/local/bin/cronfleet", env!("CARGO_BIN_EXE_cronfleet"));
        let path = dir.path().join(name);
        fs::write(&path, unit).expect("it can be written");
        let analyze = |arguments: &[&str]| {
            let run = Command::new("systemd-analyze")
                .args(arguments)
                .arg(&path)
                .output();
            run.expect("systemd-analyze runs")
        };
        let verified = analyze(&["verify", "--man=no"]);
        let complaints = String::from_utf8_lossy(&verified.stderr);
        // Before version 254 systemd does not know this one, says so and goes on; the agent then does without limits.
        let is_wrong = complaints
            .lines()
            .any(|line| line.contains(name) && !line.contains("'DelegateSubgroup'"));
        assert!(
            verified.status.success() && !is_wrong,
            "{name}: {complaints}"
        );
        if name == "cronfleet-center.service" {
            // Tenths of the exposure that systemd reckons; an unhardened service has 96.
            let exposure = analyze(&["security", "--offline=true", "--threshold=20"]);
            assert!(
                exposure.status.success(),
                "{}",
                String::from_utf8_lossy(&exposure.stdout)
            );
        }
    }
}
