//! Pieces of output on the wire: whole frames, compressed where it pays.

use bytes::Bytes;

use crate::OUTPUT_BATCH_MAX_BYTES;
use crate::convert::MessageError;
use crate::v1::OutputPiece;

/// Pieces shorter than this are sent and stored as they are: a compressed one has a fixed cost.
pub const COMPRESS_FROM_BYTES: usize = 256;

/// Fast, and most of what better levels gain on text.
const LEVEL: i32 = 1;

/// Frames as one zstd frame; `None` if that is not shorter.
pub fn compressed(frames: &[u8]) -> Option<Vec<u8>> {
    if frames.len() < COMPRESS_FROM_BYTES {
        return None;
    }
    let packed = zstd::bulk::compress(frames, LEVEL).ok()?;
    (packed.len() < frames.len()).then_some(packed)
}

/// Compresses a piece if that makes it shorter. Only for a center that says to understand it.
pub fn compress(piece: &mut OutputPiece) {
    let Ok(plain_length) = u32::try_from(piece.frames.len()) else {
        return;
    };
    if let Some(packed) = compressed(&piece.frames) {
        piece.frames = packed.into();
        piece.plain_length = plain_length;
    }
}

/// Length of a piece's frames in the framed stream.
pub fn plain_length(piece: &OutputPiece) -> usize {
    match piece.plain_length {
        0 => piece.frames.len(),
        length => length as usize,
    }
}

/// The frames of a piece. What the other side says about their length is believed only up to a message's most.
///
/// # Errors
/// They are too many, or cannot be decompressed to the length they are said to have.
pub fn frames(piece: &OutputPiece) -> Result<Bytes, MessageError> {
    let wrong = MessageError {
        field: "output.frames",
    };
    let length = plain_length(piece);
    if length > OUTPUT_BATCH_MAX_BYTES {
        return Err(wrong);
    }
    if piece.plain_length == 0 {
        return Ok(piece.frames.clone());
    }
    match zstd::bulk::decompress(&piece.frames, length) {
        Ok(frames) if frames.len() == length => Ok(frames.into()),
        Ok(_) | Err(_) => Err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(frames: Vec<u8>) -> OutputPiece {
        OutputPiece {
            frames: frames.into(),
            ..OutputPiece::default()
        }
    }

    #[test]
    fn text_travels_short_and_comes_out_as_it_was() {
        let text = b"the same line again and again\n".repeat(1_000);
        let mut sent = piece(text.clone());
        compress(&mut sent);
        assert!(sent.frames.len() < text.len() / 20, "{}", sent.frames.len());
        assert_eq!(plain_length(&sent), text.len());
        assert_eq!(frames(&sent).unwrap(), text);
    }

    #[test]
    fn what_does_not_get_shorter_travels_as_it_is() {
        let mut noise = vec![0_u8; 4_096];
        let mut state = 7_u32;
        for byte in &mut noise {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = (state >> 24) as u8;
        }
        for plain in [b"short".to_vec(), noise] {
            let mut sent = piece(plain.clone());
            compress(&mut sent);
            assert_eq!(
                (sent.plain_length, frames(&sent).unwrap()),
                (0, plain.into())
            );
        }
    }

    #[test]
    fn a_length_that_is_a_lie_is_refused() {
        let mut sent = piece(vec![0; 100_000]);
        compress(&mut sent);
        for lie in [99_999, 100_001, u32::MAX] {
            let liar = OutputPiece {
                plain_length: lie,
                ..sent.clone()
            };
            assert!(frames(&liar).is_err(), "{lie}");
        }
        let noise = OutputPiece {
            plain_length: 10,
            ..piece(b"no zstd".to_vec())
        };
        assert!(frames(&noise).is_err());
    }
}
