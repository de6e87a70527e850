//! Reading output out of the spool, while it grows and after its life is over.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use cronfleet_shim::frame::{HEADER_LEN, Header, Stream, segment_name, segment_offset};

/// How often a list of segments is read anew when one of them disappeared meanwhile.
const LISTINGS_MAX: u32 = 8;

/// Reads frames of one life by logical offset. Holds no file open; blocking, for a blocking thread.
#[derive(Debug, Clone)]
pub struct OutputReader {
    directory: PathBuf,
}

/// A run of whole frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputPage {
    /// Logical offset of the first byte. After the offset asked for, if there is a gap.
    pub offset: u64,
    /// Frames as they lie in the spool ([`decode_frames`]). Empty if there is nothing new.
    pub bytes: Vec<u8>,
    /// Offset to ask for next.
    pub next_offset: u64,
    /// Logical offsets, from and to, of output that was dropped right before this page.
    pub gap: Option<(u64, u64)>,
}

/// One piece of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Wall time at which the bytes were read, in microseconds since the Unix epoch.
    pub at_us: u64,
    /// Stream they came from.
    pub stream: Stream,
    /// The bytes, 1 to 65,536 of them.
    pub bytes: &'a [u8],
}

/// Why output cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// There is no frame at this offset: it was not given out by a page, or the disk lies.
    #[error("no frame begins at offset {offset} of the output")]
    NoFrame {
        /// The logical offset.
        offset: u64,
    },
    /// The spool cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// File or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// A segment file as found.
#[derive(Debug, Clone, Copy)]
struct Segment {
    start: u64,
    len: u64,
}

impl Segment {
    fn end(self) -> u64 {
        self.start + self.len
    }
}

impl OutputReader {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Reads whole frames from `from` on: at most `max` bytes, but at least one frame if there is one.
    ///
    /// `from` is 0 or a `next_offset`. A page never reaches across dropped output; the gap comes with the next one.
    ///
    /// # Errors
    /// [`OutputError`].
    pub fn read(&self, from: u64, max: usize) -> Result<OutputPage, OutputError> {
        let mut failed = None;
        for _ in 0..LISTINGS_MAX {
            match self.read_listed(from, max) {
                // The shim made room between listing and opening.
                Err(OutputError::File { path, source })
                    if source.kind() == io::ErrorKind::NotFound =>
                {
                    failed = Some(OutputError::File { path, source });
                }
                other => return other,
            }
        }
        failed.map_or_else(|| self.read_listed(from, max), Err)
    }

    /// Logical offset after the last byte that is in the spool, whole frame or not.
    ///
    /// # Errors
    /// [`OutputError::File`].
    pub fn end(&self) -> Result<u64, OutputError> {
        Ok(self.segments()?.last().map_or(0, |s| s.end()))
    }

    /// Removes segments that lie wholly below `upto`, because their content is safe elsewhere; the newest one stays.
    /// Gives room to a life that still runs. Blocking.
    ///
    /// # Errors
    /// [`OutputError::File`].
    pub fn release(&self, upto: u64) -> Result<(), OutputError> {
        let segments = self.segments()?;
        for pair in segments.windows(2) {
            if pair[0].end() <= upto && pair[1].start <= upto {
                let path = self.directory.join(segment_name(pair[0].start));
                match fs::remove_file(&path) {
                    Err(source) if source.kind() != io::ErrorKind::NotFound => {
                        return Err(OutputError::File { path, source });
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn read_listed(&self, from: u64, max: usize) -> Result<OutputPage, OutputError> {
        let segments = self.segments()?;
        let mut page = OutputPage {
            offset: from,
            bytes: Vec::new(),
            next_offset: from,
            gap: None,
        };
        for (index, segment) in segments.iter().enumerate() {
            if segment.end() <= page.next_offset {
                continue;
            }
            if segment.start > page.next_offset {
                if !page.bytes.is_empty() {
                    break;
                }
                page.gap = Some((from, segment.start));
                page.offset = segment.start;
                page.next_offset = segment.start;
            }
            let whole = self.read_segment(*segment, max, &mut page)?;
            let is_last = index + 1 == segments.len();
            if page.bytes.len() >= max || (!whole && is_last) {
                break;
            }
        }
        Ok(page)
    }

    /// Adds whole frames of one segment to a page. Says whether it came to the segment's end.
    fn read_segment(
        &self,
        segment: Segment,
        max: usize,
        page: &mut OutputPage,
    ) -> Result<bool, OutputError> {
        let path = self.directory.join(segment_name(segment.start));
        let in_file = |source| OutputError::File {
            path: path.clone(),
            source,
        };
        let file = File::open(&path).map_err(in_file)?;
        while page.next_offset < segment.end() {
            let at = page.next_offset - segment.start;
            let Some(header) = read_header(&file, at).map_err(in_file)? else {
                return Ok(false);
            };
            let header = header.map_err(|()| OutputError::NoFrame {
                offset: page.next_offset,
            })?;
            let frame_len = header.frame_len();
            if at + frame_len as u64 > segment.len {
                return Ok(false);
            }
            if !page.bytes.is_empty() && page.bytes.len() + frame_len > max {
                return Ok(true);
            }
            let begin = page.bytes.len();
            page.bytes.resize(begin + frame_len, 0);
            file.read_exact_at(&mut page.bytes[begin..], at)
                .map_err(in_file)?;
            page.next_offset += frame_len as u64;
            if page.bytes.len() >= max {
                return Ok(true);
            }
        }
        Ok(true)
    }

    /// Lists the segments in order. A spool that does not exist is empty.
    fn segments(&self) -> Result<Vec<Segment>, OutputError> {
        let mut segments = list(&self.directory).map_err(|source| OutputError::File {
            path: self.directory.clone(),
            source,
        })?;
        segments.sort_unstable_by_key(|s| s.start);
        Ok(segments)
    }
}

/// Splits the bytes of a page into frames.
///
/// # Errors
/// [`OutputError::NoFrame`] with the offset inside `bytes` if they are not whole frames.
pub fn decode_frames(bytes: &[u8]) -> Result<Vec<Frame<'_>>, OutputError> {
    let mut frames = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let bad = OutputError::NoFrame {
            offset: (bytes.len() - rest.len()) as u64,
        };
        let Some((head, data)) = rest.split_first_chunk::<HEADER_LEN>() else {
            return Err(bad);
        };
        let Some(header) = Header::decode(head).filter(|h| h.len <= data.len()) else {
            return Err(bad);
        };
        let (data, after) = data.split_at(header.len);
        frames.push(Frame {
            at_us: header.at_us,
            stream: header.stream,
            bytes: data,
        });
        rest = after;
    }
    Ok(frames)
}

/// Reads a frame's head: `None` if the file ends inside it, `Some(Err)` if it cannot be one.
fn read_header(file: &File, at: u64) -> io::Result<Option<Result<Header, ()>>> {
    let mut bytes = [0; HEADER_LEN];
    match file.read_exact_at(&mut bytes, at) {
        Ok(()) => Ok(Some(Header::decode(&bytes).ok_or(()))),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(e) => Err(e),
    }
}

fn list(directory: &Path) -> io::Result<Vec<Segment>> {
    let entries = match fs::read_dir(directory) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut segments = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Some(start) = entry.file_name().to_str().and_then(segment_offset) else {
            continue;
        };
        match entry.metadata() {
            Ok(meta) => segments.push(Segment {
                start,
                len: meta.len(),
            }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: Stream, data: &[u8]) -> Vec<u8> {
        let header = Header {
            at_us: 5,
            stream,
            len: data.len(),
        };
        [&header.encode()[..], data].concat()
    }

    fn spool(segments: &[(u64, Vec<u8>)]) -> (tempfile::TempDir, OutputReader) {
        let dir = tempfile::tempdir().unwrap();
        for (start, bytes) in segments {
            fs::write(dir.path().join(segment_name(*start)), bytes).unwrap();
        }
        let reader = OutputReader::new(dir.path().to_owned());
        (dir, reader)
    }

    #[test]
    fn nothing_is_an_empty_page() {
        let reader = OutputReader::new("/nonexistent/spool".into());
        let page = reader.read(0, 100).unwrap();
        assert_eq!((page.bytes.len(), page.next_offset, page.gap), (0, 0, None));
        assert_eq!(reader.end().unwrap(), 0);
    }

    #[test]
    fn pages_hold_whole_frames_and_cross_segments() {
        let (a, b) = (frame(Stream::Stdout, b"one"), frame(Stream::Stderr, b"two"));
        let (_dir, reader) = spool(&[(0, a.clone()), (16, [b.clone(), b[..7].to_vec()].concat())]);
        let page = reader.read(0, 1000).unwrap();
        let frames = decode_frames(&page.bytes).unwrap();
        assert_eq!(frames.len(), 2);
        assert_eq!(
            (frames[1].stream, frames[1].bytes),
            (Stream::Stderr, &b"two"[..])
        );
        assert_eq!((page.next_offset, page.gap), (32, None));
        assert_eq!(
            reader.read(32, 1000).unwrap().bytes,
            b"",
            "a cut frame is not given out"
        );
        assert_eq!(
            reader.read(0, 1).unwrap().bytes,
            a,
            "one frame even if it is too long"
        );
        assert_eq!(reader.read(16, 17).unwrap().bytes, b);
    }

    #[test]
    fn dropped_output_is_a_gap_of_its_own_page() {
        let f = frame(Stream::Stdout, b"abc");
        let (_dir, reader) = spool(&[(0, f.clone()), (100, f.clone())]);
        let first = reader.read(0, 1000).unwrap();
        assert_eq!(
            (first.bytes, first.next_offset, first.gap),
            (f.clone(), 16, None)
        );
        let second = reader.read(16, 1000).unwrap();
        assert_eq!(
            (second.bytes, second.offset, second.next_offset),
            (f, 100, 116)
        );
        assert_eq!(second.gap, Some((16, 100)));
    }

    #[test]
    fn a_frame_cut_by_a_dying_shim_becomes_a_gap() {
        let f = frame(Stream::Stdout, b"abc");
        let (_dir, reader) = spool(&[(0, [f.clone(), f[..9].to_vec()].concat()), (40, f)]);
        assert_eq!(reader.read(0, 1000).unwrap().next_offset, 16);
        assert_eq!(reader.read(16, 1000).unwrap().gap, Some((16, 40)));
    }

    #[test]
    fn an_offset_between_frames_is_refused() {
        let (_dir, reader) = spool(&[(0, frame(Stream::Stdout, &[0; 50]))]);
        assert!(matches!(
            reader.read(3, 10),
            Err(OutputError::NoFrame { offset: 3 })
        ));
    }

    #[test]
    fn what_is_safe_elsewhere_is_removed_but_the_newest() {
        let f = frame(Stream::Stdout, b"abc");
        let (dir, reader) = spool(&[(0, f.clone()), (16, f.clone()), (32, f)]);
        reader.release(20).unwrap();
        assert_eq!(reader.read(16, 1000).unwrap().bytes.len(), 32);
        reader.release(1000).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(reader.end().unwrap(), 48);
    }
}
