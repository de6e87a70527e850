//! Files that nobody but their owner and the owners of the directories above them can change or replace.
//!
//! A path is walked one component at a time by descriptor, without following a single symbolic link, so that what is checked is
//! what was opened. A directory that others may write to is fine only with the sticky bit, where nobody can rename or remove what
//! is not theirs.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};

/// Why a file cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// It cannot be opened, or a directory above it cannot.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is a symbolic link, or a directory above it is.
    #[error("{} is a symbolic link", path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// It is no plain file, or its path is not absolute.
    #[error("{} is no plain file with an absolute path", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
    },
    /// Somebody else owns it, or a directory above it.
    #[error("{} belongs to uid {uid}", path.display())]
    Owner {
        /// The file or directory.
        path: PathBuf,
        /// Who owns it.
        uid: u32,
    },
    /// Others may change it, or a directory above it.
    #[error("{} can be changed by group or others", path.display())]
    Writable {
        /// The file or directory.
        path: PathBuf,
    },
}

/// A file that can be trusted, held open so that it stays the one that was checked.
#[derive(Debug)]
pub struct TrustedFile {
    fd: OwnedFd,
    /// Number of its file system.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
}

impl TrustedFile {
    /// Walks to a plain file. Every directory on the way and the file itself must belong to one of `owners` (uids).
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn open(path: &Path, owners: &[u32]) -> Result<Self, TrustError> {
        let kind = || TrustError::Kind {
            path: path.to_owned(),
        };
        let mut components = path.components();
        if components.next() != Some(Component::RootDir) {
            return Err(kind());
        }
        let mut at = PathBuf::from("/");
        let mut fd = step(nix::fcntl::AT_FDCWD, &at, &at)?;
        let mut stat = check(&fd, &at, owners)?;
        for component in components {
            let Component::Normal(name) = component else {
                return Err(kind());
            };
            at.push(name);
            fd = step(&fd, Path::new(name), &at)?;
            stat = check(&fd, &at, owners)?;
        }
        if !is_kind(&stat, SFlag::S_IFREG) {
            return Err(kind());
        }
        Ok(Self {
            fd,
            device: stat.st_dev,
            inode: stat.st_ino,
        })
    }

    /// Reads the whole of it.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&self) -> io::Result<String> {
        use std::os::fd::AsRawFd;
        // The descriptor only names the file; this opens that very file for reading.
        let file = File::open(format!("/proc/self/fd/{}", self.fd.as_raw_fd()))?;
        io::read_to_string(file)
    }
}

fn step(from: impl AsFd, name: &Path, at: &Path) -> Result<OwnedFd, TrustError> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(from, name, flags, Mode::empty()).map_err(|error| TrustError::Open {
        path: at.to_owned(),
        source: error.into(),
    })
}

fn check(fd: &OwnedFd, at: &Path, owners: &[u32]) -> Result<FileStat, TrustError> {
    let path = || at.to_owned();
    let stat = fstat(fd).map_err(|error| TrustError::Open {
        path: path(),
        source: error.into(),
    })?;
    if is_kind(&stat, SFlag::S_IFLNK) {
        return Err(TrustError::Link { path: path() });
    }
    if !owners.contains(&stat.st_uid) {
        return Err(TrustError::Owner {
            path: path(),
            uid: stat.st_uid,
        });
    }
    let is_sticky = is_kind(&stat, SFlag::S_IFDIR) && stat.st_mode & libc::S_ISVTX != 0;
    if stat.st_mode & 0o022 != 0 && !is_sticky {
        return Err(TrustError::Writable { path: path() });
    }
    Ok(stat)
}

fn is_kind(stat: &FileStat, kind: SFlag) -> bool {
    stat.st_mode & libc::S_IFMT == kind.bits()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use nix::unistd::Uid;

    use super::*;

    fn owners() -> [u32; 2] {
        [0, Uid::effective().as_raw()]
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_file_is_trusted_only_if_its_whole_path_is() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().canonicalize().unwrap().join("a");
        fs::create_dir(&place).unwrap();
        let file = place.join("file");
        fs::write(&file, "text").unwrap();
        let trusted = TrustedFile::open(&file, &owners()).unwrap();
        assert_eq!(trusted.read().unwrap(), "text");

        mode(&file, 0o664);
        assert!(
            matches!(TrustedFile::open(&file, &owners()), Err(TrustError::Writable { path }) if path == file)
        );
        mode(&file, 0o644);
        mode(&place, 0o777);
        assert!(
            matches!(TrustedFile::open(&file, &owners()), Err(TrustError::Writable { path }) if path == place)
        );
        mode(&place, 0o1777);
        assert!(
            TrustedFile::open(&file, &owners()).is_ok(),
            "sticky: what is there stays"
        );
        mode(&place, 0o755);

        let link = place.join("link");
        symlink(&file, &link).unwrap();
        assert!(
            matches!(TrustedFile::open(&link, &owners()), Err(TrustError::Link { path }) if path == link)
        );
        let linked = place.parent().unwrap().join("b");
        symlink(&place, &linked).unwrap();
        assert!(matches!(
            TrustedFile::open(&linked.join("file"), &owners()),
            Err(TrustError::Link { path }) if path == linked
        ));

        assert!(matches!(
            TrustedFile::open(&place, &owners()),
            Err(TrustError::Kind { .. })
        ));
        assert!(matches!(
            TrustedFile::open(Path::new("file"), &owners()),
            Err(TrustError::Kind { .. })
        ));
        assert!(matches!(
            TrustedFile::open(&file, &[]),
            Err(TrustError::Owner { .. })
        ));
        let up = place.join("../a/file");
        assert!(matches!(
            TrustedFile::open(&up, &owners()),
            Err(TrustError::Kind { .. })
        ));
        let missing = place.join("missing");
        assert!(matches!(
            TrustedFile::open(&missing, &owners()),
            Err(TrustError::Open { .. })
        ));
    }
}
