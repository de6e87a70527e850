//! Server-sent events: the text format of <https://html.spec.whatwg.org/multipage/server-sent-events.html>, section 9.2.6.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;

/// Longest line that is read; a longer one ends the stream.
const LINE_LEN_MAX: usize = 8 << 20;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Event {
    /// Its name; `message` when it has none.
    pub(crate) name: String,
    /// Its data; several lines are joined by newlines.
    pub(crate) data: String,
    /// Its id, which says where to go on after it.
    pub(crate) id: String,
}

/// Events of one answer.
pub(crate) struct EventStream {
    body: BoxStream<'static, reqwest::Result<Vec<u8>>>,
    parser: Parser,
}

impl EventStream {
    /// Reads the body of an answer.
    pub(crate) fn new(response: reqwest::Response) -> Self {
        let body = response
            .bytes_stream()
            .map(|chunk| chunk.map(|bytes| bytes.to_vec()))
            .boxed();
        Self {
            body,
            parser: Parser::default(),
        }
    }

    /// The next event; `None` at the end of the stream. Safe to cancel: nothing that was read is lost.
    pub(crate) async fn next(&mut self) -> Option<reqwest::Result<Event>> {
        loop {
            if let Some(event) = self.parser.take() {
                return Some(Ok(event));
            }
            if self.parser.buffer.len() > LINE_LEN_MAX {
                return None;
            }
            match self.body.next().await? {
                Ok(bytes) => self.parser.push(&bytes),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

#[derive(Default)]
struct Parser {
    buffer: Vec<u8>,
    /// Where the first line that was not read yet begins in `buffer`.
    read: usize,
    /// Up to where `buffer` is known to hold no end of that line.
    searched: usize,
    event: Event,
    has_data: bool,
}

impl Parser {
    fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.read);
        self.searched -= self.read;
        self.read = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole event in what was pushed.
    fn take(&mut self) -> Option<Event> {
        loop {
            let line = self.line()?;
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                if std::mem::take(&mut self.has_data) {
                    let name = if event.name.is_empty() {
                        "message".to_owned()
                    } else {
                        event.name
                    };
                    return Some(Event { name, ..event });
                }
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => self.event.name = value.to_owned(),
                "data" => {
                    if std::mem::replace(&mut self.has_data, true) {
                        self.event.data.push('\n');
                    }
                    self.event.data.push_str(value);
                }
                "id" => self.event.id = value.to_owned(),
                // A comment has no field name; `retry` is not needed here.
                _ => {}
            }
        }
    }

    /// The next whole line, without its end.
    fn line(&mut self) -> Option<String> {
        let end = self.buffer[self.searched..]
            .iter()
            .position(|byte| *byte == b'\n');
        let Some(end) = end.map(|end| end + self.searched) else {
            self.searched = self.buffer.len();
            return None;
        };
        let line = &self.buffer[self.read..end];
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
        self.read = end + 1;
        self.searched = self.read;
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&str]) -> Vec<(String, String)> {
        let mut parser = Parser::default();
        let mut events = Vec::new();
        for piece in pieces {
            parser.push(piece.as_bytes());
            while let Some(event) = parser.take() {
                events.push((event.name, event.data));
            }
        }
        events
    }

    #[test]
    fn events_are_read_however_they_are_cut() {
        let text = ": hello\n\nevent: chunk\nid: 7\ndata: {\"a\":1}\n\ndata:one\r\ndata: two\r\n\r\nevent: end\ndata\n\nevent: unfinished\n";
        let expected = [("chunk", "{\"a\":1}"), ("message", "one\ntwo"), ("end", "")]
            .map(|(name, data)| (name.to_owned(), data.to_owned()));
        assert_eq!(events(&[text]), expected);
        let bytes: Vec<String> = text.chars().map(String::from).collect();
        let bytes: Vec<&str> = bytes.iter().map(String::as_str).collect();
        assert_eq!(events(&bytes), expected);
    }

    #[test]
    fn characters_cut_in_the_middle_arrive_whole() {
        let mut parser = Parser::default();
        for byte in "data: 清理\n\n".bytes() {
            parser.push(&[byte]);
        }
        assert_eq!(
            parser.take().map(|event| event.data),
            Some("清理".to_owned())
        );
    }
}
