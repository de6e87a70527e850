//! The life folder, seen by the shim.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use cronfleet_shim::file;
use cronfleet_shim::life::{ExitRecord, ProcessId, ShimRecord, StartedRecord, start_ticks};

/// Space taken for a record before it is needed, in bytes.
const RECORD_LEN: usize = 4096;

/// A locked life folder. The lock is held until this is dropped.
pub(crate) struct Folder {
    path: PathBuf,
    /// This shim.
    pub(crate) shim: ProcessId,
    _lock: File,
}

/// A record whose space on the file system is already taken.
pub(crate) struct Reserved {
    file: File,
    path: PathBuf,
}

impl Folder {
    /// Locks a folder; `None` if another shim holds it or has used it.
    pub(crate) fn enter(path: PathBuf) -> io::Result<Option<Self>> {
        let mut lock = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path.join(file::LOCK))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(e)) => return Err(e),
        }
        if path.join(file::STARTED).exists() || path.join(file::EXIT).exists() {
            return Ok(None);
        }
        let shim = process_id(i32::try_from(std::process::id()).map_err(io::Error::other)?)?;
        lock.set_len(0)?;
        lock.write_all(&ShimRecord { shim }.encode())?;
        Ok(Some(Self {
            path,
            shim,
            _lock: lock,
        }))
    }

    /// Path of a file in the folder.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Takes space for a record, so that a full file system cannot refuse it later.
    pub(crate) fn reserve(&self, name: &str) -> io::Result<Reserved> {
        let path = self.join(name);
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&path)?;
        file.write_all(&[0; RECORD_LEN])?;
        Ok(Reserved { file, path })
    }

    /// Makes the start known. From here on the command counts as started.
    pub(crate) fn write_started(&self, space: &Reserved, record: &StartedRecord) -> io::Result<()> {
        space.publish(&record.encode(), &self.join(file::STARTED))
    }

    /// Makes the end known.
    pub(crate) fn write_exit(&self, space: &Reserved, record: &ExitRecord) -> io::Result<()> {
        space.publish(&record.encode(), &self.join(file::EXIT))
    }
}

impl Reserved {
    /// Fills the space and gives it its final name, in one step for every reader.
    fn publish(&self, bytes: &[u8], to: &Path) -> io::Result<()> {
        self.file.write_all_at(bytes, 0)?;
        self.file.set_len(bytes.len() as u64)?;
        fs::rename(&self.path, to)
    }
}

/// Tells a living process apart from later ones with its number.
pub(crate) fn process_id(pid: i32) -> io::Result<ProcessId> {
    // One read: the kernel gives the whole line at once, and it is shorter than this.
    let mut line = [0; STAT_LEN];
    let len = File::open(format!("/proc/{pid}/stat"))?.read(&mut line)?;
    let stat = String::from_utf8_lossy(&line[..len]);
    let start_ticks = start_ticks(&stat).ok_or(io::ErrorKind::InvalidData)?;
    Ok(ProcessId { pid, start_ticks })
}

/// More than `/proc/<pid>/stat` ever holds.
const STAT_LEN: usize = 1024;
