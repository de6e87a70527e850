//! Shipping output: every byte in the spool goes to a center, from the offset that a center last stored.
//!
//! A life has a spool from its start until a center has stored all of it; then the spool is removed. So whatever lies in the
//! spool directory when an agent starts is still to be shipped, and nothing about it needs to be in the ledger but, to save
//! work, how far it got. Output may be sent twice; the center tells by the offsets.
//!
//! Bounds: one message of at most 1 MiB is read at a time, a few MiB are on their way, lives take turns.

mod read;
mod spool;

pub(crate) use spool::{Outputs, SpoolLevel};
