//! Where the servers' programs are.

use std::path::PathBuf;

use anyhow::{Context, Result};

/// Debian packages that have what [`find`] looks for, and a program of each.
pub const PACKAGES: [(&str, &str); 2] =
    [("postgresql", "postgres"), ("mariadb-server", "mariadbd")];

/// Whether everything that is needed is there.
pub fn is_installed(program: &str) -> bool {
    find(program).is_ok()
}

/// A program: where Debian keeps those of PostgreSQL, newest first, then as the shell finds it, then where only root looks.
pub(crate) fn find(program: &str) -> Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut folders: Vec<PathBuf> = versions
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    folders.sort_unstable();
    folders.reverse();
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    folders.extend(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders
        .into_iter()
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .with_context(|| format!("{program} is not installed"))
}
