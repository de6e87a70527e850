//! What kind of trouble a database is in, read from the codes of its engine.

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};
use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::PgDatabaseError;

/// Trouble that is the database's, not the statement's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The transaction was given up in favour of another one. The same again will do.
    Contention,
    /// The connection is gone. Another one may work at once.
    Connection,
    /// The database cannot do it now: full, read-only, too slow, not reachable.
    Unable,
}

impl Fault {
    /// The trouble behind an error; `None` if the statement is to blame.
    pub(crate) fn of(error: &DbErr) -> Option<Self> {
        match error {
            DbErr::ConnectionAcquire(
                ConnAcquireErr::Timeout | ConnAcquireErr::ConnectionClosed,
            ) => Some(Self::Unable),
            DbErr::Conn(RuntimeErr::SqlxError(cause))
            | DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => Self::of_driver(cause),
            DbErr::Conn(RuntimeErr::Internal(_)) => Some(Self::Unable),
            _ => None,
        }
    }

    /// The same for an error of the driver.
    pub(crate) fn of_driver(error: &sqlx::Error) -> Option<Self> {
        match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Tls(_) => Some(Self::Connection),
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Some(Self::Unable),
            sqlx::Error::Database(cause) => Self::of_database(cause.as_ref()),
            _ => None,
        }
    }

    fn of_database(error: &dyn DatabaseError) -> Option<Self> {
        if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
            of_sqlstate(error.code())
        } else if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
            of_mysql(error.number())
        } else {
            of_sqlite(error.code()?.parse().ok()?)
        }
    }
}

/// SQLite's result codes; the primary one is the lowest byte.
const fn of_sqlite(code: u32) -> Option<Fault> {
    // BUSY 5, LOCKED 6, READONLY 8, IOERR 10, CORRUPT 11, FULL 13, CANTOPEN 14.
    match code & 0xff {
        5 | 6 | 8 | 10 | 11 | 13 | 14 => Some(Fault::Unable),
        _ => None,
    }
}

/// PostgreSQL's SQLSTATE.
fn of_sqlstate(code: &str) -> Option<Fault> {
    match code {
        // serialization_failure, deadlock_detected, lock_not_available
        "40001" | "40P01" | "55P03" => Some(Fault::Contention),
        // admin_shutdown, crash_shutdown, cannot_connect_now, idle_in_transaction_session_timeout, idle_session_timeout
        "57P01" | "57P02" | "57P03" | "25P03" | "57P05" => Some(Fault::Connection),
        // query_canceled (also by statement_timeout), read_only_sql_transaction, system errors
        "57014" | "25006" => Some(Fault::Unable),
        _ if code.starts_with("08") => Some(Fault::Connection),
        // 53: out of disk, memory or connections; 58: trouble of the machine; XX: damaged data
        _ if ["53", "58", "XX"]
            .iter()
            .any(|class| code.starts_with(class)) =>
        {
            Some(Fault::Unable)
        }
        _ => None,
    }
}

/// Error numbers of MySQL and MariaDB.
const fn of_mysql(number: u16) -> Option<Fault> {
    match number {
        // Deadlock, lock wait timeout, record changed since it was read.
        1213 | 1205 | 1020 => Some(Fault::Contention),
        // Shutdown, killed, network trouble.
        1053 | 1077 | 1079 | 1152 | 1156..=1161 | 1184 | 1317 | 1927 => Some(Fault::Connection),
        // Disk full, out of memory, table full, errors of the storage engine, too many connections.
        3 | 1021 | 1028 | 1037 | 1038 | 1040 | 1041 | 1114 | 1030 | 1135 | 1203 => {
            Some(Fault::Unable)
        }
        // Not ready (Galera), read-only in one way or another, statement took too long.
        1047 | 1290 | 1792 | 1836 | 1874 | 1969 | 3024 => Some(Fault::Unable),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_whether_trying_again_helps() {
        for code in ["40001", "40P01", "55P03"] {
            assert_eq!(of_sqlstate(code), Some(Fault::Contention), "{code}");
        }
        for code in ["08006", "57P01", "57P03"] {
            assert_eq!(of_sqlstate(code), Some(Fault::Connection), "{code}");
        }
        for code in ["53100", "53300", "25006", "57014", "58030"] {
            assert_eq!(of_sqlstate(code), Some(Fault::Unable), "{code}");
        }
        for code in ["23505", "42601", "22001", "P0001"] {
            assert_eq!(of_sqlstate(code), None, "{code}");
        }
        assert_eq!(of_mysql(1213), Some(Fault::Contention));
        assert_eq!(of_mysql(1114), Some(Fault::Unable));
        assert_eq!(of_mysql(1062), None);
        assert_eq!(of_sqlite(13), Some(Fault::Unable));
        // An extended code: IOERR_FSYNC.
        assert_eq!(of_sqlite(10 | 4 << 8), Some(Fault::Unable));
        assert_eq!(of_sqlite(19), None);
    }
}
