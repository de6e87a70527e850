//! The slot book: keeps daemon processes alive on an agent.
//!
//! Pure, like the [order book](crate::order_book). What is wanted ([`crate::order::DaemonOrder`]) and what is there (lives) are
//! kept apart, and after every input compared again.
//!
//! ```text
//! slot            | becomes
//! no life, ready  | (wanted) starting
//! starting        | (started) up; (could not be started, or its shim died) waits; (policy) denied
//! up              | (start period over, and the readiness probe says so) ready; (start timeout) stopping
//! ready           | (health check failed too often) stopping
//! up, ready       | (ended) waits; finished, if its policy restarts no such end
//! starting .. ready | (not wanted, restarted, its turn to be replaced) stopping
//! stopping        | (ended) ready to start; waits, if it had failed its probes
//! waits           | (backoff over, changed, restarted) ready to start
//! denied          | (policy or job changed, restarted) ready to start
//! finished        | (changed, restarted) ready to start
//! any without life| (not wanted) gone
//! ```
//! Shown as [`crate::order::SlotState`]: a ready life counts as running; in a crash loop only after it has been up for the
//! whole window.
//!
//! Rules, each held by a test:
//! - never two lives in one slot: a new one only after the end of the old one is known;
//! - scaling touches the highest indexes only, and nothing else;
//! - a life is replaced (changed launch, a restart of all that somebody asked for, recycled) only while fewer than the job's
//!   `max_unavailable` slots do not serve, and not at all while a slot that is up to date is in a crash loop;
//! - a first failure of a process that ran restarts it at once; repeated ones wait with backoff and jitter; too many within the
//!   window or in a row, or a command that cannot be started at all, make a crash loop that is tried at the longest wait;
//! - a crash loop ends when its process was up for the whole window, the job's launch or policy changes, or somebody restarts it.

mod book;
mod digest;
mod follow;
mod io;
mod recover;
mod replace;
mod slot;
mod steer;
mod watch;

pub use book::SlotBook;
pub use digest::digest;
pub use io::{SlotEffect, SlotInput, SlotLimits};
pub use recover::SlotSurvey;
