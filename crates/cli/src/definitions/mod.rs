//! `cronfleet export`, `diff` and `apply`: definitions of many jobs as files.
//!
//! Files are YAML and are read here only; the center is sent JSON, and says what is wrong by paths, which become lines again.

mod apply;
mod concise;
mod export;
mod files;
mod mistake;
mod node;
mod problem;
#[cfg(test)]
mod round_trip;
mod set;
mod shape;
mod show;
mod write;
mod yaml;

pub(crate) use apply::{Apply, Diff};
pub(crate) use export::Export;
pub(crate) use problem::Problems;
pub(crate) use set::LoadedSet;
pub(crate) use show::field_lines;
