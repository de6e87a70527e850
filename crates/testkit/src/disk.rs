//! A small disk that can be full.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

/// Bytes that are written at a time to fill it, and the few at the end.
const BLOCKS_BYTES: [usize; 2] = [64 * 1024, 1];

/// A file system in memory at a directory; gone when dropped. Needs root.
#[derive(Debug)]
pub struct Disk {
    at: PathBuf,
}

impl Disk {
    /// Makes the directory `at` a file system of its own with room for `bytes`.
    ///
    /// # Errors
    /// The directory cannot be made, or this process may mount nothing.
    pub fn mount(at: &Path, bytes: u64) -> anyhow::Result<Self> {
        std::fs::create_dir_all(at)?;
        let size = format!("size={bytes},mode=0700");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "cronfleet-test"])
            .arg(at)
            .output()?;
        ensure!(
            mounted.status.success(),
            "cannot mount a tmpfs: {}",
            String::from_utf8_lossy(&mounted.stderr)
        );
        Ok(Self { at: at.to_owned() })
    }

    /// Takes all the room that is left.
    ///
    /// # Errors
    /// Writing fails for another reason than that.
    pub fn fill(&self) -> anyhow::Result<()> {
        let mut ballast = File::create(self.ballast())?;
        for size in BLOCKS_BYTES {
            let block = vec![0; size];
            loop {
                match ballast.write_all(&block) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => return Err(error).context("cannot fill the disk"),
                }
            }
        }
        Ok(())
    }

    /// Gives the room back that [`Disk::fill`] took.
    ///
    /// # Errors
    /// It has not been filled.
    pub fn free(&self) -> anyhow::Result<()> {
        Ok(std::fs::remove_file(self.ballast())?)
    }

    fn ballast(&self) -> PathBuf {
        self.at.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whoever still uses it keeps it until the end.
        let _unmounted = Command::new("umount").arg("--lazy").arg(&self.at).status();
    }
}
