//! Sessions of signed-in users.

use cronfleet_core::access::{Principal, Role};
use cronfleet_core::id::{GroupId, UserId};
use jiff::Timestamp;

use crate::again::transaction;
use crate::error::StoreError;
use crate::secret::SecretHash;
use crate::sql::Sql;
use crate::store::Store;
use crate::user::{USER_COLUMNS, UserRow, read_user};

/// A session to create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewSession {
    /// Hash of its token.
    pub token: SecretHash,
    /// Who signed in.
    pub user: UserId,
    /// Until when it lives unless it is used.
    pub idle_expires_at: Timestamp,
    /// Until when it lives at most.
    pub expires_at: Timestamp,
}

/// A live session and everything that decides what its user may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The user, who is enabled.
    pub user: UserRow,
    /// The user's rights.
    pub principal: Principal,
    /// The user's roles with names, by group name.
    pub memberships: Vec<Membership>,
    /// When the session was last touched.
    pub last_seen_at: Timestamp,
}

/// A role in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Group.
    pub group: GroupId,
    /// Its name.
    pub group_name: String,
    /// Role.
    pub role: Role,
}

impl Store {
    /// Creates a session and records the sign-in.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the user does not exist or the token does already.
    pub async fn create_session(
        &self,
        session: &NewSession,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            Sql::new(
            "INSERT INTO sessions (token_hash, user_id, created_at, last_seen_at, idle_expires_at, expires_at) \
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(session.token)
        .bind(session.user)
        .bind(now)
        .bind(now)
        .bind(session.idle_expires_at)
        .bind(session.expires_at)
        .execute(&*tx)
        .await?;
            Sql::new("UPDATE users SET last_sign_in_at = ? WHERE id = ?")
                .bind(now)
                .bind(session.user)
                .execute(&*tx)
                .await?;
            tx.commit().await
        })
    }

    /// Who a session's token stands for; `None` if it is unknown or expired, or its user disabled.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn principal_of_session(
        &self,
        token: SecretHash,
        now: Timestamp,
    ) -> Result<Option<SignedIn>, StoreError> {
        let found = Sql::new(format!(
            "SELECT {USER_COLUMNS}, s.last_seen_at FROM sessions s JOIN users u ON u.id = s.user_id \
             WHERE s.token_hash = ? AND s.idle_expires_at > ? AND s.expires_at > ? AND u.is_disabled = 0"
        ))
        .bind(token)
        .bind(now)
        .bind(now)
        .one(self.reader(), |row| Ok((read_user(row)?, row.next::<Timestamp>()?)))
        .await?;
        let Some((user, last_seen_at)) = found else {
            return Ok(None);
        };
        let memberships = self.memberships(user.id).await?;
        let principal = Principal {
            user: user.id,
            is_admin: user.is_admin,
            roles: memberships
                .iter()
                .map(|membership| (membership.group, membership.role))
                .collect(),
        };
        Ok(Some(SignedIn {
            user,
            principal,
            memberships,
            last_seen_at,
        }))
    }

    /// A user's roles, by group name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn memberships(&self, user: UserId) -> Result<Vec<Membership>, StoreError> {
        Sql::new(
            "SELECT m.group_id, g.name, m.role FROM group_members m JOIN job_groups g ON g.id = m.group_id \
             WHERE m.user_id = ? ORDER BY g.name",
        )
        .bind(user)
        .all(self.reader(), |row| {
            Ok(Membership { group: row.next()?, group_name: row.next()?, role: row.next()? })
        })
        .await
    }

    /// Records that a session is in use, and lets it live on until `idle_expires_at`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn touch_session(
        &self,
        token: SecretHash,
        now: Timestamp,
        idle_expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            Sql::new(
                "UPDATE sessions SET last_seen_at = ?, idle_expires_at = ? WHERE token_hash = ?",
            )
            .bind(now)
            .bind(idle_expires_at)
            .bind(token)
            .execute(&*tx)
            .await?;
            tx.commit().await
        })
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_session(&self, token: SecretHash) -> Result<(), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            Sql::new("DELETE FROM sessions WHERE token_hash = ?")
                .bind(token)
                .execute(&*tx)
                .await?;
            tx.commit().await
        })
    }

    /// Gives a user a new password and ends all sessions but `keep`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn change_password(
        &self,
        user: UserId,
        password_hash: &str,
        keep: SecretHash,
    ) -> Result<(), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            Sql::new("UPDATE users SET password_hash = ? WHERE id = ?")
                .bind(password_hash)
                .bind(user)
                .execute(&*tx)
                .await?;
            Sql::new("DELETE FROM sessions WHERE user_id = ? AND token_hash <> ?")
                .bind(user)
                .bind(keep)
                .execute(&*tx)
                .await?;
            tx.commit().await
        })
    }

    /// Ends all sessions of a user but `keep`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_other_sessions(
        &self,
        user: UserId,
        keep: SecretHash,
    ) -> Result<(), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            Sql::new("DELETE FROM sessions WHERE user_id = ? AND token_hash <> ?")
                .bind(user)
                .bind(keep)
                .execute(&*tx)
                .await?;
            tx.commit().await
        })
    }

    /// Removes sessions that have expired; answers how many.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_expired_sessions(&self, now: Timestamp) -> Result<u64, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let deleted =
                Sql::new("DELETE FROM sessions WHERE idle_expires_at <= ? OR expires_at <= ?")
                    .bind(now)
                    .bind(now)
                    .execute(&*tx)
                    .await?;
            tx.commit().await?;
            Ok(deleted)
        })
    }
}
