//! What `login` keeps: one session token per server, in a file that only its owner can read.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The file's content.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    servers: BTreeMap<String, Credential>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Credential {
    login: String,
    token: String,
}

impl Credentials {
    /// Reads the file; nothing is kept yet when it does not exist.
    pub(crate) fn load() -> Result<Self, Failure> {
        let Some(path) = path() else {
            return Ok(Self::default());
        };
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| Failure::Input {
                field: path.display().to_string(),
                message: format!("the file of sign-ins is damaged: {error}"),
                hint: "remove it and sign in again".to_owned(),
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(Failure::File {
                doing: "read",
                path,
                source,
            }),
        }
    }

    /// The token kept for a server.
    pub(crate) fn token(&self, server: &str) -> Option<String> {
        self.servers
            .get(server)
            .map(|credential| credential.token.clone())
    }

    /// Keeps a token for a server, in place of the one before.
    pub(crate) fn put(&mut self, server: String, login: String, token: String) {
        self.servers.insert(server, Credential { login, token });
    }

    /// Forgets the token of a server.
    pub(crate) fn remove(&mut self, server: &str) {
        self.servers.remove(server);
    }

    /// Writes the file as a whole (mode 0600, in a directory of mode 0700).
    pub(crate) fn save(&self) -> Result<(), Failure> {
        let path = path().ok_or_else(|| Failure::Input {
            field: "HOME".to_owned(),
            message: "there is no home directory to keep the sign-in in".to_owned(),
            hint: "set HOME or XDG_CONFIG_HOME, or use CRONFLEET_TOKEN".to_owned(),
        })?;
        let failed = |source| Failure::File {
            doing: "write",
            path: path.clone(),
            source,
        };
        let directory = path.parent().unwrap_or(Path::new("."));
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(failed)?;
        let draft = directory.join(format!(".credentials.{}", std::process::id()));
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| Failure::system("encode the sign-in", error))?;
        let written = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut file| file.write_all(&text))
            .and_then(|()| fs::rename(&draft, &path));
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
        written.map_err(failed)
    }
}

/// `$XDG_CONFIG_HOME/cronfleet/credentials.json`, by default under `~/.config`.
fn path() -> Option<PathBuf> {
    let folder = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let config =
        folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")))?;
    Some(config.join("cronfleet").join("credentials.json"))
}
