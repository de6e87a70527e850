//! A cron pattern as a schedule: its answers for a zone.

use jiff::Timestamp;

use super::pattern::{Pattern, Steps};
use super::walk::{DstRule, Walk};
use super::zone::Zone;

/// A cron pattern that runs at least once in the zone it was made for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cron {
    pub(super) pattern: Pattern,
    pub(super) dst: DstRule,
    /// The last run of all, in seconds since the epoch. Without it a search for one more would go on to 2199.
    last: i64,
}

impl Cron {
    /// `None` if the pattern has no run in the zone at all.
    pub(super) fn new(pattern: Pattern, dst: DstRule, zone: &Zone) -> Option<Cron> {
        let last = Walk {
            pattern: &pattern,
            zone,
            rule: dst,
        }
        .prev_before(i64::MAX)?;
        Some(Cron { pattern, dst, last })
    }

    /// The same pattern with another rule, which may leave it without any run.
    pub(super) fn with_rule(&self, dst: DstRule, zone: &Zone) -> Cron {
        let pattern = self.pattern.clone();
        let last = Walk {
            pattern: &pattern,
            zone,
            rule: dst,
        }
        .prev_before(i64::MAX);
        Cron {
            pattern,
            dst,
            last: last.unwrap_or(i64::MIN),
        }
    }

    /// The first run strictly after `t`.
    pub(super) fn next_after(
        &self,
        zone: &Zone,
        t: Timestamp,
        steps: &mut Steps,
    ) -> Option<Timestamp> {
        let second = floor_second(t);
        if second >= self.last {
            return None;
        }
        self.walk(zone)
            .next_after(second, steps)
            .and_then(at_second)
    }

    /// The last run strictly before `t`.
    pub(super) fn prev_before(&self, zone: &Zone, t: Timestamp) -> Option<Timestamp> {
        let second = ceil_second(t);
        if self.last == i64::MIN {
            return None;
        }
        if second > self.last {
            return at_second(self.last);
        }
        self.walk(zone).prev_before(second).and_then(at_second)
    }

    /// How many runs there are in `(after, until]`, or `max` if that is less.
    pub(super) fn count(&self, zone: &Zone, after: Timestamp, until: Timestamp, max: u64) -> u64 {
        let until = floor_second(until).min(self.last);
        self.walk(zone).count(floor_second(after), until, max)
    }

    /// Whether there is a run at `t`.
    pub(super) fn matches(&self, zone: &Zone, t: Timestamp) -> bool {
        let second = floor_second(t);
        second == ceil_second(t)
            && second <= self.last
            && self.walk(zone).next_after(second - 1, &mut 0) == Some(second)
    }

    /// The pattern in a zone.
    pub(super) fn walk<'a>(&'a self, zone: &'a Zone) -> Walk<'a> {
        Walk {
            pattern: &self.pattern,
            zone,
            rule: self.dst,
        }
    }
}

/// The last whole second at or before `t`.
pub(super) fn floor_second(t: Timestamp) -> i64 {
    t.as_second() - i64::from(t.subsec_nanosecond() < 0)
}

/// The instant of a whole second; `None` beyond the years -9999 to 9999.
pub(super) fn at_second(second: i64) -> Option<Timestamp> {
    Timestamp::from_second(second).ok()
}

/// The first whole second at or after `t`.
fn ceil_second(t: Timestamp) -> i64 {
    t.as_second() + i64::from(t.subsec_nanosecond() > 0)
}
