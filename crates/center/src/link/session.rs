//! One session of one agent: opens it, answers heartbeats, passes the rest to the desk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cronfleet_core::id::AgentId;
use cronfleet_store::{Conflict, Heartbeat, SessionOpened, SpoolLevel, StoreError};
use cronfleet_wire::v1::from_agent::Body as In;
use cronfleet_wire::v1::from_center::Body as Out;
use cronfleet_wire::v1::{self, FromAgent};
use cronfleet_wire::{PROTOCOL, convert};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::Parts;
use super::desk::Desk;
use super::join::facts;
use super::outbox::{Closed, Outbox};
use super::peer::Peer;
use super::withheld::Skills;
use crate::bus::Change;

/// How often agents send heartbeats.
pub(crate) const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
/// An agent that is silent for this long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// Time for the first message.
const HELLO_WAIT: Duration = Duration::from_secs(10);
/// Messages waiting for the desk; then the agent's stream is not read and flow control slows it down.
const DESK_MAX: usize = 16;

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionEnd {
    /// The agent closed the stream or the connection broke.
    #[error("the agent closed the connection")]
    Closed,
    /// Nothing was heard for [`SILENCE_MAX`].
    #[error("nothing was heard for {} s", SILENCE_MAX.as_secs())]
    Silent,
    /// A newer session of the same agent took over.
    #[error("a newer session took over")]
    Replaced,
    /// The agent is revoked or unknown, or shows another key than the one it joined with.
    #[error("the agent is not admitted")]
    NotAdmitted,
    /// The center stops.
    #[error("the center stops")]
    Stopping,
    /// The agent broke the protocol.
    #[error("the agent broke the protocol: {why}")]
    Protocol {
        /// How.
        why: String,
    },
    /// The store failed.
    #[error("the store failed")]
    Store(#[source] Arc<StoreError>),
}

impl SessionEnd {
    fn status(&self) -> Status {
        match self {
            Self::Closed | Self::Silent | Self::Replaced | Self::Stopping => {
                Status::unavailable(self.to_string())
            }
            Self::NotAdmitted => Status::permission_denied(self.to_string()),
            Self::Protocol { .. } => Status::invalid_argument(self.to_string()),
            Self::Store(_) => Status::unavailable("the center's database is not available"),
        }
    }
}

impl From<Closed> for SessionEnd {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl From<StoreError> for SessionEnd {
    fn from(error: StoreError) -> Self {
        Arc::new(error).into()
    }
}

impl From<Arc<StoreError>> for SessionEnd {
    fn from(error: Arc<StoreError>) -> Self {
        match *error {
            StoreError::Conflict(Conflict::StaleSession) => Self::Replaced,
            _ => Self::Store(error),
        }
    }
}

/// Whether the agent of a session may work, shared by the reader and the desk.
#[derive(Debug, Clone)]
pub(super) struct Activity(Arc<AtomicBool>);

impl Activity {
    pub(super) fn new(is_active: bool) -> Self {
        Self(Arc::new(AtomicBool::new(is_active)))
    }

    pub(super) fn is_active(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn activate(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs a session to its end.
pub(super) async fn run(
    parts: Arc<Parts>,
    peer: Peer,
    mut inbound: Streaming<FromAgent>,
    outbox: Outbox,
    stop: CancellationToken,
) {
    let agent = peer.agent;
    let end = match open(&parts, &peer, &mut inbound).await {
        Ok(greeting) => serve(&parts, greeting, inbound, &outbox, &stop).await,
        Err(end) => end,
    };
    outbox.end(end.status()).await;
    match &end {
        SessionEnd::Protocol { .. } | SessionEnd::Store(_) | SessionEnd::NotAdmitted => {
            let cause = std::error::Error::source(&end);
            tracing::warn!(agent.id = %agent, reason = %end, cause, "session ended");
        }
        SessionEnd::Closed | SessionEnd::Silent | SessionEnd::Replaced | SessionEnd::Stopping => {
            tracing::info!(agent.id = %agent, reason = %end, "session ended");
        }
    }
}

/// What a session begins with.
pub(super) struct Greeting {
    pub(super) opened: SessionOpened,
    pub(super) boot_id: String,
    /// Whether the agent restarts daemon processes by the counts in its orders.
    pub(super) follows_restart_counts: bool,
    /// What it can do beside the first agents.
    pub(super) skills: Skills,
}

async fn open(
    parts: &Parts,
    peer: &Peer,
    inbound: &mut Streaming<FromAgent>,
) -> Result<Greeting, SessionEnd> {
    let first = tokio::time::timeout(HELLO_WAIT, inbound.message())
        .await
        .map_err(|_| SessionEnd::Silent)?
        .map_err(|_| SessionEnd::Closed)?;
    let Some(FromAgent {
        body: Some(In::Hello(hello)),
    }) = first
    else {
        return Err(SessionEnd::Protocol {
            why: "the first message is not a hello".to_owned(),
        });
    };
    if hello.protocol != PROTOCOL {
        let why = format!(
            "it speaks version {}, this center version {PROTOCOL}",
            hello.protocol
        );
        return Err(SessionEnd::Protocol { why });
    }
    let Some(sent) = hello.facts else {
        return Err(SessionEnd::Protocol {
            why: "the hello has no facts".to_owned(),
        });
    };
    let known = parts.store.agent_standing(peer.agent).await?;
    if known.is_none_or(|known| known.key_fingerprint != peer.key_fingerprint) {
        return Err(SessionEnd::NotAdmitted);
    }
    let boot_id = sent.boot_id.clone();
    let opened = parts
        .store
        .open_session(
            peer.agent,
            &parts.center,
            &boot_id,
            &facts(sent),
            hello.session_epoch_seen,
            parts.clock.now(),
        )
        .await?
        .ok_or(SessionEnd::NotAdmitted)?;
    Ok(Greeting {
        opened,
        boot_id,
        follows_restart_counts: hello.follows_restart_counts,
        skills: Skills {
            secrets: hello.knows_secrets,
            overlap: hello.knows_overlap,
            offers: hello.knows_offers,
        },
    })
}

async fn serve(
    parts: &Arc<Parts>,
    greeting: Greeting,
    inbound: Streaming<FromAgent>,
    outbox: &Outbox,
    stop: &CancellationToken,
) -> SessionEnd {
    let opened = &greeting.opened;
    let session = opened.session.clone();
    let agent = session.agent;
    let mut place = parts.nudges.open(agent, session.epoch);
    let cut = place.cut.clone();
    tracing::info!(agent.id = %agent, session.epoch, is_active = opened.is_active, "session opened");
    let (to_desk, from_reader) = mpsc::channel(DESK_MAX);
    let activity = Activity::new(opened.is_active);
    let addresses = parts.addresses.get();
    tell(parts, agent).await;
    let end = tokio::select! {
        end = async {
            let welcome = v1::Welcome {
                protocol: PROTOCOL,
                agent_id: convert::id_bytes(agent.as_uuid()),
                session_epoch: session.epoch,
                is_active: opened.is_active,
                heartbeat_interval_ms: HEARTBEAT_INTERVAL.as_millis() as u32,
                accepts_zstd_output: true,
                centers: addresses.to_vec(),
            };
            if outbox.send(Out::Welcome(welcome)).await.is_err() {
                return SessionEnd::Closed;
            }
            let mut desk = Desk::new(Arc::clone(parts), &greeting, outbox.clone(), activity.clone());
            desk.run(&mut place.nudges, from_reader).await
        } => end,
        end = read(parts, agent, inbound, outbox, to_desk, &activity, Arc::clone(&addresses)) => end,
        () = cut.cancelled() => SessionEnd::Replaced,
        () = stop.cancelled() => SessionEnd::Stopping,
    };
    drop(place);
    if let Err(error) = parts.store.close_session(&session, parts.clock.now()).await {
        tracing::warn!(agent.id = %agent, error = %error, "the end of a session could not be recorded");
    }
    tell(parts, agent).await;
    end
}

/// Reads the agent's stream. Heartbeats are answered here and at once, whatever the desk is busy with.
async fn read(
    parts: &Parts,
    agent: AgentId,
    mut inbound: Streaming<FromAgent>,
    outbox: &Outbox,
    to_desk: mpsc::Sender<In>,
    activity: &Activity,
    mut told: Arc<[String]>,
) -> SessionEnd {
    loop {
        let body = match tokio::time::timeout(SILENCE_MAX, inbound.message()).await {
            Err(_) => return SessionEnd::Silent,
            Ok(Err(_) | Ok(None)) => return SessionEnd::Closed,
            Ok(Ok(Some(message))) => message.body,
        };
        match body {
            Some(In::Heartbeat(heartbeat)) => {
                let now = parts.clock.now();
                let addresses = parts.addresses.get();
                let news = (addresses != told).then(|| addresses.to_vec());
                let is_sent = outbox.send_or_drop(Out::Heartbeat(v1::HeartbeatEcho {
                    sequence: heartbeat.sequence,
                    agent_time_us: heartbeat.agent_time_us,
                    center_time_us: convert::time_us(now),
                    is_active: activity.is_active(),
                    centers: news.unwrap_or_default(),
                }));
                if is_sent {
                    told = addresses;
                }
                parts.heartbeats.put(Heartbeat {
                    agent,
                    seen_at: now,
                    load_1m: heartbeat.load_1m,
                    memory_available_bytes: heartbeat.memory_available_bytes,
                    running_count: heartbeat.running_count,
                    clock_offset_us: heartbeat.clock_offset_us,
                    round_trip_us: heartbeat.round_trip_us,
                    spool: spool(&heartbeat),
                });
            }
            Some(In::Hello(_)) => {
                return SessionEnd::Protocol {
                    why: "a second hello in one session".to_owned(),
                };
            }
            Some(
                body @ (In::Claims(_)
                | In::Output(_)
                | In::Slots(_)
                | In::Policy(_)
                | In::SecretsWanted(_)),
            ) => {
                if to_desk.send(body).await.is_err() {
                    return SessionEnd::Closed;
                }
            }
            None => {
                tracing::debug!(agent.id = %agent, "a message of an unknown kind was passed over")
            }
        }
    }
}

/// What a heartbeat says of the spool, if it says anything.
fn spool(heartbeat: &v1::Heartbeat) -> Option<SpoolLevel> {
    Some(SpoolLevel {
        bytes: heartbeat.spool_bytes?,
        max_bytes: heartbeat.spool_max_bytes?,
        dropped_count: heartbeat.spool_dropped_count.unwrap_or(0),
    })
}

/// Tells watchers that an agent came, went or has changed. It may have gone to another center.
pub(super) async fn tell(parts: &Parts, agent: AgentId) {
    let standing = parts.store.agent_standing(agent).await.ok().flatten();
    let groups = parts.store.groups_of_agent(agent).await;
    parts.bus.publish(Change::Agent {
        agent,
        groups: groups.unwrap_or_default(),
        is_online: standing.is_some_and(|standing| standing.center.is_some()),
    });
}
