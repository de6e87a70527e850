//! Secrets of a group. Their values go in and never come out again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A secret, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Secret {
    /// Name, unique in its group.
    pub name: String,
    /// Grows by one with every new value, from 1.
    pub version: u32,
    /// Login of who set the value.
    pub updated_by: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When the value was set.
    pub updated_at: Timestamp,
}

/// `PUT /groups/{id}/secrets/{name}`: creates a secret or gives it a new value. Processes that run keep the old one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretPut {
    /// The value, 1 to 65,536 bytes without NUL.
    #[schema(write_only)]
    pub value: String,
}

impl std::fmt::Debug for SecretPut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretPut { value: *** }")
    }
}

/// A secret that a job uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretUse {
    /// Name of the secret in the job's group.
    pub name: String,
    /// How the process gets it.
    #[serde(rename = "as")]
    pub given: SecretAs,
}

/// How a process gets a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretAs {
    /// In this environment variable.
    Env(String),
    /// In a file of this name in the directory that `CRONFLEET_SECRETS_DIR` names.
    File(String),
}
