//! Agents that speak the protocol and start nothing.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use cronfleet_agent::Identity;
use cronfleet_wire::v1::claim::What;
use cronfleet_wire::v1::from_agent::Body as Out;
use cronfleet_wire::v1::from_center::Body as In;
use cronfleet_wire::{BATCH_MAX, PROTOCOL, v1};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;

/// Agents that join or dial at a time.
const AT_ONCE: usize = 16;
/// Agents that join from one address: fewer than a center lets in a minute.
const JOINS_PER_ADDRESS: usize = 8;
/// How often an agent says what has happened.
const TELL: Duration = Duration::from_millis(250);
/// Messages to the center that wait in a session.
const OUT_MAX: usize = 8;

/// What all agents together have seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Orders that came.
    pub(crate) orders: AtomicU64,
    /// Of those, orders that came when they were due already.
    pub(crate) late: AtomicU64,
    /// How late the last one of them was, in microseconds.
    pub(crate) latest_us: AtomicU64,
    /// Runs whose ends the center has acknowledged.
    pub(crate) done: AtomicU64,
}

/// Joined agents.
pub(crate) struct Agents {
    identities: Vec<Identity>,
}

impl Agents {
    /// Lets `count` agents join, with tokens that are each good for many.
    pub(crate) async fn join(
        count: usize,
        center: &str,
        tokens: &[String],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let mut relays = JoinSet::new();
        let mut doors = Vec::new();
        for index in 0..count.div_ceil(JOINS_PER_ADDRESS) {
            doors.push(open_door(index, center, &mut relays).await?);
        }
        let doors = &doors;
        let identities = stream::iter(0..count)
            .map(|index| async move {
                let token = tokens[index % tokens.len()].parse()?;
                let data_dir = folder.join(index.to_string());
                let door = doors[index / JOINS_PER_ADDRESS].clone();
                anyhow::Ok(cronfleet_agent::join(&[door], &token, &data_dir).await?)
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(Self { identities })
    }

    /// Their ids.
    pub(crate) fn ids(&self) -> impl Iterator<Item = Uuid> {
        self.identities
            .iter()
            .map(|identity| identity.agent.as_uuid())
    }

    /// Opens their sessions; they work until the answer is dropped.
    pub(crate) async fn connect(&self, center: &str) -> anyhow::Result<Working> {
        let seen = Arc::new(Seen::default());
        let mut sessions = stream::iter(&self.identities)
            .map(|identity| Agent::connect(identity, center, Arc::clone(&seen)))
            .buffer_unordered(AT_ONCE);
        let mut tasks = JoinSet::new();
        while let Some(session) = sessions.try_next().await? {
            tasks.spawn(session.work());
        }
        drop(sessions);
        Ok(Working { tasks, seen })
    }
}

/// Listens, and passes on to the center from an address of loopback of its own: a center lets few join from one address.
async fn open_door(
    index: usize,
    center: &str,
    relays: &mut JoinSet<anyhow::Result<()>>,
) -> anyhow::Result<String> {
    let center: SocketAddr = center.parse()?;
    let [high, low] = u16::try_from(index + 1)?.to_be_bytes();
    let source = SocketAddr::from(([127, 1, high, low], 0));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let door = listener.local_addr()?.to_string();
    relays.spawn(async move {
        let mut passing = JoinSet::new();
        loop {
            let (mut here, _) = listener.accept().await?;
            passing.spawn(async move {
                let socket = TcpSocket::new_v4()?;
                socket.bind(source)?;
                let mut there = socket.connect(center).await?;
                tokio::io::copy_bidirectional(&mut here, &mut there).await
            });
        }
    });
    Ok(door)
}

/// Agents at work.
pub(crate) struct Working {
    tasks: JoinSet<anyhow::Result<()>>,
    pub(crate) seen: Arc<Seen>,
}

impl Working {
    /// Whether all sessions go on.
    ///
    /// # Errors
    /// One has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.tasks.try_join_next() {
            None => Ok(()),
            Some(ended) => {
                ended??;
                bail!("a session has ended")
            }
        }
    }
}

/// One agent.
struct Agent {
    inbound: tonic::Streaming<v1::FromCenter>,
    out: mpsc::Sender<v1::FromAgent>,
    seen: Arc<Seen>,
    /// Orders by the time they become due.
    orders: BTreeMap<i64, Vec<bytes::Bytes>>,
    /// Runs under way, with their starts.
    running: VecDeque<(bytes::Bytes, v1::Start)>,
    /// What is to be told next.
    claims: Vec<v1::Claim>,
    /// How many ends each message has that is not acknowledged.
    ends: HashMap<u64, u64>,
    sequence: u64,
}

impl Agent {
    async fn connect(identity: &Identity, center: &str, seen: Arc<Seen>) -> anyhow::Result<Self> {
        let mut client = cronfleet_agent::dial_as(identity, center).await?;
        let (out, outbound) = mpsc::channel(OUT_MAX);
        let hello = v1::Hello {
            protocol: PROTOCOL,
            facts: Some(v1::Facts {
                boot_id: "bench".to_owned(),
                ..v1::Facts::default()
            }),
            session_epoch_seen: 0,
            follows_restart_counts: true,
            knows_secrets: true,
            knows_overlap: true,
            knows_offers: true,
        };
        out.send(said(Out::Hello(hello))).await?;
        let mut inbound = client
            .session(ReceiverStream::new(outbound))
            .await?
            .into_inner();
        let first = inbound.message().await?.and_then(|message| message.body);
        let Some(In::Welcome(_)) = first else {
            bail!("no welcome");
        };
        Ok(Self {
            inbound,
            out,
            seen,
            orders: BTreeMap::new(),
            running: VecDeque::new(),
            claims: Vec::new(),
            ends: HashMap::new(),
            sequence: 0,
        })
    }

    async fn work(mut self) -> anyhow::Result<()> {
        let mut tell = tokio::time::interval(TELL);
        tell.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut heart = tokio::time::interval(Duration::from_secs(5));
        loop {
            tokio::select! {
                message = self.inbound.message() => {
                    let message = message?.context("the center has closed the session")?;
                    self.hear(message.body);
                }
                _ = tell.tick() => self.tell().await?,
                _ = heart.tick() => {
                    let heartbeat = v1::Heartbeat {
                        agent_time_us: Timestamp::now().as_microsecond(),
                        ..v1::Heartbeat::default()
                    };
                    self.out.send(said(Out::Heartbeat(heartbeat))).await?;
                }
            }
        }
    }

    fn hear(&mut self, body: Option<In>) {
        match body {
            Some(In::Orders(orders)) => {
                let now = Timestamp::now().as_microsecond();
                for order in orders.orders {
                    self.seen.orders.fetch_add(1, Ordering::Relaxed);
                    if let Ok(late @ 1..) = u64::try_from(now - order.not_before_us) {
                        self.seen.late.fetch_add(1, Ordering::Relaxed);
                        self.seen.latest_us.fetch_max(late, Ordering::Relaxed);
                    }
                    let accepted = What::Accepted(v1::Accepted {});
                    self.claims.push(claim(order.run.clone(), accepted));
                    self.orders
                        .entry(order.not_before_us)
                        .or_default()
                        .push(order.run);
                }
            }
            Some(In::ClaimsAck(ack)) => {
                let ends = self.ends.remove(&ack.sequence).unwrap_or(0);
                self.seen.done.fetch_add(ends, Ordering::Relaxed);
            }
            _ => {}
        }
    }

    /// Ends what runs, starts what is due, and says so.
    async fn tell(&mut self) -> anyhow::Result<()> {
        let now = Timestamp::now().as_microsecond();
        let mut ended = 0;
        let mut claims = std::mem::take(&mut self.claims);
        for (run, start) in self.running.drain(..) {
            ended += 1;
            claims.push(claim(run, What::Ended(end(start, now))));
        }
        let later = self.orders.split_off(&(now + 1));
        for run in std::mem::replace(&mut self.orders, later)
            .into_values()
            .flatten()
        {
            let start = v1::Start { at_us: now, pid: 1 };
            claims.push(claim(run.clone(), What::Running(start)));
            self.running.push_back((run, start));
        }
        while !claims.is_empty() {
            let rest = claims.split_off(claims.len().min(BATCH_MAX));
            self.sequence += 1;
            if rest.is_empty() && ended > 0 {
                self.ends.insert(self.sequence, ended);
            }
            let message = v1::Claims {
                sequence: self.sequence,
                claims: std::mem::replace(&mut claims, rest),
            };
            self.out.send(said(Out::Claims(message))).await?;
        }
        Ok(())
    }
}

fn said(body: Out) -> v1::FromAgent {
    v1::FromAgent { body: Some(body) }
}

fn claim(run: bytes::Bytes, what: What) -> v1::Claim {
    v1::Claim {
        run,
        what: Some(what),
    }
}

fn end(start: v1::Start, now: i64) -> v1::Ended {
    v1::Ended {
        start: Some(start),
        end: Some(v1::End {
            at_us: now,
            status: Some(v1::end::Status::ExitCode(0)),
            duration_us: now - start.at_us,
            ..v1::End::default()
        }),
    }
}
