//! A large tree of processes that do what they can to escape, with control groups and without.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use cronfleet_agent::host::{CgroupUse, End, KillMeans, LifeCommand, Stragglers};
use tokio::time::timeout;

use crate::rig::{PATIENCE, Rig, finish, is_alive, python, said, sh, until};

/// 200 processes, deaf to polite signals: plain children, new sessions, double forks, stopped ones, and one that traces
/// another. Each writes its number into a file.
const ESCAPEES: &str = "
import ctypes, os, signal, sys, time
for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(s, signal.SIG_IGN)
libc = ctypes.CDLL(None)
out = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def settle(is_stopped=False):
    os.write(out, b'%d\\n' % os.getpid())
    if is_stopped: os.kill(os.getpid(), signal.SIGSTOP)
    while True: time.sleep(1000)
for i in range(198):
    if os.fork() == 0:
        if i % 4 == 1: os.setsid()
        if i % 4 == 2:
            os.setsid()
            if os.fork() != 0: os._exit(0)
        settle(is_stopped=i % 4 == 3)
if os.fork() == 0:
    PTRACE_SEIZE = 0x4206
    victim = int(open(sys.argv[1]).readline())
    assert libc.ptrace(PTRACE_SEIZE, victim, 0, 0) == 0
    settle()
settle()
";

const PROCESSES: usize = 200;

fn numbers(path: &Path) -> Vec<i32> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

fn alive(list: &Path) -> usize {
    numbers(list).iter().filter(|pid| is_alive(**pid)).count()
}

#[tokio::test]
async fn two_hundred_escapees_are_gone_a_second_after_the_grace() {
    for rig in Rig::with_and_without_cgroups() {
        let list = rig.path("pids");
        let mut spec = python(ESCAPEES);
        if let LifeCommand::Argv(words) = &mut spec.command {
            words.push(list.clone().into());
        }
        let mut life = rig.start(&spec).await.unwrap();
        until("all are there", || numbers(&list).len() == PROCESSES).await;
        let control = life.control();
        control.stop().unwrap();
        let grace = Duration::from_millis(200);
        tokio::time::sleep(grace).await;
        assert!(alive(&list) >= PROCESSES - 1, "they ignore the stop signal");
        let begun = Instant::now();
        control.kill_all().unwrap();
        let run = finish(&mut life).await;
        let took = begun.elapsed();
        let means = expected_means(&rig);
        println!("{PROCESSES} processes killed in {took:?} by {means:?}");
        assert_eq!(alive(&list), 0);
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert_eq!(run.exit.kill_means, Some(means));
        assert_eq!(run.exit.stop_signal, Some(15));
        assert_eq!(run.exit.stragglers_found as usize, PROCESSES - 1);
        assert_eq!(run.exit.stragglers_left, 0);
    }
}

#[tokio::test]
async fn the_groups_of_a_life_are_gone_with_it() {
    let rig = Rig::new();
    let mut life = rig.start(&sh("echo on; sleep 1000")).await.unwrap();
    said(&mut life, "on").await;
    let groups = life.started().cgroups.clone();
    let groups: Vec<&Path> = groups.iter().map(|path| path_of(path)).collect();
    assert_eq!(groups.is_empty(), !has_groups(&rig));
    for group in &groups {
        let members = fs::read_to_string(group.join("cgroup.procs")).unwrap();
        assert!(members.lines().any(|pid| pid == life.pid().to_string()));
    }
    life.control().kill_all().unwrap();
    finish(&mut life).await;
    rig.host.forget(life.id()).await.unwrap();
    assert!(groups.iter().all(|group| !group.exists()), "{groups:?}");
}

#[tokio::test]
async fn a_group_with_somebody_left_in_it_is_removed_when_he_is_gone() {
    let rig = Rig::new();
    let mut spec = rig.leaving("exec sleep 1000", "exit 0");
    spec.stragglers = Stragglers::Leave;
    spec.drain = Duration::from_millis(50);
    let mut life = rig.start(&spec).await.unwrap();
    let groups = life.started().cgroups.clone();
    let run = finish(&mut life).await;
    assert_eq!(run.exit.end, End::Exited { code: 0 });
    assert_eq!(
        (run.exit.stragglers_found, run.exit.stragglers_left),
        (1, 1)
    );
    assert_eq!(run.exit.kill_means, None);
    let left: i32 = run.text().trim().parse().unwrap();
    rig.host.forget(life.id()).await.unwrap();
    assert!(is_alive(left));
    kill(left);
    until("it is gone", || !is_alive(left)).await;
    // The next life that is forgotten takes it along.
    let mut next = rig.start(&sh("true")).await.unwrap();
    finish(&mut next).await;
    rig.host.forget(next.id()).await.unwrap();
    assert!(groups.iter().all(|group| !path_of(group).exists()));
}

#[tokio::test]
async fn who_was_stopped_leaves_nobody_whatever_the_policy() {
    for rig in Rig::with_and_without_cgroups() {
        let mut spec = rig.leaving("exec sleep 1000", "echo on; sleep 1000");
        spec.stragglers = Stragglers::Leave;
        let mut life = rig.start(&spec).await.unwrap();
        said(&mut life, "on").await;
        life.control().stop().unwrap();
        let run = finish(&mut life).await;
        assert_eq!(run.exit.stragglers_left, 0);
        let escapee = run.text().lines().find_map(|line| line.parse().ok());
        assert!(!is_alive(escapee.unwrap()));
    }
}

/// Without a control group this is what nobody can do: the escapee has a session of its own and no parent.
#[tokio::test]
async fn an_escapee_of_a_dead_shim_is_found_by_its_group() {
    let rig = Rig::new();
    let mut life = rig
        .start(&sh(
            "setsid sh -c 'sh -c \"echo \\$\\$ escaped; exec sleep 1000\" &' & wait; echo on; sleep 1000",
        ))
        .await
        .unwrap();
    said(&mut life, "escaped").await;
    said(&mut life, "on").await;
    let text = String::from_utf8_lossy(&life.output().read(0, 1000).unwrap().bytes).into_owned();
    let escapee = text.lines().find_map(|line| {
        let line = line.strip_suffix(" escaped")?;
        let digits: String = line
            .chars()
            .rev()
            .take_while(char::is_ascii_digit)
            .collect();
        digits.chars().rev().collect::<String>().parse::<i32>().ok()
    });
    let escapee = escapee.unwrap();
    assert!(is_alive(escapee));
    let started = life.started().clone();
    kill(started.shim.pid);
    timeout(PATIENCE, life.wait()).await.unwrap().unwrap();
    assert_eq!(rig.host.kill_orphans(&started).await, 0);
    assert!(!is_alive(started.process.pid));
    if has_groups(&rig) {
        assert!(!is_alive(escapee), "it is in the group");
    } else {
        kill(escapee);
    }
}

#[tokio::test]
async fn what_a_dead_life_left_in_the_tree_is_tidied_away_by_the_next_agent() {
    let rig = Rig::new();
    let mut life = rig.start(&sh("true")).await.unwrap();
    let groups = life.started().cgroups.clone();
    finish(&mut life).await;
    // As if the agent had died between removing the folder and removing the groups.
    fs::remove_dir_all(rig.folder(life.id())).unwrap();
    drop(life);
    let rig = rig.restarted();
    assert!(rig.host.survey().await.unwrap().is_empty());
    assert!(groups.iter().all(|group| !path_of(group).exists()));
}

fn has_groups(rig: &Rig) -> bool {
    rig.host.cgroup_support().mode != cronfleet_core::cgroup::CgroupMode::None
}

fn expected_means(rig: &Rig) -> KillMeans {
    let support = rig.host.cgroup_support();
    if rig.host.config().cgroups == CgroupUse::Off {
        assert_eq!(support.kill_means.word(), "descent");
    }
    match support.kill_means.word() {
        "control_group" => KillMeans::ControlGroup,
        "freezer" => KillMeans::Freezer,
        _ => KillMeans::Descent,
    }
}

fn path_of(bytes: &[u8]) -> &Path {
    use std::os::unix::ffi::OsStrExt;
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}

fn kill(pid: i32) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL).unwrap();
}
