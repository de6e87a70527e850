//! `cronfleet-shim <life folder>`: holds one process. Started by the agent, never by hand.
//!
//! It locks the folder, prepares the process up to the step before its command, and waits. One byte from the agent
//! on standard input executes the command; the end of standard input before that ends everything. From then on the
//! shim needs nobody: it moves the output to the spool, reaps whatever the command leaves behind, writes down how it
//! ended, and leaves. It keeps no policy and knows no jobs.

mod cgroup;
mod folder;
mod hold;
mod launch;
mod mask;
mod notice;
mod pump;
mod room;
mod spool;
mod sys;
mod tree;

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cronfleet_shim::control::Message;
use cronfleet_shim::file;
use cronfleet_shim::frame::Stream;
use cronfleet_shim::life::{End, ExitRecord};
use cronfleet_shim::spec::{Output, Spec};
use cronfleet_shim::step::{Step, StepError};

use folder::{Folder, Reserved, process_id};
use hold::{Child, Holder, Outcome, State};
use launch::Streams;
use mask::Mask;
use pump::{Fifo, Pump};
use spool::Spool;
use sys::Fork;

/// Protects the shim from being chosen when memory runs out: it is small, and its end would lose the exit status.
const OOM_SCORE: &str = "-900";

/// The shim was not called with one absolute folder.
const EXIT_USAGE: u8 = 2;
/// The folder cannot be used, or another shim has used it.
const EXIT_REFUSED: u8 = 3;

fn main() -> ExitCode {
    let path = std::env::args_os().nth(1).map(PathBuf::from);
    let Some(path) = path.filter(|path| path.is_absolute()) else {
        return ExitCode::from(EXIT_USAGE);
    };
    match live(path) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::from(EXIT_REFUSED),
    }
}

/// One life. Says whether it was ours to live.
fn live(path: PathBuf) -> io::Result<bool> {
    sys::close_range(3, u32::MAX)?;
    sys::set_umask(0o077);
    // From here on the descriptor of standard input belongs to `agent`.
    let agent = sys::agent_socket();
    let Some(folder) = Folder::enter(path)? else {
        return Ok(false);
    };
    std::env::set_current_dir("/")?;
    let exit_space = folder.reserve(file::EXIT_NEW)?;
    let spec = match read_spec(&folder) {
        Ok(spec) => spec,
        Err(error) => return refuse(&folder, &exit_space, &agent, error),
    };
    match prepare(&folder, &spec) {
        Err(error) => refuse(&folder, &exit_space, &agent, error),
        Ok(prepared) => {
            let mut holder = prepared.hold(&folder, &spec, agent);
            let outcome = holder.run();
            let agent = holder.agent.take();
            drop(holder);
            end(folder, &exit_space, agent, &outcome)?;
            Ok(true)
        }
    }
}

/// Writes the end down, then says a last word and leaves.
fn end(
    folder: Folder,
    exit_space: &Reserved,
    agent: Option<OwnedFd>,
    outcome: &Outcome,
) -> io::Result<()> {
    // Mostly there is nothing; and where there is, it lies in memory only.
    let _ = fs::remove_dir_all(folder.join(file::SECRETS));
    folder.write_exit(exit_space, &outcome.record)?;
    if let (End::StartFailed(error), Some(agent)) = (outcome.record.end, &agent) {
        // An agent that is gone will find the record.
        let _ = sys::send(agent, &Message::Failed(error).encode());
    }
    drop(agent);
    if outcome.lingers {
        let paths = [file::STDOUT, file::STDERR].map(|name| folder.join(name));
        let readers = paths.iter().filter_map(|path| pump::reader(path).ok());
        let readers: Vec<_> = readers.collect();
        // Nothing of this life is ours any more: its folder may be removed.
        drop(folder);
        if let Fork::Child = sys::fork()? {
            pump::discard(readers);
        }
    }
    Ok(())
}

/// Fails before there was a process.
fn refuse(
    folder: &Folder,
    exit_space: &Reserved,
    agent: &OwnedFd,
    error: StepError,
) -> io::Result<bool> {
    let record = ExitRecord {
        end: End::StartFailed(error),
        at_us: i64::try_from(pump::wall_us()).unwrap_or(i64::MAX),
        duration_us: 0,
        user_us: 0,
        system_us: 0,
        max_rss_kib: 0,
        output_bytes: 0,
        dropped_bytes: 0,
        spool_end: 0,
        stragglers_killed: 0,
        stragglers_left: 0,
        stop_requested: false,
        kill_requested: false,
        stop_signal: None,
        kill_means: None,
        stragglers_found: 0,
        oom_kills: 0,
    };
    folder.write_exit(exit_space, &record)?;
    let _ = sys::send(agent, &Message::Failed(error).encode());
    Ok(true)
}

fn read_spec(folder: &Folder) -> Result<Spec, StepError> {
    let bytes = at(Step::Spec, fs::read(folder.join(file::SPEC)))?;
    Spec::decode(&bytes).map_err(|_| StepError {
        step: Step::Spec,
        errno: libc::EPROTO,
    })
}

/// Everything that [`Holder`] needs and the agent's socket does not belong to.
struct Prepared {
    started_space: Reserved,
    boot_id: String,
    signals: fs::File,
    child: Child,
    pump: Pump,
}

impl Prepared {
    fn hold<'a>(self, folder: &'a Folder, spec: &'a Spec, agent: OwnedFd) -> Holder<'a> {
        Holder {
            folder,
            spec,
            started_space: self.started_space,
            boot_id: self.boot_id,
            signals: self.signals,
            agent: Some(agent),
            child: self.child,
            pump: self.pump,
            state: State::new(),
        }
    }
}

fn prepare(folder: &Folder, spec: &Spec) -> Result<Prepared, StepError> {
    // Fails only for a group leader, which nothing that the agent spawns is; then being apart is not needed either.
    let _ = sys::new_session();
    at(Step::Fork, sys::become_subreaper())?;
    // Not everybody may do that.
    let _ = fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    let signals = at(Step::Signals, sys::signal_descriptor())?;
    let started_space = at(Step::Folder, folder.reserve(file::STARTED_NEW))?;
    let boot_id = at(
        Step::Folder,
        fs::read_to_string("/proc/sys/kernel/random/boot_id"),
    )?;
    let spool = open_spool(spec)?;
    let owner = spec.change_ids.then_some((spec.uid, spec.gid));
    let fifo = |name, stream| {
        at(
            Step::Folder,
            Fifo::create(&folder.join(name), stream, owner),
        )
    };
    let (out, stdout) = fifo(file::STDOUT, Stream::Stdout)?;
    let (err, stderr) = fifo(file::STDERR, Stream::Stderr)?;
    let child = fork_child(spec, stdout, stderr)?;
    Ok(Prepared {
        started_space,
        boot_id: boot_id.trim().to_owned(),
        signals,
        child,
        pump: Pump::new([out, err], spool, block_max_ms(spec), mask(spec)),
    })
}

fn open_spool(spec: &Spec) -> Result<Option<Spool>, StepError> {
    match &spec.output {
        Output::Discard => Ok(None),
        Output::Store {
            cap_bytes,
            directory,
            block_max_ms: _,
        } => {
            let directory = Path::new(OsStr::from_bytes(directory)).to_owned();
            at(Step::Spool, Spool::open(directory, *cap_bytes)).map(Some)
        }
    }
}

/// What to blot out in output.
fn mask(spec: &Spec) -> Option<Mask> {
    Mask::new(spec.mask.iter().map(|pattern| pattern.0.clone()))
}

/// How long the command may be made to wait for room.
fn block_max_ms(spec: &Spec) -> Option<u64> {
    match &spec.output {
        Output::Discard => None,
        Output::Store { block_max_ms, .. } => *block_max_ms,
    }
}

fn fork_child(spec: &Spec, stdout: OwnedFd, stderr: OwnedFd) -> Result<Child, StepError> {
    let null = at(Step::Stdio, fs::File::open("/dev/null"))?;
    let (report, report_end) = at(Step::Fork, sys::pipe())?;
    let (word_end, word) = at(Step::Fork, sys::pipe())?;
    at(Step::Fork, sys::set_nonblocking(&report))?;
    match at(Step::Fork, sys::fork())? {
        Fork::Child => {
            drop((report, word));
            let streams = Streams {
                null: null.into(),
                stdout,
                stderr,
                report: report_end,
                word: word_end,
            };
            launch::launch(spec, streams)
        }
        Fork::Parent(pid) => Ok(Child {
            // The child waits for our word or our end, so it is still there; were it not, its end would say so.
            id: at(Step::Fork, process_id(pid))?,
            report: Some(fs::File::from(report)),
            word: Some(word),
        }),
    }
}

fn at<T>(step: Step, result: io::Result<T>) -> Result<T, StepError> {
    result.map_err(|error| StepError {
        step,
        errno: error.raw_os_error().unwrap_or(libc::EIO),
    })
}
