//! The stretch of time that a forecast is about, cut into seconds and buckets.

use jiff::Timestamp;

const MICROS: i64 = 1_000_000;

/// A stretch of time that begins at a whole second. Its buckets are as clocks in UTC count them (a quarter of an hour begins at :00, :15,
/// :30, :45), so that the first and the last may lie outside in part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Seconds since the epoch.
    from: i64,
    seconds: u32,
    bucket_seconds: u32,
}

impl Window {
    /// The longest stretch: 8 days.
    pub const SECONDS_MAX: u32 = 8 * 86_400;

    /// A stretch of `seconds` (1 to [`Window::SECONDS_MAX`]) that begins with the second of `from`, in buckets of `bucket_seconds` (at
    /// least 1). Both are put into these bounds.
    pub fn new(from: Timestamp, seconds: u32, bucket_seconds: u32) -> Self {
        Self {
            from: from.as_second(),
            seconds: seconds.clamp(1, Self::SECONDS_MAX),
            bucket_seconds: bucket_seconds.max(1),
        }
    }

    /// The 24 hours from an instant on, in quarters of an hour.
    pub fn day(from: Timestamp) -> Self {
        Self::new(from, 86_400, 900)
    }

    /// The 7 days from an instant on, in hours.
    pub fn week(from: Timestamp) -> Self {
        Self::new(from, 7 * 86_400, 3_600)
    }

    /// Where it begins.
    pub fn from(&self) -> Timestamp {
        self.at(0)
    }

    /// Where it ends; that instant is not in it.
    pub fn until(&self) -> Timestamp {
        self.at(self.seconds)
    }

    /// Length of a bucket in seconds.
    pub fn bucket_seconds(&self) -> u32 {
        self.bucket_seconds
    }

    /// Number of buckets.
    pub fn bucket_count(&self) -> usize {
        (self.lead() + self.seconds).div_ceil(self.bucket_seconds) as usize
    }

    /// Where the first bucket begins, at or before [`Window::from`].
    pub fn first_bucket(&self) -> Timestamp {
        Timestamp::from_second(self.from - i64::from(self.lead())).unwrap_or(Timestamp::MIN)
    }

    /// The instant of a second of it.
    pub(super) fn at(&self, second: u32) -> Timestamp {
        Timestamp::from_second(self.from + i64::from(second)).unwrap_or(Timestamp::MAX)
    }

    pub(super) fn seconds(&self) -> u32 {
        self.seconds
    }

    /// Microseconds from its beginning to an instant.
    pub(super) fn offset(&self, at: Timestamp) -> i64 {
        at.as_microsecond() - self.from * MICROS
    }

    /// The second in which an offset within it lies.
    pub(super) fn second(offset: i64) -> u32 {
        u32::try_from(offset.div_euclid(MICROS)).unwrap_or(0)
    }

    /// The first whole second at or behind an offset, within its bounds.
    pub(super) fn second_up(&self, offset: i64) -> u32 {
        let second = offset.saturating_add(MICROS - 1).div_euclid(MICROS);
        u32::try_from(second.clamp(0, i64::from(self.seconds))).unwrap_or(0)
    }

    /// The seconds of a bucket that lie within: the first one, and the one behind the last.
    pub(super) fn bucket(&self, bucket: usize) -> (u32, u32) {
        let begin = u32::try_from(bucket)
            .unwrap_or(u32::MAX)
            .saturating_mul(self.bucket_seconds);
        let end = begin.saturating_add(self.bucket_seconds);
        (
            begin.saturating_sub(self.lead()).min(self.seconds),
            end.saturating_sub(self.lead()).min(self.seconds),
        )
    }

    /// Its part from one second to another, in the form that schedules are asked in: `(after, until_inclusive]`.
    pub(super) fn span(&self, first: u32, end: u32) -> (Timestamp, Timestamp) {
        let before = |second: u32| {
            let micros = (self.from + i64::from(second)) * MICROS - 1;
            Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
        };
        (before(first), before(end))
    }

    /// Seconds of the first bucket that lie before it.
    fn lead(&self) -> u32 {
        u32::try_from(self.from.rem_euclid(i64::from(self.bucket_seconds))).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_those_of_the_clock() {
        let from: Timestamp = "2026-11-23T10:07:30.5Z".parse().unwrap();
        let day = Window::day(from);
        assert_eq!(day.from().to_string(), "2026-11-23T10:07:30Z");
        assert_eq!(day.until().to_string(), "2026-11-24T10:07:30Z");
        assert_eq!(day.first_bucket().to_string(), "2026-11-23T10:00:00Z");
        assert_eq!(day.bucket_count(), 97);
        assert_eq!(day.bucket(0), (0, 450));
        assert_eq!(day.bucket(1), (450, 1_350));
        assert_eq!(day.bucket(96), (85_950, 86_400));
        let aligned = Window::week("2026-11-23T10:00:00Z".parse().unwrap());
        assert_eq!(aligned.bucket_count(), 168);
        assert_eq!(aligned.bucket(167), (167 * 3_600, 168 * 3_600));
    }

    #[test]
    fn offsets_become_seconds() {
        let window = Window::new(Timestamp::UNIX_EPOCH, 100, 10);
        assert_eq!(Window::second(1_999_999), 1);
        let up: Vec<u32> = [-5_000_000, 0, 1, 1_000_000, 1_000_001, i64::MAX]
            .map(|offset| window.second_up(offset))
            .to_vec();
        assert_eq!(up, [0, 0, 1, 1, 2, 100]);
    }
}
