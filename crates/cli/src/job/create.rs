//! `cronfleet job create`.

use std::path::PathBuf;

use clap::Args;
use cronfleet_api::group::Group;
use cronfleet_api::job::{Job, JobCreate, JobSpec};
use reqwest::Method;

use super::spec_file;
use super::spec_flags::SpecFlags;
use crate::client::{Client, find};
use crate::failure::Failure;
use crate::schedule;
use crate::screen::Screen;
use crate::shown;

/// Create a job.
#[derive(Args)]
#[command(after_help = "\
Examples:
  cronfleet job create --name tick --cron '@every 250ms' --all-agents --run-as app -- /usr/bin/date
  cronfleet job create --name report --cron '30 2 * * *' --tz Asia/Shanghai --agent web-1 --script-file report.sh
  cronfleet job create --name worker --daemon --processes 3 --all-agents -- /usr/bin/worker --queue mail
  cronfleet job show report --spec | cronfleet job create --group other --file -")]
pub(crate) struct Create {
    /// Group that shall own it (name or id); may be left out when there is only one
    #[arg(long, short)]
    group: Option<String>,
    /// Start from a definition in JSON (- for standard input); flags change it
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Create it paused
    #[arg(long)]
    paused: bool,
    #[command(flatten)]
    flags: SpecFlags,
}

impl Create {
    pub(super) async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        let mut spec = match &self.file {
            Some(path) => spec_file::parse(&spec_file::read_text(path)?)?,
            None => SpecFlags::blank(),
        };
        self.flags.apply(client, &mut spec).await?;
        let group = owner(client, self.group.as_deref()).await?;
        complete(&mut spec, &group)?;
        let request = JobCreate {
            group_id: group.id,
            spec,
            is_paused: self.paused,
        };
        let answer = client.send::<Job>(Method::POST, "/jobs", &request).await?;
        if screen.is_json() {
            return screen.json(&answer.raw);
        }
        let job = answer.value;
        screen.line(format_args!(
            "created {}/{}  {}",
            shown::plain(&job.group_name),
            shown::plain(&job.spec.name),
            job.id
        ))?;
        if let Some(sentence) = &job.sentence_en {
            screen.note(shown::plain(sentence));
        }
        if let Some(next) = job.next_due {
            screen.note(format_args!("next run {}", shown::instant(next)));
        }
        Ok(())
    }
}

/// The group that was named, or the only one there is.
async fn owner(client: &Client, name: Option<&str>) -> Result<Group, Failure> {
    if let Some(name) = name {
        return find(client, name).await;
    }
    let mut groups = client.list::<Group>("/groups", &vec![], 2).await?.rows;
    match (groups.pop(), groups.pop()) {
        (Some(group), None) => Ok(group),
        _ => Err(missing(
            "--group",
            "the group is missing",
            "see \"cronfleet group ls\"",
        )),
    }
}

/// Says what is missing in terms of flags, fills in what can only be one thing, and checks the schedule at once.
fn complete(spec: &mut JobSpec, group: &Group) -> Result<(), Failure> {
    if spec.name.is_empty() {
        return Err(missing(
            "--name",
            "the job has no name",
            "give it one with --name",
        ));
    }
    if spec.scheduled.is_none() && spec.daemon.is_none() {
        let hint = "give a schedule with --cron, or make it a --daemon";
        return Err(missing(
            "--cron",
            "the job has no schedule and is no daemon",
            hint,
        ));
    }
    if spec.command.argv.is_none() && spec.command.script.is_none() {
        let hint = "write it after --, or give a --script-file";
        return Err(missing("COMMAND", "there is nothing to run", hint));
    }
    if spec.run_as.is_empty() {
        match group.run_as.as_slice() {
            [user] => spec.run_as = user.clone(),
            users => {
                let hint = format!("choose one of the group's users: {}", users.join(", "));
                return Err(missing("--run-as", "the user to run as is missing", &hint));
            }
        }
    }
    if !spec.target.all && spec.target.agent_ids.is_empty() {
        let hint = "choose with --agent, or take --all-agents";
        return Err(missing("--agent", "no agent is chosen", hint));
    }
    check_schedule(spec)
}

/// Refuses a schedule before it is sent, with the place of the mistake.
pub(super) fn check_schedule(spec: &JobSpec) -> Result<(), Failure> {
    match &spec.scheduled {
        Some(scheduled) => schedule::check(&scheduled.expression, scheduled.time_zone.as_deref()),
        None => Ok(()),
    }
}

fn missing(field: &str, message: &str, hint: &str) -> Failure {
    Failure::Input {
        field: field.to_owned(),
        message: message.to_owned(),
        hint: hint.to_owned(),
    }
}
