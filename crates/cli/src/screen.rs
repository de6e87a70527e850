//! What a command shows: text for people or JSON for programs on standard output, notes and errors on standard error.

use std::fmt::Display;
use std::io::{BufWriter, ErrorKind, IsTerminal, Stderr, Stdout, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;

use crate::failure::Failure;

/// Standard output and standard error of one command.
pub(crate) struct Screen {
    out: BufWriter<Stdout>,
    err: Stderr,
    is_json: bool,
}

impl Screen {
    /// The streams of this process.
    pub(crate) fn new(is_json: bool) -> Self {
        Self {
            out: BufWriter::new(std::io::stdout()),
            err: std::io::stderr(),
            is_json,
        }
    }

    /// Whether the caller asked for JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.is_json
    }

    /// Whether a person can be asked something: standard input and standard error are a terminal.
    pub(crate) fn can_ask() -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Writes one line to standard output.
    pub(crate) fn line(&mut self, text: impl Display) -> Result<(), Failure> {
        writeln!(self.out, "{text}").map_err(written)
    }

    /// Writes one JSON value, on several lines, to standard output.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer_pretty(&mut self.out, value)
            .map_err(|error| written(error.into()))?;
        self.line("")
    }

    /// Writes one JSON value on one line and shows it at once.
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.out, value).map_err(|error| written(error.into()))?;
        self.line("")?;
        self.flush()
    }

    /// Writes a table without borders to standard output; a line on standard error when it has no rows.
    ///
    /// Cells must be free of control characters: see [`crate::shown::plain`].
    pub(crate) fn table(
        &mut self,
        header: &[&str],
        rows: Vec<Vec<String>>,
        empty: &str,
    ) -> Result<(), Failure> {
        if rows.is_empty() {
            self.note(empty);
            return Ok(());
        }
        let mut table = Table::new();
        table
            .load_style(NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(header.to_vec());
        table.add_rows(rows);
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let text = table.trim_fmt();
        self.line(text)
    }

    /// Writes bytes to standard output as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.write_all(bytes).map_err(written)
    }

    /// Writes bytes to standard error as they are, after everything that went to standard output before.
    pub(crate) fn error_bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.flush()?;
        self.err.write_all(bytes).map_err(written)
    }

    /// Says something on standard error that is not the answer itself.
    pub(crate) fn note(&mut self, text: impl Display) {
        // Nothing can be said about a standard error that is gone.
        let _ = writeln!(self.err, "{text}");
    }

    /// Shows why a command failed: always as text on standard error, with `--json` also as an object on standard output.
    pub(crate) fn show_failure(&mut self, failure: &Failure) {
        if failure.is_silent() {
            return;
        }
        if self.is_json {
            let _ = self.json(&failure.body()).and_then(|()| self.flush());
        }
        let _ = self.flush();
        self.note(failure.text().trim_end());
    }

    /// Hands everything written so far to the reader.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(written)
    }
}

/// A reader that went away (`| head`) has what it wanted.
fn written(error: std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::BrokenPipe => Failure::ReaderGone,
        _ => Failure::Output(error),
    }
}
