//! The launch: everything between a fork and the command.
//!
//! Runs in the forked child, in an order that matters: what needs root comes first, the identity is taken on groups
//! first and user last (the other way round the groups would stay root's), and the directory is entered as the user.

use std::ffi::{CString, OsStr};
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use cronfleet_shim::control::{GO, Message, VERSION};
use cronfleet_shim::spec::{Program, Spec};
use cronfleet_shim::step::{Step, StepError};

use crate::cgroup;
use crate::sys;

const PATH_DEFAULT: &[u8] = b"/usr/local/bin:/usr/bin:/bin";

/// Exit status of a child that could not become its command; its report on the pipe says more.
const NOT_LAUNCHED: i32 = 127;

/// What the child has open.
pub(crate) struct Streams {
    pub(crate) null: OwnedFd,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
    /// Where the child reports; closed by the kernel when the command is executed.
    pub(crate) report: OwnedFd,
    /// Where the child waits for the word.
    pub(crate) word: OwnedFd,
}

/// Prepares this process, waits for the word, and becomes the command.
pub(crate) fn launch(spec: &Spec, streams: Streams) -> ! {
    let mut word = fs::File::from(streams.word);
    let mut report = fs::File::from(streams.report);
    let kept = [word.as_raw_fd(), report.as_raw_fd()];
    let stdio = [&streams.null, &streams.stdout, &streams.stderr];
    let error = match prepare(spec, stdio, kept) {
        Ok(()) => {
            let ready = Message::Ready { version: VERSION };
            let mut said = [0];
            if report.write_all(&ready.encode()).is_err()
                || word.read_exact(&mut said).is_err()
                || said != [GO]
            {
                // The shim is gone: nobody may start this command any more.
                sys::exit_now(NOT_LAUNCHED);
            }
            execute(spec)
        }
        Err(error) => error,
    };
    // A shim that is gone cannot be told.
    let _ = report.write_all(&Message::Failed(error).encode());
    sys::exit_now(NOT_LAUNCHED)
}

/// Names the step that a call belongs to.
fn at<T>(step: Step, result: io::Result<T>) -> Result<T, StepError> {
    result.map_err(|e| failed(step, &e))
}

fn failed(step: Step, error: &io::Error) -> StepError {
    StepError {
        step,
        errno: error.raw_os_error().unwrap_or(libc::EINVAL),
    }
}

fn prepare(spec: &Spec, stdio: [&OwnedFd; 3], kept: [i32; 2]) -> Result<(), StepError> {
    at(Step::Session, sys::new_session())?;
    at(Step::Cgroup, cgroup::join(&spec.cgroups.joined))?;
    for limit in &spec.limits {
        at(Step::Limits, sys::set_limit(limit))?;
    }
    set_nice(spec.nice)?;
    if let Some(priority) = spec.io_priority {
        at(Step::IoPriority, sys::set_io_priority(priority))?;
    }
    sys::set_umask(spec.umask);
    set_oom_score(spec.oom_score_adj)?;
    take_identity(spec)?;
    if spec.no_new_privs {
        at(Step::NoNewPrivs, sys::set_no_new_privs())?;
    }
    let directory = Path::new(OsStr::from_bytes(&spec.directory));
    at(Step::Directory, std::env::set_current_dir(directory))?;
    for (number, fd) in (0..).zip(stdio) {
        at(Step::Stdio, sys::duplicate(fd.as_fd(), number))?;
    }
    at(Step::Stdio, close_all_but(kept))?;
    at(Step::Signals, sys::reset_signals())
}

/// Sets the nice value; 0 is what commands get anyhow unless the agent was started otherwise.
fn set_nice(nice: i32) -> Result<(), StepError> {
    match sys::set_nice(nice) {
        Err(_) if nice == 0 => Ok(()),
        other => at(Step::Nice, other),
    }
}

fn set_oom_score(score: Option<i32>) -> Result<(), StepError> {
    let set = |score: i32| fs::write("/proc/self/oom_score_adj", score.to_string());
    match score {
        Some(score) => at(Step::OomScore, set(score)),
        // The shim protects itself; its command goes back to normal where the system lets it.
        None => {
            let _ = set(0);
            Ok(())
        }
    }
}

fn take_identity(spec: &Spec) -> Result<(), StepError> {
    if spec.change_ids {
        at(Step::Groups, sys::set_groups(&spec.groups))?;
        at(Step::Gid, sys::set_gid(spec.gid))?;
        at(Step::Uid, sys::set_uid(spec.uid))?;
    }
    sys::clear_ambient_capabilities();
    let groups_hold =
        !spec.change_ids || is_same_set(&spec.groups, at(Step::Identity, sys::groups())?);
    let can_return = spec.uid != 0 && sys::set_uid(0).is_ok();
    if sys::has_ids(spec.uid, spec.gid) && groups_hold && !can_return {
        Ok(())
    } else {
        Err(StepError {
            step: Step::Identity,
            errno: libc::EPERM,
        })
    }
}

fn is_same_set(wanted: &[u32], mut found: Vec<u32>) -> bool {
    let mut wanted = wanted.to_vec();
    for list in [&mut wanted, &mut found] {
        list.sort_unstable();
        list.dedup();
    }
    wanted == found
}

/// Closes everything above standard error but two descriptors.
fn close_all_but(kept: [i32; 2]) -> io::Result<()> {
    let mut next = 3;
    let mut kept = kept.map(|fd| u32::try_from(fd).unwrap_or(0));
    kept.sort_unstable();
    for fd in kept {
        sys::close_range(next, fd.saturating_sub(1))?;
        next = fd + 1;
    }
    sys::close_range(next, u32::MAX)
}

/// Becomes the command, or says why not.
fn execute(spec: &Spec) -> StepError {
    let strings = |list: &[Vec<u8>]| -> Result<Vec<CString>, _> {
        list.iter().map(|s| CString::new(s.as_slice())).collect()
    };
    let missing = StepError {
        step: Step::Command,
        errno: libc::ENOENT,
    };
    let hidden = spec.secret_environment.iter().map(|variable| &variable.0);
    let environment: Vec<_> = spec.environment.iter().chain(hidden).cloned().collect();
    let (Ok(argv), Ok(environment)) = (strings(&spec.argv), strings(&environment)) else {
        return StepError {
            step: Step::Spec,
            errno: libc::EINVAL,
        };
    };
    if let Some(program) = &spec.program {
        return execute_checked(program, &argv, &environment);
    }
    let Some(program) = spec.argv.first() else {
        return missing;
    };
    let mut answer = missing;
    for path in candidates(program, &spec.environment) {
        let error = sys::execute(&path, &argv, &environment);
        answer = match error.raw_os_error() {
            Some(libc::ENOENT) if exists(&path) => {
                return failed(Step::Interpreter, &error);
            }
            // Look on, but remember that there was one: "denied" says more than "missing".
            Some(libc::ENOENT | libc::ENOTDIR) if answer.errno == libc::EACCES => answer,
            Some(libc::ENOENT | libc::ENOTDIR | libc::EACCES) => failed(Step::Command, &error),
            _ => return failed(Step::Command, &error),
        };
    }
    answer
}

/// Executes the file that was looked at and no other: by descriptor, so that nothing can come between the check and the start.
///
/// A script with a `#!` line cannot be executed by a descriptor that its interpreter does not inherit. It is executed by its
/// path, which is as good: the agent has made sure that only its owners can change any part of it.
fn execute_checked(program: &Program, argv: &[CString], environment: &[CString]) -> StepError {
    let Ok(path) = CString::new(program.path.as_slice()) else {
        return StepError {
            step: Step::Spec,
            errno: libc::EINVAL,
        };
    };
    let file = match sys::open_without_links(&path) {
        Ok(file) => file,
        Err(error) => return failed(Step::Program, &error),
    };
    match sys::file_number(&file) {
        Ok(found) if found == (program.device, program.inode) => {}
        Ok(_) => {
            return StepError {
                step: Step::Program,
                errno: libc::ESTALE,
            };
        }
        Err(error) => return failed(Step::Program, &error),
    }
    let error = sys::execute_file(&file, argv, environment);
    if error.raw_os_error() != Some(libc::ENOENT) {
        return failed(Step::Command, &error);
    }
    let error = sys::execute(&path, argv, environment);
    match error.raw_os_error() {
        Some(libc::ENOENT) => failed(Step::Interpreter, &error),
        _ => failed(Step::Command, &error),
    }
}

/// Where a program may be: at its path, or in the directories of its own `PATH`. Relative directories do not count.
fn candidates(program: &[u8], environment: &[Vec<u8>]) -> Vec<CString> {
    if program.contains(&b'/') {
        return CString::new(program).into_iter().collect();
    }
    let path = environment.iter().find_map(|v| v.strip_prefix(b"PATH="));
    path.unwrap_or(PATH_DEFAULT)
        .split(|b| *b == b':')
        .filter(|directory| directory.starts_with(b"/"))
        .filter_map(|directory| CString::new([directory, b"/", program].concat()).ok())
        .collect()
}

fn exists(path: &CString) -> bool {
    Path::new(OsStr::from_bytes(path.as_bytes())).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_directories_are_searched() {
        let environment = [b"A=b".to_vec(), b"PATH=/a::rel:/b:.".to_vec()];
        let found = candidates(b"tool", &environment);
        assert_eq!(found, [c"/a/tool".to_owned(), c"/b/tool".to_owned()]);
        assert_eq!(candidates(b"./tool", &environment), [c"./tool".to_owned()]);
        assert_eq!(candidates(b"tool", &[]).len(), 3);
    }

    #[test]
    fn group_lists_are_compared_as_sets() {
        assert!(is_same_set(&[3, 1, 1], vec![1, 3]));
        assert!(!is_same_set(&[1], vec![1, 0]));
    }
}
