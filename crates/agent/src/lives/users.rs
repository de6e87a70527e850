//! Users that were looked up a moment ago.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::host::UserError;
use crate::policy::KnownUser;

/// How long an answer of the user database is used again. Short: a change of groups counts for the next but few runs.
const KEPT: Duration = Duration::from_secs(5);

/// Users remembered.
const USERS_MAX: usize = 256;

/// Remembers users for a moment, so that a thousand starts in one second ask the user database once.
#[derive(Debug, Default)]
pub(super) struct Users {
    known: Mutex<HashMap<String, (Instant, KnownUser)>>,
}

impl Users {
    /// A user that was looked up a moment ago.
    pub(super) fn recent(&self, name: &str) -> Option<KnownUser> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(name)
            .filter(|(at, _)| at.elapsed() < KEPT)
            .map(|(_, user)| user.clone())
    }

    /// Looks a user up. Blocking, for as long as directory services take.
    ///
    /// # Errors
    /// [`UserError`].
    pub(super) fn resolve(&self, name: &str) -> Result<KnownUser, UserError> {
        let user = KnownUser::look_up(name)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= USERS_MAX {
            known.clear();
        }
        known.insert(name.to_owned(), (Instant::now(), user.clone()));
        Ok(user)
    }
}
