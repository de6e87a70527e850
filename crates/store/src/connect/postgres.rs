//! PostgreSQL: which servers may be used, and how every connection is set up.

use std::time::Duration;

use sea_orm::{DatabaseConnection, SqlxPostgresConnector};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row};

use super::{IDLE_MAX, LIFE_MAX, LOCK_MAX, STATEMENTS_KEPT, WAIT_MAX, is_usable, is_usable_again};
use crate::error::StoreError;

/// Oldest version that may be used, as `server_version_num`.
const OLDEST: u32 = 130_000;

/// What a server says about itself.
struct Server {
    version: u32,
    encoding: String,
    is_replica: bool,
    is_read_only: bool,
}

impl Server {
    async fn ask(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let row = sqlx::raw_sql(
            "SELECT current_setting('server_version_num'), current_setting('server_encoding'), \
             pg_is_in_recovery()::text, current_setting('transaction_read_only')",
        )
        .fetch_one(connection)
        .await?;
        Ok(Self {
            version: row.try_get::<String, _>(0)?.parse().unwrap_or(0),
            encoding: row.try_get(1)?,
            is_replica: row.try_get::<String, _>(2)? == "true",
            is_read_only: row.try_get::<String, _>(3)? == "on",
        })
    }

    /// Why it must not be used.
    fn refusal(&self) -> Option<String> {
        if self.version < OLDEST {
            return Some(format!(
                "PostgreSQL {} is too old, version {} or newer is needed",
                self.version / 10_000,
                OLDEST / 10_000
            ));
        }
        if self.encoding != "UTF8" {
            return Some(format!(
                "its encoding is {}, make the database with ENCODING 'UTF8'",
                self.encoding
            ));
        }
        self.is_unwritable()
            .then(|| "it is a replica or read-only, use the URL of the primary".to_owned())
    }

    fn is_unwritable(&self) -> bool {
        self.is_replica || self.is_read_only
    }
}

/// Makes sure that the server answers and may be used.
pub(crate) async fn admit(options: &PgConnectOptions) -> Result<(), StoreError> {
    let ask = async {
        let mut connection = options
            .clone()
            .disable_statement_logging()
            .connect()
            .await?;
        let server = Server::ask(&mut connection).await?;
        // What it says is known; that it does not like the farewell changes nothing.
        let _ = connection.close().await;
        Ok(server)
    };
    let server = match tokio::time::timeout(WAIT_MAX, ask).await {
        Ok(answer) => answer.map_err(StoreError::of_driver)?,
        Err(_) => return Err(StoreError::of_driver(sqlx::Error::PoolTimedOut)),
    };
    match server.refusal() {
        Some(why) => Err(StoreError::Refused { why }),
        None => Ok(()),
    }
}

/// A pool of connections. Each is set up when it is made, and refused if the server has become a replica meanwhile.
pub(crate) async fn connect(
    options: &PgConnectOptions,
    connections: u32,
    statement_max: Option<Duration>,
) -> Result<DatabaseConnection, StoreError> {
    let settings = settings(statement_max);
    let options = options
        .clone()
        .application_name("cronfleet")
        .statement_cache_capacity(STATEMENTS_KEPT)
        .disable_statement_logging();
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(WAIT_MAX)
        .idle_timeout(IDLE_MAX)
        .max_lifetime(LIFE_MAX)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(is_usable_again(meta.idle_for, connection.ping()))
        })
        .after_release(|connection, _| Box::pin(is_usable(connection.ping())))
        .after_connect(move |connection, _| {
            let settings = settings.clone();
            Box::pin(async move {
                connection.execute(AssertSqlSafe(settings)).await?;
                if Server::ask(connection).await?.is_unwritable() {
                    return Err(sqlx::Error::Protocol(
                        "the server is a replica or read-only".to_owned(),
                    ));
                }
                Ok(())
            })
        })
        .connect_with(options)
        .await
        .map_err(StoreError::of_driver)?;
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}

/// What every connection sets. `synchronous_commit` is only turned on where it is off: the other words are the operator's
/// choice between replicas. Compiling of statements costs more than it gains for short ones; with the cost of an old disk for a
/// random page, ten thousand jobs were hashed to find those of a hundred runs. Every lookup has an index, but statements are
/// planned once for each connection, and while a table is nearly empty reading all of it looks cheapest: a center that began with
/// no runs then read all of them for each agent, until the server had counted them anew.
fn settings(statement_max: Option<Duration>) -> String {
    let statement_ms = statement_max.map_or(0, |max| max.as_millis());
    let lock_ms = LOCK_MAX.as_millis();
    format!(
        "SET TIME ZONE 'UTC'; SET default_transaction_isolation = 'read committed'; SET client_min_messages = warning; \
         SET jit = off; SET random_page_cost = 1.1; SET enable_seqscan = off; SET statement_timeout = {statement_ms}; SET lock_timeout = {lock_ms}; \
         SET idle_in_transaction_session_timeout = {statement_ms}; \
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_cannot_be_used_are_refused_with_the_reason() {
        let server = |version, encoding: &str, is_replica, is_read_only| Server {
            version,
            encoding: encoding.to_owned(),
            is_replica,
            is_read_only,
        };
        assert_eq!(server(150_018, "UTF8", false, false).refusal(), None);
        for (server, word) in [
            (
                server(120_019, "UTF8", false, false),
                "PostgreSQL 12 is too old",
            ),
            (server(150_018, "SQL_ASCII", false, false), "SQL_ASCII"),
            (server(150_018, "UTF8", true, true), "replica"),
            (server(150_018, "UTF8", false, true), "read-only"),
        ] {
            let refusal = server.refusal().unwrap();
            assert!(refusal.contains(word), "{refusal}");
        }
    }
}
