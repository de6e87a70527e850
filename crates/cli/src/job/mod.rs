//! `cronfleet job`.

mod bulk;
mod bulk_filter;
mod bulk_set;
mod catch_up_flags;
mod create;
mod daemon_flags;
mod edit;
mod limit_flags;
mod list;
mod manage;
mod overlap_flags;
mod retry_flags;
mod run_now;
mod show;
mod snooze;
mod spec_file;
mod spec_flags;
mod target_flags;
mod why;

use clap::Subcommand;

pub(crate) use self::spec_file::read_text;

use crate::args::Options;
use crate::client::Client;
use crate::failure::Failure;
use crate::screen::Screen;

/// Subcommands of `cronfleet job`. Jobs are named by name, group/name or id.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List jobs
    Ls(list::List),
    /// Show one job
    Show(show::Show),
    /// Create a job
    Create(Box<create::Create>),
    /// Change a job: by flags, by a file, or in an editor
    Edit(Box<edit::Edit>),
    /// Stop planning runs of jobs, and stop the processes of daemon jobs
    Pause(manage::Jobs),
    /// Take up paused jobs again
    Resume(manage::Jobs),
    /// Let scheduled jobs rest until an instant
    Snooze(snooze::Snooze),
    /// Run a scheduled job now
    Run(run_now::RunNow),
    /// Delete jobs; their runs stay on record
    Delete(manage::Delete),
    /// Do the same to all jobs that a filter finds: it is shown first, and all of it is done or nothing
    #[command(subcommand)]
    Bulk(bulk::Command),
    /// List the versions of a job
    Versions(show::Versions),
    /// List the due instants of a job that became no runs, with the reason
    Lapses(show::Lapses),
    /// Tell what became of each due instant of a job, why, and who decided it
    Why(why::Why),
}

impl Command {
    /// Does it.
    pub(crate) async fn run(self, options: &Options, screen: &mut Screen) -> Result<(), Failure> {
        let client = Client::new(options)?;
        match self {
            Self::Ls(list) => list.run(&client, screen).await,
            Self::Show(show) => show.run(&client, screen).await,
            Self::Create(create) => create.run(&client, screen).await,
            Self::Edit(edit) => edit.run(&client, screen).await,
            Self::Pause(jobs) => jobs.switch("pause", &client, screen).await,
            Self::Resume(jobs) => jobs.switch("resume", &client, screen).await,
            Self::Snooze(snooze) => snooze.run(&client, screen).await,
            Self::Run(run) => run.run(&client, screen).await,
            Self::Delete(delete) => delete.run(&client, screen).await,
            Self::Bulk(command) => command.run(&client, screen).await,
            Self::Versions(versions) => versions.run(&client, screen).await,
            Self::Lapses(lapses) => lapses.run(&client, screen).await,
            Self::Why(why) => why.run(&client, screen).await,
        }
    }
}
