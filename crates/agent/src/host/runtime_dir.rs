//! Where life folders go: memory, so that a start costs no disk flush, and gone after a reboot like the processes.

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use sha2::{Digest, Sha256};

use super::open::is_root;

/// Gives the runtime directory for an agent with this data directory.
///
/// In this order: `/run/cronfleet/` for root, `/dev/shm/cronfleet-<uid>/`, each only where it is a tmpfs; else `run`
/// inside the data directory, which is correct but slower. Agents with different data directories get different
/// folders below it. The answer must be the same after a restart, or running commands would be lost from sight:
/// it does not depend on the environment, a session, or the build.
#[must_use]
pub fn default_runtime_dir(data_dir: &Path) -> PathBuf {
    let agent = digest_of(data_dir);
    let run = Path::new("/run");
    if is_root() && is_tmpfs(run) {
        return run.join("cronfleet").join(agent);
    }
    let shm = Path::new("/dev/shm");
    if is_tmpfs(shm) {
        let uid = nix::unistd::Uid::effective();
        return shm.join(format!("cronfleet-{uid}")).join(agent);
    }
    data_dir.join("run")
}

/// Whether a directory is in memory, and so gone when the machine is.
#[must_use]
pub fn is_tmpfs(dir: &Path) -> bool {
    statfs(dir).is_ok_and(|fs| fs.filesystem_type() == TMPFS_MAGIC)
}

/// A short name for a directory; stable as long as it is not moved.
pub(super) fn digest_of(dir: &Path) -> String {
    let path = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let digest = Sha256::digest(path.as_os_str().as_bytes());
    digest.iter().take(8).fold(String::new(), |mut name, byte| {
        // Writing to a string cannot fail.
        let _ = write!(name, "{byte:02x}");
        name
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_data_dir_has_its_own() {
        let a = default_runtime_dir(Path::new("/var/lib/cronfleet"));
        assert_eq!(a, default_runtime_dir(Path::new("/var/lib/cronfleet")));
        assert_ne!(a, default_runtime_dir(Path::new("/var/lib/other")));
        assert!(a.is_absolute());
    }
}
