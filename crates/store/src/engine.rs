//! The points in which SQL engines differ. Statements are written once with `?`; whatever cannot be said in one way for all
//! engines is asked here, so that adding an engine means answering the questions of this file.

use sea_orm::DbBackend;

/// A database engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// SQLite: one file, one center.
    Sqlite,
}

impl Engine {
    /// The word in the REST interface: `sqlite`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
        }
    }

    /// The engine behind a connection.
    pub(crate) fn of(backend: DbBackend) -> Self {
        match backend {
            DbBackend::Sqlite => Self::Sqlite,
            _ => unreachable!("no other driver is compiled in"),
        }
    }

    /// Puts the engine's placeholders in place of `?`. Statements have no other question marks.
    pub(crate) fn placeholders(self, sql: String) -> String {
        match self {
            Self::Sqlite => sql,
        }
    }

    /// End of an `INSERT` that leaves a row that exists (by any unique key) as it is.
    pub(crate) const fn or_ignore(self) -> &'static str {
        match self {
            Self::Sqlite => " ON CONFLICT DO NOTHING",
        }
    }

    /// End of an `INSERT` that, where `keys` (its primary key) exist, sets `columns` to what would have been inserted.
    pub(crate) fn or_update(self, keys: &str, columns: &[&str]) -> String {
        match self {
            Self::Sqlite => {
                let sets: Vec<String> = columns
                    .iter()
                    .map(|column| format!("{column} = excluded.{column}"))
                    .collect();
                format!(" ON CONFLICT ({keys}) DO UPDATE SET {}", sets.join(", "))
            }
        }
    }

    /// End of a `SELECT` that reads rows in order to change them in the same transaction. SQLite has one writer, and a
    /// writing transaction holds its lock from the beginning.
    pub(crate) const fn for_update(self) -> &'static str {
        match self {
            Self::Sqlite => "",
        }
    }

    /// Stands behind a table's name (and alias) and says which index to walk, where the engine's own choice was measured to be wrong.
    pub(crate) fn index(self, name: &str) -> String {
        match self {
            Self::Sqlite => format!(" INDEXED BY {name}"),
        }
    }

    /// Finds a row if a table, the first `?`, has a column, the second.
    pub(crate) const fn column(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT 1 FROM pragma_table_info(?) WHERE name = ?",
        }
    }

    /// The database's clock while the statement runs (not when its transaction began): microseconds since the epoch.
    pub(crate) const fn now(self) -> &'static str {
        match self {
            Self::Sqlite => "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)",
        }
    }

    /// Whether several centers can work on one database. If not, its clock is the center's own, and nobody else can plan.
    pub const fn is_shared(self) -> bool {
        match self {
            Self::Sqlite => false,
        }
    }

    /// The sum of an integer expression, as an integer.
    pub(crate) fn sum(self, expression: &str) -> String {
        match self {
            Self::Sqlite => format!("SUM({expression})"),
        }
    }
}
