//! Reading the ledger when the agent starts.

use std::fs::File;
use std::io::{self, BufReader, Read};

use super::codec;
use super::entry::Entry;

/// First bytes of every ledger.
pub(super) const MAGIC: &[u8; 8] = b"CFLEDG\0\0";

/// Version that this build writes, and the newest it reads.
pub(super) const VERSION: u32 = 1;

/// Bytes before the first frame.
pub(super) const HEADER_LEN: u64 = 12;

/// Bytes before each entry.
pub(super) const FRAME_HEADER_LEN: usize = 8;

/// Longest entry that can be genuine: all wanted daemons with their scripts are one entry.
const ENTRY_LEN_MAX: u32 = 256 << 20;

/// What a ledger said.
#[derive(Debug, Default)]
pub(crate) struct Replayed {
    /// Its entries, oldest first.
    pub(crate) entries: Vec<Entry>,
    /// Whether there had been a ledger, and it is gone or cannot be read.
    pub(crate) is_lost: bool,
}

/// Head of a ledger file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// Of this version.
    Good,
    /// Of another version.
    Version(u32),
    /// Of something else.
    Foreign,
}

/// Reads the head of a file.
pub(super) fn read_head(file: &mut File) -> io::Result<Head> {
    let mut head = [0; HEADER_LEN as usize];
    match file.read_exact(&mut head) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(Head::Foreign),
        other => other?,
    }
    let (magic, version) = head.split_at(MAGIC.len());
    if magic != MAGIC {
        return Ok(Head::Foreign);
    }
    Ok(match version.try_into().map(u32::from_le_bytes) {
        Ok(VERSION) => Head::Good,
        Ok(other) => Head::Version(other),
        Err(_) => Head::Foreign,
    })
}

/// Reads entries after the head until the end or the first frame that is cut or damaged. Gives them, and the length of the file
/// up to there.
pub(super) fn read_entries(file: &mut File) -> io::Result<(Vec<Entry>, u64)> {
    let mut reader = BufReader::with_capacity(64 << 10, file);
    let mut entries = Vec::new();
    let mut len = HEADER_LEN;
    let mut bytes = Vec::new();
    while let Some(entry) = read_frame(&mut reader, &mut bytes)? {
        len += (FRAME_HEADER_LEN + bytes.len()) as u64;
        entries.extend(entry);
    }
    Ok((entries, len))
}

/// Reads one frame: `None` if there is no whole one, `Some(None)` for an entry of an unknown kind.
fn read_frame(reader: &mut impl Read, bytes: &mut Vec<u8>) -> io::Result<Option<Option<Entry>>> {
    let mut head = [0; FRAME_HEADER_LEN];
    if !read_whole(reader, &mut head)? {
        return Ok(None);
    }
    let [a, b, c, d, e, f, g, h] = head;
    let len = u32::from_le_bytes([a, b, c, d]);
    let crc = u32::from_le_bytes([e, f, g, h]);
    if len == 0 || len > ENTRY_LEN_MAX {
        return Ok(None);
    }
    bytes.clear();
    let read = reader.by_ref().take(u64::from(len)).read_to_end(bytes)?;
    if read as u64 != u64::from(len) || crc32fast::hash(bytes) != crc {
        return Ok(None);
    }
    match codec::decode(bytes) {
        Ok(entry) => Ok(Some(entry)),
        Err(error) => {
            tracing::error!(%error, "an entry of the ledger makes no sense and is passed over");
            Ok(Some(None))
        }
    }
}

fn read_whole(reader: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(e) => Err(e),
    }
}
