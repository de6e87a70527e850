//! The servers in this binary: a center, an agent, or both in one process.

mod agent;
mod box_drawing;
mod center;
mod config_file;
mod demo;
mod folders;
mod logging;
mod run;
mod shim;
mod up;

pub(crate) use agent::{Daemon, Join};
pub(crate) use center::Center;
pub(crate) use up::Up;
