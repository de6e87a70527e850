//! What a center is told at its start.

use std::net::SocketAddr;
use std::path::PathBuf;

use cronfleet_store::DatabaseUrl;

/// Port that people use unless told otherwise.
pub const HTTP_PORT: u16 = 8780;
/// Port that agents dial unless told otherwise.
pub const AGENT_PORT: u16 = 8781;

/// Configuration of a center.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Everything that must survive: certificate authority, key of secrets, and the database unless it is elsewhere. Created with mode 0700.
    pub data_dir: PathBuf,
    /// The database; the SQLite file `center.db` in the data directory when absent.
    pub database: Option<DatabaseUrl>,
    /// Where people (console, command line, API) connect.
    pub listen: SocketAddr,
    /// Where agents connect, always with mutual TLS.
    pub agent_listen: SocketAddr,
    /// `host:port` that agents are told to dial; the agent listener's own address when absent.
    pub agent_address: Option<String>,
    /// Key and certificate for people's connections; plain HTTP when absent.
    pub tls: Option<TlsFiles>,
    /// Allows plain HTTP on an address other than loopback.
    pub allow_insecure: bool,
    /// IANA name of the time zone proposed for new jobs.
    pub default_time_zone: String,
    /// File of the key that seals secrets; `master.key` in the data directory when absent.
    pub master_key_file: Option<PathBuf>,
    /// Host names under which people reach the console, besides loopback names and listen addresses.
    pub host_names: Vec<String>,
}

/// Key and certificate for people's connections, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain, leaf first.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

impl Config {
    /// A center on loopback with everything below `data_dir`.
    pub fn local(data_dir: PathBuf) -> Self {
        Self {
            data_dir,
            database: None,
            listen: SocketAddr::from(([127, 0, 0, 1], HTTP_PORT)),
            agent_listen: SocketAddr::from(([127, 0, 0, 1], AGENT_PORT)),
            agent_address: None,
            tls: None,
            allow_insecure: false,
            default_time_zone: "UTC".to_owned(),
            master_key_file: None,
            host_names: Vec::new(),
        }
    }

    /// Where the database is.
    pub fn database(&self) -> DatabaseUrl {
        let file = || DatabaseUrl::sqlite(self.data_dir.join("center.db"));
        self.database.clone().unwrap_or_else(file)
    }

    /// Host names that requests may name; `None` lets every name through. On loopback there is always a list: otherwise a
    /// page of any site could reach the center under a name of its own (DNS rebinding).
    pub fn host_filter(&self) -> Option<Vec<String>> {
        (self.listen.ip().is_loopback() || !self.host_names.is_empty())
            .then(|| self.host_names.clone())
    }
}
