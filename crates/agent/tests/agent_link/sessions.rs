//! Sessions that break, centers that are away or out of date.

use std::time::Duration;

use cronfleet_core::order::{Claim, ExitStatus};
use cronfleet_core::run::Reason;
use cronfleet_wire::v1::from_center::Body;
use cronfleet_wire::{convert, v1};
use jiff::Timestamp;

use cronfleet_agent::Config;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::rig::{Rig, RunningAgent, order, until};

fn is_success(claim: &Claim) -> bool {
    matches!(claim, Claim::Ended { end, .. } if end.status == ExitStatus::Exited(0))
}

#[tokio::test]
async fn a_run_needs_no_center_once_its_order_is_here() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    let order = order(
        rig.stamped("echo alone"),
        Timestamp::now() + Duration::from_millis(1_500),
    );
    rig.center.order(std::slice::from_ref(&order)).await;
    rig.center
        .claim(order.run, |claim| (*claim == Claim::Accepted).then_some(()))
        .await;
    rig.center.state().is_away = true;
    rig.center.disconnect();
    until("it has run", || rig.stamps().contains_key(&order.run)).await;
    assert_eq!(rig.center.state().claims[&order.run].len(), 1);
    rig.center.state().is_away = false;
    let claim = rig.center.over(order.run).await;
    assert!(is_success(&claim), "{claim:?}");
    assert_eq!(rig.center.output(order.run).await, "alone\n");
    agent.stop().await;
}

#[tokio::test]
async fn what_is_not_acknowledged_is_told_again() {
    let rig = Rig::new().await;
    rig.center.state().acks = false;
    let agent = rig.agent();
    let order = order(rig.stamped("echo again"), Timestamp::now());
    rig.center.order(std::slice::from_ref(&order)).await;
    rig.center.over(order.run).await;
    rig.center.output(order.run).await;
    rig.center.state().claims.clear();
    rig.center.state().outputs.clear();
    rig.center.state().acks = true;
    rig.center.disconnect();
    assert!(is_success(&rig.center.over(order.run).await));
    assert_eq!(rig.center.output(order.run).await, "again\n");
    assert_eq!(rig.stamps()[&order.run], 1);
    agent.stop().await;
}

#[tokio::test]
async fn an_older_session_epoch_is_refused_even_by_the_next_agent() {
    let rig = Rig::new().await;
    rig.center.state().epoch = 50;
    let agent = rig.agent();
    rig.center
        .wait("a session", |state| (state.sessions == 1).then_some(()))
        .await;
    rig.center
        .wait("heartbeats", |state| {
            (state.heartbeats.len() > 2).then_some(())
        })
        .await;
    agent.stop().await;
    rig.center.state().epoch = 50;
    let heartbeats = rig.center.state().heartbeats.len();
    let agent = rig.agent();
    rig.center
        .wait("attempts", |state| (state.sessions >= 3).then_some(()))
        .await;
    {
        let state = rig.center.state();
        assert_eq!(state.epoch, 52, "50 was refused, and so it grew");
        assert!(state.heartbeats.len() <= heartbeats + 8);
    }
    rig.center
        .wait("a session that holds", |state| {
            (state.heartbeats.len() > heartbeats + 8).then_some(())
        })
        .await;
    agent.stop().await;
}

#[tokio::test]
async fn orders_of_an_older_epoch_are_ignored() {
    let rig = Rig::new().await;
    rig.center.state().epoch = 9;
    let agent = rig.agent();
    let stale = order(rig.stamped("true"), Timestamp::now());
    let fresh = order(rig.stamped("true"), Timestamp::now());
    let orders = vec![convert::order(&stale, 8), convert::order(&fresh, 9)];
    rig.center
        .wait("a session", |state| {
            (state.heartbeats.len() > 1).then_some(())
        })
        .await;
    rig.center.send(Body::Orders(v1::Orders { orders })).await;
    rig.center.over(fresh.run).await;
    assert!(!rig.center.state().claims.contains_key(&stale.run));
    assert_eq!(rig.stamps().len(), 1);
    agent.stop().await;
}

#[tokio::test]
async fn a_silent_center_is_given_up() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    rig.center
        .wait("heartbeats", |state| {
            (state.heartbeats.len() > 2).then_some(())
        })
        .await;
    rig.center.state().is_mute = true;
    rig.center
        .wait("another session", |state| {
            (state.sessions > 1).then_some(())
        })
        .await;
    agent.stop().await;
}

#[tokio::test]
async fn an_unknown_run_is_answered_as_missing_from_the_ledger() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    let unknown = order(rig.stamped("true"), Timestamp::now());
    let runs = vec![convert::id_bytes(unknown.run.as_uuid())];
    rig.center.send(Body::Inquiry(v1::Inquiry { runs })).await;
    let claim = rig.center.over(unknown.run).await;
    assert_eq!(
        claim,
        Claim::Lost {
            reason: Reason::LedgerMissing,
            start: None
        }
    );
    rig.center.order(std::slice::from_ref(&unknown)).await;
    let told_again =
        |state: &crate::center::State| (state.claims[&unknown.run].len() > 1).then_some(());
    rig.center.wait("the same answer", told_again).await;
    assert!(
        rig.stamps().is_empty(),
        "what was declared lost never starts"
    );
    agent.stop().await;
}

/// Another address of a center; dropping it closes the address and every connection through it.
struct Detour {
    address: String,
    _tasks: JoinSet<()>,
}

impl Detour {
    async fn to(center: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut from, _)) = listener.accept().await {
                let mut to = TcpStream::connect(&center).await.unwrap();
                connections.spawn(async move {
                    let _broken = tokio::io::copy_bidirectional(&mut from, &mut to).await;
                });
            }
        });
        Self {
            address,
            _tasks: tasks,
        }
    }
}

#[tokio::test]
async fn an_agent_moves_to_a_center_that_it_has_learned_of_and_remembers_it() {
    let rig = Rig::new().await;
    let first = Detour::to(rig.center.address.clone()).await;
    rig.center.state().centers = vec![first.address.clone(), rig.center.address.clone()];
    let config = Config {
        centers: vec![first.address.clone()],
        ..rig.config()
    };
    let agent = RunningAgent::start(config.clone());
    let sessions =
        |count| move |state: &crate::center::State| (state.sessions >= count).then_some(());
    rig.center.wait("a session", sessions(1)).await;
    until("it is written down", || {
        std::fs::read_to_string(rig.config().data_dir.join("centers.json"))
            .is_ok_and(|text| text.contains(&rig.center.address))
    })
    .await;
    drop(first);
    rig.center.wait("a session elsewhere", sessions(2)).await;
    agent.stop().await;
    let agent = RunningAgent::start(config);
    rig.center
        .wait("a session of the next agent", sessions(3))
        .await;
    agent.stop().await;
}
