//! `cronfleet run`.

mod kill;
mod lines;
mod list;
mod output;
mod release;
mod show;

use clap::Subcommand;

pub(crate) use list::table;

use crate::args::Options;
use crate::client::Client;
use crate::failure::Failure;
use crate::screen::Screen;

/// Subcommands of `cronfleet run`.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List runs, newest first
    Ls(list::List),
    /// Show one run
    Show(show::Show),
    /// Print the output of a run or of a daemon's process
    Output(output::Output),
    /// Kill runs
    Kill(kill::Kill),
    /// Give up runs that nobody hears of, so that others are not blocked
    Release(release::Release),
}

impl Command {
    /// Does it.
    pub(crate) async fn run(self, options: &Options, screen: &mut Screen) -> Result<(), Failure> {
        let client = Client::new(options)?;
        match self {
            Self::Ls(list) => list.run(&client, screen).await,
            Self::Show(show) => show.run(&client, screen).await,
            Self::Output(output) => output.run(&client, screen).await,
            Self::Kill(kill) => kill.run(&client, screen).await,
            Self::Release(release) => release.run(&client, screen).await,
        }
    }
}
