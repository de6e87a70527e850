//! Schema steps: numbered SQL files per engine, forward only, each recorded when it is done. A step that was interrupted is run
//! again, so every statement in it is safe to repeat.

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
        apply(db, step).await?;
        tracing::info!(
            migration.number = step.number,
            migration.name = step.name,
            "database schema step done"
        );
    }
    Ok(())
}

async fn apply(db: &DatabaseConnection, step: &Migration) -> Result<(), StoreError> {
    let failed = |source| StoreError::Migration {
        number: step.number,
        source,
    };
    let tx = db.begin().await.map_err(failed)?;
    for statement in statements(step.sql) {
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
