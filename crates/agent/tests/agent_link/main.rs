//! The whole agent against a center made for the purpose: real TLS, real shims, real processes.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod center;
mod crash;
mod daemons;
mod disk;
mod figures;
mod joining;
mod keeping;
mod pki;
mod policy;
mod rig;
mod runs;
mod sessions;
