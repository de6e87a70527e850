//! Runs, from order to acknowledged end.

use std::time::Duration;

use cronfleet_core::job::{Overlap, StopPolicy, StopSignal};
use cronfleet_core::order::{Claim, End, ExitStatus, StopCause};
use cronfleet_core::run::Reason;
use cronfleet_wire::v1;
use cronfleet_wire::v1::from_center::Body;
use jiff::Timestamp;

use crate::rig::{Rig, is_alive, launch, order, stopping, until};

fn end(claim: &Claim) -> &End {
    match claim {
        Claim::Ended { end, .. } => end,
        other => panic!("not ended: {other:?}"),
    }
}

fn soon() -> Timestamp {
    Timestamp::now() + Duration::from_millis(300)
}

#[tokio::test]
async fn an_order_runs_at_its_time_with_its_output() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    let script =
        "echo hello; echo \"$CRONFLEET_DUE $CRONFLEET_ATTEMPT $CRONFLEET_JOB_NAME\" >&2; exit 3";
    let order = order(rig.stamped(script), soon());
    rig.center.order(std::slice::from_ref(&order)).await;
    rig.center
        .claim(order.run, |claim| (*claim == Claim::Accepted).then_some(()))
        .await;
    let claim = rig.center.over(order.run).await;
    let Claim::Ended {
        start: Some(start),
        end,
    } = &claim
    else {
        panic!("{claim:?}")
    };
    assert_eq!(
        (&end.status, end.stopped_for),
        (&ExitStatus::Exited(3), None)
    );
    let late = start.at.duration_since(order.due);
    assert!(
        (0..=100).contains(&late.as_millis()),
        "started {late:?} after it was due"
    );
    assert!(end.at >= start.at && end.duration < Duration::from_secs(5));
    let output = rig.center.output(order.run).await;
    let due = order.due.strftime("%Y-%m-%dT%H:%M:%S%.6fZ");
    assert!(
        output.contains("hello\n") && output.contains(&format!("{due} 1 test\n")),
        "{output}"
    );
    assert_eq!(end.output.written_bytes as usize, output.len());
    // What a center has stored is not kept.
    until("spool and folder are gone", || {
        !rig.path(&format!("agent/spool/{}", order.run)).exists() && !rig.life(order.run).exists()
    })
    .await;
    agent.stop().await;
}

#[tokio::test]
async fn the_same_order_twice_starts_once() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    let order = order(rig.stamped("true"), soon());
    for _ in 0..2 {
        rig.center.order(std::slice::from_ref(&order)).await;
    }
    rig.center.over(order.run).await;
    let told = rig.center.state().claims[&order.run].len();
    rig.center.order(std::slice::from_ref(&order)).await;
    let told_again =
        |state: &crate::center::State| (state.claims[&order.run].len() > told).then_some(());
    rig.center.wait("the same answer again", told_again).await;
    assert_eq!(rig.stamps().get(&order.run), Some(&1));
    agent.stop().await;
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    let good = launch("true");
    let argv = |words: &[&str]| {
        cronfleet_core::job::Command::Argv(words.iter().map(ToString::to_string).collect())
    };
    let mut cases = Vec::new();
    let mut launch = good.clone();
    launch.run_as = "no-such-user-here".into();
    cases.push((launch, Reason::UserUnknown));
    let mut launch = good.clone();
    launch.directory = Some("/no/such/directory".into());
    cases.push((launch, Reason::DirectoryMissing));
    let mut launch = good.clone();
    launch.command = argv(&["/no/such/command"]);
    cases.push((launch, Reason::CommandMissing));
    let mut launch = good;
    launch.command = argv(&["/etc/passwd"]);
    cases.push((launch, Reason::CommandDenied));
    let orders: Vec<_> = cases
        .into_iter()
        .map(|(launch, why)| (order(launch, soon()), why))
        .collect();
    let all: Vec<_> = orders.iter().map(|(order, _)| order.clone()).collect();
    rig.center.order(&all).await;
    for (order, expected) in orders {
        let claim = rig.center.over(order.run).await;
        let Claim::Ended { start: None, end } = &claim else {
            panic!("{expected:?}: {claim:?}")
        };
        let ExitStatus::NotStarted { reason, detail } = &end.status else {
            panic!("{claim:?}")
        };
        assert_eq!(*reason, expected, "{detail}");
        assert!(!detail.is_empty());
    }
    agent.stop().await;
}

#[tokio::test]
async fn too_late_is_refused_and_overlap_is_kept() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    let mut late = order(
        rig.stamped("true"),
        Timestamp::now() - Duration::from_secs(5),
    );
    late.not_after = late.due + Duration::from_secs(1);
    let first = order(rig.stamped("sleep 2"), soon());
    let mut second = order(rig.stamped("true"), first.due + Duration::from_millis(300));
    second.job = first.job;
    let mut third = order(rig.stamped("true"), first.due + Duration::from_millis(400));
    (third.job, third.overlap) = (first.job, Overlap::Allow);
    let all = [late.clone(), first.clone(), second.clone(), third.clone()];
    rig.center.order(&all).await;
    let refused = |reason| Claim::Refused {
        reason,
        detail: None,
    };
    assert_eq!(
        rig.center.over(late.run).await,
        refused(Reason::StartDeadlineExceeded)
    );
    assert_eq!(rig.center.over(second.run).await, refused(Reason::Overlap));
    assert_eq!(
        end(&rig.center.over(third.run).await).status,
        ExitStatus::Exited(0)
    );
    assert_eq!(
        end(&rig.center.over(first.run).await).status,
        ExitStatus::Exited(0)
    );
    assert_eq!(rig.stamps().len(), 2);
    agent.stop().await;
}

#[tokio::test]
async fn revoked_before_its_time_it_never_starts() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    // Prepared by the time it is revoked, as well as far from it.
    let near = order(
        rig.stamped("true"),
        Timestamp::now() + Duration::from_millis(1_500),
    );
    let far = order(
        rig.stamped("true"),
        Timestamp::now() + Duration::from_secs(60),
    );
    rig.center.order(&[near.clone(), far.clone()]).await;
    let folder = rig.life(near.run);
    until("it is prepared", || folder.join("lock").exists()).await;
    let runs = [near.run, far.run].map(|run| cronfleet_wire::convert::id_bytes(run.as_uuid()));
    rig.center
        .send(Body::Revoke(v1::Revoke {
            runs: runs.to_vec(),
            reason: "paused".into(),
        }))
        .await;
    for order in [&near, &far] {
        let claim = rig.center.over(order.run).await;
        assert_eq!(
            claim,
            Claim::Refused {
                reason: Reason::Paused,
                detail: None
            }
        );
    }
    until("what was prepared is gone", || !folder.exists()).await;
    agent.stop().await;
    assert!(rig.stamps().is_empty());
}

#[tokio::test]
async fn a_kill_reaches_what_ignores_it() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    let mut launch = rig.stamped("trap '' TERM; echo ready; while :; do sleep 1; done");
    launch.stop = StopPolicy {
        signal: StopSignal::Term,
        grace: Duration::from_millis(300),
    };
    let order = order(launch, soon());
    rig.center.order(std::slice::from_ref(&order)).await;
    let pid = rig
        .center
        .claim(order.run, |claim| match claim {
            Claim::Running(start) => Some(start.pid),
            _ => None,
        })
        .await;
    let is_ready = |state: &crate::center::State| {
        state
            .outputs
            .get(&order.run.into())?
            .text()
            .contains("ready")
            .then_some(())
    };
    rig.center.wait("live output", is_ready).await;
    let run = cronfleet_wire::convert::id_bytes(order.run.as_uuid());
    rig.center
        .send(Body::Kill(v1::Kill {
            runs: vec![run],
            is_replaced: false,
        }))
        .await;
    let claim = rig.center.over(order.run).await;
    let end = end(&claim);
    assert_eq!(end.stopped_for, Some(StopCause::Kill));
    assert_eq!(
        end.status,
        ExitStatus::Signalled {
            signal: 9,
            has_core: false
        }
    );
    assert!(!is_alive(pid));
    agent.stop().await;
}

#[tokio::test]
async fn a_time_limit_is_kept() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    let mut order = order(rig.stamped("exec sleep 60"), soon());
    order.timeout = Some(Duration::from_millis(500));
    rig.center.order(std::slice::from_ref(&order)).await;
    let claim = rig.center.over(order.run).await;
    let end = end(&claim);
    assert_eq!(end.stopped_for, Some(StopCause::Timeout));
    assert_eq!(
        end.status,
        ExitStatus::Signalled {
            signal: 15,
            has_core: false
        }
    );
    assert!(
        (500..2_500).contains(&end.duration.as_millis()),
        "{:?}",
        end.duration
    );
    agent.stop().await;
}

#[tokio::test]
async fn times_are_the_centers_and_so_is_the_start() {
    let rig = Rig::new().await;
    // A center whose clock is an hour ahead.
    rig.center.state().skew = Duration::from_secs(3_600);
    let agent = rig.agent();
    rig.center
        .wait("heartbeats", |state| {
            (state.heartbeats.len() > 2).then_some(())
        })
        .await;
    let order = order(
        rig.stamped("echo x"),
        rig.center.now() + Duration::from_millis(400),
    );
    rig.center.order(std::slice::from_ref(&order)).await;
    let claim = rig.center.over(order.run).await;
    let Claim::Ended {
        start: Some(start),
        end,
    } = claim
    else {
        panic!("{claim:?}")
    };
    let late = start.at.duration_since(order.due).as_millis();
    assert!(
        (0..=100).contains(&late),
        "started {late} ms after it was due"
    );
    assert!(end.at.duration_since(rig.center.now()).as_secs().abs() < 5);
    rig.center.output(order.run).await;
    let frames = |state: &crate::center::State| {
        let received = state.outputs.get(&order.run.into())?;
        received.frames.values().next().cloned()
    };
    let frames = rig.center.wait("output", frames).await;
    let at_us = cronfleet_agent::host::decode_frames(&frames).unwrap()[0].at_us as i64;
    let after_us = (at_us - start.at.as_microsecond()).abs();
    assert!(after_us < 2_000_000, "output has the center's time");
    agent.stop().await;
}

#[tokio::test]
async fn much_output_arrives_whole_and_in_order() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    let mut launch = rig.stamped("seq 1 400000; echo end >&2");
    launch.output.cap_bytes = 16 << 20;
    let order = order(launch, soon());
    rig.center.order(std::slice::from_ref(&order)).await;
    let claim = rig.center.over(order.run).await;
    assert_eq!(end(&claim).output.dropped_bytes, 0);
    let output = rig.center.output(order.run).await;
    assert_eq!(output.len() as u64, end(&claim).output.written_bytes);
    let numbers: Vec<u32> = output
        .lines()
        .filter_map(|line| line.parse().ok())
        .collect();
    assert_eq!(numbers.len(), 400_000);
    assert!(numbers.is_sorted());
    agent.stop().await;
}

#[tokio::test]
async fn an_agent_that_takes_its_processes_along_says_so() {
    let rig = Rig::new().await;
    let agent = crate::rig::RunningAgent::start(stopping(rig.config()));
    let order = order(rig.stamped("echo started; exec sleep 60"), soon());
    let waiting = crate::rig::order(
        rig.stamped("true"),
        Timestamp::now() + Duration::from_secs(60),
    );
    rig.center.order(&[order.clone(), waiting.clone()]).await;
    let run = order.run;
    rig.center.printed(run, "started").await;
    agent.stop().await;
    let claim = rig.center.over(run).await;
    assert_eq!(end(&claim).stopped_for, Some(StopCause::Shutdown));
    assert!(rig.center.output(run).await.contains("started"));
    assert_eq!(
        rig.center.state().claims[&waiting.run],
        [Claim::Accepted],
        "it waits for the next agent"
    );
}
