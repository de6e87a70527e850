//! `cronfleet user`.

use clap::{Args, Subcommand};
use cronfleet_api::session::{PasswordChange, User, UserCreate, UserUpdate};
use reqwest::Method;

use crate::args::Options;
use crate::client::{Client, id_of};
use crate::failure::Failure;
use crate::password::PasswordSource;
use crate::screen::Screen;
use crate::shown;

/// Subcommands of `cronfleet user`. Users are named by login or id.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List users
    Ls,
    /// Create a user
    Create(Create),
    /// Shut a user out, and end the user's sessions
    Disable(Which),
    /// Let a user in again
    Enable(Which),
    /// Set a password: mine without a name, somebody else's with one
    Passwd(Passwd),
}

/// One user.
#[derive(Args)]
pub(crate) struct Which {
    /// Login or id
    user: String,
}

/// A new user.
#[derive(Args)]
pub(crate) struct Create {
    /// Name to sign in with
    login: String,
    /// Name shown to others; the login when absent
    #[arg(long)]
    display_name: Option<String>,
    /// May do everything everywhere
    #[arg(long)]
    admin: bool,
    #[command(flatten)]
    password: PasswordSource,
}

/// Whose password.
#[derive(Args)]
pub(crate) struct Passwd {
    /// Login or id; my own password when absent
    user: Option<String>,
    #[command(flatten)]
    password: PasswordSource,
}

impl Command {
    /// Does it.
    pub(crate) async fn run(self, options: &Options, screen: &mut Screen) -> Result<(), Failure> {
        let client = Client::new(options)?;
        match self {
            Self::Ls => list(&client, screen).await,
            Self::Create(new) => create(new, &client, screen).await,
            Self::Disable(which) => set_disabled(which, true, &client, screen).await,
            Self::Enable(which) => set_disabled(which, false, &client, screen).await,
            Self::Passwd(passwd) => set_password(passwd, &client, screen).await,
        }
    }
}

async fn list(client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    let users = client.list::<User>("/users", &vec![], 10_000).await?;
    if screen.is_json() {
        return screen.json(&users.raw);
    }
    let row = |user: &User| {
        vec![
            shown::plain(&user.login),
            shown::plain(&user.display_name),
            shown::yes_no(user.is_admin),
            shown::yes_no(user.is_disabled),
            shown::maybe_instant(user.last_sign_in_at),
        ]
    };
    let header = ["LOGIN", "NAME", "ADMIN", "DISABLED", "LAST SIGN-IN"];
    screen.table(&header, users.rows.iter().map(row).collect(), "no users")
}

async fn create(new: Create, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    let request = UserCreate {
        password: new.password.read_new(&format!(
            "Password of {} (12 characters or more)",
            new.login
        ))?,
        login: new.login,
        display_name: new.display_name,
        is_admin: new.admin,
    };
    let answer = client
        .send::<User>(Method::POST, "/users", &request)
        .await?;
    if screen.is_json() {
        return screen.json(&answer.raw);
    }
    screen.line(format_args!(
        "created {}  {}",
        answer.value.login, answer.value.id
    ))
}

async fn set_disabled(
    which: Which,
    is_disabled: bool,
    client: &Client,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let id = id_of::<User>(client, &which.user).await?;
    let request = UserUpdate {
        is_disabled: Some(is_disabled),
        ..UserUpdate::default()
    };
    let answer = client
        .send::<User>(Method::PATCH, &format!("/users/{id}"), &request)
        .await?;
    if screen.is_json() {
        return screen.json(&answer.raw);
    }
    let done = if answer.value.is_disabled {
        "disabled"
    } else {
        "enabled"
    };
    screen.line(format_args!("{done} {}", answer.value.login))
}

async fn set_password(passwd: Passwd, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    match &passwd.user {
        Some(user) => {
            let id = id_of::<User>(client, user).await?;
            let password = passwd
                .password
                .read_new(&format!("New password of {user}"))?;
            let request = UserUpdate {
                password: Some(password),
                ..UserUpdate::default()
            };
            client
                .send::<User>(Method::PATCH, &format!("/users/{id}"), &request)
                .await?;
        }
        None => {
            let current = passwd.password.read("Password in force")?;
            let new = passwd
                .password
                .read_new("New password (12 characters or more)")?;
            let request = PasswordChange { current, new };
            client
                .act(Method::POST, "/session/password", Some(&request))
                .await?;
        }
    }
    screen.note("the password is set; other sessions are ended");
    Ok(())
}
