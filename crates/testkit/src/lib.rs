//! Starts the real product for tests and benchmarks, and talks to it: real binary, real processes, temporary directories,
//! free ports on loopback. Everything that was started ends with the [`Fleet`].

mod api;
mod center_host;
mod disk;
mod fleet;
mod machine;
mod program;
mod proxy;
mod tracer;
mod wait;

pub use api::{Api, RunQuery};
pub use center_host::CenterHost;
pub use disk::Disk;
pub use fleet::{Fleet, GROUP, temporary_dir};
pub use machine::{Machine, shims, write_policy};
pub use program::Program;
pub use proxy::{Passing, Proxy};
pub use tracer::{Effect, EffectKind, Moment, SyncSwitch, Traced};
pub use wait::{eventually, sleep_until};
