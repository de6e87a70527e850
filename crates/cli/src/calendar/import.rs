//! `cronfleet calendar import`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use cronfleet_api::calendar::{CalendarRead, CalendarReadRequest};
use cronfleet_core::calendar::DayRange;
use cronfleet_core::calendar::own::Said;
use reqwest::Method;

use super::{change, domain_spec, find, refused};
use crate::client::Client;
use crate::failure::Failure;
use crate::job::read_text;
use crate::screen::Screen;

/// Take the days of the events of an iCalendar file (.ics) into a calendar.
#[derive(Args)]
pub(crate) struct Import {
    /// Name, group/name or id; see `calendar create`
    calendar: String,
    /// The file; - for standard input
    file: PathBuf,
    /// What the days of its events are
    #[arg(long, value_enum, default_value_t = As::Out)]
    r#as: As,
    /// Only events whose summaries have this text
    #[arg(long, value_name = "TEXT")]
    containing: Option<String>,
    /// IANA time zone in which instants in UTC are days
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// The dates of this kind that the calendar has so far go
    #[arg(long)]
    replace: bool,
    /// Only print the days of the file
    #[arg(long)]
    dry_run: bool,
}

/// What days are.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum As {
    /// They count
    In,
    /// They do not count
    Out,
}

impl Import {
    pub(super) async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        let before = find::kept(client, &self.calendar).await?;
        let request = CalendarReadRequest {
            text: read_text(&self.file)?,
            containing: self.containing.clone(),
            time_zone: self.time_zone.clone(),
        };
        let answer = client
            .send::<CalendarRead>(Method::POST, "/calendars/read", &request)
            .await?;
        if self.dry_run && screen.is_json() {
            return screen.json(&answer.raw);
        }
        let read = answer.value;
        screen.note(summary(&self.file, &read));
        if self.dry_run {
            return read.days.iter().try_for_each(|days| screen.line(days));
        }
        if read.days.is_empty() {
            return Err(Failure::Input {
                field: "file".to_owned(),
                message: "no event of the file was taken, so there are no days".to_owned(),
                hint: "see --containing".to_owned(),
            });
        }
        let mut spec = domain_spec(before.spec.clone())?;
        match self.r#as {
            As::In if self.replace => spec.days_in.clear(),
            As::Out if self.replace => spec.days_out.clear(),
            As::In | As::Out => {}
        }
        let said = match self.r#as {
            As::In => Said::In,
            As::Out => Said::Out,
        };
        spec.say("file", &days_of(&read)?, said).map_err(refused)?;
        spec.check().map_err(refused)?;
        change::save(client, screen, &before, spec).await
    }
}

fn days_of(read: &CalendarRead) -> Result<Vec<DayRange>, Failure> {
    let days = read.days.iter().map(|days| days.parse::<DayRange>());
    days.collect::<Result<_, _>>()
        .map_err(|error| Failure::Input {
            field: "file".to_owned(),
            message: error.to_string(),
            hint: "use a command line of the center's version".to_owned(),
        })
}

fn summary(file: &Path, read: &CalendarRead) -> String {
    let others = match read.others {
        0 => String::new(),
        others => format!(" ({others} left out)"),
    };
    format!(
        "{}: {} days of {} events{others}",
        file.display(),
        read.day_count,
        read.events
    )
}
