//! The slot book: what each event does in each state, and random histories.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod cases;
mod probing;
mod random;
mod replacing;
mod table;
mod world;
