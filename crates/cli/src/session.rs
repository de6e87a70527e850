//! Who is signed in: `setup`, `login`, `logout`, `whoami`.

use clap::Args;
use cronfleet_api::session::{Me, SetupRequest, SignInRequest};
use dialoguer::Input;
use reqwest::Method;

use crate::args::Options;
use crate::client::{Answer, Client, Credentials};
use crate::failure::Failure;
use crate::password::PasswordSource;
use crate::screen::Screen;
use crate::shown;

/// Create the first administrator with the setup code that the center printed.
#[derive(Args)]
pub(crate) struct Setup {
    /// The one-time setup code
    #[arg(long)]
    code: String,
    /// Name to sign in with
    #[arg(long)]
    login: String,
    /// Name shown to others; the login when absent
    #[arg(long)]
    display_name: Option<String>,
    #[command(flatten)]
    password: PasswordSource,
}

impl Setup {
    /// Creates the administrator and signs in.
    pub(crate) async fn run(self, options: &Options, screen: &mut Screen) -> Result<(), Failure> {
        let client = Client::new(options)?;
        let password = self
            .password
            .read_new("New password (12 characters or more)")?;
        let request = SetupRequest {
            code: self.code,
            login: self.login.clone(),
            password: password.clone(),
            display_name: self.display_name,
        };
        client.send::<Me>(Method::POST, "/setup", &request).await?;
        sign_in(&client, self.login, password, screen).await
    }
}

/// Sign in and keep the sign-in for later commands.
#[derive(Args)]
pub(crate) struct Login {
    /// Name to sign in with; asked for when absent
    #[arg(long)]
    login: Option<String>,
    #[command(flatten)]
    password: PasswordSource,
}

impl Login {
    /// Signs in and keeps the token.
    pub(crate) async fn run(self, options: &Options, screen: &mut Screen) -> Result<(), Failure> {
        let client = Client::new(options)?;
        let login = match self.login {
            Some(login) => login,
            None => ask_login()?,
        };
        let password = self.password.read("Password")?;
        sign_in(&client, login, password, screen).await
    }
}

async fn sign_in(
    client: &Client,
    login: String,
    password: String,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let request = SignInRequest {
        login,
        password,
        wants_token: true,
    };
    let mut answer: Answer<Me> = client.send(Method::POST, "/session", &request).await?;
    let me = answer.value;
    let token = me.token.ok_or_else(|| Failure::Foreign {
        server: client.server(),
        status: 200,
    })?;
    let mut credentials = Credentials::load()?;
    credentials.put(client.server(), me.user.login.clone(), token);
    credentials.save()?;
    if screen.is_json() {
        if let Some(body) = answer.raw.as_object_mut() {
            body.remove("token");
        }
        return screen.json(&answer.raw);
    }
    screen.line(format_args!(
        "signed in to {} as {}",
        client.server(),
        me.user.login
    ))
}

fn ask_login() -> Result<String, Failure> {
    if !Screen::can_ask() {
        return Err(Failure::Input {
            field: "--login".to_owned(),
            message: "nobody is there to say who signs in".to_owned(),
            hint: "give --login and --password-stdin".to_owned(),
        });
    }
    Input::<String>::new()
        .with_prompt("Login")
        .interact_text()
        .map_err(|error| Failure::system("ask for the login", error))
}

/// Signs out and forgets the sign-in, even when the center is not there to be told.
pub(crate) async fn logout(options: &Options, screen: &mut Screen) -> Result<(), Failure> {
    let client = Client::new(options)?;
    let told = client.act(Method::DELETE, "/session", None::<&()>).await;
    let mut credentials = Credentials::load()?;
    credentials.remove(&client.server());
    credentials.save()?;
    match told {
        Ok(()) | Err(Failure::NotSignedIn { .. }) => {}
        Err(failure) => return Err(failure),
    }
    screen.note(format_args!("signed out of {}", client.server()));
    Ok(())
}

/// Says who is signed in, and what they may do.
pub(crate) async fn whoami(options: &Options, screen: &mut Screen) -> Result<(), Failure> {
    let client = Client::new(options)?;
    let answer: Answer<Me> = client.get("/session", &vec![]).await?;
    if screen.is_json() {
        return screen.json(&answer.raw);
    }
    let me = answer.value;
    let name = match me.user.display_name.as_str() {
        name if name == me.user.login => String::new(),
        name => format!(" ({})", shown::plain(name)),
    };
    let rank = if me.user.is_admin {
        ", administrator"
    } else {
        ""
    };
    screen.line(format_args!(
        "{}{name}{rank} at {}",
        me.user.login,
        client.server()
    ))?;
    for role in &me.roles {
        screen.line(format_args!(
            "  {}  {}",
            shown::word(&role.role),
            shown::plain(&role.group_name)
        ))?;
    }
    Ok(())
}
