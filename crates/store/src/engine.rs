//! The points in which SQL engines differ. Statements are written once with `?`; whatever cannot be said in one way for all
//! engines is asked here, so that adding an engine means answering the questions of this file.

use std::fmt::Write as _;

use sea_orm::{DbBackend, Value};

/// A database engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// SQLite: one file, one center.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
}

impl Engine {
    /// All engines.
    pub const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::Mysql];

    /// The word in the REST interface and for folders: `sqlite`, `postgresql`, `mysql`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgresql",
            Self::Mysql => "mysql",
        }
    }

    /// The engine behind a connection.
    pub(crate) fn of(backend: DbBackend) -> Self {
        match backend {
            DbBackend::Sqlite => Self::Sqlite,
            DbBackend::Postgres => Self::Postgres,
            DbBackend::MySql => Self::Mysql,
            _ => unreachable!("no other driver is compiled in"),
        }
    }

    /// Puts the engine's placeholders in place of `?`. Statements have no other question marks.
    pub(crate) fn placeholders(self, sql: String) -> String {
        match self {
            Self::Sqlite | Self::Mysql => sql,
            Self::Postgres => {
                let mut numbered = String::with_capacity(sql.len() + 64);
                for (number, piece) in sql.split('?').enumerate() {
                    if number > 0 {
                        // Writing into a String cannot fail.
                        let _ = write!(numbered, "${number}");
                    }
                    numbered.push_str(piece);
                }
                numbered
            }
        }
    }

    /// Makes a value acceptable: PostgreSQL has no character 0 in texts, and gets U+FFFD in its place.
    pub(crate) fn accept(self, value: Value) -> Value {
        match (self, value) {
            (Self::Postgres, Value::String(Some(text))) if text.contains('\0') => {
                Value::String(Some(text.replace('\0', "\u{fffd}")))
            }
            (_, value) => value,
        }
    }

    /// End of an `INSERT` that leaves a row that exists as it is. `column` is one of its primary key.
    ///
    /// MySQL's `INSERT IGNORE` would also swallow values that do not fit and rows that do not exist.
    pub(crate) fn or_ignore(self, column: &str) -> String {
        match self {
            Self::Sqlite | Self::Postgres => " ON CONFLICT DO NOTHING".to_owned(),
            Self::Mysql => format!(" ON DUPLICATE KEY UPDATE {column} = {column}"),
        }
    }

    /// Whether an `INSERT` with [`Engine::or_ignore`] counts the rows that it left as they were.
    pub(crate) const fn counts_ignored(self) -> bool {
        match self {
            Self::Sqlite | Self::Postgres => false,
            Self::Mysql => true,
        }
    }

    /// End of an `INSERT` that, where `keys` (its primary key) exist, sets `columns` to what would have been inserted.
    pub(crate) fn or_update(self, keys: &str, columns: &[&str]) -> String {
        let sets = |new: fn(&str) -> String| {
            let sets: Vec<String> = columns
                .iter()
                .map(|column| format!("{column} = {}", new(column)))
                .collect();
            sets.join(", ")
        };
        match self {
            Self::Sqlite | Self::Postgres => format!(
                " ON CONFLICT ({keys}) DO UPDATE SET {}",
                sets(|column| format!("excluded.{column}"))
            ),
            Self::Mysql => format!(
                " ON DUPLICATE KEY UPDATE {}",
                sets(|column| format!("VALUES({column})"))
            ),
        }
    }

    /// End of a `SELECT` that reads rows in order to change them in the same transaction, or that must not change before its
    /// end. SQLite has one writer, and a writing transaction holds its lock from the beginning. PostgreSQL's weaker form lets
    /// others insert rows that refer to the locked ones.
    pub(crate) const fn for_update(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR NO KEY UPDATE",
            Self::Mysql => " FOR UPDATE",
        }
    }

    /// Stands behind a table's name (and alias) and says which index to walk, where the engine's own choice was measured to be
    /// wrong. PostgreSQL has no such words; its statistics see to it.
    pub(crate) fn index(self, name: &str) -> String {
        match self {
            Self::Sqlite => format!(" INDEXED BY {name}"),
            Self::Postgres => String::new(),
            Self::Mysql => format!(" FORCE INDEX ({name})"),
        }
    }

    /// The same for runs that are planned and not yet sent. MySQL has no index of its own for these: every change of a run's state
    /// would have to keep it.
    pub(crate) fn index_of_planned(self) -> String {
        self.index(match self {
            Self::Sqlite | Self::Postgres => "runs_planned",
            Self::Mysql => "runs_active",
        })
    }

    /// Lists names and types of the columns of a table, the `?`.
    pub(crate) const fn columns(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT name, type FROM pragma_table_info(?)",
            Self::Postgres => {
                "SELECT column_name::text, data_type::text FROM information_schema.columns \
                 WHERE table_schema = current_schema() AND table_name = ?"
            }
            Self::Mysql => {
                "SELECT CAST(column_name AS CHAR), CAST(data_type AS CHAR) FROM information_schema.columns \
                 WHERE table_schema = DATABASE() AND table_name = ?"
            }
        }
    }

    /// Finds a row if a table, the first `?`, has a column, the second.
    pub(crate) const fn column(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT 1 FROM pragma_table_info(?) WHERE name = ?",
            Self::Postgres => {
                "SELECT 1 FROM information_schema.columns WHERE table_schema = current_schema() \
                 AND table_name = ? AND column_name = ?"
            }
            Self::Mysql => {
                "SELECT 1 FROM information_schema.columns WHERE table_schema = DATABASE() \
                 AND table_name = ? AND column_name = ?"
            }
        }
    }

    /// Finds a row if a table, the first `?`, has an index, the second.
    pub(crate) const fn has_index(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT 1 FROM pragma_index_list(?) WHERE name = ?",
            Self::Postgres => {
                "SELECT 1 FROM pg_indexes WHERE schemaname = current_schema() AND tablename = ? AND indexname = ?"
            }
            Self::Mysql => {
                "SELECT 1 FROM information_schema.statistics WHERE table_schema = DATABASE() \
                 AND table_name = ? AND index_name = ?"
            }
        }
    }

    /// The database's clock while the statement runs (not when its transaction began): microseconds since the epoch.
    pub(crate) const fn now(self) -> &'static str {
        match self {
            Self::Sqlite => "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)",
            Self::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
            Self::Mysql => "CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED)",
        }
    }

    /// Whether several centers can work on one database. If not, its clock is the center's own, and nobody else can plan.
    pub const fn is_shared(self) -> bool {
        match self {
            Self::Sqlite => false,
            Self::Postgres | Self::Mysql => true,
        }
    }

    /// The sum of an integer expression, as an integer.
    pub(crate) fn sum(self, expression: &str) -> String {
        match self {
            Self::Sqlite => format!("SUM({expression})"),
            Self::Postgres => format!("CAST(SUM({expression}) AS BIGINT)"),
            Self::Mysql => format!("CAST(SUM({expression}) AS SIGNED)"),
        }
    }

    /// A text in the letter case of `LOWER(column)`: some engines know only the letters of ASCII.
    pub(crate) fn lower(self, text: &str) -> String {
        match self {
            Self::Sqlite | Self::Postgres => text.to_ascii_lowercase(),
            Self::Mysql => text.to_lowercase(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered_where_they_must_be() {
        let sql = || "UPDATE t SET a = ?, b = ? WHERE c = ?".to_owned();
        let numbered = "UPDATE t SET a = $1, b = $2 WHERE c = $3";
        assert_eq!(Engine::Postgres.placeholders(sql()), numbered);
        for engine in [Engine::Sqlite, Engine::Mysql] {
            assert_eq!(engine.placeholders(sql()), sql());
        }
    }

    #[test]
    fn only_a_text_that_would_be_refused_is_changed() {
        let text = |text: &str| Value::String(Some(text.to_owned()));
        assert_eq!(Engine::Postgres.accept(text("a\0b")), text("a\u{fffd}b"));
        assert_eq!(Engine::Postgres.accept(text("ab")), text("ab"));
        assert_eq!(Engine::Mysql.accept(text("a\0b")), text("a\0b"));
    }
}
