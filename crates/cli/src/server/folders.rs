//! Where servers keep what must survive, unless told otherwise.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

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
