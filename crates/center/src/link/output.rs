//! Output as it comes in: what is stored already is cut off, the rest is compressed.
//!
//! After a reconnect an agent begins again at what it knows to be stored, which may be less than what is stored, and may cut
//! its pieces at other places than before. The store takes and deletes whole chunks, so the known beginning of a piece is cut
//! off here, frame by frame, and the rest is cut into chunks that are small against the job's cap.

use std::collections::HashMap;

use bytes::{Buf, Bytes};
use cronfleet_core::access::Reach;
use cronfleet_core::id::LifeId;
use cronfleet_store::{LifeChunks, LifeKind, NewChunk, Store, StoreError};
use cronfleet_wire::convert::{self, MessageError};
use cronfleet_wire::{FRAME_HEADER_LEN, output, v1};

/// Output up to here is within every job's cap.
const CAP_MIN_BYTES: u64 = 4_096;
/// Most framed bytes that are kept of one life.
const CAP_MAX_BYTES: u64 = 1 << 30;
/// Least bytes of a chunk that is cut for a small cap.
const CHUNK_MIN_BYTES: u64 = 1_024;
/// Lives remembered; beyond it they are looked up anew.
const LIVES_MAX: usize = 10_000;

/// How much is kept of a life.
#[derive(Debug, Clone, Copy)]
struct Cap {
    /// Bytes in all.
    bytes: u64,
    /// Of them, bytes at the beginning. A daemon's process may run for months: what it wrote first is of no use for long.
    head_bytes: u64,
}

impl Cap {
    fn new(bytes: u64, kind: LifeKind) -> Self {
        let head_bytes = match kind {
            LifeKind::Run => bytes / 4,
            LifeKind::Process => 0,
        };
        Self { bytes, head_bytes }
    }

    /// Longest chunk: the store deletes whole chunks, so they must be small against the cap.
    fn chunk_bytes(self) -> u64 {
        (self.bytes / 8).clamp(CHUNK_MIN_BYTES, u64::from(NewChunk::LENGTH_MAX))
    }
}

/// What a session knows of a life.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// Everything before is stored, or was given up.
    seen_to: u64,
    /// How much to keep; `None` until it matters.
    cap: Option<Cap>,
}

/// The lives whose output a session takes in.
#[derive(Debug, Default)]
pub(super) struct OutputLives(HashMap<LifeId, Known>);

impl OutputLives {
    /// Makes of a piece what is to be stored of it.
    pub(super) async fn read(
        &mut self,
        store: &Store,
        piece: v1::OutputPiece,
    ) -> Result<Result<LifeChunks, MessageError>, StoreError> {
        let (life, frames, end) = match open(&piece) {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error)),
        };
        let mut known = match self.0.get(&life) {
            Some(known) => *known,
            None => {
                let row = store.life(&Reach::Everything, life).await?;
                Known {
                    seen_to: row.map_or(0, |row| row.seen_to),
                    cap: None,
                }
            }
        };
        if end > CAP_MIN_BYTES && known.cap.is_none() {
            known.cap = cap_of_job(store, life).await?;
        }
        let cap = known.cap.unwrap_or(Cap::new(CAP_MAX_BYTES, LifeKind::Run));
        let chunks = chunks(piece.offset, frames, known.seen_to, cap);
        known.seen_to = known.seen_to.max(end);
        if piece.is_end {
            self.0.remove(&life);
        } else {
            if self.0.len() >= LIVES_MAX {
                self.0.clear();
            }
            self.0.insert(life, known);
        }
        Ok(Ok(LifeChunks {
            life,
            cap_bytes: cap.bytes,
            head_bytes: cap.head_bytes,
            chunks,
            end_offset: piece.is_end.then_some(end),
        }))
    }
}

/// Whose output a piece is, its frames, and where they end.
fn open(piece: &v1::OutputPiece) -> Result<(LifeId, Bytes, u64), MessageError> {
    let life = convert::life_id(&piece.life)?;
    let frames = output::frames(piece)?;
    let end = u32::try_from(frames.len())
        .ok()
        .filter(|length| *length <= NewChunk::LENGTH_MAX)
        .and_then(|length| piece.offset.checked_add(u64::from(length)))
        .ok_or(MessageError {
            field: "output.frames",
        })?;
    Ok((life, frames, end))
}

/// How much to keep of a life, as its job's version says; `None` for a process that no report has made known yet.
async fn cap_of_job(store: &Store, life: LifeId) -> Result<Option<Cap>, StoreError> {
    let Some(row) = store.life(&Reach::Everything, life).await? else {
        return Ok(None);
    };
    let version = store
        .job_version(&Reach::Everything, row.job, row.job_version)
        .await?;
    let bytes = version.map_or(CAP_MAX_BYTES, |version| {
        version.spec.launch.output.cap_bytes
    });
    Ok(Some(Cap::new(bytes, row.kind)))
}

/// The frames that begin at `seen_to` or later, in chunks of whole frames, none of them across the end of the head.
fn chunks(mut offset: u64, mut frames: Bytes, seen_to: u64, cap: Cap) -> Vec<NewChunk> {
    let mut chunks = Vec::new();
    while offset < seen_to && !frames.is_empty() {
        let Some(length) = frame_length(&frames) else {
            return chunks;
        };
        offset += length as u64;
        frames.advance(length);
    }
    while !frames.is_empty() {
        let length = chunk_length(offset, &frames, cap);
        let Ok(chunk_length) = u32::try_from(length) else {
            return chunks;
        };
        let rest = frames.split_off(length);
        chunks.push(new_chunk(offset, chunk_length, &frames));
        offset += length as u64;
        frames = rest;
    }
    chunks
}

/// Length of the next chunk: at least one frame. What is no frame stays in one piece.
fn chunk_length(offset: u64, frames: &[u8], cap: Cap) -> usize {
    let is_head = offset < cap.head_bytes;
    let mut length = 0;
    while let Some(next) = frame_length(&frames[length..]) {
        let end = offset + (length + next) as u64;
        let is_too_long = end - offset > cap.chunk_bytes() || (is_head && end > cap.head_bytes);
        if length > 0 && is_too_long {
            return length;
        }
        length += next;
    }
    frames.len()
}

/// A chunk, compressed if that makes it shorter.
fn new_chunk(offset: u64, length: u32, frames: &[u8]) -> NewChunk {
    let compressed = output::compressed(frames);
    NewChunk {
        offset,
        length,
        is_compressed: compressed.is_some(),
        data: compressed.unwrap_or_else(|| frames.to_vec()),
    }
}

/// Length of the first frame with its header; `None` if it is cut short.
fn frame_length(frames: &[u8]) -> Option<usize> {
    let header: &[u8; FRAME_HEADER_LEN] = frames.first_chunk()?;
    let data = u32::from_le_bytes(*header.last_chunk()?) as usize;
    data.checked_add(FRAME_HEADER_LEN)
        .filter(|length| *length <= frames.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Cap = Cap {
        bytes: CAP_MAX_BYTES,
        head_bytes: CAP_MAX_BYTES / 4,
    };

    fn frame(text: &str) -> Vec<u8> {
        let mut bytes = 7_u64.to_le_bytes().to_vec();
        bytes.push(1);
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes
    }

    #[test]
    fn what_is_stored_already_is_cut_off_and_the_rest_is_kept() {
        let (one, two) = (frame("one"), frame("second"));
        let both = Bytes::from([one.clone(), two.clone()].concat());
        let start = 1_000;
        let second = start + one.len() as u64;
        let kept = |seen_to| -> Vec<(u64, Vec<u8>)> {
            let chunks = chunks(start, both.clone(), seen_to, WIDE);
            chunks.into_iter().map(|c| (c.offset, c.data)).collect()
        };
        assert_eq!(kept(0), [(start, both.to_vec())]);
        assert_eq!(kept(start), [(start, both.to_vec())]);
        assert_eq!(
            kept(second),
            [(second, two.clone())],
            "the end of a repeated piece may be new"
        );
        assert_eq!(kept(start + both.len() as u64), []);
    }

    #[test]
    fn a_piece_that_is_cut_short_is_not_taken_apart() {
        let whole = frame("text");
        let cut = Bytes::copy_from_slice(&whole[..whole.len() - 1]);
        assert!(chunks(10, cut.clone(), 11, WIDE).is_empty());
        let new = chunks(10, cut.clone(), 0, WIDE);
        assert_eq!((new.len(), new[0].length as usize), (1, cut.len()));
    }

    #[test]
    fn chunks_are_small_against_the_cap_and_stop_at_the_end_of_the_head() {
        let one = frame(&"x".repeat(987));
        assert_eq!(one.len(), 1_000);
        let frames = Bytes::from(one.repeat(100));
        let lengths = |offset, cap| -> Vec<u32> {
            let chunks = chunks(offset, frames.clone(), 0, cap);
            chunks.iter().map(|chunk| chunk.length).collect()
        };
        let run = Cap::new(40_000, LifeKind::Run);
        let cut = lengths(0, run);
        assert_eq!(cut[..3], [5_000, 5_000, 5_000], "the head is 10,000");
        let cut = lengths(7_500, run);
        assert_eq!(cut[..3], [2_000, 1_000, 5_000], "to the end of the head");
        assert_eq!(cut.iter().sum::<u32>(), 100_000);
        let tiny = Cap::new(4_096, LifeKind::Run);
        assert!(lengths(0, tiny).iter().all(|length| *length == 1_000));
        let daemon = Cap::new(1 << 20, LifeKind::Process);
        assert_eq!((daemon.head_bytes, lengths(0, daemon)), (0, vec![100_000]));
    }
}
