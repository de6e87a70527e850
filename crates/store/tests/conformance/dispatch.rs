use std::time::Duration;

use cronfleet_core::access::Reach;
use cronfleet_core::id::AgentId;
use cronfleet_core::jitter;
use cronfleet_core::job::{JobKind, JobSpec, Overlap, Target};
use cronfleet_core::order::{Claim, Order};
use cronfleet_core::run::{Outcome, Reason, RunState};
use cronfleet_core::run_limits::RunLimits;
use cronfleet_core::secret::{Given, SecretUse};
use cronfleet_store::{AgentUpdate, Conflict, Said, Session, Timing};

use crate::world::{ADMIN, World, at, claim, daemon, run_at, running, scheduled, taken};

conformance! {
    orders_carry_what_the_agent_needs,
    only_what_is_near_is_sent_and_once,
    two_sessions_never_send_the_same_run,
    many_sessions_are_given_their_own_in_one_go,
    what_was_sent_can_be_sent_again,
    what_was_never_sent_expires,
    what_an_agent_is_too_old_for_is_withheld,
    what_the_agent_has_is_told_at_connect,
    daemons_are_those_of_the_agent,
    an_agent_has_limits_and_runs_that_wait,
}

async fn orders_carry_what_the_agent_needs(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let mut spec = scheduled("a");
    if let JobKind::Scheduled(scheduled) = &mut spec.kind {
        scheduled.overlap = Overlap::Queue { max: 3 };
        scheduled.timeout = Some(Duration::from_secs(5));
        scheduled.jitter = Duration::from_secs(600);
    }
    let job = w.job(1, group, spec.clone()).await;
    let run = run_at(job, 1, at(60), agent);
    w.plan(job, vec![run.clone()]).await;
    let session = w.session(agent).await;
    let orders = taken(&w.store, &session, at(50), at(60), 10).await;
    let order = &orders[0];
    assert_eq!(
        (
            order.run,
            order.job,
            order.job_name.as_str(),
            order.job_version
        ),
        (run.id, job, "a", 1)
    );
    assert_eq!(
        (order.due, order.not_before, order.not_after),
        (at(60), at(60), at(120))
    );
    assert_eq!(
        (order.overlap, order.timeout),
        (Overlap::Queue { max: 3 }, Some(Duration::from_secs(5)))
    );
    let wait = jitter::wait(Duration::from_secs(600), job, agent, 0);
    assert_eq!(
        order.jitter, wait,
        "so that the agent knows that it is not late"
    );
    assert_eq!(order.launch, spec.launch);
    let row = w.run(run.id).await;
    assert_eq!(
        (row.state, row.dispatched_at),
        (RunState::Dispatched, Some(at(50)))
    );
}

async fn only_what_is_near_is_sent_and_once(w: World) {
    let group = w.group(1).await;
    let (agent, other) = (w.agent(1, &[group]).await, w.agent(2, &[group]).await);
    let job = w.job(1, group, scheduled("a")).await;
    let runs: Vec<_> = [300, 60, 120, 180]
        .into_iter()
        .map(|due| run_at(job, 1, at(due), agent))
        .collect();
    let ids: Vec<_> = runs.iter().map(|run| run.id).collect();
    w.plan(job, [runs, vec![run_at(job, 1, at(60), other)]].concat())
        .await;
    assert_eq!(
        w.store.agents_with_planned(at(60), at(60)).await.unwrap(),
        [agent, other]
    );
    let session = w.session(agent).await;
    let take = async |now, until, limit| {
        let orders = taken(&w.store, &session, now, until, limit).await;
        orders
            .into_iter()
            .map(|order| order.run)
            .collect::<Vec<_>>()
    };
    assert_eq!(take(at(0), at(59), 10).await, []);
    assert_eq!(
        take(at(0), at(180), 2).await,
        [ids[1], ids[2]],
        "earliest first"
    );
    assert_eq!(take(at(0), at(180), 10).await, [ids[3]]);
    assert_eq!(take(at(361), at(400), 10).await, [], "too late to start");
    assert_eq!(w.state(ids[0]).await, RunState::Planned);
}

async fn two_sessions_never_send_the_same_run(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, scheduled("a")).await;
    let runs: Vec<_> = (1..=100)
        .map(|minute| run_at(job, 1, at(60 * minute), agent))
        .collect();
    w.plan(job, runs).await;
    let session = w.session(agent).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let (store, session) = (w.store.clone(), session.clone());
        tasks.spawn(async move { taken(&store, &session, at(0), at(100_000), 30).await });
    }
    let mut sent: Vec<_> = tasks
        .join_all()
        .await
        .into_iter()
        .flatten()
        .map(|order| order.run)
        .collect();
    assert_eq!(sent.len(), 100);
    sent.sort_unstable();
    sent.dedup();
    assert_eq!(sent.len(), 100);
}

async fn what_an_agent_is_too_old_for_is_withheld(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let mut secretive = scheduled("secretive");
    secretive.launch.secrets = vec![SecretUse {
        name: "db".into(),
        given: Given::Environment("DB".into()),
    }];
    let secretive = w.job(1, group, secretive).await;
    let plain = w.job(2, group, scheduled("plain")).await;
    let near = run_at(secretive, 1, at(60), agent);
    let far = run_at(secretive, 1, at(90), agent);
    let other = run_at(plain, 1, at(60), agent);
    w.plan(secretive, vec![near.clone(), far.clone()]).await;
    w.plan(plain, vec![other.clone()]).await;
    let session = w.session(agent).await;
    let (now, until) = (at(50), at(65));
    let withhold = || {
        let can = |order: &Order| order.launch.secrets.is_empty();
        w.store.withhold_runs(&session, now, until, 100, can)
    };
    let moved = withhold().await.unwrap();
    assert_eq!(
        moved.iter().map(|moved| moved.run).collect::<Vec<_>>(),
        [near.id]
    );
    let row = w.run(near.id).await;
    assert_eq!(
        (row.state, row.reason, row.ended_at),
        (
            RunState::Ended(Outcome::Missed),
            Some(Reason::AgentTooOld),
            Some(now)
        )
    );
    assert_eq!(w.run(far.id).await.state, RunState::Planned);
    assert_eq!(w.run(other.id).await.state, RunState::Planned);
    assert!(withhold().await.unwrap().is_empty());
    let orders = taken(&w.store, &session, now, until, 10).await;
    assert_eq!(
        orders.iter().map(|order| order.run).collect::<Vec<_>>(),
        [other.id]
    );
}

async fn many_sessions_are_given_their_own_in_one_go(w: World) {
    let group = w.group(1).await;
    let job = w.job(1, group, scheduled("a")).await;
    let mut agents = Vec::new();
    for number in 1..=5 {
        agents.push(w.agent(number, &[group]).await);
    }
    let runs = (1..=10).flat_map(|minute| {
        let due = at(60 * minute);
        agents.iter().map(move |agent| run_at(job, 1, due, *agent))
    });
    let runs: Vec<_> = runs.collect();
    w.plan(job, runs.clone()).await;
    let mut sessions = Vec::new();
    for agent in &agents {
        sessions.push(w.session(*agent).await);
    }
    w.session(agents[1]).await;
    let all: Vec<&Session> = sessions.iter().collect();
    let take = async |limit| {
        w.store
            .take_planned(&all, at(0), at(300), limit)
            .await
            .unwrap()
    };
    let first = take(12).await;
    assert_eq!(first.refused, [(1, Conflict::StaleSession)]);
    assert!(first.has_more);
    let second = take(12).await;
    assert!(!second.has_more);
    assert_eq!(
        (first.orders.len(), second.orders.len()),
        (12, 8),
        "four agents, five minutes"
    );
    let dues: Vec<_> = first.orders.iter().map(|(_, order)| order.due).collect();
    assert!(dues.is_sorted(), "earliest first");
    for (agent, order) in first.orders.iter().chain(&second.orders) {
        let run = runs.iter().find(|run| run.id == order.run).unwrap();
        assert_eq!(run.key.agent, *agent);
        let row = w.run(order.run).await;
        assert_eq!((row.state, row.agent), (RunState::Dispatched, *agent));
        // What it says is heard in this session.
        let session = sessions
            .iter()
            .find(|session| session.agent == *agent)
            .unwrap();
        assert_eq!(
            w.claim(session, order.run, Claim::Accepted)
                .await
                .moved
                .len(),
            1
        );
    }
}

async fn what_was_sent_can_be_sent_again(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, scheduled("a")).await;
    let (first, second) = (
        w.plan_one(job, at(60), agent).await,
        w.plan_one(job, at(120), agent).await,
    );
    let session = w.session(agent).await;
    w.dispatch(&session).await;
    let planned = w.plan_one(job, at(180), agent).await;
    w.claim(&session, first, Claim::Accepted).await;
    let orders = w
        .store
        .orders_again(agent, &[planned, second, first])
        .await
        .unwrap();
    assert_eq!(
        orders.iter().map(|order| order.run).collect::<Vec<_>>(),
        [second]
    );
    assert_eq!(
        w.store
            .orders_again(AgentId::from_u128(9), &[second])
            .await
            .unwrap(),
        []
    );
    let timing = Timing {
        next_due: None,
        is_reboot: false,
    };
    w.store
        .replace_job(job, 1, &scheduled("new name"), timing, ADMIN, at(1))
        .await
        .unwrap();
    let orders = w.store.orders_again(agent, &[second]).await.unwrap();
    assert_eq!(orders[0].job_name, "a", "by the version it was planned for");
}

async fn what_was_never_sent_expires(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, scheduled("a")).await;
    let sent = w.plan_one(job, at(10), agent).await;
    w.dispatch(&w.session(agent).await).await;
    let runs: Vec<_> = [20, 40, 1_000]
        .into_iter()
        .map(|due| run_at(job, 1, at(due), agent))
        .collect();
    let ids: Vec<_> = runs.iter().map(|run| run.id).collect();
    w.plan(job, runs).await;
    assert_eq!(
        w.store
            .expire_planned(&w.lease, at(80), at(90), 10)
            .await
            .unwrap(),
        [],
        "80 is still in time"
    );
    let moved = w
        .store
        .expire_planned(&w.lease, at(200), at(90), 10)
        .await
        .unwrap();
    let mut moved: Vec<_> = moved
        .iter()
        .map(|moved| (moved.run, moved.reason))
        .collect();
    moved.sort_unstable_by_key(|(run, _)| *run);
    assert_eq!(
        moved,
        [
            (ids[0], Some(Reason::CenterDown)),
            (ids[1], Some(Reason::AgentOffline))
        ]
    );
    assert_eq!(w.state(ids[0]).await, RunState::Ended(Outcome::Missed));
    assert_eq!(w.state(ids[2]).await, RunState::Planned);
    assert_eq!(
        w.state(sent).await,
        RunState::Dispatched,
        "only its agent can tell"
    );
    assert_eq!(
        w.store
            .expire_planned(&w.lease, at(200), at(90), 10)
            .await
            .unwrap(),
        []
    );
}

async fn what_the_agent_has_is_told_at_connect(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, scheduled("a")).await;
    let (first, second) = (
        w.plan_one(job, at(60), agent).await,
        w.plan_one(job, at(120), agent).await,
    );
    let session = w.session(agent).await;
    w.dispatch(&session).await;
    w.plan_one(job, at(180), agent).await;
    w.claim(&session, second, running(at(120))).await;
    w.store.request_kill(second, ADMIN, at(121)).await.unwrap();
    let outstanding = w.store.outstanding(agent).await.unwrap();
    let found: Vec<_> = outstanding
        .iter()
        .map(|one| (one.run, one.state, one.is_kill_requested))
        .collect();
    assert_eq!(
        found,
        [
            (first, RunState::Dispatched, false),
            (second, RunState::Running, true)
        ]
    );
    assert_eq!(outstanding[0].not_before, at(60));
}

async fn daemons_are_those_of_the_agent(w: World) {
    let (a, b) = (w.group(1).await, w.group(2).await);
    let (agent, other) = (w.agent(1, &[a]).await, w.agent(2, &[b]).await);
    let all = w.job(1, a, daemon("all", 3)).await;
    let chosen = JobSpec {
        target: Target::Agents(vec![agent, other]),
        ..daemon("chosen", 1)
    };
    let chosen = w.job(2, a, chosen).await;
    let elsewhere = JobSpec {
        target: Target::Agents(vec![other]),
        ..daemon("elsewhere", 1)
    };
    w.job(3, a, elsewhere).await;
    w.job(4, a, scheduled("scheduled")).await;
    let paused = w.job(5, a, daemon("paused", 1)).await;
    w.store.pause_job(paused, at(1)).await.unwrap();
    let orders = w.store.daemon_orders(agent).await.unwrap();
    let found: Vec<_> = orders
        .iter()
        .map(|order| (order.job, order.processes))
        .collect();
    assert_eq!(found, [(all, 3), (chosen, 1)]);
    assert_eq!(
        (
            orders[0].job_name.as_str(),
            orders[0].policy.crash_loop_failures
        ),
        ("all", 5)
    );
    assert_eq!(
        w.store.daemon_orders(other).await.unwrap(),
        [],
        "it does not serve the group"
    );
    w.store.revoke_agent(agent, at(2)).await.unwrap();
    assert_eq!(w.store.daemon_orders(agent).await.unwrap(), []);
}

async fn an_agent_has_limits_and_runs_that_wait(w: World) {
    let (ours, theirs) = (w.group(1).await, w.group(2).await);
    let agent = w.agent(1, &[ours, theirs]).await;
    let limits = |running_max, starts_per_second| RunLimits {
        running_max,
        starts_per_second,
    };
    for limits in [
        limits(Some(16), None),
        limits(None, Some(5)),
        limits(None, None),
    ] {
        let update = AgentUpdate {
            run_limits: Some(limits),
            ..AgentUpdate::default()
        };
        w.store.update_agent(agent, &update, at(1)).await.unwrap();
        let nothing = AgentUpdate::default();
        w.store.update_agent(agent, &nothing, at(1)).await.unwrap();
        let standing = w.store.agent_standing(agent).await.unwrap().unwrap();
        assert_eq!(standing.run_limits, limits);
        let row = w.store.agent(&Reach::Everything, agent).await.unwrap();
        assert_eq!(row.unwrap().run_limits, limits);
    }

    let session = w.session(agent).await;
    for (number, group) in [(1, ours), (2, theirs)] {
        let job = w.job(number, group, scheduled("a")).await;
        let runs = [60, 70, 80, 90].map(|due| run_at(job, 1, at(due), agent));
        w.plan(job, runs.to_vec()).await;
    }
    let orders = taken(&w.store, &session, at(50), at(90), 100).await;
    // All but the last of each job are accepted, and the first of each runs.
    let mut claims: Vec<_> = orders
        .iter()
        .filter(|order| order.due < at(90))
        .map(|order| claim(order.run, Claim::Accepted))
        .collect();
    let first = orders.iter().filter(|order| order.due == at(60));
    claims.extend(first.map(|order| claim(order.run, running(at(60)))));
    let said = Said {
        session: &session,
        claims: &claims,
    };
    w.store.apply_claims(&[said], at(60)).await.unwrap();
    let waiting = async |reach: &Reach, now| w.store.waiting_runs(reach, agent, now).await.unwrap();
    let found = waiting(&Reach::Everything, at(85)).await;
    assert_eq!((found.count, found.since), (4, Some(at(70))));
    let found = waiting(&Reach::Groups(vec![ours]), at(75)).await;
    assert_eq!((found.count, found.since), (1, Some(at(70))));
    let found = waiting(&Reach::Everything, at(65)).await;
    assert_eq!((found.count, found.since), (0, None));
}
