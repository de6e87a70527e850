//! Opening the database, its transactions, and running them again when a moment's trouble stopped them.

use std::ops::Deref;
use std::path::Path;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};

use crate::connect::DatabaseUrl;
use crate::engine::Engine;
use crate::error::StoreError;
use crate::fault::Fault;
use crate::migrate;
use crate::sql::{Sql, answered_in_time};

/// Readers beside SQLite's one writer.
const READERS_MAX: u32 = 4;
/// Connections to a server.
const CONNECTIONS_MAX: u32 = 16;

/// The durable state of the center. Cheap to clone; all clones share the connections.
///
/// Every function is one transaction, complete when it answers: an error means that nothing of it is stored (but see
/// [`StoreError::InDoubt`]).
#[derive(Debug, Clone)]
pub struct Store {
    url: DatabaseUrl,
    writer: DatabaseConnection,
    reader: DatabaseConnection,
}

impl Store {
    /// Opens a database and brings its schema up to date; several may do so at once. An SQLite file is created, for its
    /// owner's eyes only, if need be; guarding it against a second center is the caller's part.
    ///
    /// # Errors
    /// [`StoreError::File`] or [`StoreError::Unavailable`] if it cannot be opened; [`StoreError::Refused`] for a server that
    /// must not be used; [`StoreError::NewerSchema`] if a newer version has written it.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        url.admit().await?;
        let one = url.connect_one().await?;
        migrate::up(url.engine(), &one).await?;
        Self::with(url, one).await
    }

    /// Opens a database whose schema is up to date, and refuses any other.
    ///
    /// # Errors
    /// As [`Store::open`]; [`StoreError::OlderSchema`] if it has to be brought up to date.
    pub async fn open_as_it_is(url: &DatabaseUrl) -> Result<Self, StoreError> {
        url.admit_existing().await?;
        let one = url.connect_one().await?;
        migrate::expect_newest(url.engine(), &one).await?;
        Self::with(url, one).await
    }

    /// Opens an SQLite file.
    ///
    /// # Errors
    /// See [`Store::open`].
    pub async fn open_sqlite(file: &Path) -> Result<Self, StoreError> {
        Self::open(&DatabaseUrl::sqlite(file)).await
    }

    /// Goes on with the one connection that changed the schema: SQLite keeps it as its writer.
    async fn with(url: &DatabaseUrl, one: DatabaseConnection) -> Result<Self, StoreError> {
        let (writer, reader) = match url.engine() {
            Engine::Sqlite => (one, url.connect_many(READERS_MAX).await?),
            Engine::Postgres | Engine::Mysql => {
                one.close().await?;
                let many = url.connect_many(CONNECTIONS_MAX).await?;
                (many.clone(), many)
            }
        };
        let store = Self {
            url: url.clone(),
            writer,
            reader,
        };
        store.optimize().await?;
        Ok(store)
    }

    /// The same database by a connection of its own: for what must not wait behind everything else. With SQLite there is
    /// one writer, and this is the store itself.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn apart(&self) -> Result<Self, StoreError> {
        match self.engine() {
            Engine::Sqlite => Ok(self.clone()),
            Engine::Postgres | Engine::Mysql => {
                let own = self.url.connect_many(1).await?;
                Ok(Self {
                    url: self.url.clone(),
                    writer: own.clone(),
                    reader: own,
                })
            }
        }
    }

    /// The engine behind this store.
    pub fn engine(&self) -> Engine {
        self.url.engine()
    }

    /// Lets the engine refresh its statistics, so that it goes on choosing the right indexes. To be called daily.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn optimize(&self) -> Result<(), StoreError> {
        let sql = match self.engine() {
            Engine::Sqlite => "PRAGMA optimize=0x10002",
            Engine::Postgres => {
                "ANALYZE agents, group_agents, jobs, job_versions, job_targets, runs, lapses, slots, processes"
            }
            Engine::Mysql => {
                "ANALYZE TABLE agents, group_agents, jobs, job_versions, job_targets, runs, lapses, slots, processes"
            }
        };
        self.writer.execute_unprepared(sql).await?;
        Ok(())
    }

    /// Whether the database answers and can be written to.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Refused`] for a server that must not be used any more.
    pub async fn check(&self) -> Result<(), StoreError> {
        let write = async {
            let tx = self.begin().await?;
            Sql::new("DELETE FROM setup_codes WHERE expires_at < 0")
                .execute(&*tx)
                .await?;
            tx.commit().await
        };
        match write.await {
            // The pool only says that it waited in vain; the server itself says why.
            Err(error) if error.is_unavailable() => {
                Err(self.url.admit().await.err().unwrap_or(error))
            }
            other => other,
        }
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
        let options = match self.engine() {
            Engine::Sqlite => TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            },
            // The isolation level is the session's.
            Engine::Postgres | Engine::Mysql => TransactionOptions::default(),
        };
        Ok(Tx {
            engine: self.engine(),
            inner: answered_in_time(self.writer.begin_with_options(options)).await?,
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
        answered_in_time(self.inner.commit())
            .await
            .map_err(|error| match Fault::of(&error) {
                // Whether the database got as far as storing it was lost with the connection.
                Some(Fault::Connection) => StoreError::InDoubt(error),
                Some(Fault::Contention | Fault::Unable) | None => error.into(),
            })
    }
}

impl Deref for Tx {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.inner
    }
}
