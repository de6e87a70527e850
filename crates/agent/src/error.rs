//! Why an agent cannot work.

use std::io;
use std::path::PathBuf;

use crate::host::HostError;
use crate::identity::IdentityError;
use crate::ledger::LedgerError;

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
