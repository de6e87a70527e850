//! Joining a center, and who it may be.

use std::fs;
use std::time::Duration;

use cronfleet_agent::{AgentError, DialError, Identity, IdentityError, JoinError, join};

use crate::center::TestCenter;
use crate::rig::{Rig, RunningAgent};

#[tokio::test]
async fn an_agent_that_joined_holds_a_session() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    rig.center
        .wait("heartbeats", |state| {
            (state.heartbeats.len() > 3).then_some(())
        })
        .await;
    let facts = rig.center.state().facts.clone().unwrap();
    assert!(!facts.hostname.is_empty() && facts.cpu_count > 0 && !facts.boot_id.is_empty());
    let measured = *rig.center.state().heartbeats.last().unwrap();
    let offset_us = measured.clock_offset_us.unwrap();
    assert!(offset_us.abs() < 50_000, "{measured:?}");
    agent.stop().await;
}

#[tokio::test]
async fn the_token_stays_home_unless_the_center_proves_to_be_the_one() {
    let center = TestCenter::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut token = center.token.clone();
    token.ca_sha256[31] ^= 1;
    let joined = join(std::slice::from_ref(&center.address), &token, dir.path()).await;
    assert!(
        matches!(joined, Err(JoinError::Dial(DialError::WrongCenter { .. }))),
        "{joined:?}"
    );
    assert_eq!(center.state().joins, 0, "nothing was sent");
    assert!(matches!(
        Identity::load(dir.path()),
        Err(IdentityError::Missing { .. })
    ));
}

#[tokio::test]
async fn a_refused_token_leaves_nothing_behind() {
    let center = TestCenter::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut token = center.token.clone();
    token.secret[0] ^= 1;
    let joined = join(std::slice::from_ref(&center.address), &token, dir.path()).await;
    assert!(
        matches!(joined, Err(JoinError::Refused { .. })),
        "{joined:?}"
    );
    assert!(!Identity::exists(dir.path()));
}

#[tokio::test]
async fn addresses_are_tried_in_turn_and_joining_twice_is_refused() {
    let center = TestCenter::start().await;
    let dir = tempfile::tempdir().unwrap();
    // Its port is nobody else's, and nobody listens there.
    let silent = tokio::net::TcpSocket::new_v4().unwrap();
    silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let refusing = silent.local_addr().unwrap().to_string();
    let centers = [refusing, center.address.clone()];
    let identity = join(&centers, &center.token, dir.path()).await.unwrap();
    assert_eq!(identity.centers, centers);
    let again = join(&centers, &center.token, dir.path()).await;
    assert!(matches!(again, Err(JoinError::Joined { agent }) if agent == identity.agent));
}

#[tokio::test]
async fn two_agents_do_not_share_a_directory_and_none_works_without_an_identity() {
    let rig = Rig::new().await;
    let agent = rig.agent();
    let second = cronfleet_agent::Agent::open(rig.config());
    assert!(matches!(second, Err(AgentError::InUse { .. })));
    agent.stop().await;
    fs::remove_file(rig.path("agent/identity.json")).unwrap();
    let third = cronfleet_agent::Agent::open(rig.config());
    assert!(matches!(
        third,
        Err(AgentError::Identity(IdentityError::Missing { .. }))
    ));
}

#[tokio::test]
async fn a_certificate_is_renewed_before_it_ends() {
    let center = TestCenter::start().await;
    center.state().certificate_life = Duration::from_secs(3);
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("agent");
    let first = join(
        std::slice::from_ref(&center.address),
        &center.token,
        &data_dir,
    )
    .await
    .unwrap();
    center.state().certificate_life = Duration::from_secs(3_600);
    let rig = Rig::of(center, dir);
    let agent = RunningAgent::start(rig.config());
    rig.center
        .wait("a renewal", |state| (state.renewals == 1).then_some(()))
        .await;
    crate::rig::until("the new certificate is stored", || {
        Identity::load(&data_dir).is_ok_and(|identity| identity.certificate != first.certificate)
    })
    .await;
    let renewed = Identity::load(&data_dir).unwrap();
    assert_eq!(
        renewed.key, first.key,
        "the key is what the center knows it by"
    );
    // The next session works with it.
    rig.center.disconnect();
    rig.center
        .wait("another session", |state| {
            (state.sessions == 2).then_some(())
        })
        .await;
    agent.stop().await;
}
