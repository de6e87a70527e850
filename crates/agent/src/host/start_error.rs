//! Why a life did not start.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use cronfleet_core::cgroup::{CgroupSupport, Controller};
use cronfleet_shim::life::StartedRecord;
use cronfleet_shim::record::FormatError;
use cronfleet_shim::spec::Spec;
use cronfleet_shim::step::{Step, StepError};
use uuid::Uuid;

use super::cgroup::LeafError;

/// Why a life did not start, or is not known to have started.
///
/// Except for [`StartError::AlreadyExists`] and a [`StartError::ShimVanished`] with a record, the command provably
/// never ran.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// This life id was used before. Nothing was done.
    #[error("life {id} exists already")]
    AlreadyExists {
        /// The id.
        id: Uuid,
    },
    /// The spec asks for something that no system could do.
    #[error("the {field} of the launch is not valid")]
    Invalid {
        /// Field of the spec.
        field: &'static str,
    },
    /// An agent without privileges was asked to run as somebody else.
    #[error("an agent that is not root cannot run as {user}")]
    NotSelf {
        /// The user asked for.
        user: String,
    },
    /// The user, its groups or its privileges could not be taken on exactly.
    #[error("cannot take on the identity of the user ({})", step.name())]
    Identity {
        /// What was tried.
        step: Step,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The working directory is missing, or closed to the user.
    #[error("cannot enter directory {}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The command is missing, not executable for the user, or not a program.
    #[error("cannot execute {}", path.display())]
    Command {
        /// The command as asked for.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file that was allowed is no longer the one at its path.
    #[error("{} was replaced between the policy's look and the start", path.display())]
    Replaced {
        /// The program.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The command exists, but the interpreter it names does not.
    #[error("the interpreter or loader that {} names does not exist", path.display())]
    Interpreter {
        /// The command as asked for.
        path: PathBuf,
    },
    /// Another step of the launch failed.
    #[error("cannot set up the process ({})", step.name())]
    Step {
        /// What was tried.
        step: Step,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Nothing on this machine can enforce a limit that was asked for.
    #[error("this machine cannot limit {}: {detail}", controller.word())]
    LimitUnsupported {
        /// What should be limited.
        controller: Controller,
        /// Why it cannot.
        detail: String,
    },
    /// A limit, nice value or priority was refused, mostly because only root may have it.
    #[error("cannot set the {}", step.name())]
    LimitRefused {
        /// What was to be set.
        step: Step,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file of the life could not be written.
    #[error("cannot write {}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There are secrets, and the place for them is not in memory.
    #[error("secrets are given in memory only, and {} is on a disk", path.display())]
    SecretsOnDisk {
        /// The life's folder.
        path: PathBuf,
    },
    /// The shim could not be spawned.
    #[error("cannot spawn {}", shim.display())]
    Spawn {
        /// Path of the shim.
        shim: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The shim speaks another version of the protocol.
    #[error("the shim speaks version {version} of the protocol")]
    Protocol {
        /// Its version.
        version: u8,
    },
    /// The shim was not ready in time; it was killed before the command could run.
    #[error("the process was not ready in time")]
    Slow,
    /// The shim disappeared without a word.
    #[error("the shim disappeared")]
    ShimVanished {
        /// Present if the command may have run: then the life is lost, not failed.
        started: Option<Box<StartedRecord>>,
    },
    /// A file that the shim wrote cannot be understood.
    #[error("cannot read the start record")]
    Record {
        /// What is wrong with it.
        #[source]
        source: FormatError,
    },
}

impl StartError {
    /// Stable code of the reason, as runs carry it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotSelf { .. } | Self::Identity { .. } => "identity_failed",
            Self::Directory { source, .. } => match source.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR) => "directory_missing",
                _ => "directory_denied",
            },
            Self::Command { source, .. } => match source.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR) => "command_missing",
                Some(libc::ENOEXEC) => "command_format",
                Some(libc::EACCES | libc::EPERM | libc::EISDIR | libc::ELOOP) => "command_denied",
                _ => "spawn_failed",
            },
            Self::Interpreter { .. } => "command_missing",
            Self::SecretsOnDisk { .. } => "secret_unavailable",
            Self::Replaced { .. } => "command_denied",
            Self::LimitUnsupported { .. } | Self::LimitRefused { .. } => "limit_unsupported",
            Self::AlreadyExists { .. }
            | Self::Invalid { .. }
            | Self::Step { .. }
            | Self::File { .. }
            | Self::Spawn { .. }
            | Self::Protocol { .. }
            | Self::Slow
            | Self::ShimVanished { .. }
            | Self::Record { .. } => "spawn_failed",
        }
    }

    /// Whether the same launch may well work a moment later (memory, process table, open files, slow machine).
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Command { source, .. }
            | Self::Identity { source, .. }
            | Self::Step { source, .. }
            | Self::File { source, .. }
            | Self::Spawn { source, .. } => matches!(
                source.raw_os_error(),
                Some(
                    libc::EAGAIN
                        | libc::ENOMEM
                        | libc::EMFILE
                        | libc::ENFILE
                        | libc::ENOSPC
                        | libc::ETXTBSY
                )
            ),
            Self::Slow | Self::ShimVanished { started: None } => true,
            _ => false,
        }
    }

    /// Says what a refused control group means for a start.
    pub(super) fn from_leaf(error: LeafError, support: &CgroupSupport) -> Self {
        match error {
            LeafError::Missing { controller } => Self::LimitUnsupported {
                controller,
                detail: support.detail.clone(),
            },
            LeafError::File { path, source } => Self::File { path, source },
        }
    }

    /// Puts names to a step that a shim reported.
    pub(super) fn from_step(error: StepError, spec: &Spec) -> Self {
        let source = io::Error::from_raw_os_error(error.errno);
        let path = |bytes: &[u8]| PathBuf::from(OsStr::from_bytes(bytes));
        let command = || spec.argv.first().map(|arg| path(arg)).unwrap_or_default();
        match error.step {
            Step::Directory => Self::Directory {
                path: path(&spec.directory),
                source,
            },
            Step::Command => Self::Command {
                path: command(),
                source,
            },
            Step::Interpreter => Self::Interpreter { path: command() },
            Step::Program => Self::Replaced {
                path: spec
                    .program
                    .as_ref()
                    .map_or_else(command, |program| path(&program.path)),
                source,
            },
            step @ (Step::Groups | Step::Gid | Step::Uid | Step::Identity | Step::NoNewPrivs) => {
                Self::Identity { step, source }
            }
            step @ (Step::Limits | Step::Nice | Step::IoPriority | Step::OomScore) => {
                Self::LimitRefused { step, source }
            }
            step @ (Step::Spec
            | Step::Folder
            | Step::Spool
            | Step::Fork
            | Step::Session
            | Step::Cgroup
            | Step::Stdio
            | Step::Signals
            | Step::Prepared) => Self::Step { step, source },
        }
    }
}
