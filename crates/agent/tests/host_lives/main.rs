//! Lives on real processes, with the real shim, on the real file system. To be run as root on Linux.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod figures;
mod kill;
mod launch;
mod limits;
mod output;
mod rig;
mod secrets;
mod survival;
mod tree;
mod unprivileged;
