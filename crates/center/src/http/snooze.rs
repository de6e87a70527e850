//! Snooze: a job rests until an instant.

use axum::extract::State;
use axum::response::Response;
use cronfleet_api::error::ErrorBody;
use cronfleet_api::job::Job;
use cronfleet_api::window::SnoozePut;
use cronfleet_core::id::JobId;
use cronfleet_core::window::Snooze;
use http::StatusCode;

use super::body::{Id, Json};
use super::error::ApiError;
use super::guard::{Operator, Scope};
use super::job_actions::{Patience, scheduled};
use super::jobs::{answer, find};
use super::state::HttpState;
use super::tell;

/// Snoozes a scheduled job: what is due until then is skipped. Takes the place of the snooze that it may have.
#[utoipa::path(
    put, path = "/api/v1/jobs/{id}/snooze", tag = "jobs", request_body = SnoozePut,
    params(("id" = uuid::Uuid, Path, description = "Job")),
    responses(
        (status = 200, description = "The job is snoozed", body = Job),
        (status = 409, description = "The job is a daemon", body = ErrorBody),
        (status = 422, description = "The instant is not one to snooze until", body = ErrorBody),
    )
)]
pub(super) async fn snooze_job(
    scope: Scope<Operator>,
    State(state): State<HttpState>,
    Id(id): Id<JobId>,
    Json(request): Json<SnoozePut>,
) -> Result<Response, ApiError> {
    let job = find(&scope, &state, id).await?;
    scope.allow_in(job.group)?;
    scheduled(&job.spec)?;
    let mut patience = Patience::default();
    let outcome = loop {
        let snooze = Snooze {
            since: state.clock.now(),
            until: request.until,
        };
        snooze.check().map_err(|error| ApiError::spec("", error))?;
        let snoozed = state
            .store
            .snooze_job(id, snooze.until, scope.user(), snooze.since);
        match snoozed.await {
            Ok(outcome) => break outcome,
            Err(error) => patience.after(error, &state).await?,
        }
    };
    tracing::info!(job.id = %id, user.id = %scope.user(), until = %request.until, "a job was snoozed");
    tell::job_edited(&state, id, job.group, &outcome);
    answer(&scope, &state, id, StatusCode::OK).await
}

/// Ends a job's snooze. What is due from now on runs; what was due meanwhile stays undone.
#[utoipa::path(
    delete, path = "/api/v1/jobs/{id}/snooze", tag = "jobs",
    params(("id" = uuid::Uuid, Path, description = "Job")),
    responses((status = 200, description = "The job is not snoozed", body = Job))
)]
pub(super) async fn end_snooze(
    scope: Scope<Operator>,
    State(state): State<HttpState>,
    Id(id): Id<JobId>,
) -> Result<Response, ApiError> {
    let job = find(&scope, &state, id).await?;
    scope.allow_in(job.group)?;
    let mut patience = Patience::default();
    let outcome = loop {
        match state.store.end_snooze(id, state.clock.now()).await {
            Ok(outcome) => break outcome,
            Err(error) => patience.after(error, &state).await?,
        }
    };
    tracing::info!(job.id = %id, user.id = %scope.user(), "a snooze was ended");
    tell::job_edited(&state, id, job.group, &outcome);
    answer(&scope, &state, id, StatusCode::OK).await
}
