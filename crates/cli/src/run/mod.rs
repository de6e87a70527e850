//! `cronfleet run`.

mod kill;
mod lines;
mod list;
mod output;
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
        }
    }
}
