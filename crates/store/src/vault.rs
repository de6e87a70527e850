//! Sealed secrets of groups, and which of them an agent may have. What is stored was sealed before it came here; the key is
//! elsewhere.

use cronfleet_core::access::Reach;
use cronfleet_core::id::{AgentId, GroupId, JobId, UserId};
use cronfleet_core::secret::SecretUse;
use jiff::Timestamp;

use crate::again::transaction;
use crate::error::{StoreError, Thing};
use crate::group::lock_group;
use crate::spec::from_json;
use crate::sql::{Row, Sql};
use crate::store::Store;

/// A value that only the holder of a key can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Names the key, 16 hexadecimal digits.
    pub key_id: String,
    /// Nonce and ciphertext.
    pub bytes: Vec<u8>,
}

/// A secret without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRow {
    /// Name, unique in its group.
    pub name: String,
    /// Grows by one with every new value, from 1.
    pub version: u32,
    /// Login of who set the value.
    pub updated_by: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When the value was set.
    pub updated_at: Timestamp,
}

/// A secret as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// Name.
    pub name: String,
    /// Version of the value.
    pub version: u32,
    /// The value.
    pub sealed: Sealed,
}

/// Secrets that a job uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSecrets {
    /// The job's group.
    pub group: GroupId,
    /// What the job uses.
    pub uses: Vec<SecretUse>,
    /// Those of them that there are.
    pub found: Vec<SealedSecret>,
}

const SELECT_SECRETS: &str = "SELECT s.name, s.version, u.login, s.created_at, s.updated_at FROM secrets s \
     LEFT JOIN users u ON u.id = s.updated_by WHERE s.group_id = ?";

impl Store {
    /// Secrets of a group within reach, by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn secrets(
        &self,
        reach: &Reach,
        group: GroupId,
    ) -> Result<Vec<SecretRow>, StoreError> {
        Sql::new(SELECT_SECRETS)
            .bind(group)
            .and_reach("s.group_id", reach)
            .text(" ORDER BY s.name")
            .all(self.reader(), read_secret)
            .await
    }

    /// Creates a secret or gives it a new value.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if the group does not exist.
    pub async fn put_secret(
        &self,
        group: GroupId,
        name: &str,
        sealed: &Sealed,
        author: UserId,
        now: Timestamp,
    ) -> Result<SecretRow, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            lock_group(&tx, group).await?;
            let replaced =
                Sql::new("UPDATE secrets SET version = version + 1, key_id = ?, sealed = ?")
                    .bind(sealed.key_id.as_str())
                    .bind(sealed.bytes.clone())
                    .with(", updated_by = ?", author)
                    .with(", updated_at = ?", now)
                    .with(" WHERE group_id = ?", group)
                    .with(" AND name = ?", name)
                    .execute(&*tx)
                    .await?;
            if replaced == 0 {
                Sql::new(
                "INSERT INTO secrets (group_id, name, version, key_id, sealed, updated_by, created_at, updated_at) \
                 VALUES (?, ?, 1, ?, ?, ?, ?, ?)",
            )
            .bind(group)
            .bind(name)
            .bind(sealed.key_id.as_str())
            .bind(sealed.bytes.clone())
            .bind(author)
            .bind(now)
            .bind(now)
            .execute(&*tx)
            .await?;
            }
            let row = Sql::new(SELECT_SECRETS)
                .bind(group)
                .with(" AND s.name = ?", name)
                .one(&*tx, read_secret)
                .await?
                .ok_or(StoreError::Missing {
                    what: Thing::Secret,
                })?;
            tx.commit().await?;
            Ok(row)
        })
    }

    /// Deletes a secret; answers whether there was one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_secret(&self, group: GroupId, name: &str) -> Result<bool, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let deleted = Sql::new("DELETE FROM secrets WHERE group_id = ?")
                .bind(group)
                .with(" AND name = ?", name)
                .execute(&*tx)
                .await?;
            tx.commit().await?;
            Ok(deleted > 0)
        })
    }

    /// What a version of a job needs, if this agent runs it: it holds an order of it that was handed out and has not ended, or
    /// is to keep its processes alive. `None` otherwise, so that an agent cannot ask for what is not its business.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn secrets_for(
        &self,
        agent: AgentId,
        job: JobId,
        version: u32,
    ) -> Result<Option<JobSecrets>, StoreError> {
        let found = Sql::new(
            "SELECT j.group_id, v.spec FROM jobs j JOIN job_versions v ON v.job_id = j.id WHERE j.id = ?",
        )
        .bind(job)
        .with(" AND v.version = ?", version)
        .with(
            " AND (EXISTS (SELECT 1 FROM runs r WHERE r.active_agent = ? AND r.state <> 'planned' \
             AND r.job_id = j.id AND r.job_version = v.version)",
            agent,
        )
        .with(
            " OR (j.kind = 'daemon' AND j.is_deleted = 0 AND j.is_paused = 0 AND j.version = v.version \
             AND EXISTS (SELECT 1 FROM group_agents ga JOIN agents a ON a.id = ga.agent_id \
             WHERE a.state = 'active' AND ga.group_id = j.group_id AND ga.agent_id = ?",
            agent,
        )
        .with(
            ") AND (j.is_target_all = 1 OR EXISTS (SELECT 1 FROM job_targets t WHERE t.job_id = j.id \
             AND t.agent_id = ?))))",
            agent,
        )
        .one(self.reader(), |row| {
            Ok((row.next::<GroupId>()?, row.next::<String>()?))
        })
        .await?;
        let Some((group, spec)) = found else {
            return Ok(None);
        };
        let uses = from_json(&spec)?.launch.secrets;
        let found =
            Sql::new("SELECT name, version, key_id, sealed FROM secrets WHERE group_id = ?")
                .bind(group)
                .and_in("name", uses.iter().map(|secret| secret.name.as_str()))
                .all(self.reader(), read_sealed)
                .await?;
        Ok(Some(JobSecrets { group, uses, found }))
    }

    /// The text that a key sealed when it was first used; for the self-test at the start.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn key_check(&self, key_id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Sql::new("SELECT sealed FROM key_checks WHERE key_id = ?")
            .bind(key_id)
            .one(self.reader(), Row::next)
            .await
    }

    /// Keeps what a key sealed. One that is there already stays.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn put_key_check(&self, sealed: &Sealed, now: Timestamp) -> Result<(), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            Sql::new("INSERT INTO key_checks (key_id, sealed, created_at) VALUES (?, ?, ?)")
                .bind(sealed.key_id.as_str())
                .bind(sealed.bytes.clone())
                .bind(now)
                .text(&tx.engine.or_ignore("key_id"))
                .execute(&*tx)
                .await?;
            tx.commit().await
        })
    }

    /// Whether any secret is sealed with another key than this one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn has_secrets_of_other_keys(&self, key_id: &str) -> Result<bool, StoreError> {
        Sql::new("SELECT 1 FROM secrets WHERE key_id <> ?")
            .bind(key_id)
            .exists(self.reader())
            .await
    }
}

fn read_secret(row: &mut Row) -> Result<SecretRow, StoreError> {
    Ok(SecretRow {
        name: row.next()?,
        version: row.next()?,
        updated_by: row.maybe()?.unwrap_or_default(),
        created_at: row.next()?,
        updated_at: row.next()?,
    })
}

fn read_sealed(row: &mut Row) -> Result<SealedSecret, StoreError> {
    Ok(SealedSecret {
        name: row.next()?,
        version: row.next()?,
        sealed: Sealed {
            key_id: row.next()?,
            bytes: row.next()?,
        },
    })
}
