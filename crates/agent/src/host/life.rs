//! A running life, whether this agent started it or found it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use cronfleet_shim::life::{ExitRecord, StartedRecord};
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use super::arm::{ShimChild, ShimProcess};
use super::folder::LifeFolder;
use super::output::OutputReader;
use super::pidfd::PidFd;
use super::socket::ShimSocket;

/// How often the spool of a life that was started by an earlier agent is looked at.
const ADOPTED_LOOK: Duration = Duration::from_millis(200);

/// A process that runs under its shim. Dropping it changes nothing for the process.
#[derive(Debug)]
pub struct Life {
    life: LifeFolder,
    started: StartedRecord,
    control: LifeControl,
    source: Source,
}

/// Where news of a life come from, besides its end.
#[derive(Debug)]
enum Source {
    /// The shim says when the spool has grown.
    Own {
        socket: Option<ShimSocket>,
        child: ShimChild,
    },
    /// The spool is looked at.
    Adopted { seen: u64 },
}

/// What happened to a life.
#[derive(Debug)]
pub enum Change {
    /// There is new output.
    Output,
    /// It is over.
    Ended(Ended),
}

/// How a life ended.
#[derive(Debug)]
pub enum Ended {
    /// Its shim wrote the end down.
    Exit(ExitRecord),
    /// Its shim died without a word; whether the process lives on and how it ends is unknown.
    Vanished,
}

/// Signals a life through its shim. Cheap to clone, usable from anywhere, harmless after the end.
#[derive(Debug, Clone)]
pub struct LifeControl {
    pidfd: Arc<PidFd>,
}

impl LifeControl {
    pub(super) fn new(pidfd: Arc<PidFd>) -> Self {
        Self { pidfd }
    }

    /// Asks the process group to stop, with the stop signal of its spec. Repeating it sends the signal again.
    ///
    /// # Errors
    /// If the shim may not be signalled.
    pub fn stop(&self) -> io::Result<()> {
        self.pidfd.signal(libc::SIGTERM)
    }

    /// Kills the process and every descendant, in whatever session or group, until none is left.
    ///
    /// # Errors
    /// If the shim may not be signalled.
    pub fn kill_all(&self) -> io::Result<()> {
        self.pidfd.signal(libc::SIGUSR1)
    }
}

impl Life {
    pub(super) fn own(
        life: LifeFolder,
        started: StartedRecord,
        control: LifeControl,
        shim: ShimProcess,
    ) -> Self {
        Self {
            life,
            started,
            control,
            source: Source::Own {
                socket: Some(shim.socket),
                child: shim.child,
            },
        }
    }

    pub(super) fn adopted(life: LifeFolder, started: StartedRecord, control: LifeControl) -> Self {
        Self {
            life,
            started,
            control,
            source: Source::Adopted { seen: 0 },
        }
    }

    /// The life's id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.life.id
    }

    /// When and as what it started.
    #[must_use]
    pub fn started(&self) -> &StartedRecord {
        &self.started
    }

    /// Process number of the command.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.started.process.pid
    }

    /// A handle for signals that outlives borrows of the life.
    #[must_use]
    pub fn control(&self) -> LifeControl {
        self.control.clone()
    }

    /// A reader of its output.
    #[must_use]
    pub fn output(&self) -> OutputReader {
        OutputReader::new(self.life.spool.clone())
    }

    /// Resolves at the next change: new output (for lives of an earlier agent at once if there is any, then within
    /// 200 ms), or the end. After the end it gives the end again. Cancel-safe.
    ///
    /// # Errors
    /// If the runtime fails, or the exit record is there and cannot be read; the life itself is not affected.
    pub async fn changed(&mut self) -> io::Result<Change> {
        let reader = self.output();
        tokio::select! {
            biased;
            exited = self.control.pidfd.exited() => exited?,
            () = self.source.output(&reader) => return Ok(Change::Output),
        }
        if let Source::Own { child, socket } = &mut self.source {
            *socket = None;
            child.reap();
        }
        match self.life.exit() {
            Ok(Some(exit)) => Ok(Change::Ended(Ended::Exit(exit))),
            Ok(None) => Ok(Change::Ended(Ended::Vanished)),
            Err(e) => Err(io::Error::other(e)),
        }
    }

    /// Resolves when the life is over, passing over news of output. Cancel-safe.
    ///
    /// # Errors
    /// As [`Life::changed`].
    pub async fn wait(&mut self) -> io::Result<Ended> {
        loop {
            if let Change::Ended(ended) = self.changed().await? {
                return Ok(ended);
            }
        }
    }
}

impl Source {
    /// Resolves when the spool has grown.
    async fn output(&mut self, reader: &OutputReader) {
        match self {
            Self::Own { socket, .. } => {
                while let Some(shim) = socket {
                    match shim.receive().await {
                        Ok(Some(cronfleet_shim::control::Message::Output)) => return,
                        Ok(Some(_)) => {}
                        Ok(None) | Err(_) => *socket = None,
                    }
                }
                std::future::pending().await
            }
            Self::Adopted { seen } => {
                let mut look = interval(ADOPTED_LOOK);
                look.set_missed_tick_behavior(MissedTickBehavior::Delay);
                loop {
                    look.tick().await;
                    let end = reader.end().unwrap_or(*seen);
                    if end != *seen {
                        *seen = end;
                        return;
                    }
                }
            }
        }
    }
}
