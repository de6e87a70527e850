//! `cronfleet run ls`.

use clap::Args;
use cronfleet_api::agent::Agent;
use cronfleet_api::group::Group;
use cronfleet_api::job::Job;
use cronfleet_api::run::Run;
use jiff::Timestamp;

use crate::client::{Client, Query, id_of};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::shown;

/// List runs, newest first.
#[derive(Args)]
pub(crate) struct List {
    /// Only runs of this job (name, group/name or id)
    #[arg(long, short)]
    job: Option<String>,
    /// Only runs on this agent (name or id)
    #[arg(long, short)]
    agent: Option<String>,
    /// Only runs of this group (name or id)
    #[arg(long, short)]
    group: Option<String>,
    /// Only runs in these states: planned, dispatched, accepted, running, ended
    #[arg(long, value_delimiter = ',')]
    state: Vec<String>,
    /// Only runs that ended like this: succeeded, failed, killed, timed_out, skipped, missed, lost
    #[arg(long, value_delimiter = ',')]
    outcome: Vec<String>,
    /// Only runs asked for by this: schedule, manual, retry, reboot
    #[arg(long)]
    cause: Option<String>,
    /// Only runs due at or after this instant (RFC 3339)
    #[arg(long)]
    from: Option<Timestamp>,
    /// Only runs due before this instant (RFC 3339); now when absent
    #[arg(long)]
    to: Option<Timestamp>,
    /// Also runs that are planned and not due yet
    #[arg(long, conflicts_with = "to")]
    upcoming: bool,
    /// How many at most
    #[arg(long, short = 'n', default_value_t = 50)]
    limit: usize,
}

impl List {
    pub(super) async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        let query = self.query(client).await?;
        let runs = client.list::<Run>("/runs", &query, self.limit).await?;
        if screen.is_json() {
            return screen.json(&runs.raw);
        }
        table(screen, &runs.rows)?;
        if runs.has_more {
            screen.note(format_args!(
                "there are more than {}: see --limit",
                self.limit
            ));
        }
        Ok(())
    }

    async fn query(&self, client: &Client) -> Result<Query, Failure> {
        let mut query = vec![];
        if let Some(job) = &self.job {
            query.push(("job", id_of::<Job>(client, job).await?.to_string()));
        }
        if let Some(agent) = &self.agent {
            query.push(("agent", id_of::<Agent>(client, agent).await?.to_string()));
        }
        if let Some(group) = &self.group {
            query.push(("group", id_of::<Group>(client, group).await?.to_string()));
        }
        for (name, words) in [("state", &self.state), ("outcome", &self.outcome)] {
            if !words.is_empty() {
                query.push((name, words.join(",")));
            }
        }
        query.extend(self.cause.clone().map(|cause| ("cause", cause)));
        query.extend(self.from.map(|from| ("from", from.to_string())));
        if !self.upcoming {
            query.push(("to", self.to.unwrap_or_else(Timestamp::now).to_string()));
        }
        Ok(query)
    }
}

/// Shows runs as a table.
pub(crate) fn table(screen: &mut Screen, runs: &[Run]) -> Result<(), Failure> {
    let header = [
        "ID", "JOB", "AGENT", "DUE", "OUTCOME", "WHY", "LATE", "TOOK",
    ];
    screen.table(&header, runs.iter().map(row).collect(), "no runs")
}

fn row(run: &Run) -> Vec<String> {
    let mut job = shown::plain(&run.job_name);
    if run.copies > 1 {
        job.push_str(&format!(" #{}", run.copy));
    }
    if run.attempt > 1 {
        job.push_str(&format!(" (attempt {})", run.attempt));
    }
    vec![
        run.id.to_string(),
        job,
        shown::plain(&run.agent_name),
        shown::instant(run.due),
        outcome(run),
        why(run),
        shown::maybe_duration_us(run.lag_us),
        shown::maybe_duration_us(run.duration_us),
    ]
}

/// How it ended, or where it is on its way.
pub(super) fn outcome(run: &Run) -> String {
    match &run.outcome {
        Some(outcome) => shown::word(outcome),
        None if run.unreachable_since.is_some() => {
            format!("{} (agent out of reach)", shown::word(&run.state))
        }
        None => shown::word(&run.state),
    }
}

/// Reason, signal, or an exit status other than 0.
pub(super) fn why(run: &Run) -> String {
    match (&run.reason, &run.signal, run.exit_code) {
        (Some(reason), _, _) => shown::plain(reason),
        (None, Some(signal), _) => format!("signal {}", shown::plain(signal)),
        (None, None, Some(code)) if code != 0 => format!("exit {code}"),
        _ => shown::NONE.to_owned(),
    }
}
