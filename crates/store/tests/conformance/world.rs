//! A store with a few things in it, and short ways to make more.

use std::time::Duration;

use cronfleet_core::access::{Reach, Role};
use cronfleet_core::backoff::Backoff;
use cronfleet_core::catch_up::CatchUp;
use cronfleet_core::id::{AgentId, GroupId, JobId, RunId, UserId};
use cronfleet_core::job::{Command, JobKind, JobSpec, Launch, Overlap, ScheduledSpec, Target};
use cronfleet_core::order::{
    Claim, Cleanup, End, ExitStatus, KillMeans, Order, OutputTotals, Start, StopCause, Usage,
};
use cronfleet_core::plan::{Plan, PlannedRun};
use cronfleet_core::retry::RetryPolicy;
use cronfleet_core::run::{Cause, RunKey, RunState};
use cronfleet_store::{
    AgentClaim, AgentFacts, ClaimsApplied, JobPlan, Lease, NewAgent, NewGroup, NewJob, NewUser,
    PlansCommitted, RunRow, Said, SecretHash, Session, Store, Timing,
};
use jiff::{SignedDuration, Timestamp};

use crate::db::TestDb;

/// How late runs of the tests' jobs may start.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
/// Longer than any test.
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
/// The user that is there from the beginning.
pub(crate) const ADMIN: UserId = UserId::from_u128(0xad);
/// Sees and may do everything.
pub(crate) const ALL: Reach = Reach::Everything;

/// A store with an administrator.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) db: TestDb,
    /// The term in which everything is planned.
    pub(crate) lease: Lease,
}

/// The moment `seconds` after the tests' beginning.
pub(crate) fn at(seconds: i64) -> Timestamp {
    at_ms(seconds * 1_000)
}

/// The moment `millis` milliseconds after the tests' beginning.
pub(crate) fn at_ms(millis: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_millis(millis)
}

/// Hash of a secret that is a number.
pub(crate) fn secret(number: u8) -> SecretHash {
    SecretHash([number; 32])
}

/// A reach of these groups.
pub(crate) fn only(groups: &[GroupId]) -> Reach {
    Reach::Groups(groups.to_vec())
}

/// A scheduled job of one process on every agent.
pub(crate) fn scheduled(name: &str) -> JobSpec {
    JobSpec {
        name: name.to_owned(),
        description: String::new(),
        kind: JobKind::Scheduled(Box::new(ScheduledSpec {
            expression: "* * * * *".to_owned(),
            time_zone: "UTC".to_owned(),
            dst: Default::default(),
            active: Default::default(),
            calendar: None,
            overlap: Overlap::Forbid,
            spread: cronfleet_core::spread::Spread::Each,
            jitter: Duration::ZERO,
            start_deadline: DEADLINE,
            catch_up: CatchUp::None,
            timeout: None,
            retry: RetryPolicy {
                attempts_max: 1,
                backoff: Backoff {
                    initial: Duration::from_secs(10),
                    max: Duration::from_secs(100),
                },
                failures: Vec::new(),
            },
        })),
        launch: Launch::new(Command::Argv(vec!["/bin/true".to_owned()]), "app"),
        target: Target::All,
        processes: 1,
    }
}

/// The same with retries.
pub(crate) fn retried(name: &str, attempts_max: u32) -> JobSpec {
    let mut spec = scheduled(name);
    if let JobKind::Scheduled(scheduled) = &mut spec.kind {
        scheduled.retry.attempts_max = attempts_max;
    }
    spec
}

/// A daemon job.
pub(crate) fn daemon(name: &str, processes: u32) -> JobSpec {
    JobSpec {
        kind: JobKind::Daemon(Box::default()),
        processes,
        ..scheduled(name)
    }
}

/// A run of the schedule.
pub(crate) fn run_at(job: JobId, job_version: u32, due: Timestamp, agent: AgentId) -> PlannedRun {
    let key = RunKey {
        job,
        job_version,
        due,
        agent,
        copy: 0,
        attempt: 1,
        trigger: String::new(),
    };
    PlannedRun::new(key, 1, Cause::Schedule, due, DEADLINE)
}

/// A claim with the middle draw, which means no jitter.
pub(crate) fn claim(run: RunId, claim: Claim) -> AgentClaim {
    AgentClaim {
        run,
        claim,
        draw: 0.5,
    }
}

/// Running since a moment.
pub(crate) fn running(since: Timestamp) -> Claim {
    Claim::Running(Start { at: since, pid: 77 })
}

/// The end of a process at a moment.
pub(crate) fn end(ended_at: Timestamp, status: ExitStatus, stopped_for: Option<StopCause>) -> End {
    End {
        at: ended_at,
        status,
        stopped_for,
        duration: Duration::from_millis(1_500),
        usage: Usage {
            user_time: Duration::from_millis(3),
            system_time: Duration::from_millis(4),
            memory_peak_bytes: 5,
            oom_kills: 0,
        },
        output: OutputTotals {
            written_bytes: 6,
            dropped_bytes: 0,
            end_offset: 20,
        },
        cleanup: Cleanup {
            stop_signal: Some(15),
            kill_means: Some(KillMeans::Descent),
            found: 2,
            left: 1,
        },
    }
}

/// Exited with a status at a moment.
pub(crate) fn exited(ended_at: Timestamp, code: i32) -> Claim {
    Claim::Ended {
        start: None,
        end: end(ended_at, ExitStatus::Exited(code), None),
    }
}

impl World {
    pub(crate) async fn new(db: TestDb) -> Self {
        let store = db.open().await.unwrap();
        let lease = store.take_lease(0, "center", HOUR).await.unwrap().unwrap();
        let world = Self { store, db, lease };
        world.user(ADMIN, "admin", true).await;
        world
    }

    pub(crate) async fn user(&self, id: UserId, login: &str, is_admin: bool) {
        self.store
            .create_user(&new_user(id, login, is_admin), at(0))
            .await
            .unwrap();
    }

    pub(crate) async fn group(&self, number: u128) -> GroupId {
        let group = NewGroup {
            id: GroupId::from_u128(number),
            name: format!("group {number:03}"),
            description: String::new(),
            run_as: vec!["app".to_owned()],
            agents: vec![],
        };
        self.store.create_group(&group, at(0)).await.unwrap().id
    }

    pub(crate) async fn member(&self, user: UserId, group: GroupId, role: Role) {
        self.store.put_member(group, user, role).await.unwrap();
    }

    pub(crate) async fn agent(&self, number: u128, groups: &[GroupId]) -> AgentId {
        let agent = new_agent(number);
        self.store
            .create_local_agent(&agent, groups, at(0))
            .await
            .unwrap();
        agent.id
    }

    pub(crate) async fn session(&self, agent: AgentId) -> Session {
        let facts = AgentFacts::default();
        let opened = self
            .store
            .open_session(agent, "center", "boot", &facts, 0, at(0))
            .await
            .unwrap()
            .unwrap();
        opened.session
    }

    pub(crate) async fn job(&self, number: u128, group: GroupId, spec: JobSpec) -> JobId {
        let is_scheduled = matches!(spec.kind, JobKind::Scheduled(_));
        let next_due = is_scheduled.then(|| at(60));
        let job = NewJob {
            id: JobId::from_u128(number),
            group,
            spec,
            is_paused: false,
            timing: Timing {
                next_due,
                is_reboot: false,
            },
            author: ADMIN,
        };
        self.store.create_job(&job, at(0)).await.unwrap();
        job.id
    }

    /// Commits runs of a job; its watermark goes to the last due instant, its next due instant a minute further.
    pub(crate) async fn plan(&self, job: JobId, runs: Vec<PlannedRun>) -> PlansCommitted {
        let row = self.store.job(&ALL, job).await.unwrap().unwrap();
        let watermark = runs
            .iter()
            .map(|run| run.key.due)
            .max()
            .unwrap_or(row.watermark);
        let plan = Plan {
            runs,
            lapses: vec![],
            watermark,
            next_due: Some(watermark + SignedDuration::from_secs(60)),
            has_more: false,
            held_until: None,
        };
        let plan = JobPlan {
            job,
            expected_version: row.version,
            expected_watermark: row.watermark,
            expected_snooze: row.snooze.map(|row| row.snooze.until),
            plan,
        };
        let windows = self.store.windows_version().await.unwrap();
        let committed = self
            .store
            .commit_plans(&self.lease, windows, &[plan], at(0))
            .await
            .unwrap();
        assert_eq!(committed.left_out, []);
        committed
    }

    /// Plans one run of version 1.
    pub(crate) async fn plan_one(&self, job: JobId, due: Timestamp, agent: AgentId) -> RunId {
        let run = run_at(job, 1, due, agent);
        let id = run.id;
        self.plan(job, vec![run]).await;
        id
    }

    /// Hands planned runs to the agent.
    pub(crate) async fn dispatch(&self, session: &Session) -> Vec<RunId> {
        let orders = taken(&self.store, session, at(0), at(1_000_000), 1_000).await;
        orders.into_iter().map(|order| order.run).collect()
    }

    pub(crate) async fn claim(&self, session: &Session, run: RunId, what: Claim) -> ClaimsApplied {
        applied(&self.store, session, &[claim(run, what)], at(100)).await
    }

    pub(crate) async fn run(&self, id: RunId) -> RunRow {
        self.store.run(&ALL, id).await.unwrap().unwrap().run
    }

    pub(crate) async fn state(&self, id: RunId) -> RunState {
        self.run(id).await.state
    }

    pub(crate) async fn exists(&self, id: RunId) -> bool {
        self.store.run(&ALL, id).await.unwrap().is_some()
    }
}

pub(crate) fn new_user(id: UserId, login: &str, is_admin: bool) -> NewUser {
    NewUser {
        id,
        login: login.to_owned(),
        display_name: login.to_uppercase(),
        password_hash: format!("hash of {login}"),
        is_admin,
    }
}

pub(crate) fn new_agent(number: u128) -> NewAgent {
    NewAgent {
        id: AgentId::from_u128(number),
        name: format!("agent {number:03}"),
        key_fingerprint: format!("key {number}"),
        certificate_serial: "01".to_owned(),
        facts: AgentFacts {
            hostname: format!("host{number}"),
            cpu_count: 4,
            ..AgentFacts::default()
        },
    }
}

/// Takes one session's planned runs.
pub(crate) async fn taken(
    store: &Store,
    session: &Session,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Vec<Order> {
    let taken = store
        .take_planned(&[session], now, until, limit)
        .await
        .unwrap();
    assert_eq!(taken.refused, []);
    taken.orders.into_iter().map(|(_, order)| order).collect()
}

/// Applies one session's claims.
pub(crate) async fn applied(
    store: &Store,
    session: &Session,
    claims: &[AgentClaim],
    now: Timestamp,
) -> ClaimsApplied {
    let applied = store
        .apply_claims(&[Said { session, claims }], now)
        .await
        .unwrap();
    assert_eq!(applied.refused, []);
    applied
}
