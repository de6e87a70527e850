//! The agent: holds orders, starts and supervises processes, reports the truth.
//!
//! ```text
//! center ◄─ link ─► agent loop ─► order book, slot book   (core: decide)
//!                       │  └────► ledger                  (remembers, before anything is done)
//!                       ├───────► lives ─► host           (do)
//!                       └───────► outputs ─► spool        (ship)
//! ```
//! One task owns the books and the ledger. It turns whatever happens into inputs of the books, writes the records they ask for
//! in one batch, and only then does what they ask for. Everything else runs in tasks of its own and talks to it through bounded
//! channels; the loop itself never waits for any of them.

mod agent;
mod chores;
mod clock;
mod config;
mod dial;
pub mod doctor;
mod engine;
mod error;
mod facts;
pub mod host;
mod identity;
mod join;
mod ledger;
mod link;
mod lives;
mod outbox;
mod outputs;
pub mod policy;
mod status;
mod tls;

pub use agent::{Agent, AgentHandle};
pub use config::{Config, Limits, OnStop};
pub use dial::{DialError, dial_as};
pub use error::AgentError;
pub use identity::{Identity, IdentityError};
pub use join::{JoinError, join};
pub use ledger::{LedgerError, RunAccount, read_accounts};
pub use status::{
    CgroupStatus, LinkStatus, PolicyStatus, RefusedMessages, SpoolStatus, Status, StatusError,
    WorkStatus,
};
