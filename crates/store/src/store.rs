//! Opening the database, and the two ways to it: one writer, several readers.

use std::fs::OpenOptions;
use std::ops::Deref;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};

use crate::engine::Engine;
use crate::error::StoreError;
use crate::migrate;
use crate::sql::Sql;

/// Readers beside the one writer.
const READERS_MAX: u32 = 4;
/// Longest wait for a connection, and for SQLite's lock.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// The durable state of the center. Cheap to clone; all clones share the connections.
///
/// Every function is one transaction, complete when it answers: an error means that nothing of it is stored.
#[derive(Debug, Clone)]
pub struct Store {
    engine: Engine,
    writer: DatabaseConnection,
    reader: DatabaseConnection,
}

impl Store {
    /// Opens the SQLite database in `file`, creates it (for its owner's eyes only) if need be, and brings its schema up to
    /// date. Guarding the file against a second center is the caller's part.
    ///
    /// # Errors
    /// [`StoreError::File`] or [`StoreError::Unavailable`] if it cannot be opened; [`StoreError::NewerSchema`] if a newer
    /// version has written it.
    pub async fn open_sqlite(file: &Path) -> Result<Self, StoreError> {
        create_private(file).map_err(|source| StoreError::File {
            path: file.to_owned(),
            source,
        })?;
        let writer = connect_sqlite(file, 1, false).await?;
        migrate::up(Engine::Sqlite, &writer).await?;
        let reader = connect_sqlite(file, READERS_MAX, true).await?;
        let store = Self {
            engine: Engine::Sqlite,
            writer,
            reader,
        };
        store.optimize().await?;
        Ok(store)
    }

    /// The engine behind this store.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Lets the engine refresh its statistics, so that it goes on choosing the right indexes. To be called daily.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn optimize(&self) -> Result<(), StoreError> {
        match self.engine {
            Engine::Sqlite => Sql::new("PRAGMA optimize=0x10002")
                .execute(&self.writer)
                .await
                .map(|_| ()),
        }
    }

    /// Whether the database answers and can be written to.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn check(&self) -> Result<(), StoreError> {
        let tx = self.begin().await?;
        Sql::new("DELETE FROM setup_codes WHERE expires_at < 0")
            .execute(&*tx)
            .await?;
        tx.commit().await
    }

    /// Closes all connections, waiting for those at work. Later calls fail.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn close(self) -> Result<(), StoreError> {
        self.reader.close().await?;
        self.writer.close().await?;
        Ok(())
    }

    /// For reading.
    pub(crate) fn reader(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// Begins a writing transaction. Dropping it rolls it back.
    pub(crate) async fn begin(&self) -> Result<Tx, StoreError> {
        let options = match self.engine {
            Engine::Sqlite => TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            },
        };
        Ok(Tx {
            engine: self.engine,
            inner: self.writer.begin_with_options(options).await?,
        })
    }
}

/// A writing transaction.
pub(crate) struct Tx {
    /// The engine it runs on.
    pub(crate) engine: Engine,
    inner: DatabaseTransaction,
}

impl Tx {
    /// Makes everything durable.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        Ok(self.inner.commit().await?)
    }
}

impl Deref for Tx {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.inner
    }
}

/// Makes an empty file that only its owner may read, unless there is one. SQLite's other files take over its mode.
fn create_private(file: &Path) -> std::io::Result<()> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(file)
        .map(|_| ())
}

async fn connect_sqlite(
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
                .statement_cache_capacity(256)
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
