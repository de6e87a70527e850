//! How output lies in the spool: frames, one after the other, in segment files.
//!
//! A frame is 8 bytes of wall time in microseconds, 1 byte of stream, 4 bytes of length (all little endian) and the
//! bytes themselves. The *logical offset* of a byte is its place in the stream of all frames that were ever framed; a
//! segment file bears the logical offset of its first byte as its name. Where a segment is missing, or begins later
//! than the one before ends, output was dropped.

/// Bytes before the data of a frame.
pub const HEADER_LEN: usize = 13;

/// Most data bytes in one frame.
pub const DATA_LEN_MAX: usize = 64 * 1024;

/// Digits of a segment's name.
const NAME_LEN: usize = 20;

/// Which stream of the command some output came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// The file descriptor number of the stream, as written into frames.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Stdout => 1,
            Self::Stderr => 2,
        }
    }

    fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Stdout),
            2 => Some(Self::Stderr),
            _ => None,
        }
    }
}

/// Head of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Wall time at which the bytes were read, in microseconds since the Unix epoch.
    pub at_us: u64,
    /// Stream they came from.
    pub stream: Stream,
    /// Number of data bytes that follow, 1 to [`DATA_LEN_MAX`].
    pub len: usize,
}

impl Header {
    /// Gives the bytes to write before the data.
    #[must_use]
    pub fn encode(self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..8].copy_from_slice(&self.at_us.to_le_bytes());
        bytes[8] = self.stream.number();
        // `len` is at most DATA_LEN_MAX, which fits.
        bytes[9..].copy_from_slice(&(self.len as u32).to_le_bytes());
        bytes
    }

    /// Reads a head; `None` if the bytes cannot be one.
    #[must_use]
    pub fn decode(bytes: &[u8; HEADER_LEN]) -> Option<Self> {
        let (at, rest) = bytes.split_first_chunk::<8>()?;
        let (stream, len) = rest.split_first()?;
        let len = u32::from_le_bytes(*len.first_chunk::<4>()?) as usize;
        if len == 0 || len > DATA_LEN_MAX {
            return None;
        }
        Some(Self {
            at_us: u64::from_le_bytes(*at),
            stream: Stream::from_number(*stream)?,
            len,
        })
    }

    /// Length of the whole frame in bytes.
    #[must_use]
    pub fn frame_len(self) -> usize {
        HEADER_LEN + self.len
    }
}

/// Gives the name of the segment that begins at a logical offset. Names sort like offsets.
#[must_use]
pub fn segment_name(offset: u64) -> String {
    format!("{offset:0width$}", width = NAME_LEN)
}

/// Reads a segment's name; `None` for other files.
#[must_use]
pub fn segment_offset(name: &str) -> Option<u64> {
    if name.len() != NAME_LEN || !name.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    name.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_survive_the_disk() {
        let header = Header {
            at_us: 1_790_000_000_123_456,
            stream: Stream::Stderr,
            len: DATA_LEN_MAX,
        };
        assert_eq!(Header::decode(&header.encode()), Some(header));
    }

    #[test]
    fn impossible_headers_are_refused() {
        let good = Header {
            at_us: 1,
            stream: Stream::Stdout,
            len: 1,
        }
        .encode();
        let mut stream = good;
        stream[8] = 3;
        let mut empty = good;
        empty[9] = 0;
        let mut huge = good;
        huge[12] = 1;
        for bytes in [stream, empty, huge] {
            assert_eq!(Header::decode(&bytes), None);
        }
    }

    #[test]
    fn names_are_offsets() {
        for offset in [0, 7, u64::MAX] {
            assert_eq!(segment_offset(&segment_name(offset)), Some(offset));
        }
        for other in ["", "1", "+0000000000000000001", "99999999999999999999"] {
            assert_eq!(segment_offset(other), None);
        }
    }
}
