//! `cronfleet job ls`.

use clap::{Args, ValueEnum};
use cronfleet_api::agent::Agent;
use cronfleet_api::group::Group;
use cronfleet_api::job::{Job, JobKind};

use crate::client::{Client, Query, id_of};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::shown::{self, NONE};

/// List jobs.
#[derive(Args)]
pub(crate) struct List {
    /// Only jobs whose name contains this
    #[arg(value_name = "TEXT")]
    q: Option<String>,
    /// Only jobs of this group (name or id)
    #[arg(long, short)]
    group: Option<String>,
    /// Only jobs that may run on this agent (name or id)
    #[arg(long, short)]
    agent: Option<String>,
    /// Only jobs of this kind
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Only paused jobs
    #[arg(long, conflicts_with = "active")]
    paused: bool,
    /// Only jobs that are not paused
    #[arg(long)]
    active: bool,
    /// How many at most
    #[arg(long, short = 'n', default_value_t = 200)]
    limit: usize,
}

/// Kind of a job.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(super) enum Kind {
    Scheduled,
    Daemon,
}

impl List {
    pub(super) async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        let query = self.query(client).await?;
        let jobs = client.list::<Job>("/jobs", &query, self.limit).await?;
        if screen.is_json() {
            return screen.json(&jobs.raw);
        }
        let header = ["NAME", "GROUP", "SCHEDULE", "STATE", "NEXT", "LAST"];
        screen.table(&header, jobs.rows.iter().map(row).collect(), "no jobs")?;
        if jobs.has_more {
            screen.note(format_args!(
                "there are more than {}: see --limit",
                self.limit
            ));
        }
        Ok(())
    }

    async fn query(&self, client: &Client) -> Result<Query, Failure> {
        let mut query = vec![];
        query.extend(self.q.clone().map(|q| ("q", q)));
        if let Some(group) = &self.group {
            query.push(("group", id_of::<Group>(client, group).await?.to_string()));
        }
        if let Some(agent) = &self.agent {
            query.push(("agent", id_of::<Agent>(client, agent).await?.to_string()));
        }
        query.extend(self.kind.map(|kind| {
            let word = match kind {
                Kind::Scheduled => "scheduled",
                Kind::Daemon => "daemon",
            };
            ("kind", word.to_owned())
        }));
        if self.paused || self.active {
            query.push(("paused", self.paused.to_string()));
        }
        Ok(query)
    }
}

fn row(job: &Job) -> Vec<String> {
    vec![
        shown::plain(&job.spec.name),
        shown::plain(&job.group_name),
        schedule(job),
        state(job),
        shown::maybe_instant(job.next_due),
        last(job),
    ]
}

/// The expression with its zone, or the wanted processes of a daemon.
pub(super) fn schedule(job: &Job) -> String {
    match &job.spec.scheduled {
        Some(scheduled) => match &scheduled.time_zone {
            Some(zone) => format!(
                "{} ({})",
                shown::plain(&scheduled.expression),
                shown::plain(zone)
            ),
            None => shown::plain(&scheduled.expression),
        },
        None => format!("daemon, {} per agent", job.spec.processes),
    }
}

/// What the job does now.
pub(super) fn state(job: &Job) -> String {
    match job.kind {
        _ if job.is_paused => "paused".to_owned(),
        JobKind::Scheduled => match (&job.snooze, &job.frozen) {
            (Some(snooze), _) => format!("snoozed until {}", shown::instant(snooze.until)),
            (None, Some(frozen)) => format!("frozen until {}", shown::instant(frozen.until)),
            (None, None) => "active".to_owned(),
        },
        JobKind::Daemon if job.slots_crash_loop > 0 => {
            format!(
                "{}/{} running, {} in crash loop",
                job.slots_running, job.slots_wanted, job.slots_crash_loop
            )
        }
        JobKind::Daemon => format!("{}/{} running", job.slots_running, job.slots_wanted),
    }
}

fn last(job: &Job) -> String {
    match job.recent.first() {
        Some(run) => match &run.outcome {
            Some(outcome) => shown::word(outcome),
            None => "running".to_owned(),
        },
        None => NONE.to_owned(),
    }
}
