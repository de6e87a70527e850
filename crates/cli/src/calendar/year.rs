//! `cronfleet calendar show`: what a calendar says, and the days of a year.

use std::collections::BTreeSet;

use clap::Args;
use cronfleet_api::calendar::{Calendar, CalendarPreviewRequest, CalendarSpec, CalendarYear};
use cronfleet_api::session::About;
use cronfleet_core::calendar::DayRange;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use reqwest::Method;
use serde_json::json;

use super::find::{self, Found};
use super::owner;
use crate::client::Client;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::shown;

/// Show a calendar and the days of a year that count.
#[derive(Args)]
pub(crate) struct Show {
    /// Name, group/name or id
    calendar: String,
    /// Year; this one when absent
    #[arg(long, short)]
    year: Option<i16>,
}

impl Show {
    pub(super) async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        let found = find::calendar(client, &self.calendar).await?;
        let (kept, spec) = match found {
            Found::Kept(calendar) => (Some(calendar.clone()), calendar.spec),
            Found::Preset(name) => (None, of_preset(name)),
        };
        let year = match self.year {
            Some(year) => year,
            None => this_year(client).await?,
        };
        let request = CalendarPreviewRequest {
            spec: spec.clone(),
            year,
        };
        let answer = client
            .send::<CalendarYear>(Method::POST, "/calendars/preview", &request)
            .await?;
        if screen.is_json() {
            return screen.json(&json!({ "calendar": kept, "year": answer.raw }));
        }
        if let Some(calendar) = &kept {
            head(screen, calendar)?;
        }
        table(screen, &answer.value)
    }
}

/// A draft that says what a preset says.
fn of_preset(name: String) -> CalendarSpec {
    CalendarSpec {
        name: "preset".to_owned(),
        extends: Some(name),
        ..CalendarSpec::default()
    }
}

async fn this_year(client: &Client) -> Result<i16, Failure> {
    let about = client.get::<About>("/about", &vec![]).await?.value;
    Ok(about.now.to_zoned(TimeZone::system()).year())
}

fn head(screen: &mut Screen, calendar: &Calendar) -> Result<(), Failure> {
    let spec = &calendar.spec;
    let base = match &spec.extends {
        Some(preset) => format!("those of {}", shown::plain(preset)),
        None if spec.weekdays.is_empty() => "none but those named".to_owned(),
        None => spec.weekdays.join(" "),
    };
    let changed = format!(
        "version {} by {}, {}",
        calendar.version,
        shown::plain(&calendar.updated_by),
        shown::instant(calendar.updated_at)
    );
    let mut lines = vec![
        ("calendar", shown::plain(&spec.name)),
        ("id", calendar.id.to_string()),
        ("of", owner(true, calendar.group_name.as_deref())),
        ("saved", changed),
        ("days", base),
    ];
    if !spec.description.is_empty() {
        lines.insert(1, ("about", shown::plain(&spec.description)));
    }
    if let Some(count) = calendar.job_count {
        lines.push(("jobs", count.to_string()));
    }
    for (label, value) in lines {
        screen.line(format_args!("{label:<9} {value}"))?;
    }
    screen.line("")
}

/// A line per month, a letter per day.
fn table(screen: &mut Screen, year: &CalendarYear) -> Result<(), Failure> {
    let (days, exceptions) = (dates(&year.days), dates(&year.exceptions));
    screen.line(format_args!("{}: {} days count", year.year, year.day_count))?;
    screen.line("         1234567890123456789012345678901")?;
    for month in 1..=12 {
        let Ok(first) = Date::new(year.year, month, 1) else {
            continue;
        };
        let letters: String = first
            .series(jiff::Span::new().days(1))
            .take_while(|date| date.month() == month && date.year() == year.year)
            .map(|date| letter(days.contains(&date), exceptions.contains(&date)))
            .collect();
        screen.line(format_args!("{}-{month:02}  {letters}", year.year))?;
    }
    screen.line("o counts   . does not   + counts by its date   - does not, by its date")?;
    if let Some(date) = year.known_until {
        screen.line(format_args!("dates are known until {date}"))?;
    }
    Ok(())
}

fn letter(counts: bool, is_named: bool) -> char {
    match (counts, is_named) {
        (true, false) => 'o',
        (true, true) => '+',
        (false, false) => '.',
        (false, true) => '-',
    }
}

/// The dates of ranges from the center; what cannot be read is left out.
fn dates(texts: &[String]) -> BTreeSet<Date> {
    let ranges = texts
        .iter()
        .filter_map(|text| text.parse::<DayRange>().ok());
    ranges
        .flat_map(|range| {
            let days = range.first.series(jiff::Span::new().days(1));
            days.take_while(move |date| *date <= range.last)
        })
        .collect()
}
