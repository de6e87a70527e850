//! The configuration file of servers, TOML. Flags and environment variables come over it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::logging::Format;
use crate::failure::Failure;

/// The whole file; every key may be left out, unknown ones are refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ConfigFile {
    /// Of `cronfleet center` and the center in `cronfleet up`.
    pub(super) center: CenterSection,
    /// Of `cronfleet agent` and the agent in `cronfleet up`.
    pub(super) agent: AgentSection,
    /// Of all.
    pub(super) log: LogSection,
}

/// `[center]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CenterSection {
    pub(super) data_dir: Option<PathBuf>,
    pub(super) database: Option<String>,
    pub(super) database_file: Option<PathBuf>,
    pub(super) listen: Option<SocketAddr>,
    pub(super) agent_listen: Option<SocketAddr>,
    pub(super) agent_address: Option<String>,
    pub(super) tls_cert: Option<PathBuf>,
    pub(super) tls_key: Option<PathBuf>,
    pub(super) insecure_http: Option<bool>,
    pub(super) default_time_zone: Option<String>,
    pub(super) host_names: Option<Vec<String>>,
    pub(super) master_key_file: Option<PathBuf>,
}

/// `[agent]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AgentSection {
    pub(super) data_dir: Option<PathBuf>,
    pub(super) runtime_dir: Option<PathBuf>,
    pub(super) centers: Option<Vec<String>>,
    pub(super) shim: Option<PathBuf>,
    pub(super) policy: Option<PathBuf>,
    pub(super) cgroups: Option<String>,
    pub(super) on_stop: Option<super::agent::OnStopWord>,
}

/// `[log]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LogSection {
    pub(super) filter: Option<String>,
    pub(super) format: Option<Format>,
}

impl ConfigFile {
    /// Reads the file; without a path nothing is configured.
    pub(super) fn read(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let text = std::fs::read_to_string(path).map_err(|source| Failure::File {
            doing: "read",
            path: path.to_owned(),
            source,
        })?;
        toml::from_str(&text).map_err(|error| Failure::Input {
            field: path.display().to_string(),
            message: format!(
                "the configuration is refused: {}",
                error.to_string().trim_end()
            ),
            hint: "docs/operations.md lists every key".to_owned(),
        })
    }
}
