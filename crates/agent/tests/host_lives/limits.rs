//! Limits, as the command itself and the kernel see them. Where this machine has no controller for one, the start is refused
//! and says so; that is what is checked then.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use cronfleet_agent::host::{
    End, GroupLimits, LifeSpec, Limit, Resource, StartError, resolve_user,
};
use cronfleet_core::cgroup::Controller;
use cronfleet_core::limits::{IoClass, IoPriority};

use crate::rig::{Rig, Run, finish, nobody, python, said, sh};

const KILLED: End = End::Signalled {
    signal: 9,
    core_dumped: false,
};

/// Runs a command that needs a controller; without one checks the refusal instead.
async fn limited(rig: &Rig, controller: Controller, spec: &LifeSpec) -> Option<Run> {
    if rig.host.cgroup_support().controllers.contains(&controller) {
        return Some(rig.run(spec).await);
    }
    let error = rig.start(spec).await.unwrap_err();
    assert_eq!(error.code(), "limit_unsupported", "{error:?}");
    assert!(error.to_string().contains(controller.word()), "{error}");
    None
}

#[tokio::test]
async fn a_limit_that_nobody_can_enforce_refuses_the_start() {
    let [_, rig] = Rig::with_and_without_cgroups();
    let cases = [
        (
            Controller::Memory,
            GroupLimits {
                memory_max_bytes: Some(64 << 20),
                ..GroupLimits::default()
            },
        ),
        (
            Controller::Cpu,
            GroupLimits {
                cpu_max_millicores: Some(500),
                ..GroupLimits::default()
            },
        ),
        (
            Controller::Pids,
            GroupLimits {
                pids_max: Some(10),
                ..GroupLimits::default()
            },
        ),
    ];
    for (controller, limits) in cases {
        let mut spec = sh("touch stamp");
        spec.group_limits = limits;
        let error = rig.start(&spec).await.unwrap_err();
        let StartError::LimitUnsupported {
            controller: named, ..
        } = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!(*named, controller);
        let said = error.to_string();
        assert!(
            said.contains(controller.word()) && said.contains("turned off"),
            "{said}"
        );
    }
    assert!(!rig.path("stamp").exists());
    let survey = rig.restarted().host.survey().await.unwrap();
    assert!(
        survey.is_empty(),
        "nothing is left of what was refused: {survey:?}"
    );
}

#[tokio::test]
async fn memory_that_runs_out_is_told_apart_from_kill_9() {
    let rig = Rig::new();
    let mut hog = python("x = bytearray(400 << 20); print(len(x))");
    hog.user = nobody();
    hog.group_limits.memory_max_bytes = Some(32 << 20);
    let Some(run) = limited(&rig, Controller::Memory, &hog).await else {
        return;
    };
    assert_eq!((run.exit.end, run.text()), (KILLED, ""));
    assert!(run.exit.oom_kills >= 1, "{:?}", run.exit);
    // A shell that outlives its child and tells of it.
    let mut shell = sh("python3 -c 'x = bytearray(400 << 20)'; exit 7");
    shell.group_limits.memory_max_bytes = Some(32 << 20);
    let run = rig.run(&shell).await;
    assert_eq!(run.exit.end, End::Exited { code: 7 });
    assert!(run.exit.oom_kills >= 1);
    // A signal of somebody else, under the same limit.
    let mut killed = sh("kill -9 $$");
    killed.group_limits.memory_max_bytes = Some(32 << 20);
    let run = rig.run(&killed).await;
    assert_eq!((run.exit.end, run.exit.oom_kills), (KILLED, 0));
    // And one that fits.
    let mut modest = python("x = bytearray(4 << 20); print(len(x))");
    modest.group_limits.memory_max_bytes = Some(64 << 20);
    let run = rig.run(&modest).await;
    assert_eq!((run.text(), run.exit.oom_kills), ("4194304\n", 0));
}

#[tokio::test]
async fn a_fork_bomb_stays_within_its_number_of_processes_and_is_killed() {
    let rig = Rig::new();
    let mut bomb = python(
        "import os, time\n\
         print('lit', flush=True)\n\
         while True:\n\
         \x20   try:\n\
         \x20       os.fork()\n\
         \x20   except OSError:\n\
         \x20       os.write(1, b'full\\n')\n\
         \x20       time.sleep(0.01)\n",
    );
    bomb.group_limits.pids_max = Some(64);
    if !rig
        .host
        .cgroup_support()
        .controllers
        .contains(&Controller::Pids)
    {
        limited(&rig, Controller::Pids, &bomb).await;
        return;
    }
    let mut life = rig.start(&bomb).await.unwrap();
    said(&mut life, "full").await;
    let begun = Instant::now();
    life.control().kill_all().unwrap();
    let run = finish(&mut life).await;
    println!(
        "a fork bomb under a limit of 64 was killed in {:?}",
        begun.elapsed()
    );
    assert!(begun.elapsed() < Duration::from_secs(1));
    let found = run.exit.stragglers_found;
    assert!((1..=64).contains(&found), "{found} processes");
    assert_eq!(run.exit.stragglers_left, 0);
}

#[tokio::test]
async fn processor_time_is_dealt_out() {
    let rig = Rig::new();
    let mut busy = python(
        "import time\n\
         end = time.monotonic() + 1.0\n\
         while time.monotonic() < end: pass\n\
         print(time.process_time())\n",
    );
    busy.group_limits.cpu_max_millicores = Some(200);
    let Some(run) = limited(&rig, Controller::Cpu, &busy).await else {
        return;
    };
    let used: f64 = run.text().trim().parse().unwrap();
    assert!(
        used < 0.5,
        "{used} s of processor time in one second under a fifth of a processor"
    );
}

#[tokio::test]
async fn the_command_sees_its_own_limits() {
    let rig = Rig::new();
    let script = "grep -E '^Max (open files|core file size) ' /proc/self/limits | tr -s ' '\n\
        cut -d ' ' -f 19 /proc/self/stat\n\
        cat /proc/self/oom_score_adj\n\
        ionice -p $$\n\
        grep NoNewPrivs /proc/self/status";
    let mut spec = sh(script);
    spec.user = nobody();
    let both = |resource, value| Limit {
        resource,
        soft: Some(value),
        hard: Some(value),
    };
    spec.limits = vec![both(Resource::OpenFiles, 123), both(Resource::Core, 4_096)];
    spec.nice = 7;
    spec.io_priority = Some(IoPriority {
        class: IoClass::BestEffort,
        level: 6,
    });
    spec.oom_score_adj = Some(321);
    let run = rig.run(&spec).await;
    let expected = "Max core file size 4096 4096 bytes \n\
        Max open files 123 123 files \n\
        7\n321\nbest-effort: prio 6\nNoNewPrivs:\t1\n";
    assert_eq!(run.text(), expected);
    spec.io_priority = Some(IoPriority {
        class: IoClass::Idle,
        level: 0,
    });
    spec.oom_score_adj = None;
    spec.no_new_privs = false;
    let run = rig.run(&spec).await;
    let tail: Vec<&str> = run.text().lines().skip(3).collect();
    assert_eq!(tail, ["0", "idle", "NoNewPrivs:\t0"]);
}

#[tokio::test]
async fn the_shim_is_spared_and_its_command_is_not() {
    let rig = Rig::new();
    let mut life = rig.start(&sh("echo on; sleep 1000")).await.unwrap();
    said(&mut life, "on").await;
    let score = |pid: i32| {
        let text = fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap();
        text.trim().parse::<i32>().unwrap()
    };
    // Lowering one's score needs a right that not even root has everywhere.
    let mut lowering = Command::new("sh");
    lowering.args(["-c", "echo -900 > /proc/self/oom_score_adj"]);
    let may = lowering.output().unwrap().status.success();
    assert_eq!(score(life.started().shim.pid), if may { -900 } else { 0 });
    assert_eq!(score(life.pid()), 0);
    life.control().kill_all().unwrap();
    finish(&mut life).await;
}

#[tokio::test]
async fn the_shim_stays_out_of_the_groups_of_its_command() {
    let rig = Rig::new();
    let mut life = rig.start(&sh("echo on; sleep 1000")).await.unwrap();
    said(&mut life, "on").await;
    let groups = |pid: i32| fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let own = groups(i32::try_from(std::process::id()).unwrap());
    assert_eq!(groups(life.started().shim.pid), own);
    let is_grouped = !life.started().cgroups.is_empty();
    assert_eq!(groups(life.pid()) != own, is_grouped);
    life.control().kill_all().unwrap();
    finish(&mut life).await;
}

#[tokio::test]
async fn a_nice_value_that_is_refused_is_a_refused_limit() {
    let rig = Rig::new();
    let mut spec = sh("true");
    spec.user = resolve_user("nobody").unwrap();
    spec.oom_score_adj = Some(5_000);
    let error = rig.start(&spec).await.unwrap_err();
    assert_eq!(error.code(), "limit_unsupported");
    assert!(error.to_string().contains("out-of-memory score"), "{error}");
}
