//! The ledger: an append-only file from which everything the agent must not forget is made again.
//!
//! ```text
//! ledger   = header {"CFLEDGER", u32 version}, frame*
//! frame    = u32 length, u32 CRC-32 of the entry, entry (a message of ledger.proto); little endian
//! ```
//! An append is one write, so it survives the agent's process once it returns; the disk is synced in the background, many
//! appends at a time. A cut or damaged frame ends the file when it is read. When most of the file is dead it is rewritten from
//! what is still true, beside the old one, which stays in force until a rename.

mod account;
mod codec;
mod entry;
mod file;
mod replay;
mod rewrite;

pub use account::{RunAccount, read_accounts};
pub(crate) use entry::Entry;
pub use file::LedgerError;
pub(crate) use file::{Ledger, LedgerEvent};
pub(crate) use replay::Replayed;
