//! Passwords: which are accepted, and their hashes (argon2id, 19 MiB, two passes).

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

/// Hashes computed at one time: each takes 19 MiB and a processor.
const HASHES_AT_ONCE: usize = 2;

/// Hash that no password has: checked for unknown logins, so that they take as long as known ones.
const NOBODYS_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$Y3JvbmZsZWV0bm9ib2R5$4Vb0mSKaBx3sOZzQoHL9CBhSyVbAe6t1eFq2XQvR0GY";

/// Passwords of the right length that everybody tries first.
const REFUSED: &str = include_str!("refused_passwords.txt");

/// Fewest characters of a password.
pub const LENGTH_MIN: usize = 12;
/// Most characters of a password.
pub const LENGTH_MAX: usize = 128;

/// A password could not be hashed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The hash function refused.
    #[error("argon2 failed")]
    Hash(#[source] argon2::password_hash::Error),
    /// The thread that hashes was stopped: the center shuts down.
    #[error("hashing was stopped")]
    Stopped,
}

/// Why a new password is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// Fewer than [`LENGTH_MIN`] or more than [`LENGTH_MAX`] characters.
    #[error("the password has {length} characters")]
    Length {
        /// Characters.
        length: usize,
    },
    /// Among the passwords that everybody tries first, or hardly more than one character.
    #[error("the password is one of those that everybody tries first")]
    Common,
    /// Contains the login.
    #[error("the password contains the login")]
    ContainsLogin,
}

/// Checks a new password.
///
/// # Errors
/// The first [`Weakness`] found.
pub fn check(password: &str, login: &str) -> Result<(), Weakness> {
    let length = password.chars().count();
    if !(LENGTH_MIN..=LENGTH_MAX).contains(&length) {
        return Err(Weakness::Length { length });
    }
    let lower = password.to_lowercase();
    let mut kinds: Vec<char> = lower.chars().collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.len() < 4 || REFUSED.lines().any(|common| common == lower) {
        return Err(Weakness::Common);
    }
    if login.chars().count() >= 4 && lower.contains(&login.to_lowercase()) {
        return Err(Weakness::ContainsLogin);
    }
    Ok(())
}

/// Hashes and verifies, a few at a time. Clones share the limit.
#[derive(Debug, Clone)]
pub struct Passwords {
    permits: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(HASHES_AT_ONCE)),
        }
    }
}

impl Passwords {
    /// The hash to store, in PHC form.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub async fn hash(&self, password: String) -> Result<String, PasswordError> {
        self.blocking(move || {
            Argon2::default()
                .hash_password(password.as_bytes())
                .map(|hash| hash.to_string())
        })
        .await?
        .map_err(PasswordError::Hash)
    }

    /// Whether the password belongs to the hash. Without a hash: takes as long, and answers no.
    ///
    /// # Errors
    /// [`PasswordError::Stopped`].
    pub async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, PasswordError> {
        self.blocking(move || {
            let is_known = hash.is_some();
            let text = hash.unwrap_or_else(|| NOBODYS_HASH.to_owned());
            let is_right = PasswordHash::new(&text).is_ok_and(|hash| {
                Argon2::default()
                    .verify_password(password.as_bytes(), &hash)
                    .is_ok()
            });
            is_right && is_known
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| PasswordError::Stopped)?;
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        })
        .await
        .map_err(|_| PasswordError::Stopped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_refused_with_the_reason() {
        assert_eq!(check("correct horse battery", "ada"), Ok(()));
        assert_eq!(check("short", "ada"), Err(Weakness::Length { length: 5 }));
        assert_eq!(
            check(&"y1x2".repeat(33), "ada"),
            Err(Weakness::Length { length: 132 })
        );
        assert_eq!(check("PassWord1234", "ada"), Err(Weakness::Common));
        assert_eq!(check("aaaaaaaaaaaaaaa", "ada"), Err(Weakness::Common));
        assert_eq!(
            check("lovelace-is-great", "Lovelace"),
            Err(Weakness::ContainsLogin)
        );
        assert_eq!(check("二二三四五六七八九十百千", "ada"), Ok(()));
    }

    #[tokio::test]
    async fn a_password_belongs_to_its_own_hash_only() {
        let passwords = Passwords::default();
        let hash = passwords
            .hash("correct horse battery".into())
            .await
            .unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(
            passwords
                .verify("correct horse battery".into(), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .verify("correct horse batterz".into(), Some(hash))
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .verify("correct horse battery".into(), None)
                .await
                .unwrap()
        );
    }

    #[test]
    fn nobodys_hash_costs_what_a_users_hash_costs() {
        let hash = PasswordHash::new(NOBODYS_HASH).unwrap();
        assert_eq!(hash.params.to_string(), "m=19456,t=2,p=1");
        assert!(hash.hash.is_some());
    }
}
