//! A center that does what a test says and remembers what it hears.

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cronfleet_agent::host::decode_frames;
use cronfleet_core::id::{AgentId, JobId, LifeId, ProcessId, RunId};
use cronfleet_core::order::{Claim, DaemonOrder, Order, ProcessReport, SlotReport};
use cronfleet_core::order_book::Phase;
use cronfleet_wire::identity::JoinToken;
use cronfleet_wire::v1::from_agent::Body as FromAgent;
use cronfleet_wire::v1::from_center::Body;
use cronfleet_wire::v1::link_server::{Link, LinkServer};
use cronfleet_wire::{MESSAGE_MAX_BYTES, PROTOCOL, convert, output, v1};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use crate::pki::Pki;

/// Longest wait for anything in these tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct TestCenter {
    pub(crate) address: String,
    pub(crate) token: JoinToken,
    pub(crate) shared: Arc<Shared>,
    server: JoinHandle<()>,
}

pub(crate) struct Shared {
    pki: Pki,
    token: JoinToken,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
}

/// What the center knows and wants.
pub(crate) struct State {
    pub(crate) agent: AgentId,
    pub(crate) facts: Option<v1::Facts>,
    pub(crate) joins: u32,
    pub(crate) renewals: u32,
    /// Epoch of the next session.
    pub(crate) epoch: u64,
    pub(crate) sessions: u32,
    pub(crate) is_away: bool,
    pub(crate) is_mute: bool,
    /// What it tells of centers.
    pub(crate) centers: Vec<String>,
    pub(crate) acks: bool,
    pub(crate) heartbeat_interval_ms: u32,
    pub(crate) certificate_life: Duration,
    /// The center's clock minus the real one.
    pub(crate) skew: Duration,
    pub(crate) heartbeats: Vec<v1::Heartbeat>,
    pub(crate) policy: Option<v1::PolicyReport>,
    pub(crate) orders: BTreeMap<RunId, Order>,
    pub(crate) claims: BTreeMap<RunId, Vec<Claim>>,
    pub(crate) daemons: Option<Vec<DaemonOrder>>,
    pub(crate) slots: BTreeMap<(JobId, u32), SlotReport>,
    pub(crate) processes: BTreeMap<ProcessId, ProcessReport>,
    pub(crate) outputs: HashMap<LifeId, Received>,
    session: Option<Session>,
}

struct Session {
    out: mpsc::Sender<Result<v1::FromCenter, Status>>,
    epoch: u64,
    end: CancellationToken,
}

/// Output of one life as it came.
#[derive(Default)]
pub(crate) struct Received {
    pub(crate) frames: BTreeMap<u64, Vec<u8>>,
    pub(crate) end: Option<u64>,
}

impl Received {
    /// Everything, both streams mixed.
    pub(crate) fn text(&self) -> String {
        let mut bytes = Vec::new();
        for frames in self.frames.values() {
            for frame in decode_frames(frames).unwrap() {
                bytes.extend_from_slice(frame.bytes);
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl TestCenter {
    pub(crate) async fn start() -> Self {
        let pki = Pki::new();
        let token = JoinToken {
            id: "00112233aabbccdd".into(),
            secret: [7; 32],
            ca_sha256: pki.ca_sha256(),
        };
        let tls = pki.server();
        let shared = Arc::new(Shared {
            pki,
            token: token.clone(),
            state: Mutex::new(State {
                agent: AgentId::from_u128(0xa6e7),
                facts: None,
                joins: 0,
                renewals: 0,
                epoch: 1,
                sessions: 0,
                is_away: false,
                is_mute: false,
                centers: Vec::new(),
                acks: true,
                heartbeat_interval_ms: 400,
                certificate_life: Duration::from_secs(3_600),
                skew: Duration::ZERO,
                heartbeats: Vec::new(),
                policy: None,
                orders: BTreeMap::new(),
                claims: BTreeMap::new(),
                daemons: None,
                slots: BTreeMap::new(),
                processes: BTreeMap::new(),
                outputs: HashMap::new(),
                session: None,
            }),
            changes: watch::channel(0).0,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let service = LinkServer::new(Service(Arc::clone(&shared)))
            .max_decoding_message_size(MESSAGE_MAX_BYTES)
            .max_encoding_message_size(MESSAGE_MAX_BYTES);
        let server = Server::builder()
            .tls_config(tls)
            .unwrap()
            .add_service(service);
        let server = tokio::spawn(async move {
            server
                .serve_with_incoming(TcpListenerStream::new(listener))
                .await
                .unwrap();
        });
        Self {
            address,
            token,
            shared,
            server,
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }

    /// The center's clock.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::now() + self.state().skew
    }

    /// Sends something in the current session.
    pub(crate) async fn send(&self, body: Body) {
        let out = self
            .wait("a session", |state| {
                state.session.as_ref().map(|s| s.out.clone())
            })
            .await;
        out.send(Ok(v1::FromCenter { body: Some(body) }))
            .await
            .unwrap();
    }

    /// Sends a message of a kind that the agent does not have: it reads it as one without a body.
    pub(crate) async fn send_unknown(&self) {
        let out = self
            .wait("a session", |state| {
                state.session.as_ref().map(|s| s.out.clone())
            })
            .await;
        out.send(Ok(v1::FromCenter { body: None })).await.unwrap();
    }

    /// Sends orders, and again in every later session until something is claimed about them.
    pub(crate) async fn order(&self, orders: &[Order]) {
        let epoch = self
            .wait("a session", |state| state.session.as_ref().map(|s| s.epoch))
            .await;
        self.state()
            .orders
            .extend(orders.iter().map(|order| (order.run, order.clone())));
        for page in orders.chunks(500) {
            let orders = page
                .iter()
                .map(|order| convert::order(order, epoch))
                .collect();
            self.send(Body::Orders(v1::Orders { orders })).await;
        }
    }

    /// Says what is wanted, now and in every later session.
    pub(crate) async fn want(&self, daemons: &[DaemonOrder]) {
        let epoch = self
            .wait("a session", |state| state.session.as_ref().map(|s| s.epoch))
            .await;
        self.state().daemons = Some(daemons.to_vec());
        self.send(Body::Daemons(wanted(daemons, epoch))).await;
    }

    /// Ends the session; the next one may come at once unless the center is away.
    pub(crate) fn disconnect(&self) {
        if let Some(session) = self.state().session.take() {
            session.end.cancel();
        }
    }

    /// Waits until a question about the state has an answer.
    pub(crate) async fn wait<T>(&self, what: &str, mut ask: impl FnMut(&State) -> Option<T>) -> T {
        let mut changes = self.shared.changes.subscribe();
        let asked = async {
            loop {
                if let Some(answer) = ask(&self.state()) {
                    return answer;
                }
                changes.changed().await.unwrap();
            }
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(answer) => answer,
            Err(_) => panic!(
                "waited in vain for {what}; claims: {:#?}",
                self.state().claims
            ),
        }
    }

    /// Waits for a claim of a run.
    pub(crate) async fn claim<T>(&self, run: RunId, ask: impl Fn(&Claim) -> Option<T>) -> T {
        let heard = |state: &State| state.claims.get(&run)?.iter().find_map(&ask);
        self.wait(&format!("a claim of run {run}"), heard).await
    }

    /// Waits for the last claim of a run.
    pub(crate) async fn over(&self, run: RunId) -> Claim {
        self.claim(run, |claim| {
            (Phase::of(claim) == Phase::Over).then(|| claim.clone())
        })
        .await
    }

    /// Waits until a life has written something.
    pub(crate) async fn printed(&self, life: impl Into<LifeId>, text: &str) {
        let life = life.into();
        let is_there = |state: &State| {
            let received = state.outputs.get(&life)?;
            received.text().contains(text).then_some(())
        };
        self.wait("output", is_there).await;
    }

    /// Waits until all output of a life is here.
    pub(crate) async fn output(&self, life: impl Into<LifeId>) -> String {
        let life = life.into();
        let complete = |state: &State| {
            let received = state.outputs.get(&life)?;
            received.end.is_some().then(|| received.text())
        };
        self.wait("complete output", complete).await
    }
}

impl Drop for TestCenter {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn changed(&self) {
        self.changes.send_modify(|version| *version += 1);
    }

    /// Takes in a message; gives the answer.
    fn hear(&self, body: FromAgent) -> Option<Body> {
        let mut state = self.state();
        let acks = state.acks;
        match body {
            FromAgent::Hello(_) => None,
            FromAgent::Policy(report) => {
                state.policy = Some(report);
                None
            }
            FromAgent::Heartbeat(heartbeat) => {
                let center_time_us = (Timestamp::now() + state.skew).as_microsecond();
                state.heartbeats.push(heartbeat);
                let is_mute = state.is_mute;
                (!is_mute).then_some(Body::Heartbeat(v1::HeartbeatEcho {
                    sequence: heartbeat.sequence,
                    agent_time_us: heartbeat.agent_time_us,
                    center_time_us,
                    is_active: true,
                    centers: Vec::new(),
                }))
            }
            FromAgent::Claims(claims) => {
                let sequence = claims.sequence;
                for claim in claims.claims {
                    let (run, claim) = convert::read_claim(claim).unwrap();
                    state.claims.entry(run).or_default().push(claim);
                }
                acks.then_some(Body::ClaimsAck(v1::ClaimsAck { sequence }))
            }
            FromAgent::Slots(slots) => {
                let sequence = slots.sequence;
                if slots.is_complete {
                    state.slots.clear();
                }
                for slot in slots.slots {
                    let slot = SlotReport::try_from(slot).unwrap();
                    state.slots.insert((slot.job, slot.index), slot);
                }
                for process in slots.processes {
                    let process = ProcessReport::try_from(process).unwrap();
                    state.processes.insert(process.process, process);
                }
                acks.then_some(Body::SlotsAck(v1::SlotsAck { sequence }))
            }
            FromAgent::SecretsWanted(_) => None,
            FromAgent::Output(output) => {
                for piece in output.pieces {
                    let life = convert::life_id(&piece.life).unwrap();
                    let received = state.outputs.entry(life).or_default();
                    let frames = output::frames(&piece).unwrap();
                    let end = piece.offset + frames.len() as u64;
                    if !frames.is_empty() {
                        received.frames.insert(piece.offset, frames.to_vec());
                    }
                    if piece.is_end {
                        received.end = Some(end);
                    }
                }
                acks.then_some(Body::OutputAck(v1::OutputAck {
                    sequence: output.sequence,
                }))
            }
        }
    }

    /// What is said at the beginning of a session, after the welcome.
    fn greeting(&self, epoch: u64) -> Vec<Body> {
        let state = self.state();
        let mut bodies = Vec::new();
        let orders = state
            .orders
            .values()
            .filter(|order| !state.claims.contains_key(&order.run));
        let orders: Vec<v1::Order> = orders.map(|order| convert::order(order, epoch)).collect();
        bodies.extend(orders.chunks(500).map(|page| {
            Body::Orders(v1::Orders {
                orders: page.to_vec(),
            })
        }));
        if let Some(daemons) = &state.daemons {
            bodies.push(Body::Daemons(wanted(daemons, epoch)));
        }
        let open = state
            .claims
            .iter()
            .filter(|(_, claims)| claims.iter().all(|claim| Phase::of(claim) != Phase::Over));
        let runs = open
            .map(|(run, _)| convert::id_bytes(run.as_uuid()))
            .collect();
        bodies.push(Body::Inquiry(v1::Inquiry { runs }));
        bodies
    }
}

fn wanted(daemons: &[DaemonOrder], session_epoch: u64) -> v1::Daemons {
    v1::Daemons {
        session_epoch,
        daemons: daemons.iter().map(v1::DaemonOrder::from).collect(),
    }
}

struct Service(Arc<Shared>);

impl Service {
    fn certify(&self, request: &[u8]) -> v1::JoinResponse {
        let (agent, life) = {
            let state = self.0.state();
            (state.agent, state.certificate_life)
        };
        v1::JoinResponse {
            agent_id: convert::id_bytes(agent.as_uuid()),
            certificate: self.0.pki.sign(request, agent).into(),
            ca_certificate: self.0.pki.ca_der.clone().into(),
            not_after_us: convert::time_us(Timestamp::now() + life),
        }
    }
}

#[tonic::async_trait]
impl Link for Service {
    async fn join(
        &self,
        request: Request<v1::JoinRequest>,
    ) -> Result<Response<v1::JoinResponse>, Status> {
        let request = request.into_inner();
        {
            let mut state = self.0.state();
            state.joins += 1;
            state.facts = request.facts;
        }
        if request.token_id != self.0.token.id || request.token_secret[..] != self.0.token.secret {
            return Err(Status::permission_denied(
                "this token was used, or has expired",
            ));
        }
        Ok(Response::new(self.certify(&request.certificate_request)))
    }

    async fn renew(
        &self,
        request: Request<v1::RenewRequest>,
    ) -> Result<Response<v1::JoinResponse>, Status> {
        if request.peer_certs().is_none_or(|certs| certs.is_empty()) {
            return Err(Status::unauthenticated("a client certificate is needed"));
        }
        self.0.state().renewals += 1;
        self.0.changed();
        Ok(Response::new(
            self.certify(&request.into_inner().certificate_request),
        ))
    }

    type SessionStream =
        Pin<Box<dyn tokio_stream::Stream<Item = Result<v1::FromCenter, Status>> + Send + 'static>>;

    async fn session(
        &self,
        request: Request<Streaming<v1::FromAgent>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        if request.peer_certs().is_none_or(|certs| certs.is_empty()) {
            return Err(Status::unauthenticated("a client certificate is needed"));
        }
        if self.0.state().is_away {
            return Err(Status::unavailable("away"));
        }
        let (out, stream) = mpsc::channel(1_000);
        let shared = Arc::clone(&self.0);
        tokio::spawn(hold_session(shared, request.into_inner(), out));
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

async fn hold_session(
    shared: Arc<Shared>,
    mut inbound: Streaming<v1::FromAgent>,
    out: mpsc::Sender<Result<v1::FromCenter, Status>>,
) {
    let say = async |body: Body| {
        out.send(Ok(v1::FromCenter { body: Some(body) }))
            .await
            .is_ok()
    };
    let hello = inbound.message().await.unwrap().unwrap().body.unwrap();
    assert!(matches!(hello, FromAgent::Hello(_)), "{hello:?}");
    let (epoch, agent, heartbeat_interval_ms) = {
        let mut state = shared.state();
        state.epoch += 1;
        state.sessions += 1;
        (state.epoch - 1, state.agent, state.heartbeat_interval_ms)
    };
    let welcome = v1::Welcome {
        protocol: PROTOCOL,
        agent_id: convert::id_bytes(agent.as_uuid()),
        session_epoch: epoch,
        is_active: true,
        heartbeat_interval_ms,
        // Both ways, so that an agent that is restarted goes on in the other.
        accepts_zstd_output: epoch % 2 == 0,
        centers: shared.state().centers.clone(),
    };
    say(Body::Welcome(welcome)).await;
    for body in shared.greeting(epoch) {
        say(body).await;
    }
    let end = CancellationToken::new();
    shared.state().session = Some(Session {
        out: out.clone(),
        epoch,
        end: end.clone(),
    });
    shared.changed();
    loop {
        let message = tokio::select! {
            () = end.cancelled() => break,
            message = inbound.message() => message,
        };
        let Ok(Some(message)) = message else { break };
        let answer = shared.hear(message.body.unwrap());
        shared.changed();
        if let Some(answer) = answer
            && !say(answer).await
        {
            break;
        }
    }
    let mut state = shared.state();
    if state
        .session
        .as_ref()
        .is_some_and(|session| session.epoch == epoch)
    {
        state.session = None;
    }
}
