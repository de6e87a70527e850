//! Calendars that people keep, of the fleet or of one group: listed, made, changed, deleted; and what a file or a draft says.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use cronfleet_api::calendar::{
    Calendar, CalendarCreate, CalendarHead, CalendarPreviewRequest, CalendarRead,
    CalendarReadRequest, CalendarReplace, CalendarYear,
};
use cronfleet_api::error::ErrorBody;
use cronfleet_core::access::Role;
use cronfleet_core::calendar::ics::read_ics;
use cronfleet_core::calendar::own::{DATES, ranges};
use cronfleet_core::calendar::{self as domain, CalendarSpec, DayRange, presets};
use cronfleet_core::id::{CalendarId, GroupId};
use cronfleet_core::schedule::bundled_zone;
use cronfleet_store::{
    CalendarDeletion, CalendarHead as Head, CalendarRow, Conflict, NewCalendar, StoreError,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::civil::Date;

use super::body::{Answer, Id, Json};
use super::error::ApiError;
use super::guard::{Editor, Scope, SignedIn, Viewer};
use super::jobs::if_match;
use super::state::HttpState;

/// Longest body with a file: a file of 1 MiB, each byte of which may take six in JSON.
pub(super) const FILE_BODY_BYTES_MAX: usize = 7 << 20;

/// Lists the calendars that jobs of my groups can follow, by name: presets, those of the fleet and of my groups.
#[utoipa::path(
    get, path = "/api/v1/calendars", tag = "calendars",
    responses((status = 200, description = "The calendars", body = Vec<CalendarHead>))
)]
pub(super) async fn list_calendars(
    scope: Scope<SignedIn>,
    State(state): State<HttpState>,
) -> Answer<Vec<CalendarHead>> {
    let kept = state.store.calendars(&scope.visible()).await?;
    let of_program = presets().iter().map(|preset| CalendarHead {
        id: None,
        name: preset.name.clone(),
        group_id: None,
        group_name: None,
        version: None,
        job_count: None,
        can_edit: false,
        updated_by: None,
        updated_at: None,
    });
    let kept = kept.into_iter().map(|head| CalendarHead {
        id: Some(head.id.as_uuid()),
        group_id: head.group.map(GroupId::as_uuid),
        group_name: head.group.map(|_| head.group_name.clone()),
        version: Some(head.version),
        job_count: can_edit(&scope, head.group).then_some(head.job_count),
        can_edit: can_edit(&scope, head.group),
        updated_by: Some(head.updated_by),
        updated_at: Some(head.updated_at),
        name: head.name,
    });
    Ok(Json(of_program.chain(kept).collect()))
}

/// Creates a calendar: of a group, for which the role editor is needed, or of the whole fleet, for administrators.
#[utoipa::path(
    post, path = "/api/v1/calendars", tag = "calendars", request_body = CalendarCreate,
    responses(
        (status = 201, description = "Created", body = Calendar),
        (status = 409, description = "Another calendar that jobs could mean has the name", body = ErrorBody),
        (status = 422, description = "A value breaks a rule; field and hint say which", body = ErrorBody),
    )
)]
pub(super) async fn create_calendar(
    scope: Scope<Editor>,
    State(state): State<HttpState>,
    Json(request): Json<CalendarCreate>,
) -> Result<Response, ApiError> {
    let group = request.group_id.map(GroupId::from_uuid);
    allow(&scope, group)?;
    let spec = read_spec(request.spec)?;
    let now = state.clock.now();
    let id = CalendarId::from_uuid(state.mint.id(now));
    let new = NewCalendar {
        id,
        group,
        spec,
        author: scope.user(),
    };
    state.store.create_calendar(&new, now).await?;
    tracing::info!(calendar.id = %id, calendar.name = new.spec.name, user.id = %scope.user(), "a calendar was created");
    answer(&scope, &state, id, StatusCode::CREATED).await
}

/// Shows a calendar. Its version is the ETag.
#[utoipa::path(
    get, path = "/api/v1/calendars/{id}", tag = "calendars",
    params(("id" = uuid::Uuid, Path, description = "Calendar")),
    responses((status = 200, description = "The calendar", body = Calendar, headers(("ETag", description = "Version in quotes"))))
)]
pub(super) async fn get_calendar(
    scope: Scope<Viewer>,
    State(state): State<HttpState>,
    Id(id): Id<CalendarId>,
) -> Result<Response, ApiError> {
    answer(&scope, &state, id, StatusCode::OK).await
}

/// Saves a calendar: makes a new version. Jobs that follow it get new versions, too, and what is planned for them is superseded.
#[utoipa::path(
    put, path = "/api/v1/calendars/{id}", tag = "calendars", request_body = CalendarReplace,
    params(
        ("id" = uuid::Uuid, Path, description = "Calendar"),
        ("If-Match" = String, Header, description = "Version that was read, in quotes: `\"3\"`"),
    ),
    responses(
        (status = 200, description = "Saved", body = Calendar),
        (status = 412, description = "Somebody else saved the calendar meanwhile", body = ErrorBody),
        (status = 422, description = "A value breaks a rule; field and hint say which", body = ErrorBody),
        (status = 428, description = "If-Match is missing", body = ErrorBody),
    )
)]
pub(super) async fn replace_calendar(
    scope: Scope<Editor>,
    State(state): State<HttpState>,
    Id(id): Id<CalendarId>,
    headers: HeaderMap,
    Json(request): Json<CalendarReplace>,
) -> Result<Response, ApiError> {
    let before = find(&scope, &state, id).await?;
    allow(&scope, before.head.group)?;
    let expected = if_match(&headers)?;
    let spec = read_spec(request.spec)?;
    if spec.name != before.head.name {
        return Err(ApiError::invalid(
            "spec.name",
            "calendar.renamed",
            format!("the calendar is called {:?}", before.head.name),
            "keep the name: definitions of jobs go by it; or make another calendar",
        ));
    }
    let (now, author) = (state.clock.now(), scope.user());
    let saved = state
        .store
        .replace_calendar(id, expected, &spec, author, now)
        .await;
    let version = saved.map_err(|error| match error {
        StoreError::Conflict(Conflict::StaleVersion { current }) => {
            ApiError::CalendarStale { current }
        }
        error => error.into(),
    })?;
    tracing::info!(calendar.id = %id, calendar.version = version, user.id = %author, "a calendar was saved");
    state.nudges.jobs_changed();
    answer(&scope, &state, id, StatusCode::OK).await
}

/// Deletes a calendar that no job follows.
#[utoipa::path(
    delete, path = "/api/v1/calendars/{id}", tag = "calendars",
    params(("id" = uuid::Uuid, Path, description = "Calendar")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 409, description = "Jobs follow it; the message names some", body = ErrorBody),
    )
)]
pub(super) async fn delete_calendar(
    scope: Scope<Editor>,
    State(state): State<HttpState>,
    Id(id): Id<CalendarId>,
) -> Result<StatusCode, ApiError> {
    let before = find(&scope, &state, id).await?;
    allow(&scope, before.head.group)?;
    match state.store.delete_calendar(id).await? {
        CalendarDeletion::Done => {
            tracing::info!(calendar.id = %id, calendar.name = before.head.name, user.id = %scope.user(), "a calendar was deleted");
            Ok(StatusCode::NO_CONTENT)
        }
        CalendarDeletion::InUse { some, count } => {
            let named: Vec<String> = some
                .iter()
                .map(|(group, job)| format!("{job} ({group})"))
                .collect();
            let more = match count.saturating_sub(named.len() as u64) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let jobs = format!("{}{more}", named.join(", "));
            Err(ApiError::CalendarInUse { jobs })
        }
    }
}

/// Tells which days of a year count in a calendar, saved or not.
#[utoipa::path(
    post, path = "/api/v1/calendars/preview", tag = "calendars", request_body = CalendarPreviewRequest,
    responses(
        (status = 200, description = "The days", body = CalendarYear),
        (status = 422, description = "A value breaks a rule; field and hint say which", body = ErrorBody),
    )
)]
pub(super) async fn preview_calendar(
    _: Scope<SignedIn>,
    Json(request): Json<CalendarPreviewRequest>,
) -> Answer<CalendarYear> {
    let spec = read_spec(request.spec)?;
    let calendar = spec
        .calendar()
        .map_err(|error| ApiError::spec("spec.", error))?;
    let first = Date::new(request.year, 1, 1)
        .ok()
        .filter(|first| DATES.0 <= *first && *first <= DATES.1);
    let first = first.ok_or_else(|| {
        ApiError::invalid(
            "year",
            "calendar.year",
            format!("year is {}", request.year),
            format!("use {} to {}", DATES.0.year(), DATES.1.year()),
        )
    })?;
    Ok(Json(year(&calendar, first)))
}

fn year(calendar: &domain::Calendar, first: Date) -> CalendarYear {
    let all = || {
        let days = first.series(jiff::Span::new().days(1));
        days.take_while(|date| date.year() == first.year())
    };
    let days: BTreeSet<Date> = all().filter(|date| calendar.contains(*date)).collect();
    let is_exception =
        |date: &Date| calendar.added.contains(date) || calendar.removed.contains(date);
    let exceptions: BTreeSet<Date> = all().filter(is_exception).collect();
    let texts = |days: &BTreeSet<Date>| ranges(days).iter().map(DayRange::to_string).collect();
    CalendarYear {
        year: first.year(),
        day_count: u32::try_from(days.len()).unwrap_or(u32::MAX),
        days: texts(&days),
        exceptions: texts(&exceptions),
        known_until: calendar.known_until,
    }
}

/// Reads the days of the events of an iCalendar file (RFC 5545). Stores nothing. What would change which days count and is not
/// understood is refused with its line and its property.
#[utoipa::path(
    post, path = "/api/v1/calendars/read", tag = "calendars", request_body = CalendarReadRequest,
    responses(
        (status = 200, description = "The days", body = CalendarRead),
        (status = 422, description = "The file cannot be read", body = ErrorBody),
    )
)]
pub(super) async fn read_calendar(
    _: Scope<SignedIn>,
    Json(request): Json<CalendarReadRequest>,
) -> Answer<CalendarRead> {
    let zone = request.time_zone.as_deref().map(|name| {
        bundled_zone(name).ok_or_else(|| {
            let name: String = name.chars().take(64).collect();
            ApiError::invalid(
                "time_zone",
                "schedule.unknown_time_zone",
                format!("there is no time zone {name:?}"),
                "use an IANA name such as Asia/Shanghai",
            )
        })
    });
    let zone = zone.transpose()?;
    let CalendarReadRequest {
        text, containing, ..
    } = request;
    // Up to a second of work, which other requests need not wait for.
    let read =
        tokio::task::spawn_blocking(move || read_ics(&text, containing.as_deref(), zone.as_ref()));
    let read = read.await.map_err(|_| ApiError::Panicked)?;
    let read = read.map_err(|error| {
        ApiError::invalid(
            "text",
            "calendar.file",
            error.to_string(),
            "change that line, or name the days themselves",
        )
    })?;
    Ok(Json(CalendarRead {
        day_count: u32::try_from(read.days.len()).unwrap_or(u32::MAX),
        days: ranges(&read.days).iter().map(DayRange::to_string).collect(),
        events: read.events,
        others: read.others,
    }))
}

fn read_spec(spec: cronfleet_api::calendar::CalendarSpec) -> Result<CalendarSpec, ApiError> {
    CalendarSpec::try_from(spec).map_err(|error| ApiError::spec("spec.", error))
}

/// Whether the caller may change a calendar of the group, or of the fleet.
fn can_edit<P>(scope: &Scope<P>, group: Option<GroupId>) -> bool {
    let principal = &scope.caller().principal;
    match group {
        None => principal.is_admin,
        Some(group) => principal
            .role_in(group)
            .is_some_and(|role| role >= Role::Editor),
    }
}

fn allow(scope: &Scope<Editor>, group: Option<GroupId>) -> Result<(), ApiError> {
    match group {
        Some(group) => scope.allow_in(group),
        None if can_edit(scope, None) => Ok(()),
        None => Err(ApiError::Forbidden),
    }
}

async fn find<P>(
    scope: &Scope<P>,
    state: &HttpState,
    id: CalendarId,
) -> Result<CalendarRow, ApiError> {
    let found = state.store.calendar(&scope.visible(), id).await?;
    found.ok_or(ApiError::NotFound)
}

/// The calendar as it is now, with its ETag.
async fn answer<P>(
    scope: &Scope<P>,
    state: &HttpState,
    id: CalendarId,
    status: StatusCode,
) -> Result<Response, ApiError> {
    let CalendarRow { head, spec } = find(scope, state, id).await?;
    let can_edit = can_edit(scope, head.group);
    let Head {
        id,
        group,
        group_name,
        version,
        updated_by,
        created_at,
        updated_at,
        job_count,
        name: _,
    } = head;
    let calendar = Calendar {
        id: id.as_uuid(),
        group_id: group.map(GroupId::as_uuid),
        group_name: group.map(|_| group_name),
        version,
        spec: spec.into(),
        job_count: can_edit.then_some(job_count),
        can_edit,
        updated_by,
        created_at,
        updated_at,
    };
    let mut response = (status, Json(calendar)).into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}
