//! Rewriting the ledger beside itself, while it goes on being written.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::{JoinHandle, spawn_blocking};

use super::codec;
use super::entry::Entry;
use super::replay::{FRAME_HEADER_LEN, MAGIC, VERSION};

/// A rewrite under way. What is appended meanwhile goes to the old file and is kept here for the new one.
#[derive(Debug)]
pub(super) struct Rewrite {
    pub(super) tail: Vec<u8>,
    pub(super) step: RewriteStep,
}

/// How far a rewrite is.
#[derive(Debug)]
pub(super) enum RewriteStep {
    /// The new file is written and synced; gives it and its length.
    Writing(JoinHandle<io::Result<(File, u64)>>),
    /// What was appended meanwhile is synced as well. Until this is done the old file is not synced, so that nothing becomes
    /// durable in the old file that is not in the new one.
    Flushing {
        job: JoinHandle<io::Result<()>>,
        file: Arc<File>,
        len: u64,
    },
}

impl Rewrite {
    /// Begins to write these entries beside the ledger.
    pub(super) fn begin(path: PathBuf, entries: Vec<Entry>) -> Self {
        let job = spawn_blocking(move || write_new(&temporary(&path), &entries));
        Self {
            tail: Vec::new(),
            step: RewriteStep::Writing(job),
        }
    }

    /// Whether the old file must not be synced now.
    pub(super) fn holds_syncs(&self) -> bool {
        matches!(self.step, RewriteStep::Flushing { .. })
    }
}

/// Where the new file is written.
pub(super) fn temporary(path: &Path) -> PathBuf {
    path.with_extension("new")
}

/// Appends the frame of an entry.
pub(super) fn encode_frame(entry: &Entry, bytes: &mut Vec<u8>) {
    let begin = bytes.len();
    bytes.extend_from_slice(&[0; FRAME_HEADER_LEN]);
    codec::encode(entry, bytes);
    let body = &bytes[begin + FRAME_HEADER_LEN..];
    // An entry is far below 4 GiB: the largest holds what one message of the link can carry.
    let (len, crc) = (
        (body.len() as u32).to_le_bytes(),
        crc32fast::hash(body).to_le_bytes(),
    );
    bytes[begin..begin + 4].copy_from_slice(&len);
    bytes[begin + 4..begin + FRAME_HEADER_LEN].copy_from_slice(&crc);
}

/// Writes a whole ledger and syncs it. Gives the file and its length.
pub(super) fn write_new(path: &Path, entries: &[Entry]) -> io::Result<(File, u64)> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .read(true)
        .mode(0o600)
        .open(path)?;
    let mut writer = BufWriter::with_capacity(256 << 10, file);
    let mut len = 0;
    let mut put = |bytes: &[u8]| {
        len += bytes.len() as u64;
        writer.write_all(bytes)
    };
    put(MAGIC)?;
    put(&VERSION.to_le_bytes())?;
    let mut frame = Vec::new();
    for entry in entries {
        frame.clear();
        encode_frame(entry, &mut frame);
        put(&frame)?;
    }
    let file = writer
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok((file, len))
}

/// Syncs the directory that holds a file, so that its name is on the disk.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    path.parent()
        .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}
