//! The centers of a deployment, and the sessions that a center leaves behind when it dies.
//!
//! With a database that belongs to one center alone nobody has to be heard of again and again: the center that is registered
//! lives, and those before it do not.

use std::time::Duration;

use cronfleet_core::id::AgentId;
use jiff::Timestamp;

use crate::again::transaction;
use crate::error::StoreError;
use crate::run_state::BATCH;
use crate::sql::{Row, Sql};
use crate::store::{Store, Tx};

/// A center that was not heard of for so long is gone.
pub const CENTER_GONE_AFTER: Duration = Duration::from_secs(15);
/// How long the row of a center that is gone is kept.
const KEPT_FOR: Duration = Duration::from_secs(86_400);

/// What a center says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCenter {
    /// Names one start of one center, at most 80 characters.
    pub id: String,
    /// Name of its machine.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// Where people connect.
    pub address: String,
    /// Where agents connect; absent if the address means nothing on other machines.
    pub agent_address: Option<String>,
}

/// A center as the others know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CenterRow {
    /// What it says of itself.
    pub center: NewCenter,
    /// When it started.
    pub started_at: Timestamp,
    /// When it was last heard of; with a database of its own, when it started.
    pub last_seen_at: Timestamp,
    /// Whether it was heard of lately.
    pub is_live: bool,
    /// Agents that have a session with it.
    pub agents: u32,
}

impl Store {
    /// Makes a center known, and tells that it lives. Forgets centers that have been gone for a day; with a database that
    /// belongs to one center alone, all others.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn put_center(&self, center: &NewCenter) -> Result<(), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let now = tx.engine.now();
            let seen = Sql::new(format!(
                "UPDATE centers SET last_seen_at = {now} WHERE id = ?"
            ))
            .bind(center.id.as_str())
            .execute(&*tx)
            .await?;
            if seen == 0 {
                if tx.engine.is_shared() {
                    Sql::new(format!(
                        "DELETE FROM centers WHERE last_seen_at < {now} - ?"
                    ))
                    .bind(KEPT_FOR)
                    .execute(&*tx)
                    .await?;
                } else {
                    Sql::new("DELETE FROM centers").execute(&*tx).await?;
                }
                Sql::new(format!(
                "INSERT INTO centers (id, name, version, address, agent_address, started_at, last_seen_at) \
                 VALUES (?, ?, ?, ?, ?, {now}, {now})"
            ))
            .bind(center.id.as_str())
            .bind(center.name.as_str())
            .bind(center.version.as_str())
            .bind(center.address.as_str())
            .bind(center.agent_address.clone())
            .execute(&*tx)
            .await?;
                // It may plan already.
                Sql::new("UPDATE terms SET name = ? WHERE holder = ? AND name IS NULL")
                    .bind(center.name.as_str())
                    .bind(center.id.as_str())
                    .execute(&*tx)
                    .await?;
            }
            tx.commit().await
        })
    }

    /// Forgets a center that stops.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_center(&self, id: &str) -> Result<(), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            Sql::new("DELETE FROM centers WHERE id = ?")
                .bind(id)
                .execute(&*tx)
                .await?;
            tx.commit().await
        })
    }

    /// All centers, longest running first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn centers(&self) -> Result<Vec<CenterRow>, StoreError> {
        let is_shared = self.engine().is_shared();
        Sql::new(format!(
            "SELECT c.id, c.name, c.version, c.address, c.agent_address, c.started_at, c.last_seen_at, {}, \
             (SELECT COUNT(*) FROM agents a WHERE a.center = c.id) FROM centers c ORDER BY c.started_at, c.id",
            self.engine().now()
        ))
        .all(self.reader(), |row| {
            let center = NewCenter {
                id: row.next()?,
                name: row.next()?,
                version: row.next()?,
                address: row.next()?,
                agent_address: row.maybe()?,
            };
            let (started_at, last_seen_at) = (row.next()?, row.next::<Timestamp>()?);
            let now: Timestamp = row.next()?;
            Ok(CenterRow {
                center,
                started_at,
                last_seen_at,
                is_live: !is_shared || last_seen_at + CENTER_GONE_AFTER > now,
                agents: row.next()?,
            })
        })
        .await
    }

    /// Closes the sessions of centers that are gone: what their agents hold is unreachable since `now`, because only from now
    /// on is it known. Answers whose.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn close_sessions_of_gone_centers(
        &self,
        now: Timestamp,
    ) -> Result<Vec<AgentId>, StoreError> {
        transaction!({
            if left_behind(self.engine().is_shared(), self.engine().now())
                .text(" LIMIT 1")
                .all(self.reader(), Row::next::<AgentId>)
                .await?
                .is_empty()
            {
                return Ok(Vec::new());
            }
            let tx = self.begin().await?;
            let left = left_behind(tx.engine.is_shared(), tx.engine.now())
                .text(tx.engine.for_update())
                .all(&*tx, Row::next::<AgentId>)
                .await?;
            close(&tx, &left, now).await?;
            tx.commit().await?;
            Ok(left)
        })
    }

    /// Sessions that by the database are with this center, by agent and epoch.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn sessions_of_center(&self, id: &str) -> Result<Vec<(AgentId, u64)>, StoreError> {
        Sql::new("SELECT id, session_epoch FROM agents WHERE center = ? ORDER BY id")
            .bind(id)
            .all(self.reader(), |row| Ok((row.next()?, row.next()?)))
            .await
    }
}

impl Store {
    /// How many of these agents are connected, wherever.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn count_online(&self, agents: &[AgentId]) -> Result<u32, StoreError> {
        let mut count = 0;
        for batch in agents.chunks(BATCH) {
            let found = Sql::new("SELECT COUNT(*) FROM agents WHERE center IS NOT NULL AND ")
                .one_of("id", batch.iter().copied())
                .one(self.reader(), Row::next::<u32>)
                .await?;
            count += found.unwrap_or(0);
        }
        Ok(count)
    }
}

/// Agents whose session is with a center that is gone.
fn left_behind(is_shared: bool, now: &str) -> Sql {
    let sql =
        "SELECT id FROM agents WHERE center IS NOT NULL AND center NOT IN (SELECT id FROM centers";
    if is_shared {
        Sql::new(format!("{sql} WHERE last_seen_at > {now} - ?)")).bind(CENTER_GONE_AFTER)
    } else {
        Sql::new(format!("{sql})"))
    }
}

async fn close(tx: &Tx, agents: &[AgentId], now: Timestamp) -> Result<(), StoreError> {
    for batch in agents.chunks(BATCH) {
        Sql::new("UPDATE agents SET center = NULL WHERE ")
            .one_of("id", batch.iter().copied())
            .execute(&**tx)
            .await?;
        Sql::new(
            "UPDATE runs SET unreachable_since = ? WHERE state <> 'planned' AND unreachable_since IS NULL AND ",
        )
        .bind(now)
        .one_of("active_agent", batch.iter().copied())
        .execute(&**tx)
        .await?;
    }
    Ok(())
}
