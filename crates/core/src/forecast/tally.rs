//! Sums by second, of which most are nothing.

/// What happens in one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// Seconds from the beginning.
    pub(super) second: u32,
    /// Runs that start.
    pub(super) starts: i64,
    /// How many more processes are alive than before.
    pub(super) alive: i64,
}

/// Marks that are added up by second.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    marks: Vec<Mark>,
    settled: usize,
}

/// Marks that are kept apart for a while before they are added up.
const UNSETTLED_MAX: usize = 1 << 16;

impl Tally {
    pub(super) fn push(&mut self, mark: Mark) {
        self.marks.push(mark);
        self.settle_if_large();
    }

    /// Adds the marks of another, each `weight` times.
    pub(super) fn add(&mut self, marks: &[Mark], weight: i64) {
        self.marks.extend(marks.iter().map(|mark| Mark {
            starts: mark.starts.saturating_mul(weight),
            alive: mark.alive.saturating_mul(weight),
            ..*mark
        }));
        self.settle_if_large();
    }

    /// The sums, by second, without those that are nothing.
    pub(super) fn into_marks(mut self) -> Vec<Mark> {
        self.settle();
        self.marks
    }

    /// Keeps the cost of adding up in proportion to the marks that were added.
    fn settle_if_large(&mut self) {
        if self.marks.len() - self.settled > UNSETTLED_MAX.max(self.settled) {
            self.settle();
        }
    }

    fn settle(&mut self) {
        // A stable sort: it is quick on stretches that are sorted already, and all are.
        self.marks.sort_by_key(|mark| mark.second);
        self.marks.dedup_by(|next, sum| {
            let is_same = next.second == sum.second;
            if is_same {
                sum.starts = sum.starts.saturating_add(next.starts);
                sum.alive = sum.alive.saturating_add(next.alive);
            }
            is_same
        });
        self.marks
            .retain(|mark| mark.starts != 0 || mark.alive != 0);
        self.settled = self.marks.len();
    }
}

/// Runs that start in a second.
pub(super) fn starts_in(marks: &[Mark], second: u32) -> i64 {
    marks
        .binary_search_by_key(&second, |mark| mark.second)
        .ok()
        .and_then(|place| marks.get(place))
        .map_or(0, |mark| mark.starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_one_second_are_one() {
        let mark = |second, starts, alive| Mark {
            second,
            starts,
            alive,
        };
        let mut tally = Tally::default();
        for _ in 0..3 * UNSETTLED_MAX {
            tally.push(mark(9, 1, 1));
            tally.push(mark(3, 2, 0));
            tally.push(mark(5, 0, 0));
        }
        tally.add(&[mark(3, 1, -1)], 10);
        let count = 3 * UNSETTLED_MAX as i64;
        let marks = tally.into_marks();
        assert_eq!(marks, [mark(3, 2 * count + 10, -10), mark(9, count, count)]);
        assert_eq!(starts_in(&marks, 9), count);
        assert_eq!(starts_in(&marks, 5), 0);
    }
}
