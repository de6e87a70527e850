//! Agents that are killed at any moment: nothing starts twice, and every run ends with the truth.

use std::fs;
use std::time::Duration;

use cronfleet_core::id::RunId;
use cronfleet_core::order::{Claim, ExitStatus, Order, StopCause};
use cronfleet_core::run::Reason;
use cronfleet_wire::v1::from_center::Body;
use cronfleet_wire::{convert, v1};
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::rig::{Rig, is_alive, order, until};

/// Rounds of the sweep; more are run by hand.
fn rounds() -> u32 {
    std::env::var("CRONFLEET_TEST_CRASHES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(12)
}

#[tokio::test]
async fn killed_at_any_moment_nothing_starts_twice_and_every_run_ends_truthfully() {
    let rig = Rig::new().await;
    let mut draws = StdRng::seed_from_u64(20_261_122);
    let mut orders: Vec<Order> = Vec::new();
    let mut agent = rig.child();
    for _ in 0..rounds() {
        // Due over the next second: some wait, some are prepared, some start and some run at the kill.
        let base = Timestamp::now() + Duration::from_millis(100);
        let fresh: Vec<Order> = (0..20)
            .map(|i| {
                let due = base + Duration::from_millis(50 * i);
                let script = format!("sleep 0.{}; echo done", i % 4);
                order(rig.stamped(&script), due)
            })
            .collect();
        rig.center.order(&fresh).await;
        orders.extend(fresh);
        tokio::time::sleep(Duration::from_millis(draws.random_range(0..1_300))).await;
        let sessions = rig.center.state().sessions;
        agent.kill();
        tokio::time::sleep(Duration::from_millis(draws.random_range(0..300))).await;
        agent = rig.child();
        rig.center
            .wait("another session", |state| {
                (state.sessions > sessions).then_some(())
            })
            .await;
    }
    for order in &orders {
        rig.center.over(order.run).await;
    }
    let stamps = rig.stamps();
    let mut lost = 0;
    for order in &orders {
        let claim = rig.center.over(order.run).await;
        let started = stamps.get(&order.run).copied().unwrap_or(0);
        assert!(started <= 1, "run {} started {started} times", order.run);
        lost += u32::from(judge(order.run, &claim, started));
    }
    for order in &orders {
        if stamps.contains_key(&order.run) {
            assert_eq!(rig.center.output(order.run).await, "done\n");
        }
    }
    assert_eq!(
        lost, 0,
        "shims survive, so nothing about a run is ever unknown"
    );
    agent.kill();
}

/// Checks a claim against the stamp; says whether the run is lost.
fn judge(run: RunId, claim: &Claim, started: u32) -> bool {
    match claim {
        Claim::Ended { end, start } => {
            assert_eq!(
                (&end.status, started),
                (&ExitStatus::Exited(0), 1),
                "run {run}: {claim:?}"
            );
            assert!(start.is_some());
            false
        }
        Claim::Refused { reason, .. } => {
            assert_eq!(
                started, 0,
                "run {run} was refused with {reason:?} and has run"
            );
            false
        }
        Claim::Lost { .. } => true,
        Claim::Accepted | Claim::Running(_) => panic!("run {run} is not over: {claim:?}"),
    }
}

#[tokio::test]
async fn killed_before_its_time_the_next_agent_starts_it() {
    let rig = Rig::new().await;
    let agent = rig.child();
    let order = order(
        rig.stamped("true"),
        Timestamp::now() + Duration::from_millis(1_500),
    );
    rig.center.order(std::slice::from_ref(&order)).await;
    let prepared = rig.life(order.run).join("lock");
    until("it is prepared", || prepared.exists()).await;
    agent.kill();
    let agent = rig.child();
    let claim = rig.center.over(order.run).await;
    assert!(
        matches!(&claim, Claim::Ended { end, .. } if end.status == ExitStatus::Exited(0)),
        "{claim:?}"
    );
    assert_eq!(rig.stamps()[&order.run], 1);
    agent.kill();
}

#[tokio::test]
async fn killed_beyond_its_window_it_is_missed() {
    let rig = Rig::new().await;
    let agent = rig.child();
    let mut order = order(
        rig.stamped("true"),
        // Far enough ahead that a busy machine has accepted it by then.
        Timestamp::now() + Duration::from_secs(6),
    );
    order.not_after = order.due + Duration::from_secs(1);
    rig.center.order(std::slice::from_ref(&order)).await;
    rig.center
        .claim(order.run, |claim| (*claim == Claim::Accepted).then_some(()))
        .await;
    agent.kill();
    until("its window has passed", || {
        Timestamp::now() > order.not_after
    })
    .await;
    let agent = rig.child();
    let claim = rig.center.over(order.run).await;
    assert_eq!(
        claim,
        Claim::Refused {
            reason: Reason::AgentRestarted,
            detail: None
        }
    );
    assert!(rig.stamps().is_empty());
    agent.kill();
}

#[tokio::test]
async fn a_run_goes_on_without_its_agent_and_can_be_killed_by_the_next() {
    let rig = Rig::new().await;
    let agent = rig.child();
    let long = order(rig.stamped("echo first; sleep 600"), Timestamp::now());
    let short = order(
        rig.stamped("echo one; sleep 1; echo two; exit 5"),
        Timestamp::now(),
    );
    rig.center.order(&[long.clone(), short.clone()]).await;
    let running = |claim: &Claim| match claim {
        Claim::Running(start) => Some(*start),
        _ => None,
    };
    let start = rig.center.claim(long.run, running).await;
    rig.center.claim(short.run, running).await;
    agent.kill();
    // The short one ends while nobody looks.
    let exit = rig.life(short.run).join("exit");
    until("it has ended", || exit.exists()).await;
    let agent = rig.child();
    let claim = rig.center.over(short.run).await;
    let Claim::Ended {
        start: Some(_),
        end,
    } = &claim
    else {
        panic!("{claim:?}")
    };
    assert_eq!(end.status, ExitStatus::Exited(5));
    assert_eq!(rig.center.output(short.run).await, "one\ntwo\n");
    assert!(is_alive(start.pid));
    let runs = vec![convert::id_bytes(long.run.as_uuid())];
    rig.center
        .send(Body::Kill(v1::Kill {
            runs,
            is_replaced: false,
        }))
        .await;
    let claim = rig.center.over(long.run).await;
    let Claim::Ended {
        start: Some(after),
        end,
    } = &claim
    else {
        panic!("{claim:?}")
    };
    assert_eq!(
        (after.pid, end.stopped_for),
        (start.pid, Some(StopCause::Kill))
    );
    assert!((after.at.duration_since(start.at)).as_millis().abs() < 20);
    agent.kill();
}

#[tokio::test]
async fn a_lost_shim_is_told_as_lost() {
    let rig = Rig::new().await;
    let agent = rig.child();
    let order = order(rig.stamped("sleep 600"), Timestamp::now());
    rig.center.order(std::slice::from_ref(&order)).await;
    let pid = rig
        .center
        .claim(order.run, |claim| match claim {
            Claim::Running(start) => Some(start.pid),
            _ => None,
        })
        .await;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let shim: i32 = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(shim),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    let claim = rig.center.over(order.run).await;
    assert!(
        matches!(
            claim,
            Claim::Lost {
                reason: Reason::ExitUnknown,
                start: Some(_)
            }
        ),
        "{claim:?}"
    );
    assert!(!is_alive(pid), "what nobody holds any more is ended");
    agent.kill();
}

#[tokio::test]
async fn a_host_that_was_restarted_loses_what_ran_and_starts_nothing_twice() {
    let rig = Rig::new().await;
    let agent = rig.child();
    let ran = order(rig.stamped("echo before"), Timestamp::now());
    let running = order(rig.stamped("echo half; sleep 600"), Timestamp::now());
    let later = order(
        rig.stamped("true"),
        Timestamp::now() + Duration::from_secs(10),
    );
    rig.center.state().acks = false;
    rig.center
        .order(&[ran.clone(), running.clone(), later.clone()])
        .await;
    rig.center.over(ran.run).await;
    let spool = rig.path(&format!("agent/spool/{}", running.run));
    until("it has written", || {
        fs::read_dir(&spool).is_ok_and(|dir| dir.count() > 0)
    })
    .await;
    let pid = rig
        .center
        .claim(running.run, |claim| match claim {
            Claim::Running(start) => Some(start.pid),
            _ => None,
        })
        .await;
    agent.kill();
    // What a restart of the host does to everything that is not on disk.
    nix::sys::signal::killpg(
        nix::unistd::Pid::from_raw(pid),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    until("the process is gone", || !is_alive(pid)).await;
    fs::remove_dir_all(rig.runtime_dir()).unwrap();
    // It was prepared already, or as good as.
    let _ = fs::create_dir(rig.path(&format!("agent/spool/{}", later.run)));
    rig.center.state().acks = true;
    let agent = rig.child();
    let claim = rig.center.over(running.run).await;
    assert_eq!(
        claim,
        Claim::Lost {
            reason: Reason::HostRebooted,
            start: None
        }
    );
    assert_eq!(
        rig.center.output(running.run).await,
        "half\n",
        "what it wrote is not lost"
    );
    assert!(matches!(
        rig.center.over(ran.run).await,
        Claim::Ended { .. }
    ));
    let claim = rig.center.over(later.run).await;
    let stamps = rig.stamps();
    assert_eq!((stamps[&ran.run], stamps[&running.run]), (1, 1));
    // What is due after the restart starts normally.
    assert!(matches!(claim, Claim::Ended { .. }), "{claim:?}");
    assert_eq!(stamps[&later.run], 1);
    agent.kill();
}

#[tokio::test]
async fn a_folder_that_was_half_removed_costs_no_output() {
    let rig = Rig::new().await;
    rig.center.state().acks = false;
    let agent = rig.child();
    let order = order(rig.stamped("echo precious"), Timestamp::now());
    rig.center.order(std::slice::from_ref(&order)).await;
    rig.center.over(order.run).await;
    let folder = rig.life(order.run);
    until("its folder is gone", || !folder.exists()).await;
    agent.kill();
    rig.center.state().outputs.clear();
    // What an agent leaves that is killed while it removes a folder.
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("lock"), "").unwrap();
    rig.center.state().acks = true;
    let agent = rig.child();
    assert_eq!(rig.center.output(order.run).await, "precious\n");
    until("the rest of it is gone", || !folder.exists()).await;
    assert_eq!(rig.stamps()[&order.run], 1);
    agent.kill();
}
