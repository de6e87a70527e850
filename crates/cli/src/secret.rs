//! `cronfleet secret`: secrets of a group, which its jobs give to their processes. Their values go in and never come out.

use std::io::Read;

use clap::{Args, Subcommand};
use cronfleet_api::group::Group;
use cronfleet_api::secret::{Secret, SecretPut};
use dialoguer::Password;
use reqwest::Method;
use uuid::Uuid;

use crate::args::Options;
use crate::client::{Client, id_of};
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::shown;

/// Subcommands of `cronfleet secret`.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the secrets of a group, without their values
    Ls(Of),
    /// Set a secret: the value is read from standard input, or asked for
    Set(Set),
    /// Delete a secret
    Rm(Remove),
}

/// Whose secrets.
#[derive(Args)]
pub(crate) struct Of {
    /// Group (name or id)
    #[arg(long, short, default_value = "default")]
    group: String,
}

/// What to set.
#[derive(Args)]
pub(crate) struct Set {
    /// Name: letters, digits, dots, _ and -
    name: String,
    #[command(flatten)]
    of: Of,
    /// Keep the line break at the end of what is read
    #[arg(long)]
    keep_newline: bool,
}

/// What to delete.
#[derive(Args)]
pub(crate) struct Remove {
    /// Name
    name: String,
    #[command(flatten)]
    of: Of,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl Command {
    /// Does it.
    pub(crate) async fn run(self, options: &Options, screen: &mut Screen) -> Result<(), Failure> {
        let client = Client::new(options)?;
        match self {
            Self::Ls(of) => list(&of, &client, screen).await,
            Self::Set(set) => put(set, &client, screen).await,
            Self::Rm(which) => remove(which, &client, screen).await,
        }
    }
}

async fn list(of: &Of, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    let path = format!("/groups/{}/secrets", of.id(client).await?);
    let answer = client.get::<Vec<Secret>>(&path, &vec![]).await?;
    if screen.is_json() {
        return screen.json(&answer.raw);
    }
    let rows = answer.value.iter().map(|secret| {
        vec![
            shown::plain(&secret.name),
            secret.version.to_string(),
            shown::instant(secret.updated_at),
            shown::plain(&secret.updated_by),
        ]
    });
    screen.table(
        &["NAME", "VERSION", "SET AT", "SET BY"],
        rows.collect(),
        "no secrets",
    )
}

async fn put(set: Set, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    let group = set.of.id(client).await?;
    let request = SecretPut {
        value: read(set.keep_newline)?,
    };
    let path = path(group, &set.name)?;
    let answer = client.send::<Secret>(Method::PUT, &path, &request).await?;
    if screen.is_json() {
        return screen.json(&answer.raw);
    }
    let secret = answer.value;
    screen.line(format_args!(
        "secret {} is set (version {})",
        shown::plain(&secret.name),
        secret.version
    ))
}

async fn remove(which: Remove, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    let path = path(which.of.id(client).await?, &which.name)?;
    let action = format!("delete secret {}", which.name);
    let effect = "jobs that use it can no longer be started";
    if which.yes || confirm(&action, effect)? {
        client.act(Method::DELETE, &path, None::<&()>).await?;
        screen.note(format_args!("deleted {}", which.name));
    }
    Ok(())
}

impl Of {
    async fn id(&self, client: &Client) -> Result<Uuid, Failure> {
        id_of::<Group>(client, &self.group).await
    }
}

/// The secret's address; its name needs no escapes.
fn path(group: Uuid, name: &str) -> Result<String, Failure> {
    if !cronfleet_core::secret::is_name(name) {
        return Err(Failure::Input {
            field: "name".to_owned(),
            message: format!("{name:?} cannot be the name of a secret"),
            hint: "use 1 to 64 letters, digits, dots, _ and -, not a dot first".to_owned(),
        });
    }
    Ok(format!("/groups/{group}/secrets/{name}"))
}

/// Reads the value: never from an argument, where other users of the machine could see it.
fn read(keep_newline: bool) -> Result<String, Failure> {
    if Screen::can_ask() {
        return Password::new()
            .with_prompt("Value")
            .with_confirmation("Again", "They differ.")
            .interact()
            .map_err(|error| Failure::system("ask for the value", error));
    }
    let mut value = String::new();
    std::io::stdin()
        .lock()
        .read_to_string(&mut value)
        .map_err(|error| Failure::system("read the value", error))?;
    if !keep_newline && value.ends_with('\n') {
        value.pop();
    }
    Ok(value)
}
