//! Reading stored output: chunks of frames into pieces of text.
//!
//! A frame is 8 bytes of time (microseconds since 1970), 1 byte of stream (1 standard output, 2 standard error), 4 bytes of
//! length, little endian, and the bytes. What an agent sent is not trusted: a chunk that does not hold whole frames is read as
//! far as it does, and the rest shows as a gap.

use cronfleet_api::output::{OutputChunk, OutputStream};
use cronfleet_store::ChunkRow;
use cronfleet_wire::FRAME_HEADER_LEN as HEADER_LEN;
use jiff::Timestamp;

/// Bytes written to one stream at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// Where the frame begins in the stored stream.
    pub(super) offset: u64,
    /// Where it ends.
    pub(super) end: u64,
    /// When the bytes were read from the process.
    pub(super) at: Timestamp,
    /// Where they were written; never [`OutputStream::Gap`].
    pub(super) stream: OutputStream,
    /// The bytes.
    pub(super) data: Vec<u8>,
}

/// The frames of chunks, in order.
pub(super) fn frames_of(chunks: &[ChunkRow]) -> Vec<Frame> {
    let mut frames = Vec::new();
    for chunk in chunks {
        let length = chunk.length as usize;
        let unpacked;
        let bytes = if chunk.is_compressed {
            match zstd::bulk::decompress(&chunk.data, length) {
                Ok(bytes) => {
                    unpacked = bytes;
                    unpacked.as_slice()
                }
                Err(_) => continue,
            }
        } else {
            chunk.data.as_slice()
        };
        read_chunk(chunk.offset, &bytes[..bytes.len().min(length)], &mut frames);
    }
    frames
}

fn read_chunk(mut offset: u64, mut bytes: &[u8], frames: &mut Vec<Frame>) {
    while let Some((frame, rest)) = read_frame(offset, bytes) {
        offset = frame.end;
        bytes = rest;
        frames.push(frame);
    }
}

fn read_frame(offset: u64, bytes: &[u8]) -> Option<(Frame, &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<HEADER_LEN>()?;
    let (at, header) = header.split_first_chunk::<8>()?;
    let (stream, length) = header.split_first()?;
    let length = u32::from_le_bytes(*length.first_chunk()?) as usize;
    let (data, rest) = rest.split_at_checked(length)?;
    let at = i64::try_from(u64::from_le_bytes(*at)).ok()?;
    let stream = match stream {
        1 => OutputStream::Stdout,
        2 => OutputStream::Stderr,
        _ => return None,
    };
    let frame = Frame {
        offset,
        end: offset + (HEADER_LEN + length) as u64,
        at: Timestamp::from_microsecond(at).ok()?,
        stream,
        data: data.to_vec(),
    };
    Some((frame, rest))
}

/// Makes chunks of text from frames, as they come. Keeps the beginning of a character until the rest comes.
#[derive(Debug)]
pub(super) struct Decoder {
    position: Option<u64>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    last: Option<(u64, Timestamp)>,
}

impl Decoder {
    /// Decodes from an offset on; without one from the first frame that comes, wherever it begins.
    pub(super) fn from(position: Option<u64>) -> Self {
        Self {
            position,
            stdout: Vec::new(),
            stderr: Vec::new(),
            last: None,
        }
    }

    /// Offset up to which everything was decoded.
    pub(super) fn position(&self) -> u64 {
        self.position.unwrap_or(0)
    }

    /// Decodes one frame. A frame before the position was decoded already and is left out.
    pub(super) fn push(&mut self, frame: &Frame, out: &mut Vec<OutputChunk>) {
        let position = self.position.unwrap_or(frame.offset);
        if frame.offset < position {
            return;
        }
        if frame.offset > position {
            self.finish(out);
            out.push(OutputChunk {
                offset: position,
                at: frame.at,
                stream: OutputStream::Gap,
                text: String::new(),
                dropped_bytes: Some(frame.offset - position),
            });
        }
        self.position = Some(frame.end);
        self.last = Some((frame.offset, frame.at));
        let begun = if frame.stream == OutputStream::Stdout {
            &mut self.stdout
        } else {
            &mut self.stderr
        };
        begun.extend_from_slice(&frame.data);
        let whole = whole_characters(begun);
        let text = String::from_utf8_lossy(&begun[..whole]).into_owned();
        begun.drain(..whole);
        if !text.is_empty() {
            out.push(OutputChunk {
                offset: frame.offset,
                at: frame.at,
                stream: frame.stream,
                text,
                dropped_bytes: None,
            });
        }
    }

    /// Gives out characters that were begun and will not be completed.
    pub(super) fn finish(&mut self, out: &mut Vec<OutputChunk>) {
        let Some((offset, at)) = self.last else {
            return;
        };
        for (stream, begun) in [
            (OutputStream::Stdout, &mut self.stdout),
            (OutputStream::Stderr, &mut self.stderr),
        ] {
            if !begun.is_empty() {
                let text = String::from_utf8_lossy(begun).into_owned();
                out.push(OutputChunk {
                    offset,
                    at,
                    stream,
                    text,
                    dropped_bytes: None,
                });
                begun.clear();
            }
        }
    }
}

/// Length of the beginning that ends between two characters: all but a character whose last bytes are missing.
fn whole_characters(bytes: &[u8]) -> usize {
    let first = bytes.len().saturating_sub(3);
    for start in (first..bytes.len()).rev() {
        let width = match bytes[start] {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            0x80..=0xbf => continue,
            _ => return bytes.len(),
        };
        let is_begun = start + width > bytes.len()
            && std::str::from_utf8(&bytes[start..]).is_err_and(|error| error.error_len().is_none());
        return if is_begun { start } else { bytes.len() };
    }
    bytes.len()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn frame_bytes(at_us: u64, stream: u8, data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap();
        [
            &at_us.to_le_bytes()[..],
            &[stream],
            &length.to_le_bytes(),
            data,
        ]
        .concat()
    }

    fn chunk(offset: u64, frames: &[Vec<u8>], is_compressed: bool) -> ChunkRow {
        let plain = frames.concat();
        let length = u32::try_from(plain.len()).unwrap();
        let data = if is_compressed {
            zstd::bulk::compress(&plain, 0).unwrap()
        } else {
            plain
        };
        ChunkRow {
            offset,
            length,
            is_compressed,
            data,
        }
    }

    fn decode(chunks: &[ChunkRow], from: Option<u64>) -> (Vec<OutputChunk>, u64) {
        let (mut decoder, mut out) = (Decoder::from(from), Vec::new());
        for frame in frames_of(chunks) {
            decoder.push(&frame, &mut out);
        }
        decoder.finish(&mut out);
        (out, decoder.position())
    }

    #[test]
    fn characters_that_are_split_over_frames_come_whole() {
        let word = "備".as_bytes();
        let frames = [
            frame_bytes(1, 1, &[b"a", &word[..1]].concat()),
            frame_bytes(2, 2, b"err"),
            frame_bytes(3, 1, &[&word[1..], b"b"].concat()),
        ];
        for is_compressed in [false, true] {
            let (out, end) = decode(&[chunk(0, &frames, is_compressed)], Some(0));
            let texts: Vec<&str> = out.iter().map(|chunk| chunk.text.as_str()).collect();
            assert_eq!(texts, ["a", "err", "備b"]);
            assert_eq!(end, frames.concat().len() as u64);
            assert_eq!(out[1].stream, OutputStream::Stderr);
        }
    }

    #[test]
    fn invalid_bytes_are_replaced_and_nothing_is_held_back_for_ever() {
        let frames = [
            frame_bytes(1, 1, b"\xff\x9b[2J"),
            frame_bytes(2, 1, b"end \xe5\x82"),
        ];
        let (out, _) = decode(&[chunk(0, &frames, false)], Some(0));
        let texts: Vec<&str> = out.iter().map(|chunk| chunk.text.as_str()).collect();
        assert_eq!(texts, ["\u{fffd}\u{fffd}[2J", "end ", "\u{fffd}"]);
    }

    #[test]
    fn what_is_missing_shows_as_a_gap() {
        let first = chunk(0, &[frame_bytes(1, 1, b"head")], true);
        let second = chunk(1_000, &[frame_bytes(2, 1, b"tail")], true);
        let (out, end) = decode(&[first, second], Some(0));
        assert_eq!(out[1].stream, OutputStream::Gap);
        assert_eq!((out[1].offset, out[1].dropped_bytes), (17, Some(983)));
        assert_eq!(end, 1_017);
    }

    #[test]
    fn reading_goes_on_behind_an_offset() {
        let frames = [frame_bytes(1, 1, b"one"), frame_bytes(2, 1, b"two")];
        let chunks = [chunk(0, &frames, false)];
        assert_eq!(decode(&chunks, Some(16)).0.len(), 1);
        assert_eq!(
            decode(&chunks, Some(5)).0[0].stream,
            OutputStream::Gap,
            "no frame begins at 5"
        );
        let tail = [chunk(500, &frames, false)];
        assert_eq!(decode(&tail, None).0.len(), 2, "no gap before a tail");
    }

    #[test]
    fn lies_of_an_agent_become_gaps() {
        let mut longer_than_it_is = frame_bytes(1, 1, b"x");
        longer_than_it_is[9] = 200;
        let liars = [
            chunk(0, &[longer_than_it_is], false),
            chunk(100, &[frame_bytes(u64::MAX, 1, b"x")], false),
            chunk(200, &[frame_bytes(1, 7, b"x")], false),
            ChunkRow {
                offset: 300,
                length: 9,
                is_compressed: true,
                data: b"no zstd".to_vec(),
            },
            chunk(400, &[frame_bytes(1, 2, b"truth")], false),
        ];
        let (out, _) = decode(&liars, Some(0));
        assert_eq!(out.len(), 2);
        assert_eq!(
            (out[0].dropped_bytes, out[1].text.as_str()),
            (Some(400), "truth")
        );
    }

    #[test]
    fn only_begun_characters_are_held_back() {
        let cases: [(&[u8], usize); 7] = [
            (b"", 0),
            (b"abc", 3),
            ("é".as_bytes(), 2),
            (b"a\xc3", 1),
            (b"a\xf0\x9f\x98", 1),
            (b"\x80\x80\x80\x80", 4),
            (b"a\xe0\x80", 3),
        ];
        for (bytes, whole) in cases {
            assert_eq!(whole_characters(bytes), whole, "{bytes:?}");
        }
    }
}
