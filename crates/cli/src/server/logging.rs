//! Log lines on standard error: text for people or JSON for collectors.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use super::config_file::ConfigFile;
use super::journal::{self, Journal};
use crate::failure::Failure;

/// Flags of every server.
#[derive(Args)]
pub(super) struct ServerFlags {
    /// Configuration file (TOML); flags and environment variables come over it
    #[arg(
        long,
        env = "CRONFLEET_CONFIG",
        value_name = "FILE",
        help_heading = "Server"
    )]
    config: Option<PathBuf>,
    /// What to log: error, warn, info, debug, or a filter such as info,cronfleet_agent=debug
    #[arg(
        long,
        env = "CRONFLEET_LOG",
        value_name = "FILTER",
        help_heading = "Server"
    )]
    log: Option<String>,
    /// How log lines look
    #[arg(
        long,
        env = "CRONFLEET_LOG_FORMAT",
        value_enum,
        help_heading = "Server"
    )]
    log_format: Option<Format>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(super) enum Format {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

impl ServerFlags {
    /// Reads the configuration file and begins to log; `filter` is what a server logs unless told otherwise.
    pub(super) fn begin(&self, filter: &str) -> Result<ConfigFile, Failure> {
        let file = ConfigFile::read(self.config.as_deref())?;
        let filter = self
            .log
            .clone()
            .or_else(|| file.log.filter.clone())
            .or_else(|| {
                std::env::var("RUST_LOG")
                    .ok()
                    .filter(|filter| !filter.is_empty())
            })
            .unwrap_or_else(|| filter.to_owned());
        let filter = EnvFilter::try_new(&filter).map_err(|error| Failure::Input {
            field: "--log".to_owned(),
            message: format!("{filter:?} is not a log filter: {error}"),
            hint: "write error, warn, info or debug".to_owned(),
        })?;
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr);
        let begun = match self.log_format.or(file.log.format).unwrap_or(Format::Text) {
            Format::Text if journal::is_standard_error() => {
                subscriber.with_ansi(false).event_format(Journal).try_init()
            }
            Format::Text => subscriber
                .with_ansi(std::io::stderr().is_terminal())
                .try_init(),
            Format::Json => subscriber.json().flatten_event(true).try_init(),
        };
        begun.map_err(|error| Failure::system("begin to log", error))?;
        Ok(file)
    }
}
