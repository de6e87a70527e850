//! Empty databases for tests.

use std::path::PathBuf;

use cronfleet_store::{Engine, Store, StoreError};
use sea_orm::{ConnectionTrait, Database};
use tempfile::TempDir;

/// A database that is deleted when it is dropped.
pub(crate) struct TestDb {
    engine: Engine,
    folder: TempDir,
}

impl TestDb {
    /// A new SQLite file.
    pub(crate) fn sqlite() -> Self {
        Self {
            engine: Engine::Sqlite,
            folder: TempDir::new().unwrap(),
        }
    }

    /// The engine.
    pub(crate) fn engine(&self) -> Engine {
        self.engine
    }

    /// Opens a store on it, as a center does when it starts.
    pub(crate) async fn open(&self) -> Result<Store, StoreError> {
        match self.engine {
            Engine::Sqlite => Store::open_sqlite(&self.file()).await,
        }
    }

    /// Runs a statement past the store.
    pub(crate) async fn execute(&self, sql: &str) {
        let connection = Database::connect(self.url()).await.unwrap();
        connection.execute_unprepared(sql).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Reads the first column of a query past the store.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        let connection = Database::connect(self.url()).await.unwrap();
        let statement = sea_orm::Statement::from_string(connection.get_database_backend(), sql);
        let rows = connection.query_all_raw(statement).await.unwrap();
        connection.close().await.unwrap();
        rows.iter()
            .map(|row| row.try_get_by_index::<String>(0).unwrap())
            .collect()
    }

    /// Lets every later change of a column fail.
    pub(crate) async fn break_updates(&self, table: &str, column: &str) {
        match self.engine {
            Engine::Sqlite => {
                self.execute(&format!(
                    "CREATE TRIGGER broken BEFORE UPDATE OF {column} ON {table} BEGIN SELECT RAISE(ABORT, 'broken'); END"
                ))
                .await;
            }
        }
    }

    /// The definitions of all tables and indexes.
    pub(crate) async fn schema(&self) -> String {
        match self.engine {
            Engine::Sqlite => {
                let sql = "SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' \
                           ORDER BY tbl_name, type DESC, name";
                self.texts(sql).await.join("\n\n") + "\n"
            }
        }
    }

    fn url(&self) -> String {
        match self.engine {
            Engine::Sqlite => format!("sqlite:{}", self.file().display()),
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("center.db")
    }
}
