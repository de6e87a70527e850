//! Offers: who is asked, who gets the word, and what is in the way of whom.

use std::time::Duration;

use cronfleet_core::id::{AgentId, GroupId, JobId, RunId};
use cronfleet_core::job::{JobKind, JobSpec, Overlap};
use cronfleet_core::order::{Claim, End};
use cronfleet_core::plan::PlannedRun;
use cronfleet_core::run::{Outcome, Reason, RunState};
use cronfleet_core::spread::{Pick, Spread};
use cronfleet_store::{Conflict, OffersDecided, ReleaseAnswer, Session, StoreError};

use crate::world::{ADMIN, ALL, World, at, exited, run_at, running, scheduled};

conformance! {
    the_word_is_given_when_it_is_due,
    who_is_out_of_reach_is_passed_over,
    who_refuses_or_does_not_answer_is_passed_over,
    nobody_is_asked_twice_and_the_last_one_is_waited_for,
    what_is_alive_elsewhere_is_in_the_way,
    a_lost_run_blocks_until_it_is_released,
    what_is_withdrawn_gets_no_word,
    an_agent_shut_out_leaves_its_offers_to_others,
    only_the_center_that_plans_gives_words,
    a_retry_is_offered_too,
    what_nobody_can_start_is_tried_again,
    the_picker_knows_who_is_there,
}

/// A job for one of its agents.
fn any(name: &str, overlap: Overlap) -> JobSpec {
    let mut spec = scheduled(name);
    if let JobKind::Scheduled(scheduled) = &mut spec.kind {
        scheduled.overlap = overlap;
        scheduled.spread = Spread::Some {
            count: 1,
            pick: Pick::Hash,
        };
    }
    spec
}

/// A group with agents that have sessions, and a job for one of them.
struct Fleet {
    w: World,
    group: GroupId,
    sessions: Vec<Session>,
    job: JobId,
}

impl Fleet {
    async fn new(w: World, agents: u128, overlap: Overlap) -> Self {
        let group = w.group(1).await;
        let mut sessions = Vec::new();
        for number in 1..=agents {
            let agent = w.agent(number, &[group]).await;
            sessions.push(w.session(agent).await);
        }
        let job = w.job(1, group, any("a", overlap)).await;
        Self {
            w,
            group,
            sessions,
            job,
        }
    }

    fn offer(&self, due: i64, agent: usize) -> PlannedRun {
        PlannedRun {
            is_offer: true,
            ..run_at(self.job, 1, at(due), self.sessions[agent].agent)
        }
    }

    async fn plan(&self, due: i64, agent: usize) -> RunId {
        let run = self.offer(due, agent);
        self.w.plan(self.job, vec![run.clone()]).await;
        run.id
    }

    /// Sends what is planned for an agent at a moment.
    async fn send(&self, agent: usize, now: i64) -> Vec<RunId> {
        let sessions = [&self.sessions[agent]];
        let taken = self
            .w
            .store
            .take_planned(&sessions, at(now), at(now + 15), 10);
        let orders = taken.await.unwrap().orders;
        assert!(orders.iter().all(|(_, order)| order.is_offer));
        orders.into_iter().map(|(_, order)| order.run).collect()
    }

    /// Plans, sends and hears that the agent has it.
    async fn accepted(&self, due: i64, agent: usize) -> RunId {
        let run = self.plan(due, agent).await;
        assert_eq!(self.send(agent, due - 2).await, [run]);
        self.claim(agent, run, Claim::Accepted).await;
        run
    }

    async fn claim(&self, agent: usize, run: RunId, claim: Claim) {
        self.w.claim(&self.sessions[agent], run, claim).await;
    }

    async fn decide(&self, now: i64) -> OffersDecided {
        let decided = self.w.store.decide_offers(&self.w.lease, at(now), 0.5);
        decided.await.unwrap()
    }

    async fn words(&self, now: i64) -> Vec<RunId> {
        let decided = self.decide(now).await;
        decided.words.into_iter().map(|(_, run)| run).collect()
    }

    async fn end(&self, run: RunId) -> (RunState, Option<Reason>) {
        let row = self.w.run(run).await;
        (row.state, row.reason)
    }

    async fn disconnect(&self, agent: usize, now: i64) {
        let closed = self.w.store.close_session(&self.sessions[agent], at(now));
        closed.await.unwrap();
    }
}

const ELSEWHERE: (RunState, Option<Reason>) = (
    RunState::Ended(Outcome::Skipped),
    Some(Reason::OfferedElsewhere),
);

async fn the_word_is_given_when_it_is_due(w: World) {
    let fleet = Fleet::new(w, 2, Overlap::Forbid).await;
    let run = fleet.plan(60, 0).await;
    assert_eq!(fleet.send(0, 57).await, [], "too early to ask");
    assert_eq!(fleet.send(0, 58).await, [run]);
    assert_eq!(fleet.w.state(run).await, RunState::Offered);
    fleet.claim(0, run, Claim::Accepted).await;
    assert_eq!(fleet.w.state(run).await, RunState::Offered);
    assert_eq!(fleet.decide(59).await.next, Some(at(60)));
    assert_eq!(fleet.words(59).await, []);
    assert_eq!(fleet.words(60).await, [run]);
    assert_eq!(fleet.w.state(run).await, RunState::Accepted);
    assert_eq!(fleet.words(60).await, [], "once");
    let outstanding = fleet.w.store.outstanding(fleet.sessions[0].agent).await;
    let outstanding = outstanding.unwrap();
    assert!(outstanding[0].is_offer && outstanding[0].state == RunState::Accepted);
    fleet.claim(0, run, running(at(60))).await;
    fleet.claim(0, run, exited(at(61), 0)).await;
    assert_eq!(
        fleet.end(run).await,
        (RunState::Ended(Outcome::Succeeded), None)
    );
    assert_eq!(fleet.decide(61).await.next, None);
}

async fn who_is_out_of_reach_is_passed_over(w: World) {
    let fleet = Fleet::new(w, 2, Overlap::Forbid).await;
    let run = fleet.accepted(60, 0).await;
    fleet.disconnect(0, 59).await;
    let decided = fleet.decide(59).await;
    assert_eq!(decided.agents, [fleet.sessions[1].agent]);
    assert_eq!(fleet.end(run).await, ELSEWHERE);
    let [next] = fleet.send(1, 59).await[..] else {
        panic!("nobody is asked instead");
    };
    let detail = fleet.w.store.run(&ALL, next).await.unwrap().unwrap();
    assert_eq!(detail.attempts, [run], "who was asked before");
    fleet.claim(1, next, Claim::Accepted).await;
    assert_eq!(fleet.words(60).await, [next]);
    // What the first one says now comes too late.
    fleet.claim(1, next, running(at(60))).await;
    assert_eq!(fleet.end(run).await, ELSEWHERE);
}

async fn who_refuses_or_does_not_answer_is_passed_over(w: World) {
    let fleet = Fleet::new(w, 3, Overlap::Forbid).await;
    let run = fleet.plan(60, 0).await;
    fleet.send(0, 58).await;
    let refused = Claim::Refused {
        reason: Reason::PolicyDenied,
        detail: None,
    };
    fleet.claim(0, run, refused).await;
    assert_eq!(fleet.w.state(run).await, RunState::Offered, "not decided");
    let asked = fleet.decide(58).await.agents;
    assert_eq!(fleet.end(run).await, ELSEWHERE);
    let place = |agent: AgentId| {
        let mut sessions = fleet.sessions.iter();
        sessions.position(|session| session.agent == agent).unwrap()
    };
    let second = place(asked[0]);
    let [silent] = fleet.send(second, 58).await[..] else {
        panic!("nobody is asked instead");
    };
    assert_eq!(fleet.decide(58).await.agents, [], "it may still answer");
    let third = place(fleet.decide(59).await.agents[0]);
    assert_eq!(fleet.end(silent).await, ELSEWHERE);
    assert!(third != second && third != 0);
}

async fn nobody_is_asked_twice_and_the_last_one_is_waited_for(w: World) {
    let fleet = Fleet::new(w, 1, Overlap::Forbid).await;
    let run = fleet.accepted(60, 0).await;
    fleet.disconnect(0, 59).await;
    assert_eq!(fleet.decide(60).await.moved, []);
    assert_eq!(fleet.w.state(run).await, RunState::Offered);
    fleet.decide(121).await;
    let late = (
        RunState::Ended(Outcome::Missed),
        Some(Reason::StartDeadlineExceeded),
    );
    assert_eq!(fleet.end(run).await, late);
}

async fn what_is_alive_elsewhere_is_in_the_way(w: World) {
    for (overlap, expected) in [
        (Overlap::Allow, None),
        (Overlap::Forbid, Some(Reason::Overlap)),
    ] {
        let fleet = Fleet::new(
            World::new(crate::db::TestDb::new(w.db.engine()).await).await,
            2,
            overlap,
        )
        .await;
        let first = fleet.accepted(60, 0).await;
        assert_eq!(fleet.words(60).await, [first]);
        let second = fleet.accepted(120, 1).await;
        fleet.decide(120).await;
        let (state, reason) = fleet.end(second).await;
        assert_eq!(reason, expected, "{overlap:?}: {state:?}");
    }
}

async fn a_lost_run_blocks_until_it_is_released(w: World) {
    let fleet = Fleet::new(w, 2, Overlap::Forbid).await;
    let lost = fleet.accepted(60, 0).await;
    assert_eq!(fleet.words(60).await, [lost]);
    fleet.claim(0, lost, running(at(60))).await;
    let released = async |run| {
        fleet
            .w
            .store
            .release_run(run, ADMIN, at(100))
            .await
            .unwrap()
    };
    assert_eq!(released(lost).await, ReleaseAnswer::Reachable);
    fleet.disconnect(0, 70).await;
    let gone = fleet
        .w
        .store
        .lose_unreachable(&fleet.w.lease, at(71), at(72), 10);
    assert_eq!(gone.await.unwrap().len(), 1);
    let blocked = fleet.accepted(120, 1).await;
    fleet.decide(120).await;
    let expected = (RunState::Ended(Outcome::Skipped), Some(Reason::Blocked));
    assert_eq!(fleet.end(blocked).await, expected);
    let agent = fleet.sessions[0].agent;
    assert_eq!(released(lost).await, ReleaseAnswer::Released(agent));
    assert_eq!(released(lost).await, ReleaseAnswer::NotInTheWay);
    let free = fleet.accepted(180, 1).await;
    assert_eq!(fleet.words(180).await, [free]);
}

async fn what_is_withdrawn_gets_no_word(w: World) {
    let fleet = Fleet::new(w, 2, Overlap::Forbid).await;
    let run = fleet.accepted(60, 0).await;
    let paused = fleet.w.store.pause_job(fleet.job, at(59));
    let paused = paused.await.unwrap();
    assert_eq!(paused.revoke.len(), 1);
    assert_eq!(fleet.words(60).await, []);
    let expected = (RunState::Ended(Outcome::Skipped), Some(Reason::Paused));
    assert_eq!(fleet.end(run).await, expected);
}

async fn an_agent_shut_out_leaves_its_offers_to_others(w: World) {
    let fleet = Fleet::new(w, 2, Overlap::Allow).await;
    let taken = fleet.accepted(60, 0).await;
    assert_eq!(fleet.words(60).await, [taken]);
    let accepted = fleet.accepted(70, 0).await;
    let planned = fleet.plan(75, 0).await;
    let agent = fleet.sessions[0].agent;
    let moved = fleet.w.store.revoke_agent(agent, at(68)).await.unwrap();
    assert_eq!(moved.len(), 1, "only what it may have started");
    let gone = (RunState::Ended(Outcome::Lost), Some(Reason::AgentGone));
    assert_eq!(fleet.end(taken).await, gone);
    let decided = fleet.decide(68).await;
    assert!(decided.agents.contains(&fleet.sessions[1].agent));
    assert_eq!(fleet.end(accepted).await, ELSEWHERE);
    assert_eq!(fleet.end(planned).await, ELSEWHERE);
    assert_eq!(fleet.send(1, 73).await.len(), 2);
}

async fn only_the_center_that_plans_gives_words(w: World) {
    let fleet = Fleet::new(w, 1, Overlap::Forbid).await;
    let run = fleet.accepted(60, 0).await;
    fleet.w.store.resign_lease(&fleet.w.lease).await.unwrap();
    let decided = fleet
        .w
        .store
        .decide_offers(&fleet.w.lease, at(60), 0.5)
        .await;
    assert!(matches!(
        decided,
        Err(StoreError::Conflict(Conflict::StaleLease))
    ));
    assert_eq!(fleet.w.state(run).await, RunState::Offered);
}

async fn a_retry_is_offered_too(w: World) {
    let mut fleet = Fleet::new(w, 2, Overlap::Forbid).await;
    let mut spec = any("b", Overlap::Forbid);
    if let JobKind::Scheduled(scheduled) = &mut spec.kind {
        scheduled.retry.attempts_max = 2;
    }
    fleet.job = fleet.w.job(2, fleet.group, spec).await;
    let run = fleet.accepted(60, 0).await;
    fleet.words(60).await;
    fleet.claim(0, run, exited(at(61), 1)).await;
    fleet.disconnect(0, 62).await;
    let decided = fleet.decide(62).await;
    let other = fleet.sessions[1].agent;
    assert!(decided.agents.contains(&other), "another agent's");
    let again = fleet.send(1, 110).await;
    assert_eq!(fleet.w.run(again[0]).await.attempt, 2);
}

async fn what_nobody_can_start_is_tried_again(w: World) {
    let mut fleet = Fleet::new(w, 1, Overlap::Forbid).await;
    let mut spec = any("b", Overlap::Forbid);
    if let JobKind::Scheduled(scheduled) = &mut spec.kind {
        scheduled.retry.attempts_max = 2;
    }
    fleet.job = fleet.w.job(2, fleet.group, spec).await;
    let run = fleet.accepted(60, 0).await;
    let end = End::not_started(at(59), Reason::SpawnFailed, "no more room".into());
    fleet.claim(0, run, Claim::Ended { start: None, end }).await;
    assert_eq!(fleet.w.state(run).await, RunState::Offered, "not decided");
    fleet.decide(59).await;
    let expected = (RunState::Ended(Outcome::Failed), Some(Reason::SpawnFailed));
    assert_eq!(fleet.end(run).await, expected);
    let [again] = fleet.send(0, 75).await[..] else {
        panic!("it is not tried again");
    };
    assert_eq!(fleet.w.run(again).await.attempt, 2);
}

async fn the_picker_knows_who_is_there(w: World) {
    let fleet = Fleet::new(w, 3, Overlap::Forbid).await;
    fleet.disconnect(1, 10).await;
    let agents: Vec<AgentId> = fleet.sessions.iter().map(|one| one.agent).collect();
    let spec = any("a", Overlap::Forbid);
    let of = [(fleet.job, &spec, agents.clone())];
    let mut pickers = fleet.w.store.pickers(&of).await.unwrap();
    let picked = pickers.remove(&fleet.job).unwrap().on_all().next(&[]);
    assert_eq!(picked[2], agents[1], "who is out of reach comes last");
    let each = scheduled("each");
    let of = [(fleet.job, &each, agents)];
    assert!(fleet.w.store.pickers(&of).await.unwrap().is_empty());
    let due = fleet
        .w
        .store
        .due_jobs(&fleet.w.lease, at(1_000_000), None, 10)
        .await;
    let due = due.unwrap();
    assert!(due.iter().all(|job| job.picker.is_some()));
    assert_eq!(Duration::from_secs(2), cronfleet_core::offer::OFFER_AHEAD);
}
