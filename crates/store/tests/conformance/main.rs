//! What every engine must do alike. Each module lists its cases once; [`conformance!`] runs them on each engine.
//!
//! To add an engine: give [`db::TestDb`] a way to make an empty database of it, and the macro below a module for it.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

/// Makes one test per engine of each case. A case is an `async fn(World)`.
macro_rules! conformance {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case(crate::world::World::new(crate::db::TestDb::sqlite()).await).await;
                }
            )+
        }
    };
}

mod db;
mod world;

mod agents;
mod centers;
mod claims;
mod dispatch;
mod edits;
mod groups;
mod jobs;
mod kills;
mod leases;
mod manual;
mod migrations;
mod outputs;
mod plans;
mod reach;
mod retention;
mod run_lists;
mod secrets;
mod sessions;
mod slots;
mod users;
