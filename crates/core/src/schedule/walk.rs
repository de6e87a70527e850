//! From local times to instants: the walk over a zone's constant-offset segments.
//!
//! Inside a segment local time is a straight line, so a search there is a search for a local time. At its end:
//! - *gap* (clocks go forward): local times in between never come. If the [`DstRule`] says so, a pattern that asks
//!   for any of them runs once, at the first instant after the gap.
//! - *overlap* (clocks go back): local times come twice. If the [`DstRule`] says so, the second pass is left out.
//!
//! Segments are visited in order of time and every answer lies inside the segment being visited, so answers strictly
//! increase. Long stretches without any matching date are crossed in one jump.

use super::calendar::DAY_SECONDS;
use super::pattern::{Pattern, Steps};
use super::zone::{OFFSET_SECONDS_MAX, Segment, Zone, horizon};

/// What a pattern does on the two kinds of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DstRule {
    /// Times inside a gap run once, at the first instant after it. Else they are left out.
    pub(super) runs_after_gap: bool,
    /// Times inside an overlap run in the first pass only. Else in both.
    pub(super) first_pass_only: bool,
}

impl DstRule {
    /// The rule of cron: wall-clock patterns run once per time of day, interval patterns follow real time.
    pub(super) fn of(pattern: &Pattern) -> DstRule {
        let is_wall_clock = pattern.is_wall_clock();
        DstRule {
            runs_after_gap: is_wall_clock,
            first_pass_only: is_wall_clock,
        }
    }
}

/// Local distance at which a jump over segments is safe whatever their offsets are.
const JUMP_MARGIN: i64 = 3 * DAY_SECONDS;
const _: () = assert!(JUMP_MARGIN > 2 * OFFSET_SECONDS_MAX);

/// A pattern in a zone.
#[derive(Clone, Copy)]
pub(super) struct Walk<'a> {
    pub(super) pattern: &'a Pattern,
    pub(super) zone: &'a Zone,
    pub(super) rule: DstRule,
}

impl Walk<'_> {
    /// The first run strictly after `after` (seconds since the epoch).
    pub(super) fn next_after(&self, after: i64, steps: &mut Steps) -> Option<i64> {
        let (first, end) = horizon();
        let mut at = after.max(first - 1) + 1;
        let mut place = self.zone.segment_at(at);
        while at < end {
            *steps += 1;
            let segment = &self.zone.segments()[place];
            let segment_end = self.zone.segment_end(place);
            if at == segment.start && self.runs_at_gap_end(segment, steps) {
                return Some(at);
            }
            let from = self.local_from(segment, at);
            let found = self.pattern.next_local(from, steps);
            if let Some(local) = found.filter(|local| local - segment.offset < segment_end) {
                return Some(local - segment.offset);
            }
            at = segment_end;
            let local_end = segment_end + segment.offset;
            if from + JUMP_MARGIN <= local_end {
                // No local time from `from` up to `found` matches, and no segment to come goes back before `from`.
                let local = found?;
                at = at.max(local.div_euclid(DAY_SECONDS) * DAY_SECONDS - 2 * DAY_SECONDS);
            }
            place = self.zone.segment_at(at);
        }
        None
    }

    /// The last run strictly before `before` (seconds since the epoch).
    pub(super) fn prev_before(&self, before: i64) -> Option<i64> {
        let (first, end) = horizon();
        let mut at = before.min(end) - 1;
        while at >= first {
            let segment = &self.zone.segments()[self.zone.segment_at(at)];
            let until = at + segment.offset;
            let found = self.pattern.prev_local(until);
            if let Some(local) =
                found.filter(|&local| local >= self.local_from(segment, segment.start))
            {
                return Some(local - segment.offset);
            }
            if self.runs_at_gap_end(segment, &mut 0) {
                return Some(segment.start);
            }
            at = segment.start - 1;
            if until >= segment.local_start() + JUMP_MARGIN {
                // No local time after `found` up to `until` matches, and no earlier segment goes beyond `until`.
                let local = found?;
                at = at.min((local.div_euclid(DAY_SECONDS) + 3) * DAY_SECONDS);
            }
        }
        None
    }

    /// How many runs there are in `(after, until]`; stops counting once `max` is reached.
    pub(super) fn count(&self, after: i64, until: i64, max: u64) -> u64 {
        let (first, end) = horizon();
        let (mut at, until) = (after.max(first - 1) + 1, until.min(end - 1));
        let mut count = 0;
        while at <= until && count < max {
            let place = self.zone.segment_at(at);
            let segment = &self.zone.segments()[place];
            let last = until.min(self.zone.segment_end(place) - 1);
            let from = self.local_from(segment, at);
            count += self.pattern.count_local(from, last + segment.offset);
            let counted_already =
                || self.pattern.next_local(from, &mut 0) == Some(segment.local_start());
            if at == segment.start && self.runs_at_gap_end(segment, &mut 0) && !counted_already() {
                count += 1;
            }
            at = last + 1;
        }
        count.min(max)
    }

    /// The local times for which the instant `second` runs, if some of them lie in a gap that it ends.
    pub(super) fn times_of_gap_before(&self, second: i64) -> Option<Vec<i64>> {
        let segment = self.zone.segments().get(self.zone.segment_at(second))?;
        if segment.start != second || !self.runs_at_gap_end(segment, &mut 0) {
            return None;
        }
        let next = |from| {
            let found = self.pattern.next_local(from, &mut 0);
            found.filter(|local| *local <= segment.local_start())
        };
        Some(std::iter::successors(next(segment.seen), |local| next(local + 1)).collect())
    }

    /// The first local time from `at` on that counts in a segment.
    fn local_from(&self, segment: &Segment, at: i64) -> i64 {
        let local = at + segment.offset;
        if self.rule.first_pass_only {
            local.max(segment.seen)
        } else {
            local
        }
    }

    /// Whether the start of a segment stands in for local times that were skipped before it.
    fn runs_at_gap_end(&self, segment: &Segment, steps: &mut Steps) -> bool {
        self.rule.runs_after_gap
            && segment.seen < segment.local_start()
            && self
                .pattern
                .next_local(segment.seen, steps)
                .is_some_and(|local| local < segment.local_start())
    }
}
