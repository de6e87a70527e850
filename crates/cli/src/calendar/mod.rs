//! `cronfleet calendar`: which days count, for jobs that follow a calendar.

mod change;
mod find;
mod import;
mod year;

use clap::{ArgGroup, Args, Subcommand};
use cronfleet_api::calendar::{Calendar, CalendarCreate, CalendarHead, CalendarSpec};
use cronfleet_api::group::Group;
use cronfleet_core::calendar as domain;
use reqwest::Method;

use self::change::{Days, Edit};
use self::import::Import;
use self::year::Show;
use crate::args::Options;
use crate::client::{Client, id_of};
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::shown::{self, NONE};

/// Subcommands of `cronfleet calendar`.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the calendars that jobs can follow
    Ls(List),
    /// Show a calendar and the days of a year that count
    Show(Show),
    /// Make a calendar
    Create(Create),
    /// Take the days of an iCalendar file (.ics) into a calendar
    Import(Import),
    /// Change a calendar; jobs that follow it are planned anew
    Edit(Edit),
    /// Delete a calendar that no job follows
    Rm(Remove),
}

/// Which calendars.
#[derive(Args)]
pub(crate) struct List {
    /// Only what jobs of this group can follow (name or id)
    #[arg(long, short)]
    group: Option<String>,
}

/// What to make.
#[derive(Args)]
#[command(group(ArgGroup::new("owner").required(true)))]
pub(crate) struct Create {
    /// Name: letters, digits, dots, _ and -; it stays as it is
    name: String,
    /// For jobs of this group (name or id)
    #[arg(long, short, group = "owner")]
    group: Option<String>,
    /// For all jobs of the fleet (administrators)
    #[arg(long, group = "owner")]
    fleet: bool,
    #[command(flatten)]
    days: Days,
}

/// What to delete.
#[derive(Args)]
pub(crate) struct Remove {
    /// Name, group/name or id
    calendar: String,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl Command {
    /// Does it.
    pub(crate) async fn run(self, options: &Options, screen: &mut Screen) -> Result<(), Failure> {
        let client = Client::new(options)?;
        match self {
            Self::Ls(list) => list.run(&client, screen).await,
            Self::Show(show) => show.run(&client, screen).await,
            Self::Create(create) => create.run(&client, screen).await,
            Self::Import(import) => import.run(&client, screen).await,
            Self::Edit(edit) => edit.run(&client, screen).await,
            Self::Rm(remove) => remove.run(&client, screen).await,
        }
    }
}

impl List {
    async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        let group = match &self.group {
            Some(group) => Some(id_of::<Group>(client, group).await?),
            None => None,
        };
        let answer = client
            .get::<Vec<CalendarHead>>("/calendars", &vec![])
            .await?;
        let can_follow = |head: &CalendarHead| {
            group.is_none() || head.group_id.is_none() || head.group_id == group
        };
        let mut heads = answer.value;
        heads.retain(can_follow);
        if screen.is_json() {
            return screen.json(&heads);
        }
        let header = ["NAME", "OF", "VERSION", "JOBS", "CHANGED", "BY"];
        let rows = heads.iter().map(row).collect();
        screen.table(&header, rows, "no calendars")
    }
}

impl Create {
    async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        let group_id = match &self.group {
            Some(group) => Some(id_of::<Group>(client, group).await?),
            None => None,
        };
        let mut spec = domain_spec(CalendarSpec {
            name: self.name,
            ..CalendarSpec::default()
        })?;
        self.days.apply(&mut spec)?;
        let request = CalendarCreate {
            group_id,
            spec: spec.into(),
        };
        let answer = client
            .send::<Calendar>(Method::POST, "/calendars", &request)
            .await?;
        if screen.is_json() {
            return screen.json(&answer.raw);
        }
        screen.line(answer.value.id)
    }
}

impl Remove {
    async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        let calendar = find::kept(client, &self.calendar).await?;
        let name = shown::plain(&calendar.spec.name);
        let action = format!("delete calendar {name}");
        if self.yes || confirm(&action, "no job follows it any more, or it stays")? {
            let path = format!("/calendars/{}", calendar.id);
            client.act(Method::DELETE, &path, None::<&()>).await?;
            screen.note(format_args!("deleted {name}"));
        }
        Ok(())
    }
}

fn row(head: &CalendarHead) -> Vec<String> {
    vec![
        shown::plain(&head.name),
        owner(head.id.is_some(), head.group_name.as_deref()),
        number(head.version),
        number(head.job_count),
        shown::maybe_instant(head.updated_at),
        shown::maybe_plain(head.updated_by.as_deref()),
    ]
}

/// Whose a calendar is.
fn owner(is_kept: bool, group: Option<&str>) -> String {
    match group {
        Some(group) => format!("group {}", shown::plain(group)),
        None if is_kept => "fleet".to_owned(),
        None => "program".to_owned(),
    }
}

fn number(number: Option<impl ToString>) -> String {
    number.map_or_else(|| NONE.to_owned(), |number| number.to_string())
}

/// What a calendar says, as it is worked with.
fn domain_spec(spec: CalendarSpec) -> Result<domain::CalendarSpec, Failure> {
    domain::CalendarSpec::try_from(spec).map_err(refused)
}

/// A calendar that breaks a rule.
fn refused(error: cronfleet_core::job::SpecError) -> Failure {
    Failure::Input {
        field: error.field,
        message: error.message,
        hint: error.hint,
    }
}
