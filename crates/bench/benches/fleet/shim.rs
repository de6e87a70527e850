//! What one shim costs: time from the word to go until the end is on record, and memory while its command runs.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use nix::unistd::{Gid, Pid, Uid};

use crate::figures::{line, ms};

/// Lives whose time is measured.
const TIMED: usize = 300;

/// Shims whose memory is measured at the same time.
const WEIGHED: usize = 50;

/// Longest wait for an end.
const END_TIME_MAX: Duration = Duration::from_secs(10);

pub(crate) fn measure(binary: &Path) -> Result<()> {
    let beside = binary.parent().context("the binary is in a directory")?;
    let shim = beside.join("cronfleet-shim");
    let memory = Path::new("/dev/shm");
    ensure!(memory.is_dir(), "there is no file system in memory");
    let dir = memory.join(format!("cronfleet-bench-{}", std::process::id()));
    std::fs::create_dir(&dir)?;
    let measured = Bench { shim, dir }.measure();
    measured.context("the shim's figures")
}

/// A shim, and where its lives are; gone when dropped.
struct Bench {
    shim: PathBuf,
    dir: PathBuf,
}

impl Drop for Bench {
    fn drop(&mut self) {
        // What is left in memory is small.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

impl Bench {
    fn measure(&self) -> Result<()> {
        line("## One shim\n")?;
        line(&format!(
            "| /bin/true, {TIMED} times, on tmpfs | p50 ms | p99 ms |"
        ))?;
        line("|---|---|---|")?;
        let mut spawns = Vec::new();
        let mut lives = Vec::new();
        for number in 0..TIMED {
            let begun = Instant::now();
            let mut life = self.prepare(&format!("true-{number}"), &["/bin/true"])?;
            spawns.push(begun.elapsed());
            let begun = Instant::now();
            life.go()?;
            let exit = life.folder.join("exit");
            while !exit.exists() {
                ensure!(
                    begun.elapsed() < END_TIME_MAX,
                    "{} is not there",
                    exit.display()
                );
                std::hint::spin_loop();
            }
            lives.push(begun.elapsed());
            life.child.wait()?;
        }
        times("shim spawned until it is prepared", spawns)?;
        times("word to go until the exit record", lives)?;
        line("")?;
        let mut held = Vec::new();
        for number in 0..WEIGHED {
            let name = format!("sleep-{number}");
            let mut life = self.prepare(&name, &["/bin/sleep", "1000"])?;
            life.go()?;
            held.push(life);
        }
        for life in &held {
            life.started()?;
        }
        let weighed = weigh(&held);
        for life in &mut held {
            life.end()?;
        }
        let (pss, anonymous) = weighed?;
        line(&format!(
            "| {WEIGHED} shims with a sleeping command | PSS KiB each | of it anonymous |\n|---|---|---|\n| {} | {pss:.0} | {anonymous:.0} |\n",
            if is_static(&self.shim)? {
                "static"
            } else {
                "dynamic"
            }
        ))
    }

    /// Starts a shim and waits until its command is one word away.
    fn prepare(&self, name: &str, command: &[&str]) -> Result<Life> {
        let folder = self.dir.join(name);
        std::fs::create_dir(&folder)?;
        std::fs::write(folder.join("spec"), spec(command))?;
        let (ours, theirs) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )?;
        let child = Command::new(&self.shim)
            .arg(&folder)
            .env_clear()
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", self.shim.display()))?;
        let life = Life {
            child,
            folder,
            socket: ours,
        };
        life.hear(b'R')?;
        Ok(life)
    }
}

/// One shim with its socket.
struct Life {
    child: Child,
    folder: PathBuf,
    socket: OwnedFd,
}

impl Life {
    fn hear(&self, word: u8) -> Result<()> {
        let mut bytes = [0; 16];
        let len = recv(self.socket.as_raw_fd(), &mut bytes, MsgFlags::empty())?;
        ensure!(
            len > 0 && bytes[0] == word,
            "the shim said {:?}",
            &bytes[..len]
        );
        Ok(())
    }

    fn go(&mut self) -> Result<()> {
        send(self.socket.as_raw_fd(), b"G", MsgFlags::empty())?;
        Ok(())
    }

    fn started(&self) -> Result<()> {
        self.hear(b'S')
    }

    fn end(&mut self) -> Result<()> {
        kill(
            Pid::from_raw(i32::try_from(self.child.id())?),
            Signal::SIGUSR1,
        )?;
        self.child.wait()?;
        Ok(())
    }
}

/// The order to start a command, in the form of the file that shims read.
fn spec(command: &[&str]) -> Vec<u8> {
    let (uid, gid) = (Uid::current().to_string(), Gid::current().to_string());
    let mut fields: Vec<(&str, &str)> = command.iter().map(|word| ("arg", *word)).collect();
    fields.extend([
        ("env", "PATH=/usr/bin:/bin"),
        ("uid", uid.as_str()),
        ("gid", gid.as_str()),
        ("change_ids", "0"),
        ("directory", "/"),
        ("umask", "18"),
        ("nice", "0"),
        ("no_new_privs", "1"),
        ("stop_signal", "15"),
        ("kill_stragglers", "1"),
        ("drain_ms", "500"),
        ("end", ""),
    ]);
    let text = fields
        .iter()
        .map(|(key, value)| format!("{key} {}\n{value}\n", value.len()));
    format!("cronfleet.spec 1\n{}", text.collect::<String>()).into_bytes()
}

fn times(name: &str, mut times: Vec<Duration>) -> Result<()> {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    line(&format!("| {name} | {} | {} |", ms(at(0.5)), ms(at(0.99))))
}

/// Proportional and anonymous memory of each, in KiB.
fn weigh(lives: &[Life]) -> Result<(f64, f64)> {
    let mut sum = (0.0, 0.0);
    for life in lives {
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", life.child.id()))?;
        let kib = |key: &str| -> Result<f64> {
            let kib = rollup.lines().find_map(|line| line.strip_prefix(key));
            let kib = kib.and_then(|rest| rest.split_whitespace().next());
            Ok(kib.with_context(|| format!("no {key}"))?.parse()?)
        };
        sum.0 += kib("Pss:")?;
        sum.1 += kib("Pss_Anon:")?;
    }
    let count = lives.len() as f64;
    Ok((sum.0 / count, sum.1 / count))
}

/// Whether a program needs no loader.
fn is_static(program: &Path) -> Result<bool> {
    let bytes = std::fs::read(program)?;
    let head = bytes.get(..4_096).unwrap_or(&bytes);
    let loader = b"/ld-linux";
    Ok(!head.windows(loader.len()).any(|window| window == loader))
}
