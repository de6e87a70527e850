//! The versioned protocol between agent and center, and conversions to and from the domain types.
//!
//! The schema is `proto/cronfleet/link/v1/link.proto`. What comes from the other side is never trusted: every conversion
//! from a message checks it and names the field that is wrong.

pub mod convert;
pub mod identity;
mod limits;
pub mod output;
pub mod secret;

/// Messages and services generated from the schema.
#[expect(missing_docs, reason = "generated; the schema has the documentation")]
#[expect(clippy::all, reason = "generated")]
pub mod v1 {
    tonic::include_proto!("cronfleet.link.v1");
}

/// Version of the protocol that this build speaks.
pub const PROTOCOL: u32 = 1;

/// Largest message on the link, in bytes: a page of orders with scripts, or a page of output.
pub const MESSAGE_MAX_BYTES: usize = 16 << 20;

/// Most orders or claims in one message.
pub const BATCH_MAX: usize = 500;

/// Bytes before the data of a frame of output: time, stream, length.
pub const FRAME_HEADER_LEN: usize = 13;

/// Most bytes of output in one message.
pub const OUTPUT_BATCH_MAX_BYTES: usize = 1 << 20;
