//! SQLite: one file, one writer.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sea_orm::{ConnectOptions, Database, DatabaseConnection};
use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};

use super::{STATEMENTS_KEPT, WAIT_MAX};
use crate::error::StoreError;

/// Makes an empty file that only its owner may read, unless there is one. SQLite's other files take over its mode.
pub(crate) fn create_private(file: &Path) -> std::io::Result<()> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(file)
        .map(|_| ())
}

/// Connects to a file that exists; as a reader without the right to write.
pub(crate) async fn connect(
    file: &Path,
    connections: u32,
    is_reader: bool,
) -> Result<DatabaseConnection, StoreError> {
    let mut options = ConnectOptions::new("sqlite:");
    let file = file.to_owned();
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(WAIT_MAX)
        .idle_timeout(None)
        .max_lifetime(None)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |sqlite| {
            let sqlite = sqlite
                .filename(&file)
                .create_if_missing(false)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
                .busy_timeout(WAIT_MAX)
                .statement_cache_capacity(STATEMENTS_KEPT)
                .pragma("temp_store", "MEMORY")
                .pragma("cache_size", "-16000");
            if is_reader {
                sqlite.pragma("query_only", "ON")
            } else {
                sqlite
            }
        });
    Ok(Database::connect(options).await?)
}
