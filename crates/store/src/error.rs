//! What can go wrong in the store.

use std::path::PathBuf;

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, SqlErr};

/// A failed store operation. Nothing of a failed operation is stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer, is full, or is locked for too long. Trying again later may help.
    #[error("database is not available")]
    Unavailable(#[source] DbErr),
    /// The database file cannot be made or opened.
    #[error("database file {} cannot be opened", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The operation contradicts what is stored.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The thing to change does not exist (any more).
    #[error("{what} does not exist")]
    Missing {
        /// What was looked for.
        what: Thing,
    },
    /// A stored value has no meaning for this version.
    #[error("stored {what} has no meaning: {found:?}")]
    Corrupt {
        /// Which value.
        what: &'static str,
        /// The value, at most 200 characters.
        found: String,
    },
    /// The database was written by a newer version.
    #[error(
        "database has schema {found}, this version knows schemas up to {known}: run the newer version"
    )]
    NewerSchema {
        /// Schema of the database.
        found: u32,
        /// Newest schema this version knows.
        known: u32,
    },
    /// A migration step failed.
    #[error("migration {number} failed")]
    Migration {
        /// Number of the migration.
        number: u32,
        /// Why.
        source: DbErr,
    },
    /// A statement was refused by the database: a defect of this version.
    #[error("database refused a statement")]
    Statement(#[source] DbErr),
}

/// Kinds of things that may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    /// A user.
    User,
    /// A group.
    Group,
    /// An agent.
    Agent,
    /// A job.
    Job,
    /// A version of a job.
    JobVersion,
    /// A run.
    Run,
    /// A secret.
    Secret,
}

impl std::fmt::Display for Thing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Agent => "agent",
            Self::Job => "job",
            Self::JobVersion => "job version",
            Self::Run => "run",
            Self::Secret => "secret",
        })
    }
}

/// Why an operation contradicts what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Another user has the login, letter case aside.
    #[error("login is taken")]
    LoginTaken,
    /// There is a user already, so there is nothing to set up.
    #[error("first administrator exists already")]
    SetupDone,
    /// The setup code is wrong, expired, or was used.
    #[error("setup code is not valid")]
    SetupCodeRefused,
    /// It would leave no enabled administrator.
    #[error("last enabled administrator must stay one")]
    LastAdmin,
    /// Another group has the name.
    #[error("group name is taken")]
    GroupNameTaken,
    /// The group still owns jobs.
    #[error("group still owns jobs")]
    GroupOwnsJobs,
    /// Another job of the group has the name.
    #[error("job name is taken in its group")]
    JobNameTaken,
    /// The job was saved by somebody else meanwhile.
    #[error("job is at version {current}")]
    StaleVersion {
        /// Version in force.
        current: u32,
    },
    /// Due instants before now are not decided yet; the planner is about to. Trying again in a second helps.
    #[error("planning of the job is behind")]
    PlanningBehind,
    /// The join token is wrong, expired, or used up.
    #[error("join token is not valid")]
    JoinTokenRefused,
    /// Another agent has the key.
    #[error("agent key is known already")]
    AgentKeyTaken,
    /// The agent is not in the state that the operation needs.
    #[error("agent is not in the right state")]
    AgentState,
    /// The agent has a newer session.
    #[error("agent has a newer session")]
    StaleSession,
    /// The center's term of planning is over.
    #[error("another center plans now")]
    StaleLease,
    /// A row that the operation refers to was removed, or a unique value exists already.
    #[error("something that the operation refers to was changed meanwhile")]
    Reference,
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        if let Some(
            SqlErr::UniqueConstraintViolation(_) | SqlErr::ForeignKeyConstraintViolation(_),
        ) = error.sql_err()
        {
            return Self::Conflict(Conflict::Reference);
        }
        if is_unavailable(&error) {
            Self::Unavailable(error)
        } else {
            Self::Statement(error)
        }
    }
}

impl StoreError {
    /// Names the conflict that a violated unique key means here.
    pub(crate) fn or_taken(self, conflict: Conflict) -> Self {
        match self {
            Self::Conflict(Conflict::Reference) => Self::Conflict(conflict),
            other => other,
        }
    }

    /// A stored value that cannot be read.
    pub(crate) fn corrupt(what: &'static str, found: impl std::fmt::Display) -> Self {
        Self::Corrupt {
            what,
            found: found.to_string().chars().take(200).collect(),
        }
    }
}

/// Whether the database, not the statement, is the reason.
fn is_unavailable(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout | ConnAcquireErr::ConnectionClosed)
        | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause)) => {
            match cause.as_ref() {
                sqlx::Error::Io(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::Tls(_) => true,
                // SQLite: BUSY 5, LOCKED 6, READONLY 8, IOERR 10, CORRUPT 11, FULL 13, CANTOPEN 14, by primary result code.
                sqlx::Error::Database(cause) => cause
                    .code()
                    .and_then(|code| code.parse::<u32>().ok())
                    .is_some_and(|code| matches!(code & 0xff, 5 | 6 | 8 | 10 | 11 | 13 | 14)),
                _ => false,
            }
        }
        _ => false,
    }
}
