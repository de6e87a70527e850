//! The center: plans and records, hands out orders, takes in what became of them, and serves people.

pub mod bus;
mod calendars;
mod center;
mod clock;
pub mod config;
pub mod election;
pub mod fleet_clock;
mod follow;
mod heartbeats;
mod housekeeping;
pub mod http;
mod link;
pub mod mint;
pub mod nudge;
mod offers;
pub mod password;
mod peers;
pub mod pki;
mod planner;
mod relay;
pub mod seal;
pub mod setup;
mod shared_files;
mod windows;

pub use center::{Center, CenterError, DEFAULT_GROUP, take_file};
pub use config::Config;
pub use shared_files::AuthorityError;
