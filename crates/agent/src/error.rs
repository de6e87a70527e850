//! Why an agent cannot work.

use std::error::Error;
use std::fmt::Write;
use std::io;
use std::path::PathBuf;

use crate::host::HostError;
use crate::identity::IdentityError;
use crate::ledger::LedgerError;
use crate::policy::PolicyError;

/// Why an agent cannot be opened, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Another agent uses the data directory.
    #[error("another agent uses {}", data_dir.display())]
    InUse {
        /// The directory.
        data_dir: PathBuf,
    },
    /// The data directory cannot be locked.
    #[error("cannot lock {}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is no usable identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// There is no policy to work by.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// No address of a center is known.
    #[error("no center address is given, and the identity has none")]
    NoCenter,
    /// The operating system's side does not open.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The system does not say which boot this is.
    #[error("cannot tell this boot from others")]
    Boot {
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// An error and its causes as one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
