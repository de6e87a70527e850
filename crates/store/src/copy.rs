//! Copying a whole database into another one, of another engine if need be: all rows of all tables, or nothing.

use std::time::Duration;

use jiff::Timestamp;
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, IsolationLevel,
    TransactionTrait, Value,
};
use sha2::{Digest, Sha256};

use crate::connect::DatabaseUrl;
use crate::engine::Engine;
use crate::error::StoreError;
use crate::migrate;
use crate::sql::{Bind, Row, Sql};

/// Every table but `migrations`, and its primary key; what others refer to comes first.
const TABLES: &[(&str, &[&str])] = &[
    ("users", &["id"]),
    ("setup_codes", &["code_hash"]),
    ("sessions", &["token_hash"]),
    ("job_groups", &["id"]),
    ("group_members", &["group_id", "user_id"]),
    ("group_run_as", &["group_id", "run_as"]),
    ("agents", &["id"]),
    ("group_agents", &["group_id", "agent_id"]),
    ("agent_policies", &["agent_id"]),
    ("agent_spools", &["agent_id"]),
    ("join_tokens", &["id"]),
    ("join_token_groups", &["join_token_id", "group_id"]),
    ("secrets", &["group_id", "name"]),
    ("key_checks", &["key_id"]),
    ("calendars", &["id"]),
    ("calendar_versions", &["calendar_id", "version"]),
    ("jobs", &["id"]),
    ("job_versions", &["job_id", "version"]),
    ("job_targets", &["job_id", "agent_id"]),
    ("windows", &["id", "version"]),
    ("triggers", &["job_id", "trigger_key"]),
    ("runs", &["id"]),
    ("lapses", &["job_id", "due_from"]),
    ("pauses", &["job_id", "paused_at"]),
    ("terms", &["shard", "epoch"]),
    ("slots", &["job_id", "agent_id", "slot_index"]),
    ("slot_restarts", &["agent_id", "job_id", "slot_index"]),
    ("processes", &["id"]),
    ("outputs", &["life_id"]),
    ("output_chunks", &["life_id", "start_offset"]),
    ("centers", &["id"]),
    ("hints", &["id"]),
    ("deployment", &["name"]),
    (LEASES, &["shard"]),
];

/// The one table in which a new database has rows; those of the source take their place, because epochs only grow.
const LEASES: &str = "leases";

/// Rows read with one statement and written with one; fewer where rows are large.
const ROWS_MAX: u32 = 200;
const LARGE_ROWS_MAX: u32 = 4;
/// A center that serves hears of its agents more often than this.
const SERVED_MAX: Duration = Duration::from_secs(60);
/// No term of planning ends later than this; one that seems to was copied from a database whose terms have no end.
const TERM_MAX: Duration = Duration::from_secs(86_400);

/// Why a copy was not made. Nothing of it is stored.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// One of the databases cannot be used.
    #[error("cannot use the database {url}")]
    Store {
        /// Which one.
        url: DatabaseUrl,
        /// Why.
        source: StoreError,
    },
    /// Source and target are the same.
    #[error("source and target are the same database")]
    Same,
    /// A center seems to be using the source.
    #[error("a center used the source within the last minute: stop every center first")]
    InUse,
    /// The target has rows.
    #[error("table {table} of the target has rows: copy into an empty database")]
    NotEmpty {
        /// The table.
        table: &'static str,
    },
    /// What was written reads back differently.
    #[error("table {table} reads back differently from the target ({copied} rows of {read})")]
    Differs {
        /// The table.
        table: &'static str,
        /// Rows in the target.
        copied: u64,
        /// Rows in the source.
        read: u64,
    },
}

/// A table that was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableCopied {
    /// Its name.
    pub table: &'static str,
    /// Its rows.
    pub rows: u64,
    /// SHA-256 of all of them, the same in both databases.
    pub sha256: [u8; 32],
}

/// Copies everything from a database into an empty one, which gets the newest schema. Every table is read back and compared
/// before anything becomes durable. Nobody may use either meanwhile.
///
/// # Errors
/// [`CopyError`].
pub async fn copy(from: &DatabaseUrl, to: &DatabaseUrl) -> Result<Vec<TableCopied>, CopyError> {
    if from == to {
        return Err(CopyError::Same);
    }
    let of = |url: &DatabaseUrl| {
        let url = url.clone();
        move |source| CopyError::Store { url, source }
    };
    let source = open(from, false).await.map_err(of(from))?;
    let target = open(to, true).await.map_err(of(to))?;
    let source_tx = begin(from.engine(), &source, true)
        .await
        .map_err(of(from))?;
    let target_tx = begin(to.engine(), &target, false).await.map_err(of(to))?;
    if is_served(from.engine(), &source_tx)
        .await
        .map_err(of(from))?
    {
        return Err(CopyError::InUse);
    }
    let delete = Sql::new(format!("DELETE FROM {LEASES}"));
    delete.execute(&target_tx).await.map_err(of(to))?;
    for &(table, _) in TABLES {
        let any = Sql::new(format!("SELECT 1 FROM {table} LIMIT 1"));
        if any.exists(&target_tx).await.map_err(of(to))? {
            return Err(CopyError::NotEmpty { table });
        }
    }
    let mut copied = Vec::new();
    for &(table, keys) in TABLES {
        let columns = columns(from.engine(), &source_tx, table)
            .await
            .map_err(of(from))?;
        let table = Table {
            name: table,
            keys,
            columns,
        };
        let mut read = Sum::default();
        let mut after = None;
        while let Some(rows) = table
            .page(&source_tx, after.as_deref())
            .await
            .map_err(of(from))?
        {
            rows.iter().for_each(|row| read.add(row));
            table.insert(&target_tx, &rows).await.map_err(of(to))?;
            after = rows.last().map(|row| table.key(row));
        }
        let mut written = Sum::default();
        let mut after = None;
        while let Some(rows) = table
            .page(&target_tx, after.as_deref())
            .await
            .map_err(of(to))?
        {
            rows.iter().for_each(|row| written.add(row));
            after = rows.last().map(|row| table.key(row));
        }
        copied.push(read.agree(written, table.name)?);
    }
    let done = target_tx.commit().await.map_err(StoreError::from);
    done.map_err(of(to))?;
    Ok(copied)
}

async fn open(url: &DatabaseUrl, is_target: bool) -> Result<DatabaseConnection, StoreError> {
    if is_target {
        url.admit().await?;
        let one = url.connect_one().await?;
        migrate::up(url.engine(), &one).await?;
        Ok(one)
    } else {
        url.admit_existing().await?;
        let one = url.connect_one().await?;
        migrate::expect_newest(url.engine(), &one).await?;
        Ok(one)
    }
}

/// A transaction; for reading, of one moment.
async fn begin(
    engine: Engine,
    db: &DatabaseConnection,
    is_reading: bool,
) -> Result<DatabaseTransaction, StoreError> {
    let begun = match (engine, is_reading) {
        (Engine::Postgres | Engine::Mysql, true) => {
            let level = Some(IsolationLevel::RepeatableRead);
            db.begin_with_config(level, Some(AccessMode::ReadOnly))
                .await
        }
        _ => db.begin().await,
    };
    Ok(begun?)
}

/// Whether a center uses it: one hears of agents, or has a term of planning. SQLite's centers hold their file instead.
async fn is_served(engine: Engine, on: &impl ConnectionTrait) -> Result<bool, StoreError> {
    if engine.is_shared() {
        let now = engine.now();
        let terms = Sql::new(format!(
            "SELECT 1 FROM {LEASES} WHERE expires_at > {now} AND expires_at < {now} + ?"
        ));
        if terms.bind(TERM_MAX).exists(on).await? {
            return Ok(true);
        }
    }
    Sql::new("SELECT 1 FROM agents WHERE center IS NOT NULL AND last_seen_at > ?")
        .bind(Timestamp::now() - SERVED_MAX)
        .exists(on)
        .await
}

/// What a column holds.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Integer,
    Real,
    Text,
    Bytes,
}

/// A value of any column.
#[derive(Debug, Clone)]
enum Cell {
    Integer(Option<i64>),
    Real(Option<f64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

impl Bind for Cell {
    fn into_value(self) -> Value {
        match self {
            Self::Integer(value) => value.into_value(),
            Self::Real(value) => value.into_value(),
            Self::Text(value) => value.into_value(),
            Self::Bytes(value) => value.into_value(),
        }
    }
}

/// Names and kinds of a table's columns, by name: engines may keep them in different orders.
async fn columns(
    engine: Engine,
    on: &impl ConnectionTrait,
    table: &str,
) -> Result<Vec<(String, Kind)>, StoreError> {
    let mut found = Sql::new(engine.columns())
        .bind(table)
        .all(on, |row| Ok((row.next::<String>()?, row.next::<String>()?)))
        .await?;
    found.sort_unstable();
    let kind = |word: String| {
        let word = word.to_lowercase();
        let has = |parts: &[&str]| parts.iter().any(|part| word.contains(part));
        if has(&["blob", "bytea"]) {
            Ok(Kind::Bytes)
        } else if has(&["char", "text"]) {
            Ok(Kind::Text)
        } else if has(&["double"]) {
            Ok(Kind::Real)
        } else if has(&["bigint"]) {
            Ok(Kind::Integer)
        } else {
            Err(StoreError::corrupt("column type", word))
        }
    };
    found
        .into_iter()
        .map(|(name, word)| Ok((name, kind(word)?)))
        .collect()
}

/// A table with its columns.
struct Table {
    name: &'static str,
    keys: &'static [&'static str],
    columns: Vec<(String, Kind)>,
}

impl Table {
    fn names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        names.join(", ")
    }

    /// The primary key of a row.
    fn key(&self, row: &[Cell]) -> Vec<Cell> {
        let place = |key: &&str| self.columns.iter().position(|(name, _)| name == key);
        let places = self.keys.iter().filter_map(place);
        places.filter_map(|place| row.get(place).cloned()).collect()
    }

    /// The rows behind a primary key, in its order; `None` at the end.
    async fn page(
        &self,
        on: &impl ConnectionTrait,
        after: Option<&[Cell]>,
    ) -> Result<Option<Vec<Vec<Cell>>>, StoreError> {
        let mut sql = Sql::new(format!(
            "SELECT {} FROM {} WHERE 1 = 1",
            self.names(),
            self.name
        ));
        if let Some([first, ..]) = after {
            sql = sql.with(
                &format!(" AND {} >= ? AND (1 = 0", self.keys[0]),
                first.clone(),
            );
            let after = after.unwrap_or_default();
            for place in 0..self.keys.len() {
                sql = sql.text(" OR (1 = 1");
                for (key, value) in self.keys.iter().zip(after).take(place) {
                    sql = sql.with(&format!(" AND {key} = ?"), value.clone());
                }
                sql = sql.with(
                    &format!(" AND {} > ?)", self.keys[place]),
                    after[place].clone(),
                );
            }
            sql = sql.text(")");
        }
        let is_large = self
            .columns
            .iter()
            .any(|(_, kind)| matches!(kind, Kind::Bytes));
        let limit = if is_large { LARGE_ROWS_MAX } else { ROWS_MAX };
        let order = self.keys.join(", ");
        let rows = sql
            .with(&format!(" ORDER BY {order} LIMIT ?"), limit)
            .all(on, |row| self.read(row))
            .await?;
        Ok((!rows.is_empty()).then_some(rows))
    }

    fn read(&self, row: &mut Row) -> Result<Vec<Cell>, StoreError> {
        let read = |(_, kind): &(String, Kind)| {
            Ok(match kind {
                Kind::Integer => Cell::Integer(row.maybe()?),
                Kind::Real => Cell::Real(row.maybe()?),
                Kind::Text => Cell::Text(row.maybe()?),
                Kind::Bytes => Cell::Bytes(row.maybe()?),
            })
        };
        self.columns.iter().map(read).collect()
    }

    async fn insert(
        &self,
        on: &impl ConnectionTrait,
        rows: &[Vec<Cell>],
    ) -> Result<(), StoreError> {
        let begin = format!("INSERT INTO {} ({}) VALUES ", self.name, self.names());
        let mut sql = Sql::new(begin).tuples(rows.len(), self.columns.len());
        for cell in rows.iter().flatten() {
            sql = sql.bind(cell.clone());
        }
        sql.execute(on).await?;
        Ok(())
    }
}

/// Count and digest of rows.
#[derive(Default)]
struct Sum {
    rows: u64,
    digest: Sha256,
}

impl Sum {
    fn add(&mut self, row: &[Cell]) {
        self.rows += 1;
        for cell in row {
            match cell {
                Cell::Integer(value) => self.put(value.map(i64::to_be_bytes)),
                Cell::Real(value) => self.put(value.map(f64::to_be_bytes)),
                Cell::Text(value) => self.put(value.as_deref()),
                Cell::Bytes(value) => self.put(value.as_deref()),
            }
        }
    }

    /// Takes a value in; its length keeps two neighbours apart, and NULL has one of its own.
    fn put(&mut self, value: Option<impl AsRef<[u8]>>) {
        let bytes = value.as_ref().map(AsRef::as_ref);
        let length = bytes.map_or(u64::MAX, |bytes| bytes.len() as u64);
        self.digest.update(length.to_be_bytes());
        self.digest.update(bytes.unwrap_or_default());
    }

    fn agree(self, written: Self, table: &'static str) -> Result<TableCopied, CopyError> {
        let sha256: [u8; 32] = self.digest.finalize().into();
        let found: [u8; 32] = written.digest.finalize().into();
        if (self.rows, sha256) != (written.rows, found) {
            return Err(CopyError::Differs {
                table,
                copied: written.rows,
                read: self.rows,
            });
        }
        Ok(TableCopied {
            table,
            rows: self.rows,
            sha256,
        })
    }
}
