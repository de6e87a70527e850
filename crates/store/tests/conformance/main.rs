//! What every engine must do alike. Each module lists its cases once; [`conformance!`] runs them on each engine.
//!
//! To add an engine: give [`db::TestDb`] a way to make an empty database of it, and the macro below a module for it.
//!
//! The servers for PostgreSQL and MySQL come from `cargo xtask ci`; by themselves the tests run on SQLite only (see
//! `.config/nextest.toml`).

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

/// Makes one test per engine of each case. A case is an `async fn(World)`.
macro_rules! conformance {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(conformance!(@test $case Sqlite);)+
        }
        mod postgres {
            $(conformance!(@test $case Postgres);)+
        }
        mod mysql {
            $(conformance!(@test $case Mysql);)+
        }
    };
    (@test $case:ident $engine:ident) => {
        #[tokio::test]
        async fn $case() {
            let db = crate::db::TestDb::new(cronfleet_store::Engine::$engine).await;
            super::$case(crate::world::World::new(db).await).await;
        }
    };
}

mod catalog;
mod db;
mod world;

mod agents;
mod calendars;
mod centers;
mod change_sets;
mod claims;
mod copies;
mod dispatch;
mod edits;
mod forecasts;
mod groups;
mod jobs;
mod kills;
mod leases;
mod manual;
mod many_jobs;
mod migrations;
mod offers;
mod outputs;
mod plans;
mod races;
mod reach;
mod retention;
mod run_lists;
mod secrets;
mod sessions;
mod slots;
mod snoozes;
mod users;
mod why;
mod windows;
