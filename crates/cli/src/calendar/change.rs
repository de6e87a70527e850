//! What a calendar says, by flags; `cronfleet calendar edit`.

use clap::Args;
use cronfleet_api::calendar::{Calendar, CalendarReplace};
use cronfleet_core::calendar::own::Said;
use cronfleet_core::calendar::{CalendarSpec, DayRange, Weekdays};
use jiff::civil::Date;
use reqwest::Method;

use super::{domain_spec, find, refused};
use crate::client::Client;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::shown;

/// What a calendar says.
#[derive(Args, Clone, Default, PartialEq)]
pub(super) struct Days {
    /// Start from the days of a calendar of the program: weekdays or cn-workdays
    #[arg(long, value_name = "NAME", conflicts_with = "weekdays")]
    extends: Option<String>,
    /// Days of the week that count, e.g. MON,TUE,WED
    #[arg(long, value_name = "DAYS", value_delimiter = ',')]
    weekdays: Option<Vec<String>>,
    /// Dates that count all the same: 2026-10-10, or 2026-10-10/2026-10-12
    #[arg(long = "in", value_name = "DATES", value_delimiter = ',')]
    days_in: Vec<DayRange>,
    /// Dates that do not count
    #[arg(long = "out", value_name = "DATES", value_delimiter = ',')]
    days_out: Vec<DayRange>,
    /// Last date for which the dates are complete: from a year before it on people are warned
    #[arg(long, value_name = "DATE")]
    known_until: Option<Date>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

/// What to change; what is not given stays.
#[derive(Args)]
pub(crate) struct Edit {
    /// Name, group/name or id
    calendar: String,
    #[command(flatten)]
    days: Days,
    /// Dates about which the calendar says nothing any more: the day of the week decides
    #[arg(long = "as-usual", value_name = "DATES", value_delimiter = ',')]
    as_usual: Vec<DayRange>,
}

impl Days {
    /// Changes what a calendar says.
    pub(super) fn apply(&self, spec: &mut CalendarSpec) -> Result<(), Failure> {
        if let Some(extends) = &self.extends {
            spec.extends = Some(extends.clone());
            spec.weekdays = Weekdays::default();
        }
        if let Some(words) = &self.weekdays {
            let words = words.iter().map(String::as_str);
            spec.weekdays = Weekdays::from_words(words).map_err(|word| Failure::Input {
                field: "--weekdays".to_owned(),
                message: format!("{word:?} is no day of the week"),
                hint: "use MON, TUE, WED, THU, FRI, SAT, SUN".to_owned(),
            })?;
            spec.extends = None;
        }
        spec.say("--in", &self.days_in, Said::In).map_err(refused)?;
        spec.say("--out", &self.days_out, Said::Out)
            .map_err(refused)?;
        spec.known_until = self.known_until.or(spec.known_until);
        if let Some(description) = &self.description {
            spec.description.clone_from(description);
        }
        spec.check().map_err(refused)
    }
}

impl Edit {
    pub(super) async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        if self.days == Days::default() && self.as_usual.is_empty() {
            return Err(Failure::Input {
                field: "calendar edit".to_owned(),
                message: "there is no change".to_owned(),
                hint: "say what changes, e.g. --out 2026-12-24".to_owned(),
            });
        }
        let before = find::kept(client, &self.calendar).await?;
        let mut spec = domain_spec(before.spec.clone())?;
        spec.say("--as-usual", &self.as_usual, Said::Nothing)
            .map_err(refused)?;
        self.days.apply(&mut spec)?;
        save(client, screen, &before, spec).await
    }
}

/// Saves what a calendar says from now on, unless somebody else saved it meanwhile.
pub(super) async fn save(
    client: &Client,
    screen: &mut Screen,
    before: &Calendar,
    spec: CalendarSpec,
) -> Result<(), Failure> {
    let spec = spec.into();
    if spec == before.spec {
        screen.note("nothing changed");
        return Ok(());
    }
    let version = format!("\"{}\"", before.version);
    let answer = client
        .send_with::<Calendar>(
            Method::PUT,
            &format!("/calendars/{}", before.id),
            &CalendarReplace { spec },
            ("If-Match", &version),
        )
        .await?;
    if screen.is_json() {
        return screen.json(&answer.raw);
    }
    let saved = answer.value;
    let jobs = match saved.job_count {
        Some(1) => "; 1 job follows it".to_owned(),
        Some(count) => format!("; {count} jobs follow it"),
        None => String::new(),
    };
    screen.line(format_args!(
        "saved {} as version {}{jobs}",
        shown::plain(&saved.spec.name),
        saved.version
    ))
}
