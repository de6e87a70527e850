//! `cronfleet job bulk`: the same for all jobs that a filter finds.

use clap::{ArgGroup, Args, Subcommand};
use cronfleet_api::bulk::{BulkApply, BulkChange, BulkJob, BulkPlan, BulkRequest, JobSelection};
use jiff::Timestamp;
use reqwest::Method;

use super::bulk_filter::Which;
use super::bulk_set::Values;
use crate::client::{Answer, Client};
use crate::confirm::confirm;
use crate::definitions::field_lines;
use crate::failure::Failure;
use crate::quantity::{Millis, parse_millis};
use crate::screen::Screen;
use crate::shown;
use crate::window::center_time_after;

/// Most jobs that are listed for people.
const LISTED_MAX: usize = 200;

/// Subcommands of `cronfleet job bulk`.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Stop planning runs of jobs, and stop the processes of daemon jobs
    Pause(Plain),
    /// Take up paused jobs again
    Resume(Plain),
    /// Let scheduled jobs rest until an instant
    Snooze(Box<Snooze>),
    /// Run scheduled jobs now, on all of their agents
    Run(Box<Run>),
    /// Set fields of definitions
    #[command(after_help = "\
Examples:
  cronfleet job bulk set --group web --run-as www-data
  cronfleet job bulk set --search backup --kind scheduled --tz Asia/Shanghai --field scheduled.jitter_ms=600000")]
    Set(Box<Set>),
    /// Delete jobs; their runs stay on record
    Delete(Plain),
}

/// A change that needs nothing but the jobs.
#[derive(Args)]
pub(crate) struct Plain {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    way: Way,
}

/// Let scheduled jobs rest until an instant.
#[derive(Args)]
#[command(group(ArgGroup::new("end").required(true)))]
pub(crate) struct Snooze {
    #[command(flatten)]
    which: Which,
    /// Until this instant (RFC 3339)
    #[arg(long, value_name = "INSTANT", group = "end")]
    until: Option<Timestamp>,
    /// For so long from now, e.g. 2h or 1d12h
    #[arg(long, value_name = "TIME", value_parser = parse_millis, group = "end")]
    r#for: Option<Millis>,
    /// End the snoozes: what is due from now on runs
    #[arg(long, group = "end")]
    clear: bool,
    #[command(flatten)]
    way: Way,
}

/// Run scheduled jobs now.
#[derive(Args)]
pub(crate) struct Run {
    #[command(flatten)]
    which: Which,
    /// Also within a window in which nothing starts
    #[arg(long)]
    ignore_windows: bool,
    /// Repeating the command with the same key makes no new runs
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    way: Way,
}

/// Set fields of definitions.
#[derive(Args)]
pub(crate) struct Set {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    values: Values,
    #[command(flatten)]
    way: Way,
}

/// How it is gone about.
#[derive(Args)]
struct Way {
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Only show what would be done
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

impl Command {
    /// Does it.
    pub(super) async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        let (which, change, way, key) = match self {
            Self::Pause(plain) => (plain.which, BulkChange::Pause {}, plain.way, None),
            Self::Resume(plain) => (plain.which, BulkChange::Resume {}, plain.way, None),
            Self::Delete(plain) => (plain.which, BulkChange::Delete {}, plain.way, None),
            Self::Snooze(snooze) => {
                let change = snooze.change(client).await?;
                (snooze.which, change, snooze.way, None)
            }
            Self::Run(run) => {
                let ignore_windows = run.ignore_windows;
                let change = BulkChange::Run { ignore_windows };
                (run.which, change, run.way, run.idempotency_key)
            }
            Self::Set(set) => {
                let fields = set.values.fields(client).await?;
                (set.which, BulkChange::Set { fields }, set.way, None)
            }
        };
        let filter = which.selection(client).await?;
        Task {
            filter,
            change,
            key,
        }
        .run(&way, client, screen)
        .await
    }
}

impl Snooze {
    async fn change(&self, client: &Client) -> Result<BulkChange, Failure> {
        let until = match self.r#for {
            Some(length) => Some(center_time_after(client, length).await?),
            None => self.until,
        };
        Ok(
            until.map_or(BulkChange::Unsnooze {}, |until| BulkChange::Snooze {
                until,
            }),
        )
    }
}

/// What is to be done.
struct Task {
    filter: JobSelection,
    change: BulkChange,
    key: Option<String>,
}

impl Task {
    /// Shows it, asks, does it.
    async fn run(self, way: &Way, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        let Self {
            filter,
            change,
            key,
        } = self;
        let request = BulkRequest { filter, change };
        let planned: Answer<BulkPlan> = client
            .send(Method::POST, "/jobs/bulk/plan", &request)
            .await?;
        let words = Words::of(&request.change);
        let is_json = screen.is_json();
        if !is_json {
            show(screen, &words, &planned.value)?;
            screen.flush()?;
        }
        if planned.value.jobs.is_empty() || way.dry_run {
            if is_json {
                return screen.json(&planned.raw);
            }
            let would = if way.dry_run {
                "would be done"
            } else {
                "nothing changes"
            };
            screen.note(format_args!("{would}: {}", words.summary(&planned.value)));
            return Ok(());
        }
        if is_json && !way.yes {
            // Nobody has been shown the plan.
            return Err(Failure::Unconfirmed {
                action: format!("{} with --json", words.verb),
            });
        }
        let question = format!("{} {}", words.verb, jobs(planned.value.jobs.len()));
        if !way.yes && !confirm(&question, &words.summary(&planned.value))? {
            screen.note("nothing was changed");
            return Ok(());
        }
        let BulkRequest { filter, change } = request;
        let digest = planned.value.digest;
        let request = BulkApply {
            filter,
            change,
            digest,
        };
        let key = key.unwrap_or_else(|| {
            let random = uuid::Builder::from_random_bytes(rand::random());
            random.into_uuid().to_string()
        });
        let header = ("Idempotency-Key", key.as_str());
        let answer: Answer<BulkPlan> = client
            .send_with(Method::POST, "/jobs/bulk/apply", &request, header)
            .await?;
        if is_json {
            return screen.json(&answer.raw);
        }
        for run in &answer.value.run_ids {
            screen.line(run)?;
        }
        screen.flush()?;
        screen.note(format_args!("done: {}", words.summary(&answer.value)));
        Ok(())
    }
}

/// How a change is told.
struct Words {
    sign: char,
    verb: &'static str,
    done: &'static str,
    /// What becomes of runs that have not started.
    waiting: &'static str,
    /// What becomes of daemon processes.
    processes: &'static str,
}

impl Words {
    const fn of(change: &BulkChange) -> Self {
        let (sign, verb, done, waiting, processes) = match change {
            BulkChange::Pause {} => ('~', "pause", "paused", "taken back", "stopped"),
            BulkChange::Resume {} => ('~', "resume", "resumed", "kept", "kept"),
            BulkChange::Delete {} => ('-', "delete", "deleted", "taken back", "stopped"),
            BulkChange::Snooze { .. } => (
                '~',
                "snooze",
                "snoozed",
                "taken back unless due later",
                "kept",
            ),
            BulkChange::Unsnooze {} => (
                '~',
                "end the snooze of",
                "not snoozed any more",
                "kept",
                "kept",
            ),
            BulkChange::Run { .. } => ('>', "run", "run", "kept", "kept"),
            BulkChange::Set { .. } => (
                '~',
                "change",
                "changed",
                "planned anew",
                "replaced if that is needed",
            ),
        };
        Self {
            sign,
            verb,
            done,
            waiting,
            processes,
        }
    }

    /// How much is done, in one sentence.
    fn summary(&self, plan: &BulkPlan) -> String {
        let sum = |of: fn(&BulkJob) -> u32| plan.jobs.iter().map(of).sum::<u32>();
        let parts = [
            (plan.jobs.len() as u32, self.done.to_owned()),
            (plan.unchanged, "unchanged".to_owned()),
            (plan.runs, "runs started".to_owned()),
            (
                sum(|job| job.waiting),
                format!("waiting runs {}", self.waiting),
            ),
            (sum(|job| job.alive), "live runs go on".to_owned()),
            (
                sum(|job| job.processes),
                format!("processes {}", self.processes),
            ),
        ];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if parts.is_empty() {
            return "no jobs".to_owned();
        }
        parts.join(", ")
    }
}

fn show(screen: &mut Screen, words: &Words, plan: &BulkPlan) -> Result<(), Failure> {
    for job in plan.jobs.iter().take(LISTED_MAX) {
        let (group, name) = (shown::plain(&job.group), shown::plain(&job.name));
        let stakes = stakes(words, job);
        screen.line(format_args!(
            "{} {group}/{name}  (version {}){stakes}",
            words.sign, job.version
        ))?;
        for field in &job.fields {
            for line in field_lines(field) {
                screen.line(format_args!("      {line}"))?;
            }
        }
    }
    match plan.jobs.len().saturating_sub(LISTED_MAX) {
        0 => Ok(()),
        more => screen.line(format_args!("… and {} more; --json has all", jobs(more))),
    }
}

/// What a job has under way.
fn stakes(words: &Words, job: &BulkJob) -> String {
    let parts = [
        (job.runs, "runs".to_owned()),
        (job.waiting, format!("waiting, {}", words.waiting)),
        (job.alive, "alive".to_owned()),
        (job.processes, format!("processes, {}", words.processes)),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    parts.fold(String::new(), |text, (count, what)| {
        format!("{text}  [{count} {what}]")
    })
}

fn jobs(count: usize) -> String {
    match count {
        1 => "1 job".to_owned(),
        _ => format!("{count} jobs"),
    }
}
