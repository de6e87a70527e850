//! A program that is killed right before its n-th effect on the world.
//!
//! The program is traced at its system calls, in all of its threads together; programs that it starts are not traced and live
//! on. Effects are what somebody else can see or a restart will find: see [`EffectKind`]. Because nothing happens between two
//! effects but computing, "before the n-th" for every n is every moment there is.
//!
//! A program can also be traced for its whole life with a switch by which making things durable fails, as on a broken disk.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use anyhow::Context;
use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// What a system call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EffectKind {
    /// Makes something durable: `fsync`, `fdatasync`.
    Sync,
    /// Starts a thread or a program: `clone`, `clone3`.
    Clone,
    /// Says something through a socket: `sendto`, `sendmsg`, `write` and the like.
    Send,
    /// Changes a file's content: `write` and the like, `ftruncate`.
    Write,
    /// Changes a directory: `mkdir`, `rename`, `unlink`, `rmdir`, `openat` that creates, and the like.
    Entry,
    /// Sends a signal to a process: `kill`, `pidfd_send_signal`.
    Signal,
}

impl EffectKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Sync,
        Self::Clone,
        Self::Send,
        Self::Write,
        Self::Entry,
        Self::Signal,
    ];
}

/// One effect.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Effect {
    /// What it does.
    pub kind: EffectKind,
    /// To what: a path below the program's own directory with ids left out, or the kind of file or of what is done.
    pub place: String,
}

/// When a program is killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// Before its effect with this number, from 1, whatever it is.
    Effect(usize),
    /// Before its effect with this number, from 1, among those that are the same.
    Before(Effect, usize),
    /// Once it had that effect, before the next one.
    After(Effect, usize),
}

impl Moment {
    /// Whether a program whose last effect is about to happen has come to this moment.
    pub fn is_before_last(&self, effects: &[Effect]) -> bool {
        let Some((last, had)) = effects.split_last() else {
            return false;
        };
        let count = |wanted: &Effect| had.iter().filter(|effect| *effect == wanted).count();
        match self {
            Self::Effect(number) => effects.len() == *number,
            Self::Before(effect, number) => last == effect && count(effect) + 1 == *number,
            Self::After(effect, number) => had.last() == Some(effect) && count(effect) == *number,
        }
    }
}

/// Whether `fsync` and `fdatasync` of a traced program fail with EIO. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct SyncSwitch(Arc<AtomicBool>);

impl SyncSwitch {
    /// Lets them fail from now on, or not any more.
    pub fn fail(&self, fails: bool) {
        self.0.store(fails, Ordering::Relaxed);
    }

    fn is_failing(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is done to a traced program.
#[derive(Debug, Clone)]
enum Harm {
    /// It is killed at this moment, if it comes.
    Kill(Option<Moment>),
    /// Its disk fails while the switch says so. Effects are not counted.
    FailSyncs(SyncSwitch),
}

/// A started program that is traced; killed when dropped.
#[derive(Debug)]
pub struct Traced {
    pid: Pid,
    thread: Option<JoinHandle<anyhow::Result<Vec<Effect>>>>,
}

impl Traced {
    /// Starts `command` with its output appended to `log`. It is killed with SIGKILL at a moment; never, without one. Places
    /// are shown relative to `base`.
    ///
    /// # Errors
    /// The program cannot be started, or this process may trace none.
    pub fn start(
        command: &Command,
        log: &Path,
        base: &Path,
        kill_at: Option<Moment>,
    ) -> anyhow::Result<Self> {
        Self::trace(command, log, base, Harm::Kill(kill_at))
    }

    /// Starts `command` with its output appended to `log`; whether its syncs fail is up to `switch`. No effects are told.
    ///
    /// # Errors
    /// The program cannot be started, or this process may trace none.
    pub fn start_with_syncs(
        command: &Command,
        log: &Path,
        switch: SyncSwitch,
    ) -> anyhow::Result<Self> {
        Self::trace(command, log, Path::new("/"), Harm::FailSyncs(switch))
    }

    fn trace(command: &Command, log: &Path, base: &Path, harm: Harm) -> anyhow::Result<Self> {
        let gated = gated(command, log)?;
        let view = View {
            base: base.to_owned(),
            log: log.to_owned(),
        };
        let (started, pid) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("tracer".to_owned())
            .spawn(move || trace(gated, &view, &harm, &started))?;
        let pid = match pid.recv() {
            Ok(pid) => pid,
            // It ended before it had anything to tell.
            Err(_) => match thread.join() {
                Ok(Err(error)) => return Err(error),
                Ok(Ok(_)) | Err(_) => anyhow::bail!("the tracer ended without a program"),
            },
        };
        Ok(Self {
            pid,
            thread: Some(thread),
        })
    }

    /// Once the program is over: every effect that it had, the one that it was killed before included.
    ///
    /// # Errors
    /// Tracing failed.
    pub fn ended(&mut self) -> anyhow::Result<Option<Vec<Effect>>> {
        match self.thread.take_if(|thread| thread.is_finished()) {
            Some(thread) => joined(thread).map(Some),
            None => Ok(None),
        }
    }

    /// Kills the program with SIGKILL, wherever it is, and answers every effect that it had.
    ///
    /// # Errors
    /// Tracing failed, or it was over and [`Traced::ended`] has said so already.
    pub fn kill(&mut self) -> anyhow::Result<Vec<Effect>> {
        let thread = self.thread.take().context("it is over")?;
        if !thread.is_finished() {
            // It may be over by now.
            let _gone = kill(self.pid, Signal::SIGKILL);
        }
        joined(thread)
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if self.thread.is_some() {
            let _effects = self.kill();
        }
    }
}

fn joined(thread: JoinHandle<anyhow::Result<Vec<Effect>>>) -> anyhow::Result<Vec<Effect>> {
    match thread.join() {
        Ok(effects) => effects,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// The command behind a shell that waits for a line before it becomes the program: time to begin tracing.
fn gated(command: &Command, log: &Path) -> anyhow::Result<Command> {
    let log = File::options().create(true).append(true).open(log)?;
    let mut gated = Command::new("/bin/sh");
    gated
        .args(["-c", "read go; exec \"$0\" \"$@\" </dev/null"])
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => gated.env(name, value),
            None => gated.env_remove(name),
        };
    }
    Ok(gated)
}

/// Runs a program to its end. All requests for a traced program must come from one thread, and it waits for nobody else's.
fn trace(
    mut command: Command,
    view: &View,
    harm: &Harm,
    started: &mpsc::SyncSender<Pid>,
) -> anyhow::Result<Vec<Effect>> {
    let mut child = command
        .spawn()
        .context("cannot start the program to trace")?;
    let main = Pid::from_raw(i32::try_from(child.id())?);
    // Not PTRACE_O_TRACEFORK nor PTRACE_O_TRACEVFORK: threads are followed, programs are not.
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    if let Err(error) = ptrace::seize(main, options) {
        let _gone = child.kill();
        let _reaped = child.wait();
        return Err(error).context("cannot trace a program");
    }
    started.send(main)?;
    child.stdin.take().context("stdin")?.write_all(b"go\n")?;
    let mut effects = Vec::new();
    let mut failing = HashSet::new();
    loop {
        match waitpid(
            None::<Pid>,
            Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD),
        ) {
            Ok(WaitStatus::PtraceSyscall(thread)) => {
                match harm {
                    Harm::Kill(moment) => {
                        if let Some(effect) = effect(main, thread, view) {
                            effects.push(effect);
                            let is_time = moment
                                .as_ref()
                                .is_some_and(|moment| moment.is_before_last(&effects));
                            if is_time {
                                let _gone = kill(main, Signal::SIGKILL);
                            }
                        }
                    }
                    Harm::FailSyncs(switch) => fail_sync(thread, switch, &mut failing),
                }
                go_on(thread, None)?;
            }
            Ok(WaitStatus::PtraceEvent(thread, ..)) => go_on(thread, None)?,
            Ok(WaitStatus::Stopped(thread, signal)) => go_on(thread, Some(signal))?,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(Errno::ECHILD) => return Ok(effects),
            Err(error) => return Err(error).context("cannot wait for a traced program"),
        }
    }
}

fn go_on(thread: Pid, signal: Option<Signal>) -> anyhow::Result<()> {
    match ptrace::syscall(thread, signal) {
        // Killed meanwhile.
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error).context("cannot let a traced program go on"),
    }
}

/// Turns a sync that a thread is about to make into a call that there is not, and the answer to that into EIO.
#[cfg(target_arch = "x86_64")]
fn fail_sync(thread: Pid, switch: &SyncSwitch, failing: &mut HashSet<Pid>) {
    if !switch.is_failing() && failing.is_empty() {
        return;
    }
    // A thread that was killed meanwhile has no registers.
    let Ok(mut registers) = ptrace::getregs(thread) else {
        return;
    };
    if failing.remove(&thread) {
        registers.rax = (-i64::from(libc::EIO)).cast_unsigned();
    } else if switch.is_failing() && is_sync(registers.orig_rax.cast_signed()) {
        registers.orig_rax = u64::MAX;
        failing.insert(thread);
    } else {
        return;
    }
    let _gone = ptrace::setregs(thread, registers);
}

/// There are no syncs that fail on other processors.
#[cfg(not(target_arch = "x86_64"))]
fn fail_sync(_thread: Pid, _switch: &SyncSwitch, _failing: &mut HashSet<Pid>) {}

fn is_sync(number: i64) -> bool {
    matches!(number, libc::SYS_fsync | libc::SYS_fdatasync)
}

/// The effect that a thread is about to have, if it is about to have one.
fn effect(main: Pid, thread: Pid, view: &View) -> Option<Effect> {
    let info = ptrace::syscall_info(thread).ok()?;
    if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
        return None;
    }
    let text = std::fs::read_to_string(format!("/proc/{main}/task/{thread}/syscall")).ok()?;
    let mut words = text.split_whitespace();
    let number: i64 = words.next()?.parse().ok()?;
    let mut argument =
        || -> Option<u64> { u64::from_str_radix(words.next()?.trim_start_matches("0x"), 16).ok() };
    let first = argument()?;
    let (_second, third) = (argument()?, argument()?);
    match number {
        number if is_sync(number) => {
            let place = view.file(main, first)?.place;
            Some(Effect::new(EffectKind::Sync, place))
        }
        libc::SYS_clone | libc::SYS_clone3 => {
            let flags = if number == libc::SYS_clone {
                first
            } else {
                // The first word of what it points to.
                ptrace::read(thread, first as ptrace::AddressType).ok()? as u64
            };
            let is_thread = flags & libc::CLONE_THREAD as u64 != 0;
            let place = if is_thread { "thread" } else { "program" };
            Some(Effect::new(EffectKind::Clone, place.to_owned()))
        }
        libc::SYS_sendto | libc::SYS_sendmsg | libc::SYS_sendmmsg => {
            let place = view.file(main, first)?.place;
            Some(Effect::new(EffectKind::Send, place))
        }
        libc::SYS_write
        | libc::SYS_writev
        | libc::SYS_pwrite64
        | libc::SYS_pwritev
        | libc::SYS_ftruncate
        | libc::SYS_fallocate => {
            let file = view.file(main, first)?;
            let kind = if file.is_socket {
                EffectKind::Send
            } else {
                EffectKind::Write
            };
            Some(Effect::new(kind, file.place))
        }
        libc::SYS_openat if third & libc::O_CREAT as u64 != 0 => {
            Some(Effect::new(EffectKind::Entry, "create".to_owned()))
        }
        libc::SYS_kill | libc::SYS_pidfd_send_signal => {
            Some(Effect::new(EffectKind::Signal, String::new()))
        }
        number => ENTRY_CALLS
            .iter()
            .find(|(call, _)| *call == number)
            .map(|(_, name)| Effect::new(EffectKind::Entry, (*name).to_owned())),
    }
}

/// System calls that change a directory, with the word they are shown by.
#[cfg(target_arch = "x86_64")]
const ENTRY_CALLS: [(i64, &str); 11] = [
    (libc::SYS_mkdirat, "mkdir"),
    (libc::SYS_renameat, "rename"),
    (libc::SYS_renameat2, "rename"),
    (libc::SYS_unlinkat, "unlink"),
    (libc::SYS_linkat, "link"),
    (libc::SYS_mknodat, "mknod"),
    (libc::SYS_mkdir, "mkdir"),
    (libc::SYS_rename, "rename"),
    (libc::SYS_unlink, "unlink"),
    (libc::SYS_rmdir, "rmdir"),
    (libc::SYS_link, "link"),
];

/// System calls that change a directory, with the word they are shown by.
#[cfg(not(target_arch = "x86_64"))]
const ENTRY_CALLS: [(i64, &str); 5] = [
    (libc::SYS_mkdirat, "mkdir"),
    (libc::SYS_renameat2, "rename"),
    (libc::SYS_unlinkat, "unlink"),
    (libc::SYS_linkat, "link"),
    (libc::SYS_mknodat, "mknod"),
];

impl Effect {
    /// An effect of a kind on a place.
    pub const fn new(kind: EffectKind, place: String) -> Self {
        Self { kind, place }
    }
}

/// How files are shown, and which do not count.
struct View {
    base: PathBuf,
    log: PathBuf,
}

struct OpenFile {
    place: String,
    is_socket: bool,
}

impl View {
    /// The file behind a descriptor; none for what only the program itself sees: its own wake-ups and pipes, and its log.
    fn file(&self, pid: Pid, descriptor: u64) -> Option<OpenFile> {
        let path = std::fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).ok()?;
        let text = path.to_string_lossy();
        if let Some(inode) = text.strip_prefix("socket:[") {
            return Some(OpenFile {
                place: socket_place(pid, inode.trim_end_matches(']')).to_owned(),
                is_socket: true,
            });
        }
        if !path.is_absolute() || path == self.log {
            return None;
        }
        let shown = path.strip_prefix(&self.base).unwrap_or(&path);
        let words = shown.components().map(|part| {
            let word = part.as_os_str().to_string_lossy();
            let is_id = word.chars().filter(char::is_ascii_digit).count() > 3;
            if is_id {
                "*".to_owned()
            } else {
                word.into_owned()
            }
        });
        Some(OpenFile {
            place: words.collect::<Vec<_>>().join("/"),
            is_socket: false,
        })
    }
}

/// What kind of socket has this inode: one to another program on the machine, or one to elsewhere.
fn socket_place(pid: Pid, inode: &str) -> &'static str {
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/unix")).unwrap_or_default();
    // After a line of titles: address, references, protocol, flags, type, state, inode.
    let kind = table.lines().skip(1).find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (words.get(6) == Some(&inode)).then(|| words[4])
    });
    match kind {
        Some("0005") => "packet socket",
        Some(_) => "local socket",
        None => "network",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that creates three files one after the other, in a thread of the shell's own.
    fn three_files(dir: &Path) -> Command {
        let mut command = Command::new("/bin/sh");
        let script = "for n in 1 2 3; do echo $n > $DIR/$n; done";
        command.args(["-c", script]).env("DIR", dir);
        command
    }

    fn run(dir: &Path, kill_at: Option<Moment>) -> Vec<Effect> {
        let log = dir.join("log");
        let mut traced = Traced::start(&three_files(dir), &log, dir, kill_at).unwrap();
        loop {
            if let Some(effects) = traced.ended().unwrap() {
                return effects;
            }
            std::thread::yield_now();
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn syncs_fail_while_the_switch_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let (file, log) = (dir.path().join("file"), dir.path().join("log"));
        std::fs::write(&file, "x").unwrap();
        for fails in [false, true] {
            let switch = SyncSwitch::default();
            switch.fail(fails);
            let mut command = Command::new("sync");
            command.arg("--data").arg(&file);
            let mut traced = Traced::start_with_syncs(&command, &log, switch).unwrap();
            while traced.ended().unwrap().is_none() {
                std::thread::yield_now();
            }
            let said = std::fs::read_to_string(&log).unwrap();
            assert_eq!(said.contains("Input/output error"), fails, "{said}");
        }
    }

    #[test]
    fn a_program_is_killed_right_before_the_effect_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let all = run(dir.path(), None);
        let creates = all.iter().filter(|effect| effect.place == "create").count();
        assert_eq!(creates, 3, "{all:?}");
        for number in 1..=all.len() {
            let dir = tempfile::tempdir().unwrap();
            let effects = run(dir.path(), Some(Moment::Effect(number)));
            assert_eq!(effects, all[..number]);
            let expected = all[..number - 1]
                .iter()
                .filter(|effect| effect.place == "create")
                .count();
            let found = (1..=3)
                .filter(|n| dir.path().join(n.to_string()).exists())
                .count();
            assert_eq!(found, expected, "killed before {number} of {all:?}");
        }
    }

    #[test]
    fn moments_are_told_by_what_happens() {
        let effect = |place: &str| Effect::new(EffectKind::Entry, place.to_owned());
        let (a, b) = (effect("a"), effect("b"));
        let all = [a.clone(), b.clone(), a.clone(), b.clone()];
        let reached = |moment: Moment| {
            let mut ends = 0..=all.len();
            ends.find(|end| moment.is_before_last(&all[..*end]))
        };
        assert_eq!(reached(Moment::Effect(3)), Some(3));
        assert_eq!(reached(Moment::Effect(5)), None);
        assert_eq!(reached(Moment::Before(b.clone(), 2)), Some(4));
        assert_eq!(reached(Moment::Before(b.clone(), 3)), None);
        assert_eq!(reached(Moment::After(a, 1)), Some(2));
        assert_eq!(reached(Moment::After(b, 1)), Some(3));
    }
}
