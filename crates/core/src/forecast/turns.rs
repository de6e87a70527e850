//! Runs of one copy of a job that wait for each other.

use std::collections::VecDeque;

/// When the runs that wait have their turn.
#[derive(Debug)]
pub(super) struct Turns {
    /// Runs that may wait.
    max: usize,
    free_at: i64,
    /// When those that wait start.
    starts: VecDeque<i64>,
}

impl Turns {
    pub(super) fn new(max: u32) -> Self {
        Self {
            max: usize::try_from(max).unwrap_or(usize::MAX),
            free_at: i64::MIN,
            starts: VecDeque::new(),
        }
    }

    /// Whether a run that is due then would start at once.
    pub(super) const fn is_free(&self, offset: i64) -> bool {
        self.free_at <= offset
    }

    /// When a run that is due then starts; `None` if it may not wait. Offsets only grow.
    pub(super) fn take(&mut self, offset: i64, lasting: i64) -> Option<i64> {
        while self.starts.front().is_some_and(|start| *start <= offset) {
            self.starts.pop_front();
        }
        let start = offset.max(self.free_at);
        if start > offset {
            if self.starts.len() >= self.max {
                return None;
            }
            self.starts.push_back(start);
        }
        self.free_at = start.saturating_add(lasting);
        Some(start)
    }
}
