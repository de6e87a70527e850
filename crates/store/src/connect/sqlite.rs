//! SQLite: one file, one writer.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sea_orm::{ConnectOptions, Database, DatabaseConnection};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnection, SqliteJournalMode, SqliteSynchronous};

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

/// Rows that the thread of a connection reads ahead: whenever there are so many, two threads wait for each other.
const ROWS_BUFFERED: usize = 1_000;

/// Whether a connection that is given back is in no transaction. A full disk or a failed sync makes SQLite roll back by itself;
/// the driver's own rollback then fails, it goes on counting one transaction too many, and makes all later ones parts of one
/// that is never committed. Such a connection is closed.
async fn is_out_of_transactions(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // Answered after the rollback that may still be on its way.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
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
                .row_buffer_size(ROWS_BUFFERED)
                .pragma("temp_store", "MEMORY");
            if is_reader {
                sqlite
                    .pragma("cache_size", "-16000")
                    .pragma("query_only", "ON")
            } else {
                sqlite.pragma("cache_size", "-64000")
            }
        })
        .map_sqlx_sqlite_pool_opts(|pool| {
            pool.after_release(|connection, _| Box::pin(is_out_of_transactions(connection)))
        });
    Ok(Database::connect(options).await?)
}

#[cfg(test)]
mod tests {
    use sea_orm::{ConnectionTrait, TransactionTrait};

    use super::*;

    #[tokio::test]
    async fn what_is_committed_after_a_full_disk_is_committed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        create_private(&file).unwrap();
        let writer = connect(&file, 1, false).await.unwrap();
        let table = "CREATE TABLE numbers (number INTEGER PRIMARY KEY, ballast BLOB)";
        writer.execute_unprepared(table).await.unwrap();
        let limit = "PRAGMA max_page_count = 10";
        writer.execute_unprepared(limit).await.unwrap();
        let full = writer.begin().await.unwrap();
        let too_much = "INSERT INTO numbers VALUES (1, zeroblob(1000000))";
        full.execute_unprepared(too_much).await.unwrap_err();
        drop(full);
        for insert in [
            "INSERT INTO numbers VALUES (2, '')",
            "INSERT INTO numbers VALUES (3, '')",
        ] {
            let given_up = writer.begin().await.unwrap();
            given_up.execute_unprepared(insert).await.unwrap();
            drop(given_up);
            let kept = writer.begin().await.unwrap();
            kept.execute_unprepared(insert).await.unwrap();
            kept.commit().await.unwrap();
        }
        let reader = connect(&file, 1, true).await.unwrap();
        let sum = "SELECT SUM(number) FROM numbers";
        let sum = sea_orm::Statement::from_string(reader.get_database_backend(), sum);
        let row = reader.query_one_raw(sum).await.unwrap().unwrap();
        assert_eq!(row.try_get_by_index::<i64>(0).unwrap(), 5);
    }
}
