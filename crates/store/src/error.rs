//! What can go wrong in the store.

use std::path::PathBuf;

use sea_orm::{DbErr, RuntimeErr, SqlErr};

use crate::fault::Fault;

/// A failed store operation. Nothing of a failed operation is stored, but see [`StoreError::InDoubt`].
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer, is full, or is locked for too long. Trying again later may help.
    #[error("database is not available")]
    Unavailable(#[source] DbErr),
    /// The connection was lost while the database made the operation durable: it is stored as a whole or not at all, but nobody
    /// knows which. Asking again tells.
    #[error("connection to the database was lost while it was storing")]
    InDoubt(#[source] DbErr),
    /// The database server must not be used, for this reason.
    #[error("database is refused: {why}")]
    Refused {
        /// Why, and what to do.
        why: String,
    },
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
    /// The database was written by an older version, and may not be changed now.
    #[error("database has schema {found}, this version needs {needed}: run `cronfleet db migrate`")]
    OlderSchema {
        /// Schema of the database; 0 for an empty one.
        found: u32,
        /// Schema of this version.
        needed: u32,
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
    /// A window.
    Window,
    /// A calendar.
    Calendar,
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
            Self::Window => "window",
            Self::Calendar => "calendar",
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
    /// A job that a set of changes was made from is no longer as it was then.
    #[error("a job of the set changed meanwhile")]
    StaleSet,
    /// Due instants before now are not decided yet; the planner is about to. Trying again in a second helps.
    #[error("planning of the job is behind")]
    PlanningBehind,
    /// Another calendar that jobs of the group could mean has the name.
    #[error("calendar name is taken")]
    CalendarNameTaken,
    /// The calendar that a job is to follow was deleted meanwhile.
    #[error("calendar is deleted")]
    CalendarGone,
    /// There are as many calendars as there may be.
    #[error("there are too many calendars")]
    TooManyCalendars,
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
    /// A window was changed since the plan was made.
    #[error("windows were changed meanwhile")]
    StaleWindows,
    /// The window was changed by somebody else meanwhile, or was ended.
    #[error("window is at version {current}")]
    WindowChanged {
        /// Its last version.
        current: u32,
    },
    /// There are as many windows as may be.
    #[error("no more windows can be made there")]
    TooManyWindows,
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
        if Fault::of(&error).is_some() {
            Self::Unavailable(error)
        } else {
            Self::Statement(error)
        }
    }
}

impl StoreError {
    /// An error of the driver while it connects: a wrong password is as bad as no server.
    pub(crate) fn of_driver(error: sqlx::Error) -> Self {
        Self::Unavailable(DbErr::Conn(RuntimeErr::SqlxError(error.into())))
    }

    /// Names the conflict that a violated unique key means here.
    pub(crate) fn or_taken(self, conflict: Conflict) -> Self {
        match self {
            Self::Conflict(Conflict::Reference) => Self::Conflict(conflict),
            other => other,
        }
    }

    /// Whether the same transaction again may succeed at once: nothing of it is stored, and the reason was a moment's.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Unavailable(error) => {
                matches!(
                    Fault::of(error),
                    Some(Fault::Contention | Fault::Connection)
                )
            }
            _ => false,
        }
    }

    /// Whether the database, not the operation, is the reason.
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::InDoubt(_))
    }

    /// What is wrong with the database, in its own words; for people who run it.
    pub fn trouble(&self) -> String {
        let mut innermost: &dyn std::error::Error = self;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        innermost.to_string()
    }

    /// A stored value that cannot be read.
    pub(crate) fn corrupt(what: &'static str, found: impl std::fmt::Display) -> Self {
        Self::Corrupt {
            what,
            found: found.to_string().chars().take(200).collect(),
        }
    }
}
