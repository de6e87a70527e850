//! Decides and does nothing else: domain types, schedule arithmetic, state machines, planning.
//!
//! No async, no I/O, no clock, no randomness, no SQL, no JSON. Time, random draws and observations come in as values;
//! decisions and effects go out as values. Everything here can be driven by the simulator and by property tests.

pub mod access;
pub mod backoff;
pub mod calendar;
pub mod catch_up;
pub mod cgroup;
pub mod clock_estimate;
pub mod elector;
pub mod forecast;
pub mod id;
pub mod jitter;
pub mod job;
pub mod life;
pub mod limits;
pub mod offer;
pub mod order;
pub mod order_book;
pub mod plan;
pub mod policy;
pub mod record;
pub mod retry;
pub mod run;
pub mod run_limits;
pub mod schedule;
pub mod secret;
pub mod slot_book;
pub mod spread;
mod stop;
pub mod why;
pub mod window;
