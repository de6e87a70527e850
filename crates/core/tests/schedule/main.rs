//! Tests of the schedule engine as its users see it: tables by hand, laws over random schedules, an oracle that
//! computes by brute force, an independent library, and hostile input.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod active;
mod calendars;
mod corpus;
mod croner;
mod cronie;
mod differences;
mod flood;
mod hand;
mod hostile;
mod laws;
mod oracle;
mod published;
mod random;
mod refusals;
mod simple_kinds;
mod words;
mod year;

use cronfleet_core::schedule::{Context, Schedule};
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// A schedule that must be accepted; `H` is seeded with 0.
#[track_caller]
fn schedule(text: &str, zone: &str) -> Schedule {
    Schedule::parse(text, &Context { zone, spread: 0 })
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn instant(text: &str) -> Timestamp {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A zone from the same data that schedules use, not from the host.
fn bundled_zone(name: &str) -> TimeZone {
    static DATABASE: std::sync::LazyLock<TimeZoneDatabase> =
        std::sync::LazyLock::new(TimeZoneDatabase::bundled);
    DATABASE.get(name).unwrap()
}
