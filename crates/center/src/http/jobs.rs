//! Jobs: reading, creating, saving, deleting. Actions on them are in [`super::job_actions`].

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use cronfleet_api::error::ErrorBody;
use cronfleet_api::job::{Job, JobCreate, JobKind, JobReplace, JobVersion, RecentRun};
use cronfleet_api::page::Page;
use cronfleet_api::window::Snooze;
use cronfleet_core::id::{AgentId, GroupId, JobId};
use cronfleet_core::job as domain;
use cronfleet_core::schedule::{Language, Schedule};
use cronfleet_core::window::Hold;
use cronfleet_store::{JobFilter, JobKindWord, JobRow, NewJob};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::body::{Answer, Id, Json, Query};
use super::error::ApiError;
use super::guard::{Editor, GroupPermission, Owner, Scope, SignedIn, Viewer};
use super::job_actions::Patience;
use super::job_rules;
use super::paging;
use super::secrets;
use super::state::HttpState;
use super::tell;
use super::windows;
use crate::bus::Change;
use crate::calendars::choice_of;
use crate::follow::version_followed;
use crate::windows::WindowBook;

/// Which jobs to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct JobQuery {
    /// Searched for in the name.
    q: Option<String>,
    /// Only jobs of this group.
    group: Option<Uuid>,
    /// Only jobs of this kind.
    #[param(inline)]
    kind: Option<JobKind>,
    /// Only paused jobs, or only those that are not.
    paused: Option<bool>,
    /// Only jobs that run on this agent.
    agent: Option<Uuid>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Most rows to answer, 1 to 500; 100 when absent.
    limit: Option<u32>,
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// `next_cursor` of the page before.
    pub(super) cursor: Option<String>,
    /// Most rows to answer, 1 to 500; 100 when absent.
    pub(super) limit: Option<u32>,
}

/// Lists the jobs of my groups, by name.
#[utoipa::path(
    get, path = "/api/v1/jobs", tag = "jobs", params(JobQuery),
    responses((status = 200, description = "A page of jobs", body = Page<Job>))
)]
pub(super) async fn list_jobs(
    scope: Scope<SignedIn>,
    State(state): State<HttpState>,
    Query(query): Query<JobQuery>,
) -> Answer<Page<Job>> {
    let (after, limit) = (
        paging::cursor(query.cursor.as_deref())?,
        paging::limit(query.limit)?,
    );
    let filter = JobFilter {
        part: query.q.unwrap_or_default(),
        group: query.group.map(GroupId::from_uuid),
        kind: query.kind.map(kind_word),
        is_paused: query.paused,
        agent: query.agent.map(AgentId::from_uuid),
    };
    let mut jobs = state
        .store
        .jobs(&scope.visible(), &filter, after.as_ref(), limit)
        .await?;
    let choices = jobs.items.iter_mut();
    let choices = choices.filter_map(|job| choice_of(&mut job.spec));
    state.calendars.fill(choices.collect()).await?;
    let now = state.clock.now();
    let book = state.windows.book(now).await?;
    Ok(Json(paging::page(jobs, |job| {
        shown(&scope, job, &book, now)
    })))
}

/// The kind that a filter asks for.
pub(super) const fn kind_word(kind: JobKind) -> JobKindWord {
    match kind {
        JobKind::Scheduled => JobKindWord::Scheduled,
        JobKind::Daemon => JobKindWord::Daemon,
    }
}

/// Creates a job.
#[utoipa::path(
    post, path = "/api/v1/jobs", tag = "jobs", request_body = JobCreate,
    responses(
        (status = 201, description = "Created", body = Job),
        (status = 409, description = "Another job of the group has the name", body = ErrorBody),
        (status = 422, description = "A value breaks a rule; field and hint say which", body = ErrorBody),
    )
)]
pub(super) async fn create_job(
    scope: Scope<Editor>,
    State(state): State<HttpState>,
    Json(request): Json<JobCreate>,
) -> Result<Response, ApiError> {
    let group = GroupId::from_uuid(request.group_id);
    scope.allow_in(group)?;
    let group = state
        .store
        .group(&scope.reach(), group)
        .await?
        .ok_or(ApiError::NotFound)?;
    let now = state.clock.now();
    let id = JobId::from_uuid(state.mint.id(now));
    let zone = &state.settings.default_time_zone;
    let mut spec = job_rules::read(request.spec, zone)?;
    let choice = choice_of(&mut spec);
    state.calendars.look_up(group.id, choice).await?;
    let timing = job_rules::check(&spec, id, &group, None, now)?;
    secrets::check_uses(&state, group.id, &spec).await?;
    let job = NewJob {
        id,
        group: group.id,
        spec,
        is_paused: request.is_paused,
        timing,
        author: scope.user(),
    };
    state.store.create_job(&job, now).await?;
    state.nudges.jobs_changed();
    state.bus.publish(Change::Job {
        job: id,
        group: group.id,
    });
    answer(&scope, &state, id, StatusCode::CREATED).await
}

/// Shows a job. Its version is the ETag.
#[utoipa::path(
    get, path = "/api/v1/jobs/{id}", tag = "jobs",
    params(("id" = uuid::Uuid, Path, description = "Job")),
    responses((status = 200, description = "The job", body = Job, headers(("ETag", description = "Version in quotes"))))
)]
pub(super) async fn get_job(
    scope: Scope<Viewer>,
    State(state): State<HttpState>,
    Id(id): Id<JobId>,
) -> Result<Response, ApiError> {
    answer(&scope, &state, id, StatusCode::OK).await
}

/// Saves a job: makes a new version.
#[utoipa::path(
    put, path = "/api/v1/jobs/{id}", tag = "jobs", request_body = JobReplace,
    params(
        ("id" = uuid::Uuid, Path, description = "Job"),
        ("If-Match" = String, Header, description = "Version that was read, in quotes: `\"3\"`"),
    ),
    responses(
        (status = 200, description = "Saved", body = Job),
        (status = 409, description = "Another job of the group has the name", body = ErrorBody),
        (status = 412, description = "Somebody else saved the job meanwhile", body = ErrorBody),
        (status = 422, description = "A value breaks a rule; field and hint say which", body = ErrorBody),
        (status = 428, description = "If-Match is missing", body = ErrorBody),
    )
)]
pub(super) async fn replace_job(
    scope: Scope<Editor>,
    State(state): State<HttpState>,
    Id(id): Id<JobId>,
    headers: HeaderMap,
    Json(request): Json<JobReplace>,
) -> Result<Response, ApiError> {
    let before = find(&scope, &state, id).await?;
    scope.allow_in(before.group)?;
    let expected = if_match(&headers)?;
    if expected != before.version {
        return Err(ApiError::VersionStale {
            current: before.version,
        });
    }
    let group = state
        .store
        .group(&scope.reach(), before.group)
        .await?
        .ok_or(ApiError::NotFound)?;
    let zone = &state.settings.default_time_zone;
    let mut patience = Patience::default();
    let outcome = loop {
        let (now, asked) = (state.clock.now(), request.spec.clone());
        let mut spec = job_rules::read(asked, zone)?;
        let choice = choice_of(&mut spec);
        state.calendars.look_up(group.id, choice).await?;
        let timing = job_rules::check(&spec, id, &group, Some(&before.spec), now)?;
        secrets::check_uses(&state, group.id, &spec).await?;
        match state
            .store
            .replace_job(id, expected, &spec, timing, scope.user(), now)
            .await
        {
            Ok(outcome) => break outcome,
            Err(error) => patience.after(error, &state).await?,
        }
    };
    tell::job_edited(&state, id, before.group, &outcome);
    answer(&scope, &state, id, StatusCode::OK).await
}

/// Deletes a job. Its runs stay on record; those never sent end as skipped.
#[utoipa::path(
    delete, path = "/api/v1/jobs/{id}", tag = "jobs",
    params(("id" = uuid::Uuid, Path, description = "Job")),
    responses((status = 204, description = "Deleted"))
)]
pub(super) async fn delete_job(
    scope: Scope<Owner>,
    State(state): State<HttpState>,
    Id(id): Id<JobId>,
) -> Result<StatusCode, ApiError> {
    let job = find(&scope, &state, id).await?;
    scope.allow_in(job.group)?;
    let mut patience = Patience::default();
    let outcome = loop {
        match state.store.delete_job(id, state.clock.now()).await {
            Ok(outcome) => break outcome,
            Err(error) => patience.after(error, &state).await?,
        }
    };
    tell::job_edited(&state, id, job.group, &outcome);
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the versions of a job, newest first, also of a deleted one.
#[utoipa::path(
    get, path = "/api/v1/jobs/{id}/versions", tag = "jobs",
    params(("id" = uuid::Uuid, Path, description = "Job"), PageQuery),
    responses((status = 200, description = "A page of versions", body = Page<JobVersion>))
)]
pub(super) async fn list_job_versions(
    scope: Scope<Viewer>,
    State(state): State<HttpState>,
    Id(id): Id<JobId>,
    Query(query): Query<PageQuery>,
) -> Answer<Page<JobVersion>> {
    let (before, limit) = (
        paging::cursor(query.cursor.as_deref())?,
        paging::limit(query.limit)?,
    );
    let versions = state
        .store
        .job_versions(&scope.reach(), id, before, limit)
        .await?;
    if versions.items.is_empty() && before.is_none() {
        return Err(ApiError::NotFound);
    }
    Ok(Json(paging::page(versions, |version| JobVersion {
        version: version.version,
        calendar_version: version_followed(&version.spec).map(|own| own.version),
        spec: (&version.spec).into(),
        author: version.author,
        created_at: version.created_at,
    })))
}

/// A job within sight of the caller, whatever the permission.
pub(super) async fn find<P>(
    scope: &Scope<P>,
    state: &HttpState,
    id: JobId,
) -> Result<JobRow, ApiError> {
    let found = state.store.job(&scope.visible(), id).await?;
    let mut job = found.ok_or(ApiError::NotFound)?;
    state.calendars.fill_one(choice_of(&mut job.spec)).await?;
    Ok(job)
}

/// The job as it is now, with its ETag.
pub(super) async fn answer<P: GroupPermission>(
    scope: &Scope<P>,
    state: &HttpState,
    id: JobId,
    status: StatusCode,
) -> Result<Response, ApiError> {
    let now = state.clock.now();
    let book = state.windows.book(now).await?;
    let job = shown(scope, find(scope, state, id).await?, &book, now);
    let tag = HeaderValue::from_str(&format!("\"{}\"", job.version)).ok();
    let mut response = (status, Json(job)).into_response();
    if let Some(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// Reads `If-Match: "3"`.
pub(super) fn if_match(headers: &HeaderMap) -> Result<u32, ApiError> {
    let value = headers
        .get(header::IF_MATCH)
        .ok_or(ApiError::VersionRequired)?;
    let version = value.to_str().ok().and_then(|text| {
        text.trim()
            .strip_prefix('"')?
            .strip_suffix('"')?
            .parse()
            .ok()
    });
    version.ok_or_else(|| ApiError::Parameter {
        name: "If-Match".to_owned(),
        message: "If-Match is not a version in quotes".to_owned(),
        hint: Some("send the ETag of the job as it was read, e.g. \"3\"".to_owned()),
    })
}

fn shown<P>(scope: &Scope<P>, job: JobRow, book: &WindowBook, now: Timestamp) -> Job {
    let schedule = schedule_of(&job);
    let windows = book.windows_of(job.group, job.id);
    let hold = Hold {
        snooze: job.snooze.as_ref().map(|row| row.snooze),
        windows: &windows,
    };
    let is_scheduled = matches!(job.spec.kind, domain::JobKind::Scheduled(_));
    let held = book.held(job.group, job.id, hold.snooze, now);
    let describe = |language| {
        schedule
            .as_ref()
            .map(|schedule| schedule.describe(language))
    };
    Job {
        id: job.id.as_uuid(),
        my_role: scope.role_in(job.group).into(),
        group_id: job.group.as_uuid(),
        group_name: job.group_name,
        kind: (&job.spec.kind).into(),
        version: job.version,
        sentence_en: describe(Language::En),
        sentence_zh: describe(Language::ZhHans),
        next_due: schedule
            .filter(|_| !job.is_paused)
            .and_then(|schedule| hold.next_free(&schedule, now)),
        spec: (&job.spec).into(),
        is_paused: job.is_paused,
        snooze: job
            .snooze
            .filter(|row| row.snooze.until > now)
            .map(|row| Snooze {
                until: row.snooze.until,
                by: row.by,
                since: row.snooze.since,
            }),
        frozen: held
            .filter(|_| is_scheduled)
            .and_then(|held| windows::frozen(&held)),
        recent: job
            .recent
            .iter()
            .map(|run| RecentRun {
                id: run.id.as_uuid(),
                due: run.due,
                outcome: run.outcome.map(Into::into),
                duration_ms: run
                    .duration
                    .map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)),
            })
            .collect(),
        slots_wanted: job.slots.wanted,
        slots_running: job.slots.running,
        slots_crash_loop: job.slots.crash_loop,
        updated_by: job.updated_by,
        created_at: job.created_at,
        updated_at: job.updated_at,
    }
}

/// The schedule of a job; `None` for daemons, and for text that an earlier version accepted and this one does not.
fn schedule_of(job: &JobRow) -> Option<Schedule> {
    match &job.spec.kind {
        domain::JobKind::Daemon(_) => None,
        domain::JobKind::Scheduled(scheduled) => job_rules::parse(job.id, scheduled).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_to_change_is_read_strictly() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_MATCH, HeaderValue::from_str(text).unwrap());
            if_match(&headers).ok()
        };
        assert_eq!(read("\"3\""), Some(3));
        for bad in ["3", "*", "W/\"3\"", "\"3\", \"4\"", "\"-1\"", "\"\""] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert!(matches!(
            if_match(&HeaderMap::new()),
            Err(ApiError::VersionRequired)
        ));
    }
}
