//! Where the center's database is.

use std::path::PathBuf;

use clap::Args;
use cronfleet_store::DatabaseUrl;

use crate::failure::Failure;

/// Flags that name the database.
#[derive(Args)]
pub(super) struct DatabaseFlags {
    /// Database: sqlite:FILE, postgres://USER@HOST/NAME or mysql://USER@HOST/NAME [default: center.db in the data directory]
    #[arg(
        long,
        env = "CRONFLEET_DATABASE",
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Server",
        conflicts_with = "database_file"
    )]
    database: Option<String>,
    /// File that holds the URL of the database: everybody can see arguments, so a URL with a password belongs here
    #[arg(
        long,
        env = "CRONFLEET_DATABASE_FILE",
        value_name = "FILE",
        help_heading = "Server"
    )]
    database_file: Option<PathBuf>,
}

impl DatabaseFlags {
    /// The URL: of flags or environment, else of the configuration file; `None` if nobody names one.
    pub(super) fn url(
        self,
        configured: Option<String>,
        configured_file: Option<PathBuf>,
    ) -> Result<Option<DatabaseUrl>, Failure> {
        let (text, file) = match (self.database, self.database_file) {
            (None, None) => (configured, configured_file),
            named => named,
        };
        match (text, file) {
            (Some(text), _) => parse("--database", &text).map(Some),
            (None, Some(file)) => {
                let text = std::fs::read_to_string(&file).map_err(|source| Failure::File {
                    doing: "read",
                    path: file,
                    source,
                })?;
                parse("--database-file", text.trim()).map(Some)
            }
            (None, None) => Ok(None),
        }
    }
}

/// Reads a URL. What is wrong with it is said without repeating it: it may have a password in it.
pub(super) fn parse(field: &str, text: &str) -> Result<DatabaseUrl, Failure> {
    text.parse()
        .map_err(|error: cronfleet_store::DatabaseUrlError| Failure::Input {
            field: field.to_owned(),
            message: error.to_string(),
            hint: "for example postgres://cronfleet@db.example/cronfleet".to_owned(),
        })
}
