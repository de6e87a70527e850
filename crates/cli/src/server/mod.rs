//! The servers in this binary: a center, an agent, or both in one process.

mod agent;
mod box_drawing;
mod center;
mod config_file;
mod database_flags;
mod db;
mod demo;
mod folders;
mod journal;
mod local_policy;
mod logging;
mod notify;
mod run;
mod shim;
mod up;

pub(crate) use agent::{Daemon, Join};
pub(crate) use center::Center;
pub(crate) use db::Command as Db;
pub(crate) use folders::{DataDir, absolute, agent_data_dir};
pub(crate) use shim::find as find_shim;
pub(crate) use up::Up;
