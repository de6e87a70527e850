//! From a spec to a prepared process, and from there to a running one.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use cronfleet_shim::control::{Message, VERSION};
use cronfleet_shim::spec::Spec;
use tokio::time::timeout;
use uuid::Uuid;

use super::folder::{LifeFolder, ReadError};
use super::life::{Life, LifeControl};
use super::open::{Host, is_root};
use super::pidfd::{self, PidFd};
use super::socket::{self, ShimSocket};
use super::spec::LifeSpec;
use super::start_error::StartError;

/// Longest wait for a prepared process. Also the longest wait for an `execve` that hangs (a dead file server): after
/// that the life counts as running.
const READY_TIME_MAX: Duration = Duration::from_secs(30);

/// Longest wait for a shim that was told to leave.
const LEAVE_TIME_MAX: Duration = Duration::from_secs(5);

/// A process that has everything but its command: identity, limits and directory are taken on, and one byte from the
/// agent executes it. Dropping it means that the command never starts.
#[derive(Debug)]
pub struct Armed {
    life: LifeFolder,
    spec: Spec,
    shim: ShimProcess,
}

/// A spawned shim with the agent's handles on it.
#[derive(Debug)]
pub(super) struct ShimProcess {
    pub(super) socket: ShimSocket,
    pub(super) pidfd: Arc<PidFd>,
    pub(super) child: ShimChild,
}

/// A child that is reaped even if nobody waits for it.
#[derive(Debug)]
pub(super) struct ShimChild {
    pid: i32,
    child: Option<Child>,
    host: Host,
}

impl ShimChild {
    fn pid(&self) -> i32 {
        self.pid
    }

    /// Reaps the child, now that it has ended.
    pub(super) fn reap(&mut self) {
        self.host.bury(self.child.take());
    }
}

impl Drop for ShimChild {
    fn drop(&mut self) {
        self.reap();
    }
}

impl Host {
    /// Prepares a life: creates its folder, spawns its shim, and waits until the process is one byte from its command.
    ///
    /// On error the id is free again if nothing was spawned; otherwise the folder stays as the guard against a second
    /// use, until [`Host::forget`]. In both cases the command has not run. Dropping the future abandons the life.
    ///
    /// # Errors
    /// [`StartError`]; [`StartError::AlreadyExists`] is the only one that says nothing about this life.
    pub async fn arm(&self, id: Uuid, spec: &LifeSpec) -> Result<Armed, StartError> {
        let life = self.folder(id);
        let (shim_spec, spawned) = {
            // The semaphore is never closed; were it, spawning without a permit would still be right.
            let _permit = self.spawns().acquire().await;
            let (host, life, spec) = (self.clone(), life.clone(), spec.clone());
            let work = tokio::task::spawn_blocking(move || spawn(host, &life, &spec));
            work.await
                .map_err(|e| self.spawn_error(io::Error::other(e)))??
        };
        let shim = spawned.watch().map_err(|e| self.spawn_error(e))?;
        let mut armed = Armed {
            life,
            spec: shim_spec,
            shim,
        };
        armed.ready().await?;
        Ok(armed)
    }

    fn spawn_error(&self, source: io::Error) -> StartError {
        StartError::Spawn {
            shim: self.config().shim.clone(),
            source,
        }
    }
}

impl Armed {
    /// The life's id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.life.id
    }

    /// Process number of its shim.
    #[must_use]
    pub fn shim_pid(&self) -> i32 {
        self.shim.child.pid()
    }

    /// Executes the command. The instant of the start is the one in [`Life::started`].
    ///
    /// Not cancel-safe: once polled, the command may run even if the future is dropped. [`Host::survey`] after a
    /// restart would find it.
    ///
    /// # Errors
    /// [`StartError`]. With [`StartError::ShimVanished`] and a record the command may have run.
    pub async fn go(self) -> Result<Life, StartError> {
        // A shim that is gone already shows in what follows.
        let _ = self.shim.socket.go();
        match timeout(READY_TIME_MAX, self.answer()).await {
            Ok(Ok(Some(Message::Started))) => {}
            Ok(Ok(Some(Message::Failed(error)))) => {
                self.shim.gone().await;
                return Err(StartError::from_step(error, &self.spec));
            }
            Ok(_) => {
                self.shim.gone().await;
                return self.vanished();
            }
            Err(_) => {}
        }
        match self.life.started() {
            Ok(Some(started)) => {
                let control = LifeControl::new(Arc::clone(&self.shim.pidfd));
                Ok(Life::own(self.life, started, control, self.shim))
            }
            Ok(None) => {
                // Stuck before the release: without its shim the process leaves without running the command.
                self.shim.kill().await;
                Err(StartError::Slow)
            }
            Err(e) => Err(self.unreadable(e)),
        }
    }

    /// Gives the life up and waits, up to 5 s, until its shim has left and is reaped.
    pub async fn abandon(self) {
        let ShimProcess {
            socket,
            pidfd,
            child: _child,
        } = self.shim;
        drop(socket);
        let _ = timeout(LEAVE_TIME_MAX, pidfd.exited()).await;
    }

    /// Resolves with an error if the prepared process is lost while it waits. Cancel-safe.
    pub async fn lost(&mut self) -> StartError {
        // An armed shim says nothing but that it failed, or nothing at all.
        let error = match self.shim.socket.receive().await {
            Ok(Some(Message::Failed(error))) => StartError::from_step(error, &self.spec),
            _ => StartError::ShimVanished { started: None },
        };
        self.shim.gone().await;
        error
    }

    async fn ready(&mut self) -> Result<(), StartError> {
        match timeout(READY_TIME_MAX, self.shim.socket.receive()).await {
            Ok(Ok(Some(Message::Ready { version: VERSION }))) => Ok(()),
            Ok(Ok(Some(Message::Ready { version }))) => Err(StartError::Protocol { version }),
            Ok(Ok(Some(Message::Failed(error)))) => {
                self.shim.gone().await;
                Err(StartError::from_step(error, &self.spec))
            }
            Ok(_) => {
                self.shim.gone().await;
                Err(StartError::ShimVanished { started: None })
            }
            Err(_) => {
                self.shim.kill().await;
                Err(StartError::Slow)
            }
        }
    }

    /// Receives the answer to the release.
    async fn answer(&self) -> io::Result<Option<Message>> {
        loop {
            match self.shim.socket.receive().await? {
                Some(Message::Ready { .. } | Message::Output) => {}
                other => return Ok(other),
            }
        }
    }

    /// Asks the files what a shim that said nothing has done.
    fn vanished(self) -> Result<Life, StartError> {
        match self.life.started() {
            Ok(started) => Err(StartError::ShimVanished {
                started: started.map(Box::new),
            }),
            Err(e) => Err(self.unreadable(e)),
        }
    }

    fn unreadable(&self, error: ReadError) -> StartError {
        match error {
            ReadError::Format(source) => StartError::Record { source },
            ReadError::Io(source) => StartError::File {
                path: self.life.folder.clone(),
                source,
            },
        }
    }
}

impl ShimProcess {
    /// Waits a moment for a shim that has said its last word, so that it is reaped at once.
    async fn gone(&self) {
        let _ = timeout(LEAVE_TIME_MAX, self.pidfd.exited()).await;
    }

    /// Ends a shim that does not answer. A process it has not released leaves by itself.
    async fn kill(&self) {
        let _ = self.pidfd.signal(libc::SIGKILL);
        self.gone().await;
    }
}

/// What the blocking part of [`Host::arm`] hands over.
struct Spawned {
    socket: OwnedFd,
    pidfd: OwnedFd,
    child: ShimChild,
}

impl Spawned {
    fn watch(self) -> io::Result<ShimProcess> {
        Ok(ShimProcess {
            socket: ShimSocket::new(self.socket)?,
            pidfd: Arc::new(PidFd::new(self.pidfd)?),
            child: self.child,
        })
    }
}

fn spawn(host: Host, life: &LifeFolder, spec: &LifeSpec) -> Result<(Spec, Spawned), StartError> {
    if !is_root() && !spec.user.is_self() {
        return Err(StartError::NotSelf {
            user: spec.user.name.clone(),
        });
    }
    let shim_spec = life.create(spec, host.cgroups())?;
    match spawn_shim(&host, life) {
        Ok(spawned) => Ok((shim_spec, spawned)),
        Err(source) => {
            life.remove_unused(&shim_spec, host.cgroups());
            Err(host.spawn_error(source))
        }
    }
}

/// Spawns the shim without forking: no identity, directory or hook is set here, so the standard library can use
/// `posix_spawn`, whose cost does not grow with the agent's memory.
fn spawn_shim(host: &Host, life: &LifeFolder) -> io::Result<Spawned> {
    host.bury(None);
    let (socket, theirs) = socket::pair()?;
    let child = Command::new(&host.config().shim)
        .arg(&life.folder)
        .env_clear()
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    let child = ShimChild {
        pid,
        child: Some(child),
        host: host.clone(),
    };
    // The child has not been reaped, so its number is still its own.
    let pidfd = pidfd::open(pid)?;
    Ok(Spawned {
        socket,
        pidfd,
        child,
    })
}
