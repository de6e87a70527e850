//! The command line as a whole: options that every command knows, and the commands.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::definitions::{Apply, Diff, Export};
use crate::failure::Failure;
use crate::forecast::Forecast;
use crate::screen::Screen;
use crate::server::{Center, Db, Up};
use crate::{
    agent, calendar, completions, group, job, openapi, run, schedule, secret, session, slot, user,
    version, window,
};

/// Scheduled commands and worker processes for a whole fleet of machines.
#[derive(Parser)]
#[command(
    name = "cronfleet",
    version,
    max_term_width = 100,
    subcommand_required = true
)]
pub(crate) struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Args)]
pub(crate) struct Options {
    /// Print JSON, as the REST interface answers it
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Address of the center
    #[arg(
        long,
        global = true,
        env = "CRONFLEET_SERVER",
        value_name = "URL",
        default_value = "http://127.0.0.1:8780",
        help_heading = "Connection"
    )]
    pub(crate) server: String,
    /// PEM file of the certificate authority that the center's address is checked against
    #[arg(
        long,
        global = true,
        env = "CRONFLEET_CA_FILE",
        value_name = "FILE",
        help_heading = "Connection"
    )]
    pub(crate) ca_file: Option<PathBuf>,
    /// Allow plain HTTP beyond this machine
    #[arg(
        long,
        global = true,
        env = "CRONFLEET_INSECURE_HTTP",
        help_heading = "Connection"
    )]
    pub(crate) insecure_http: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Jobs: list, show, create, edit, pause, resume, snooze, run, delete
    #[command(subcommand)]
    Job(job::Command),
    /// Runs: list, show, read their output, kill
    #[command(subcommand)]
    Run(run::Command),
    /// Daemon slots: list, restart
    #[command(subcommand)]
    Slot(slot::Command),
    /// Agents: list, show, approve, revoke, make join tokens; join, run
    Agent(Box<agent::Agent>),
    /// Groups and their members
    #[command(subcommand)]
    Group(group::Command),
    /// Windows in which nothing starts: list, create, edit, end
    #[command(subcommand)]
    Window(window::Command),
    /// Calendars that jobs follow: list, show, create, import, edit, delete
    #[command(subcommand)]
    Calendar(calendar::Command),
    /// Secrets of a group: list, set, delete
    #[command(subcommand)]
    Secret(secret::Command),
    /// Users: list, create, disable, set passwords
    #[command(subcommand)]
    User(user::Command),
    /// Write the definitions of jobs as a file
    Export(Export),
    /// Show what applying files of definitions would change
    Diff(Diff),
    /// Make jobs what files of definitions say
    Apply(Apply),
    /// Tell the load of the next hours, or what definitions would make of it
    Forecast(Forecast),
    /// What a schedule expression means, without a center
    #[command(subcommand)]
    Schedule(schedule::Command),
    /// Create the first administrator with the setup code that the center printed
    Setup(session::Setup),
    /// Sign in and keep the sign-in for later commands
    Login(session::Login),
    /// Sign out and forget the sign-in
    Logout,
    /// Say who is signed in, and what they may do
    Whoami,
    /// Run a center and an agent on this machine, ready to use
    Up(Box<Up>),
    /// Run a center: plans, dispatches, records, serves console and API
    Center(Box<Center>),
    /// The center's database: migrate, check, copy into another one
    #[command(subcommand)]
    Db(Db),
    /// Print a completion script for a shell
    Completions(completions::Completions),
    /// Print the description of the REST interface (OpenAPI 3.1)
    Openapi,
    /// Print the version
    Version,
}

impl Cli {
    /// Does what was asked.
    pub(crate) fn run(self, screen: &mut Screen) -> Result<(), Failure> {
        let options = &self.options;
        match self.command {
            Command::Schedule(command) => command.run(screen),
            Command::Completions(completions) => completions.run(screen),
            Command::Version => version::run(screen),
            Command::Job(command) => wait(command.run(options, screen)),
            Command::Run(command) => wait(command.run(options, screen)),
            Command::Slot(command) => wait(command.run(options, screen)),
            Command::Agent(agent) => agent.run(options, screen),
            Command::Up(up) => up.run(options, screen),
            Command::Center(center) => center.run(options, screen),
            Command::Db(command) => wait(command.run(screen)),
            Command::Openapi => openapi::run(screen),
            Command::Group(command) => wait(command.run(options, screen)),
            Command::Window(command) => wait(command.run(options, screen)),
            Command::Calendar(command) => wait(command.run(options, screen)),
            Command::Secret(command) => wait(command.run(options, screen)),
            Command::User(command) => wait(command.run(options, screen)),
            Command::Export(export) => wait(export.run(options, screen)),
            Command::Diff(diff) => wait(diff.run(options, screen)),
            Command::Apply(apply) => wait(apply.run(options, screen)),
            Command::Forecast(forecast) => wait(forecast.run(options, screen)),
            Command::Setup(setup) => wait(setup.run(options, screen)),
            Command::Login(login) => wait(login.run(options, screen)),
            Command::Logout => wait(session::logout(options, screen)),
            Command::Whoami => wait(session::whoami(options, screen)),
        }
    }
}

/// Runs a client command to its end on this thread.
pub(crate) fn wait(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::system("start", error))?;
    runtime.block_on(command)
}
