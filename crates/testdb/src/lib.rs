//! Real database servers for tests: made in a temporary folder, on a port of loopback that stays theirs, without passwords, and gone
//! with everything in them when they are dropped.

mod ports;
mod processes;
mod programs;

pub use crate::ports::reserved_address;
pub use crate::programs::{PACKAGES, is_installed};

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, User, chown};
use tempfile::TempDir;

use crate::programs::find;

/// Time for a server to come up.
const UP_WAIT: Duration = Duration::from_secs(60);
/// Time for a server to end when it is asked to.
const DOWN_WAIT: Duration = Duration::from_secs(20);

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL.
    Postgres,
    /// MariaDB or MySQL, whichever is installed.
    Mysql,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    folder: TempDir,
    port: u16,
    /// As whom it runs: PostgreSQL refuses root.
    user: Option<(Uid, Gid)>,
    child: Option<Child>,
}

impl Server {
    /// Makes a new server with nothing in it and waits until it answers. It does not wait for its disk unless `is_durable`.
    ///
    /// # Errors
    /// Its programs are not installed, or it does not come up.
    pub fn start(kind: Kind, is_durable: bool) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("cronfleet-db-")
            .tempdir_in(memory_or_temp())?;
        let user = match kind {
            Kind::Postgres if Uid::effective().is_root() => Some(unprivileged()?),
            Kind::Postgres | Kind::Mysql => None,
        };
        if let Some((uid, gid)) = user {
            chown(folder.path(), Some(uid), Some(gid))?;
        }
        let address: SocketAddr = reserved_address()?.parse()?;
        let mut server = Self {
            kind,
            folder,
            port: address.port(),
            user,
            child: None,
        };
        server.make()?;
        server.run(is_durable)?;
        Ok(server)
    }

    /// Its URL, without a database: `/NAME` goes behind it.
    pub fn url(&self) -> String {
        match self.kind {
            Kind::Postgres => format!("postgres://postgres@127.0.0.1:{}", self.port),
            Kind::Mysql => format!("mysql://root@127.0.0.1:{}", self.port),
        }
    }

    /// Where it listens, `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The URL of a database that every new server has.
    pub fn first_database(&self) -> String {
        match self.kind {
            Kind::Postgres => self.url() + "/postgres",
            Kind::Mysql => self.url() + "/mysql",
        }
    }

    /// Its process, of which others may be children; `None` while it is down.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Whether it was started, and neither killed nor stopped since.
    pub fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// Kills it and every process of it without warning, as a crash does.
    ///
    /// # Errors
    /// It is not running.
    pub fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("the server is down")?;
        let all = processes::suspend_all(child.id());
        processes::signal(&all, Signal::SIGKILL);
        child.wait()?;
        processes::wait_for_end(&all, DOWN_WAIT)
    }

    /// Ends it in good order, without waiting for its clients.
    ///
    /// # Errors
    /// It is not running, or does not end.
    pub fn stop(&mut self) -> Result<()> {
        let mut child = self.child.take().context("the server is down")?;
        self.ask_to_end(&child);
        let deadline = Instant::now() + DOWN_WAIT;
        while child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                child.kill()?;
                child.wait()?;
                bail!("the server does not end:\n{}", self.said());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Suspends all its processes: it keeps its connections, takes new ones, and answers nobody until [`Server::resume`].
    ///
    /// # Errors
    /// It is not running.
    pub fn suspend(&self) -> Result<()> {
        let child = self.child.as_ref().context("the server is down")?;
        processes::suspend_all(child.id());
        Ok(())
    }

    /// Lets it go on after [`Server::suspend`].
    ///
    /// # Errors
    /// It is not running.
    pub fn resume(&self) -> Result<()> {
        let child = self.child.as_ref().context("the server is down")?;
        processes::signal(&processes::tree(child.id()), Signal::SIGCONT);
        Ok(())
    }

    /// Copies everything that it has committed by now, as a replica would have it.
    ///
    /// # Errors
    /// It is not running, or there is no room.
    pub fn snapshot(&self) -> Result<()> {
        self.suspend()?;
        let copied = remove(&self.replica()).and_then(|()| copy(&self.data(), &self.replica()));
        self.resume()?;
        copied
    }

    /// Puts what [`Server::snapshot`] copied in the place of everything that it has: a replica takes over that has not heard of
    /// the rest. The server must be down.
    ///
    /// # Errors
    /// It is running, or there is no copy.
    pub fn fail_over(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "the server is running");
        remove(&self.data())?;
        std::fs::rename(self.replica(), self.data()).context("there is no copy")
    }

    /// Starts it again after [`Server::kill`], with what it had made durable.
    ///
    /// # Errors
    /// It does not come up.
    pub fn start_again(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "the server is running");
        if self.kind == Kind::Postgres {
            // What it said before it was killed, that it is ready too. Every process of it is gone.
            remove(&self.data().join("postmaster.pid"))?;
        }
        self.run(true)
    }

    /// Where a copy of its data lies.
    fn replica(&self) -> PathBuf {
        self.folder.path().join("replica")
    }

    /// SIGINT ends PostgreSQL without waiting for its clients, SIGTERM does so for the others.
    fn ask_to_end(&self, child: &Child) {
        let signal = match self.kind {
            Kind::Postgres => Signal::SIGINT,
            Kind::Mysql => Signal::SIGTERM,
        };
        processes::signal(&[child.id().cast_signed()], signal);
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn make(&self) -> Result<()> {
        let mut command = match self.kind {
            Kind::Postgres => {
                let mut command = self.command("initdb")?;
                command.args([
                    "--no-sync",
                    "--auth=trust",
                    "--encoding=UTF8",
                    "--locale=C.UTF-8",
                ]);
                command
                    .args(["--username=postgres", "--pgdata"])
                    .arg(self.data());
                command
            }
            Kind::Mysql => {
                let mut command = self.command("mariadb-install-db")?;
                command.args(["--no-defaults", "--user=root", "--skip-test-db"]);
                command.arg("--auth-root-authentication-method=normal");
                command.arg(format!("--datadir={}", self.data().display()));
                command
            }
        };
        let made = command.output()?;
        ensure!(
            made.status.success(),
            "{command:?} ended with {}:\n{}{}",
            made.status,
            String::from_utf8_lossy(&made.stdout),
            String::from_utf8_lossy(&made.stderr)
        );
        Ok(())
    }

    fn run(&mut self, is_durable: bool) -> Result<()> {
        let folder = self.folder.path();
        let mut command = match self.kind {
            Kind::Postgres => {
                let mut command = self.command("postgres")?;
                command
                    .arg("-D")
                    .arg(self.data())
                    .args(["-p", &self.port.to_string()]);
                let sockets = format!("unix_socket_directories={}", folder.display());
                let mut settings = vec![
                    "listen_addresses=127.0.0.1",
                    "max_connections=200",
                    &sockets,
                ];
                if !is_durable {
                    settings.extend(["fsync=off", "full_page_writes=off"]);
                }
                settings.iter().for_each(|setting| {
                    command.args(["-c", setting]);
                });
                command
            }
            Kind::Mysql => {
                let mut command = self.command("mariadbd")?;
                command.args(["--no-defaults", "--user=root", "--bind-address=127.0.0.1"]);
                command.args(["--skip-name-resolve", "--max-connections=300"]);
                command.arg(format!("--port={}", self.port));
                command.arg(format!("--datadir={}", self.data().display()));
                command.arg(format!("--socket={}", folder.join("socket").display()));
                if !is_durable {
                    command.arg("--innodb-flush-log-at-trx-commit=0");
                }
                command
            }
        };
        let log = std::fs::File::create(self.log())?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let deadline = Instant::now() + UP_WAIT;
        while !self.is_up() {
            if let Some(status) = child.try_wait()? {
                bail!("the server ended with {status}:\n{}", self.said());
            }
            if Instant::now() > deadline {
                child.kill()?;
                child.wait()?;
                bail!("the server does not come up:\n{}", self.said());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.child = Some(child);
        Ok(())
    }

    /// A program of the server, as its user.
    fn command(&self, program: &str) -> Result<Command> {
        let mut command = Command::new(find(program)?);
        command.current_dir(self.folder.path());
        if let Some((uid, gid)) = self.user {
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        Ok(command)
    }

    fn is_up(&self) -> bool {
        match self.kind {
            // It says so in the last line of this file.
            Kind::Postgres => std::fs::read_to_string(self.data().join("postmaster.pid"))
                .is_ok_and(|text| {
                    text.lines()
                        .nth(7)
                        .is_some_and(|line| line.trim() == "ready")
                }),
            // It greets whom it can serve.
            Kind::Mysql => {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
                let greeted = TcpStream::connect(address).and_then(|mut connection| {
                    connection.set_read_timeout(Some(Duration::from_secs(5)))?;
                    connection.read_exact(&mut [0])
                });
                greeted.is_ok()
            }
        }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        // One that is suspended could not hear.
        processes::signal(&processes::tree(child.id()), Signal::SIGCONT);
        self.ask_to_end(&child);
        let deadline = Instant::now() + DOWN_WAIT;
        while matches!(child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                // There is nothing left to try.
                let _ = child.kill();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Removes a file or a folder, if it is there.
fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() {
        std::fs::remove_dir_all(path)
    } else {
        std::fs::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.with_context(|| format!("cannot remove {}", path.display())),
    }
}

/// Copies a folder with its owners and modes.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let copied = Command::new("cp").arg("-a").args([from, to]).status()?;
    ensure!(
        copied.success(),
        "cp -a {} ended with {copied}",
        from.display()
    );
    Ok(())
}

/// The user of Debian's package, or one that owns nothing.
fn unprivileged() -> Result<(Uid, Gid)> {
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name)? {
            return Ok((user.uid, user.gid));
        }
    }
    bail!("PostgreSQL refuses to run as root, and there is no user nobody")
}

/// A folder in memory, where there is one: tests make thousands of files.
fn memory_or_temp() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    }
}
