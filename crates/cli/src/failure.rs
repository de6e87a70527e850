//! Why a command failed, what to do next, and with which status the process exits.

use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use cronfleet_agent::{AgentError, IdentityError, JoinError, StatusError};
use cronfleet_api::error::{ErrorDetail, Problem};
use cronfleet_center::CenterError;
use cronfleet_store::{CopyError, DatabaseUrl, StoreError};
use serde_json::{Map, Value, json};

use crate::definitions::Problems;
use crate::schedule::Refusal;
use crate::shown;

/// Exit status of the process. `docs/cli.md` lists them; they never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It was done.
    Done = 0,
    /// It was tried and failed.
    Failed = 1,
    /// The arguments or the input are wrong. Command line syntax errors exit with it too.
    Refused = 2,
    /// Not signed in, or not allowed.
    Forbidden = 3,
    /// The thing does not exist, or is not mine to see.
    NotFound = 4,
    /// Somebody else changed it meanwhile, or it is in use.
    Conflict = 5,
    /// The server did not answer.
    Unreachable = 6,
    /// The run that was waited for did not succeed.
    NotSucceeded = 7,
    /// What was compared differs.
    Differs = 8,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The server understood the request and refused it, or failed at it.
    #[error("{}", detail.message)]
    Server {
        /// HTTP status.
        status: u16,
        /// What the server says.
        detail: Box<ErrorDetail>,
    },
    /// The server could not be reached, or the connection broke.
    #[error("no answer from {server}")]
    Unreachable {
        /// Address that was tried.
        server: String,
        #[source]
        source: reqwest::Error,
    },
    /// Something answered, but not as a Cronfleet center does.
    #[error("{server} did not answer like a Cronfleet center (HTTP {status})")]
    Foreign {
        /// Address that was tried.
        server: String,
        /// HTTP status.
        status: u16,
    },
    /// There is no sign-in for this server, or it is no longer valid.
    #[error("not signed in to {server}")]
    NotSignedIn {
        /// The server.
        server: String,
    },
    /// Secrets would travel in the clear.
    #[error("{server} is not on this machine and not reached over TLS")]
    InsecureServer {
        /// The server.
        server: String,
    },
    /// A schedule was refused.
    #[error("the schedule is refused: {}", .0.error.message)]
    Schedule(Box<Refusal>),
    /// An argument or a file is wrong.
    #[error("{message}")]
    Input {
        /// The flag or field.
        field: String,
        /// What is wrong.
        message: String,
        /// What would be right.
        hint: String,
    },
    /// Definitions in files are wrong.
    #[error("{0}")]
    Definitions(Problems),
    /// Applying the files would change something.
    #[error("applying this would change jobs")]
    Differs,
    /// A name stands for several things.
    #[error("{kind} name {name:?} is not unique")]
    Ambiguous {
        /// `job`, `agent` …
        kind: &'static str,
        /// The name.
        name: String,
        /// What it could mean, one line each.
        choices: Vec<String>,
    },
    /// A name stands for nothing that I may see.
    #[error("there is no {kind} {name:?}")]
    NoSuch {
        /// `job`, `agent` …
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A job has no run that could be meant.
    #[error("job {job:?} has no runs yet")]
    NoRuns {
        /// The job as it was named.
        job: String,
    },
    /// A person must confirm and cannot be asked.
    #[error("{action} needs a confirmation")]
    Unconfirmed {
        /// What would be done.
        action: String,
    },
    /// Not every run that was waited for succeeded.
    #[error("{count} of {total} runs did not succeed")]
    NotSucceeded {
        /// Runs that did not.
        count: usize,
        /// Runs waited for.
        total: usize,
    },
    /// The policy of this machine would forbid a start.
    #[error("denied by {detail}")]
    PolicyDenied {
        /// The rule, and why.
        detail: String,
    },
    /// No agent runs on this machine with these directories.
    #[error(transparent)]
    Status(#[from] StatusError),
    /// Something on this machine needs attention.
    #[error("{count} checks failed")]
    Unhealthy {
        /// Checks that failed.
        count: usize,
    },
    /// The runs that were waited for are not over.
    #[error("{count} of {total} runs are not over yet")]
    NotOver {
        /// Runs that are not over.
        count: usize,
        /// Runs waited for.
        total: usize,
    },
    /// A file could not be read or written.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// `read`, `write` …
        doing: &'static str,
        /// The file.
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// A program that was started for the command failed.
    #[error("{program} failed: {how}")]
    Program {
        /// The program.
        program: String,
        /// How.
        how: String,
    },
    /// The machine refused a basic service: a runtime, a prompt, a TLS store.
    #[error("cannot {doing}")]
    System {
        /// What was tried.
        doing: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The center cannot be opened or cannot go on.
    #[error("the center cannot run")]
    Center(#[source] Box<CenterError>),
    /// The agent cannot be opened or cannot go on.
    #[error("the agent cannot run")]
    Agent(#[source] Box<AgentError>),
    /// The agent could not join.
    #[error("the agent cannot join")]
    Join(#[source] Box<JoinError>),
    /// A second signal came before the server had ended.
    #[error("ended at once, as asked")]
    EndedAtOnce,
    /// Standard output could not be written.
    #[error("cannot write the answer")]
    Output(#[source] std::io::Error),
    /// The reader of standard output went away: enough was read.
    #[error("nobody reads the answer")]
    ReaderGone,
}

impl Failure {
    /// Wraps the failure of a basic service of the machine.
    pub(crate) fn system(
        doing: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::System {
            doing,
            source: source.into(),
        }
    }

    /// A database that cannot be used.
    pub(crate) fn database(url: &DatabaseUrl, source: StoreError) -> Self {
        let url = url.clone();
        Self::system("use the database", CopyError::Store { url, source })
    }

    /// Exit status.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Server { status, .. } => match status {
                400 | 413 | 415 | 422 | 428 => Exit::Refused,
                401 | 403 => Exit::Forbidden,
                404 => Exit::NotFound,
                409 | 412 => Exit::Conflict,
                502..=504 => Exit::Unreachable,
                _ => Exit::Failed,
            },
            Self::Unreachable { .. } | Self::Foreign { .. } => Exit::Unreachable,
            Self::NotSignedIn { .. } => Exit::Forbidden,
            Self::Schedule(_)
            | Self::Input { .. }
            | Self::Ambiguous { .. }
            | Self::Unconfirmed { .. }
            | Self::InsecureServer { .. } => Exit::Refused,
            Self::Definitions(problems) => match problems.status() {
                Some(403) => Exit::Forbidden,
                Some(404) => Exit::NotFound,
                Some(_) | None => Exit::Refused,
            },
            Self::Differs => Exit::Differs,
            Self::NoSuch { .. } | Self::NoRuns { .. } => Exit::NotFound,
            Self::NotSucceeded { .. } => Exit::NotSucceeded,
            Self::PolicyDenied { .. } => Exit::Forbidden,
            Self::Status(_) => Exit::Unreachable,
            Self::Unhealthy { .. } => Exit::Failed,
            Self::File { .. }
            | Self::Program { .. }
            | Self::NotOver { .. }
            | Self::System { .. }
            | Self::Center(_)
            | Self::Agent(_)
            | Self::Join(_)
            | Self::EndedAtOnce
            | Self::Output(_) => Exit::Failed,
            Self::ReaderGone => Exit::Done,
        }
    }

    /// Whether nobody is to be told.
    pub(crate) fn is_silent(&self) -> bool {
        // A policy's answer, a doctor's findings and differences were shown already.
        matches!(
            self,
            Self::ReaderGone | Self::PolicyDenied { .. } | Self::Unhealthy { .. } | Self::Differs
        )
    }

    /// Stable code.
    fn code(&self) -> String {
        let code = match self {
            Self::Server { detail, .. } => return detail.code.clone(),
            Self::Schedule(refusal) => return format!("schedule.{}", refusal.error.code),
            Self::Unreachable { .. } => "server.unreachable",
            Self::Foreign { .. } => "server.foreign",
            Self::NotSignedIn { .. } => "auth.required",
            Self::InsecureServer { .. } => "server.insecure",
            Self::Input { .. } => "input.refused",
            Self::Definitions(problems) => match problems.status() {
                Some(403) => "auth.forbidden",
                Some(404) => "not_found",
                Some(_) | None => "definitions.refused",
            },
            Self::Differs => "definitions.differ",
            Self::Ambiguous { .. } => "input.ambiguous",
            Self::NoSuch { .. } | Self::NoRuns { .. } => "not_found",
            Self::Unconfirmed { .. } => "input.unconfirmed",
            Self::NotSucceeded { .. } => "run.not_succeeded",
            Self::PolicyDenied { .. } => "policy.denied",
            Self::Status(_) => "agent.status",
            Self::Unhealthy { .. } => "agent.unhealthy",
            Self::NotOver { .. } => "run.not_over",
            Self::File { .. } => "file",
            Self::Program { .. } => "program",
            Self::System { .. } => "system",
            Self::Center(_) => "center",
            Self::Agent(_) => "agent",
            Self::Join(_) => "agent.join",
            Self::EndedAtOnce => "signal",
            Self::Output(_) | Self::ReaderGone => "output",
        };
        code.to_owned()
    }

    /// The thing that is wrong: a field, a flag.
    fn field(&self) -> Option<String> {
        match self {
            Self::Server { detail, .. } => detail.field.clone(),
            Self::Schedule(refusal) => Some(refusal.error.field.as_str().to_owned()),
            Self::Input { field, .. } => Some(field.clone()),
            _ => None,
        }
    }

    fn column(&self) -> Option<usize> {
        match self {
            Self::Server { detail, .. } => detail.column.map(|column| column as usize),
            Self::Schedule(refusal) => Some(refusal.error.column),
            _ => None,
        }
    }

    /// What to do next.
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Server { status, detail } => match (&detail.hint, status) {
                (Some(hint), _) => hint.clone(),
                (None, 403) => "ask an owner of the group or an administrator".to_owned(),
                (None, 412) => {
                    "somebody else saved it meanwhile: look at it again, then repeat".to_owned()
                }
                (None, 429) => "wait a moment, then repeat".to_owned(),
                (None, 500..) => "look up the request id in the center's log".to_owned(),
                (None, _) => return None,
            },
            Self::Unreachable { .. } | Self::Foreign { .. } => {
                "start one with \"cronfleet up\", or name another with --server or CRONFLEET_SERVER"
                    .to_owned()
            }
            Self::NotSignedIn { server } => {
                format!("run \"cronfleet login --server {server}\", or set CRONFLEET_TOKEN")
            }
            Self::InsecureServer { .. } => {
                "use an https address, or --insecure-http if the network between is trusted"
                    .to_owned()
            }
            Self::Schedule(refusal) => refusal.error.hint.clone(),
            Self::Input { hint, .. } => hint.clone(),
            Self::Ambiguous { choices, .. } => {
                format!(
                    "give an id, or group/name for a job:\n{}",
                    choices.join("\n")
                )
            }
            Self::NoSuch { kind, .. } => format!("see \"cronfleet {kind} ls\""),
            Self::NoRuns { .. } => "run it now with \"cronfleet job run\"".to_owned(),
            Self::Unconfirmed { .. } => "repeat it with --yes".to_owned(),
            Self::NotOver { .. } => {
                "see \"cronfleet run ls\", or wait longer with --wait-timeout".to_owned()
            }
            Self::NotSucceeded { .. } => "see \"cronfleet run output <id>\"".to_owned(),
            Self::Status(_) => {
                "name its directories with --data-dir and --runtime-dir; ask as root or as its user"
                    .to_owned()
            }
            Self::Center(error) => return center_hint(error),
            Self::Agent(error) => return agent_hint(error),
            Self::Join(error) if matches!(**error, JoinError::Refused { .. }) => {
                "make a new token with \"cronfleet agent token\"".to_owned()
            }
            Self::EndedAtOnce => {
                "processes that were being stopped may still be there; the next start finds them"
                    .to_owned()
            }
            Self::Join(_)
            | Self::File { .. }
            | Self::Program { .. }
            | Self::System { .. }
            | Self::PolicyDenied { .. }
            | Self::Unhealthy { .. }
            | Self::Definitions(_)
            | Self::Differs
            | Self::Output(_)
            | Self::ReaderGone => return None,
        })
    }

    /// The failure as people read it, over several lines.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("error: {self}");
        let mut cause = self.source();
        while let Some(error) = cause {
            cause = error.source();
            // Of a connection that failed only the last cause says anything.
            if cause.is_none() || !matches!(self, Self::Unreachable { .. }) {
                let _ = write!(text, ": {error}");
            }
        }
        text.push('\n');
        if let Self::Schedule(refusal) = self {
            let _ = writeln!(text, "\n{}\n", refusal.pointer());
        }
        if let Self::Definitions(problems) = self {
            for line in problems.lines() {
                let _ = writeln!(text, "  {line}");
            }
        }
        if let Self::Server { detail, .. } = self {
            for line in detail.problems.iter().filter_map(of_job) {
                let _ = writeln!(text, "  {line}");
            }
        }
        let field = self.field().map(|field| match self.column() {
            Some(column) => format!("{field}, column {column}"),
            None => field,
        });
        let request = match self {
            Self::Server {
                status: 500..,
                detail,
            } => Some(detail.request_id.clone()),
            _ => None,
        };
        for (label, value) in [
            ("field", field),
            ("request", request),
            ("hint", self.hint()),
        ] {
            if let Some(value) = value {
                let value = value.replace('\n', "\n           ");
                let _ = writeln!(text, "  {label:<7}  {value}");
            }
        }
        text
    }

    /// The failure as programs read it: the same body that the REST interface answers.
    pub(crate) fn body(&self) -> Value {
        let mut error = Map::new();
        let message = match self {
            Self::Schedule(refusal) => refusal.error.message.clone(),
            other => other.to_string(),
        };
        error.insert("code".to_owned(), json!(self.code()));
        error.insert("message".to_owned(), json!(message));
        if let Some(field) = self.field() {
            error.insert("field".to_owned(), json!(field));
        }
        if let Some(column) = self.column() {
            error.insert("column".to_owned(), json!(column));
        }
        if let Some(hint) = self.hint() {
            error.insert("hint".to_owned(), json!(hint));
        }
        if let Self::Definitions(problems) = self {
            error.insert("problems".to_owned(), problems.json());
        }
        if let Self::Server { detail, .. } = self {
            if !detail.problems.is_empty() {
                error.insert("problems".to_owned(), json!(detail.problems));
            }
            error.insert("request_id".to_owned(), json!(detail.request_id));
        }
        json!({ "error": error })
    }
}

/// Why one of many jobs refuses a change, in one line.
fn of_job(problem: &Problem) -> Option<String> {
    let job = shown::plain(problem.job.as_deref()?);
    let column = problem
        .column
        .map_or_else(String::new, |column| format!(", column {column}"));
    let hint = problem
        .hint
        .as_deref()
        .map_or_else(String::new, |hint| format!(" ({})", shown::plain(hint)));
    let message = shown::plain(&problem.message);
    Some(format!("{job}: {}{column}: {message}{hint}", problem.field))
}

fn center_hint(error: &CenterError) -> Option<String> {
    let hint = match error {
        CenterError::Listen { .. } => {
            "another program listens there, or the address is not this machine's: choose one with --listen or --agent-listen"
        }
        CenterError::AlreadyRunning { .. } => {
            "stop the other one first, or choose another --data-dir"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn agent_hint(error: &AgentError) -> Option<String> {
    let hint = match error {
        AgentError::InUse { .. } => "stop the other one first, or choose another --data-dir",
        AgentError::Identity(IdentityError::Missing { .. }) => {
            "make a token with \"cronfleet agent token\", then run \"cronfleet agent join\" here"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

impl From<CenterError> for Failure {
    fn from(error: CenterError) -> Self {
        Self::Center(Box::new(error))
    }
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Self {
        Self::Agent(Box::new(error))
    }
}

impl From<JoinError> for Failure {
    fn from(error: JoinError) -> Self {
        Self::Join(Box::new(error))
    }
}
