//! The REST interface of a center, seen from the command line.

mod connection;
mod credentials;
mod names;
mod sse;

pub(crate) use connection::{Answer, Client, Query};
pub(crate) use credentials::Credentials;
pub(crate) use names::{find, id_of, ids_of};
pub(crate) use sse::EventStream;
