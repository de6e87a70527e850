//! `cronfleet window`: time in which nothing starts, for a job, a group, or the whole fleet.

use clap::{ArgGroup, Args, Subcommand};
use cronfleet_api::group::Group;
use cronfleet_api::job::Job;
use cronfleet_api::session::About;
use cronfleet_api::window::{Once, Recurring, Window, WindowCreate, WindowReplace, WindowState};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use uuid::Uuid;

use crate::args::Options;
use crate::client::{Client, id_of};
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::quantity::{Millis, parse_millis};
use crate::screen::Screen;
use crate::shown::{self, NONE};

/// Subcommands of `cronfleet window`.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List windows
    Ls(List),
    /// Make a window in which nothing starts
    Create(Create),
    /// Change a window from now on
    Edit(Edit),
    /// End a window: what is due from now on runs
    Rm(Remove),
}

/// Which windows.
#[derive(Args)]
pub(crate) struct List {
    /// Only of this group and its jobs (name or id)
    #[arg(long, short)]
    group: Option<String>,
    /// Only of this job (name, group/name or id)
    #[arg(long, short)]
    job: Option<String>,
    /// Also windows that are over
    #[arg(long)]
    over: bool,
    /// How many at most
    #[arg(long, short = 'n', default_value_t = 200)]
    limit: usize,
}

/// What to make.
#[derive(Args)]
#[command(group(ArgGroup::new("scope").required(true)))]
#[command(group(ArgGroup::new("when").required(true).multiple(true).args(["until", "for", "begins"])))]
pub(crate) struct Create {
    /// What it is for; shown wherever it holds something
    #[arg(long, short)]
    reason: String,
    /// Hold every scheduled job of the fleet (administrators)
    #[arg(long, group = "scope")]
    fleet: bool,
    /// Hold the scheduled jobs of this group (name or id)
    #[arg(long, short, group = "scope")]
    group: Option<String>,
    /// Hold this job (name, group/name or id)
    #[arg(long, short, group = "scope")]
    job: Option<String>,
    #[command(flatten)]
    when: When,
}

/// What to change; what is not given stays.
#[derive(Args)]
pub(crate) struct Edit {
    /// Id
    id: Uuid,
    /// What it is for
    #[arg(long, short)]
    reason: Option<String>,
    #[command(flatten)]
    when: When,
}

/// What to end.
#[derive(Args)]
pub(crate) struct Remove {
    /// Id
    id: Uuid,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// When it is: once, or again and again.
#[derive(Args)]
struct When {
    /// Once: from this instant on (RFC 3339); now when absent
    #[arg(long, value_name = "INSTANT", conflicts_with = "begins")]
    from: Option<Timestamp>,
    /// Once: until just before this instant (RFC 3339)
    #[arg(long, value_name = "INSTANT", conflicts_with_all = ["begins", "for"])]
    until: Option<Timestamp>,
    /// Once: for so long, e.g. 2h
    #[arg(long, value_name = "TIME", value_parser = parse_millis, conflicts_with = "begins")]
    r#for: Option<Millis>,
    /// Again and again: schedule expression of its beginnings, e.g. "0 22 * * 6"
    #[arg(long, value_name = "EXPRESSION", requires = "lasts")]
    begins: Option<String>,
    /// Time zone of --begins; the center's default when absent
    #[arg(long, value_name = "ZONE", requires = "begins")]
    time_zone: Option<String>,
    /// How long it lasts after each of --begins, 1m to 31d
    #[arg(long, value_name = "TIME", value_parser = parse_millis, requires = "begins")]
    lasts: Option<Millis>,
}

impl Command {
    /// Does it.
    pub(crate) async fn run(self, options: &Options, screen: &mut Screen) -> Result<(), Failure> {
        let client = Client::new(options)?;
        match self {
            Self::Ls(list) => list.run(&client, screen).await,
            Self::Create(create) => create.run(&client, screen).await,
            Self::Edit(edit) => edit.run(&client, screen).await,
            Self::Rm(remove) => remove.run(&client, screen).await,
        }
    }
}

impl List {
    async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        let mut query = vec![("over", self.over.to_string())];
        if let Some(group) = &self.group {
            query.push(("group", id_of::<Group>(client, group).await?.to_string()));
        }
        if let Some(job) = &self.job {
            query.push(("job", id_of::<Job>(client, job).await?.to_string()));
        }
        let windows = client
            .list::<Window>("/windows", &query, self.limit)
            .await?;
        if screen.is_json() {
            return screen.json(&windows.raw);
        }
        let header = ["ID", "OF", "STATE", "WHEN", "REASON"];
        screen.table(
            &header,
            windows.rows.iter().map(row).collect(),
            "no windows",
        )?;
        if windows.has_more {
            screen.note(format_args!(
                "there are more than {}: see --limit",
                self.limit
            ));
        }
        Ok(())
    }
}

impl Create {
    async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        let group_id = match &self.group {
            Some(group) => Some(id_of::<Group>(client, group).await?),
            None => None,
        };
        let job_id = match &self.job {
            Some(job) => Some(id_of::<Job>(client, job).await?),
            None => None,
        };
        let request = WindowCreate {
            group_id,
            job_id,
            reason: self.reason,
            once: self.when.once(client, None).await?,
            recurring: self.when.recurring(),
        };
        let answer = client
            .send::<Window>(Method::POST, "/windows", &request)
            .await?;
        if screen.is_json() {
            return screen.json(&answer.raw);
        }
        screen.line(answer.value.id)
    }
}

impl Edit {
    async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        let path = format!("/windows/{}", self.id);
        let before = client.get::<Window>(&path, &vec![]).await?.value;
        let (once, recurring) = (
            self.when.once(client, before.once).await?,
            self.when.recurring(),
        );
        let is_new = once.is_some() || recurring.is_some();
        if self.when.from.is_some() && once.is_none() {
            return Err(Failure::Input {
                field: "--from".to_owned(),
                message: "--from alone says nothing about a window that comes again and again"
                    .to_owned(),
                hint: "add --until or --for, or use --begins and --lasts".to_owned(),
            });
        }
        let request = WindowReplace {
            reason: self.reason.unwrap_or(before.reason),
            once: if is_new { once } else { before.once },
            recurring: if is_new { recurring } else { before.recurring },
        };
        let version = format!("\"{}\"", before.version);
        let answer = client
            .send_with::<Window>(Method::PUT, &path, &request, ("If-Match", &version))
            .await?;
        if screen.is_json() {
            return screen.json(&answer.raw);
        }
        screen.line(format_args!("changed; {}", when(&answer.value)))
    }
}

impl Remove {
    async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        let path = format!("/windows/{}", self.id);
        let window = client.get::<Window>(&path, &vec![]).await?.value;
        let action = format!("end the window {:?}", shown::plain(&window.reason));
        let effect = format!("what is due from now on runs again: {}", scope(&window));
        if self.yes || confirm(&action, &effect)? {
            client.act(Method::DELETE, &path, None::<&()>).await?;
            screen.note(format_args!("ended {}", self.id));
        }
        Ok(())
    }
}

impl When {
    /// The time that comes once, if the flags say one. `before` is the one to change.
    async fn once(&self, client: &Client, before: Option<Once>) -> Result<Option<Once>, Failure> {
        let from = self.from.or(before.and_then(|once| once.from));
        let until = match (self.until, self.r#for) {
            (Some(until), _) => Some(until),
            (None, Some(length)) => Some(match self.from {
                Some(from) => after(from, length),
                None => center_time_after(client, length).await?,
            }),
            (None, None) => before
                .map(|once| once.until)
                .filter(|_| self.from.is_some()),
        };
        Ok(until.map(|until| Once { from, until }))
    }

    fn recurring(&self) -> Option<Recurring> {
        let expression = self.begins.clone()?;
        let Millis(lasts_ms) = self.lasts?;
        Some(Recurring {
            expression,
            time_zone: self.time_zone.clone(),
            lasts_ms,
        })
    }
}

/// The instant so long from now by the center's clock.
pub(crate) async fn center_time_after(
    client: &Client,
    length: Millis,
) -> Result<Timestamp, Failure> {
    let about = client.get::<About>("/about", &vec![]).await?.value;
    Ok(after(about.now, length))
}

fn after(from: Timestamp, Millis(ms): Millis) -> Timestamp {
    let length = SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
    from.checked_add(length).unwrap_or(Timestamp::MAX)
}

fn row(window: &Window) -> Vec<String> {
    let state = match window.state {
        WindowState::Holding => format!("holds until {}", shown::maybe_instant(window.holds_until)),
        WindowState::Waiting => format!("begins {}", shown::maybe_instant(window.next_begin)),
        WindowState::Over => "over".to_owned(),
    };
    vec![
        window.id.to_string(),
        scope(window),
        state,
        when(window),
        shown::plain(&window.reason),
    ]
}

fn scope(window: &Window) -> String {
    let name = shown::plain(&window.scope_name);
    match (window.job_id, window.group_id) {
        (Some(_), _) => format!("job {name}"),
        (None, Some(_)) => format!("group {name}"),
        (None, None) => "fleet".to_owned(),
    }
}

fn when(window: &Window) -> String {
    match (&window.once, &window.recurring) {
        (Some(once), _) => format!(
            "{} to {}",
            shown::maybe_instant(once.from),
            shown::instant(once.until)
        ),
        (None, Some(recurring)) => {
            let zone = match &recurring.time_zone {
                Some(zone) => format!(" ({})", shown::plain(zone)),
                None => String::new(),
            };
            format!(
                "{}{zone} for {}",
                shown::plain(&recurring.expression),
                shown::duration_ms(recurring.lasts_ms)
            )
        }
        (None, None) => NONE.to_owned(),
    }
}
