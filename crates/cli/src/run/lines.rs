//! Lines of output with the time before each.

use std::borrow::Cow;

use cronfleet_api::output::{OutputChunk, OutputStream};

/// Puts the time before each line, if so wished. The two streams go to different places, so each has lines of its own.
pub(super) struct Lines {
    has_times: bool,
    is_stdout_begun: bool,
    is_stderr_begun: bool,
}

impl Lines {
    pub(super) fn new(has_times: bool) -> Self {
        Self {
            has_times,
            is_stdout_begun: false,
            is_stderr_begun: false,
        }
    }

    /// The text of a chunk, to be written behind everything before.
    pub(super) fn text<'a>(&mut self, chunk: &'a OutputChunk) -> Cow<'a, str> {
        if !self.has_times {
            return Cow::Borrowed(&chunk.text);
        }
        let is_begun = match chunk.stream {
            OutputStream::Stdout => &mut self.is_stdout_begun,
            OutputStream::Stderr => &mut self.is_stderr_begun,
            OutputStream::Gap => return Cow::Borrowed(&chunk.text),
        };
        let at = chunk.at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        let mut text = String::new();
        for line in chunk.text.split_inclusive('\n') {
            if !*is_begun {
                text.push_str(&at);
                text.push(' ');
            }
            text.push_str(line);
            *is_begun = !line.ends_with('\n');
        }
        Cow::Owned(text)
    }

    /// Something else was written on a line of its own.
    pub(super) fn broken(&mut self) {
        self.is_stdout_begun = false;
        self.is_stderr_begun = false;
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn chunk(millis: i64, stream: OutputStream, text: &str) -> OutputChunk {
        OutputChunk {
            offset: 0,
            at: Timestamp::from_millisecond(millis).unwrap(),
            stream,
            text: text.to_owned(),
            dropped_bytes: None,
        }
    }

    #[test]
    fn a_line_has_the_time_of_its_beginning_whatever_comes_between() {
        use OutputStream::{Stderr, Stdout};
        let mut lines = Lines::new(true);
        let texts = [
            chunk(1, Stdout, "a\nb"),
            chunk(2, Stderr, "x\n"),
            chunk(3, Stdout, "c\nd\n"),
        ];
        let texts = texts.each_ref().map(|chunk| lines.text(chunk).into_owned());
        let at = |millis| format!("1970-01-01T00:00:00.00{millis}Z");
        let expected = [
            format!("{0} a\n{0} b", at(1)),
            format!("{} x\n", at(2)),
            format!("c\n{} d\n", at(3)),
        ];
        assert_eq!(texts, expected);
        let plain = chunk(1, Stdout, "a\nb");
        assert_eq!(Lines::new(false).text(&plain), "a\nb");
    }
}
