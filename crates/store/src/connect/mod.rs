//! Ways to databases: their URLs, and connections that are set up alike whichever server they lead to.

pub(crate) mod mysql;
pub(crate) mod postgres;
pub(crate) mod sqlite;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sea_orm::DatabaseConnection;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;

use crate::engine::Engine;
use crate::error::StoreError;

/// Longest wait for a connection, and for SQLite's lock.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(10);
/// Longest wait for a connection that is given back to show that it works.
const RELEASE_MAX: Duration = Duration::from_secs(5);
/// A connection that was given back within this time is taken without asking again whether it works.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
/// Longest that a statement may take on a server.
const STATEMENT_MAX: Duration = Duration::from_secs(30);
/// Longest that a statement may wait for a lock on a server.
const LOCK_MAX: Duration = Duration::from_secs(5);
/// A connection that is not used for so long is closed.
const IDLE_MAX: Duration = Duration::from_secs(600);
/// A connection that is so old is closed, so that a server behind a changed name is found.
const LIFE_MAX: Duration = Duration::from_secs(1_800);
/// Prepared statements kept per connection.
const STATEMENTS_KEPT: usize = 256;

/// Where a database is: `sqlite:FILE`, `postgres://USER:PASSWORD@HOST/DATABASE` or `mysql://USER:PASSWORD@HOST/DATABASE`
/// (`postgresql` and `mariadb` are the same). `Display` and `Debug` show no password.
#[derive(Clone)]
pub struct DatabaseUrl {
    place: Place,
}

#[derive(Clone)]
enum Place {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
    Mysql(Box<MySqlConnectOptions>),
}

/// Why a text is no URL of a database. Never contains the text, which may have a password in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// It begins with something else.
    #[error("a database URL begins with sqlite:, postgres:// or mysql://")]
    Scheme,
    /// No file is named.
    #[error("sqlite: needs the path of a file behind it")]
    NoFile,
    /// No database is named.
    #[error("the URL names no database: it ends with /NAME")]
    NoDatabase,
    /// The rest cannot be read.
    #[error("the database URL cannot be read: {0}")]
    Unreadable(String),
}

impl DatabaseUrl {
    /// An SQLite file.
    pub fn sqlite(file: impl Into<PathBuf>) -> Self {
        Self {
            place: Place::Sqlite(file.into()),
        }
    }

    /// The engine.
    pub fn engine(&self) -> Engine {
        match self.place {
            Place::Sqlite(_) => Engine::Sqlite,
            Place::Postgres(_) => Engine::Postgres,
            Place::Mysql(_) => Engine::Mysql,
        }
    }

    /// The file of an SQLite database.
    pub fn file(&self) -> Option<&Path> {
        match &self.place {
            Place::Sqlite(file) => Some(file),
            Place::Postgres(_) | Place::Mysql(_) => None,
        }
    }

    /// A connection that nobody else uses, for changing the schema: it has no limit on the time of a statement.
    pub(crate) async fn connect_one(&self) -> Result<DatabaseConnection, StoreError> {
        match &self.place {
            Place::Sqlite(file) => sqlite::connect(file, 1, false).await,
            Place::Postgres(options) => postgres::connect(options, 1, None).await,
            Place::Mysql(options) => mysql::connect(options, 1, None).await,
        }
    }

    /// Connections for many.
    pub(crate) async fn connect_many(
        &self,
        connections: u32,
    ) -> Result<DatabaseConnection, StoreError> {
        match &self.place {
            Place::Sqlite(file) => sqlite::connect(file, connections, true).await,
            Place::Postgres(options) => {
                postgres::connect(options, connections, Some(STATEMENT_MAX)).await
            }
            Place::Mysql(options) => {
                mysql::connect(options, connections, Some(STATEMENT_MAX)).await
            }
        }
    }

    /// Like [`DatabaseUrl::admit`], but makes nothing.
    pub(crate) async fn admit_existing(&self) -> Result<(), StoreError> {
        if let Place::Sqlite(file) = &self.place
            && let Err(source) = std::fs::metadata(file)
        {
            return Err(StoreError::File {
                path: file.clone(),
                source,
            });
        }
        self.admit().await
    }

    /// Makes sure that a server answers and may be used; an SQLite file is made if need be.
    pub(crate) async fn admit(&self) -> Result<(), StoreError> {
        match &self.place {
            Place::Sqlite(file) => {
                sqlite::create_private(file).map_err(|source| StoreError::File {
                    path: file.clone(),
                    source,
                })
            }
            Place::Postgres(options) => postgres::admit(options).await,
            Place::Mysql(options) => mysql::admit(options).await,
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unreadable = |error: sqlx::Error| DatabaseUrlError::Unreadable(cause(&error));
        let (scheme, rest) = text.split_once(':').ok_or(DatabaseUrlError::Scheme)?;
        let place = match scheme {
            "sqlite" => {
                let file = rest.strip_prefix("//").unwrap_or(rest);
                if file.is_empty() {
                    return Err(DatabaseUrlError::NoFile);
                }
                Place::Sqlite(file.into())
            }
            "postgres" | "postgresql" => {
                let options: PgConnectOptions = text.parse().map_err(unreadable)?;
                options.get_database().ok_or(DatabaseUrlError::NoDatabase)?;
                Place::Postgres(Box::new(options))
            }
            "mysql" | "mariadb" => {
                let options: MySqlConnectOptions =
                    format!("mysql:{rest}").parse().map_err(unreadable)?;
                options.get_database().ok_or(DatabaseUrlError::NoDatabase)?;
                Place::Mysql(Box::new(options))
            }
            _ => return Err(DatabaseUrlError::Scheme),
        };
        Ok(Self { place })
    }
}

/// The innermost reason, which is about the form of the URL and not its text.
fn cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(inner) => cause(inner),
        None => error.to_string(),
    }
}

/// Whether a connection that is given back still works. One that does not say so is given up: the pool itself would wait for it for
/// ever, and keep its place taken.
async fn is_usable(
    answer: impl Future<Output = Result<(), sqlx::Error>>,
) -> Result<bool, sqlx::Error> {
    match tokio::time::timeout(RELEASE_MAX, answer).await {
        Ok(answer) => answer.map(|()| true),
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}

/// Whether a connection that is to be used again still works. Asking costs as much as a short statement, so that only those are
/// asked that nobody used for a while.
async fn is_usable_again(
    idle_for: Duration,
    answer: impl Future<Output = Result<(), sqlx::Error>>,
) -> Result<bool, sqlx::Error> {
    if idle_for >= TRUSTED_FOR {
        answer.await?;
    }
    Ok(true)
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port, user, database) = match &self.place {
            Place::Sqlite(file) => return write!(f, "sqlite:{}", file.display()),
            Place::Postgres(options) => (
                options.get_host(),
                options.get_port(),
                options.get_username(),
                options.get_database(),
            ),
            Place::Mysql(options) => (
                options.get_host(),
                options.get_port(),
                options.get_username(),
                options.get_database(),
            ),
        };
        let engine = self.engine().word();
        let database = database.unwrap_or_default();
        write!(f, "{engine}://{user}@{host}:{port}/{database}")
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

impl PartialEq for DatabaseUrl {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for DatabaseUrl {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_which_engine_and_show_no_password() {
        for (text, engine, shown) in [
            (
                "sqlite:/var/lib/c.db",
                Engine::Sqlite,
                "sqlite:/var/lib/c.db",
            ),
            (
                "sqlite:///var/lib/c.db",
                Engine::Sqlite,
                "sqlite:/var/lib/c.db",
            ),
            (
                "postgres://app:geheim@db.example:6432/fleet",
                Engine::Postgres,
                "postgresql://app@db.example:6432/fleet",
            ),
            (
                "postgresql://app:geheim@db.example/fleet?sslmode=require",
                Engine::Postgres,
                "postgresql://app@db.example:5432/fleet",
            ),
            (
                "mariadb://app:geheim@db.example/fleet",
                Engine::Mysql,
                "mysql://app@db.example:3306/fleet",
            ),
        ] {
            let url: DatabaseUrl = text.parse().unwrap();
            assert_eq!(url.engine(), engine, "{text}");
            assert_eq!(url.to_string(), shown, "{text}");
            assert!(!format!("{url:?}").contains("geheim"), "{text}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused_without_repeating_it() {
        for (text, error) in [
            ("center.db", DatabaseUrlError::Scheme),
            ("oracle://geheim", DatabaseUrlError::Scheme),
            ("sqlite:", DatabaseUrlError::NoFile),
            ("mysql://app:geheim@db", DatabaseUrlError::NoDatabase),
        ] {
            assert_eq!(text.parse::<DatabaseUrl>().unwrap_err(), error, "{text}");
        }
        let error = "postgres://app:geheim@db:port/fleet"
            .parse::<DatabaseUrl>()
            .unwrap_err();
        assert!(matches!(error, DatabaseUrlError::Unreadable(_)), "{error}");
        assert!(!error.to_string().contains("geheim"), "{error}");
    }
}
