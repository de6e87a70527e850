//! Control groups: what this machine lets the agent do with them, and a group for each life.
//!
//! ```text
//! <the group that the agent was given>
//!   agent/                 the agent and its shims, where version 2 wants processes in leaves only
//!   cronfleet-<agent>/     named after the runtime directory, so that two agents never meet
//!     <life id>/           joined by the command before it becomes its user; removed when the life is forgotten
//! ```
//! In every hierarchy of version 1 there is such a tree of its own. Nothing outside the given group is ever touched.

mod layout;
mod leaf;
mod survey;
mod tree;

pub use leaf::GroupLimits;
pub(super) use leaf::{LeafError, Leaves, kill_all};
pub(crate) use survey::task_limit;
pub use tree::CgroupUse;
pub(super) use tree::Cgroups;
