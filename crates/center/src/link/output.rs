//! Output as it comes in: what is stored already is cut off, the rest is compressed.
//!
//! After a reconnect an agent begins again at what it knows to be stored, which may be less than what is stored, and may cut
//! its pieces at other places than before. The store takes whole chunks or none, so the known beginning of a piece is cut off
//! here, frame by frame.

use std::collections::HashMap;

use bytes::{Buf, Bytes};
use cronfleet_core::access::Reach;
use cronfleet_core::id::LifeId;
use cronfleet_store::{LifeChunks, NewChunk, Store, StoreError};
use cronfleet_wire::convert::{self, MessageError};
use cronfleet_wire::{FRAME_HEADER_LEN, v1};

/// Pieces shorter than this are stored as they are: a compressed frame has a fixed cost.
const COMPRESS_FROM_BYTES: usize = 256;
/// Output up to here is within every job's cap.
const CAP_MIN_BYTES: u64 = 4_096;
/// Most framed bytes that are kept of one life.
const CAP_MAX_BYTES: u64 = 1 << 30;
/// Lives remembered; beyond it they are looked up anew.
const LIVES_MAX: usize = 10_000;

/// What a session knows of a life.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// Everything before is stored, or was given up.
    seen_to: u64,
    /// Bytes to keep; `None` until it matters.
    cap_bytes: Option<u64>,
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
        let life = match convert::life_id(&piece.life) {
            Ok(life) => life,
            Err(error) => return Ok(Err(error)),
        };
        let Some(end) = u32::try_from(piece.frames.len())
            .ok()
            .filter(|length| *length <= NewChunk::LENGTH_MAX)
            .and_then(|length| piece.offset.checked_add(u64::from(length)))
        else {
            return Ok(Err(MessageError {
                field: "output.frames",
            }));
        };
        let mut known = match self.0.get(&life) {
            Some(known) => *known,
            None => {
                let row = store.life(&Reach::Everything, life).await?;
                Known {
                    seen_to: row.map_or(0, |row| row.seen_to),
                    cap_bytes: None,
                }
            }
        };
        if end > CAP_MIN_BYTES && known.cap_bytes.is_none() {
            known.cap_bytes = Some(cap_of_job(store, life).await?);
        }
        let chunks = chunk(piece.offset, piece.frames, known.seen_to)
            .into_iter()
            .collect();
        known.seen_to = known.seen_to.max(end);
        if piece.is_end {
            self.0.remove(&life);
        } else {
            if self.0.len() >= LIVES_MAX {
                self.0.clear();
            }
            self.0.insert(life, known);
        }
        let cap_bytes = known.cap_bytes.unwrap_or(CAP_MAX_BYTES);
        Ok(Ok(LifeChunks {
            life,
            cap_bytes,
            chunks,
            end_offset: piece.is_end.then_some(end),
        }))
    }
}

/// Bytes to keep of a life, as its job's version says.
async fn cap_of_job(store: &Store, life: LifeId) -> Result<u64, StoreError> {
    let Some(row) = store.life(&Reach::Everything, life).await? else {
        return Ok(CAP_MAX_BYTES);
    };
    let version = store
        .job_version(&Reach::Everything, row.job, row.job_version)
        .await?;
    Ok(version.map_or(CAP_MAX_BYTES, |version| {
        version.spec.launch.output.cap_bytes
    }))
}

/// The frames that begin at `seen_to` or later, compressed if that helps; `None` if there are none.
fn chunk(mut offset: u64, mut frames: Bytes, seen_to: u64) -> Option<NewChunk> {
    while offset < seen_to && !frames.is_empty() {
        let length = frame_length(&frames)?;
        offset += length as u64;
        frames.advance(length);
    }
    let length = u32::try_from(frames.len())
        .ok()
        .filter(|length| *length > 0)?;
    let compressed = (frames.len() >= COMPRESS_FROM_BYTES)
        .then(|| zstd::bulk::compress(&frames, 1).ok())
        .flatten()
        .filter(|compressed| compressed.len() < frames.len());
    Some(NewChunk {
        offset,
        length,
        is_compressed: compressed.is_some(),
        data: compressed.unwrap_or_else(|| frames.to_vec()),
    })
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
        let kept =
            |seen_to| chunk(start, both.clone(), seen_to).map(|chunk| (chunk.offset, chunk.data));
        assert_eq!(kept(0), Some((start, both.to_vec())));
        assert_eq!(kept(start), Some((start, both.to_vec())));
        assert_eq!(
            kept(second),
            Some((second, two.clone())),
            "the end of a repeated piece may be new"
        );
        assert_eq!(kept(start + both.len() as u64), None);
    }

    #[test]
    fn a_piece_that_is_cut_short_is_not_taken_apart() {
        let whole = frame("text");
        let cut = Bytes::copy_from_slice(&whole[..whole.len() - 1]);
        assert!(chunk(10, cut, 11).is_none());
    }
}
