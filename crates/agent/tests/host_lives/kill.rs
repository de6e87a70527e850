//! Stopping and killing: everything, whatever it does to escape.

use std::fs;
use std::time::{Duration, Instant};

use cronfleet_agent::host::{Change, End, Stragglers};
use tokio::time::timeout;

use crate::rig::{PATIENCE, Rig, finish, is_alive, new_id, python, said, sh, until};

/// A tree of 60 processes: plain children, new sessions and double forks in turn, all deaf to polite signals, all
/// writing their number into a file.
const DEAF_TREE: &str = "
import os, signal, sys, time
for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(s, signal.SIG_IGN)
def settle():
    os.write(out, b'%d\\n' % os.getpid())
    while True: time.sleep(1000)
out = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
for i in range(59):
    if os.fork() == 0:
        if i % 3 == 1: os.setsid()
        if i % 3 == 2:
            os.setsid()
            if os.fork() != 0: os._exit(0)
        settle()
settle()
";

fn numbers(path: &std::path::Path) -> Vec<i32> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

#[tokio::test]
async fn a_polite_command_stops() {
    let rig = Rig::new();
    let mut life = rig
        .start(&sh(
            "trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.01; done",
        ))
        .await
        .unwrap();
    said(&mut life, "ready").await;
    life.control().stop().unwrap();
    let run = finish(&mut life).await;
    assert_eq!(
        (run.text(), run.exit.end),
        ("ready\nbye\n", End::Exited { code: 5 })
    );
    assert!(run.exit.stop_requested && !run.exit.kill_requested);
}

#[tokio::test]
async fn the_stop_signal_is_the_one_of_the_spec_and_reaches_the_group() {
    let rig = Rig::new();
    let mut spec = python(
        "import os, signal, time\n\
         child = os.fork()\n\
         name = 'child' if child == 0 else 'parent'\n\
         def stop(number, frame):\n\
         \x20   os.write(1, f'{name} {number}\\n'.encode())\n\
         \x20   if child: os.waitpid(child, 0)\n\
         \x20   os._exit(0)\n\
         signal.signal(signal.SIGQUIT, stop)\n\
         print('ready', name, flush=True)\n\
         while True: time.sleep(1)\n",
    );
    spec.stop_signal = 3;
    let mut life = rig.start(&spec).await.unwrap();
    said(&mut life, "ready child").await;
    said(&mut life, "ready parent").await;
    life.control().stop().unwrap();
    let run = finish(&mut life).await;
    assert!(
        run.text().contains("child 3\n") && run.text().contains("parent 3\n"),
        "{}",
        run.text()
    );
}

#[tokio::test]
async fn a_stopped_process_hears_the_stop() {
    let rig = Rig::new();
    let mut life = rig
        .start(&sh("echo ready; kill -STOP $$; sleep 100"))
        .await
        .unwrap();
    said(&mut life, "ready").await;
    let stat = format!("/proc/{}/stat", life.pid());
    until("it is stopped", || {
        fs::read_to_string(&stat).unwrap().contains(") T ")
    })
    .await;
    life.control().stop().unwrap();
    let expected = End::Signalled {
        signal: 15,
        core_dumped: false,
    };
    assert_eq!(finish(&mut life).await.exit.end, expected);
}

#[tokio::test]
async fn a_deaf_tree_is_killed_to_the_last_process() {
    let rig = Rig::new();
    let list = rig.path("pids");
    let mut spec = python(DEAF_TREE);
    if let cronfleet_agent::host::LifeCommand::Argv(words) = &mut spec.command {
        words.push(list.clone().into());
    }
    let mut life = rig.start(&spec).await.unwrap();
    until("all 60 are there", || numbers(&list).len() == 60).await;
    let control = life.control();
    control.stop().unwrap();
    until("the stop was heard", || {
        let status =
            fs::read_to_string(format!("/proc/{}/status", life.started().shim.pid)).unwrap();
        status.contains("ShdPnd:\t0000000000000000")
    })
    .await;
    assert!(
        numbers(&list).iter().all(|pid| is_alive(*pid)),
        "they ignore the stop signal"
    );
    let begun = Instant::now();
    control.kill_all().unwrap();
    let run = finish(&mut life).await;
    println!("60 processes killed in {:?}", begun.elapsed());
    assert_eq!(
        numbers(&list).iter().filter(|pid| is_alive(**pid)).count(),
        0
    );
    assert!(run.exit.stop_requested && run.exit.kill_requested);
    assert_eq!(
        (run.exit.stragglers_killed, run.exit.stragglers_left),
        (59, 0)
    );
    let expected = End::Signalled {
        signal: 9,
        core_dumped: false,
    };
    assert_eq!(run.exit.end, expected);
}

#[tokio::test]
async fn a_process_that_outlives_its_command_is_killed_and_does_not_hold_it_up() {
    let rig = Rig::new();
    let begun = Instant::now();
    let run = rig.run(&rig.leaving("exec sleep 1000", "exit 6")).await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(run.exit.end, End::Exited { code: 6 });
    assert_eq!(
        (run.exit.stragglers_killed, run.exit.stragglers_left),
        (1, 0)
    );
    assert!(!is_alive(run.text().trim().parse().unwrap()));
    assert!(
        run.exit.duration_us < 450_000,
        "the wait is not the command's: {:?}",
        run.exit
    );
}

#[tokio::test]
async fn a_process_that_may_stay_stays_and_can_go_on_writing() {
    let rig = Rig::new();
    let stamp = rig.path("stamp");
    let escapee = format!(
        "sleep 0.8; head -c 1000000 /dev/zero; echo done > {}; exec sleep 1000",
        stamp.display()
    );
    let mut spec = rig.leaving(&escapee, "exit 6");
    spec.stragglers = Stragglers::Leave;
    spec.drain = Duration::from_millis(100);
    let mut life = rig.start(&spec).await.unwrap();
    let run = finish(&mut life).await;
    assert_eq!(run.exit.end, End::Exited { code: 6 });
    assert_eq!(run.exit.stragglers_killed, 0);
    assert!(run.exit.stragglers_left >= 1);
    let pid: i32 = run.text().trim().parse().unwrap();
    assert!(is_alive(pid));
    rig.host.forget(life.id()).await.unwrap();
    rig.file("stamp").await;
    assert!(
        is_alive(pid),
        "more output than a FIFO holds, and nobody reads it"
    );
    kill(pid);
    until("it is gone", || !is_alive(pid)).await;
}

#[tokio::test]
async fn killing_a_prepared_life_means_that_it_never_starts() {
    let rig = Rig::new();
    let mut armed = rig.host.arm(new_id(), &sh("touch stamp")).await.unwrap();
    kill(prepared_child(armed.shim_pid()));
    let error = timeout(PATIENCE, armed.lost()).await.unwrap();
    assert_eq!(error.code(), "spawn_failed");
    assert!(armed.go().await.is_err());
}

#[tokio::test]
async fn orphans_are_reaped_while_the_command_runs() {
    let rig = Rig::new();
    let mut life = rig
        .start(&python(
            "import os, time\n\
             for i in range(300):\n\
             \x20   if os.fork() == 0:\n\
             \x20       if os.fork() == 0: os._exit(0)\n\
             \x20       os._exit(0)\n\
             \x20   os.wait()\n\
             print('forked', flush=True)\n\
             while True: time.sleep(1)\n",
        ))
        .await
        .unwrap();
    said(&mut life, "forked").await;
    let shim = life.started().shim.pid;
    let children = format!("/proc/{shim}/task/{shim}/children");
    until("only the command is left", || {
        fs::read_to_string(&children)
            .unwrap()
            .split_whitespace()
            .count()
            == 1
    })
    .await;
    life.control().kill_all().unwrap();
    loop {
        if let Change::Ended(_) = timeout(PATIENCE, life.changed()).await.unwrap().unwrap() {
            break;
        }
    }
    assert!(
        life.control().stop().is_ok(),
        "signals after the end are harmless"
    );
}

/// The child that a shim holds ready.
fn prepared_child(shim: i32) -> i32 {
    let children = fs::read_to_string(format!("/proc/{shim}/task/{shim}/children")).unwrap();
    children.trim().parse().unwrap()
}

fn kill(pid: i32) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL).unwrap();
}
