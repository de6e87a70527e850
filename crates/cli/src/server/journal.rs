//! Log lines for the journal of systemd, which keeps the time itself and takes the priority from the head of a line (`sd-daemon(3)`).

use std::fmt;
use std::io::stderr;

use nix::sys::stat::fstat;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Names device and inode of the journal's socket.
const STREAM: &str = "JOURNAL_STREAM";

/// Whether standard error goes to the journal.
pub(super) fn is_standard_error() -> bool {
    let (Ok(stream), Ok(stat)) = (std::env::var(STREAM), fstat(stderr())) else {
        return false;
    };
    stream == format!("{}:{}", stat.st_dev, stat.st_ino)
}

/// A line with its priority and without a time.
#[derive(Debug)]
pub(super) struct Journal;

impl<S, N> FormatEvent<S, N> for Journal
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        write!(writer, "<{}>", priority(*event.metadata().level()))?;
        let line: Format<Full, ()> = Format::default().without_time();
        line.format_event(context, writer, event)
    }
}

/// The priority of `syslog(3)`.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}
