//! Types of the REST interface under `/api/v1`: requests, answers, the error body.
//!
//! These are the only shapes that cross HTTP. They know nothing of SQL or of the agent link; the center maps them to and
//! from the domain types of `cronfleet-core`. Every request type refuses unknown fields. Times are RFC 3339 in UTC with
//! microseconds; durations are integer milliseconds and say so in their name; ids are UUID text.

pub mod agent;
pub mod bulk;
pub mod calendar;
pub mod catch_up;
pub mod center;
pub mod convert;
mod convert_limits;
pub mod daemon;
pub mod definition;
pub mod dst;
pub mod error;
pub mod event;
pub mod forecast;
pub mod group;
pub mod job;
pub mod limits;
pub mod outlook;
pub mod output;
pub mod overlap;
pub mod page;
pub mod run;
pub mod schedule;
pub mod secret;
pub mod session;
pub mod slot;
pub mod target;
pub mod why;
pub mod window;
