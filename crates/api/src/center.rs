//! Centers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A center of the deployment, from its start on. One that stops in good order is not listed any more; one that dies is, for a
/// day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Center {
    /// Names this start of this center.
    pub id: String,
    /// Name of its machine.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// Where people connect.
    pub address: String,
    /// Where agents connect, `host:port`; absent if it has no address that means anything on other machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_address: Option<String>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it was last heard of; with SQLite, when it started.
    pub last_seen_at: Timestamp,
    /// Whether it was heard of within the last 15 seconds.
    pub is_live: bool,
    /// Whether it plans. All serve.
    pub is_planning: bool,
    /// Whether it is the one that answers.
    pub is_here: bool,
    /// Agents connected to it.
    pub agent_count: u32,
}
