//! Output as a text to download.

use bytes::Bytes;
use cronfleet_api::output::OutputStream;
use serde::Deserialize;
use utoipa::ToSchema;

use super::frames::Frame;

/// Streams to download.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Both, as they came.
    #[default]
    Both,
}

impl RawStream {
    fn includes(self, stream: OutputStream) -> bool {
        match self {
            Self::Both => true,
            Self::Stdout => stream == OutputStream::Stdout,
            Self::Stderr => stream == OutputStream::Stderr,
        }
    }
}

/// Writes frames as text, page after page.
#[derive(Debug)]
pub(super) struct PlainText {
    stream: RawStream,
    has_times: bool,
    position: u64,
    /// The stream whose line is not complete.
    begun: Option<OutputStream>,
}

impl PlainText {
    /// From the beginning on, with the time before each line if so wished.
    pub(super) fn new(stream: RawStream, has_times: bool) -> Self {
        Self {
            stream,
            has_times,
            position: 0,
            begun: None,
        }
    }

    /// Offset behind everything that was written.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The bytes of the next frames, with a line where some are missing.
    pub(super) fn write(&mut self, frames: &[Frame]) -> Bytes {
        let mut text = Vec::new();
        for frame in frames {
            if frame.offset > self.position {
                let missing = frame.offset - self.position;
                let line = format!("\n[cronfleet: {missing} bytes are missing here]\n");
                text.extend_from_slice(line.as_bytes());
                self.begun = None;
            }
            self.position = frame.end;
            if !self.stream.includes(frame.stream) {
                continue;
            }
            if self.has_times {
                self.write_lines(frame, &mut text);
            } else {
                text.extend_from_slice(&frame.data);
            }
        }
        text.into()
    }

    fn write_lines(&mut self, frame: &Frame, text: &mut Vec<u8>) {
        for line in frame.data.split_inclusive(|byte| *byte == b'\n') {
            if self.begun != Some(frame.stream) {
                if self.begun.is_some() {
                    text.push(b'\n');
                }
                let at = frame.at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ ");
                text.extend_from_slice(at.to_string().as_bytes());
            }
            text.extend_from_slice(line);
            self.begun = (!line.ends_with(b"\n")).then_some(frame.stream);
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn frame(offset: u64, millis: i64, stream: OutputStream, data: &str) -> Frame {
        Frame {
            offset,
            end: offset + data.len() as u64,
            at: Timestamp::from_millisecond(millis).unwrap(),
            stream,
            data: data.into(),
        }
    }

    fn text(stream: RawStream, has_times: bool, pages: &[&[Frame]]) -> String {
        let mut text = PlainText::new(stream, has_times);
        let bytes = pages.iter().flat_map(|page| text.write(page).to_vec());
        String::from_utf8(bytes.collect()).unwrap()
    }

    #[test]
    fn each_line_has_the_time_of_its_beginning() {
        use OutputStream::{Stderr, Stdout};
        let first = [
            frame(0, 1, Stdout, "one\ntw"),
            frame(6, 2, Stdout, "o\n\nthr"),
        ];
        let second = [
            frame(12, 3, Stderr, "no\n"),
            frame(15, 4, Stdout, "ee\n"),
            frame(100, 5, Stdout, "end"),
        ];
        let pages: [&[Frame]; 2] = [&first, &second];
        let expected = "T00:00:00.001Z one\nT00:00:00.001Z two\nT00:00:00.002Z \nT00:00:00.002Z thr\n\
                        T00:00:00.003Z no\nT00:00:00.004Z ee\n\n[cronfleet: 82 bytes are missing here]\n\
                        T00:00:00.005Z end";
        let expected = expected.replace("T0", "1970-01-01T0");
        assert_eq!(text(RawStream::Both, true, &pages), expected);
        assert_eq!(
            text(RawStream::Stderr, true, &pages[..]),
            "1970-01-01T00:00:00.003Z no\n\n[cronfleet: 82 bytes are missing here]\n"
        );
        assert_eq!(text(RawStream::Both, false, &pages[..1]), "one\ntwo\n\nthr");
    }
}
