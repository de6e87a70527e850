use std::sync::Arc;

use cronfleet_core::cgroup::{CgroupMode, CgroupSupport, Controller};
use cronfleet_core::id::AgentId;
use cronfleet_core::order::KillMeans;
use cronfleet_core::policy::ExecMode;
use cronfleet_core::run::{Outcome, Reason, RunState};
use cronfleet_store::{
    AgentFacts, AgentFilter, AgentPolicy, AgentState, AgentUpdate, Conflict, Heartbeat,
    NewJoinToken, Said, SpoolLevel, StoreError,
};
use uuid::Uuid;

use crate::world::{ADMIN, ALL, World, at, daemon, new_agent, only, scheduled, secret};

conformance! {
    a_token_lets_in_as_many_agents_as_it_says,
    fifty_agents_at_once_share_ten_uses,
    an_agent_waits_until_it_is_approved,
    a_key_joins_once,
    each_session_has_a_higher_epoch,
    an_old_session_can_do_nothing,
    a_lost_session_makes_runs_unreachable_and_a_new_one_reachable,
    revoking_ends_everything_once,
    agents_are_seen_by_those_whose_groups_they_serve,
    agents_are_filtered_and_listed_in_pages,
    heartbeats_are_stored_together,
    a_policy_is_kept_as_it_was_told_last,
}

fn token(number: u8, uses_max: u32, is_preapproved: bool) -> NewJoinToken {
    NewJoinToken {
        id: Uuid::from_u128(u128::from(number)),
        secret: secret(number),
        groups: vec![],
        is_preapproved,
        uses_max,
        expires_at: at(100),
        created_by: ADMIN,
    }
}

async fn a_token_lets_in_as_many_agents_as_it_says(w: World) {
    let group = w.group(1).await;
    w.store
        .create_join_token(
            &NewJoinToken {
                groups: vec![group],
                ..token(1, 2, true)
            },
            at(0),
        )
        .await
        .unwrap();
    assert!(w.store.is_join_token_good(secret(1), at(99)).await.unwrap());
    for number in 1..=2 {
        let state = w
            .store
            .join_agent(secret(1), &new_agent(number), at(1))
            .await
            .unwrap();
        assert_eq!(state, AgentState::Active);
    }
    for (hash, now) in [(secret(1), at(1)), (secret(2), at(1))] {
        let refused = w.store.join_agent(hash, &new_agent(3), now).await;
        assert!(
            matches!(
                refused,
                Err(StoreError::Conflict(Conflict::JoinTokenRefused))
            ),
            "{refused:?}"
        );
    }
    assert_eq!(w.store.agents_serving(group).await.unwrap().len(), 2);
    w.store
        .create_join_token(&token(3, 1, true), at(0))
        .await
        .unwrap();
    let expired = w.store.join_agent(secret(3), &new_agent(3), at(100)).await;
    assert!(
        matches!(
            expired,
            Err(StoreError::Conflict(Conflict::JoinTokenRefused))
        ),
        "{expired:?}"
    );
    assert!(
        !w.store
            .is_join_token_good(secret(3), at(100))
            .await
            .unwrap()
    );
}

async fn fifty_agents_at_once_share_ten_uses(w: World) {
    w.store
        .create_join_token(&token(1, 10, true), at(0))
        .await
        .unwrap();
    let store = Arc::new(w.store.clone());
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..50 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            store
                .join_agent(secret(1), &new_agent(number), at(1))
                .await
                .is_ok()
        });
    }
    let joined = tasks
        .join_all()
        .await
        .into_iter()
        .filter(|is_in| *is_in)
        .count();
    assert_eq!(joined, 10);
    assert_eq!(
        w.store
            .agents(&ALL, &AgentFilter::default(), None, 100)
            .await
            .unwrap()
            .items
            .len(),
        10
    );
}

async fn an_agent_waits_until_it_is_approved(w: World) {
    let (group, other) = (w.group(1).await, w.group(2).await);
    w.store
        .create_join_token(
            &NewJoinToken {
                groups: vec![group],
                ..token(1, 1, false)
            },
            at(0),
        )
        .await
        .unwrap();
    let agent = new_agent(1);
    assert_eq!(
        w.store.join_agent(secret(1), &agent, at(1)).await.unwrap(),
        AgentState::Pending
    );
    assert_eq!(w.store.agents_serving(group).await.unwrap(), []);
    let session = w.session(agent.id).await;
    let taken = w.store.take_planned(&[&session], at(0), at(9), 9).await;
    assert_eq!(taken.unwrap().refused, [(0, Conflict::AgentState)]);
    w.store
        .approve_agent(agent.id, Some(&[other]))
        .await
        .unwrap();
    assert_eq!(w.store.agents_serving(group).await.unwrap(), []);
    assert_eq!(w.store.agents_serving(other).await.unwrap(), [agent.id]);
    w.store.revoke_agent(agent.id, at(2)).await.unwrap();
    let refused = w.store.approve_agent(agent.id, None).await;
    assert!(
        matches!(refused, Err(StoreError::Conflict(Conflict::AgentState))),
        "{refused:?}"
    );
}

async fn a_key_joins_once(w: World) {
    w.store
        .create_join_token(&token(1, 5, true), at(0))
        .await
        .unwrap();
    w.store
        .join_agent(secret(1), &new_agent(1), at(1))
        .await
        .unwrap();
    let twin = cronfleet_store::NewAgent {
        id: AgentId::from_u128(2),
        ..new_agent(1)
    };
    let taken = w.store.join_agent(secret(1), &twin, at(1)).await;
    assert!(
        matches!(taken, Err(StoreError::Conflict(Conflict::AgentKeyTaken))),
        "{taken:?}"
    );
    for number in 3..=6 {
        assert!(
            w.store
                .join_agent(secret(1), &new_agent(number), at(1))
                .await
                .is_ok(),
            "a refused one uses nothing"
        );
    }
}

async fn each_session_has_a_higher_epoch(w: World) {
    let agent = w.agent(1, &[]).await;
    let cgroups = CgroupSupport {
        mode: CgroupMode::Hybrid,
        kill_means: KillMeans::ControlGroup,
        controllers: vec![Controller::Memory, Controller::Pids],
        detail: "no cpu".to_owned(),
    };
    let facts = AgentFacts {
        hostname: "new".to_owned(),
        cgroups: Some(cgroups.clone()),
        ..AgentFacts::default()
    };
    let mut epochs = Vec::new();
    for (boot, seen) in [("a", 0), ("a", 0), ("b", 40)] {
        let opened = w
            .store
            .open_session(agent, "c", boot, &facts, seen, at(1))
            .await
            .unwrap()
            .unwrap();
        assert!(opened.is_active);
        epochs.push((opened.session.epoch, opened.is_new_boot));
    }
    assert_eq!(epochs, [(1, true), (2, false), (41, true)]);
    let row = w.store.agent(&ALL, agent).await.unwrap().unwrap();
    assert_eq!(
        (
            row.facts.hostname.as_str(),
            row.session_epoch,
            row.boot_id.as_deref()
        ),
        ("new", 41, Some("b"))
    );
    assert_eq!(row.last_seen_at, Some(at(1)));
    assert_eq!(row.facts.cgroups, Some(cgroups));
    let unknown = w
        .store
        .open_session(AgentId::from_u128(9), "c", "a", &facts, 0, at(1))
        .await
        .unwrap();
    assert_eq!(unknown, None);
}

async fn an_old_session_can_do_nothing(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, scheduled("a")).await;
    w.plan_one(job, at(60), agent).await;
    let (old, new) = (w.session(agent).await, w.session(agent).await);
    let taken = w
        .store
        .take_planned(&[&old], at(0), at(100), 9)
        .await
        .unwrap();
    assert_eq!(
        (taken.refused, taken.orders),
        (vec![(0, Conflict::StaleSession)], vec![])
    );
    let run = w.dispatch(&new).await[0];
    let claims = [crate::world::claim(
        run,
        cronfleet_core::order::Claim::Accepted,
    )];
    let said = Said {
        session: &old,
        claims: &claims,
    };
    let applied = w.store.apply_claims(&[said], at(1)).await.unwrap();
    assert_eq!(
        (applied.refused, applied.moved),
        (vec![(0, Conflict::StaleSession)], vec![])
    );
    w.store.close_session(&old, at(5)).await.unwrap();
    assert_eq!(
        w.run(run).await.unreachable_since,
        None,
        "the new session goes on"
    );
}

async fn a_lost_session_makes_runs_unreachable_and_a_new_one_reachable(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, scheduled("a")).await;
    let sent = w.plan_one(job, at(60), agent).await;
    let session = w.session(agent).await;
    w.dispatch(&session).await;
    let planned = w.plan_one(job, at(120), agent).await;
    w.store.close_session(&session, at(5)).await.unwrap();
    assert_eq!(w.run(sent).await.unreachable_since, Some(at(5)));
    assert_eq!(
        w.run(planned).await.unreachable_since,
        None,
        "nobody has it"
    );
    let gone = w.store.close_sessions_of_gone_centers(at(9)).await.unwrap();
    assert_eq!(gone, []);
    assert_eq!(
        w.run(sent).await.unreachable_since,
        Some(at(5)),
        "since the first time"
    );
    assert_eq!(
        w.store
            .lose_unreachable(&w.lease, at(5), at(10), 9)
            .await
            .unwrap(),
        []
    );
    w.session(agent).await;
    assert_eq!(w.run(sent).await.unreachable_since, None);
    let gone = w
        .store
        .close_sessions_of_gone_centers(at(20))
        .await
        .unwrap();
    assert_eq!(gone, [agent]);
    let moved = w
        .store
        .lose_unreachable(&w.lease, at(21), at(22), 9)
        .await
        .unwrap();
    assert_eq!(
        moved.iter().map(|moved| moved.run).collect::<Vec<_>>(),
        [sent]
    );
    let run = w.run(sent).await;
    assert_eq!(
        (run.state, run.reason),
        (RunState::Ended(Outcome::Lost), Some(Reason::AgentGone))
    );
}

async fn revoking_ends_everything_once(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, scheduled("a")).await;
    let sent = w.plan_one(job, at(60), agent).await;
    let session = w.session(agent).await;
    w.dispatch(&session).await;
    let planned = w.plan_one(job, at(120), agent).await;
    let moved = w.store.revoke_agent(agent, at(3)).await.unwrap();
    assert_eq!(moved.len(), 2);
    let (sent, planned) = (w.run(sent).await, w.run(planned).await);
    assert_eq!(
        (sent.state, sent.reason),
        (RunState::Ended(Outcome::Lost), Some(Reason::AgentGone))
    );
    assert_eq!(
        (planned.state, planned.reason),
        (
            RunState::Ended(Outcome::Skipped),
            Some(Reason::AgentRemoved)
        )
    );
    assert_eq!(w.store.revoke_agent(agent, at(4)).await.unwrap(), []);
    let facts = AgentFacts::default();
    assert_eq!(
        w.store
            .open_session(agent, "c", "b", &facts, 0, at(5))
            .await
            .unwrap(),
        None
    );
    let claims = [crate::world::claim(sent.id, crate::world::exited(at(1), 0))];
    let said = Said {
        session: &session,
        claims: &claims,
    };
    let applied = w.store.apply_claims(&[said], at(6)).await.unwrap();
    assert_eq!(applied.refused, [(0, Conflict::StaleSession)]);
}

async fn agents_are_seen_by_those_whose_groups_they_serve(w: World) {
    let (a, b) = (w.group(1).await, w.group(2).await);
    let (mine, shared, other) = (
        w.agent(1, &[a]).await,
        w.agent(2, &[a, b]).await,
        w.agent(3, &[b]).await,
    );
    w.job(1, a, daemon("one", 2)).await;
    w.job(2, b, daemon("two", 3)).await;
    let page = w
        .store
        .agents(&only(&[a]), &AgentFilter::default(), None, 10)
        .await
        .unwrap();
    let seen: Vec<_> = page
        .items
        .iter()
        .map(|agent| (agent.id, agent.groups.clone(), agent.slots_wanted))
        .collect();
    assert_eq!(seen, [(mine, vec![a], 2), (shared, vec![a], 2)]);
    let all = w.store.agent(&ALL, shared).await.unwrap().unwrap();
    assert_eq!((all.groups, all.slots_wanted), (vec![a, b], 5));
    assert!(w.store.agent(&only(&[a]), other).await.unwrap().is_none());
    assert!(w.store.agent(&only(&[]), mine).await.unwrap().is_none());
}

async fn agents_are_filtered_and_listed_in_pages(w: World) {
    let (a, b) = (w.group(1).await, w.group(2).await);
    let mut agents = Vec::new();
    for number in 1..=6 {
        agents.push(
            w.agent(number, &[if number % 2 == 0 { a } else { b }])
                .await,
        );
    }
    w.store.revoke_agent(agents[5], at(1)).await.unwrap();
    let twin = AgentUpdate {
        name: Some("agent 001".to_owned()),
        ..AgentUpdate::default()
    };
    w.store.update_agent(agents[1], &twin, at(1)).await.unwrap();
    let list = async |filter: AgentFilter| {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = w
                .store
                .agents(&ALL, &filter, after.as_ref(), 2)
                .await
                .unwrap();
            found.extend(page.items.into_iter().map(|agent| agent.id));
            after = page.next;
            if after.is_none() {
                return found;
            }
        }
    };
    assert_eq!(list(AgentFilter::default()).await, agents[..5]);
    let filter = AgentFilter {
        group: Some(a),
        ..AgentFilter::default()
    };
    assert_eq!(list(filter).await, [agents[1], agents[3]]);
    let filter = AgentFilter {
        part: "HOST3".to_owned(),
        ..AgentFilter::default()
    };
    assert_eq!(list(filter).await, [agents[2]]);
    let filter = AgentFilter {
        state: Some(AgentState::Revoked),
        ..AgentFilter::default()
    };
    assert_eq!(list(filter).await, [agents[5]]);
    w.session(agents[0]).await;
    w.session(agents[4]).await;
    let filter = |is_online| AgentFilter {
        is_online: Some(is_online),
        ..AgentFilter::default()
    };
    assert_eq!(list(filter(true)).await, [agents[0], agents[4]]);
    assert_eq!(list(filter(false)).await, agents[1..4]);
    assert_eq!(w.store.count_online(&agents).await.unwrap(), 2);
    assert_eq!(w.store.count_online(&agents[1..4]).await.unwrap(), 0);
}

async fn heartbeats_are_stored_together(w: World) {
    let agents = [w.agent(1, &[]).await, w.agent(2, &[]).await];
    let heartbeat = |agent, seconds| Heartbeat {
        agent,
        seen_at: at(seconds),
        load_1m: 1.25,
        memory_available_bytes: 1 << 33,
        running_count: 3,
        clock_offset_us: Some(-40),
        round_trip_us: None,
        spool: (agent == agents[1]).then_some(SpoolLevel {
            bytes: seconds.unsigned_abs(),
            max_bytes: 1 << 33,
            dropped_count: 2,
        }),
    };
    w.store
        .put_heartbeats(&[heartbeat(agents[0], 5), heartbeat(agents[1], 6)])
        .await
        .unwrap();
    w.store
        .put_heartbeats(&[heartbeat(agents[1], 6)])
        .await
        .unwrap();
    let silent = w.store.agent(&ALL, agents[0]).await.unwrap().unwrap();
    assert_eq!(silent.spool, None);
    let row = w.store.agent(&ALL, agents[1]).await.unwrap().unwrap();
    assert_eq!(
        row.spool,
        Some(SpoolLevel {
            bytes: 6,
            max_bytes: 1 << 33,
            dropped_count: 2
        })
    );
    assert_eq!(
        (row.load_1m, row.memory_available_bytes, row.running_count),
        (1.25, 1 << 33, 3)
    );
    assert_eq!(
        (row.clock_offset_us, row.round_trip_us, row.last_seen_at),
        (Some(-40), None, Some(at(6)))
    );
    w.store.put_certificate(agents[0], "ff").await.unwrap();
    assert_eq!(
        w.store
            .agent(&ALL, agents[0])
            .await
            .unwrap()
            .unwrap()
            .certificate_serial,
        "ff"
    );
}

async fn a_policy_is_kept_as_it_was_told_last(w: World) {
    let agent = w.agent(1, &[]).await;
    let row = || async { w.store.agent(&ALL, agent).await.unwrap().unwrap() };
    assert_eq!(row().await.policy, None);
    let policy = AgentPolicy {
        file: Some("/etc/cronfleet/agent-policy.toml".to_owned()),
        digest: "ab".repeat(32),
        read_at: at(1),
        reload_error: None,
        is_root_denied: true,
        min_uid: 1_000,
        run_as_allow: vec!["app".to_owned(), "svc-*".to_owned()],
        exec_mode: ExecMode::Dirs,
        are_shells_allowed: false,
        are_scripts_allowed: true,
        refused_count: 0,
        last_refused_at: None,
        last_refusal: None,
    };
    let old = w.session(agent).await;
    w.store.put_policy(&old, &policy).await.unwrap();
    assert_eq!(row().await.policy.as_ref(), Some(&policy));
    let session = w.session(agent).await;
    let refused = AgentPolicy {
        refused_count: 2,
        last_refused_at: Some(at(5)),
        last_refusal: Some("run_as.deny_root: root has uid 0".to_owned()),
        ..policy.clone()
    };
    w.store.put_policy(&session, &refused).await.unwrap();
    let stale = w.store.put_policy(&old, &policy).await;
    assert!(
        matches!(stale, Err(StoreError::Conflict(Conflict::StaleSession))),
        "{stale:?}"
    );
    assert_eq!(row().await.policy, Some(refused.clone()));
    let endless = AgentPolicy {
        run_as_allow: vec!["x".repeat(10_000); 1_000],
        ..refused
    };
    w.store.put_policy(&session, &endless).await.unwrap();
    let kept = row().await.policy.unwrap().run_as_allow;
    assert!(
        kept.len() <= 100 && kept[0].len() <= 500,
        "an agent cannot fill the table"
    );
}
