//! Running whole transactions again: the one place where a deadlock, a lost race or a lost connection is answered by another
//! try. It is safe because nothing of a transaction that failed before its commit is stored; one whose commit was lost is in
//! doubt and is not run again.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use crate::error::StoreError;

/// Most tries of one transaction.
const TRIES_MAX: u32 = 5;
/// Longest wait before the second try; it doubles with every further one.
const WAIT_FIRST: Duration = Duration::from_millis(20);

/// Runs a whole transaction, which begins and commits itself, until it succeeds, fails for good, or has been tried often enough.
/// `return` and `?` in it end the transaction. A macro, because a function could not promise its callers that what it is given
/// can move between threads.
macro_rules! transaction {
    ({ $($body:tt)* }) => {{
        let transaction = async || -> Result<_, $crate::error::StoreError> { $($body)* };
        let mut tries = $crate::again::Tries::default();
        loop {
            match transaction().await {
                Err(error) if tries.may_go_on(&error).await => {}
                ended => break ended,
            }
        }
    }};
}

pub(crate) use transaction;

/// Counts the tries of one transaction.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    failed: u32,
}

impl Tries {
    /// Whether another try makes sense after this error; if so, when the moment for it has come.
    pub(crate) async fn may_go_on(&mut self, error: &StoreError) -> bool {
        self.failed += 1;
        if self.failed >= TRIES_MAX || !error.is_passing() {
            return false;
        }
        tracing::debug!(
            tries = self.failed,
            error = error.trouble(),
            "a transaction is run again"
        );
        tokio::time::sleep(wait(self.failed)).await;
        true
    }
}

/// Somewhere between nothing and the longest wait before the next try, so that those who collided part.
fn wait(tries: u32) -> Duration {
    let longest = WAIT_FIRST.saturating_mul(1 << tries.min(10).saturating_sub(1));
    let draw = RandomState::new().build_hasher().finish() % 1_024;
    longest.mul_f64(f64::from(u32::try_from(draw).unwrap_or(0)) / 1_024.0)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use sea_orm::{DbErr, RuntimeErr};

    use super::*;
    use crate::error::Conflict;

    fn lost() -> DbErr {
        let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        DbErr::Query(RuntimeErr::SqlxError(sqlx::Error::Io(reset).into()))
    }

    async fn tries_of(error: impl Fn() -> StoreError, failures: u32) -> (u32, bool) {
        let tries = Cell::new(0);
        let ended: Result<(), StoreError> = transaction!({
            tries.set(tries.get() + 1);
            if tries.get() <= failures {
                Err(error())
            } else {
                Ok(())
            }
        });
        (tries.get(), ended.is_ok())
    }

    #[tokio::test]
    async fn only_what_passes_is_tried_again_and_not_for_ever() {
        let passing = || StoreError::from(lost());
        assert_eq!(tries_of(passing, 0).await, (1, true));
        assert_eq!(tries_of(passing, 2).await, (3, true));
        assert_eq!(tries_of(passing, 100).await, (TRIES_MAX, false));
        let in_doubt = || StoreError::InDoubt(lost());
        assert_eq!(tries_of(in_doubt, 1).await, (1, false));
        let conflict = || StoreError::from(Conflict::LastAdmin);
        assert_eq!(tries_of(conflict, 1).await, (1, false));
        let waited = || StoreError::of_driver(sqlx::Error::PoolTimedOut);
        assert_eq!(tries_of(waited, 1).await, (1, false));
    }
}
