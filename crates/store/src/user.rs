//! Users, and the first of them.

use cronfleet_core::id::{GroupId, UserId};
use jiff::Timestamp;

use crate::again::transaction;
use crate::error::{Conflict, StoreError, Thing};
use crate::page::{NameKey, Page};
use crate::secret::SecretHash;
use crate::sql::{Row, Sql};
use crate::store::{Store, Tx};

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    /// Id.
    pub id: UserId,
    /// Name to sign in with; unique, letter case aside.
    pub login: String,
    /// Name shown to others.
    pub display_name: String,
    /// May do everything everywhere.
    pub is_admin: bool,
    /// May not sign in.
    pub is_disabled: bool,
    /// When the user was created.
    pub created_at: Timestamp,
    /// When the user last signed in.
    pub last_sign_in_at: Option<Timestamp>,
}

/// A user together with what proves a sign-in.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user: UserRow,
    /// Hash of the password in PHC form.
    pub password_hash: String,
}

/// A user to create.
#[derive(Clone, PartialEq, Eq)]
pub struct NewUser {
    /// Id, minted by the caller.
    pub id: UserId,
    /// Login, at most 64 characters.
    pub login: String,
    /// Name shown to others, at most 128 characters.
    pub display_name: String,
    /// Hash of the password in PHC form, at most 255 characters.
    pub password_hash: String,
    /// May do everything everywhere.
    pub is_admin: bool,
}

/// Changes to a user; absent fields stay.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct UserUpdate {
    /// New display name.
    pub display_name: Option<String>,
    /// New administrator flag.
    pub is_admin: Option<bool>,
    /// New disabled flag. Disabling ends the user's sessions.
    pub is_disabled: Option<bool>,
    /// New hash of the password. Ends the user's sessions.
    pub password_hash: Option<String>,
}

/// The columns that [`read_user`] reads, of table alias `u`.
pub(crate) const USER_COLUMNS: &str =
    "u.id, u.login, u.display_name, u.is_admin, u.is_disabled, u.created_at, u.last_sign_in_at";

/// Reads [`USER_COLUMNS`].
pub(crate) fn read_user(row: &mut Row) -> Result<UserRow, StoreError> {
    Ok(UserRow {
        id: row.next()?,
        login: row.next()?,
        display_name: row.next()?,
        is_admin: row.next()?,
        is_disabled: row.next()?,
        created_at: row.next()?,
        last_sign_in_at: row.maybe()?,
    })
}

fn select_user(condition: &str) -> Sql {
    Sql::new(format!(
        "SELECT {USER_COLUMNS} FROM users u WHERE {condition}"
    ))
}

impl Store {
    /// Whether the first administrator has still to be created.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn is_setup_needed(&self) -> Result<bool, StoreError> {
        Ok(!Sql::new("SELECT 1 FROM users LIMIT 1")
            .exists(self.reader())
            .await?)
    }

    /// Makes this the only setup code, good for one use until `expires_at`.
    ///
    /// # Errors
    /// [`Conflict::SetupDone`] if there is a user already.
    pub async fn put_setup_code(
        &self,
        code: SecretHash,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            refuse_setup_if_done(&tx).await?;
            Sql::new("DELETE FROM setup_codes").execute(&*tx).await?;
            Sql::new("INSERT INTO setup_codes (code_hash, expires_at) VALUES (?, ?)")
                .bind(code)
                .bind(expires_at)
                .execute(&*tx)
                .await?;
            tx.commit().await
        })
    }

    /// Creates the first user, an administrator whatever `user.is_admin` says, and uses up the setup code.
    ///
    /// # Errors
    /// [`Conflict::SetupDone`], [`Conflict::SetupCodeRefused`].
    pub async fn create_first_admin(
        &self,
        code: SecretHash,
        user: &NewUser,
        now: Timestamp,
    ) -> Result<UserRow, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            refuse_setup_if_done(&tx).await?;
            let used = Sql::new("DELETE FROM setup_codes WHERE code_hash = ? AND expires_at > ?")
                .bind(code)
                .bind(now)
                .execute(&*tx)
                .await?;
            if used != 1 {
                return Err(Conflict::SetupCodeRefused.into());
            }
            let row = insert_user(
                &tx,
                &NewUser {
                    is_admin: true,
                    ..user.clone()
                },
                now,
            )
            .await?;
            tx.commit().await?;
            Ok(row)
        })
    }

    /// Creates a user.
    ///
    /// # Errors
    /// [`Conflict::LoginTaken`].
    pub async fn create_user(&self, user: &NewUser, now: Timestamp) -> Result<UserRow, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let row = insert_user(&tx, user, now).await?;
            tx.commit().await?;
            Ok(row)
        })
    }

    /// Changes a user; ends the user's sessions when the password changes or the user is disabled.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`Conflict::LastAdmin`].
    pub async fn update_user(
        &self,
        id: UserId,
        update: &UserUpdate,
    ) -> Result<UserRow, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let loses_admin = update.is_admin == Some(false) || update.is_disabled == Some(true);
            if loses_admin {
                // Two administrators who demote each other at once must see each other's change.
                Sql::new("SELECT id FROM users WHERE is_admin = 1 AND is_disabled = 0 ORDER BY id")
                    .text(tx.engine.for_update())
                    .all(&*tx, Row::next::<UserId>)
                    .await?;
            }
            let mut sql = Sql::new("UPDATE users SET login = login");
            sql = sql.with_some(", display_name = ?", update.display_name.as_deref());
            sql = sql.with_some(", is_admin = ?", update.is_admin);
            sql = sql.with_some(", is_disabled = ?", update.is_disabled);
            sql = sql.with_some(", password_hash = ?", update.password_hash.as_deref());
            let changed = sql.with(" WHERE id = ?", id).execute(&*tx).await?;
            if changed != 1 {
                return Err(StoreError::Missing { what: Thing::User });
            }
            if loses_admin
                && !Sql::new("SELECT 1 FROM users WHERE is_admin = 1 AND is_disabled = 0")
                    .exists(&*tx)
                    .await?
            {
                return Err(Conflict::LastAdmin.into());
            }
            if update.password_hash.is_some() || update.is_disabled == Some(true) {
                Sql::new("DELETE FROM sessions WHERE user_id = ?")
                    .bind(id)
                    .execute(&*tx)
                    .await?;
            }
            let row = select_user("u.id = ?")
                .bind(id)
                .one(&*tx, read_user)
                .await?
                .ok_or(StoreError::Missing { what: Thing::User })?;
            tx.commit().await?;
            Ok(row)
        })
    }

    /// One user.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn user(&self, id: UserId) -> Result<Option<UserRow>, StoreError> {
        select_user("u.id = ?")
            .bind(id)
            .one(self.reader(), read_user)
            .await
    }

    /// Users by login; `part` is searched for in login and display name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn users(
        &self,
        part: &str,
        after: Option<&NameKey>,
        limit: u32,
    ) -> Result<Page<UserRow, NameKey>, StoreError> {
        let mut sql =
            select_user("1 = 1").and_contains(self.engine(), &["u.login", "u.display_name"], part);
        if let Some(after) = after {
            sql = sql.with(" AND u.login_key > ?", after.name.to_lowercase());
        }
        let rows = sql
            .with(" ORDER BY u.login_key LIMIT ?", limit + 1)
            .all(self.reader(), read_user)
            .await?;
        Ok(Page::cut(rows, limit, |user| NameKey {
            name: user.login.clone(),
            id: user.id.as_uuid(),
        }))
    }

    /// Enabled users without a role in a group, by login.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn member_candidates(
        &self,
        group: GroupId,
        part: &str,
        limit: u32,
    ) -> Result<Vec<UserRow>, StoreError> {
        select_user("u.is_disabled = 0")
            .with(" AND NOT EXISTS (SELECT 1 FROM group_members m WHERE m.user_id = u.id AND m.group_id = ?)", group)
            .and_contains(self.engine(), &["u.login", "u.display_name"], part)
            .with(" ORDER BY u.login_key LIMIT ?", limit)
            .all(self.reader(), read_user)
            .await
    }

    /// What proves a sign-in with this login, letter case aside. Also answers for disabled users.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn credentials(&self, login: &str) -> Result<Option<Credentials>, StoreError> {
        self.credentials_where("u.login_key = ?", login.to_lowercase())
            .await
    }

    /// What proves that a user is who she is.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn credentials_of(&self, user: UserId) -> Result<Option<Credentials>, StoreError> {
        self.credentials_where("u.id = ?", user.to_string()).await
    }

    async fn credentials_where(
        &self,
        condition: &str,
        value: String,
    ) -> Result<Option<Credentials>, StoreError> {
        Sql::new(format!(
            "SELECT {USER_COLUMNS}, u.password_hash FROM users u WHERE {condition}"
        ))
        .bind(value)
        .one(self.reader(), |row| {
            Ok(Credentials {
                user: read_user(row)?,
                password_hash: row.next()?,
            })
        })
        .await
    }
}

/// Makes sure that there is no user, and lets nobody else ask until the end of the transaction. There is no row of users to
/// lock, so it is that of the first schema step, which every database has.
async fn refuse_setup_if_done(tx: &Tx) -> Result<(), StoreError> {
    Sql::new("SELECT number FROM migrations WHERE number = 1")
        .text(tx.engine.for_update())
        .exists(&**tx)
        .await?;
    if Sql::new("SELECT 1 FROM users LIMIT 1")
        .exists(&**tx)
        .await?
    {
        return Err(Conflict::SetupDone.into());
    }
    Ok(())
}

async fn insert_user(tx: &Tx, user: &NewUser, now: Timestamp) -> Result<UserRow, StoreError> {
    Sql::new(
        "INSERT INTO users (id, login, login_key, display_name, password_hash, is_admin, is_disabled, created_at) \
         VALUES (?, ?, ?, ?, ?, ?, 0, ?)",
    )
    .bind(user.id)
    .bind(user.login.as_str())
    .bind(user.login.to_lowercase())
    .bind(user.display_name.as_str())
    .bind(user.password_hash.as_str())
    .bind(user.is_admin)
    .bind(now)
    .execute(&**tx)
    .await
    .map_err(|error| error.or_taken(Conflict::LoginTaken))?;
    Ok(UserRow {
        id: user.id,
        login: user.login.clone(),
        display_name: user.display_name.clone(),
        is_admin: user.is_admin,
        is_disabled: false,
        created_at: now,
        last_sign_in_at: None,
    })
}
