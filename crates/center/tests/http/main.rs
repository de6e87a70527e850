//! The REST interface as clients meet it: the real router on a real socket over a real store.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod bulk;
mod calendars;
mod definitions;
mod forecast;
mod jobs;
mod openapi;
mod origin;
mod permissions;
mod run_limits;
mod sign_in;
mod streams;
mod surface;
mod timing;
mod tls;
mod windows;
mod world;
