//! A center's HTTP side with two groups in it: `ours`, in which there is a user of every role, and `theirs`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cronfleet_api::convert::job_spec;
use cronfleet_center::Config;
use cronfleet_center::bus::EventBus;
use cronfleet_center::election::Leadership;
use cronfleet_center::fleet_clock::FleetClock;
use cronfleet_center::http::{HttpState, Services, Settings, router, serve};
use cronfleet_center::mint::Mint;
use cronfleet_center::nudge::Nudges;
use cronfleet_center::seal::Sealer;
use cronfleet_core::access::Role;
use cronfleet_core::id::{AgentId, GroupId, JobId, LifeId, RunId, UserId};
use cronfleet_core::plan::PlannedRun;
use cronfleet_core::run::{Cause, RunKey};
use cronfleet_store::{
    AgentFacts, LifeChunks, ManualRuns, NewAgent, NewChunk, NewGroup, NewJob, NewSession, NewUser,
    Sealed, SecretHash, SecretRow, Store, StoreError, Timing,
};
use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Anonymous,
    Outsider,
    Member(Role),
    Admin,
}

impl Who {
    pub(crate) const ALL: [Self; 7] = [
        Self::Anonymous,
        Self::Outsider,
        Self::Member(Role::Viewer),
        Self::Member(Role::Operator),
        Self::Member(Role::Editor),
        Self::Member(Role::Owner),
        Self::Admin,
    ];

    fn login(self) -> Option<&'static str> {
        match self {
            Self::Anonymous => None,
            Self::Outsider => Some("outsider"),
            Self::Member(role) => Some(role.word()),
            Self::Admin => Some("admin"),
        }
    }
}

/// A group with an agent, jobs, a run with output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Side {
    pub(crate) group: GroupId,
    pub(crate) agent: AgentId,
    pub(crate) job: JobId,
    pub(crate) daemon: JobId,
    pub(crate) run: RunId,
}

pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
    pub(crate) store: Store,
    pub(crate) bus: EventBus,
    pub(crate) ours: Side,
    pub(crate) theirs: Side,
    mint: Mint,
    count: AtomicU64,
    stop: CancellationToken,
    server: JoinHandle<()>,
    _dir: TempDir,
}

pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

pub(crate) fn later(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

/// An empty center: no user, no group.
pub(crate) struct Bare {
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
    pub(crate) store: Store,
    pub(crate) bus: EventBus,
    pub(crate) mint: Mint,
    stop: CancellationToken,
    server: JoinHandle<()>,
    dir: TempDir,
}

impl Bare {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_sqlite(&dir.path().join("center.db"))
            .await
            .unwrap();
        let (bus, mint, stop) = (
            EventBus::default(),
            Mint::from_seed(7),
            CancellationToken::new(),
        );
        let settings = Settings {
            center: "here".to_owned(),
            default_time_zone: "Europe/Berlin".to_owned(),
            agent_address: "127.0.0.1:8781".to_owned(),
            ca_sha256: [7; 32],
            is_tls: false,
            hosts: Some(vec!["fleet.example.org".to_owned()]),
        };
        let services = Services {
            store: store.clone(),
            bus: bus.clone(),
            nudges: Nudges::default(),
            mint: mint.clone(),
            sealer: Arc::new(Sealer::new(&mint.secret(), mint.clone())),
            clock: FleetClock::own(),
            leadership: Leadership::standby(),
        };
        let state = HttpState::new(services, settings, stop.clone());
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let config = Config::local(dir.path().to_owned());
        let server = tokio::spawn({
            let stop = stop.clone();
            async move { serve(tcp, &config, router(state), stop).await.unwrap() }
        });
        let client = Client::builder().timeout(PATIENCE).build().unwrap();
        Self {
            address,
            client,
            store,
            bus,
            mint,
            stop,
            server,
            dir,
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("http://{}{path}", self.address))
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        let Bare {
            address,
            client,
            store,
            bus,
            mint,
            stop,
            server,
            dir,
        } = Bare::start().await;
        let nothing = Side {
            group: GroupId::from_u128(0),
            agent: AgentId::from_u128(0),
            job: JobId::from_u128(0),
            daemon: JobId::from_u128(0),
            run: RunId::from_u128(0),
        };
        let mut world = Self {
            address,
            client,
            store,
            bus,
            ours: nothing,
            theirs: nothing,
            mint,
            count: AtomicU64::new(0),
            stop,
            server,
            _dir: dir,
        };
        for who in Who::ALL {
            if let Some(login) = who.login() {
                world.add_user(login, who == Who::Admin).await;
            }
        }
        world.add_user("guest", false).await;
        world.ours = world.add_side("ours").await;
        world.theirs = world.add_side("theirs").await;
        for role in Role::ALL {
            world
                .store
                .put_member(world.ours.group, user_id(role.word()), role)
                .await
                .unwrap();
        }
        world
    }

    /// Stops the server and waits until all its tasks are gone.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.server)
            .await
            .unwrap()
            .unwrap();
    }

    async fn add_user(&self, login: &str, is_admin: bool) {
        let user = NewUser {
            id: user_id(login),
            login: login.to_owned(),
            display_name: login.to_uppercase(),
            password_hash: "none".to_owned(),
            is_admin,
        };
        self.store.create_user(&user, now()).await.unwrap();
    }

    async fn add_side(&self, name: &str) -> Side {
        let group = self.add_group(name).await;
        let agent = self.add_agent(group).await;
        let job = self
            .add_job(group, json!({ "scheduled": { "expression": "@daily" } }))
            .await;
        let daemon = self.add_job(group, json!({ "daemon": {} })).await;
        let run = self.add_run(job, agent).await;
        self.add_output(
            agent,
            run.into(),
            0,
            &[(1, b"hello ".to_vec()), (1, b"world\n".to_vec())],
            false,
        )
        .await;
        Side {
            group,
            agent,
            job,
            daemon,
            run,
        }
    }

    /// A number that was not given before.
    pub(crate) fn next(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    fn id(&self) -> Uuid {
        self.mint.id(now())
    }

    pub(crate) async fn add_group(&self, name: &str) -> GroupId {
        let id = GroupId::from_uuid(self.id());
        let group = NewGroup {
            id,
            name: name.to_owned(),
            description: String::new(),
            run_as: vec!["app".to_owned()],
            agents: vec![],
        };
        self.store.create_group(&group, now()).await.unwrap();
        id
    }

    pub(crate) async fn add_secret(
        &self,
        group: GroupId,
        name: &str,
    ) -> Result<SecretRow, StoreError> {
        let sealed = Sealed {
            key_id: "0".repeat(16),
            bytes: vec![7; 40],
        };
        let author = user_id("editor");
        self.store
            .put_secret(group, name, &sealed, author, now())
            .await
    }

    pub(crate) async fn add_agent(&self, group: GroupId) -> AgentId {
        let agent = NewAgent {
            id: AgentId::from_uuid(self.id()),
            name: format!("agent-{}", self.next()),
            key_fingerprint: format!("{:064x}", self.next()),
            certificate_serial: "01".to_owned(),
            facts: AgentFacts::default(),
        };
        self.store
            .create_local_agent(&agent, &[group], now())
            .await
            .unwrap();
        agent.id
    }

    /// Adds a job; `kind` is its `scheduled` or `daemon` member.
    pub(crate) async fn add_job(&self, group: GroupId, kind: Value) -> JobId {
        let mut spec = definition(&format!("job {}", self.next()));
        spec.as_object_mut().unwrap().remove("scheduled");
        spec.as_object_mut()
            .unwrap()
            .extend(kind.as_object().unwrap().clone());
        let spec = job_spec(serde_json::from_value(spec).unwrap(), "UTC").unwrap();
        let job = NewJob {
            id: JobId::from_uuid(self.id()),
            group,
            spec,
            is_paused: false,
            timing: Timing {
                next_due: Some(later(86_400)),
                is_reboot: false,
            },
            author: user_id("admin"),
        };
        self.store.create_job(&job, now()).await.unwrap();
        job.id
    }

    pub(crate) async fn add_run(&self, job: JobId, agent: AgentId) -> RunId {
        let (due, trigger) = (now(), format!("test-{}", self.next()));
        let key = RunKey {
            job,
            job_version: 1,
            due,
            agent,
            copy: 0,
            attempt: 1,
            trigger: trigger.clone(),
        };
        let run = PlannedRun::new(key, 1, Cause::Manual, due, Duration::from_secs(60));
        let id = run.id;
        let runs = ManualRuns {
            job,
            version: 1,
            trigger,
            due,
            runs: vec![run],
            requested_by: None,
            skipped: None,
        };
        self.store.insert_manual_runs(&runs, now()).await.unwrap();
        id
    }

    /// Appends frames of (stream, bytes) to the output of a life; answers where they end.
    pub(crate) async fn add_output(
        &self,
        agent: AgentId,
        life: LifeId,
        offset: u64,
        frames: &[(u8, Vec<u8>)],
        is_end: bool,
    ) -> u64 {
        let data: Vec<u8> = frames
            .iter()
            .flat_map(|(stream, bytes)| frame(*stream, bytes))
            .collect();
        let length = u32::try_from(data.len()).unwrap();
        let end = offset + u64::from(length);
        let chunk = NewChunk {
            offset,
            length,
            is_compressed: false,
            data,
        };
        let output = LifeChunks {
            life,
            cap_bytes: 1 << 30,
            head_bytes: 1 << 28,
            chunks: if length == 0 { vec![] } else { vec![chunk] },
            end_offset: is_end.then_some(end),
        };
        let refused = self
            .store
            .append_output(agent, &[output], now())
            .await
            .unwrap();
        assert!(refused.is_empty());
        end
    }

    /// A new session; its token.
    pub(crate) async fn session(&self, who: Who) -> Option<String> {
        let login = who.login()?;
        Some(
            self.session_of(user_id(login), later(3_600), later(3_600))
                .await,
        )
    }

    pub(crate) async fn session_of(
        &self,
        user: UserId,
        idle_expires_at: Timestamp,
        expires_at: Timestamp,
    ) -> String {
        let token = format!("cft_test-{}", self.next());
        let session = NewSession {
            token: hash(&token),
            user,
            idle_expires_at,
            expires_at,
        };
        self.store.create_session(&session, now()).await.unwrap();
        token
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("http://{}{path}", self.address))
    }

    /// A request with a new session of somebody.
    pub(crate) async fn request_by(&self, who: Who, method: Method, path: &str) -> RequestBuilder {
        let request = self.request(method, path);
        match self.session(who).await {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn get(&self, who: Who, path: &str) -> (u16, Value) {
        answer(self.request_by(who, Method::GET, path).await).await
    }

    pub(crate) async fn send(
        &self,
        who: Who,
        method: Method,
        path: &str,
        body: &Value,
    ) -> (u16, Value) {
        answer(self.request_by(who, method, path).await.json(body)).await
    }
}

/// Sends a request; answers status and JSON (null without a body).
pub(crate) async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, json_of(response).await)
}

pub(crate) async fn json_of(response: Response) -> Value {
    let text = response.text().await.unwrap();
    if text.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    }
}

pub(crate) fn hash(token: &str) -> SecretHash {
    SecretHash(Sha256::digest(token.as_bytes()).into())
}

/// The id of a user of the world.
pub(crate) fn user_id(login: &str) -> UserId {
    let digest = Sha256::digest(login.as_bytes());
    UserId::from_uuid(Uuid::from_slice(&digest[..16]).unwrap())
}

/// A valid definition.
pub(crate) fn definition(name: &str) -> Value {
    json!({
        "name": name,
        "scheduled": { "expression": "@daily", "time_zone": "UTC" },
        "command": { "argv": ["/bin/true"] },
        "run_as": "app",
        "target": { "all": true },
    })
}

/// One frame of stored output.
pub(crate) fn frame(stream: u8, bytes: &[u8]) -> Vec<u8> {
    let at = u64::try_from(now().as_microsecond()).unwrap();
    let length = u32::try_from(bytes.len()).unwrap();
    [
        &at.to_le_bytes()[..],
        &[stream],
        &length.to_le_bytes(),
        bytes,
    ]
    .concat()
}

/// The member `error.code` of an answer.
pub(crate) fn code(body: &Value) -> &str {
    body["error"]["code"].as_str().unwrap_or("")
}
