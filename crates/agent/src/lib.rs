//! The agent: holds orders, starts and supervises processes, reports the truth.

pub mod host;
