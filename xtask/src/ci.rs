//! `cargo xtask ci` and its short form `cargo xtask test`.

use anyhow::Result;

use crate::databases::Databases;
use crate::phase::Phases;
use crate::{binary, browser, console, debian, rust, sim, workspace};

/// Everything that CI does, in an order that fails early.
pub(crate) fn full() -> Result<()> {
    let mut phases = Phases::default();
    phases.run("format", &[], |_| rust::format());
    phases.run("console: packages", &[], |_| console::install());
    phases.run("console: lint", &["console: packages"], |_| console::lint());
    phases.run("console: types and build", &["console: packages"], |_| {
        console::build()
    });
    phases.run("console: size", &["console: types and build"], |_| {
        console::size()
    });
    phases.run("console: tests", &["console: packages"], console::test);
    phases.run("lint", &[], |_| rust::lint());
    phases.run("documentation", &[], |_| rust::document());
    phases.run("build", &[], |_| {
        rust::build()?;
        binary::place_static_shim(&workspace::target()?.join("debug"))
    });
    let mut databases = None;
    phases.run("databases", &[], |_| {
        databases = Some(Databases::start()?);
        Ok(())
    });
    phases.run("tests", &["build", "databases"], |phases| {
        rust::test(phases, databases.as_ref())
    });
    drop(databases);
    phases.run("documentation tests", &["build"], rust::test_documentation);
    phases.run("simulation", &["build"], |_| {
        sim::program(sim::SEEDS_IN_CI).run()
    });
    phases.run("Debian packages", &[], |_| debian::install());
    let browser_needs = ["build", "console: types and build", "Debian packages"];
    phases.run("browser tests", &browser_needs, browser::test);
    phases.finish()
}

/// What a developer runs before a commit.
pub(crate) fn quick() -> Result<()> {
    let mut phases = Phases::default();
    phases.run("format", &[], |_| rust::format());
    phases.run("lint", &[], |_| rust::lint());
    phases.run("tests", &[], |phases| rust::test(phases, None));
    phases.finish()
}
