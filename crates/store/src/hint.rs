//! Hints between centers: what one has committed and another may want to act on or show at once. They are read by time, because
//! rows do not become visible in the order of any number in them; whoever reads leaves out what it has read before.

use std::time::Duration;

use uuid::Uuid;

use crate::again::transaction;
use crate::error::StoreError;
use crate::sql::Sql;
use crate::store::Store;

/// Longest body in bytes.
pub const HINT_BODY_MAX: usize = 48 * 1_024;
/// How long hints are kept.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// A hint of another center.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// Names it.
    pub id: Uuid,
    /// What it says, JSON.
    pub body: String,
}

impl Store {
    /// Leaves hints for other centers. Each body has at most [`HINT_BODY_MAX`] bytes.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn put_hints(&self, center: &str, hints: &[Hint]) -> Result<(), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            for hint in hints {
                Sql::new(format!(
                    "INSERT INTO hints (id, center, written_at, body) VALUES (?, ?, {}, ?)",
                    tx.engine.now()
                ))
                .bind(hint.id)
                .bind(center)
                .bind(hint.body.as_str())
                .execute(&*tx)
                .await?;
            }
            tx.commit().await
        })
    }

    /// Hints that others than `center` have left within the last `window`, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn hints(&self, center: &str, window: Duration) -> Result<Vec<Hint>, StoreError> {
        Sql::new(format!(
            "SELECT id, body FROM hints WHERE written_at > {} - ? AND center <> ? ORDER BY written_at, id",
            self.engine().now()
        ))
        .bind(window)
        .bind(center)
        .all(self.reader(), |row| {
            Ok(Hint {
                id: row.next()?,
                body: row.next()?,
            })
        })
        .await
    }

    /// Deletes hints that are a minute old.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn purge_hints(&self) -> Result<u64, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let deleted = Sql::new(format!(
                "DELETE FROM hints WHERE written_at < {} - ?",
                tx.engine.now()
            ))
            .bind(KEPT_FOR)
            .execute(&*tx)
            .await?;
            tx.commit().await?;
            Ok(deleted)
        })
    }
}
