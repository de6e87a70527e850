//! Where servers keep what must survive, unless told otherwise.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::failure::Failure;

/// The flag that tells otherwise.
#[derive(Args)]
pub(crate) struct DataDir {
    /// Directory of everything that must survive [default: /var/lib/cronfleet for root, else ~/.local/share/cronfleet; for a
    /// center or an agent alone /center or /agent below it]
    #[arg(
        long,
        env = "CRONFLEET_DATA_DIR",
        value_name = "DIR",
        help_heading = "Server"
    )]
    data_dir: Option<PathBuf>,
}

impl DataDir {
    /// The directory, from the root: of flag or environment, else of the configuration file, else the usual one.
    pub(crate) fn resolve(
        self,
        configured: Option<PathBuf>,
        usual: fn() -> Result<PathBuf, Failure>,
    ) -> Result<PathBuf, Failure> {
        match self.data_dir.or(configured) {
            Some(data_dir) => absolute(&data_dir),
            None => usual(),
        }
    }
}

/// Where a center keeps its data unless it is told otherwise.
pub(super) fn center_data_dir() -> Result<PathBuf, Failure> {
    Ok(data_dir()?.join("center"))
}

/// Where an agent keeps its data unless it is told otherwise.
pub(crate) fn agent_data_dir() -> Result<PathBuf, Failure> {
    Ok(data_dir()?.join("agent"))
}

/// `/var/lib/cronfleet` for root, else `cronfleet` below `$XDG_DATA_HOME` or `~/.local/share`.
pub(super) fn data_dir() -> Result<PathBuf, Failure> {
    if nix::unistd::Uid::effective().is_root() {
        return Ok(PathBuf::from("/var/lib/cronfleet"));
    }
    let folder = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let data =
        folder("XDG_DATA_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/share")));
    data.map(|data| data.join("cronfleet"))
        .ok_or_else(|| Failure::Input {
            field: "--data-dir".to_owned(),
            message: "there is no home directory to keep data in".to_owned(),
            hint: "name a directory with --data-dir".to_owned(),
        })
}

/// The path from the root: what is below it must not move when somebody changes directory.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|source| Failure::File {
        doing: "find",
        path: path.to_owned(),
        source,
    })
}
