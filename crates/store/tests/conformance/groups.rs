use cronfleet_core::access::Role;
use cronfleet_core::id::{AgentId, UserId};
use cronfleet_core::run::{Outcome, Reason, RunState};
use cronfleet_store::{Conflict, GroupUpdate, NewGroup, StoreError, Thing};

use crate::world::{ADMIN, ALL, World, at, only, run_at, scheduled};

conformance! {
    a_group_shows_its_lists,
    names_are_unique,
    only_groups_within_reach_are_listed,
    a_group_that_owns_jobs_stays,
    taking_an_agent_away_withdraws_its_runs,
    members_come_and_go,
}

async fn a_group_shows_its_lists(w: World) {
    let group = w.group(1).await;
    let agents = [w.agent(11, &[group]).await, w.agent(10, &[group]).await];
    w.user(UserId::from_u128(1), "zoe", false).await;
    w.user(UserId::from_u128(2), "ann", false).await;
    w.member(UserId::from_u128(1), group, Role::Owner).await;
    w.member(UserId::from_u128(2), group, Role::Viewer).await;
    w.job(1, group, scheduled("a")).await;
    let row = w.store.group(&ALL, group).await.unwrap().unwrap();
    assert_eq!(row.run_as, ["app"]);
    assert_eq!(row.agents, [agents[1], agents[0]], "sorted");
    let members: Vec<_> = row
        .members
        .iter()
        .map(|member| (member.login.as_str(), member.role))
        .collect();
    assert_eq!(members, [("ann", Role::Viewer), ("zoe", Role::Owner)]);
    assert_eq!(row.job_count, 1);
    assert_eq!(
        w.store.agents_serving(group).await.unwrap(),
        [agents[1], agents[0]]
    );
}

async fn names_are_unique(w: World) {
    let (group, other) = (w.group(1).await, w.group(2).await);
    let rename = GroupUpdate {
        name: Some("group 001".to_owned()),
        ..GroupUpdate::default()
    };
    let taken = w.store.update_group(other, &rename, at(0)).await;
    assert!(
        matches!(taken, Err(StoreError::Conflict(Conflict::GroupNameTaken))),
        "{taken:?}"
    );
    let (row, _) = w.store.update_group(group, &rename, at(0)).await.unwrap();
    assert_eq!(row.name, "group 001", "a group may keep its name");
    let new = NewGroup {
        id: cronfleet_core::id::GroupId::from_u128(3),
        name: "group 001".to_owned(),
        description: String::new(),
        run_as: vec![],
        agents: vec![],
    };
    let taken = w.store.create_group(&new, at(0)).await;
    assert!(
        matches!(taken, Err(StoreError::Conflict(Conflict::GroupNameTaken))),
        "{taken:?}"
    );
    let unknown = NewGroup {
        name: "x".to_owned(),
        agents: vec![AgentId::from_u128(99)],
        ..new
    };
    let missing = w.store.create_group(&unknown, at(0)).await;
    assert!(
        matches!(missing, Err(StoreError::Missing { what: Thing::Agent })),
        "{missing:?}"
    );
    assert!(
        w.store.group(&ALL, unknown.id).await.unwrap().is_none(),
        "nothing is left of it"
    );
}

async fn only_groups_within_reach_are_listed(w: World) {
    let mut groups = Vec::new();
    for number in 1..=5 {
        groups.push(w.group(number).await);
    }
    let reach = only(&[groups[0], groups[2], groups[4]]);
    let first = w.store.groups(&reach, None, 2).await.unwrap();
    let second = w
        .store
        .groups(&reach, first.next.as_ref(), 2)
        .await
        .unwrap();
    let found: Vec<_> = first
        .items
        .iter()
        .chain(&second.items)
        .map(|group| group.id)
        .collect();
    assert_eq!(found, [groups[0], groups[2], groups[4]]);
    assert_eq!(second.next, None);
    assert_eq!(w.store.groups(&only(&[]), None, 9).await.unwrap().items, []);
    assert!(
        w.store
            .group(&only(&[groups[0]]), groups[1])
            .await
            .unwrap()
            .is_none()
    );
}

async fn a_group_that_owns_jobs_stays(w: World) {
    let group = w.group(1).await;
    w.member(ADMIN, group, Role::Owner).await;
    w.agent(1, &[group]).await;
    let job = w.job(1, group, scheduled("a")).await;
    let refused = w.store.delete_group(group).await;
    assert!(
        matches!(refused, Err(StoreError::Conflict(Conflict::GroupOwnsJobs))),
        "{refused:?}"
    );
    w.store.delete_job(job, at(1)).await.unwrap();
    w.store.delete_group(group).await.unwrap();
    assert!(w.store.group(&ALL, group).await.unwrap().is_none());
    let missing = w.store.delete_group(group).await;
    assert!(
        matches!(missing, Err(StoreError::Missing { what: Thing::Group })),
        "{missing:?}"
    );
}

async fn taking_an_agent_away_withdraws_its_runs(w: World) {
    let group = w.group(1).await;
    let (stays, leaves) = (w.agent(1, &[group]).await, w.agent(2, &[group]).await);
    let job = w.job(1, group, scheduled("a")).await;
    let (soon, later) = (
        run_at(job, 1, at(5), leaves),
        run_at(job, 1, at(30), leaves),
    );
    let (other, planned) = (
        run_at(job, 1, at(30), stays),
        run_at(job, 1, at(90), leaves),
    );
    let ids = [soon.id, later.id, other.id, planned.id];
    w.plan(job, vec![soon, later, other]).await;
    w.dispatch(&w.session(leaves).await).await;
    w.plan(job, vec![planned]).await;
    let update = GroupUpdate {
        agents: Some(vec![stays]),
        ..GroupUpdate::default()
    };
    let (row, withdrawn) = w.store.update_group(group, &update, at(10)).await.unwrap();
    assert_eq!(row.agents, [stays]);
    let revoked: Vec<_> = withdrawn
        .revoke
        .iter()
        .map(|one| (one.agent, one.run, one.reason))
        .collect();
    assert_eq!(
        revoked,
        [(leaves, ids[1], Reason::AgentRemoved)],
        "what is due before may have started"
    );
    assert_eq!(
        withdrawn
            .moved
            .iter()
            .map(|moved| moved.run)
            .collect::<Vec<_>>(),
        [ids[3]]
    );
    assert_eq!(w.state(ids[3]).await, RunState::Ended(Outcome::Skipped));
    assert_eq!(w.run(ids[3]).await.reason, Some(Reason::AgentRemoved));
    assert_eq!(w.state(ids[2]).await, RunState::Planned);
}

async fn members_come_and_go(w: World) {
    let group = w.group(1).await;
    let nobody = w
        .store
        .put_member(group, UserId::from_u128(77), Role::Viewer)
        .await;
    assert!(
        matches!(nobody, Err(StoreError::Missing { what: Thing::User })),
        "{nobody:?}"
    );
    w.member(ADMIN, group, Role::Viewer).await;
    assert!(w.store.delete_member(group, ADMIN).await.unwrap());
    assert!(!w.store.delete_member(group, ADMIN).await.unwrap());
}
