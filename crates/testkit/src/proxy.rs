//! A link between agent and center that can be cut.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Bytes passed on at a time.
const BUFFER_BYTES: usize = 16 * 1024;

/// What passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passing {
    /// Everything.
    All,
    /// Nothing, and everybody knows: connections are reset, new ones as well.
    Reset,
    /// Nothing, and nobody is told: bytes are swallowed both ways.
    Nothing,
    /// Only what the center says; what agents say is swallowed.
    ToAgents,
    /// Only what agents say; what the center says is swallowed.
    ToCenter,
}

/// Passes connections of agents on to a center. Ends with everything that goes through it when dropped.
///
/// A connection of which bytes were swallowed stays mute in that direction when the link is whole again, as one whose packets
/// nobody sends again.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    passing: watch::Sender<Passing>,
    _connections: JoinSet<()>,
}

impl Proxy {
    /// Listens on a free port of loopback and passes everything on to `center`, a `host:port`.
    ///
    /// # Errors
    /// There is no port.
    pub async fn start(center: &str) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let passing = watch::Sender::new(Passing::All);
        let mut connections = JoinSet::new();
        connections.spawn(accept(listener, center.to_owned(), passing.subscribe()));
        Ok(Self {
            address,
            passing,
            _connections: connections,
        })
    }

    /// Where agents are to dial, `host:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Changes what passes, for connections that exist and for those to come.
    pub fn pass(&self, passing: Passing) {
        self.passing.send_replace(passing);
    }
}

async fn accept(listener: TcpListener, center: String, passing: watch::Receiver<Passing>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((agent, _)) = accepted {
                    connections.spawn(connect(agent, center.clone(), passing.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection, until a side ends it or it is reset.
async fn connect(agent: TcpStream, center: String, passing: watch::Receiver<Passing>) {
    let mut cut = passing.clone();
    let passed = async {
        let Ok(center) = TcpStream::connect(center).await else {
            return;
        };
        let _small = (agent.set_nodelay(true), center.set_nodelay(true));
        let (from_agent, to_agent) = agent.into_split();
        let (from_center, to_center) = center.into_split();
        tokio::select! {
            () = pass(from_agent, to_center, || !matches!(*passing.borrow(), Passing::Nothing | Passing::ToAgents)) => {}
            () = pass(from_center, to_agent, || !matches!(*passing.borrow(), Passing::Nothing | Passing::ToCenter)) => {}
        }
    };
    tokio::select! {
        () = passed => {}
        _ = cut.wait_for(|passing| *passing == Passing::Reset) => {}
    }
}

/// Passes bytes on one way, and from the first that may not pass on swallows all.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, may_pass: impl Fn() -> bool) {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut is_mute = false;
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        is_mute |= !may_pass();
        if !is_mute && to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
