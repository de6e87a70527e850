//! `cronfleet db`: the center's database without a center.

use clap::{Args, Subcommand};
use cronfleet_center::take_file;
use cronfleet_store::{CopyError, DatabaseUrl, Store, StoreError, copy};
use serde_json::json;

use super::database_flags::{DatabaseFlags, parse};
use super::folders::{self, DataDir};
use crate::failure::Failure;
use crate::screen::Screen;

/// Commands of the database.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Bring the schema up to date, as a center does when it starts
    Migrate(Place),
    /// Say whether a center of this version can use the database as it is
    Check(Place),
    /// Copy everything into an empty database, all or nothing; every center must be stopped
    Copy(Copy),
}

/// Which database.
#[derive(Args)]
pub(crate) struct Place {
    #[command(flatten)]
    database: DatabaseFlags,
    #[command(flatten)]
    data_dir: DataDir,
}

/// From where, and where to.
#[derive(Args)]
pub(crate) struct Copy {
    /// Database to copy, or @FILE that holds its URL
    #[arg(long, value_name = "URL|@FILE")]
    from: String,
    /// Empty database to copy into, or @FILE that holds its URL
    #[arg(long, value_name = "URL|@FILE")]
    to: String,
}

impl Command {
    /// Does it.
    pub(crate) async fn run(self, screen: &mut Screen) -> Result<(), Failure> {
        match self {
            Self::Migrate(place) => {
                let url = place.url()?;
                let _lock = take_file(&url)?;
                show(&url, Store::open(&url).await, "up to date", screen).await
            }
            Self::Check(place) => {
                let url = place.url()?;
                show(&url, Store::open_as_it_is(&url).await, "usable", screen).await
            }
            Self::Copy(copy) => copy.run(screen).await,
        }
    }
}

impl Place {
    fn url(self) -> Result<DatabaseUrl, Failure> {
        if let Some(url) = self.database.url(None, None)? {
            return Ok(url);
        }
        let data_dir = self.data_dir.resolve(None, folders::center_data_dir)?;
        Ok(DatabaseUrl::sqlite(data_dir.join("center.db")))
    }
}

/// Tells that a database that was opened can be written to.
async fn show(
    url: &DatabaseUrl,
    opened: Result<Store, StoreError>,
    state: &str,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let failed = |source| Failure::database(url, source);
    let store = opened.map_err(failed)?;
    store.check().await.map_err(failed)?;
    store.close().await.map_err(failed)?;
    if screen.is_json() {
        return screen.json(
            &json!({ "database": url.to_string(), "engine": url.engine().word(), "state": state }),
        );
    }
    screen.line(format_args!("{url}: {state}"))
}

impl Copy {
    async fn run(self, screen: &mut Screen) -> Result<(), Failure> {
        let (from, to) = (url("--from", &self.from)?, url("--to", &self.to)?);
        let _locks = (take_file(&from)?, take_file(&to)?);
        let tables = copy(&from, &to).await.map_err(|error| match error {
            CopyError::Store { url, source } => Failure::database(&url, source),
            other => Failure::system("copy the database", other),
        })?;
        if screen.is_json() {
            let rows: serde_json::Map<_, _> = tables
                .iter()
                .map(|table| (table.table.to_owned(), table.rows.into()))
                .collect();
            return screen
                .json(&json!({ "from": from.to_string(), "to": to.to_string(), "rows": rows }));
        }
        for table in tables.iter().filter(|table| table.rows > 0) {
            screen.line(format_args!("{:>12}  {}", table.rows, table.table))?;
        }
        screen.line(format_args!(
            "Copied {from} to {to}; every table was read back and is the same. Keep the data directory: keys and certificates are there."
        ))
    }
}

fn url(field: &str, text: &str) -> Result<DatabaseUrl, Failure> {
    let Some(file) = text.strip_prefix('@') else {
        return parse(field, text);
    };
    let text = std::fs::read_to_string(file).map_err(|source| Failure::File {
        doing: "read",
        path: file.into(),
        source,
    })?;
    parse(field, text.trim())
}
