//! One session, from the dialled channel to its end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use cronfleet_wire::v1::from_agent::Body as FromAgentBody;
use cronfleet_wire::v1::from_center::Body;
use cronfleet_wire::v1::link_client::LinkClient;
use cronfleet_wire::{PROTOCOL, convert, v1};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;

use super::addresses::Addresses;
use super::dialler::LinkShared;
use super::heart::Heart;
use crate::facts::facts;

/// Messages to the center that wait in the session. Short, so that heartbeats are not late behind output.
const OUT_MAX: usize = 4;

/// Messages held back until the center's clock is known.
const HELD_BACK_MAX: usize = 1_000;

/// Longest wait for the center's first words.
const WELCOME_TIME_MAX: Duration = Duration::from_secs(10);

/// Longest wait for the answer to the first heartbeat.
const FIRST_ECHO_TIME_MAX: Duration = Duration::from_secs(3);

/// A session is dead after so many heartbeat intervals of silence.
const SILENT_INTERVALS_MAX: u32 = 3;

/// Bounds of what a center may ask for as interval between heartbeats.
const INTERVAL_MIN: Duration = Duration::from_millis(50);
const INTERVAL_MAX: Duration = Duration::from_secs(60);

/// What the agent hears of its link.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// A session is up.
    Up(Session),
    /// The center says something in it.
    Message(Body),
    /// It is over.
    Down,
}

/// An open session.
#[derive(Debug)]
pub(crate) struct Session {
    /// Its epoch, higher than any before.
    pub(crate) epoch: u64,
    /// Where messages to the center go. Dropping it ends the session.
    pub(crate) out: mpsc::Sender<v1::FromAgent>,
    /// Whether the center takes compressed output.
    pub(crate) takes_compressed_output: bool,
}

/// Why a session did not come about, or ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    #[error("the center says: {}", .0.message())]
    Status(Box<tonic::Status>),
    #[error("the center was silent for too long")]
    Silent,
    #[error("the center closed the session")]
    Closed,
    #[error("the center's first message is no welcome")]
    NoWelcome,
    #[error("the center speaks protocol {found}, this agent speaks {PROTOCOL}")]
    Protocol { found: u32 },
    #[error("the center takes this agent for another")]
    OtherAgent,
    #[error("the center's session epoch {found} is not above {seen}, which was seen before")]
    Stale { found: u64, seen: u64 },
    #[error("the agent ends")]
    Ending,
}

impl From<tonic::Status> for SessionError {
    fn from(status: tonic::Status) -> Self {
        Self::Status(Box::new(status))
    }
}

/// A session whose welcome has come.
pub(super) struct Opened {
    inbound: Streaming<v1::FromCenter>,
    out: mpsc::Sender<v1::FromAgent>,
    welcome: v1::Welcome,
}

/// Says hello and waits for the welcome.
pub(super) async fn open(
    client: &mut LinkClient<Channel>,
    shared: &LinkShared,
    addresses: &Addresses,
) -> Result<Opened, SessionError> {
    let (out, outbound) = mpsc::channel(OUT_MAX);
    let seen = shared.epoch_seen.load(Ordering::Relaxed);
    let hello = v1::Hello {
        protocol: PROTOCOL,
        facts: Some(facts(Some(&shared.cgroups))),
        session_epoch_seen: seen,
        follows_restart_counts: true,
        knows_secrets: true,
        knows_overlap: true,
        knows_offers: true,
    };
    say(&out, FromAgentBody::Hello(hello)).await?;
    let answered = timeout(
        WELCOME_TIME_MAX,
        client.session(ReceiverStream::new(outbound)),
    )
    .await;
    let mut inbound = answered.map_err(|_| SessionError::Silent)??.into_inner();
    let first = timeout(WELCOME_TIME_MAX, inbound.message()).await;
    let first = first
        .map_err(|_| SessionError::Silent)??
        .ok_or(SessionError::Closed)?;
    let Some(Body::Welcome(welcome)) = first.body else {
        return Err(SessionError::NoWelcome);
    };
    if welcome.protocol != PROTOCOL {
        return Err(SessionError::Protocol {
            found: welcome.protocol,
        });
    }
    if convert::agent_id(&welcome.agent_id) != Ok(shared.agent) {
        return Err(SessionError::OtherAgent);
    }
    if welcome.session_epoch <= seen {
        return Err(SessionError::Stale {
            found: welcome.session_epoch,
            seen,
        });
    }
    shared
        .epoch_seen
        .store(welcome.session_epoch, Ordering::Relaxed);
    addresses.learn(&welcome.centers);
    Ok(Opened {
        inbound,
        out,
        welcome,
    })
}

impl Opened {
    /// Passes on what the center says until the session is over.
    pub(super) async fn run(
        self,
        shared: &LinkShared,
        addresses: &Addresses,
        events: &mpsc::Sender<LinkEvent>,
    ) -> SessionError {
        let Err(error) = self.listen(shared, addresses, events).await;
        error
    }

    async fn listen(
        mut self,
        shared: &LinkShared,
        addresses: &Addresses,
        events: &mpsc::Sender<LinkEvent>,
    ) -> Result<std::convert::Infallible, SessionError> {
        let wanted = Duration::from_millis(self.welcome.heartbeat_interval_ms.into());
        let every = wanted.clamp(INTERVAL_MIN, INTERVAL_MAX);
        let mut heart = Heart::default();
        let held_back = self.first_beat(&mut heart, shared).await?;
        let session = Session {
            epoch: self.welcome.session_epoch,
            out: self.out.clone(),
            takes_compressed_output: self.welcome.accepts_zstd_output,
        };
        pass_on(events, LinkEvent::Up(session)).await?;
        for message in held_back {
            pass_on(events, LinkEvent::Message(message)).await?;
        }
        // The loop's sender is the one that keeps the session open.
        let out = self.out.downgrade();
        drop(self.out);
        let mut beat = interval(every);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                message = self.inbound.message() => {
                    heard = Instant::now();
                    let Some(body) = message?.ok_or(SessionError::Closed)?.body else {
                        refuse_unknown(shared);
                        continue;
                    };
                    if let Body::Heartbeat(echo) = &body {
                        heart.answered(echo, shared);
                        addresses.learn(&echo.centers);
                    }
                    pass_on(events, LinkEvent::Message(body)).await?;
                }
                _ = beat.tick() => {
                    if heard.elapsed() > every * SILENT_INTERVALS_MAX {
                        return Err(SessionError::Silent);
                    }
                    let out = out.upgrade().ok_or(SessionError::Ending)?;
                    // A session that does not take it is stuck; silence will show whether it is dead.
                    if let Ok(permit) = out.try_reserve() {
                        permit.send(v1::FromAgent { body: Some(FromAgentBody::Heartbeat(heart.beat(shared))) });
                    }
                }
            }
        }
    }

    /// Measures the center's clock before anything is decided by it. Gives what the center said meanwhile.
    async fn first_beat(
        &mut self,
        heart: &mut Heart,
        shared: &LinkShared,
    ) -> Result<Vec<Body>, SessionError> {
        say(&self.out, FromAgentBody::Heartbeat(heart.beat(shared))).await?;
        let deadline = Instant::now() + FIRST_ECHO_TIME_MAX;
        let mut held_back = Vec::new();
        while held_back.len() < HELD_BACK_MAX {
            let Ok(message) = tokio::time::timeout_at(deadline, self.inbound.message()).await
            else {
                break;
            };
            let Some(body) = message?.ok_or(SessionError::Closed)?.body else {
                refuse_unknown(shared);
                continue;
            };
            let echo = if let Body::Heartbeat(echo) = &body {
                Some(echo.clone())
            } else {
                None
            };
            held_back.push(body);
            if let Some(echo) = echo {
                heart.answered(&echo, shared);
                break;
            }
        }
        Ok(held_back)
    }
}

/// A message of a kind that this agent does not have is not done, whatever it was meant to be.
fn refuse_unknown(shared: &LinkShared) {
    tracing::warn!("a message of an unknown kind was passed over");
    shared
        .record
        .refuse(|refused| refused.unknown_messages += 1);
}

async fn say(out: &mpsc::Sender<v1::FromAgent>, body: FromAgentBody) -> Result<(), SessionError> {
    let message = v1::FromAgent { body: Some(body) };
    out.send(message).await.map_err(|_| SessionError::Closed)
}

async fn pass_on(events: &mpsc::Sender<LinkEvent>, event: LinkEvent) -> Result<(), SessionError> {
    events.send(event).await.map_err(|_| SessionError::Ending)
}
