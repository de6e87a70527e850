//! True time: microseconds since the simulation began. Nodes see it through clocks of their own.

use std::time::Duration;

use jiff::Timestamp;

/// A true instant, or a span, in microseconds.
pub(crate) type Micros = i64;

pub(crate) const MS: Micros = 1_000;
pub(crate) const SECOND: Micros = 1_000_000;

/// When the simulation begins: an instant with nothing special about it.
const BEGIN_US: i64 = 1_800_000_003_141_592;

/// The true instant as the center's clock shows it. There is one center, and its clock is right by definition.
pub(crate) fn timestamp(at: Micros) -> Timestamp {
    Timestamp::from_microsecond(BEGIN_US + at).unwrap_or(Timestamp::MAX)
}

/// The true instant that the center's clock shows as this.
pub(crate) fn micros(at: Timestamp) -> Micros {
    at.as_microsecond() - BEGIN_US
}

pub(crate) fn duration(span: Micros) -> Duration {
    Duration::from_micros(span.max(0) as u64)
}

pub(crate) fn span(duration: Duration) -> Micros {
    Micros::try_from(duration.as_micros()).unwrap_or(Micros::MAX / 4)
}
