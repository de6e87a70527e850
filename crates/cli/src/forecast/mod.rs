//! `cronfleet forecast`: the load of the next hours, and what definitions would make of it.

mod show;
mod with;

use std::path::PathBuf;

use clap::Args;
use cronfleet_api::agent::Agent;
use cronfleet_api::forecast::Forecast as Answer;
use cronfleet_api::group::Group;
use jiff::Timestamp;

use crate::args::Options;
use crate::client::{Client, Query, id_of};
use crate::failure::Failure;
use crate::screen::Screen;

/// Tell the load of the next hours: starts, peaks, expected overlaps, and what would be better spread.
#[derive(Args)]
#[command(after_help = "\
Examples:
  cronfleet forecast
  cronfleet forecast --agent web-1 --hours 168
  cronfleet forecast --with new-jobs.yaml")]
pub(crate) struct Forecast {
    /// Only jobs of this group (name or id)
    #[arg(long, short)]
    group: Option<String>,
    /// Only what runs on this agent (name or id)
    #[arg(long, short)]
    agent: Option<String>,
    /// How many hours: 24 or 168
    #[arg(long, default_value_t = 24)]
    hours: u32,
    /// Where it begins (RFC 3339); now when absent
    #[arg(long, value_name = "INSTANT")]
    from: Option<Timestamp>,
    /// Tell what each job of these definitions would make of the load: file, folder, or - for standard input; may be repeated
    #[arg(long = "with", value_name = "PATH", conflicts_with_all = ["group", "agent"])]
    with: Vec<PathBuf>,
}

impl Forecast {
    /// Does it.
    pub(crate) async fn run(self, options: &Options, screen: &mut Screen) -> Result<(), Failure> {
        if !self.with.is_empty() {
            return with::changes(options, screen, &self.with, self.from, self.hours).await;
        }
        let client = Client::new(options)?;
        let query = self.query(&client).await?;
        let answer = client.get::<Answer>("/forecast", &query).await?;
        if screen.is_json() {
            return screen.json(&answer.raw);
        }
        show::forecast(screen, &answer.value)
    }

    async fn query(&self, client: &Client) -> Result<Query, Failure> {
        let mut query = vec![("hours", self.hours.to_string())];
        if let Some(group) = &self.group {
            query.push(("group", id_of::<Group>(client, group).await?.to_string()));
        }
        if let Some(agent) = &self.agent {
            query.push(("agent", id_of::<Agent>(client, agent).await?.to_string()));
        }
        query.extend(self.from.map(|from| ("from", from.to_string())));
        Ok(query)
    }
}
