//! The time in which a schedule is in force.

use jiff::{SignedDuration, Timestamp};

/// The time in which a schedule is in force: nothing is due outside of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActiveSpan {
    /// Nothing is due before this instant.
    pub from: Option<Timestamp>,
    /// Nothing is due at this instant or after it.
    pub until: Option<Timestamp>,
}

impl ActiveSpan {
    /// Whether something may be due at `t`.
    pub fn contains(self, t: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= t) && self.until.is_none_or(|until| t < until)
    }

    /// Whether it ends before it begins, so that nothing is ever due.
    pub fn is_empty(self) -> bool {
        matches!((self.from, self.until), (Some(from), Some(until)) if until <= from)
    }

    /// The part of (`after`, `until_inclusive`] in which something may be due, in the same form.
    pub(super) fn clip(
        self,
        after: Timestamp,
        until_inclusive: Timestamp,
    ) -> (Timestamp, Timestamp) {
        (
            self.from.map_or(after, |from| after.max(just_before(from))),
            self.until.map_or(until_inclusive, |until| {
                until_inclusive.min(just_before(until))
            }),
        )
    }
}

/// The instant before `t`: no due instant lies between the two.
fn just_before(t: Timestamp) -> Timestamp {
    t.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(t)
}
