//! `cronfleet run output`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use cronfleet_api::job::Job;
use cronfleet_api::output::{OutputChunk, OutputPiece, OutputStream};
use cronfleet_api::run::{Outcome, Run};
use uuid::Uuid;

use super::lines::Lines;
use crate::client::{Client, EventStream, Query, id_of};
use crate::failure::Failure;
use crate::quantity::{Bytes, parse_bytes};
use crate::screen::Screen;
use crate::shown;

/// A stream that broke is opened again this often before that is a failure.
const REOPENED_MAX: u32 = 30;
/// Pause before a stream is opened again.
const REOPEN_PAUSE: Duration = Duration::from_secs(1);

/// Print the output of a run or of a daemon's process: its standard output on standard output, its standard error on
/// standard error. With --json, one chunk a line.
#[derive(Args)]
pub(crate) struct Output {
    /// Id of the run or process
    #[arg(required_unless_present = "last")]
    id: Option<Uuid>,
    /// The newest run of this job (name, group/name or id)
    #[arg(long, value_name = "JOB", conflicts_with = "id")]
    last: Option<String>,
    /// Go on until the process ends; exit status 7 unless the run succeeds
    #[arg(long, short)]
    follow: bool,
    /// Only about the last part, e.g. 64KiB
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    tail: Option<Bytes>,
    /// Only one of the two streams
    #[arg(long, value_enum)]
    stream: Option<Stream>,
    /// The time (UTC) before each line
    #[arg(long, short)]
    timestamps: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Stream {
    Stdout,
    Stderr,
}

impl Output {
    pub(super) async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        let id = match (self.id, &self.last) {
            (Some(id), _) => id,
            (None, Some(job)) => last_run(client, job).await?,
            (None, None) => return Ok(()),
        };
        let mut lines = Lines::new(self.timestamps);
        let is_complete = match self.stored(id, &mut lines, client, screen).await? {
            Stored::Whole => true,
            Stored::Until(from) if self.follow => {
                self.follow(id, from, &mut lines, client, screen).await?;
                true
            }
            Stored::Until(_) => false,
        };
        screen.flush()?;
        if self.follow && is_complete {
            verdict(id, client).await
        } else {
            Ok(())
        }
    }

    /// Prints what is stored by now.
    async fn stored(
        &self,
        id: Uuid,
        lines: &mut Lines,
        client: &Client,
        screen: &mut Screen,
    ) -> Result<Stored, Failure> {
        let mut query: Query = match self.tail {
            Some(Bytes(count)) => vec![("tail", count.to_string())],
            None => vec![("from", "0".to_owned())],
        };
        loop {
            let piece = client
                .get::<OutputPiece>(&format!("/outputs/{id}"), &query)
                .await?
                .value;
            for chunk in &piece.chunks {
                self.print(chunk, lines, screen)?;
            }
            if piece.is_complete {
                return Ok(Stored::Whole);
            }
            if piece.chunks.is_empty() {
                return Ok(Stored::Until(piece.next_from));
            }
            query = vec![("from", piece.next_from.to_string())];
        }
    }

    /// Prints what comes, until the end.
    async fn follow(
        &self,
        id: Uuid,
        mut from: u64,
        lines: &mut Lines,
        client: &Client,
        screen: &mut Screen,
    ) -> Result<(), Failure> {
        let mut reopened = 0;
        loop {
            let query = vec![("from", from.to_string())];
            let mut events = EventStream::new(
                client
                    .stream(&format!("/outputs/{id}/stream"), &query)
                    .await?,
            );
            let broken = loop {
                match events.next().await {
                    Some(Ok(event)) if event.name == "end" => return Ok(()),
                    Some(Ok(event)) if event.name == "chunk" => {
                        if let Ok(chunk) = serde_json::from_str::<OutputChunk>(&event.data) {
                            self.print(&chunk, lines, screen)?;
                            screen.flush()?;
                        }
                        from = event.id.parse().unwrap_or(from);
                        reopened = 0;
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => break Some(error),
                    None => break None,
                }
            };
            reopened += 1;
            if let Some(error) = broken
                && reopened > REOPENED_MAX
            {
                return Err(client.unreachable(error));
            }
            tokio::time::sleep(REOPEN_PAUSE).await;
        }
    }

    fn print(
        &self,
        chunk: &OutputChunk,
        lines: &mut Lines,
        screen: &mut Screen,
    ) -> Result<(), Failure> {
        let is_wanted = match (self.stream, chunk.stream) {
            (Some(Stream::Stdout), OutputStream::Stderr)
            | (Some(Stream::Stderr), OutputStream::Stdout) => false,
            (_, OutputStream::Stdout | OutputStream::Stderr | OutputStream::Gap) => true,
        };
        if !is_wanted {
            return Ok(());
        }
        if screen.is_json() {
            return screen.json_line(chunk);
        }
        match chunk.stream {
            OutputStream::Stdout => screen.bytes(lines.text(chunk).as_bytes()),
            OutputStream::Stderr => screen.error_bytes(lines.text(chunk).as_bytes()),
            OutputStream::Gap => {
                lines.broken();
                let dropped = shown::bytes(chunk.dropped_bytes.unwrap_or(0));
                screen.error_bytes(format!("\n[{dropped} not kept]\n").as_bytes())
            }
        }
    }
}

/// How much of an output is stored.
enum Stored {
    /// All of it; the process is over.
    Whole,
    /// Up to this offset; more may come.
    Until(u64),
}

async fn last_run(client: &Client, job: &str) -> Result<Uuid, Failure> {
    let id = id_of::<Job>(client, job).await?;
    let query = vec![
        ("job", id.to_string()),
        ("state", "running,ended".to_owned()),
    ];
    let runs = client.list::<Run>("/runs", &query, 1).await?.rows;
    match runs.first() {
        Some(run) => Ok(run.id),
        None => Err(Failure::NoRuns {
            job: job.to_owned(),
        }),
    }
}

/// A run that was followed must have succeeded; a daemon's process has no verdict.
async fn verdict(id: Uuid, client: &Client) -> Result<(), Failure> {
    match client.get::<Run>(&format!("/runs/{id}"), &vec![]).await {
        Ok(run) if run.value.outcome == Some(Outcome::Succeeded) => Ok(()),
        Ok(_) => Err(Failure::NotSucceeded { count: 1, total: 1 }),
        Err(Failure::Server { status: 404, .. }) => Ok(()),
        Err(failure) => Err(failure),
    }
}
