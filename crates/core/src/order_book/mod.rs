//! The order book: the agent's part in the life of a run, from its order to the acknowledged end.
//!
//! Pure: the shell feeds what happened ([`Input`]), performs what comes back ([`Effect`]) in order, and ticks the book when
//! [`OrderBook::next_wake`] says so.
//!
//! ```text
//! stage       | becomes
//! waiting     | (ledger synced, not_before − arm_ahead) arming
//! arming      | armed, unready; its shim died: waiting again, a few times
//! armed       | (not_before, its turn, the word if it is an offer, nothing alive unless overlap is allowed, room within the agent's limits) going; its shim died: waiting again
//! unready     | (not_before, its turn) settled: could not be started
//! going       | running; settled; its shim died and nothing ran: waiting again
//! running     | settled
//! settled     | (acknowledged) a tombstone until its window has passed for a while
//! any of the first four | settled: past not_after, revoked, killed, overlap
//! ```
//! Invariants, each held by a property test:
//! - at most one `Go` for a run that is not proven to have started nothing;
//! - `Go` only within `not_before..=not_after`, in order of `not_before` within one (job, copy);
//! - never a `Go` for an offer without the center's word, which does not outlive the agent;
//! - unless overlap is allowed never a `Go` while another run of (job, copy) is going or running;
//! - never more alive than the agent's limit allows, nor released faster;
//! - a run is prepared only after its order reached the disk, and reported as over only after that is in the ledger.

mod arm;
mod book;
mod consistent;
mod follow;
mod gate;
mod intake;
mod io;
mod lane;
mod recover;
mod settle;
mod stage;
mod turn;

pub use book::OrderBook;

pub use io::{Effect, Input, Limits, Phase};
pub use recover::{Survey, SurveyedBoot};
