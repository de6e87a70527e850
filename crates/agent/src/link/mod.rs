//! The link to a center: one session at a time, dialled again for ever.
//!
//! The link says when a session is up and when it is down, and passes messages on as they come. What is said in a session is
//! for others; only heartbeats (they measure the center's clock) and the renewal of the certificate are dealt with here.

mod addresses;
mod dialler;
mod heart;
mod record;
mod session;

pub(crate) use addresses::Addresses;
pub(crate) use dialler::{Link, LinkShared, SpoolGauge};
pub(crate) use record::LinkRecord;
pub use record::{LinkStatus, RefusedMessages};
pub(crate) use session::{LinkEvent, Session};
