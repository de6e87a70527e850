//! `cronfleet agent ls`, `show`, `approve`, `edit`, `revoke`, `token`: the agents that a center knows.

use clap::Args;
use cronfleet_api::agent::{
    Agent, AgentApprove, AgentState, AgentUpdate, JoinToken, JoinTokenCreate, RunLimits, Spool,
    WaitingRuns,
};
use cronfleet_api::group::Group;
use cronfleet_api::limits::Cgroups;
use reqwest::Method;

use crate::client::{Client, Query, find, id_of, ids_of};
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::quantity::{Millis, parse_millis};
use crate::screen::Screen;
use crate::shown;

/// One agent.
#[derive(Args)]
pub(crate) struct Which {
    /// Name or id
    agent: String,
}

/// Which agents.
#[derive(Args)]
pub(crate) struct List {
    /// Only agents whose name contains this
    #[arg(value_name = "TEXT")]
    q: Option<String>,
    /// Only agents that serve this group (name or id)
    #[arg(long, short)]
    group: Option<String>,
    /// Only agents in this state: pending, active, revoked
    #[arg(long)]
    state: Option<String>,
    /// Only agents with a live session
    #[arg(long)]
    online: bool,
}

/// Which agent to let in.
#[derive(Args)]
pub(crate) struct Approve {
    /// Name or id
    agent: String,
    /// Group that it shall serve (name or id), in place of those of its token; can be repeated
    #[arg(long, short)]
    group: Vec<String>,
}

/// What to change.
#[derive(Args)]
pub(crate) struct Edit {
    /// Name or id
    agent: String,
    /// New name
    #[arg(long)]
    name: Option<String>,
    /// New whole list of groups (names or ids); can be repeated
    #[arg(long, short)]
    group: Vec<String>,
    /// Runs alive at the same time, 1 to 100000, or none for no limit
    #[arg(long, value_name = "N", value_parser = parse_limit)]
    running_max: Option<Limit>,
    /// Starts of runs in any second, 1 to 1000, or none for no limit
    #[arg(long, value_name = "N", value_parser = parse_limit)]
    starts_per_second: Option<Limit>,
}

/// A limit, or that there is none.
#[derive(Clone, Copy)]
struct Limit(Option<u32>);

fn parse_limit(text: &str) -> Result<Limit, String> {
    match text {
        "none" => Ok(Limit(None)),
        _ => match text.parse() {
            Ok(limit) => Ok(Limit(Some(limit))),
            Err(_) => Err(format!("{text:?} is neither a number nor none")),
        },
    }
}

/// Which agent to shut out.
#[derive(Args)]
pub(crate) struct Revoke {
    /// Name or id
    agent: String,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// What kind of token.
#[derive(Args)]
pub(crate) struct Token {
    /// Group that the agents shall serve (name or id); can be repeated
    #[arg(long, short)]
    group: Vec<String>,
    /// Agents that join with it work at once, without an approval
    #[arg(long)]
    preapproved: bool,
    /// How long it lets machines join
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_millis)]
    ttl: Millis,
    /// How many machines may join with it
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    uses: u32,
}

pub(super) async fn list(
    filter: List,
    client: &Client,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let mut query: Query = vec![];
    query.extend(filter.q.map(|q| ("q", q)));
    query.extend(filter.state.map(|state| ("state", state)));
    if filter.online {
        query.push(("online", "true".to_owned()));
    }
    if let Some(group) = &filter.group {
        query.push(("group", id_of::<Group>(client, group).await?.to_string()));
    }
    let agents = client.list::<Agent>("/agents", &query, 100_000).await?;
    if screen.is_json() {
        return screen.json(&agents.raw);
    }
    let row = |agent: &Agent| {
        vec![
            shown::plain(&agent.name),
            state(agent),
            shown::maybe_instant(agent.last_seen_at),
            agent.running_count.to_string(),
            shown::maybe_duration_us(agent.clock_offset_us),
            shown::plain(&agent.version),
            agent.cgroups.as_ref().map_or_else(
                || shown::NONE.to_owned(),
                |cgroups| shown::plain(&cgroups.mode),
            ),
            shown::cut(&agent.os, 50),
        ]
    };
    let header = [
        "NAME",
        "STATE",
        "LAST SEEN",
        "RUNNING",
        "CLOCK",
        "VERSION",
        "CGROUPS",
        "SYSTEM",
    ];
    screen.table(
        &header,
        agents.rows.iter().map(row).collect(),
        "no agents: see \"cronfleet agent token\"",
    )
}

fn state(agent: &Agent) -> String {
    match (agent.state, agent.is_online) {
        (AgentState::Active, true) => "online".to_owned(),
        (AgentState::Active, false) => "offline".to_owned(),
        (AgentState::Pending | AgentState::Revoked, _) => shown::word(&agent.state),
    }
}

pub(super) async fn show(
    which: Which,
    client: &Client,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let id = id_of::<Agent>(client, &which.agent).await?;
    let answer = client
        .get::<Agent>(&format!("/agents/{id}"), &vec![])
        .await?;
    if screen.is_json() {
        return screen.json(&answer.raw);
    }
    let agent = answer.value;
    let groups = client.list::<Group>("/groups", &vec![], 10_000).await?.rows;
    let group_name = |id: uuid::Uuid| match groups.iter().find(|group| group.id == id) {
        Some(group) => shown::plain(&group.name),
        None => id.to_string(),
    };
    let memory = format!(
        "{} of {} available",
        shown::bytes(agent.memory_available_bytes),
        shown::bytes(agent.memory_total_bytes)
    );
    let slots = format!("{} of {} running", agent.slots_running, agent.slots_wanted);
    let spool = agent.spool.map_or_else(|| shown::NONE.to_owned(), spool);
    let lines = [
        ("id", agent.id.to_string()),
        ("state", state(&agent)),
        (
            "groups",
            agent
                .group_ids
                .iter()
                .map(|id| group_name(*id))
                .collect::<Vec<_>>()
                .join(", "),
        ),
        ("host", shown::plain(&agent.hostname)),
        (
            "system",
            format!("{}, {}", shown::plain(&agent.os), shown::plain(&agent.arch)),
        ),
        ("version", shown::plain(&agent.version)),
        ("root", shown::yes_no(agent.is_root)),
        ("cgroups", cgroups(agent.cgroups.as_ref())),
        (
            "load",
            format!("{:.2} on {} processors", agent.load_1m, agent.cpu_count),
        ),
        ("memory", memory),
        ("running", agent.running_count.to_string()),
        ("waiting", waiting(&agent)),
        ("limits", run_limits(agent.run_limits)),
        ("slots", slots),
        ("spool", spool),
        ("clock", shown::maybe_duration_us(agent.clock_offset_us)),
        ("round trip", shown::maybe_duration_us(agent.round_trip_us)),
        ("joined", shown::instant(agent.joined_at)),
        ("last seen", shown::maybe_instant(agent.last_seen_at)),
        ("key", shown::plain(&agent.key_fingerprint)),
        ("policy", policy(&agent)),
        ("refused", refused(&agent)),
    ];
    screen.line(shown::plain(&agent.name))?;
    lines
        .iter()
        .try_for_each(|(label, value)| screen.line(format_args!("  {label:<10}  {value}")))
}

/// Runs that are due and wait, and for how long.
fn waiting(agent: &Agent) -> String {
    let Some(WaitingRuns { count, since }) = agent.waiting else {
        return shown::NONE.to_owned();
    };
    match since {
        Some(since) => format!("{count} runs, the first since {}", shown::instant(since)),
        None => count.to_string(),
    }
}

/// Limits on all of its runs together.
fn run_limits(limits: RunLimits) -> String {
    let running = limits.running_max.map(|max| format!("{max} runs alive"));
    let starts = limits
        .starts_per_second
        .map(|rate| format!("{rate} starts a second"));
    let said: Vec<String> = running.into_iter().chain(starts).collect();
    if said.is_empty() {
        return shown::NONE.to_owned();
    }
    said.join(", ")
}

/// What the policy of its machine allows, in one line.
fn policy(agent: &Agent) -> String {
    let Some(policy) = &agent.policy else {
        return "not told".to_owned();
    };
    let file = policy.file.as_deref().unwrap_or("built in");
    let root = if policy.is_root_denied {
        "root denied"
    } else {
        "root allowed"
    };
    let error = match &policy.reload_error {
        Some(error) => format!("; A NEWER ONE IS REFUSED: {}", shown::plain(error)),
        None => String::new(),
    };
    format!(
        "{}: {root}, users {}, programs {}{error}",
        shown::plain(file),
        shown::cut(&policy.run_as_allow.join(", "), 60),
        shown::word(&policy.exec_mode)
    )
}

/// How many starts it has refused, and the last of them.
fn refused(agent: &Agent) -> String {
    match &agent.policy {
        Some(policy) => match (&policy.last_refusal, policy.last_refused_at) {
            (Some(detail), Some(at)) => format!(
                "{} starts, last {}: {}",
                policy.refused_count,
                shown::instant(at),
                shown::plain(detail)
            ),
            _ => "no start".to_owned(),
        },
        None => "not told".to_owned(),
    }
}

/// How full the spool of output is.
fn spool(spool: Spool) -> String {
    let (bytes, max) = (shown::bytes(spool.bytes), shown::bytes(spool.max_bytes));
    match spool.dropped_count {
        0 => format!("{bytes} of {max} waiting"),
        count => format!("{bytes} of {max} waiting; output of {count} processes was given up"),
    }
}

/// What control groups can do on a machine.
fn cgroups(cgroups: Option<&Cgroups>) -> String {
    let Some(cgroups) = cgroups else {
        return shown::NONE.to_owned();
    };
    let limits = match cgroups.controllers.as_slice() {
        [] => "no limits".to_owned(),
        controllers => format!("limits {}", shown::plain(&controllers.join(", "))),
    };
    let kill = match cgroups.kill_means.as_str() {
        "control_group" => "kills whole groups",
        "freezer" => "kills frozen groups",
        _ => "kills by descent",
    };
    let mut text = format!("{}: {kill}, {limits}", shown::plain(&cgroups.mode));
    if !cgroups.detail.is_empty() {
        text.push_str(&format!(" ({})", shown::plain(&cgroups.detail)));
    }
    text
}

pub(super) async fn approve(
    approval: Approve,
    client: &Client,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let id = id_of::<Agent>(client, &approval.agent).await?;
    let request = AgentApprove {
        group_ids: group_ids(client, &approval.group).await?,
    };
    let path = format!("/agents/{id}/approve");
    let answer = client.send::<Agent>(Method::POST, &path, &request).await?;
    if screen.is_json() {
        return screen.json(&answer.raw);
    }
    let agent = answer.value;
    screen.line(format_args!(
        "approved {} (key {})",
        shown::plain(&agent.name),
        shown::plain(&agent.key_fingerprint)
    ))
}

pub(super) async fn edit(
    change: Edit,
    client: &Client,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let agent: Agent = find(client, &change.agent).await?;
    let id = agent.id;
    let limits = [change.running_max, change.starts_per_second];
    let run_limits = limits.iter().any(Option::is_some).then(|| {
        let [running_max, starts_per_second] = limits;
        let before = agent.run_limits;
        RunLimits {
            running_max: running_max.map_or(before.running_max, |Limit(max)| max),
            starts_per_second: starts_per_second
                .map_or(before.starts_per_second, |Limit(rate)| rate),
        }
    });
    let request = AgentUpdate {
        name: change.name,
        group_ids: group_ids(client, &change.group).await?,
        run_limits,
    };
    let answer = client
        .send::<Agent>(Method::PATCH, &format!("/agents/{id}"), &request)
        .await?;
    if screen.is_json() {
        return screen.json(&answer.raw);
    }
    screen.line(format_args!("saved {}", shown::plain(&answer.value.name)))
}

pub(super) async fn revoke(
    which: Revoke,
    client: &Client,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let agent: Agent = find(client, &which.agent).await?;
    let name = shown::plain(&agent.name);
    let effect = format!(
        "its certificate is refused from now on; {} processes are alive there",
        agent.running_count
    );
    if which.yes || confirm(&format!("revoke agent {name}"), &effect)? {
        client
            .act(
                Method::DELETE,
                &format!("/agents/{}", agent.id),
                None::<&()>,
            )
            .await?;
        screen.note(format_args!("revoked {name}"));
    }
    Ok(())
}

pub(super) async fn make_token(
    token: Token,
    client: &Client,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let request = JoinTokenCreate {
        group_ids: ids_of::<Group>(client, &token.group).await?,
        is_preapproved: token.preapproved,
        ttl_seconds: Some(token.ttl.0.div_ceil(1_000)),
        uses_max: Some(token.uses),
    };
    let answer = client
        .send::<JoinToken>(Method::POST, "/agents/join-tokens", &request)
        .await?;
    if screen.is_json() {
        return screen.json(&answer.raw);
    }
    screen.line(shown::plain(&answer.value.command))?;
    screen.note(format_args!(
        "run it as root on the machine, before {}",
        shown::instant(answer.value.expires_at)
    ));
    Ok(())
}

async fn group_ids(client: &Client, names: &[String]) -> Result<Option<Vec<uuid::Uuid>>, Failure> {
    match names {
        [] => Ok(None),
        names => ids_of::<Group>(client, names).await.map(Some),
    }
}
