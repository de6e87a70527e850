//! The file behind a program's name.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A program that was looked at before its start: this file and no other is executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Its path, without any symbolic link.
    pub path: PathBuf,
    /// Number of its file system.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
}

/// Finds the real file that a program's name stands for, as `execvp(3)` would: at its path, seen from the working directory, or
/// in the absolute directories of `path`. `None` if there is none.
#[must_use]
pub fn find_program(program: &OsStr, directory: &Path, path: &OsStr) -> Option<PathBuf> {
    if program.is_empty() {
        return None;
    }
    if program.as_bytes().contains(&b'/') {
        return directory.join(program).canonicalize().ok();
    }
    let mut places = path
        .as_bytes()
        .split(|byte| *byte == b':')
        .map(OsStr::from_bytes);
    places.find_map(|place| {
        let candidate = Path::new(place).join(program);
        let meta = candidate.metadata().ok()?;
        let is_executable = meta.is_file() && meta.permissions().mode() & 0o111 != 0;
        (candidate.is_absolute() && is_executable)
            .then(|| candidate.canonicalize().ok())
            .flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_where_it_would_be_executed() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().canonicalize().unwrap();
        for (name, mode) in [("tool", 0o755), ("text", 0o644)] {
            std::fs::write(place.join(name), "").unwrap();
            std::fs::set_permissions(place.join(name), std::fs::Permissions::from_mode(mode))
                .unwrap();
        }
        std::os::unix::fs::symlink(place.join("tool"), place.join("link")).unwrap();
        let find =
            |program: &str, path: &str| find_program(OsStr::new(program), &place, OsStr::new(path));
        let places = format!("relative:/no/such:{}", place.display());
        let tool = Some(place.join("tool"));
        assert_eq!(find("tool", &places), tool);
        assert_eq!(find("link", &places), tool, "links are resolved");
        assert_eq!(find("./tool", ""), tool);
        assert_eq!(find(place.join("tool").to_str().unwrap(), ""), tool);
        assert_eq!(find("text", &places), None, "not executable");
        for missing in ["none", "/no/such/tool", ""] {
            assert_eq!(find(missing, &places), None);
        }
    }
}
