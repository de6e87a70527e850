//! The policy of this machine: what the agent lets its center do.
//!
//! It comes from a file that only the machine's administrator can write, is read when the agent starts and again on SIGHUP, and
//! there is no message by which a center could change it. What a policy says is decided in [`cronfleet_core::policy`]; here it
//! is read, kept, asked, and counted.

mod file;
mod gather;
mod keeper;
mod known_user;
mod size;
mod source;

pub use gather::{Asked, Question, gather};
pub(crate) use keeper::PolicyKeeper;
pub(crate) use known_user::KnownUser;
pub use source::{InForce, POLICY_FILE, PolicyError, PolicySource};
