//! Schema steps: numbered SQL files per engine, forward only, each recorded when it is done. A step that was interrupted is run
//! again, so every statement in it is safe to repeat: tables and indexes are created `IF NOT EXISTS`, and a column that is there
//! already is not added again.

use jiff::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseConnection, TransactionTrait};

use crate::engine::Engine;
use crate::error::StoreError;
use crate::sql::Sql;

/// A schema step.
struct Migration {
    number: u32,
    name: &'static str,
    sql: &'static str,
}

const SQLITE: &[Migration] = &[
    Migration {
        number: 1,
        name: "first",
        sql: include_str!("../migrations/sqlite/0001_first.sql"),
    },
    Migration {
        number: 2,
        name: "agent_policies",
        sql: include_str!("../migrations/sqlite/0002_agent_policies.sql"),
    },
    Migration {
        number: 3,
        name: "spool_levels",
        sql: include_str!("../migrations/sqlite/0003_spool_levels.sql"),
    },
    Migration {
        number: 4,
        name: "kill_and_limits",
        sql: include_str!("../migrations/sqlite/0004_kill_and_limits.sql"),
    },
    Migration {
        number: 5,
        name: "secrets",
        sql: include_str!("../migrations/sqlite/0005_secrets.sql"),
    },
    Migration {
        number: 6,
        name: "slot_probes",
        sql: include_str!("../migrations/sqlite/0006_slot_probes.sql"),
    },
    Migration {
        number: 7,
        name: "leases",
        sql: include_str!("../migrations/sqlite/0007_leases.sql"),
    },
    Migration {
        number: 8,
        name: "centers",
        sql: include_str!("../migrations/sqlite/0008_centers.sql"),
    },
    Migration {
        number: 9,
        name: "slot_restarts",
        sql: include_str!("../migrations/sqlite/0009_slot_restarts.sql"),
    },
];

const fn migrations(engine: Engine) -> &'static [Migration] {
    match engine {
        Engine::Sqlite => SQLITE,
    }
}

/// Brings the schema up to date.
pub(crate) async fn up(engine: Engine, db: &DatabaseConnection) -> Result<(), StoreError> {
    let steps = migrations(engine);
    let known = steps.last().map_or(0, |step| step.number);
    db.execute_unprepared(
        "CREATE TABLE IF NOT EXISTS migrations (number BIGINT NOT NULL PRIMARY KEY, name VARCHAR(64) NOT NULL, \
         applied_at BIGINT NOT NULL)",
    )
    .await?;
    let found = Sql::new("SELECT MAX(number) FROM migrations")
        .one(db, |row| row.maybe::<u32>())
        .await?
        .flatten()
        .unwrap_or(0);
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    for step in steps.iter().filter(|step| step.number > found) {
        apply(engine, db, step).await?;
        tracing::info!(
            migration.number = step.number,
            migration.name = step.name,
            "database schema step done"
        );
    }
    Ok(())
}

async fn apply(
    engine: Engine,
    db: &DatabaseConnection,
    step: &Migration,
) -> Result<(), StoreError> {
    let failed = |source| StoreError::Migration {
        number: step.number,
        source,
    };
    let tx = db.begin().await.map_err(failed)?;
    for statement in statements(step.sql) {
        if let Some((table, column)) = added_column(statement)
            && has_column(engine, &tx, table, column).await?
        {
            continue;
        }
        tx.execute_unprepared(statement).await.map_err(failed)?;
    }
    Sql::new("INSERT INTO migrations (number, name, applied_at) VALUES (?, ?, ?)")
        .bind(step.number)
        .bind(step.name)
        .bind(Timestamp::now())
        .execute(&tx)
        .await?;
    tx.commit().await.map_err(failed)
}

/// The statements of a file: each ends with a semicolon at the end of a line.
fn statements(sql: &str) -> impl Iterator<Item = &str> {
    sql.split(";\n")
        .map(str::trim)
        .filter(|statement| !statement.is_empty())
}

/// Table and column of an `ALTER TABLE … ADD COLUMN …`.
fn added_column(statement: &str) -> Option<(&str, &str)> {
    let mut words = statement
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .flat_map(str::split_whitespace);
    let mut next_is = |expected: &str| words.next() == Some(expected);
    if !(next_is("ALTER") && next_is("TABLE")) {
        return None;
    }
    let table = words.next()?;
    let mut next_is = |expected: &str| words.next() == Some(expected);
    if !(next_is("ADD") && next_is("COLUMN")) {
        return None;
    }
    Some((table, words.next()?))
}

async fn has_column(
    engine: Engine,
    on: &impl ConnectionTrait,
    table: &str,
    column: &str,
) -> Result<bool, StoreError> {
    Sql::new(engine.column())
        .bind(table)
        .bind(column)
        .exists(on)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_added_column_is_looked_up() {
        let added = added_column("-- why\nALTER TABLE runs ADD COLUMN oom_kills BIGINT");
        assert_eq!(added, Some(("runs", "oom_kills")));
        for other in [
            "CREATE TABLE IF NOT EXISTS runs (id BIGINT)",
            "ALTER TABLE runs DROP COLUMN id",
            "ALTER TABLE runs",
            "",
        ] {
            assert_eq!(added_column(other), None, "{other}");
        }
    }
}
