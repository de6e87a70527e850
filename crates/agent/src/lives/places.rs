//! How many processes run at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Counts processes that run. Cheap to clone; all clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places(Arc<AtomicU32>);

/// The place of one process, free again when dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicU32>);

impl Places {
    /// Takes a place if fewer than `most` are taken; without a bound always.
    pub(crate) fn take(&self, most: Option<u32>) -> Option<Place> {
        let most = most.unwrap_or(u32::MAX);
        let more = |taken: u32| (taken < most).then(|| taken + 1);
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
            .ok()
            .map(|_| Place(Arc::clone(&self.0)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_places_than_there_are() {
        let places = Places::default();
        let first = places.take(Some(2)).unwrap();
        let _second = places.take(None).unwrap();
        assert!(places.take(Some(2)).is_none());
        drop(first);
        assert!(places.take(Some(2)).is_some());
        assert!(places.take(Some(0)).is_none());
    }
}
