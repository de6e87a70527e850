//! `cronfleet job show`, `versions`, `lapses`.

use clap::Args;
use cronfleet_api::agent::Agent;
use cronfleet_api::job::{DaemonSpec, Job, JobSpec, JobVersion, WhenFull};
use cronfleet_api::limits::Stragglers;
use cronfleet_api::run::Lapse;
use cronfleet_api::schedule::{Preview, PreviewRequest};
use cronfleet_api::secret::{SecretAs, SecretUse};
use cronfleet_api::target::TargetMode;
use reqwest::Method;

use super::daemon_flags::check_in_words;
use super::{catch_up_flags, limit_flags, list, overlap_flags, retry_flags};
use crate::client::{Client, find, id_of};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::shown::{self, NONE};
use crate::timing_flags;

/// Show one job.
#[derive(Args)]
pub(crate) struct Show {
    /// Name, group/name or id
    job: String,
    /// Print only the definition as JSON, as --file of create and edit takes it
    #[arg(long)]
    spec: bool,
}

impl Show {
    pub(super) async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        let id = id_of::<Job>(client, &self.job).await?;
        let answer = client.get::<Job>(&format!("/jobs/{id}"), &vec![]).await?;
        if self.spec {
            return screen.json(&answer.value.spec);
        }
        if screen.is_json() {
            return screen.json(&answer.raw);
        }
        let job = answer.value;
        screen.line(format_args!(
            "{}/{}",
            shown::plain(&job.group_name),
            shown::plain(&job.spec.name)
        ))?;
        let target = target(client, &job.spec).await?;
        for (label, value) in lines(&job, target) {
            screen.line(format_args!("  {label:<11}  {value}"))?;
        }
        for warning in warnings(client, &job).await? {
            screen.line(format_args!("  {:<11}  {warning}", "warning"))?;
        }
        for (place, run) in job.recent.iter().take(5).enumerate() {
            let label = if place == 0 { "runs" } else { "" };
            let outcome = run
                .outcome
                .map_or_else(|| "running".to_owned(), |outcome| shown::word(&outcome));
            let due = shown::instant(run.due);
            screen.line(format_args!("  {label:<11}  {}  {due}  {outcome}", run.id))?;
        }
        Ok(())
    }
}

async fn target(client: &Client, spec: &JobSpec) -> Result<String, Failure> {
    let selected = selected(client, spec).await?;
    Ok(match (spec.target.mode, spec.target.count.unwrap_or(1)) {
        (TargetMode::Each, _) => selected,
        (TargetMode::Any, 1) => format!("any one of {selected}"),
        (TargetMode::Any, count) => format!("any {count} of {selected}"),
    })
}

async fn selected(client: &Client, spec: &JobSpec) -> Result<String, Failure> {
    if spec.target.all {
        return Ok("all agents of the group".to_owned());
    }
    let agents = client.list::<Agent>("/agents", &vec![], 10_000).await?.rows;
    let name = |id: uuid::Uuid| match agents.iter().find(|agent| agent.id == id) {
        Some(agent) => shown::plain(&agent.name),
        None => id.to_string(),
    };
    Ok(spec
        .target
        .agent_ids
        .iter()
        .map(|id| name(*id))
        .collect::<Vec<_>>()
        .join(", "))
}

/// What the center warns of in the job's schedule.
async fn warnings(client: &Client, job: &Job) -> Result<Vec<String>, Failure> {
    let Some(scheduled) = &job.spec.scheduled else {
        return Ok(Vec::new());
    };
    let request = PreviewRequest {
        expression: scheduled.expression.clone(),
        time_zone: scheduled.time_zone.clone().unwrap_or_default(),
        job_id: Some(job.id),
        dst: scheduled.dst,
        active_from: scheduled.active_from,
        active_until: scheduled.active_until,
        calendar: scheduled.calendar.clone(),
        group_id: None,
        from: None,
        count: Some(1),
    };
    let answer = client
        .send::<Preview>(Method::POST, "/schedules/preview", &request)
        .await?;
    let warnings = answer.value.warnings.into_iter();
    Ok(warnings
        .map(|warning| shown::plain(&warning.message_en))
        .collect())
}

fn lines(job: &Job, target: String) -> Vec<(&'static str, String)> {
    let spec = &job.spec;
    let mut lines = vec![("id", job.id.to_string())];
    if !spec.description.is_empty() {
        lines.push(("description", shown::plain(&spec.description)));
    }
    lines.push(("schedule", list::schedule(job)));
    lines.extend(
        job.sentence_en
            .as_ref()
            .map(|sentence| ("", shown::plain(sentence))),
    );
    lines.push(("state", list::state(job)));
    lines.extend(held_by(job).map(|said| ("", said)));
    if spec.scheduled.is_some() {
        lines.push(("next", shown::maybe_instant(job.next_due)));
    }
    lines.push(("command", command(spec)));
    lines.push(("run as", shown::plain(&spec.run_as)));
    lines.extend(
        spec.directory
            .as_ref()
            .map(|directory| ("directory", shown::plain(directory))),
    );
    for (place, (name, value)) in spec.environment.iter().enumerate() {
        let label = if place == 0 { "environment" } else { "" };
        lines.push((label, shown::plain(&format!("{name}={value}"))));
    }
    lines.push(("on", target));
    lines.push(("processes", format!("{} per agent", spec.processes)));
    if let Some(scheduled) = &spec.scheduled {
        lines.extend(timing_flags::in_words(scheduled));
        lines.push(("overlap", overlap_flags::in_words(scheduled)));
        let spread = (scheduled.jitter_ms > 0).then(|| {
            let most = shown::duration_ms(scheduled.jitter_ms);
            format!("starts up to {most} after the due time")
        });
        lines.extend(spread.map(|said| ("jitter", said)));
        let caught_up = catch_up_flags::in_words(&scheduled.catch_up);
        lines.extend(caught_up.map(|said| ("catch-up", said)));
        let timeout = scheduled
            .timeout_ms
            .map_or_else(|| NONE.to_owned(), shown::duration_ms);
        lines.push(("timeout", timeout));
        let retried = retry_flags::in_words(&scheduled.retry);
        lines.extend(retried.map(|said| ("attempts", said)));
    }
    if !spec.secrets.is_empty() {
        let used = spec.secrets.iter().map(secret);
        lines.push(("secrets", used.collect::<Vec<_>>().join(", ")));
    }
    if let Some(daemon) = &spec.daemon {
        lines.extend(daemon_lines(daemon));
    }
    let mut output = format!(
        "{}, at most {}",
        shown::word(&spec.output.mode),
        shown::bytes(spec.output.cap_bytes)
    );
    if spec.output.when_full == WhenFull::Block {
        let wait = shown::duration_ms(spec.output.block_max_ms);
        output.push_str(&format!(", waits up to {wait} for room"));
    }
    lines.push(("output", output));
    let grace = shown::duration_ms(spec.stop.grace_ms);
    lines.push((
        "stop",
        format!("{}, KILL after {grace}", shown::plain(&spec.stop.signal)),
    ));
    if spec.stragglers == Stragglers::Leave {
        let said = "processes that outlive the command live on";
        lines.push(("stragglers", said.to_owned()));
    }
    let limits = limit_flags::in_words(&spec.limits);
    if !limits.is_empty() {
        lines.push(("limits", limits.join(", ")));
    }
    let saved = shown::instant(job.updated_at);
    let author = match job.updated_by.as_str() {
        "" => "the center itself".to_owned(),
        login => shown::plain(login),
    };
    lines.push((
        "version",
        format!("{}, saved {saved} by {author}", job.version),
    ));
    lines
}

/// Who asked for the snooze, or what the window is for.
fn held_by(job: &Job) -> Option<String> {
    match (&job.snooze, &job.frozen) {
        (Some(snooze), _) => Some(format!(
            "snoozed {} by {}",
            shown::instant(snooze.since),
            shown::plain(&snooze.by)
        )),
        (None, Some(frozen)) => Some(format!(
            "by the window {:?} ({})",
            shown::plain(&frozen.reason),
            frozen.window_id
        )),
        (None, None) => None,
    }
}

fn daemon_lines(daemon: &DaemonSpec) -> Vec<(&'static str, String)> {
    let codes: Vec<String> = daemon
        .expected_exit_codes
        .iter()
        .map(u8::to_string)
        .collect();
    let mut lines = vec![(
        "restart",
        format!(
            "{}, good exit status {}",
            shown::word(&daemon.restart),
            codes.join(", ")
        ),
    )];
    if let Some(readiness) = &daemon.readiness {
        let within = shown::duration_ms(readiness.start_timeout_ms);
        let check = shown::plain(&check_in_words(&readiness.check));
        lines.push(("ready", format!("{check}, within {within}")));
    }
    if let Some(health) = &daemon.health {
        let period = shown::duration_ms(health.period_ms);
        let check = shown::plain(&check_in_words(&health.check));
        let failures = health.failures;
        lines.push((
            "health",
            format!("{check} every {period}, restarted after {failures} failures"),
        ));
    }
    let age = daemon.max_age_ms.map(shown::duration_ms);
    let memory = daemon.max_memory_bytes.map(shown::bytes);
    let limits: Vec<String> = [
        age.map(|age| format!("at the age of {age}")),
        memory.map(|memory| format!("above {memory} of memory")),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !limits.is_empty() {
        lines.push(("recycled", limits.join(", ")));
    }
    let down = daemon.max_unavailable;
    lines.push(("replaced", format!("{down} at a time")));
    lines
}

fn command(spec: &JobSpec) -> String {
    match (&spec.command.argv, &spec.command.script) {
        (Some(argv), _) => shown::cut(&shown::argv(argv), 500),
        (None, Some(script)) => {
            let shell = ["/bin/sh".to_owned()];
            let interpreter = script.interpreter.as_deref().unwrap_or(&shell);
            format!(
                "script of {} lines for {}",
                script.text.lines().count(),
                shown::argv(interpreter)
            )
        }
        (None, None) => NONE.to_owned(),
    }
}

/// List the versions of a job.
#[derive(Args)]
pub(crate) struct Versions {
    /// Name, group/name or id
    job: String,
}

impl Versions {
    pub(super) async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        let id = id_of::<Job>(client, &self.job).await?;
        let versions = client
            .list::<JobVersion>(&format!("/jobs/{id}/versions"), &vec![], 500)
            .await?;
        if screen.is_json() {
            return screen.json(&versions.raw);
        }
        let row = |version: &JobVersion| {
            vec![
                version.version.to_string(),
                shown::instant(version.created_at),
                shown::plain(&version.author),
                command(&version.spec),
            ]
        };
        let header = ["VERSION", "SAVED", "BY", "COMMAND"];
        screen.table(
            &header,
            versions.rows.iter().map(row).collect(),
            "no versions",
        )
    }
}

/// List the due instants of a job that became no runs.
#[derive(Args)]
pub(crate) struct Lapses {
    /// Name, group/name or id
    job: String,
    /// How many at most
    #[arg(long, short = 'n', default_value_t = 50)]
    limit: usize,
}

impl Lapses {
    pub(super) async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        let job: Job = find(client, &self.job).await?;
        let lapses = client
            .list::<Lapse>(&format!("/jobs/{}/lapses", job.id), &vec![], self.limit)
            .await?;
        if screen.is_json() {
            return screen.json(&lapses.raw);
        }
        let row = |lapse: &Lapse| {
            vec![
                shown::instant(lapse.due_from),
                shown::instant(lapse.due_to),
                lapse.count.to_string(),
                shown::plain(&lapse.reason),
            ]
        };
        let header = ["FROM", "TO", "COUNT", "REASON"];
        screen.table(&header, lapses.rows.iter().map(row).collect(), "no lapses")
    }
}

/// A secret and where the process finds it.
fn secret(used: &SecretUse) -> String {
    let name = shown::plain(&used.name);
    match &used.given {
        SecretAs::Env(variable) => format!("{name} as ${}", shown::plain(variable)),
        SecretAs::File(file) => format!("{name} as file {}", shown::plain(file)),
    }
}
