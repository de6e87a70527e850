//! An agent that is not root runs commands as itself, and as nobody else.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use cronfleet_agent::host::{CgroupUse, End, Host, HostConfig, StartError};

use crate::rig::{Rig, finish, new_id, nobody, root, sh, shim};

const ROLE: &str = "CRONFLEET_TEST_UNPRIVILEGED";

#[tokio::test]
async fn an_agent_without_privileges_runs_as_itself() {
    let rig = Rig::new();
    let home = rig.path("agent");
    fs::create_dir(&home).unwrap();
    // The programs may lie where only root can go.
    for program in [std::env::current_exe().unwrap(), shim()] {
        fs::copy(&program, home.join(program.file_name().unwrap())).unwrap();
    }
    fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).unwrap();
    chown(&home, Some(65534), Some(65534)).unwrap();
    let exe = home.join(std::env::current_exe().unwrap().file_name().unwrap());
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--groups=65534,4"])
        .arg(exe)
        .args([
            "--ignored",
            "--exact",
            "unprivileged::agent_process",
            "--nocapture",
        ])
        .env(ROLE, &home)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(text.contains("1 passed"), "{text}");
}

/// Not a test of its own: an agent in a process without privileges.
#[tokio::test]
#[ignore = "run by another test as a process of its own"]
async fn agent_process() {
    let Some(home) = std::env::var_os(ROLE) else {
        return;
    };
    let home = Path::new(&home);
    let host = Host::open(HostConfig {
        runtime_dir: home.join("run"),
        spool_dir: home.join("spool"),
        shim: home.join("cronfleet-shim"),
        cgroups: CgroupUse::Own,
    })
    .unwrap();
    let mut spec = sh("id -u; id -g; id -G; echo out > /dev/stdout");
    spec.user = root();
    let refused = host.arm(new_id(), &spec).await.unwrap_err();
    assert!(matches!(refused, StartError::NotSelf { .. }), "{refused:?}");
    assert_eq!(refused.code(), "identity_failed");
    spec.user = nobody();
    let mut life = host.arm(new_id(), &spec).await.unwrap().go().await.unwrap();
    let run = finish(&mut life).await;
    assert_eq!(run.exit.end, End::Exited { code: 0 });
    let lines: Vec<&str> = run.text().lines().collect();
    assert_eq!(lines, ["65534", "65534", "65534 4", "out"]);
}
