//! What can go wrong with a request, and the one table from errors to status, code and words.
//!
//! [`ApiError::into_response`] makes an answer without a body that carries a [`Failure`]; the outermost layer
//! ([`super::edge`]) knows the request's id, writes the [`ErrorBody`] and logs what went wrong inside the center, once.

use axum::response::{IntoResponse, Response};
use cronfleet_api::error::{ErrorBody, ErrorDetail, Problem};
use cronfleet_core::job::SpecError;
use cronfleet_core::schedule::ScheduleError;
use cronfleet_store::{Conflict, StoreError};
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;

/// Longest message that is sent, and longest path of a field: both quote texts of requests.
const MESSAGE_LEN_MAX: usize = 400;
const FIELD_LEN_MAX: usize = 200;
/// When to ask again for a forecast, in seconds.
const FORECAST_RETRY_SECONDS: u64 = 5;

/// A request that is not done.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The body is not JSON of the right shape.
    #[error("{message}")]
    Malformed {
        /// Path of the offending field, if the place is inside one.
        field: Option<String>,
        /// What is wrong and where.
        message: String,
    },
    /// A query parameter or header is not understood.
    #[error("{message}")]
    Parameter {
        /// Its name.
        name: String,
        /// What is wrong.
        message: String,
        /// What would be right.
        hint: Option<String>,
    },
    /// Nobody is signed in.
    #[error("sign in first")]
    SignInRequired,
    /// Login or password is wrong. Says no more, so that logins cannot be guessed.
    #[error("login or password is wrong")]
    SignInFailed,
    /// The password in force, asked for once more, is wrong.
    #[error("the current password is wrong")]
    PasswordWrong,
    /// The setup code is wrong or too old.
    #[error("the setup code is wrong, or older than 30 minutes")]
    SetupCodeWrong,
    /// The object is visible, but the role in its group is too low; or only administrators may do this.
    #[error("your role does not allow this")]
    Forbidden,
    /// The request was made by a page of another site.
    #[error("the request comes from another site")]
    CrossOrigin,
    /// The `Host` header names a host that this center does not answer for.
    #[error("this center does not answer for the host in the request")]
    HostUnknown,
    /// Missing, or not mine to see: nobody can tell which.
    #[error("there is no such thing, or it is not yours to see")]
    NotFound,
    /// The path exists, the method does not.
    #[error("this path does not have this method")]
    MethodNotAllowed,
    /// The request contradicts what is stored.
    #[error("{message}")]
    Conflict {
        /// Stable code.
        code: &'static str,
        /// Path of the field that causes it.
        field: Option<&'static str>,
        /// What is wrong.
        message: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// A window holds the job that shall run.
    #[error("nothing of the job starts until {until}: {reason}")]
    Frozen {
        /// What the window is for.
        reason: String,
        /// Until when it holds.
        until: Timestamp,
    },
    /// `If-Match` names another version than the one in force.
    #[error("the job was saved by somebody else meanwhile and is at version {current}")]
    VersionStale {
        /// Version in force.
        current: u32,
    },
    /// `If-Match` names another version of a calendar than the one in force.
    #[error("the calendar was saved by somebody else meanwhile and is at version {current}")]
    CalendarStale {
        /// Version in force.
        current: u32,
    },
    /// The calendar is to be deleted, and jobs follow it.
    #[error("jobs follow the calendar: {jobs}")]
    CalendarInUse {
        /// Some of them, in words.
        jobs: String,
    },
    /// `If-Match` is missing.
    #[error("the request does not say which version it changes")]
    VersionRequired,
    /// The body is larger than it may be.
    #[error("the body is larger than it may be")]
    TooLarge,
    /// The body is not declared as JSON.
    #[error("the body is not declared as JSON")]
    MediaType,
    /// A value breaks a rule.
    #[error("{message}")]
    Invalid {
        /// Path of the field.
        field: String,
        /// Stable code.
        code: String,
        /// What is wrong.
        message: String,
        /// 1-based place inside the field.
        column: Option<u32>,
        /// What would be right.
        hint: String,
    },
    /// Definitions of a set that break rules; nothing of the set is done.
    #[error("{}", many(*total))]
    Problems {
        /// What is wrong, at most [`PROBLEMS_MAX`](cronfleet_api::definition::PROBLEMS_MAX); not empty.
        problems: Vec<Problem>,
        /// How many there are.
        total: usize,
    },
    /// Jobs refuse a change of many; nothing of it is done.
    #[error("{}", refusing(*total))]
    Refused {
        /// Those that refuse, at most [`PROBLEMS_MAX`](cronfleet_api::definition::PROBLEMS_MAX); not empty.
        problems: Vec<Problem>,
        /// How many there are.
        total: usize,
    },
    /// The plan that shall be applied is no longer what would be done.
    #[error("jobs were changed since this plan was made")]
    PlanStale,
    /// The body did not come in time.
    #[error("the body did not come in time")]
    Timeout,
    /// Too many attempts.
    #[error("too many attempts")]
    TooMany {
        /// When the next one is let through.
        retry_after_seconds: u64,
    },
    /// Too many streams are open in this session.
    #[error("too many streams are open in this session")]
    TooManyStreams,
    /// Other forecasts are being worked out.
    #[error("another forecast is being worked out")]
    ForecastBusy,
    /// The store failed.
    #[error("the store failed")]
    Store(#[source] StoreError),
    /// A password could not be hashed.
    #[error("a password could not be hashed")]
    Password(#[from] crate::password::PasswordError),
    /// A secret could not be sealed.
    #[error("a secret could not be sealed")]
    Seal(#[from] crate::seal::SealError),
    /// A handler panicked.
    #[error("a defect of this version stopped the request")]
    Panicked,
}

/// An error on its way to the outermost layer, as an extension of the answer.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// The body, still without the request's id.
    pub(super) detail: ErrorDetail,
    /// The chain of causes, for the log; only for errors inside the center.
    pub(super) cause: Option<String>,
}

impl ApiError {
    /// A value that breaks a rule.
    pub(super) fn invalid(
        field: &str,
        code: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::Invalid {
            field: field.to_owned(),
            code: code.to_owned(),
            message: message.into(),
            column: None,
            hint: hint.into(),
        }
    }

    /// A definition that breaks a rule, its fields below `prefix`.
    pub(super) fn spec(prefix: &str, error: SpecError) -> Self {
        let SpecError {
            field,
            code,
            message,
            hint,
        } = error;
        Self::invalid(&format!("{prefix}{field}"), code, message, hint)
    }

    /// A schedule that was refused. `expression` and `time_zone` are the paths of the two fields.
    pub(super) fn schedule(expression: &str, time_zone: &str, error: ScheduleError) -> Self {
        let is_zone = error.field == cronfleet_core::schedule::Field::TimeZone;
        Self::Invalid {
            field: if is_zone { time_zone } else { expression }.to_owned(),
            code: format!("schedule.{}", error.code.as_str()),
            column: u32::try_from(error.column).ok(),
            message: error.message,
            hint: error.hint,
        }
    }

    /// Status and stable code.
    fn status_and_code(&self) -> (StatusCode, String) {
        let (status, code) = match self {
            Self::Malformed { .. } => (StatusCode::BAD_REQUEST, "request.malformed"),
            Self::Parameter { .. } => (StatusCode::BAD_REQUEST, "request.parameter"),
            Self::SignInRequired => (StatusCode::UNAUTHORIZED, "auth.required"),
            Self::SignInFailed => (StatusCode::UNAUTHORIZED, "auth.failed"),
            Self::PasswordWrong => (StatusCode::UNPROCESSABLE_ENTITY, "auth.password_wrong"),
            Self::SetupCodeWrong => (StatusCode::FORBIDDEN, "setup.code_wrong"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "auth.forbidden"),
            Self::CrossOrigin => (StatusCode::FORBIDDEN, "auth.cross_origin"),
            Self::HostUnknown => (StatusCode::MISDIRECTED_REQUEST, "request.host"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "request.method"),
            Self::Conflict { code, .. } => (StatusCode::CONFLICT, *code),
            Self::Frozen { .. } => (StatusCode::CONFLICT, "job.frozen"),
            Self::VersionStale { .. } => (StatusCode::PRECONDITION_FAILED, "job.version_stale"),
            Self::CalendarStale { .. } => {
                (StatusCode::PRECONDITION_FAILED, "calendar.version_stale")
            }
            Self::CalendarInUse { .. } => (StatusCode::CONFLICT, "calendar.in_use"),
            Self::VersionRequired => (StatusCode::PRECONDITION_REQUIRED, "job.version_required"),
            Self::Problems { problems, .. } => status_of_all(problems, "definitions.refused"),
            Self::Refused { problems, .. } => status_of_all(problems, "bulk.refused"),
            Self::PlanStale => (StatusCode::PRECONDITION_FAILED, "definitions.plan_stale"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "request.too_large"),
            Self::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "request.media_type"),
            Self::Invalid { code, .. } => return (StatusCode::UNPROCESSABLE_ENTITY, code.clone()),
            Self::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, "request.too_many"),
            Self::Timeout => (StatusCode::REQUEST_TIMEOUT, "request.timeout"),
            Self::TooManyStreams => (StatusCode::TOO_MANY_REQUESTS, "request.too_many_streams"),
            Self::ForecastBusy => (StatusCode::SERVICE_UNAVAILABLE, "forecast.busy"),
            Self::Store(StoreError::Unavailable(_) | StoreError::InDoubt(_)) => {
                (StatusCode::SERVICE_UNAVAILABLE, "store.unavailable")
            }
            Self::Store(_) => (StatusCode::INTERNAL_SERVER_ERROR, "store.failed"),
            Self::Password(_) | Self::Seal(_) | Self::Panicked => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal")
            }
        };
        (status, code.to_owned())
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Parameter { hint, .. } => return hint.clone(),
            Self::Invalid { hint, .. } => return Some(hint.clone()),
            Self::Problems { problems, .. } | Self::Refused { problems, .. } => {
                return problems.first()?.hint.clone();
            }
            Self::PlanStale => "make the plan again and look at it",
            Self::Conflict { hint, .. } => hint,
            Self::Frozen { .. } => {
                "wait until then, end the window, or run it all the same with ignore_windows"
            }
            Self::SetupCodeWrong => "use the code that the center printed at its last start",
            Self::CrossOrigin => {
                "call the interface with Authorization: Bearer instead of a cookie"
            }
            Self::HostUnknown => "name the host in the center's configuration (host names)",
            Self::PasswordWrong => "type the password that you signed in with",
            Self::VersionStale { .. } => "read the job again and repeat the change",
            Self::CalendarStale { .. } => "read the calendar again and repeat the change",
            Self::CalendarInUse { .. } => "let them follow another calendar first",
            Self::VersionRequired => {
                "send If-Match with the version in quotes, e.g. If-Match: \"3\""
            }
            Self::TooLarge => "send at most 1 MiB; definitions of many jobs, at most 32 MiB",
            Self::MediaType => "send Content-Type: application/json",
            Self::TooMany { .. } => "wait as many seconds as Retry-After says",
            Self::ForecastBusy => "ask again after as many seconds as Retry-After says",
            Self::TooManyStreams => "close another page or stream of this session",
            Self::Malformed { .. }
            | Self::SignInRequired
            | Self::SignInFailed
            | Self::Forbidden
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::Timeout
            | Self::Store(_)
            | Self::Password(_)
            | Self::Seal(_)
            | Self::Panicked => return None,
        };
        Some(hint.to_owned())
    }

    /// Everything that is wrong, if the request is about many things.
    fn problems(&self) -> Vec<Problem> {
        let (Self::Problems { problems, .. } | Self::Refused { problems, .. }) = self else {
            return Vec::new();
        };
        let listed = problems.iter().cloned().map(|problem| Problem {
            message: sentence(&problem.message),
            field: problem.field.chars().take(FIELD_LEN_MAX).collect(),
            ..problem
        });
        listed.collect()
    }

    /// The place in the request.
    fn place(&self) -> (Option<String>, Option<u32>) {
        match self {
            Self::Malformed { field, .. } => (field.clone(), None),
            Self::Parameter { name, .. } => (Some(name.clone()), None),
            Self::Invalid { field, column, .. } => (Some(field.clone()), *column),
            Self::Problems { problems, .. } | Self::Refused { problems, .. } => {
                problems.first().map_or((None, None), |first| {
                    (Some(first.field.clone()), first.column)
                })
            }
            Self::Conflict { field, .. } => (field.map(str::to_owned), None),
            Self::PasswordWrong => (Some("current".to_owned()), None),
            Self::SetupCodeWrong => (Some("code".to_owned()), None),
            _ => (None, None),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing { .. } => Self::NotFound,
            StoreError::Conflict(conflict) => conflict.into(),
            StoreError::Unavailable(_)
            | StoreError::InDoubt(_)
            | StoreError::Refused { .. }
            | StoreError::OlderSchema { .. }
            | StoreError::File { .. }
            | StoreError::Corrupt { .. }
            | StoreError::NewerSchema { .. }
            | StoreError::Migration { .. }
            | StoreError::Statement(_) => Self::Store(error),
        }
    }
}

impl From<Conflict> for ApiError {
    fn from(conflict: Conflict) -> Self {
        let (code, field, message, hint) = match conflict {
            Conflict::SetupCodeRefused => return Self::SetupCodeWrong,
            Conflict::StaleVersion { current } => return Self::VersionStale { current },
            Conflict::StaleSet => return Self::PlanStale,
            Conflict::LoginTaken => (
                "user.login_taken",
                Some("login"),
                "another user has this login",
                "choose another login",
            ),
            Conflict::SetupDone => (
                "setup.done",
                None,
                "the first administrator exists already",
                "sign in instead",
            ),
            Conflict::WindowChanged { .. } => (
                "window.changed",
                None,
                "the window was changed or ended by somebody else meanwhile",
                "read it again and repeat the change",
            ),
            Conflict::TooManyWindows => (
                "window.too_many",
                None,
                "there are 100 windows there that are not over",
                "end one that is not needed any more",
            ),
            Conflict::LastAdmin => (
                "user.last_admin",
                None,
                "this is the last administrator who can sign in",
                "make somebody else an administrator first",
            ),
            Conflict::GroupNameTaken => (
                "group.name_taken",
                Some("name"),
                "another group has this name",
                "choose another name",
            ),
            Conflict::GroupOwnsJobs => (
                "group.owns_jobs",
                None,
                "the group still owns jobs",
                "delete its jobs first",
            ),
            Conflict::JobNameTaken => (
                "job.name_taken",
                Some("spec.name"),
                "another job of the group has this name",
                "choose another name",
            ),
            Conflict::CalendarNameTaken => (
                "calendar.name_taken",
                Some("spec.name"),
                "another calendar that jobs could mean has this name",
                "choose another name; calendars of the fleet and of groups must differ",
            ),
            Conflict::CalendarGone => (
                "calendar.gone",
                Some("spec.scheduled.calendar.name"),
                "the calendar was deleted meanwhile",
                "choose another calendar",
            ),
            Conflict::TooManyCalendars => (
                "calendar.too_many",
                None,
                "there are 1,000 calendars, which is the most",
                "delete some that no job follows",
            ),
            Conflict::PlanningBehind => (
                "job.planning_behind",
                None,
                "due instants before now are still being decided",
                "repeat the request in a second",
            ),
            Conflict::AgentState => (
                "agent.state",
                None,
                "the agent is not in a state that allows this",
                "read the agent again; a revoked agent stays revoked",
            ),
            Conflict::JoinTokenRefused
            | Conflict::AgentKeyTaken
            | Conflict::StaleSession
            | Conflict::StaleLease
            | Conflict::StaleWindows
            | Conflict::Reference => (
                "reference",
                None,
                "something that the request refers to was changed meanwhile",
                "read it again and repeat the request",
            ),
        };
        Self::Conflict {
            code,
            field,
            message,
            hint,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, _) = self.status_and_code();
        let mut response = status.into_response();
        response.extensions_mut().insert(Failure::of(&self));
        let retry_after_seconds = match self {
            Self::TooMany {
                retry_after_seconds,
            } => Some(retry_after_seconds),
            Self::ForecastBusy => Some(FORECAST_RETRY_SECONDS),
            _ => None,
        };
        if let Some(retry_after_seconds) = retry_after_seconds {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, retry_after_seconds.into());
        }
        response
    }
}

impl Failure {
    /// What is to be told and logged of an error.
    pub(super) fn of(error: &ApiError) -> Self {
        let (status, code) = error.status_and_code();
        let (field, column) = error.place();
        let detail = ErrorDetail {
            code,
            message: sentence(&error.to_string()),
            field: field.map(|field| field.chars().take(FIELD_LEN_MAX).collect()),
            column,
            hint: error.hint(),
            problems: error.problems(),
            request_id: String::new(),
        };
        Self {
            detail,
            cause: status.is_server_error().then(|| chain(error)),
        }
    }

    /// The body as JSON. A server error tells code and request id only.
    pub(super) fn body(mut self, status: StatusCode, request_id: &HeaderValue) -> Vec<u8> {
        if status.is_server_error() {
            "the center could not do this; the request id names the cause in its log"
                .clone_into(&mut self.detail.message);
        }
        self.detail.request_id = request_id.to_str().unwrap_or_default().to_owned();
        serde_json::to_vec(&ErrorBody { error: self.detail }).unwrap_or_default()
    }
}

/// How many things are wrong.
fn many(total: usize) -> String {
    match total {
        1 => "1 problem in the definitions; nothing was changed".to_owned(),
        _ => format!("{total} problems in the definitions; nothing was changed"),
    }
}

/// How many jobs refuse a change of many.
fn refusing(total: usize) -> String {
    match total {
        1 => "1 job refuses this; nothing was done".to_owned(),
        _ => format!("{total} jobs refuse this; nothing was done"),
    }
}

/// Status and code of problems that are all of one kind, or of a `mixture`.
fn status_of_all(problems: &[Problem], mixture: &'static str) -> (StatusCode, &'static str) {
    let are_all = |code: &str| problems.iter().all(|problem| problem.code == code);
    if are_all("not_found") {
        (StatusCode::NOT_FOUND, "not_found")
    } else if are_all("auth.forbidden") {
        (StatusCode::FORBIDDEN, "auth.forbidden")
    } else {
        (StatusCode::UNPROCESSABLE_ENTITY, mixture)
    }
}

/// A message as one sentence of bounded length.
fn sentence(message: &str) -> String {
    let mut chars = message.chars().take(MESSAGE_LEN_MAX);
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |line, cause| format!("{line}: {cause}"))
}
