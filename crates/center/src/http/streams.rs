//! How many event and output streams a session may hold open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cronfleet_store::SecretHash;

use super::error::ApiError;

/// Streams open at one time in one session. Browsers themselves give a page six connections.
const PER_SESSION_MAX: usize = 20;

/// Counts open streams. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Streams {
    open: Arc<Mutex<HashMap<SecretHash, usize>>>,
}

/// One open stream; dropping it frees its place.
#[derive(Debug)]
pub(super) struct OpenStream {
    streams: Streams,
    session: SecretHash,
}

impl Streams {
    /// Takes a place.
    ///
    /// # Errors
    /// [`ApiError::TooManyStreams`].
    pub(super) fn open(&self, session: SecretHash) -> Result<OpenStream, ApiError> {
        let mut open = self.lock();
        let count = open.entry(session).or_insert(0);
        if *count >= PER_SESSION_MAX {
            return Err(ApiError::TooManyStreams);
        }
        *count += 1;
        Ok(OpenStream {
            streams: self.clone(),
            session,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SecretHash, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut open = self.streams.lock();
        if let Some(count) = open.get_mut(&self.session) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.session);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_so_many_places_and_gets_them_back() {
        let streams = Streams::default();
        let (mine, other) = (SecretHash([1; 32]), SecretHash([2; 32]));
        let mut held: Vec<OpenStream> = (0..PER_SESSION_MAX)
            .map(|_| streams.open(mine).unwrap())
            .collect();
        assert!(streams.open(mine).is_err());
        streams.open(other).unwrap();
        held.pop();
        streams.open(mine).unwrap();
        drop(held);
        assert!(streams.lock().is_empty());
    }
}
