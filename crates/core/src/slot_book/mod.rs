//! The slot book: keeps daemon processes alive on an agent.
//!
//! Pure, like the [order book](crate::order_book). What is wanted ([`crate::order::DaemonOrder`]) and what is there (lives) are
//! kept apart, and after every input compared again.
//!
//! ```text
//! slot            | becomes
//! no life, ready  | (wanted) starting
//! starting        | (started) up; (could not be started, or its shim died) waits; (policy) denied
//! up              | (ended) waits; finished, if it ended well and restarts on failure only
//! starting, up    | (not wanted, outdated and its turn, restarted) stopping
//! stopping        | (ended) ready
//! waits           | (backoff over, changed, restarted) ready
//! denied          | (policy or job changed, restarted) ready
//! finished        | (changed, restarted) ready
//! any without life| (not wanted) gone
//! ```
//! Shown as [`crate::order::SlotState`]: a life counts as running after its start period; in a crash loop only after it has
//! been up for the whole window.
//!
//! Rules, each held by a test:
//! - never two lives in one slot: a new one only after the end of the old one is known;
//! - scaling touches the highest indexes only, and nothing else;
//! - a changed launch replaces lives one at a time, and goes on only while every other slot of the job runs;
//! - a first failure of a process that ran restarts it at once; repeated ones wait with backoff and jitter; too many within the
//!   window, or a command that cannot be started at all, make a crash loop that is tried at the longest wait.

mod book;
mod digest;
mod follow;
mod io;
mod recover;
mod slot;
mod steer;

pub use book::SlotBook;
pub use digest::digest;
pub use io::{SlotEffect, SlotInput, SlotLimits};
pub use recover::SlotSurvey;
