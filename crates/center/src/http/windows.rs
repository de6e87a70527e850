//! Windows in which nothing starts: made, changed and ended by editors of a group, those of the whole fleet by administrators.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use cronfleet_api::error::ErrorBody;
use cronfleet_api::page::Page;
use cronfleet_api::window as shape;
use cronfleet_api::window::{Once, Recurring, Window, WindowCreate, WindowReplace, WindowState};
use cronfleet_core::id::{GroupId, JobId, WindowId};
use cronfleet_core::schedule::Language;
use cronfleet_core::window::{REASON_LEN_MAX, WindowTime};
use cronfleet_store::{NewWindow, WindowFilter, WindowRow, WindowScope, WindowSpec, WindowWhen};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::body::{Answer, Id, Json, Query};
use super::error::ApiError;
use super::guard::{Editor, Scope, SignedIn, Viewer};
use super::job_actions::scheduled;
use super::jobs::{find, if_match};
use super::paging;
use super::state::HttpState;
use crate::bus::Change;
use crate::windows::window_time;

/// Which windows to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WindowQuery {
    /// Only windows of this group and of its jobs.
    group: Option<Uuid>,
    /// Only windows of this job.
    job: Option<Uuid>,
    /// Also windows that are over.
    #[serde(default)]
    over: bool,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Most rows to answer, 1 to 500; 100 when absent.
    limit: Option<u32>,
}

/// Lists the windows of the fleet, of my groups and of their jobs, those that were changed last first.
#[utoipa::path(
    get, path = "/api/v1/windows", tag = "windows", params(WindowQuery),
    responses((status = 200, description = "A page of windows", body = Page<Window>))
)]
pub(super) async fn list_windows(
    scope: Scope<SignedIn>,
    State(state): State<HttpState>,
    Query(query): Query<WindowQuery>,
) -> Answer<Page<Window>> {
    let (before, limit) = (
        paging::cursor(query.cursor.as_deref())?,
        paging::limit(query.limit)?,
    );
    let filter = WindowFilter {
        group: query.group.map(GroupId::from_uuid),
        job: query.job.map(JobId::from_uuid),
        with_over: query.over,
    };
    let now = state.clock.now();
    let windows = state
        .store
        .windows(&scope.visible(), filter, now, before, limit)
        .await?;
    Ok(Json(paging::page(windows, |row| shown(&scope, row, now))))
}

/// Shows a window, also one that is over. Its version is the ETag.
#[utoipa::path(
    get, path = "/api/v1/windows/{id}", tag = "windows",
    params(("id" = uuid::Uuid, Path, description = "Window")),
    responses((status = 200, description = "The window", body = Window, headers(("ETag", description = "Version in quotes"))))
)]
pub(super) async fn get_window(
    scope: Scope<Viewer>,
    State(state): State<HttpState>,
    Id(id): Id<WindowId>,
) -> Result<Response, ApiError> {
    answer(&scope, &state, id, StatusCode::OK).await
}

/// Makes a window. Windows of the whole fleet are made by administrators. What was planned already and is due in it is taken
/// back, as far as it has not started.
#[utoipa::path(
    post, path = "/api/v1/windows", tag = "windows", request_body = WindowCreate,
    responses(
        (status = 201, description = "Made", body = Window),
        (status = 409, description = "The job is a daemon, or there are too many windows", body = ErrorBody),
        (status = 422, description = "A value breaks a rule; field and hint say which", body = ErrorBody),
    )
)]
pub(super) async fn create_window(
    scope: Scope<Editor>,
    State(state): State<HttpState>,
    Json(request): Json<WindowCreate>,
) -> Result<Response, ApiError> {
    let of = (
        request.group_id.map(GroupId::from_uuid),
        request.job_id.map(JobId::from_uuid),
    );
    let target = match of {
        (None, None) => WindowScope::Fleet,
        (Some(group), None) => WindowScope::Group(group),
        (None, Some(job)) => WindowScope::Job(job),
        (Some(_), Some(_)) => {
            return Err(ApiError::invalid(
                "job_id",
                "window.scope",
                "a window is of a group or of a job, not of both",
                "leave one of group_id and job_id out",
            ));
        }
    };
    let group = match target {
        WindowScope::Fleet => None,
        WindowScope::Group(group) => Some(group),
        WindowScope::Job(job) => {
            let job = find(&scope, &state, job).await?;
            scope.allow_in(job.group)?;
            scheduled(&job.spec)?;
            Some(job.group)
        }
    };
    allow(&scope, group)?;
    let now = state.clock.now();
    let id = WindowId::from_uuid(state.mint.id(now));
    let window = NewWindow {
        id,
        scope: target,
        spec: spec(
            &state,
            id,
            &request.reason,
            (request.once, request.recurring),
            now,
        )?,
        author: scope.user(),
    };
    state.store.create_window(&window, now).await?;
    tracing::info!(window.id = %id, user.id = %scope.user(), reason = window.spec.reason, "a window was made");
    tell(&state, target, group);
    answer(&scope, &state, id, StatusCode::CREATED).await
}

/// Changes a window from now on: what it held until now stays skipped.
#[utoipa::path(
    put, path = "/api/v1/windows/{id}", tag = "windows", request_body = WindowReplace,
    params(
        ("id" = uuid::Uuid, Path, description = "Window"),
        ("If-Match" = String, Header, description = "Version that was read, in quotes: `\"3\"`"),
    ),
    responses(
        (status = 200, description = "Changed", body = Window),
        (status = 409, description = "Somebody else changed or ended it meanwhile", body = ErrorBody),
        (status = 422, description = "A value breaks a rule; field and hint say which", body = ErrorBody),
    )
)]
pub(super) async fn replace_window(
    scope: Scope<Editor>,
    State(state): State<HttpState>,
    Id(id): Id<WindowId>,
    headers: HeaderMap,
    Json(request): Json<WindowReplace>,
) -> Result<Response, ApiError> {
    let row = find_window(&scope, &state, id).await?;
    allow(&scope, row.group)?;
    let expected = if_match(&headers)?;
    let now = state.clock.now();
    let spec = spec(
        &state,
        id,
        &request.reason,
        (request.once, request.recurring),
        now,
    )?;
    state
        .store
        .replace_window(id, expected, &spec, scope.user(), now)
        .await?;
    tracing::info!(window.id = %id, user.id = %scope.user(), reason = spec.reason, "a window was changed");
    tell(&state, row.scope, row.group);
    answer(&scope, &state, id, StatusCode::OK).await
}

/// Ends a window: what is due from now on runs. It stays on record.
#[utoipa::path(
    delete, path = "/api/v1/windows/{id}", tag = "windows",
    params(("id" = uuid::Uuid, Path, description = "Window")),
    responses((status = 204, description = "Ended"))
)]
pub(super) async fn end_window(
    scope: Scope<Editor>,
    State(state): State<HttpState>,
    Id(id): Id<WindowId>,
) -> Result<StatusCode, ApiError> {
    let row = find_window(&scope, &state, id).await?;
    allow(&scope, row.group)?;
    state.store.end_window(id, state.clock.now()).await?;
    tracing::info!(window.id = %id, user.id = %scope.user(), "a window was ended");
    tell(&state, row.scope, row.group);
    Ok(StatusCode::NO_CONTENT)
}

/// Checks that the caller may change windows of this group; without one, of the fleet.
fn allow(scope: &Scope<Editor>, group: Option<GroupId>) -> Result<(), ApiError> {
    match group {
        Some(group) => scope.allow_in(group),
        None if scope.caller().principal.is_admin => Ok(()),
        None => Err(ApiError::Forbidden),
    }
}

async fn find_window<P>(
    scope: &Scope<P>,
    state: &HttpState,
    id: WindowId,
) -> Result<WindowRow, ApiError> {
    let row = state.store.window(&scope.visible(), id).await?;
    row.ok_or(ApiError::NotFound)
}

async fn answer<P>(
    scope: &Scope<P>,
    state: &HttpState,
    id: WindowId,
    status: StatusCode,
) -> Result<Response, ApiError> {
    let row = find_window(scope, state, id).await?;
    let tag = HeaderValue::from_str(&format!("\"{}\"", row.version)).ok();
    let mut response = (status, Json(shown(scope, row, state.clock.now()))).into_response();
    if let Some(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// Reads what a request says about a window, and checks it.
fn spec(
    state: &HttpState,
    id: WindowId,
    reason: &str,
    when: (Option<Once>, Option<Recurring>),
    now: Timestamp,
) -> Result<WindowSpec, ApiError> {
    let reason = reason.trim();
    let length = reason.chars().count();
    if length == 0 || length > REASON_LEN_MAX || reason.chars().any(char::is_control) {
        return Err(ApiError::invalid(
            "reason",
            "window.reason",
            format!(
                "{:?} cannot say what the window is for",
                super::text::cut(reason)
            ),
            format!("write 1 to {REASON_LEN_MAX} characters in one line"),
        ));
    }
    let (prefix, when) = match when {
        (Some(once), None) => ("once.", once_at(once, now)),
        (None, Some(recurring)) => {
            let zone = &state.settings.default_time_zone;
            ("recurring.", recurring_at(recurring, zone))
        }
        (None, None) | (Some(_), Some(_)) => {
            return Err(ApiError::invalid(
                "once",
                "window.when",
                "the window does not say when it is, or says it twice",
                "give exactly one of once and recurring",
            ));
        }
    };
    let time = window_time(id, &when).map_err(|error| {
        ApiError::schedule("recurring.expression", "recurring.time_zone", error)
    })?;
    time.check(now)
        .map_err(|error| ApiError::spec(prefix, field_of_request(error)))?;
    Ok(WindowSpec {
        reason: reason.to_owned(),
        when,
    })
}

/// What is wrong with the beginnings is told at the field that says when they are.
fn field_of_request(error: cronfleet_core::job::SpecError) -> cronfleet_core::job::SpecError {
    let field = if error.field == "begins" {
        "expression".to_owned()
    } else {
        error.field
    };
    cronfleet_core::job::SpecError { field, ..error }
}

fn once_at(once: Once, now: Timestamp) -> WindowWhen {
    WindowWhen::Once {
        from: once.from.unwrap_or(now),
        until: once.until,
    }
}

fn recurring_at(recurring: Recurring, default_time_zone: &str) -> WindowWhen {
    WindowWhen::Recurring {
        expression: recurring.expression,
        time_zone: recurring
            .time_zone
            .unwrap_or_else(|| default_time_zone.to_owned()),
        lasts: Duration::from_millis(recurring.lasts_ms),
    }
}

/// Tells the planner and those who watch.
fn tell(state: &HttpState, target: WindowScope, group: Option<GroupId>) {
    state.nudges.jobs_changed();
    state.bus.publish(match (target, group) {
        (WindowScope::Job(job), Some(group)) => Change::Job { job, group },
        _ => Change::Everything,
    });
}

fn shown<P>(scope: &Scope<P>, row: WindowRow, now: Timestamp) -> Window {
    let time = window_time(row.id, &row.spec.when).ok();
    let window = time.map(|time| cronfleet_core::window::Window {
        time,
        since: row.since,
        ended: row.ended_at,
    });
    let is_over = row.over_at.is_some_and(|over| over <= now);
    let window = window.as_ref().filter(|_| !is_over);
    let holds_until = window.and_then(|window| window.holds_until(now.max(row.since + STEP)));
    let sentence = |language| match window.map(|window| &window.time) {
        Some(WindowTime::Recurring { begins, .. }) => Some(begins.describe(language)),
        Some(WindowTime::Once { .. }) | None => None,
    };
    let (once, recurring) = match row.spec.when.clone() {
        WindowWhen::Once { from, until } => {
            let from = Some(from);
            (Some(Once { from, until }), None)
        }
        WindowWhen::Recurring {
            expression,
            time_zone,
            lasts,
        } => {
            let recurring = Recurring {
                expression,
                time_zone: Some(time_zone),
                lasts_ms: u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX),
            };
            (None, Some(recurring))
        }
    };
    let (group_id, job_id) = match row.scope {
        WindowScope::Fleet => (None, None),
        WindowScope::Group(group) => (Some(group), None),
        WindowScope::Job(job) => (row.group, Some(job)),
    };
    Window {
        id: row.id.as_uuid(),
        version: row.version,
        group_id: group_id.map(GroupId::as_uuid),
        job_id: job_id.map(JobId::as_uuid),
        scope_name: row.scope_name,
        reason: row.spec.reason,
        once,
        recurring,
        state: match (is_over, holds_until) {
            (true, _) => WindowState::Over,
            (false, Some(_)) => WindowState::Holding,
            (false, None) => WindowState::Waiting,
        },
        holds_until,
        next_begin: window
            .filter(|_| holds_until.is_none())
            .and_then(|window| window.next_begin(now)),
        sentence_en: sentence(Language::En),
        sentence_zh: sentence(Language::ZhHans),
        changed_by: row.author,
        changed_at: row.since,
        ended_at: row.ended_at,
        my_role: row.group.map(|group| scope.role_in(group).into()),
    }
}

/// The smallest step between two instants.
const STEP: Duration = Duration::from_micros(1);

/// What holds a job now, for its page.
pub(super) fn frozen(held: &crate::windows::Held) -> Option<shape::Frozen> {
    let (window, reason) = held.window.clone()?;
    Some(shape::Frozen {
        window_id: window.as_uuid(),
        reason,
        until: held.until,
    })
}
