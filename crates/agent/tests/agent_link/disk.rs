//! Disks that are full, ledgers that are damaged.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use cronfleet_core::order::{Claim, ExitStatus, SlotState};
use cronfleet_core::run::Reason;
use jiff::Timestamp;

use crate::center::{State, TestCenter};
use crate::rig::{Rig, daemon, is_alive, order, until};

/// A small file system of its own; gone when dropped.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path, bytes: u32) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={bytes},mode=700"),
                "none",
            ])
            .arg(at)
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self(at))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_stops_starts_and_nothing_else() {
    let center = TestCenter::start().await;
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("agent");
    let Some(_disk) = SmallDisk::mount(&data_dir, 2 << 20) else {
        eprintln!("skipped: mounting a file system needs root");
        return;
    };
    cronfleet_agent::join(
        std::slice::from_ref(&center.address),
        &center.token,
        &data_dir,
    )
    .await
    .unwrap();
    let rig = Rig::of(center, dir);
    let agent = rig.agent();
    let before = order(rig.stamped("sleep 1; exit 4"), Timestamp::now());
    rig.center.order(std::slice::from_ref(&before)).await;
    rig.center
        .claim(before.run, |claim| {
            matches!(claim, Claim::Running(_)).then_some(())
        })
        .await;
    let filler = data_dir.join("filler");
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&filler)
        .unwrap();
    while file.write_all(&[0; 4_096]).is_ok() {}
    while file.write_all(&[0; 1]).is_ok() {}
    // Removed while it is open it would go on taking its room.
    drop(file);
    // An entry that is longer than what may be left of the ledger's last page.
    let mut launch = rig.stamped("true");
    launch.environment.insert("LONG".into(), "x".repeat(5_000));
    let refused = order(
        launch.clone(),
        Timestamp::now() + Duration::from_millis(500),
    );
    // This one has time until the disk has room again.
    let held = order(launch, Timestamp::now() + Duration::from_secs(6));
    rig.center.order(&[refused.clone(), held.clone()]).await;
    let claim = rig.center.over(refused.run).await;
    assert_eq!(
        claim,
        Claim::Refused {
            reason: Reason::LedgerUnwritable,
            detail: None
        }
    );
    until("the process has ended", || {
        rig.life(before.run).join("exit").exists()
            || rig.center.state().claims[&before.run].len() > 2
    })
    .await;
    fs::remove_file(&filler).unwrap();
    // It recovers by itself.
    let claim = rig.center.over(before.run).await;
    assert!(
        matches!(&claim, Claim::Ended { end, .. } if end.status == ExitStatus::Exited(4)),
        "{claim:?}"
    );
    let after = order(rig.stamped("true"), Timestamp::now());
    rig.center.order(std::slice::from_ref(&after)).await;
    for run in [after.run, held.run] {
        let claim = rig.center.over(run).await;
        assert!(matches!(&claim, Claim::Ended { .. }), "{claim:?}");
    }
    assert!(!rig.stamps().contains_key(&refused.run));
    agent.stop().await;
}

#[tokio::test]
async fn a_torn_ledger_costs_at_most_its_tail() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    let done = order(rig.stamped("true"), Timestamp::now());
    let waiting = order(
        rig.stamped("true"),
        Timestamp::now() + Duration::from_secs(3),
    );
    rig.center.order(&[done.clone(), waiting.clone()]).await;
    rig.center.over(done.run).await;
    rig.center
        .claim(waiting.run, |claim| {
            (*claim == Claim::Accepted).then_some(())
        })
        .await;
    agent.stop().await;
    let ledger = rig.path("agent/ledger");
    let mut file = OpenOptions::new().append(true).open(&ledger).unwrap();
    file.write_all(&[77, 0, 0, 0, 1, 2, 3]).unwrap();
    drop(file);
    let agent = rig.agent();
    let claim = rig.center.over(waiting.run).await;
    assert!(matches!(&claim, Claim::Ended { .. }), "{claim:?}");
    assert_eq!(rig.stamps().len(), 2);
    agent.stop().await;
}

#[tokio::test]
async fn a_lost_ledger_starts_nothing_that_it_may_have_known() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    let waiting = order(
        rig.stamped("true"),
        Timestamp::now() + Duration::from_secs(600),
    );
    let running = order(rig.stamped("sleep 2; exit 6"), Timestamp::now());
    rig.center.order(&[waiting.clone(), running.clone()]).await;
    rig.center
        .claim(waiting.run, |claim| {
            (*claim == Claim::Accepted).then_some(())
        })
        .await;
    rig.center
        .claim(running.run, |claim| {
            matches!(claim, Claim::Running(_)).then_some(())
        })
        .await;
    agent.stop().await;
    fs::remove_file(rig.path("agent/ledger")).unwrap();
    let agent = rig.agent();
    let claim = rig.center.over(waiting.run).await;
    assert_eq!(
        claim,
        Claim::Lost {
            reason: Reason::LedgerMissing,
            start: None
        }
    );
    // What runs is lost from the ledger, but its end is told when it comes.
    let ended = |claim: &Claim| match claim {
        Claim::Ended { end, .. } => Some(end.status.clone()),
        _ => None,
    };
    assert_eq!(
        rig.center.claim(running.run, ended).await,
        ExitStatus::Exited(6)
    );
    assert_eq!(rig.stamps()[&running.run], 1);
    agent.stop().await;
}

#[tokio::test]
async fn a_run_that_the_ledger_lost_still_holds_its_place() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    let first = order(rig.stamped("sleep 600"), Timestamp::now());
    rig.center.order(std::slice::from_ref(&first)).await;
    let start = rig
        .center
        .claim(first.run, |claim| match claim {
            Claim::Running(start) => Some(*start),
            _ => None,
        })
        .await;
    agent.stop().await;
    fs::remove_file(rig.path("agent/ledger")).unwrap();
    // Once with the ledger that was lost, and once with the one that knows only that it was.
    for _ in 0..2 {
        let agent = rig.agent();
        let claim = rig.center.over(first.run).await;
        assert!(
            matches!(&claim, Claim::Lost { reason: Reason::LedgerMissing, start: Some(same) } if same.pid == start.pid),
            "{claim:?}"
        );
        let mut second = order(rig.stamped("true"), Timestamp::now());
        second.job = first.job;
        rig.center.order(std::slice::from_ref(&second)).await;
        let claim = rig.center.over(second.run).await;
        assert_eq!(
            claim,
            Claim::Refused {
                reason: Reason::Overlap,
                detail: None
            }
        );
        assert!(is_alive(start.pid));
        agent.stop().await;
    }
    // It ends while nobody looks.
    nix::sys::signal::killpg(
        nix::unistd::Pid::from_raw(start.pid),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    let exit = rig.life(first.run).join("exit");
    until("its end is written down", || exit.exists()).await;
    let agent = rig.agent();
    let ended = |claim: &Claim| match claim {
        Claim::Ended { end, .. } => Some(end.status.clone()),
        _ => None,
    };
    assert_eq!(
        rig.center.claim(first.run, ended).await,
        ExitStatus::Signalled {
            signal: 9,
            has_core: false
        }
    );
    let mut third = order(rig.stamped("true"), Timestamp::now());
    third.job = first.job;
    rig.center.order(std::slice::from_ref(&third)).await;
    assert!(matches!(
        rig.center.over(third.run).await,
        Claim::Ended { .. }
    ));
    agent.stop().await;
}

#[tokio::test]
async fn daemon_processes_that_the_ledger_lost_are_ended_told_and_replaced() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    let worker = daemon("exec sleep 600", 2);
    rig.center.want(std::slice::from_ref(&worker)).await;
    let all_run = |state: &State| {
        let slots = state.slots.values();
        let pids: Vec<i32> = slots
            .filter(|slot| slot.state == SlotState::Running)
            .filter_map(|slot| Some(slot.start?.pid))
            .collect();
        (pids.len() == 2).then_some(pids)
    };
    let before = rig.center.wait("both slots to run", all_run).await;
    agent.stop().await;
    for damage in ["gone", "unreadable"] {
        let ledger = rig.path("agent/ledger");
        match damage {
            "gone" => fs::remove_file(&ledger).unwrap(),
            _ => fs::write(&ledger, "rubbish").unwrap(),
        }
        let known = rig.center.state().processes.len();
        let agent = rig.agent();
        let reports = rig
            .center
            .wait("two reports", |state| {
                (state.processes.len() == known + 2).then(|| state.processes.clone())
            })
            .await;
        for report in reports.values() {
            assert_eq!(
                (report.job, report.lost, &report.end),
                (worker.job, Some(Reason::LedgerMissing), &None)
            );
            let pid = report.start.unwrap().pid;
            until("the process is ended", || !is_alive(pid)).await;
        }
        let slots: BTreeSet<u32> = reports.values().map(|report| report.index).collect();
        assert_eq!(slots, BTreeSet::from([0, 1]));
        rig.center.want(std::slice::from_ref(&worker)).await;
        let after = rig
            .center
            .wait("both slots to run again", |state| {
                all_run(state).filter(|pids| pids.iter().all(|pid| is_alive(*pid)))
            })
            .await;
        assert!(after.iter().all(|pid| !before.contains(pid)));
        until("nothing is left of the others", || {
            reports.keys().all(|process| {
                let folder = rig.runtime_dir().join(process.to_string());
                !folder.exists()
            })
        })
        .await;
        agent.stop().await;
    }
}
