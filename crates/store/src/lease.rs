//! The lease on planning: at most one center plans a shard, and a center that only believes to does no harm.
//!
//! Time is the database's throughout. Every write is guarded by holder and epoch and has to hit exactly one row. The fence is a
//! write, too, and the first statement of every planning transaction: a read would not conflict with a term that begins
//! meanwhile, a write makes one wait for the other.

use std::time::Duration;

use jiff::Timestamp;

use crate::again::transaction;
use crate::engine::Engine;
use crate::error::{Conflict, StoreError};
use crate::sql::{Row, Sql};
use crate::store::{Store, Tx};

/// One term of one center.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What is planned.
    pub shard: u32,
    /// The center's id, at most 80 characters.
    pub holder: String,
    /// Grows with every term, whoever has it.
    pub epoch: u64,
}

/// The lease as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRow {
    /// Who has it, or had it last; empty before the first term.
    pub holder: String,
    /// Of the last term.
    pub epoch: u64,
    /// Whether the term goes on.
    pub is_held: bool,
}

impl Store {
    /// Begins a term for `holder` if nobody's goes on, that is, if by the database's clock the last one's time is over. `None`
    /// if somebody has it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn take_lease(
        &self,
        shard: u32,
        holder: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let now = self.engine().now();
            // Further away than any term lasts: it was given by a clock that has since been set back, or by another database.
            let taken = Sql::new(format!(
            "UPDATE leases SET holder = ?, epoch = epoch + 1, expires_at = {now} + ? WHERE shard = ? \
             AND (expires_at <= {now} OR expires_at > {now} + ?)"
        ))
        .bind(holder)
        .bind(ttl)
        .bind(shard)
        .bind(ttl * 2)
        .execute(&*tx)
        .await?;
            if taken != 1 {
                return Ok(None);
            }
            let lease = begin_term(&tx, shard, holder).await?;
            tx.commit().await?;
            Ok(Some(lease))
        })
    }

    /// Begins a term for `holder` whoever has one, without an end: for a database that belongs to one center alone.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn seize_lease(&self, shard: u32, holder: &str) -> Result<Lease, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            Sql::new(
                "UPDATE leases SET holder = ?, epoch = epoch + 1, expires_at = ? WHERE shard = ?",
            )
            .bind(holder)
            .bind(i64::MAX)
            .bind(shard)
            .execute(&*tx)
            .await?;
            let lease = begin_term(&tx, shard, holder).await?;
            tx.commit().await?;
            Ok(lease)
        })
    }

    /// Lets a term that goes on last for `ttl` from now; answers whether it does.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn renew_lease(&self, lease: &Lease, ttl: Duration) -> Result<bool, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let now = self.engine().now();
            let renewed = Sql::new(format!("UPDATE leases SET expires_at = {now} + ? WHERE"))
                .bind(ttl)
                .append(lease.guard(self.engine()))
                .execute(&*tx)
                .await?;
            tx.commit().await?;
            Ok(renewed == 1)
        })
    }

    /// Ends a term at once, so that the next one may begin. The epoch stays: it is what makes the past harmless.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn resign_lease(&self, lease: &Lease) -> Result<bool, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let resigned = Sql::new("UPDATE leases SET expires_at = 0 WHERE")
                .append(lease.guard(self.engine()))
                .execute(&*tx)
                .await?;
            tx.commit().await?;
            Ok(resigned == 1)
        })
    }

    /// The lease as it stands.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the shard has no row.
    pub async fn lease(&self, shard: u32) -> Result<LeaseRow, StoreError> {
        let now = self.engine().now();
        Sql::new(format!(
            "SELECT holder, epoch, expires_at, {now} FROM leases WHERE shard = ?"
        ))
        .bind(shard)
        .one(self.reader(), |row| {
            Ok(LeaseRow {
                holder: row.next()?,
                epoch: row.next()?,
                is_held: row.next::<i64>()? > row.next::<i64>()?,
            })
        })
        .await?
        .ok_or_else(|| StoreError::corrupt("lease of shard", shard))
    }

    /// What the database's clock shows.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn database_time(&self) -> Result<Timestamp, StoreError> {
        Sql::new(format!("SELECT {}", self.engine().now()))
            .one(self.reader(), Row::next)
            .await?
            .ok_or_else(|| StoreError::corrupt("time", "nothing"))
    }
}

impl Lease {
    /// Makes sure that the term goes on, and that no other one begins before the end of the transaction. Its first statement.
    pub(crate) async fn fence(&self, tx: &Tx) -> Result<(), StoreError> {
        let passed = Sql::new("UPDATE leases SET seq = seq + 1 WHERE")
            .append(self.guard(tx.engine))
            .execute(&**tx)
            .await?;
        if passed == 1 {
            Ok(())
        } else {
            Err(Conflict::StaleLease.into())
        }
    }

    /// The same, and that no window has changed since version `windows`: nor does one before the end of the transaction.
    pub(crate) async fn fence_with(&self, tx: &Tx, windows: u64) -> Result<(), StoreError> {
        let passed = Sql::new("UPDATE leases SET seq = seq + 1 WHERE")
            .append(self.guard(tx.engine))
            .with(" AND windows_version = ?", windows)
            .execute(&**tx)
            .await?;
        if passed == 1 {
            return Ok(());
        }
        self.fence(tx).await?;
        Err(Conflict::StaleWindows.into())
    }

    /// The condition that this very term goes on.
    fn guard(&self, engine: Engine) -> Sql {
        Sql::new(" shard = ?")
            .bind(self.shard)
            .with(" AND holder = ?", self.holder.as_str())
            .with(" AND epoch = ?", self.epoch)
            .text(&format!(" AND expires_at > {}", engine.now()))
    }
}

/// Reads the term that has just begun, and records whose it is.
async fn begin_term(tx: &Tx, shard: u32, holder: &str) -> Result<Lease, StoreError> {
    let epoch: u64 = Sql::new("SELECT epoch FROM leases WHERE shard = ?")
        .bind(shard)
        .one(&**tx, Row::next)
        .await?
        .ok_or_else(|| StoreError::corrupt("lease of shard", shard))?;
    let now = tx.engine.now();
    Sql::new(format!(
        "INSERT INTO terms (shard, epoch, holder, name, began_at) \
         VALUES (?, ?, ?, (SELECT name FROM centers WHERE id = ?), {now})"
    ))
    .bind(shard)
    .bind(epoch)
    .bind(holder)
    .bind(holder)
    .execute(&**tx)
    .await?;
    Ok(Lease {
        shard,
        holder: holder.to_owned(),
        epoch,
    })
}
