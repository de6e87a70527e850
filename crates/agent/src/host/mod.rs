//! Everything the agent asks of the operating system: users, processes, output on disk, facts about the machine.
//!
//! A *life* is one execution of one command. Each has a folder on tmpfs (`<runtime>/<life id>`), a spool directory on
//! disk for its output, and a shim: a tiny process that holds the command, survives the agent, and writes down how it
//! ended before anybody is told (`docs/adr/0002-one-shim-per-process.md`).
//!
//! ```text
//! Host::arm ─► Armed ──go──► Life ──changed──► Ended     one life, from spec to exit record
//!                └─abandon─► never starts
//! Host::survey ─► Found::{NeverStarted, Alive(Life), Ended, Vanished, ...}     after an agent restart
//! Host::forget                                            when a center has everything
//! ```
//! What holds at any instant, whoever is killed:
//! - A life id is used once: its folder is created exclusively.
//! - Without a `started` file the command never ran, and no shim can start it later: it waits for a byte that only
//!   the agent which spawned it can send.
//! - A free lock means that no shim lives, so the files tell the whole truth.
//!
//! What to run, when, and what an end means is for others to decide; nothing here retries, restarts or times out.

mod arm;
mod cgroup;
mod environment;
mod folder;
mod life;
mod machine;
mod memory;
mod oom;
mod open;
mod orphan;
mod output;
mod pidfd;
mod program;
mod runtime_dir;
mod secrets;
mod socket;
mod spec;
mod start_error;
mod survey;
mod trust;
mod user;

pub use arm::Armed;
pub(crate) use cgroup::task_limit;
pub use cgroup::{CgroupUse, GroupLimits};
pub use cronfleet_shim::frame::Stream;
pub use cronfleet_shim::life::{End, ExitRecord, KillMeans, ProcessId, StartedRecord};
pub use cronfleet_shim::spec::{Limit, Resource, Stragglers};
pub use cronfleet_shim::step::{Step, StepError};
pub use environment::{EnvironmentError, build_environment};
pub use life::{Change, Ended, Life, LifeControl};
pub use machine::{Load, MachineFacts, boot_id};
pub use memory::tree_memory;
pub(crate) use oom::ask_to_be_spared;
pub use open::{Host, HostConfig, HostError};
pub use output::{Frame, OutputError, OutputPage, OutputReader, decode_frames};
pub use program::{Checked, find_program};
pub use runtime_dir::{default_runtime_dir, is_tmpfs};
pub use secrets::LifeSecrets;
pub use spec::{LifeCommand, LifeSpec, OutputPolicy};
pub use start_error::StartError;
pub use survey::{Found, FoundState};
pub use trust::{TrustError, TrustedFile};
pub use user::{RunUser, UserError, group_name, resolve_user};
