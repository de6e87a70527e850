//! `cronfleet agent`: the agents that a center knows, and the agent of this machine.

mod doctor;
mod fleet;
mod ledger;
mod policy;
mod status;

use clap::{Args, Subcommand};

use crate::args::{Options, wait};
use crate::client::Client;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::server::{Daemon, Join};

/// The machines of the fleet. Without a subcommand: run the agent of this machine.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Agent {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    daemon: Daemon,
}

/// Subcommands of `cronfleet agent`. Agents are named by name or id.
#[derive(Subcommand)]
enum Command {
    /// List agents
    Ls(fleet::List),
    /// Show one agent
    Show(fleet::Which),
    /// Let a pending agent in
    Approve(fleet::Approve),
    /// Change the name or the groups of an agent
    Edit(fleet::Edit),
    /// Shut an agent out for good
    Revoke(fleet::Revoke),
    /// Make a token that lets machines join, and print the command to run there
    Token(fleet::Token),
    /// Join a fleet: get this machine's identity from a center, with a token that it made
    Join(Join),
    /// Say how the agent of this machine is
    Status(status::Which),
    /// Show what the agent of this machine knows about runs, whether or not it works
    Ledger(ledger::Ledger),
    /// Examine this machine: whether an agent can do all of its work here
    Doctor(doctor::Doctor),
    /// What the policy of this machine says
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Run the agent of this machine
    Run(Daemon),
}

impl Agent {
    /// Does it.
    pub(crate) fn run(self, options: &Options, screen: &mut Screen) -> Result<(), Failure> {
        let command = match self.command {
            None => return self.daemon.run(),
            Some(Command::Run(daemon)) => return daemon.run(),
            Some(Command::Policy(policy)) => return policy.run(screen),
            Some(Command::Status(which)) => return which.run(screen),
            Some(Command::Ledger(ledger)) => return ledger.run(screen),
            Some(Command::Doctor(doctor)) => return doctor.run(screen),
            Some(Command::Join(join)) => return wait(join.run(screen)),
            Some(command) => command,
        };
        wait(async {
            let client = Client::new(options)?;
            match command {
                Command::Ls(filter) => fleet::list(filter, &client, screen).await,
                Command::Show(which) => fleet::show(which, &client, screen).await,
                Command::Approve(approval) => fleet::approve(approval, &client, screen).await,
                Command::Edit(change) => fleet::edit(change, &client, screen).await,
                Command::Revoke(which) => fleet::revoke(which, &client, screen).await,
                Command::Token(token) => fleet::make_token(token, &client, screen).await,
                Command::Join(_)
                | Command::Run(_)
                | Command::Policy(_)
                | Command::Status(_)
                | Command::Ledger(_)
                | Command::Doctor(_) => Ok(()),
            }
        })
    }
}
