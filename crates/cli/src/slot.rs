//! `cronfleet slot`: the places of daemon jobs on agents, and the processes that lived in them.

use clap::{Args, Subcommand};
use cronfleet_api::agent::Agent;
use cronfleet_api::group::Group;
use cronfleet_api::job::Job;
use cronfleet_api::slot::{Process, Slot, SlotRestart, SlotRestartAnswer};
use reqwest::Method;

use crate::args::Options;
use crate::client::{Answer, Client, Query, id_of};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::shown::{self, NONE};

/// Subcommands of `cronfleet slot`.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List slots with their state
    Ls(Filter),
    /// Stop the processes of a daemon job gracefully, a few at a time as the job says, and start them again
    Restart(Restart),
    /// List the processes that lived in the slots of a job, newest first
    Processes(Processes),
}

/// Which slots.
#[derive(Args)]
pub(crate) struct Filter {
    /// Only slots of this job (name, group/name or id)
    #[arg(long, short)]
    job: Option<String>,
    /// Only slots on this agent (name or id)
    #[arg(long, short)]
    agent: Option<String>,
    /// Only slots of this group's jobs (name or id)
    #[arg(long, short)]
    group: Option<String>,
}

/// Which processes to restart.
#[derive(Args)]
pub(crate) struct Restart {
    /// Job (name, group/name or id)
    job: String,
    /// Only on this agent (name or id)
    #[arg(long, short)]
    agent: Option<String>,
    /// Only this slot of each agent, from 0
    #[arg(long, short)]
    index: Option<u32>,
}

/// Which processes to list.
#[derive(Args)]
pub(crate) struct Processes {
    /// Job (name, group/name or id)
    job: String,
    /// Only on this agent (name or id)
    #[arg(long, short)]
    agent: Option<String>,
    /// Only of this slot of each agent, from 0
    #[arg(long, short)]
    index: Option<u32>,
    /// How many at most
    #[arg(long, short = 'n', default_value_t = 50)]
    limit: usize,
}

impl Command {
    /// Does it.
    pub(crate) async fn run(self, options: &Options, screen: &mut Screen) -> Result<(), Failure> {
        let client = Client::new(options)?;
        match self {
            Self::Ls(filter) => list(filter, &client, screen).await,
            Self::Restart(which) => restart(which, &client, screen).await,
            Self::Processes(which) => processes(which, &client, screen).await,
        }
    }
}

async fn list(filter: Filter, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    let mut query: Query = vec![];
    if let Some(job) = &filter.job {
        query.push(("job", id_of::<Job>(client, job).await?.to_string()));
    }
    if let Some(agent) = &filter.agent {
        query.push(("agent", id_of::<Agent>(client, agent).await?.to_string()));
    }
    if let Some(group) = &filter.group {
        query.push(("group", id_of::<Group>(client, group).await?.to_string()));
    }
    let slots = client.list::<Slot>("/slots", &query, 100_000).await?;
    if screen.is_json() {
        return screen.json(&slots.raw);
    }
    let row = |slot: &Slot| {
        let state = match slot.is_agent_online {
            true => shown::word(&slot.state),
            false => format!("{} (agent out of reach)", shown::word(&slot.state)),
        };
        vec![
            format!("{} #{}", shown::plain(&slot.job_name), slot.index),
            shown::plain(&slot.agent_name),
            state,
            shown::maybe_instant(slot.since),
            slot.pid
                .map_or_else(|| NONE.to_owned(), |pid| pid.to_string()),
            slot.restarts.to_string(),
            probe(slot),
            next(slot),
            shown::maybe_plain(slot.last_end.as_deref()),
        ]
    };
    let header = [
        "SLOT", "AGENT", "STATE", "SINCE", "PID", "RESTARTS", "PROBE", "NEXT", "LAST END",
    ];
    screen.table(&header, slots.rows.iter().map(row).collect(), "no slots")
}

/// `ok`, or what was wrong.
fn probe(slot: &Slot) -> String {
    match &slot.probe {
        None => NONE.to_owned(),
        Some(probe) if probe.is_ok => "ok".to_owned(),
        Some(probe) => shown::maybe_plain(probe.detail.as_deref()),
    }
}

/// What comes next by itself, and when.
fn next(slot: &Slot) -> String {
    match (&slot.next_step, slot.next_at) {
        (None, _) => NONE.to_owned(),
        (Some(step), None) => shown::word(step),
        (Some(step), Some(at)) => format!("{} {}", shown::word(step), shown::instant(at)),
    }
}

async fn restart(which: Restart, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    let agent_id = match &which.agent {
        Some(agent) => Some(id_of::<Agent>(client, agent).await?),
        None => None,
    };
    let request = SlotRestart {
        job_id: id_of::<Job>(client, &which.job).await?,
        agent_id,
        index: which.index,
    };
    let answer: Answer<SlotRestartAnswer> = client
        .send(Method::POST, "/slots/restart", &request)
        .await?;
    screen.note(format_args!(
        "{} is being restarted: see \"cronfleet slot ls\"",
        which.job
    ));
    if answer.value.agents_waiting > 0 {
        screen.note(format_args!(
            "agents out of reach: {}; they restart it when they are back",
            answer.value.agents_waiting
        ));
    }
    Ok(())
}

async fn processes(which: Processes, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    let mut query: Query = vec![("job", id_of::<Job>(client, &which.job).await?.to_string())];
    if let Some(agent) = &which.agent {
        query.push(("agent", id_of::<Agent>(client, agent).await?.to_string()));
    }
    query.extend(which.index.map(|index| ("index", index.to_string())));
    let processes = client
        .list::<Process>("/processes", &query, which.limit)
        .await?;
    if screen.is_json() {
        return screen.json(&processes.raw);
    }
    let row = |process: &Process| {
        vec![
            process.id.to_string(),
            format!("#{}", process.index),
            shown::maybe_instant(process.started_at),
            shown::maybe_instant(process.ended_at),
            process
                .pid
                .map_or_else(|| NONE.to_owned(), |pid| pid.to_string()),
            end(process),
            shown::maybe_plain(process.reason.as_deref()),
        ]
    };
    let header = ["ID", "SLOT", "STARTED", "ENDED", "PID", "END", "REASON"];
    screen.table(
        &header,
        processes.rows.iter().map(row).collect(),
        "no processes",
    )
}

fn end(process: &Process) -> String {
    match (process.exit_code, &process.signal) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("signal {}", shown::plain(signal)),
        (None, None) => NONE.to_owned(),
    }
}
