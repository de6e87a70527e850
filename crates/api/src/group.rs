//! Groups own jobs, are served by agents, and give users their roles.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// What a user may do in a group; each role includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// See jobs, runs, output.
    Viewer,
    /// Run, kill, pause, resume, restart slots.
    Operator,
    /// Create and edit jobs.
    Editor,
    /// Delete jobs, manage members.
    Owner,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Group {
    /// Id.
    pub id: Uuid,
    /// Unique name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Linux users that this group's jobs may run as.
    pub run_as: Vec<String>,
    /// Agents that serve this group.
    pub agent_ids: Vec<Uuid>,
    /// Number of jobs.
    pub job_count: u64,
    /// Users with a role here.
    pub members: Vec<Member>,
    /// My own role here (administrators: `owner`).
    pub my_role: Role,
    /// When the group was created.
    pub created_at: Timestamp,
}

/// A user's role in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// User.
    pub user_id: Uuid,
    /// Login of the user.
    pub login: String,
    /// Display name of the user.
    pub display_name: String,
    /// The role.
    pub role: Role,
}

/// `POST /groups` (administrator).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupCreate {
    /// 1 to 64 characters; unique.
    pub name: String,
    /// Up to 1,000 characters.
    #[serde(default)]
    pub description: String,
    /// Linux users that this group's jobs may run as.
    #[serde(default)]
    pub run_as: Vec<String>,
    /// Agents that serve this group.
    #[serde(default)]
    pub agent_ids: Vec<Uuid>,
}

/// `PATCH /groups/{id}` (administrator; absent fields stay).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupUpdate {
    /// New name.
    #[serde(default)]
    pub name: Option<String>,
    /// New description.
    #[serde(default)]
    pub description: Option<String>,
    /// New whole list of run-as users.
    #[serde(default)]
    pub run_as: Option<Vec<String>>,
    /// New whole list of agents.
    #[serde(default)]
    pub agent_ids: Option<Vec<Uuid>>,
}

/// `PUT /groups/{id}/members/{user_id}` (owner).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberPut {
    /// The role to give.
    pub role: Role,
}

/// `GET /groups/{id}/candidates?q=` (owner): users who could be given a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Candidate {
    /// User.
    pub user_id: Uuid,
    /// Login.
    pub login: String,
    /// Display name.
    pub display_name: String,
}
