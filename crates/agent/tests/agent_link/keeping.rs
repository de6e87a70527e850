//! Daemons that are asked how they are, grow old or large, and are replaced a few at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cronfleet_core::job::{ADDRESS_DEFAULT, Check, Endpoint, Health, Probe, Readiness, Recycle};
use cronfleet_core::order::{DaemonOrder, NextStep, SlotReport, SlotState, StopCause};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::center::State;
use crate::rig::{Rig, daemon, is_alive};

const WORKER: &str = "trap 'exit 0' TERM; while :; do sleep 0.05; done";

fn probe(check: Check) -> Probe {
    Probe {
        check,
        initial_delay: Duration::ZERO,
        period: Duration::from_millis(100),
        timeout: Duration::from_secs(2),
    }
}

/// Exit status 0 while there is a file.
fn exists(path: &Path) -> Check {
    Check::Command(vec![
        "/usr/bin/test".into(),
        "-e".into(),
        path.to_str().unwrap().into(),
    ])
}

fn endpoint(port: u16) -> Endpoint {
    Endpoint {
        address: ADDRESS_DEFAULT,
        port,
        adds_slot: false,
    }
}

fn slots(state: &State, order: &DaemonOrder) -> Vec<SlotReport> {
    let slots = state.slots.range((order.job, 0)..=(order.job, u32::MAX));
    slots.map(|(_, slot)| slot.clone()).collect()
}

/// Pids by slot, once all run and none is to be replaced.
fn settled(state: &State, order: &DaemonOrder) -> Option<BTreeMap<u32, i32>> {
    let slots = slots(state, order);
    let is_settled = slots.len() == order.processes as usize
        && slots.iter().all(|slot| {
            slot.state == SlotState::Running
                && slot.job_version == order.job_version
                && slot.next.is_none_or(|next| next.step == NextStep::Recycle)
        });
    is_settled.then(|| {
        slots
            .iter()
            .map(|slot| (slot.index, slot.start.unwrap().pid))
            .collect()
    })
}

async fn want(rig: &Rig, order: &DaemonOrder) -> BTreeMap<u32, i32> {
    rig.center.want(std::slice::from_ref(order)).await;
    rig.center
        .wait("all slots to run", |state| settled(state, order))
        .await
}

/// Why processes were stopped.
fn causes(state: &State) -> BTreeSet<Option<&'static str>> {
    let ends = state.processes.values().filter_map(|p| p.end.as_ref());
    ends.map(|end| match end.stopped_for {
        Some(StopCause::Unhealthy) => Some("unhealthy"),
        Some(StopCause::NotReady) => Some("not ready"),
        Some(StopCause::Recycled) => Some("recycled"),
        Some(StopCause::Replaced) => Some("replaced"),
        Some(_) => Some("another"),
        None => None,
    })
    .collect()
}

async fn stopped_for(rig: &Rig, cause: &'static str) {
    rig.center
        .wait(cause, |state| {
            causes(state).contains(&Some(cause)).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_process_is_ready_when_its_command_says_so_and_stopped_when_it_never_does() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    let flag = rig.path("ready");
    let mut order = daemon(WORKER, 1);
    order.policy.readiness = Some(Readiness {
        probe: probe(exists(&flag)),
        successes: 2,
        start_timeout: Duration::from_millis(800),
    });
    rig.center.want(std::slice::from_ref(&order)).await;
    stopped_for(&rig, "not ready").await;
    let never = |state: &State| {
        let slot = slots(state, &order).pop()?;
        let probe = slot.probe.as_ref()?;
        assert_ne!(slot.state, SlotState::Running);
        (probe.detail == "exit 1").then_some(())
    };
    rig.center.wait("what was wrong", never).await;
    fs::write(&flag, "").unwrap();
    rig.center
        .wait("a ready process", |state| settled(state, &order))
        .await;
    agent.stop().await;
}

#[tokio::test]
async fn a_command_sees_the_slot_and_the_user_and_one_that_hangs_is_killed() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    let seen = rig.path("seen");
    let script = format!(
        "echo \"$CRONFLEET_SLOT $CRONFLEET_SLOTS $(kill -0 \"$CRONFLEET_PID\" && echo alive) $USER\" >> {}; sleep 321",
        seen.display()
    );
    let mut order = daemon(WORKER, 1);
    let mut hanging = probe(Check::Command(vec!["/bin/sh".into(), "-c".into(), script]));
    hanging.timeout = Duration::from_millis(300);
    order.policy.health = Some(Health {
        probe: hanging,
        failures: 1,
        successes: 1,
    });
    rig.center.want(std::slice::from_ref(&order)).await;
    stopped_for(&rig, "unhealthy").await;
    let line = format!("0 1 alive {}", order.launch.run_as);
    assert!(rig.lines("seen").contains(&line), "{:?}", rig.lines("seen"));
    order.policy.health = None;
    order.job_version = 2;
    want(&rig, &order).await;
    crate::rig::until("no probe is left", || !is_any_running("sleep\u{0}321")).await;
    agent.stop().await;
}

fn is_any_running(command: &str) -> bool {
    fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        fs::read(entry.path().join("cmdline"))
            .is_ok_and(|found| found.starts_with(command.as_bytes()))
    })
}

/// Answers every connection, well or badly.
async fn server(is_well: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 512];
            let _ = stream.read(&mut request).await;
            let status = if is_well.load(Ordering::Relaxed) {
                "200 OK"
            } else {
                "503 Service Unavailable"
            };
            let _ = stream
                .write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes())
                .await;
        }
    });
    port
}

#[tokio::test]
async fn an_unhealthy_process_is_replaced_whatever_asked_it() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    let is_well = Arc::new(AtomicBool::new(true));
    let flag = rig.path("well");
    let http = Check::Http {
        endpoint: endpoint(server(Arc::clone(&is_well)).await),
        path: "/healthz".into(),
        status: None,
    };
    let accepting = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = accepting.local_addr().unwrap().port();
    let mut accepting = Some(accepting);
    let cases = [
        (exists(&flag), "exit 1"),
        (Check::Tcp(endpoint(port)), "refused"),
        (http, "status 503"),
    ];
    for (version, (check, wrong)) in (1..).zip(cases) {
        fs::write(&flag, "").unwrap();
        let mut order = daemon(WORKER, 1);
        order.job_version = version;
        order.policy.health = Some(Health {
            probe: probe(check),
            failures: 2,
            successes: 1,
        });
        let before = want(&rig, &order).await;
        let ok = |state: &State| slots(state, &order).pop()?.probe?.is_ok.then_some(());
        rig.center.wait("a good answer", ok).await;
        rig.center.state().processes.clear();
        // It is ill now, in every way.
        fs::remove_file(&flag).unwrap();
        is_well.store(false, Ordering::Relaxed);
        drop(accepting.take_if(|_| wrong == "refused"));
        let says = |state: &State| {
            let detail = slots(state, &order).pop()?.probe?.detail;
            detail.contains(wrong).then_some(())
        };
        rig.center.wait(wrong, says).await;
        stopped_for(&rig, "unhealthy").await;
        assert!(!is_alive(before[&0]));
        is_well.store(true, Ordering::Relaxed);
    }
    agent.stop().await;
}

#[tokio::test]
async fn a_process_that_has_grown_too_large_is_recycled() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    // The first holds 40 MB in a grandchild; those after it are small.
    let script = format!(
        "if mkdir {}; then (head -c 40000000 /dev/zero; sleep 600) | tail; else exec sleep 600; fi",
        rig.path("first").display()
    );
    let mut order = daemon(&script, 1);
    order.policy.recycle = Recycle {
        max_age: None,
        max_memory_bytes: Some(20 << 20),
    };
    let before = want(&rig, &order).await;
    stopped_for(&rig, "recycled").await;
    let other = |state: &State| settled(state, &order).filter(|after| *after != before);
    let after = rig.center.wait("a fresh process", other).await;
    assert!(is_alive(after[&0]));
    agent.stop().await;
}

#[tokio::test]
async fn old_processes_are_recycled_and_the_others_serve_meanwhile() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    let mut order = daemon(WORKER, 3);
    order.policy.recycle = Recycle {
        max_age: Some(Duration::from_secs(3)),
        max_memory_bytes: None,
    };
    let before = want(&rig, &order).await;
    let recycled = |state: &State| {
        let slots = slots(state, &order);
        let ready = slots.iter().filter(|slot| slot.state == SlotState::Running);
        assert!(ready.count() >= 2, "{slots:#?}");
        let fresh = slots
            .iter()
            .filter_map(|slot| Some((slot.index, slot.start?.pid)))
            .filter(|(index, pid)| before[index] != *pid);
        (fresh.count() == 3).then_some(())
    };
    rig.center.wait("three fresh processes", recycled).await;
    assert_eq!(causes(&rig.center.state()), [Some("recycled")].into());
    agent.stop().await;
}

/// Leaves a mark while it lives, and another if somebody else's is there.
fn marking(rig: &Rig, version: u32) -> String {
    let mark = rig.path("slot").display().to_string();
    let doubles = rig.path("doubles").display().to_string();
    format!(
        "mkdir {mark}.$CRONFLEET_SLOT || echo {version}.$CRONFLEET_SLOT >> {doubles}\n\
         trap 'rmdir {mark}.$CRONFLEET_SLOT; exit 0' TERM\n\
         while :; do sleep 0.05; done"
    )
}

#[tokio::test]
async fn a_change_rolls_over_the_slots_also_while_the_agent_dies_again_and_again() {
    let rig = Rig::new().await;
    let mut agent = rig.child();
    let flag = rig.path("ready");
    fs::write(&flag, "").unwrap();
    let mut order = daemon(&marking(&rig, 1), 5);
    order.policy.max_unavailable = 2;
    order.policy.readiness = Some(Readiness {
        probe: probe(exists(&flag)),
        successes: 1,
        start_timeout: Duration::from_secs(60),
    });
    let first = want(&rig, &order).await;
    order.job_version = 2;
    order.launch = daemon(&marking(&rig, 2), 5).launch;
    rig.center.want(std::slice::from_ref(&order)).await;
    for round in 1..5 {
        let enough = |state: &State| {
            let slots = slots(state, &order);
            let ready = slots.iter().filter(|slot| slot.state == SlotState::Running);
            assert!(ready.count() >= 3, "{slots:#?}");
            let fresh = slots.iter().filter(|slot| slot.job_version == 2);
            (fresh.count() >= round).then_some(())
        };
        rig.center.wait("the next to be replaced", enough).await;
        agent.kill();
        agent = rig.child();
    }
    let last = rig
        .center
        .wait("all to be replaced", |state| settled(state, &order))
        .await;
    assert!(
        last.iter()
            .all(|(index, pid)| first[index] != *pid && is_alive(*pid))
    );
    assert!(first.values().all(|pid| !is_alive(*pid)));
    assert_eq!(rig.lines("doubles"), [""; 0]);
    agent.kill();
}

#[tokio::test]
async fn a_change_that_fails_stops_before_it_has_taken_everything_down() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    let mut order = daemon(WORKER, 4);
    order.policy.max_unavailable = 2;
    let first = want(&rig, &order).await;
    order.job_version = 2;
    order.launch = daemon("exit 9", 4).launch;
    rig.center.want(std::slice::from_ref(&order)).await;
    let halted = |state: &State| {
        let slots = slots(state, &order);
        let old: Vec<_> = slots
            .iter()
            .filter(|slot| {
                slot.next
                    .is_some_and(|next| next.step == NextStep::ReplaceHalted)
            })
            .collect();
        let is_looping = slots.iter().any(|slot| slot.state == SlotState::CrashLoop);
        (is_looping && old.len() == 2).then(|| old.iter().map(|slot| slot.index).collect())
    };
    let old: BTreeSet<u32> = rig.center.wait("the change to stop", halted).await;
    assert!(old.iter().all(|index| is_alive(first[index])));
    order.job_version = 3;
    order.launch = daemon("trap 'exit 0' TERM; while :; do sleep 0.04; done", 4).launch;
    want(&rig, &order).await;
    agent.stop().await;
}

#[tokio::test]
async fn daemons_come_back_after_a_reboot_without_a_center() {
    let rig = Rig::new().await;
    let script = format!(
        "echo $CRONFLEET_SLOT >> {}; exec sleep 600",
        rig.path("starts").display()
    );
    let order = daemon(&script, 3);
    let agent = rig.child();
    let before = want(&rig, &order).await;
    rig.center.state().is_away = true;
    rig.center.disconnect();
    agent.kill();
    rig.reboot();
    crate::rig::until("nothing lives", || {
        before.values().all(|pid| !is_alive(*pid))
    })
    .await;
    let agent = rig.child();
    crate::rig::until("three more starts", || rig.lines("starts").len() == 6).await;
    rig.center.state().is_away = false;
    let job = order.job;
    let after = rig
        .center
        .wait("all to run again", |state| {
            settled(state, &order).filter(|after| *after != before)
        })
        .await;
    assert!(after.values().all(|pid| is_alive(*pid)));
    let lost = |state: &State| {
        let lost = state
            .processes
            .values()
            .filter(|p| p.job == job && p.lost.is_some());
        (lost.count() == 3).then_some(())
    };
    rig.center.wait("three that the reboot took", lost).await;
    assert_eq!(rig.lines("starts").len(), 6, "none was started twice");
    agent.kill();
}
