//! Definitions of many jobs: written out, compared with what is in force, applied as one.

use axum::extract::State;
use cronfleet_api::definition::{
    ChangeAction, Definition, DefinitionPlan, DefinitionSet, DefinitionsApply,
};
use cronfleet_api::error::ErrorBody;
use cronfleet_api::page::Page;
use cronfleet_core::id::GroupId;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::body::{Answer, Json, Query};
use super::definition_plan::draft;
use super::error::ApiError;
use super::guard::{Operator, Scope, SignedIn};
use super::job_actions::Patience;
use super::paging;
use super::state::HttpState;
use super::tell;

/// Which definitions to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DefinitionQuery {
    /// Only jobs of this group.
    group: Option<Uuid>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Most rows to answer, 1 to 500; 100 when absent.
    limit: Option<u32>,
}

/// Lists the definitions of the jobs of my groups, by id, as `POST /definitions/plan` takes them.
#[utoipa::path(
    get, path = "/api/v1/definitions", tag = "definitions", params(DefinitionQuery),
    responses((status = 200, description = "A page of definitions", body = Page<Definition>))
)]
pub(super) async fn list_definitions(
    scope: Scope<SignedIn>,
    State(state): State<HttpState>,
    Query(query): Query<DefinitionQuery>,
) -> Answer<Page<Definition>> {
    let (after, limit) = (
        paging::cursor(query.cursor.as_deref())?,
        paging::limit(query.limit)?,
    );
    let group = query.group.map(GroupId::from_uuid);
    let jobs = state
        .store
        .definitions(&scope.visible(), group, after, limit)
        .await?;
    Ok(Json(paging::page(jobs, |job| Definition {
        id: Some(job.id.as_uuid()),
        group: job.group_name,
        paused: Some(job.is_paused),
        spec: (&job.spec).into(),
    })))
}

/// Says what applying a set of definitions would change. Changes nothing. All problems of the set are told at once, of each job the
/// first.
#[utoipa::path(
    post, path = "/api/v1/definitions/plan", tag = "definitions", request_body = DefinitionSet,
    responses(
        (status = 200, description = "What would be changed", body = DefinitionPlan),
        (status = 413, description = "The body is larger than 32 MiB", body = ErrorBody),
        (status = 422, description = "Values break rules; problems has their fields and hints", body = ErrorBody),
    )
)]
pub(super) async fn plan_definitions(
    scope: Scope<Operator>,
    State(state): State<HttpState>,
    Json(set): Json<DefinitionSet>,
) -> Answer<DefinitionPlan> {
    let draft = draft(&scope, &state, &set, state.clock.now()).await?;
    Ok(Json(draft.planned()))
}

/// Applies a set of definitions: everything that its plan says, in one transaction, or nothing. The digest of the plan says what was
/// looked at; if anything else would be done now, nothing is. So the request is safe to repeat.
///
/// Creating and saving jobs needs the role editor in their group, deleting them owner, pausing and resuming them operator.
#[utoipa::path(
    post, path = "/api/v1/definitions/apply", tag = "definitions", request_body = DefinitionsApply,
    responses(
        (status = 200, description = "What was changed", body = DefinitionPlan),
        (status = 409, description = "Due instants before now are still being decided", body = ErrorBody),
        (status = 412, description = "Jobs were changed since the plan was made", body = ErrorBody),
        (status = 413, description = "The body is larger than 32 MiB", body = ErrorBody),
        (status = 422, description = "Values break rules; problems has their fields and hints", body = ErrorBody),
    )
)]
pub(super) async fn apply_definitions(
    scope: Scope<Operator>,
    State(state): State<HttpState>,
    Json(request): Json<DefinitionsApply>,
) -> Answer<DefinitionPlan> {
    let mut patience = Patience::default();
    let (draft, withdrawn) = loop {
        let now = state.clock.now();
        let draft = draft(&scope, &state, &request.set, now).await?;
        if draft.digest() != request.digest {
            return Err(ApiError::PlanStale);
        }
        if draft.is_empty() {
            return Ok(Json(draft.planned()));
        }
        let set = draft.change_set(scope.user());
        match state.store.change_jobs(&set, now).await {
            Ok(withdrawn) => break (draft, withdrawn),
            Err(error) => patience.after(error, &state).await?,
        }
    };
    tell::jobs_changed(&state, &draft.touched(), &withdrawn);
    let applied = draft.applied();
    let count = |wanted: ChangeAction| {
        let changes = applied.changes.iter();
        changes.filter(|change| change.action == wanted).count()
    };
    tracing::info!(
        user.id = %scope.user(),
        jobs.created = count(ChangeAction::Create),
        jobs.saved = count(ChangeAction::Update),
        jobs.paused = count(ChangeAction::Pause),
        jobs.resumed = count(ChangeAction::Resume),
        jobs.deleted = count(ChangeAction::Delete),
        "definitions were applied"
    );
    Ok(Json(applied))
}
