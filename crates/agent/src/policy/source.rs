//! Where the policy comes from.

use std::io;
use std::path::{Path, PathBuf};

use cronfleet_core::policy::Policy;
use cronfleet_wire::identity::hex;
use nix::unistd::{Uid, User};
use sha2::{Digest, Sha256};

use super::file;
use crate::host::{TrustError, TrustedFile};

/// Where the policy is unless the agent is told otherwise.
pub const POLICY_FILE: &str = "/etc/cronfleet/agent-policy.toml";

/// Where the policy comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicySource {
    /// This file; the built-in policy while there is none.
    IfPresent(PathBuf),
    /// This file, which must be there.
    Required(PathBuf),
}

impl Default for PolicySource {
    fn default() -> Self {
        Self::IfPresent(PathBuf::from(POLICY_FILE))
    }
}

/// A policy that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// Its rules.
    pub policy: Policy,
    /// Who may own bounded programs and the directories above them: names as written.
    pub owners: Vec<String>,
    /// The same as uids.
    pub owner_ids: Vec<u32>,
    /// The file it came from; `None` for the built-in one.
    pub file: Option<PathBuf>,
    /// SHA-256 of the file, or of the built-in policy as a file, in hex.
    pub digest: String,
}

/// Why there is no policy to work by. An agent without one does not start.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file is not there.
    #[error("there is no policy file {}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Others than the administrator could change it.
    #[error(
        "the policy file {} is not safe: it and every directory above it must belong to {} and be writable to nobody else", path.display(), whose()
    )]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: TrustError,
    },
    /// It cannot be read.
    #[error("cannot read the policy file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is not a policy.
    #[error("the policy file {} is refused: {problem}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its place.
        problem: String,
    },
    /// Nobody knows who the agent itself is.
    #[error("the user that the agent runs as (uid {uid}) has no name")]
    Nameless {
        /// Its uid.
        uid: u32,
    },
}

impl PolicySource {
    /// The file, whether it is there or not.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::IfPresent(path) | Self::Required(path) => path,
        }
    }

    /// Reads the policy.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn read(&self) -> Result<InForce, PolicyError> {
        let path = self.path();
        match (TrustedFile::open(path, &own_ids()), self) {
            (Ok(trusted), _) => {
                let text = trusted.read().map_err(|source| PolicyError::Unreadable {
                    path: path.to_owned(),
                    source,
                })?;
                file::parse(&text, path)
            }
            (Err(error), Self::IfPresent(_)) if is_absent(&error) => built_in(),
            (Err(error), Self::Required(_)) if is_absent(&error) => Err(PolicyError::Missing {
                path: path.to_owned(),
            }),
            (Err(source), _) => Err(PolicyError::Unsafe {
                path: path.to_owned(),
                source,
            }),
        }
    }
}

impl InForce {
    /// Writes the policy as a file that says the same, defaults included.
    #[must_use]
    pub fn render(&self) -> String {
        file::render(&self.policy, &self.owners)
    }

    pub(super) fn new(
        policy: Policy,
        owners: Vec<(String, u32)>,
        file: Option<PathBuf>,
        text: &str,
    ) -> Self {
        let (owners, owner_ids) = owners.into_iter().unzip();
        Self {
            policy,
            owners,
            owner_ids,
            file,
            digest: hex(&Sha256::digest(text)),
        }
    }
}

fn is_absent(error: &TrustError) -> bool {
    matches!(error, TrustError::Open { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

/// What holds without a file.
fn built_in() -> Result<InForce, PolicyError> {
    let uid = Uid::effective();
    let policy = if uid.is_root() {
        Policy::built_in()
    } else {
        let own = User::from_uid(uid).ok().flatten();
        let own = own.ok_or(PolicyError::Nameless { uid: uid.as_raw() })?;
        Policy::built_in_for(&own.name)
    };
    let owners = vec![("root".to_owned(), 0)];
    let names = ["root".to_owned()];
    let text = file::render(&policy, &names);
    Ok(InForce::new(policy, owners, None, &text))
}

/// Who may own the policy file: root, and the agent's own user.
fn own_ids() -> Vec<u32> {
    let own = Uid::effective().as_raw();
    if own == 0 { vec![0] } else { vec![0, own] }
}

fn whose() -> &'static str {
    if Uid::effective().is_root() {
        "root"
    } else {
        "root or the agent's own user"
    }
}
