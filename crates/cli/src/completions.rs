//! `cronfleet completions`: scripts that complete commands and flags in a shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::args::Cli;
use crate::failure::Failure;
use crate::screen::Screen;

/// Print a completion script, e.g. cronfleet completions bash > /etc/bash_completion.d/cronfleet
#[derive(Args)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Prints the script.
    pub(crate) fn run(self, screen: &mut Screen) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "cronfleet", &mut script);
        screen.bytes(&script)
    }
}
