//! `cronfleet center`, and the center's part of `cronfleet up`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use cronfleet_api::center::Center as CenterAnswer;
use cronfleet_api::page::Page;
use cronfleet_center::Config;
use cronfleet_center::config::{AGENT_PORT, HTTP_PORT, TlsFiles};
use jiff::tz::TimeZone;

use super::box_drawing::framed;
use super::config_file::CenterSection;
use super::database_flags::DatabaseFlags;
use super::folders::{self, DataDir};
use super::logging::ServerFlags;
use super::notify;
use super::run::run_until_signal;
use crate::args::{Options, wait};
use crate::client::Client;
use crate::failure::Failure;
use crate::schedule;
use crate::screen::Screen;
use crate::shown;

/// Run a center: plans, dispatches, records, serves console and API.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub(crate) struct Center {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    data_dir: DataDir,
    #[command(flatten)]
    center: CenterFlags,
    #[command(flatten)]
    server: ServerFlags,
}

/// What else can be done with centers.
#[derive(Subcommand)]
enum Command {
    /// List the centers of the deployment, and which one plans
    #[command(visible_alias = "list")]
    Ls,
}

/// Flags of a center.
#[derive(Args)]
pub(super) struct CenterFlags {
    #[command(flatten)]
    database: DatabaseFlags,
    /// Where people connect [default: 127.0.0.1:8780]
    #[arg(
        long,
        env = "CRONFLEET_LISTEN",
        value_name = "ADDRESS",
        help_heading = "Server"
    )]
    listen: Option<SocketAddr>,
    /// Where agents connect, always with mutual TLS [default: 127.0.0.1:8781]
    #[arg(
        long,
        env = "CRONFLEET_AGENT_LISTEN",
        value_name = "ADDRESS",
        help_heading = "Server"
    )]
    agent_listen: Option<SocketAddr>,
    /// host:port that agents are told to dial, if it is another one
    #[arg(
        long,
        env = "CRONFLEET_AGENT_ADDRESS",
        value_name = "HOST:PORT",
        help_heading = "Server"
    )]
    agent_address: Option<String>,
    /// PEM certificate chain for people's connections
    #[arg(
        long,
        env = "CRONFLEET_TLS_CERT",
        value_name = "FILE",
        help_heading = "Server"
    )]
    tls_cert: Option<PathBuf>,
    /// PEM key for people's connections
    #[arg(
        long,
        env = "CRONFLEET_TLS_KEY",
        value_name = "FILE",
        help_heading = "Server"
    )]
    tls_key: Option<PathBuf>,
    /// Time zone proposed for new jobs [default: the machine's]
    #[arg(
        long,
        env = "CRONFLEET_DEFAULT_TIME_ZONE",
        value_name = "ZONE",
        help_heading = "Server"
    )]
    default_time_zone: Option<String>,
    /// Host name under which people reach the console, besides loopback names; can be repeated
    #[arg(
        long,
        env = "CRONFLEET_HOST_NAMES",
        value_name = "NAME",
        value_delimiter = ',',
        help_heading = "Server"
    )]
    host_name: Vec<String>,
    /// File of the key that seals secrets, mode 0400 [default: master.key in the data directory]
    #[arg(
        long,
        env = "CRONFLEET_MASTER_KEY_FILE",
        value_name = "FILE",
        help_heading = "Server"
    )]
    master_key_file: Option<PathBuf>,
}

impl Center {
    /// Runs until a signal ends it, or does what else was asked.
    pub(crate) fn run(self, options: &Options, screen: &mut Screen) -> Result<(), Failure> {
        if let Some(Command::Ls) = self.command {
            return wait(list(options, screen));
        }
        let mut file = self.server.begin("info")?;
        let data_dir = self
            .data_dir
            .resolve(file.center.data_dir.take(), folders::center_data_dir)?;
        let config = self
            .center
            .config(data_dir, file.center, options.insecure_http)?;
        run_until_signal(async |stop| {
            let scheme = scheme(&config);
            let center = cronfleet_center::Center::open(config).await?;
            let url = format!("{scheme}://{}", center.people_address());
            let mut lines = vec![("console", url), ("agents dial", center.agent_address())];
            if let Some(code) = center.setup_code() {
                lines.push(("setup code", code.to_owned()));
                lines.push((
                    "next",
                    "open the console and create the first administrator".to_owned(),
                ));
            }
            screen.line(framed("The center is up.", &lines))?;
            screen.flush()?;
            notify::ready();
            Ok(center.run(stop).await?)
        })
    }
}

async fn list(options: &Options, screen: &mut Screen) -> Result<(), Failure> {
    let client = Client::new(options)?;
    let answer = client
        .get::<Page<CenterAnswer>>("/centers", &vec![])
        .await?;
    if screen.is_json() {
        return screen.json(&answer.raw["items"]);
    }
    let row = |center: &CenterAnswer| {
        vec![
            shown::plain(&center.name),
            state(center).to_owned(),
            center.agent_count.to_string(),
            shown::instant(center.started_at),
            shown::plain(&center.version),
            shown::plain(&center.address),
            center
                .agent_address
                .as_deref()
                .map_or_else(|| shown::NONE.to_owned(), shown::plain),
        ]
    };
    let header = [
        "NAME",
        "STATE",
        "AGENTS",
        "STARTED",
        "VERSION",
        "ADDRESS",
        "AGENTS DIAL",
    ];
    let rows = answer.value.items.iter().map(row).collect();
    screen.table(&header, rows, "no centers")
}

fn state(center: &CenterAnswer) -> &'static str {
    match (center.is_live, center.is_planning) {
        (true, true) => "plans",
        (true, false) => "serves",
        (false, _) => "gone",
    }
}

/// `https` or `http`.
pub(super) fn scheme(config: &Config) -> &'static str {
    if config.tls.is_some() {
        "https"
    } else {
        "http"
    }
}

impl CenterFlags {
    /// The center's configuration: flags over file over defaults. The directory is given from the root.
    pub(super) fn config(
        self,
        data_dir: PathBuf,
        file: CenterSection,
        insecure_http: bool,
    ) -> Result<Config, Failure> {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let database = self.database.url(file.database, file.database_file)?;
        let tls = tls(
            self.tls_cert.or(file.tls_cert),
            self.tls_key.or(file.tls_key),
        )?;
        let zone = self
            .default_time_zone
            .or(file.default_time_zone)
            .or_else(|| TimeZone::system().iana_name().map(str::to_owned))
            .unwrap_or_else(|| "UTC".to_owned());
        schedule::check("@daily", Some(&zone))?;
        let host_names = match self.host_name.is_empty() {
            true => file.host_names.unwrap_or_default(),
            false => self.host_name,
        };
        Ok(Config {
            data_dir,
            database,
            listen: self.listen.or(file.listen).unwrap_or(local(HTTP_PORT)),
            agent_listen: self
                .agent_listen
                .or(file.agent_listen)
                .unwrap_or(local(AGENT_PORT)),
            agent_address: self.agent_address.or(file.agent_address),
            tls,
            allow_insecure: insecure_http || file.insecure_http.unwrap_or(false),
            default_time_zone: zone,
            master_key_file: self.master_key_file.or(file.master_key_file),
            host_names,
        })
    }
}

fn tls(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<TlsFiles>, Failure> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
        (None, None) => Ok(None),
        (certificate, _) => Err(Failure::Input {
            field: if certificate.is_some() {
                "--tls-key"
            } else {
                "--tls-cert"
            }
            .to_owned(),
            message: "TLS needs a certificate and its key".to_owned(),
            hint: "give both --tls-cert and --tls-key".to_owned(),
        }),
    }
}
