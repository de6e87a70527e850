//! Statements with their values, and rows with their columns: the thin layer between SQL text and our types.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use cronfleet_core::access::{Reach, Role};
use cronfleet_core::id::{
    AgentId, CalendarId, GroupId, JobId, LifeId, ProcessId, RunId, UserId, WindowId,
};
use cronfleet_core::order::{NextStep, ProbeKind, SlotState};
use cronfleet_core::run::{Cause, Outcome, Reason};
use jiff::Timestamp;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, RuntimeErr, Statement, TryGetable, Value};
use uuid::Uuid;

use crate::bulk::rounded;
use crate::engine::Engine;
use crate::error::StoreError;

/// Longest wait for the answer to a statement. A server gives statements up earlier by itself; one that has not said so by then is
/// out of reach, and TCP alone would take a quarter of an hour to notice.
const ANSWER_MAX: Duration = Duration::from_secs(35);

/// A statement in the making.
#[derive(Debug, Clone)]
pub(crate) struct Sql {
    text: String,
    values: Vec<Value>,
    answer_max: Duration,
}

impl Sql {
    /// Begins a statement.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            values: Vec::new(),
            answer_max: ANSWER_MAX,
        }
    }

    /// Lets the database take so much longer: what it is asked for is to wait.
    pub(crate) fn waiting(mut self, wait: Duration) -> Self {
        self.answer_max = ANSWER_MAX + wait;
        self
    }

    /// Goes on with more text.
    pub(crate) fn text(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Goes on with another statement's text and values.
    pub(crate) fn append(mut self, other: Self) -> Self {
        self.text.push_str(&other.text);
        self.values.extend(other.values);
        self
    }

    /// Gives the next `?` its value.
    pub(crate) fn bind(mut self, value: impl Bind) -> Self {
        self.values.push(value.into_value());
        self
    }

    /// Gives as many `?` as a row has values those values.
    pub(crate) fn given(mut self, row: &Given) -> Self {
        self.values.extend_from_slice(&row.0);
        self
    }

    /// Goes on with text that has one `?`, and its value.
    pub(crate) fn with(self, text: &str, value: impl Bind) -> Self {
        self.text(text).bind(value)
    }

    /// Goes on with text and a value if there is one.
    pub(crate) fn with_some<B: Bind>(self, text: &str, value: Option<B>) -> Self {
        match value {
            Some(value) => self.with(text, value),
            None => self,
        }
    }

    /// Goes on with ` AND column IN (…)`; an empty list matches nothing.
    pub(crate) fn and_in<B: Bind>(self, column: &str, values: impl IntoIterator<Item = B>) -> Self {
        self.text(" AND ").one_of(column, values)
    }

    /// Goes on with `column IN (…)`; an empty list matches nothing.
    pub(crate) fn one_of<B: Bind>(
        mut self,
        column: &str,
        values: impl IntoIterator<Item = B>,
    ) -> Self {
        let before = self.values.len();
        self.values.extend(values.into_iter().map(Bind::into_value));
        let count = rounded(self.values.len() - before);
        let Some(last) = self.values.get(before..).and_then(<[Value]>::last) else {
            return self.text("1 = 0");
        };
        let last = last.clone();
        self.values.resize(before + count, last);
        self.text(column)
            .text(" IN (?")
            .text(&", ?".repeat(count - 1))
            .text(")")
    }

    /// Goes on with the groups within reach: ` AND column IN (…)`, nothing for everything.
    pub(crate) fn and_reach(self, column: &str, reach: &Reach) -> Self {
        match reach {
            Reach::Everything => self,
            Reach::Groups(groups) => self.and_in(column, groups.iter().copied()),
        }
    }

    /// Goes on with a substring match in any of the columns that ignores the case of ASCII letters at least; nothing for an empty
    /// text.
    pub(crate) fn and_contains(mut self, engine: Engine, columns: &[&str], part: &str) -> Self {
        if part.is_empty() {
            return self;
        }
        let mut pattern = String::from("%");
        for c in engine.lower(part).chars() {
            if matches!(c, '%' | '_' | '!') {
                pattern.push('!');
            }
            pattern.push(c);
        }
        pattern.push('%');
        for (index, column) in columns.iter().enumerate() {
            let begin = if index == 0 { " AND (" } else { " OR " };
            self = self.with(
                &format!("{begin}LOWER({column}) LIKE ? ESCAPE '!'"),
                pattern.as_str(),
            );
        }
        self.text(")")
    }

    /// Goes on with `(?, …), (?, …)` for `rows` rows of `columns` values each.
    pub(crate) fn tuples(mut self, rows: usize, columns: usize) -> Self {
        let tuple = format!("(?{})", ", ?".repeat(columns.saturating_sub(1)));
        for row in 0..rows {
            let comma = if row == 0 { "" } else { ", " };
            // Writing into a String cannot fail.
            let _ = write!(self.text, "{comma}{tuple}");
        }
        self
    }

    /// Runs the statement; answers how many rows it changed.
    pub(crate) async fn execute(self, on: &impl ConnectionTrait) -> Result<u64, StoreError> {
        let within = self.answer_max;
        let done = answered(within, on.execute_raw(self.finish(on))).await?;
        Ok(done.rows_affected())
    }

    /// Runs the query; reads every row with `read`.
    pub(crate) async fn all<T>(
        self,
        on: &impl ConnectionTrait,
        mut read: impl FnMut(&mut Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let within = self.answer_max;
        let rows = answered(within, on.query_all_raw(self.finish(on))).await?;
        rows.into_iter()
            .map(|row| read(&mut Row { row, index: 0 }))
            .collect()
    }

    /// Runs the query; reads the first row, if there is one.
    pub(crate) async fn one<T>(
        self,
        on: &impl ConnectionTrait,
        read: impl FnOnce(&mut Row) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let within = self.answer_max;
        let row = answered(within, on.query_one_raw(self.finish(on))).await?;
        row.map(|row| read(&mut Row { row, index: 0 })).transpose()
    }

    /// Whether the query finds a row.
    pub(crate) async fn exists(self, on: &impl ConnectionTrait) -> Result<bool, StoreError> {
        Ok(self.one(on, |_| Ok(())).await?.is_some())
    }

    fn finish(self, on: &impl ConnectionTrait) -> Statement {
        let backend = on.get_database_backend();
        let engine = Engine::of(backend);
        let values = self.values.into_iter().map(|value| engine.accept(value));
        Statement::from_sql_and_values(backend, engine.placeholders(self.text), values)
    }
}

/// The answer to a statement, or that there is none: as if the connection were lost, which it is.
async fn answered<T>(
    within: Duration,
    answer: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    match tokio::time::timeout(within, answer).await {
        Ok(answer) => answer,
        Err(_) => {
            let silent = io::Error::new(io::ErrorKind::TimedOut, "the database does not answer");
            Err(DbErr::Query(RuntimeErr::SqlxError(
                sqlx::Error::Io(silent).into(),
            )))
        }
    }
}

/// The same for what begins or ends a transaction.
pub(crate) async fn answered_in_time<T>(
    answer: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    answered(ANSWER_MAX, answer).await
}

/// Values of one row of a statement about many.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given(Vec<Value>);

impl Given {
    /// Goes on with the next value.
    pub(crate) fn with(mut self, value: impl Bind) -> Self {
        self.0.push(value.into_value());
        self
    }
}

/// A row that is read column by column, in the order of the `SELECT` list.
pub(crate) struct Row {
    row: QueryResult,
    index: usize,
}

impl Row {
    /// The next column, which has a value.
    pub(crate) fn next<T: Column>(&mut self) -> Result<T, StoreError> {
        let raw: T::Raw = self.row.try_get_by_index(self.index)?;
        self.index += 1;
        T::from_raw(raw)
    }

    /// The next column, which may be NULL.
    pub(crate) fn maybe<T: Column>(&mut self) -> Result<Option<T>, StoreError> {
        let raw: Option<T::Raw> = self.row.try_get_by_index(self.index)?;
        self.index += 1;
        raw.map(T::from_raw).transpose()
    }
}

/// A type that can be bound to a `?`.
pub(crate) trait Bind {
    /// The value for the driver.
    fn into_value(self) -> Value;
}

/// A type that a column holds.
pub(crate) trait Column: Sized {
    /// What the driver reads.
    type Raw: TryGetable;

    /// Our type.
    fn from_raw(raw: Self::Raw) -> Result<Self, StoreError>;
}

impl<B: Bind + NullBind> Bind for Option<B> {
    fn into_value(self) -> Value {
        self.map_or_else(B::null, Bind::into_value)
    }
}

/// The NULL of a type's column.
pub(crate) trait NullBind {
    /// NULL.
    fn null() -> Value;
}

macro_rules! stored {
    ($type:ty as $raw:ty, $variant:ident, $into:expr, $from:expr) => {
        impl $crate::sql::Bind for $type {
            fn into_value(self) -> sea_orm::Value {
                let into: fn($type) -> $raw = $into;
                sea_orm::Value::$variant(Some(into(self)))
            }
        }

        impl $crate::sql::NullBind for $type {
            fn null() -> sea_orm::Value {
                sea_orm::Value::$variant(None)
            }
        }

        impl $crate::sql::Column for $type {
            type Raw = $raw;

            fn from_raw(raw: $raw) -> Result<Self, $crate::error::StoreError> {
                let from: fn($raw) -> Result<$type, $crate::error::StoreError> = $from;
                from(raw)
            }
        }
    };
}

stored!(i64 as i64, BigInt, |value| value, Ok);
stored!(i32 as i64, BigInt, i64::from, |raw| i32::try_from(raw)
    .map_err(|_| StoreError::corrupt("number", raw)));
stored!(u32 as i64, BigInt, i64::from, |raw| u32::try_from(raw)
    .map_err(|_| StoreError::corrupt("number", raw)));
stored!(
    u64 as i64,
    BigInt,
    |value| i64::try_from(value).unwrap_or(i64::MAX),
    |raw| u64::try_from(raw).map_err(|_| StoreError::corrupt("number", raw))
);
stored!(bool as i64, BigInt, i64::from, |raw| Ok(raw != 0));
stored!(f64 as f64, Double, |value| value, Ok);
stored!(String as String, String, |value| value, Ok);
stored!(Vec<u8> as Vec<u8>, Bytes, |value| value, Ok);
stored!(Timestamp as i64, BigInt, Timestamp::as_microsecond, |raw| {
    Timestamp::from_microsecond(raw).map_err(|_| StoreError::corrupt("time", raw))
});
stored!(
    Duration as i64,
    BigInt,
    |value| i64::try_from(value.as_micros()).unwrap_or(i64::MAX),
    |raw| u64::try_from(raw)
        .map(Duration::from_micros)
        .map_err(|_| StoreError::corrupt("duration", raw))
);
stored!(
    Uuid as String,
    String,
    |value| value.as_hyphenated().to_string(),
    |raw| Uuid::try_parse(&raw).map_err(|_| StoreError::corrupt("id", raw))
);

impl Bind for &str {
    fn into_value(self) -> Value {
        Value::String(Some(self.to_owned()))
    }
}

impl NullBind for &str {
    fn null() -> Value {
        Value::String(None)
    }
}

macro_rules! stored_id {
    ($($type:ident),+) => {
        $(stored!(
            $type as String,
            String,
            |id| id.to_string(),
            |raw| raw.parse().map_err(|_| StoreError::corrupt("id", raw))
        );)+
    };
}

stored_id!(
    JobId, CalendarId, RunId, ProcessId, AgentId, GroupId, UserId, LifeId, WindowId
);

macro_rules! stored_word {
    ($($type:ident $what:literal),+) => {
        $($crate::sql::stored!(
            $type as String,
            String,
            |value| value.word().to_owned(),
            |raw| $type::from_word(&raw).ok_or_else(|| $crate::error::StoreError::corrupt($what, raw))
        );)+
    };
}

pub(crate) use {stored, stored_word};

stored_word!(Role "role", Cause "cause", Outcome "outcome", Reason "reason", SlotState "slot state",
    ProbeKind "kind of probe", NextStep "next step");
