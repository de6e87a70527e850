//! First start, sign-in, users.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::group::Role;

/// `GET /setup`: whether the first administrator has still to be created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SetupState {
    /// True until the first administrator exists.
    pub is_needed: bool,
}

/// `POST /setup`: creates the first administrator and signs in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetupRequest {
    /// The one-time setup code that the center printed.
    pub code: String,
    /// 1 to 64 characters: letters, digits, `.`, `_`, `-`, `@`.
    pub login: String,
    /// 12 to 128 characters.
    pub password: String,
    /// Shown to others; the login when absent.
    #[serde(default)]
    pub display_name: Option<String>,
}

/// `POST /session`: signs in. The answer sets the session cookie.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInRequest {
    /// Login.
    pub login: String,
    /// Password.
    pub password: String,
    /// True for the command line: the answer carries the session token in `token` instead of a cookie.
    #[serde(default)]
    pub wants_token: bool,
}

/// `GET /session`, and the answer to signing in: who I am and what I may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The signed-in user.
    pub user: User,
    /// Role in each group I belong to. An administrator may do everything everywhere and need not be listed.
    pub roles: Vec<GroupRole>,
    /// Bearer token for `Authorization`, only in answer to a sign-in with `wants_token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// One role in one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupRole {
    /// Group.
    pub group_id: Uuid,
    /// Its name.
    pub group_name: String,
    /// What the user may do there.
    pub role: Role,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// Id.
    pub id: Uuid,
    /// Name to sign in with; unique.
    pub login: String,
    /// Name shown to others.
    pub display_name: String,
    /// May do everything everywhere.
    pub is_admin: bool,
    /// May not sign in.
    pub is_disabled: bool,
    /// When the user was created.
    pub created_at: Timestamp,
    /// When the user last signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sign_in_at: Option<Timestamp>,
}

/// `POST /users` (administrator).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserCreate {
    /// 1 to 64 characters: letters, digits, `.`, `_`, `-`, `@`; unique.
    pub login: String,
    /// 12 to 128 characters.
    pub password: String,
    /// Shown to others; the login when absent.
    #[serde(default)]
    pub display_name: Option<String>,
    /// May do everything everywhere.
    #[serde(default)]
    pub is_admin: bool,
}

/// `PATCH /users/{id}` (administrator; absent fields stay). Changing a password or disabling ends the user's sessions.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserUpdate {
    /// New display name.
    #[serde(default)]
    pub display_name: Option<String>,
    /// New administrator flag. The last enabled administrator cannot lose it.
    #[serde(default)]
    pub is_admin: Option<bool>,
    /// New disabled flag. The last enabled administrator cannot be disabled.
    #[serde(default)]
    pub is_disabled: Option<bool>,
    /// New password, 12 to 128 characters.
    #[serde(default)]
    pub password: Option<String>,
}

/// `POST /session/password`: changes my own password and ends my other sessions.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The password in force.
    pub current: String,
    /// 12 to 128 characters.
    pub new: String,
}

/// `GET /about`: what is running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct About {
    /// Version of the center.
    pub version: String,
    /// Version of the time zone data that schedules are computed with.
    pub tzdb_version: String,
    /// Database engine: `sqlite`, `postgresql`, `mysql`.
    pub engine: String,
    /// The center's clock.
    pub now: Timestamp,
    /// Time zone proposed for new jobs.
    pub default_time_zone: String,
    /// Address that agents dial, `host:port`.
    pub agent_address: String,
    /// SHA-256 of the center's CA certificate in hex: what `agent join --ca-sha256` pins.
    pub ca_sha256: String,
}
