//! What a shim and an agent say to each other: files in a life folder, frames in a spool, messages on a socket.
//!
//! A *life* is one execution of one command. Its shim knows nothing of jobs, schedules or centers; this library is
//! the whole of the knowledge the two programs share, so that an old shim and a new agent can be read side by side.
//!
//! - [`record`]: the `key length value` text form of every file in a life folder;
//! - [`spec`]: what to launch, written by the agent before it spawns the shim;
//! - [`life`]: what happened, written by the shim (`lock`, `started`, `exit`);
//! - [`frame`]: how output lies in the spool;
//! - [`control`]: the messages of the start protocol;
//! - [`step`]: the steps of a launch, for errors that say where.
//!
//! Nothing here performs I/O.

pub mod control;
pub mod frame;
pub mod life;
pub mod record;
pub mod spec;
pub mod step;

/// Names of the files in a life folder.
pub mod file {
    /// Locked by the shim for its whole life; holds a [`crate::life::ShimRecord`].
    pub const LOCK: &str = "lock";
    /// What to launch: a [`crate::spec::Spec`].
    pub const SPEC: &str = "spec";
    /// Present once the command may have run: a [`crate::life::StartedRecord`].
    pub const STARTED: &str = "started";
    /// Present once everything is over: a [`crate::life::ExitRecord`].
    pub const EXIT: &str = "exit";
    /// Space for `started`, taken before the start so that a full disk cannot swallow it.
    pub const STARTED_NEW: &str = "started.new";
    /// Space for `exit`, taken before the start so that a full disk cannot swallow it.
    pub const EXIT_NEW: &str = "exit.new";
    /// FIFO behind the command's standard output.
    pub const STDOUT: &str = "out";
    /// FIFO behind the command's standard error.
    pub const STDERR: &str = "err";
    /// Directory of files with secrets, when there are any; removed at the end.
    pub const SECRETS: &str = "secrets";
    /// Text of a script, when the command is one.
    pub const SCRIPT: &str = "script";
}
