//! Database servers for the tests that need real ones: installed where that is possible, one of each kind for a whole test run.

use anyhow::Result;
use cronfleet_testdb::{Kind, PACKAGES, Server, is_installed};

use crate::debian;
use crate::program::Program;

/// The servers; they end with it.
pub(crate) struct Databases {
    postgres: Server,
    mysql: Server,
}

impl Databases {
    /// Installs what is missing and starts one server of each kind.
    pub(crate) fn start() -> Result<Self> {
        let missing = PACKAGES
            .iter()
            .filter(|(_, program)| !is_installed(program));
        debian::install_packages(&missing.map(|(package, _)| *package).collect::<Vec<_>>())?;
        Ok(Self {
            postgres: Server::start(Kind::Postgres, false)?,
            mysql: Server::start(Kind::Mysql, false)?,
        })
    }

    /// Tells a test runner where they are.
    pub(crate) fn tell(&self, runner: Program) -> Program {
        runner
            .env("CRONFLEET_TEST_POSTGRES", self.postgres.url())
            .env("CRONFLEET_TEST_MYSQL", self.mysql.url())
    }
}
