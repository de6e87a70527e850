//! MySQL and MariaDB: which servers may be used, and how every connection is set up.

use std::collections::HashMap;
use std::time::Duration;

use sea_orm::{DatabaseConnection, SqlxMySqlConnector};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row};

use super::{IDLE_MAX, LIFE_MAX, LOCK_MAX, STATEMENTS_KEPT, WAIT_MAX, is_usable, is_usable_again};
use crate::error::StoreError;

/// Oldest versions that may be used.
const OLDEST_MARIADB: (u32, u32, u32) = (10, 6, 0);
const OLDEST_MYSQL: (u32, u32, u32) = (8, 0, 16);
/// A chunk of output of the largest size, with room for what is around it.
const PACKET_MIN: u64 = 4 << 20;

/// What a server says about itself.
struct Server {
    /// As it says it: `10.11.19-MariaDB-0+deb12u1`, `8.0.36`.
    version: String,
    /// Some of its variables, in lower case.
    variables: HashMap<String, String>,
}

impl Server {
    async fn ask(connection: &mut MySqlConnection) -> Result<Self, sqlx::Error> {
        let rows = sqlx::raw_sql(
            "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'read_only', 'innodb_read_only', 'wsrep_on', \
             'log_bin', 'binlog_format', 'max_allowed_packet', 'innodb_flush_log_at_trx_commit')",
        )
        .fetch_all(connection)
        .await?;
        let mut variables = HashMap::new();
        for row in rows {
            let value = row.try_get::<String, _>(1)?;
            variables.insert(row.try_get::<String, _>(0)?.to_lowercase(), value);
        }
        Ok(Self {
            version: variables.remove("version").unwrap_or_default(),
            variables,
        })
    }

    fn is_mariadb(&self) -> bool {
        self.version.contains("MariaDB")
    }

    fn number(&self) -> (u32, u32, u32) {
        let mut numbers = self
            .version
            .split(|c: char| !c.is_ascii_digit())
            .map(|digits| digits.parse().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        (next(), next(), next())
    }

    fn is_on(&self, variable: &str) -> bool {
        self.variables
            .get(variable)
            .is_some_and(|value| !matches!(value.to_uppercase().as_str(), "OFF" | "0"))
    }

    fn is_unwritable(&self) -> bool {
        self.is_on("read_only") || self.is_on("innodb_read_only")
    }

    /// Why it must not be used.
    fn refusal(&self) -> Option<String> {
        let (name, oldest) = if self.is_mariadb() {
            ("MariaDB", OLDEST_MARIADB)
        } else {
            ("MySQL", OLDEST_MYSQL)
        };
        if self.number() < oldest {
            let (major, minor, patch) = oldest;
            return Some(format!(
                "{name} {} is too old, version {major}.{minor}.{patch} or newer is needed",
                self.version
            ));
        }
        if self.is_unwritable() {
            return Some("it is a replica or read-only, use the URL of the primary".to_owned());
        }
        let has = |variable: &str, value: &str| {
            let found = self.variables.get(variable);
            found.is_some_and(|found| found.eq_ignore_ascii_case(value))
        };
        if self.is_on("log_bin") && has("binlog_format", "STATEMENT") {
            return Some("its binlog_format is STATEMENT, set ROW or MIXED".to_owned());
        }
        let packet = self.variables.get("max_allowed_packet");
        let is_packet_small = packet
            .and_then(|bytes| bytes.parse::<u64>().ok())
            .is_some_and(|bytes| bytes < PACKET_MIN);
        is_packet_small.then(|| "its max_allowed_packet is below 4 MiB, set 16 MiB".to_owned())
    }

    /// Tells of settings with which committed data can be lost.
    fn warn(&self) {
        if self.is_on("wsrep_on") {
            tracing::warn!(
                "the database is a Galera cluster: all centers must use one and the same node for writing, because committed \
                 transactions of several nodes can overwrite each other"
            );
        }
        let flush = self.variables.get("innodb_flush_log_at_trx_commit");
        if flush.is_some_and(|value| value != "1") {
            tracing::warn!(
                "the database has innodb_flush_log_at_trx_commit other than 1: a crash of its machine can lose what was \
                 acknowledged"
            );
        }
    }
}

async fn ask_alone(options: &MySqlConnectOptions) -> Result<Server, StoreError> {
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
    match tokio::time::timeout(WAIT_MAX, ask).await {
        Ok(answer) => answer.map_err(StoreError::of_driver),
        Err(_) => Err(StoreError::of_driver(sqlx::Error::PoolTimedOut)),
    }
}

/// Makes sure that the server answers and may be used.
pub(crate) async fn admit(options: &MySqlConnectOptions) -> Result<(), StoreError> {
    let server = ask_alone(options).await?;
    if let Some(why) = server.refusal() {
        return Err(StoreError::Refused { why });
    }
    server.warn();
    Ok(())
}

/// A pool of connections. Each is set up when it is made, and refused if the server has become a replica meanwhile.
pub(crate) async fn connect(
    options: &MySqlConnectOptions,
    connections: u32,
    statement_max: Option<Duration>,
) -> Result<DatabaseConnection, StoreError> {
    let is_mariadb = ask_alone(options).await?.is_mariadb();
    let settings = settings(is_mariadb, statement_max);
    let options = options
        .clone()
        .charset("utf8mb4")
        .collation("utf8mb4_bin")
        .pipes_as_concat(false)
        .statement_cache_capacity(STATEMENTS_KEPT)
        .disable_statement_logging();
    let pool = MySqlPoolOptions::new()
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
                connection
                    .execute(sqlx::raw_sql(AssertSqlSafe(settings)))
                    .await?;
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
    Ok(SqlxMySqlConnector::from_sqlx_mysql_pool(pool))
}

/// What every connection sets. Of the limits on time each of the two servers knows others.
fn settings(is_mariadb: bool, statement_max: Option<Duration>) -> String {
    let lock_seconds = LOCK_MAX.as_secs();
    let statement = match (statement_max, is_mariadb) {
        (None, _) => String::new(),
        (Some(max), true) => format!(
            ", max_statement_time = {0}, idle_transaction_timeout = {0}",
            max.as_secs()
        ),
        (Some(max), false) => format!(", max_execution_time = {}", max.as_millis()),
    };
    format!(
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; \
         SET SESSION sql_mode = 'STRICT_ALL_TABLES,ONLY_FULL_GROUP_BY,NO_ZERO_IN_DATE,NO_ZERO_DATE,\
         ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', \
         innodb_lock_wait_timeout = {lock_seconds}{statement}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(version: &str, variables: &[(&str, &str)]) -> Server {
        let text = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Server {
            version: version.to_owned(),
            variables: variables.iter().map(text).collect(),
        }
    }

    #[test]
    fn servers_that_cannot_be_used_are_refused_with_the_reason() {
        let good = [
            ("read_only", "OFF"),
            ("innodb_read_only", "OFF"),
            ("log_bin", "ON"),
            ("binlog_format", "MIXED"),
            ("max_allowed_packet", "16777216"),
        ];
        for version in [
            "10.11.19-MariaDB-0+deb12u1",
            "10.6.0-MariaDB",
            "8.0.36",
            "9.1.0",
            "11.4.2-MariaDB",
        ] {
            assert_eq!(server(version, &good).refusal(), None, "{version}");
        }
        for (version, variables, word) in [
            (
                "10.5.23-MariaDB",
                &[][..],
                "MariaDB 10.5.23-MariaDB is too old",
            ),
            ("5.7.44-log", &[], "MySQL 5.7.44-log is too old"),
            ("8.0.36", &[("read_only", "ON")], "replica"),
            ("8.0.36", &[("innodb_read_only", "1")], "read-only"),
            (
                "8.0.36",
                &[("log_bin", "ON"), ("binlog_format", "STATEMENT")],
                "binlog_format",
            ),
            (
                "8.0.36",
                &[("max_allowed_packet", "1048576")],
                "max_allowed_packet",
            ),
        ] {
            let refusal = server(version, variables).refusal().unwrap();
            assert!(refusal.contains(word), "{refusal}");
        }
    }
}
