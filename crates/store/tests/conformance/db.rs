//! Empty databases for tests. Servers are started by `cargo xtask ci`, which says in the environment where they are.

use std::sync::atomic::{AtomicU32, Ordering};

use cronfleet_store::{DatabaseUrl, Engine, Store, StoreError};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use tempfile::TempDir;

/// A database of its own for one test. An SQLite file is deleted when it is dropped; a server goes with all its databases.
pub(crate) struct TestDb {
    engine: Engine,
    /// Holds the file of an SQLite database.
    _folder: TempDir,
    /// With the name of the database.
    url: String,
}

/// The URL of a server, without a database.
fn server(engine: Engine) -> String {
    let variable = match engine {
        Engine::Sqlite => unreachable!("needs no server"),
        Engine::Postgres => "CRONFLEET_TEST_POSTGRES",
        Engine::Mysql => "CRONFLEET_TEST_MYSQL",
    };
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: `cargo xtask ci` starts the servers and sets it")
    })
}

impl TestDb {
    /// A new, empty database.
    pub(crate) async fn new(engine: Engine) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let folder = TempDir::new().unwrap();
        let url = match engine {
            Engine::Sqlite => format!("sqlite:{}", folder.path().join("center.db").display()),
            Engine::Postgres | Engine::Mysql => {
                let server = server(engine);
                let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                let name = format!("t{}_{number}", std::process::id());
                let maintenance = match engine {
                    Engine::Postgres => "postgres",
                    _ => "mysql",
                };
                let connection = connect(&format!("{server}/{maintenance}")).await;
                for sql in [
                    format!("DROP DATABASE IF EXISTS {name}"),
                    format!("CREATE DATABASE {name}"),
                ] {
                    connection.execute_unprepared(&sql).await.unwrap();
                }
                connection.close().await.unwrap();
                format!("{server}/{name}")
            }
        };
        Self {
            engine,
            _folder: folder,
            url,
        }
    }

    /// The engine.
    pub(crate) fn engine(&self) -> Engine {
        self.engine
    }

    /// Its URL.
    pub(crate) fn url(&self) -> DatabaseUrl {
        self.url.parse().unwrap()
    }

    /// Opens a store on it, as a center does when it starts.
    pub(crate) async fn open(&self) -> Result<Store, StoreError> {
        Store::open(&self.url()).await
    }

    /// A connection past the store.
    pub(crate) async fn connect(&self) -> DatabaseConnection {
        connect(&self.url).await
    }

    /// Runs a statement past the store.
    pub(crate) async fn execute(&self, sql: &str) {
        let connection = self.connect().await;
        connection.execute_unprepared(sql).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Reads the first column of a query past the store.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        let connection = self.connect().await;
        let statement = sea_orm::Statement::from_string(connection.get_database_backend(), sql);
        let rows = connection.query_all_raw(statement).await.unwrap();
        connection.close().await.unwrap();
        rows.iter()
            .map(|row| row.try_get_by_index::<String>(0).unwrap())
            .collect()
    }

    /// Lets every later change of a column fail.
    pub(crate) async fn break_updates(&self, table: &str, column: &str) {
        let statements = match self.engine {
            Engine::Sqlite => vec![format!(
                "CREATE TRIGGER broken BEFORE UPDATE OF {column} ON {table} BEGIN SELECT RAISE(ABORT, 'broken'); END"
            )],
            Engine::Postgres => vec![
                "CREATE FUNCTION broken() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'broken'; END $$ LANGUAGE plpgsql"
                    .to_owned(),
                format!(
                    "CREATE TRIGGER broken BEFORE UPDATE OF {column} ON {table} FOR EACH ROW EXECUTE FUNCTION broken()"
                ),
            ],
            Engine::Mysql => vec![format!(
                "CREATE TRIGGER broken BEFORE UPDATE ON {table} FOR EACH ROW IF NOT (NEW.{column} <=> OLD.{column}) \
                 THEN SIGNAL SQLSTATE '45000'; END IF"
            )],
        };
        for statement in statements {
            self.execute(&statement).await;
        }
    }

    /// Drops an index.
    pub(crate) async fn drop_index(&self, table: &str, index: &str) {
        self.execute(&match self.engine {
            Engine::Sqlite | Engine::Postgres => format!("DROP INDEX {index}"),
            Engine::Mysql => format!("DROP INDEX {index} ON {table}"),
        })
        .await;
    }

    /// The definitions of all tables and indexes, for people to read.
    pub(crate) async fn schema(&self) -> String {
        match self.engine {
            Engine::Sqlite => {
                let sql = "SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' \
                           ORDER BY tbl_name, type DESC, name";
                self.texts(sql).await.join("\n\n") + "\n"
            }
            Engine::Postgres => crate::catalog::postgres(self).await,
            Engine::Mysql => crate::catalog::mysql(self).await,
        }
    }
}

async fn connect(url: &str) -> DatabaseConnection {
    // An SQLite file that a test fills before a store has opened it is made here.
    let make = if url.starts_with("sqlite:") {
        "?mode=rwc"
    } else {
        ""
    };
    let mut options = sea_orm::ConnectOptions::new(format!("{url}{make}"));
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.unwrap()
}
