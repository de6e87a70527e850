//! Trying the packaged product out under a real systemd: `packaging/test/run.sh` in a Debian root.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;

use crate::binary;
use crate::program::{Program, is_installed};
use crate::workspace;

/// What the machine has beside the smallest Debian there is.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,jq,procps";

#[derive(Args)]
pub(crate) struct Machine {
    /// Debian suite whose systemd is taken: bookworm has 252, trixie 257
    #[arg(long, default_value = "trixie")]
    suite: String,

    /// Tests of packaging/test to run, in this order; all when left out
    tests: Vec<String>,
}

impl Machine {
    pub(crate) fn run(self) -> Result<()> {
        if Program::new("id").args(["-u"]).read()?.trim() != "0" {
            bail!("only root can make control groups and namespaces");
        }
        let programs = binary::build(false)?;
        let programs = programs.parent().unwrap_or(&programs).to_owned();
        let root = self.root()?;
        Program::new(workspace::root().join("packaging/test/run.sh"))
            .args([root, programs])
            .args(self.tests)
            .run()
    }

    /// The Debian root, made once.
    fn root(&self) -> Result<PathBuf> {
        let root = workspace::target()?.join("machine").join(&self.suite);
        if root.exists() {
            return Ok(root);
        }
        if !is_installed("mmdebstrap") {
            bail!("install the package mmdebstrap");
        }
        let draft = root.with_extension("draft");
        if draft.exists() {
            fs::remove_dir_all(&draft)?;
        }
        fs::create_dir_all(&draft)?;
        Program::new("mmdebstrap")
            .args(["--variant=minbase", "--include", PACKAGES, &self.suite])
            .args([&draft])
            .run()?;
        fs::rename(&draft, &root)?;
        Ok(root)
    }
}
