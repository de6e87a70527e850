//! Reading the next message out of the spool.

use cronfleet_core::id::LifeId;
use cronfleet_shim::frame::{DATA_LEN_MAX, HEADER_LEN};
use cronfleet_wire::{convert, output, v1};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::host::{Host, OutputError, OutputPage};

/// Most bytes of one life in one message, so that lives take turns.
const LIFE_SHARE: usize = 256 << 10;

/// Longest frame in bytes.
const FRAME_MAX: usize = HEADER_LEN + DATA_LEN_MAX;

/// What to read of one life.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    pub(super) life: LifeId,
    pub(super) from: u64,
    /// Whether nothing more is being written.
    pub(super) is_over: bool,
    /// Where the output of a life that is over ends, if that is known.
    pub(super) end_offset: Option<u64>,
}

/// What was read of one life.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) life: LifeId,
    pub(super) pieces: Vec<v1::OutputPiece>,
    pub(super) next: u64,
    /// Whether there was nothing more.
    pub(super) is_exhausted: bool,
    /// Whether the last piece says that the output is complete.
    pub(super) is_end: bool,
    pub(super) error: Option<OutputError>,
}

/// Reads up to `budget` bytes (or one frame) of these lives, in this order, and compresses what gets shorter by it if the
/// center takes that. Lives that get no turn are not in the answer.
pub(super) fn read(
    host: Host,
    requests: Vec<Request>,
    budget: usize,
    clock_offset_us: i64,
    is_compressed: bool,
) -> JoinHandle<Vec<Answer>> {
    spawn_blocking(move || {
        let mut left = budget;
        let mut answers = Vec::new();
        for request in requests {
            if left < FRAME_MAX && left < budget {
                break;
            }
            let answer = read_life(&host, request, left.min(LIFE_SHARE), clock_offset_us);
            let read: usize = answer.pieces.iter().map(|piece| piece.frames.len()).sum();
            left = left.saturating_sub(read);
            answers.push(answer);
        }
        if is_compressed {
            let pieces = answers.iter_mut().flat_map(|answer| &mut answer.pieces);
            pieces.for_each(output::compress);
        }
        answers
    })
}

fn read_life(host: &Host, request: Request, budget: usize, clock_offset_us: i64) -> Answer {
    let reader = host.output(request.life.as_uuid());
    let mut answer = Answer {
        life: request.life,
        pieces: Vec::new(),
        next: request.from,
        is_exhausted: false,
        is_end: false,
        error: None,
    };
    let mut left = budget;
    // A page has at least one frame, however long, so what could be too long waits for its next turn.
    while !answer.is_exhausted && (left >= FRAME_MAX || left == budget) {
        if request.end_offset.is_some_and(|end| answer.next >= end) {
            answer.is_exhausted = true;
            break;
        }
        match reader.read(answer.next, left) {
            Ok(page) if page.bytes.is_empty() => answer.is_exhausted = true,
            Ok(page) => {
                left = left.saturating_sub(page.bytes.len());
                answer.next = page.next_offset;
                answer
                    .pieces
                    .push(piece(request.life, page, clock_offset_us));
            }
            // What lies there is no output, and never will be.
            Err(error @ OutputError::NoFrame { .. }) => {
                tracing::error!(life.id = %request.life, %error, "output is damaged");
                answer.is_exhausted = true;
            }
            Err(error) => {
                answer.error = Some(error);
                return answer;
            }
        }
    }
    if request.is_over && answer.is_exhausted {
        finish(&mut answer, request.end_offset);
    }
    answer
}

/// Says with the last piece that the output is complete.
fn finish(answer: &mut Answer, end_offset: Option<u64>) {
    let end = end_offset.unwrap_or(answer.next).max(answer.next);
    answer.is_end = true;
    match answer.pieces.last_mut() {
        Some(last) if end == answer.next => last.is_end = true,
        _ => answer.pieces.push(v1::OutputPiece {
            life: convert::id_bytes(answer.life.as_uuid()),
            offset: end,
            is_end: true,
            ..v1::OutputPiece::default()
        }),
    }
    answer.next = end;
}

fn piece(life: LifeId, page: OutputPage, clock_offset_us: i64) -> v1::OutputPiece {
    let mut frames = page.bytes;
    to_center_time(&mut frames, clock_offset_us);
    v1::OutputPiece {
        life: convert::id_bytes(life.as_uuid()),
        offset: page.offset,
        frames: frames.into(),
        ..v1::OutputPiece::default()
    }
}

/// Rewrites the times of frames from the machine's own clock to the center's.
fn to_center_time(frames: &mut [u8], clock_offset_us: i64) {
    let mut rest = frames;
    while let Some((head, after)) = rest.split_first_chunk_mut::<HEADER_LEN>() {
        let [a, b, c, d, e, f, g, h, _, i, j, k, l] = *head;
        let at =
            u64::from_le_bytes([a, b, c, d, e, f, g, h]).saturating_add_signed(-clock_offset_us);
        head[..8].copy_from_slice(&at.to_le_bytes());
        let len = u32::from_le_bytes([i, j, k, l]) as usize;
        rest = after.get_mut(len..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use cronfleet_shim::frame::{Header, Stream};

    use super::*;
    use crate::host::decode_frames;

    #[test]
    fn frames_get_the_centers_time() {
        let mut frames = Vec::new();
        for (at_us, data) in [(1_000, "one"), (2_000, "three")] {
            let header = Header {
                at_us,
                stream: Stream::Stderr,
                len: data.len(),
            };
            frames.extend_from_slice(&header.encode());
            frames.extend_from_slice(data.as_bytes());
        }
        to_center_time(&mut frames, 300);
        let shown: Vec<(u64, &[u8])> = decode_frames(&frames)
            .unwrap()
            .iter()
            .map(|frame| (frame.at_us, frame.bytes))
            .collect();
        assert_eq!(shown, [(700, &b"one"[..]), (1_700, &b"three"[..])]);
        to_center_time(&mut frames[..20], -5);
    }

    #[test]
    fn the_end_is_said_once_all_is_read() {
        let answer = |next, pieces| Answer {
            life: LifeId::from_u128(1),
            pieces,
            next,
            is_exhausted: true,
            is_end: false,
            error: None,
        };
        let data = v1::OutputPiece {
            frames: Bytes::from_static(&[0; 20]),
            ..Default::default()
        };
        let mut whole = answer(20, vec![data.clone()]);
        finish(&mut whole, Some(20));
        assert!(whole.pieces.len() == 1 && whole.pieces[0].is_end);
        let mut cut = answer(20, vec![data]);
        finish(&mut cut, Some(50));
        assert_eq!(
            (cut.pieces.len(), cut.pieces[1].offset, cut.next),
            (2, 50, 50)
        );
        let mut none = answer(0, Vec::new());
        finish(&mut none, None);
        assert!(none.pieces[0].is_end && none.pieces[0].frames.is_empty());
    }
}
