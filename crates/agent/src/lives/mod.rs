//! Lives: one task for each process that is prepared, runs, or was found running.

mod evidence;
mod launch;
mod permit;
mod places;
mod probe;
mod task;
mod users;
mod vault;

pub(crate) use evidence::{Evidence, NotStarted};
pub(crate) use launch::{Launcher, Purpose};
pub(crate) use probe::{Question, probe};
pub(crate) use task::{
    LifeEvent, LifeHandle, News, OutputFlag, kill_orphans, launch, remove, watch,
};
pub(crate) use vault::{Vault, Wanted};
