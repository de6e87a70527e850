//! Schema steps: numbered SQL files per engine, forward only, each recorded when it is done. A step that was interrupted is run
//! again, so every statement in it is safe to repeat: tables are created `IF NOT EXISTS`, and a column or an index that is there
//! already is not added again. MySQL makes every statement of a step durable by itself, the others the whole step.

use std::cmp::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseConnection, TransactionTrait};

use crate::engine::Engine;
use crate::error::StoreError;
use crate::sql::{Row, Sql};

/// A schema step.
struct Migration {
    number: u32,
    name: &'static str,
    sql: &'static str,
}

macro_rules! migrations {
    ($($number:literal $name:literal $file:literal,)+) => {
        const SQLITE: &[Migration] = migrations!("sqlite" $($number $name $file,)+);
        const POSTGRES: &[Migration] = migrations!("postgresql" $($number $name $file,)+);
        const MYSQL: &[Migration] = migrations!("mysql" $($number $name $file,)+);
    };
    ($folder:literal $($number:literal $name:literal $file:literal,)+) => {
        &[$(Migration {
            number: $number,
            name: $name,
            sql: include_str!(concat!("../migrations/", $folder, "/", $file)),
        },)+]
    };
}

migrations! {
    1 "first" "0001_first.sql",
    2 "agent_policies" "0002_agent_policies.sql",
    3 "spool_levels" "0003_spool_levels.sql",
    4 "kill_and_limits" "0004_kill_and_limits.sql",
    5 "secrets" "0005_secrets.sql",
    6 "slot_probes" "0006_slot_probes.sql",
    7 "leases" "0007_leases.sql",
    8 "centers" "0008_centers.sql",
    9 "slot_restarts" "0009_slot_restarts.sql",
    10 "catch_up" "0010_catch_up.sql",
    11 "decisions" "0011_decisions.sql",
    12 "lists" "0012_lists.sql",
    13 "handing_out" "0013_handing_out.sql",
    14 "run_limits" "0014_run_limits.sql",
    15 "windows" "0015_windows.sql",
    16 "calendars" "0016_calendars.sql",
    17 "offers" "0017_offers.sql",
}

const fn migrations(engine: Engine) -> &'static [Migration] {
    match engine {
        Engine::Sqlite => SQLITE,
        Engine::Postgres => POSTGRES,
        Engine::Mysql => MYSQL,
    }
}

/// Number of the newest step. Every engine has the same ones.
fn newest() -> u32 {
    SQLITE.last().map_or(0, |step| step.number)
}

/// Brings the schema up to date. `db` is one connection: while it holds the lock, whoever else starts waits.
pub(crate) async fn up(engine: Engine, db: &DatabaseConnection) -> Result<(), StoreError> {
    lock(engine, db).await?;
    let done = up_alone(engine, db).await;
    unlock(engine, db).await?;
    done
}

async fn up_alone(engine: Engine, db: &DatabaseConnection) -> Result<(), StoreError> {
    db.execute_unprepared(
        "CREATE TABLE IF NOT EXISTS migrations (number BIGINT NOT NULL PRIMARY KEY, name VARCHAR(64) NOT NULL, \
         applied_at BIGINT NOT NULL)",
    )
    .await?;
    let (found, known) = (recorded(db).await?, newest());
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    for step in migrations(engine).iter().filter(|step| step.number > found) {
        apply(engine, db, step).await?;
        tracing::info!(
            migration.number = step.number,
            migration.name = step.name,
            "database schema step done"
        );
    }
    Ok(())
}

/// Refuses a schema that is not the newest one, and changes nothing.
pub(crate) async fn expect_newest(
    engine: Engine,
    db: &DatabaseConnection,
) -> Result<(), StoreError> {
    let is_there = has_column(engine, db, "migrations", "number").await?;
    let found = if is_there { recorded(db).await? } else { 0 };
    let known = newest();
    match found.cmp(&known) {
        Ordering::Equal => Ok(()),
        Ordering::Less => Err(StoreError::OlderSchema {
            found,
            needed: known,
        }),
        Ordering::Greater => Err(StoreError::NewerSchema { found, known }),
    }
}

/// The number of the newest step done.
async fn recorded(db: &DatabaseConnection) -> Result<u32, StoreError> {
    Ok(Sql::new("SELECT MAX(number) FROM migrations")
        .one(db, |row| row.maybe::<u32>())
        .await?
        .flatten()
        .unwrap_or(0))
}

/// Longest wait for somebody else's steps.
const LOCK_WAIT: Duration = Duration::from_secs(300);
/// Names the lock; any number that nobody else uses.
const LOCK_KEY: i64 = 0x0c20_f1ee;

/// Waits until nobody else changes the schema of this database. The lock ends with the connection at the latest.
async fn lock(engine: Engine, db: &DatabaseConnection) -> Result<(), StoreError> {
    let is_mine = match engine {
        // Its file is guarded by the caller, and it has one writer.
        Engine::Sqlite => true,
        Engine::Postgres => {
            db.execute_unprepared(&format!("SET lock_timeout = {}", LOCK_WAIT.as_millis()))
                .await?;
            db.execute_unprepared(&format!("SELECT pg_advisory_lock({LOCK_KEY})"))
                .await?;
            true
        }
        // The name counts in the whole server.
        Engine::Mysql => {
            Sql::new("SELECT GET_LOCK(CONCAT('cronfleet.', MD5(DATABASE())), ?)")
                .bind(i64::try_from(LOCK_WAIT.as_secs()).unwrap_or(i64::MAX))
                .waiting(LOCK_WAIT)
                .one(db, Row::maybe::<i64>)
                .await?
                .flatten()
                == Some(1)
        }
    };
    if is_mine {
        Ok(())
    } else {
        Err(StoreError::Refused {
            why: "somebody else has been changing its schema for minutes".to_owned(),
        })
    }
}

async fn unlock(engine: Engine, db: &DatabaseConnection) -> Result<(), StoreError> {
    match engine {
        Engine::Sqlite => {}
        Engine::Postgres => {
            db.execute_unprepared(&format!("SELECT pg_advisory_unlock({LOCK_KEY})"))
                .await?;
        }
        Engine::Mysql => {
            db.execute_unprepared("DO RELEASE_LOCK(CONCAT('cronfleet.', MD5(DATABASE())))")
                .await?;
        }
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
        if is_done(engine, &tx, statement).await? {
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

/// Whether an interrupted step got as far as this statement. Of those that cannot say `IF NOT EXISTS` themselves.
async fn is_done(
    engine: Engine,
    on: &impl ConnectionTrait,
    statement: &str,
) -> Result<bool, StoreError> {
    if let Some((table, column)) = added_column(statement) {
        return has_column(engine, on, table, column).await;
    }
    if let Some((table, index)) = added_index(statement) {
        return Sql::new(engine.has_index())
            .bind(table)
            .bind(index)
            .exists(on)
            .await;
    }
    Ok(false)
}

/// The words of a statement without its comments.
fn words(statement: &str) -> impl Iterator<Item = &str> {
    statement
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .flat_map(str::split_whitespace)
}

/// Table and index of a `CREATE INDEX … ON …`, which MySQL cannot do `IF NOT EXISTS`.
fn added_index(statement: &str) -> Option<(&str, &str)> {
    let mut words = words(statement);
    let mut next_is = |expected: &str| words.next() == Some(expected);
    if !(next_is("CREATE") && next_is("INDEX")) {
        return None;
    }
    let index = words.next()?;
    let table = (words.next()? == "ON").then(|| words.next()).flatten()?;
    Some((table, index))
}

/// Table and column of an `ALTER TABLE … ADD COLUMN …`.
fn added_column(statement: &str) -> Option<(&str, &str)> {
    let mut words = words(statement);
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
    fn only_an_index_that_cannot_say_it_itself_is_looked_up() {
        let added = added_index("-- why\nCREATE INDEX runs_job ON runs (job_id, id)");
        assert_eq!(added, Some(("runs", "runs_job")));
        for other in [
            "CREATE INDEX IF NOT EXISTS runs_job ON runs (job_id, id)",
            "CREATE TABLE IF NOT EXISTS runs (id BIGINT)",
            "CREATE INDEX",
        ] {
            assert_eq!(added_index(other), None, "{other}");
        }
    }

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
