//! Pages of lists, walked by key so that a page costs the same wherever it lies.

use jiff::Timestamp;
use uuid::Uuid;

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T, K> {
    /// The rows, in the order of the list.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last page.
    pub next: Option<K>,
}

impl<T, K> Page<T, K> {
    /// Makes a page of rows that were asked for with `limit + 1`: the row too many tells that there is a next page.
    pub(crate) fn cut(mut items: Vec<T>, limit: u32, key: impl FnOnce(&T) -> K) -> Self {
        let limit = limit as usize;
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = if has_more {
            items.last().map(key)
        } else {
            None
        };
        Self { items, next }
    }
}

/// Place in a list ordered by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameKey {
    /// Name (login, for users) of the last row seen.
    pub name: String,
    /// Its id.
    pub id: Uuid,
}

/// Place in a list ordered by time, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeKey {
    /// Time of the last row seen.
    pub at: Timestamp,
    /// Its id, or the id of its job.
    pub id: Uuid,
}
