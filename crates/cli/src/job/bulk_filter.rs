//! Which jobs a command for many is about: the filter of `cronfleet job ls`, by flags.

use clap::{ArgGroup, Args};
use cronfleet_api::agent::Agent;
use cronfleet_api::bulk::JobSelection;
use cronfleet_api::group::Group;
use cronfleet_api::job::{Job, JobKind};

use super::list::Kind;
use crate::client::{Client, id_of, ids_of};
use crate::failure::Failure;

/// Which jobs. A job is meant if it is all that is asked for.
#[derive(Args)]
#[command(group(ArgGroup::new("which").required(true).multiple(true)))]
pub(super) struct Which {
    /// Jobs whose name contains this
    #[arg(
        long,
        value_name = "TEXT",
        group = "which",
        help_heading = "Which jobs"
    )]
    search: Option<String>,
    /// Jobs of this group (name or id)
    #[arg(long, short, group = "which", help_heading = "Which jobs")]
    group: Option<String>,
    /// Jobs that may run on this agent (name or id)
    #[arg(long, short, group = "which", help_heading = "Which jobs")]
    agent: Option<String>,
    /// Jobs of this kind
    #[arg(long, value_enum, group = "which", help_heading = "Which jobs")]
    kind: Option<Kind>,
    /// Paused jobs
    #[arg(
        long,
        conflicts_with = "active",
        group = "which",
        help_heading = "Which jobs"
    )]
    paused: bool,
    /// Jobs that are not paused
    #[arg(long, group = "which", help_heading = "Which jobs")]
    active: bool,
    /// This job and no other (name, group/name or id); can be repeated
    #[arg(
        long,
        value_name = "JOB",
        conflicts_with_all = ["search", "group", "agent", "kind", "paused", "active"],
        group = "which",
        help_heading = "Which jobs"
    )]
    job: Vec<String>,
    /// All jobs that I can see
    #[arg(
        long,
        conflicts_with_all = ["search", "group", "agent", "kind", "paused", "active", "job"],
        group = "which",
        help_heading = "Which jobs"
    )]
    all: bool,
}

impl Which {
    /// The filter, with ids for names.
    pub(super) async fn selection(&self, client: &Client) -> Result<JobSelection, Failure> {
        let mut selection = JobSelection {
            q: self.search.clone(),
            kind: self.kind.map(|kind| match kind {
                Kind::Scheduled => JobKind::Scheduled,
                Kind::Daemon => JobKind::Daemon,
            }),
            paused: (self.paused || self.active).then_some(self.paused),
            ..JobSelection::default()
        };
        if let Some(group) = &self.group {
            selection.group = Some(id_of::<Group>(client, group).await?);
        }
        if let Some(agent) = &self.agent {
            selection.agent = Some(id_of::<Agent>(client, agent).await?);
        }
        if !self.job.is_empty() {
            selection.ids = Some(ids_of::<Job>(client, &self.job).await?);
        }
        Ok(selection)
    }
}
