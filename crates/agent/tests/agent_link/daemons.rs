//! Daemons: kept at their number whatever happens.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cronfleet_core::id::JobId;
use cronfleet_core::order::{DaemonOrder, ExitStatus, SlotState, StopCause};
use cronfleet_wire::v1;
use cronfleet_wire::v1::from_center::Body;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::center::State;
use crate::rig::{Rig, daemon, is_alive};

const WORKER: &str = "echo \"slot $CRONFLEET_SLOT of $CRONFLEET_SLOTS\"; exec sleep 600";

/// Pids by slot once exactly these many slots run.
fn running(state: &State, job: JobId, processes: u32) -> Option<BTreeMap<u32, i32>> {
    let slots = state.slots.range((job, 0)..=(job, u32::MAX));
    let up = slots
        .clone()
        .filter(|(_, slot)| slot.state == SlotState::Running);
    let pids: BTreeMap<u32, i32> = up
        .filter_map(|((_, index), slot)| Some((*index, slot.start?.pid)))
        .collect();
    (pids.len() == processes as usize && slots.count() == processes as usize).then_some(pids)
}

async fn all_up(rig: &Rig, order: &DaemonOrder) -> BTreeMap<u32, i32> {
    let (job, processes) = (order.job, order.processes);
    rig.center
        .wait("all slots to run", |state| running(state, job, processes))
        .await
}

#[tokio::test]
async fn a_killed_process_is_back_within_a_second() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    let order = daemon(WORKER, 3);
    rig.center.want(std::slice::from_ref(&order)).await;
    let before = all_up(&rig, &order).await;
    kill(Pid::from_raw(before[&1]), Signal::SIGKILL).unwrap();
    let killed = Instant::now();
    let job = order.job;
    let after = rig
        .center
        .wait("the slot to run again", |state| {
            running(state, job, 3).filter(|after| after[&1] != before[&1])
        })
        .await;
    assert!(
        killed.elapsed() < Duration::from_secs(1),
        "back after {:?}",
        killed.elapsed()
    );
    assert_eq!(
        (before[&0], before[&2]),
        (after[&0], after[&2]),
        "the others are untouched"
    );
    let ended = |state: &State| state.processes.values().find(|p| p.index == 1).cloned();
    let report = rig.center.wait("a report of the end", ended).await;
    assert_eq!(
        report.end.unwrap().status,
        ExitStatus::Signalled {
            signal: 9,
            has_core: false
        }
    );
    assert!(
        rig.center
            .output(report.process)
            .await
            .contains("slot 1 of 3")
    );
    agent.stop().await;
    assert!(
        after.values().all(|pid| is_alive(*pid)),
        "stopping the agent leaves them running"
    );
}

#[tokio::test]
async fn scaling_touches_only_what_changes() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    let mut order = daemon(WORKER, 3);
    rig.center.want(std::slice::from_ref(&order)).await;
    let three = all_up(&rig, &order).await;
    order.processes = 5;
    rig.center.want(std::slice::from_ref(&order)).await;
    let five = all_up(&rig, &order).await;
    order.processes = 2;
    rig.center.want(std::slice::from_ref(&order)).await;
    let two = all_up(&rig, &order).await;
    assert!(three.iter().all(|(index, pid)| five[index] == *pid));
    assert!(two.iter().all(|(index, pid)| three[index] == *pid));
    let gone = |state: &State| (state.processes.len() == 3).then(|| state.processes.clone());
    for report in rig.center.wait("three ends", gone).await.values() {
        assert_eq!(
            report.end.as_ref().unwrap().stopped_for,
            Some(StopCause::ScaledDown)
        );
        assert!(!is_alive(five[&report.index]));
    }
    rig.center.want(&[]).await;
    rig.center
        .wait("no slots", |state| state.slots.is_empty().then_some(()))
        .await;
    assert!(two.values().all(|pid| !is_alive(*pid)));
    agent.stop().await;
}

#[tokio::test]
async fn what_ends_at_once_becomes_a_crash_loop_with_its_last_output() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    let order = daemon("echo no luck; exit 7", 1);
    rig.center.want(std::slice::from_ref(&order)).await;
    let job = order.job;
    let slot = rig
        .center
        .wait("a crash loop", |state| {
            state
                .slots
                .get(&(job, 0))
                .filter(|slot| slot.state == SlotState::CrashLoop)
                .cloned()
        })
        .await;
    assert_eq!(slot.last_end, Some(ExitStatus::Exited(7)));
    assert!(slot.retry_at.is_some());
    assert!(
        rig.center
            .output(slot.process.unwrap())
            .await
            .contains("no luck")
    );
    agent.stop().await;
}

#[tokio::test]
async fn a_restart_replaces_the_process() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    let order = daemon(WORKER, 2);
    rig.center.want(std::slice::from_ref(&order)).await;
    let before = all_up(&rig, &order).await;
    let job = cronfleet_wire::convert::id_bytes(order.job.as_uuid());
    rig.center
        .send(Body::RestartSlots(v1::RestartSlots {
            job,
            index: Some(0),
        }))
        .await;
    let job = order.job;
    let after = rig
        .center
        .wait("another process", |state| {
            running(state, job, 2).filter(|after| after[&0] != before[&0])
        })
        .await;
    assert_eq!(before[&1], after[&1]);
    agent.stop().await;
}

#[tokio::test]
async fn processes_outlive_their_agent_and_keep_their_pids() {
    let rig = Rig::new().await;
    let order = daemon("echo up; while sleep 0.1; do echo tick; done", 3);
    let job = order.job;
    let agent = rig.child();
    rig.center.want(std::slice::from_ref(&order)).await;
    let before = all_up(&rig, &order).await;
    agent.kill();
    for _ in 0..3 {
        let sessions = rig.center.state().sessions;
        let agent = rig.child();
        rig.center
            .wait("another session", |state| {
                (state.sessions > sessions).then_some(())
            })
            .await;
        // The first thing it tells is all that it has.
        assert_eq!(all_up(&rig, &order).await, before);
        agent.kill();
    }
    let process = rig.center.state().slots[&(job, 0)].process.unwrap();
    let length = |state: &State| {
        state
            .outputs
            .get(&process.into())
            .map(|out| out.text().len())
    };
    let so_far = rig.center.wait("output", length).await;
    let agent = rig.child();
    rig.center
        .wait("more output", |state| {
            length(state).filter(|now| *now > so_far + 50)
        })
        .await;
    agent.kill();
    // One dies while nobody looks.
    kill(Pid::from_raw(before[&2]), Signal::SIGKILL).unwrap();
    let agent = rig.child();
    let after = rig
        .center
        .wait("three again", |state| {
            running(state, job, 3).filter(|after| after[&2] != before[&2])
        })
        .await;
    assert_eq!((before[&0], before[&1]), (after[&0], after[&1]));
    let ended = |state: &State| state.processes.values().find(|p| p.index == 2).cloned();
    let report = rig.center.wait("a report of the end", ended).await;
    assert_eq!(
        report.end.unwrap().status,
        ExitStatus::Signalled {
            signal: 9,
            has_core: false
        }
    );
    agent.kill();
}
