//! The local socket.

use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use nix::unistd::Uid;
use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{SpoolStatus, Status, WorkStatus};
use crate::link::LinkShared;
use crate::policy::PolicyKeeper;

/// Name of the socket in the runtime directory.
const SOCKET: &str = "agent.sock";

/// Longest wait for the agent's loop, and for whoever asked to take the answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);

/// Longest wait of somebody who asks.
const ASK_TIME_MAX: Duration = Duration::from_secs(5);

/// Why the agent cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// No agent runs there.
    #[error("no agent runs with {}", runtime_dir.display())]
    NoAgent {
        /// The runtime directory.
        runtime_dir: PathBuf,
    },
    /// The socket cannot be used.
    #[error("cannot ask the agent at {}", socket.display())]
    Socket {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The answer makes no sense: an agent of another version, most likely.
    #[error("the answer of the agent cannot be read")]
    Answer {
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

/// Asks the agent's loop what it has to do.
pub(crate) type WorkRequest = oneshot::Sender<WorkStatus>;

/// Answers whoever connects.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) shared: Arc<LinkShared>,
    pub(crate) policy: Arc<PolicyKeeper>,
    pub(crate) requests: mpsc::Sender<WorkRequest>,
    pub(crate) started_at: Timestamp,
    pub(crate) data_dir: PathBuf,
    pub(crate) runtime_dir: PathBuf,
    pub(crate) certificate_not_after: Timestamp,
}

impl Door {
    /// Answers until `stop`. A machine on which no socket can be made has an agent that cannot be asked, and works.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let socket = self.runtime_dir.join(SOCKET);
        let listener = match listen(&socket) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::warn!(socket = %socket.display(), %error, "nobody can ask this agent how it is");
                return;
            }
        };
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => self.answer(stream).await,
                    // Out of descriptors, say: a moment later it may be better.
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                },
            }
        }
        let _ = std::fs::remove_file(&socket);
    }

    async fn answer(&self, mut stream: UnixStream) {
        let own = Uid::effective().as_raw();
        let is_known = stream
            .peer_cred()
            .is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own);
        let Some(status) = self.status().await.filter(|_| is_known) else {
            return;
        };
        if let Ok(text) = serde_json::to_vec(&status) {
            // Who does not read gets nothing.
            let _ = timeout(ANSWER_TIME_MAX, stream.write_all(&text)).await;
        }
    }

    fn spool(&self) -> SpoolStatus {
        let gauge = &self.shared.spool;
        SpoolStatus {
            bytes: gauge.bytes.load(Ordering::Relaxed),
            max_bytes: gauge.max_bytes,
            dropped_count: gauge.dropped_count.load(Ordering::Relaxed),
        }
    }

    async fn status(&self) -> Option<Status> {
        let (out, answer) = oneshot::channel();
        self.requests.send(out).await.ok()?;
        let work = timeout(ANSWER_TIME_MAX, answer).await.ok()?.ok()?;
        let round_trip_us = self.shared.clock.round_trip_us();
        Some(Status {
            agent_id: self.shared.agent.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started_at: self.started_at,
            data_dir: self.data_dir.clone(),
            runtime_dir: self.runtime_dir.clone(),
            link: self.shared.record.status(),
            clock_offset_us: round_trip_us.map(|_| self.shared.clock.offset_us()),
            round_trip_us,
            certificate_not_after: self.certificate_not_after,
            work,
            spool: self.spool(),
            policy: self.policy.status(),
            cgroups: Some((&self.shared.cgroups).into()),
        })
    }
}

/// The agent holds the directory's lock, so a socket that is there was left by an earlier agent.
fn listen(socket: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(socket)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

pub(super) fn ask(runtime_dir: &Path) -> Result<Status, StatusError> {
    let socket = runtime_dir.join(SOCKET);
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => StatusError::NoAgent {
            runtime_dir: runtime_dir.to_owned(),
        },
        _ => StatusError::Socket {
            socket: socket.clone(),
            source,
        },
    };
    let mut stream = std::os::unix::net::UnixStream::connect(&socket).map_err(failed)?;
    stream
        .set_read_timeout(Some(ASK_TIME_MAX))
        .map_err(failed)?;
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(failed)?;
    serde_json::from_str(&text).map_err(|source| StatusError::Answer { source })
}
