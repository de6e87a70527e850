//! The `cronfleet` binary: client commands over the REST interface, the schedule engine at hand, and the servers.
//!
//! One file or folder per noun. A command parses its arguments, does one thing, and shows the answer on the [`screen`]:
//! as text for people, or with `--json` as the answer of the interface. Everything that can go wrong is a
//! [`failure::Failure`], which knows its exit status.

mod agent;
mod args;
mod calendar;
mod client;
mod completions;
mod confirm;
mod definitions;
mod failure;
mod forecast;
mod group;
mod job;
mod openapi;
mod password;
mod quantity;
mod run;
mod schedule;
mod screen;
mod secret;
mod server;
mod session;
mod shown;
mod slot;
mod timing_flags;
mod user;
mod version;
mod window;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    let mut screen = screen::Screen::new(cli.options.json);
    let result = cli.run(&mut screen).and_then(|()| screen.flush());
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            screen.show_failure(&failure);
            failure.exit().into()
        }
    }
}
