//! The death of agents and shims at every moment.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cronfleet_agent::host::{End, Ended, FoundState, Host, HostError, Life, StartError};
use nix::sys::signal::{SIGKILL, kill};
use nix::unistd::Pid;
use tokio::time::timeout;
use uuid::Uuid;

use crate::rig::{
    PATIENCE, Rig, TestDir, collect, config, finish, is_alive, new_id, python, said, sh, until,
};

async fn only_state(rig: &Rig) -> (Uuid, FoundState) {
    let mut found = timeout(PATIENCE, rig.host.survey()).await.unwrap().unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    let found = found.remove(0);
    (found.id, found.state)
}

fn alive(state: FoundState) -> Life {
    match state {
        FoundState::Alive(life) => *life,
        other => panic!("not alive but {other:?}"),
    }
}

fn kill_9(pid: i32) {
    kill(Pid::from_raw(pid), SIGKILL).unwrap();
}

#[tokio::test]
async fn an_id_is_used_once() {
    let rig = Rig::new();
    let id = new_id();
    let stamps = rig.path("stamps");
    let spec = sh(&format!("echo x >> {}", stamps.display()));
    let (first, second) = tokio::join!(rig.host.arm(id, &spec), rig.host.arm(id, &spec));
    let (armed, refused) = match (first, second) {
        (Ok(armed), Err(refused)) | (Err(refused), Ok(armed)) => (armed, refused),
        other => panic!("{other:?}"),
    };
    assert!(matches!(refused, StartError::AlreadyExists { id: named } if named == id));
    let mut life = armed.go().await.unwrap();
    finish(&mut life).await;
    let again = rig.host.arm(id, &spec).await;
    assert!(matches!(again, Err(StartError::AlreadyExists { .. })));
    rig.host.forget(id).await.unwrap();
    let again = rig.host.arm(id, &spec).await;
    assert!(
        matches!(again, Err(StartError::AlreadyExists { .. })),
        "its output is still there"
    );
    assert!(!rig.folder(id).exists());
    assert_eq!(fs::read_to_string(stamps).unwrap(), "x\n");
    rig.host.forget_output(id).unwrap();
    rig.host.forget_output(id).unwrap();
    rig.host.forget(id).await.unwrap();
}

#[tokio::test]
async fn an_abandoned_life_never_starts() {
    let rig = Rig::new();
    let spec = sh(&format!("touch {}", rig.path("stamp").display()));
    let (abandoned, dropped) = (new_id(), new_id());
    let armed = rig.host.arm(abandoned, &spec).await.unwrap();
    assert!(matches!(
        rig.host.forget(abandoned).await,
        Err(HostError::StillAlive { .. })
    ));
    armed.abandon().await;
    drop(rig.host.arm(dropped, &spec).await.unwrap());
    let found = rig.host.survey().await.unwrap();
    assert_eq!(found.len(), 2);
    for life in found {
        let FoundState::Ended { exit, started } = life.state else {
            panic!("{life:?}");
        };
        assert_eq!((exit.end, started), (End::NeverStarted, None));
        rig.host.forget(life.id).await.unwrap();
    }
    assert!(!rig.path("stamp").exists());
    assert!(rig.host.survey().await.unwrap().is_empty());
}

#[tokio::test]
async fn two_agents_cannot_share_a_directory() {
    let rig = Rig::new();
    let second = Host::open(config(rig.dir.path()));
    assert!(matches!(second, Err(HostError::InUse { .. })));
}

#[tokio::test]
async fn a_directory_that_others_may_change_is_refused() {
    use std::os::unix::fs::{PermissionsExt, chown};
    let rig = Rig::new();
    fs::create_dir(rig.path("theirs")).unwrap();
    chown(rig.path("theirs"), Some(65534), None).unwrap();
    let mut bad = config(rig.dir.path());
    bad.runtime_dir = rig.path("theirs");
    assert!(matches!(
        Host::open(bad.clone()),
        Err(HostError::Unsafe { .. })
    ));
    bad.runtime_dir = rig.path("theirs/ours");
    assert!(matches!(
        Host::open(bad.clone()),
        Err(HostError::Unsafe { .. })
    ));
    fs::create_dir(rig.path("open")).unwrap();
    fs::set_permissions(rig.path("open"), fs::Permissions::from_mode(0o777)).unwrap();
    bad.runtime_dir = rig.path("open/ours");
    assert!(matches!(
        Host::open(bad.clone()),
        Err(HostError::Unsafe { .. })
    ));
    bad.shim = rig.path("no-shim");
    bad.runtime_dir = rig.path("ours");
    assert!(matches!(Host::open(bad), Err(HostError::NoShim { .. })));
}

#[tokio::test]
async fn a_restarted_agent_finds_its_lives_with_status_and_output() {
    let rig = Rig::new();
    let go_on = rig.path("go-on");
    let wait = format!("while ! [ -e {} ]; do sleep 0.01; done", go_on.display());
    let mut life = rig
        .start(&sh(&format!("seq 1 1000; {wait}; seq 1001 2000; exit 42")))
        .await
        .unwrap();
    said(&mut life, "\n1000\n").await;
    let (id, started) = (life.id(), life.started().clone());
    drop(life);
    let rig = rig.restarted();
    let (found_id, state) = only_state(&rig).await;
    let mut adopted = alive(state);
    assert_eq!((found_id, adopted.id()), (id, id));
    assert_eq!(*adopted.started(), started, "the same process");
    fs::write(go_on, "").unwrap();
    said(&mut adopted, "\n2000\n").await;
    let run = finish(&mut adopted).await;
    let all: String = (1..=2000).map(|n| format!("{n}\n")).collect();
    assert_eq!(
        (run.text(), run.exit.end),
        (&all[..], End::Exited { code: 42 })
    );
    rig.host.forget(id).await.unwrap();
}

#[tokio::test]
async fn an_adopted_life_can_be_stopped_and_killed() {
    let rig = Rig::new();
    let life = rig
        .start(&sh(
            "trap 'echo deaf' TERM; echo ready; while :; do sleep 0.01; done",
        ))
        .await
        .unwrap();
    drop(life);
    let rig = rig.restarted();
    let mut life = alive(only_state(&rig).await.1);
    said(&mut life, "ready").await;
    life.control().stop().unwrap();
    said(&mut life, "deaf").await;
    life.control().kill_all().unwrap();
    assert!(finish(&mut life).await.exit.stop_requested);
    assert!(!is_alive(life.pid()));
}

#[tokio::test]
async fn what_ended_while_no_agent_was_there_is_known() {
    let rig = Rig::new();
    let life = rig.start(&sh("echo out; exit 9")).await.unwrap();
    let pid = life.pid();
    drop(life);
    let failed = new_id();
    let error = rig
        .host
        .arm(failed, &crate::rig::argv(&["/no/such"]))
        .await
        .unwrap();
    assert!(error.go().await.is_err());
    until("it is over", || !is_alive(pid)).await;
    let rig = rig.restarted();
    for found in rig.host.survey().await.unwrap() {
        let FoundState::Ended { exit, started } = found.state else {
            panic!("{found:?}");
        };
        if found.id == failed {
            let End::StartFailed(error) = exit.end else {
                panic!("{exit:?}");
            };
            assert_eq!(
                rig.host.start_error(failed, error).code(),
                "command_missing"
            );
        } else {
            assert_eq!(
                (exit.end, started.unwrap().process.pid),
                (End::Exited { code: 9 }, pid)
            );
            assert_eq!(collect(exit, &rig.host.output(found.id)).text(), "out\n");
        }
    }
}

#[tokio::test]
async fn a_vanished_shim_is_told_and_its_command_is_not_hurt() {
    let rig = Rig::new();
    let stamp = rig.path("stamp");
    let mut life = rig
        .start(&python(&format!(
            "import time, os\n\
             parent = os.getppid()\n\
             print('ready', flush=True)\n\
             while os.getppid() == parent: time.sleep(0.01)\n\
             for i in range(300): print('line', i, flush=True)\n\
             open('{}', 'w').close()\n\
             if os.fork() == 0: os.setsid()\n\
             while True: time.sleep(1)\n",
            stamp.display()
        )))
        .await
        .unwrap();
    said(&mut life, "ready").await;
    kill_9(life.started().shim.pid);
    let ended = timeout(PATIENCE, life.wait()).await.unwrap().unwrap();
    assert!(matches!(ended, Ended::Vanished));
    rig.file("stamp").await;
    assert!(is_alive(life.pid()), "no broken pipe");
    let (pid, started) = (life.pid(), life.started().clone());
    drop(life);
    let rig = rig.restarted();
    let FoundState::Vanished { started: found } = only_state(&rig).await.1 else {
        panic!("not vanished");
    };
    assert_eq!(found, started);
    assert_eq!(rig.host.kill_orphans(&found).await, 0);
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn a_shim_that_dies_before_the_start_starts_nothing() {
    let rig = Rig::new();
    let spec = sh(&format!("touch {}", rig.path("stamp").display()));
    let mut armed = rig.host.arm(new_id(), &spec).await.unwrap();
    kill_9(armed.shim_pid());
    let lost = timeout(PATIENCE, armed.lost()).await.unwrap();
    assert!(matches!(lost, StartError::ShimVanished { started: None }));
    assert!(matches!(
        armed.go().await,
        Err(StartError::ShimVanished { started: None })
    ));
    assert!(matches!(only_state(&rig).await.1, FoundState::NeverStarted));
    assert!(!rig.path("stamp").exists());
}

#[tokio::test]
async fn a_reboot_and_damage_are_told_apart() {
    let rig = Rig::new();
    let mut life = rig.start(&sh("true")).await.unwrap();
    finish(&mut life).await;
    let folder = rig.folder(life.id());
    fs::remove_file(folder.join("exit")).unwrap();
    assert!(matches!(
        only_state(&rig).await.1,
        FoundState::Vanished { .. }
    ));
    let started = fs::read_to_string(folder.join("started")).unwrap();
    let boot_id = cronfleet_agent::host::boot_id().unwrap();
    let other = started.replace(&boot_id, &"0".repeat(boot_id.len()));
    fs::write(folder.join("started"), other).unwrap();
    assert!(matches!(
        only_state(&rig).await.1,
        FoundState::Rebooted { .. }
    ));
    fs::write(folder.join("started"), "cronfleet.started 1\nend 0\n\n").unwrap();
    assert!(matches!(
        only_state(&rig).await.1,
        FoundState::Unreadable { .. }
    ));
}

#[tokio::test]
async fn records_of_a_newer_version_stop_the_agent_and_hurt_nobody() {
    let rig = Rig::new();
    let life = rig.start(&sh("exec sleep 600")).await.unwrap();
    let started = rig.folder(life.id()).join("started");
    let written = fs::read_to_string(&started).unwrap();
    let newer = written.replacen("cronfleet.started 1", "cronfleet.started 2", 1);
    fs::write(&started, newer).unwrap();
    let refused = timeout(PATIENCE, rig.host.survey()).await.unwrap();
    assert!(
        matches!(&refused, Err(HostError::NewerRecords { path, found: 2 }) if *path == rig.folder(life.id())),
        "{refused:?}"
    );
    assert!(is_alive(life.pid()));
    // The newer agent that wrote it finds everything as it was.
    fs::write(&started, written).unwrap();
    let found = alive(only_state(&rig).await.1);
    assert_eq!(found.pid(), life.pid());
    found.control().kill_all().unwrap();
}

#[tokio::test]
async fn a_living_life_whose_records_are_damaged_is_ended_before_it_is_given_up() {
    for is_shim_known in [true, false] {
        let rig = Rig::new();
        let life = rig
            .start(&sh("setsid sleep 600 & exec sleep 600"))
            .await
            .unwrap();
        let folder = rig.folder(life.id());
        let command = life.pid();
        fs::write(folder.join("started"), "rubbish").unwrap();
        if !is_shim_known {
            fs::write(folder.join("lock"), "rubbish").unwrap();
        }
        assert!(matches!(
            only_state(&rig).await.1,
            FoundState::Unreadable { .. }
        ));
        assert!(!is_alive(command));
        drop(life);
    }
}

#[tokio::test]
async fn many_lives_at_once() {
    const LIVES: usize = 300;
    let rig = Rig::new();
    let spec = sh("echo ok");
    let mut arming = tokio::task::JoinSet::new();
    for _ in 0..LIVES {
        let (host, spec) = (rig.host.clone(), spec.clone());
        arming.spawn(async move { host.arm(new_id(), &spec).await.unwrap() });
    }
    let armed = timeout(Duration::from_secs(120), arming.join_all())
        .await
        .unwrap();
    let mut running = tokio::task::JoinSet::new();
    for armed in armed {
        running.spawn(async move {
            let mut life = armed.go().await.unwrap();
            (life.started().shim.pid, finish(&mut life).await)
        });
    }
    for (shim, run) in running.join_all().await {
        assert_eq!(
            (run.text(), run.exit.end),
            ("ok\n", End::Exited { code: 0 })
        );
        let is_reaped = !Path::new(&format!("/proc/{shim}")).exists();
        assert!(is_reaped, "no shim waits to be reaped");
    }
}

/// Tells [`agent_process`] what to do, when it is run as a process of its own.
const ROLE: &str = "CRONFLEET_TEST_AGENT";

/// Not a test of its own: an agent in a process of its own, to be killed.
#[tokio::test]
#[ignore = "run by other tests as a process of its own"]
async fn agent_process() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let (verb, dir) = role.split_once(' ').unwrap();
    let host = Host::open(config(Path::new(dir))).unwrap();
    let stamp = format!("{dir}/stamp");
    let spec = sh(&format!(
        "echo x >> {stamp}; echo said; while ! [ -e {dir}/go-on ]; do sleep 0.01; done; exit 11"
    ));
    let armed = host.arm(Uuid::from_u128(1), &spec).await;
    if verb == "arm" {
        eprintln!("armed");
        std::future::pending::<()>().await;
    }
    let life = armed.unwrap().go().await.unwrap();
    eprintln!("started");
    std::future::pending::<()>().await;
    drop(life);
}

fn agent(verb: &str, dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "survival::agent_process",
            "--nocapture",
        ])
        .env(ROLE, format!("{verb} {}", dir.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn heard(child: &mut Child, word: &str) {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(
        lines.any(|line| line.unwrap() == word),
        "the agent never said {word:?}"
    );
}

#[tokio::test]
async fn an_agent_killed_before_the_word_starts_nothing() {
    let dir = TestDir::new();
    let mut agent = agent("arm", dir.path());
    heard(&mut agent, "armed");
    agent.kill().unwrap();
    agent.wait().unwrap();
    let rig = Rig::over(dir);
    let FoundState::Ended { exit, started } = only_state(&rig).await.1 else {
        panic!("not ended");
    };
    assert_eq!((exit.end, started), (End::NeverStarted, None));
    assert!(!rig.path("stamp").exists());
}

#[tokio::test]
async fn an_agent_killed_while_a_life_runs_loses_nothing() {
    let dir = TestDir::new();
    let mut agent = agent("go", dir.path());
    heard(&mut agent, "started");
    agent.kill().unwrap();
    agent.wait().unwrap();
    let rig = Rig::over(dir);
    let mut life = alive(only_state(&rig).await.1);
    fs::write(rig.path("go-on"), "").unwrap();
    let run = finish(&mut life).await;
    assert_eq!(
        (run.text(), run.exit.end),
        ("said\n", End::Exited { code: 11 })
    );
    assert_eq!(fs::read_to_string(rig.path("stamp")).unwrap(), "x\n");
}

/// Kills the agent at many moments of a launch and compares what the survey says with what really ran.
#[tokio::test]
async fn an_agent_killed_at_any_moment_leaves_the_truth() {
    let mut seen = std::collections::BTreeMap::new();
    for round in 0..40_u32 {
        let dir = TestDir::new();
        let mut agent = agent("go", dir.path());
        let folder = dir.path().join("run").join(Uuid::from_u128(1).to_string());
        until("the launch has begun", || folder.exists()).await;
        // The moment is the point of the test, so here a pause is not a wait for an effect.
        std::thread::sleep(Duration::from_micros(u64::from(round) * 300));
        agent.kill().unwrap();
        agent.wait().unwrap();
        let rig = Rig::over(dir);
        let (id, state) = only_state(&rig).await;
        let ran = match state {
            FoundState::NeverStarted => {
                *seen.entry("never started").or_insert(0) += 1;
                false
            }
            FoundState::Ended { exit, started } => {
                assert_eq!((exit.end, started), (End::NeverStarted, None));
                *seen.entry("given up").or_insert(0) += 1;
                false
            }
            FoundState::Alive(mut life) => {
                fs::write(rig.path("go-on"), "").unwrap();
                assert_eq!(finish(&mut life).await.exit.end, End::Exited { code: 11 });
                *seen.entry("alive").or_insert(0) += 1;
                true
            }
            other => panic!("round {round}: {other:?}"),
        };
        assert_eq!(rig.path("stamp").exists(), ran, "round {round}");
        rig.host.forget(id).await.unwrap();
    }
    println!("{seen:?}");
}
