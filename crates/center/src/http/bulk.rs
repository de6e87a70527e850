//! Many jobs changed as one: everything that a filter finds, shown before it is done, all of it or nothing.

use std::collections::HashMap;

use axum::extract::State;
use cronfleet_api::bulk::{BulkApply, BulkChange, BulkPlan, BulkRequest};
use cronfleet_api::error::ErrorBody;
use cronfleet_core::id::{GroupId, JobId, UserId};
use cronfleet_core::plan::PlannedRun;
use cronfleet_core::spread::Picker;
use cronfleet_store::{
    ChangeSet, JobBasis, JobChange, ManualAnswer, ManyRuns, StoreError, Withdrawn,
};
use http::HeaderMap;
use jiff::Timestamp;

use super::body::{Answer, Json};
use super::bulk_plan::{Changed, Draft, draft};
use super::error::ApiError;
use super::guard::{Operator, Scope};
use super::job_actions::{AskedRuns, Patience, scheduled, trigger};
use super::state::HttpState;
use super::tell;

/// Says what a change of all jobs that a filter finds would do. Changes nothing. If one of the jobs refuses it, all that refuse are
/// told, up to 100.
#[utoipa::path(
    post, path = "/api/v1/jobs/bulk/plan", tag = "jobs", request_body = BulkRequest,
    responses(
        (status = 200, description = "What would be done", body = BulkPlan),
        (status = 422, description = "Jobs refuse it; problems has each with its field and a hint", body = ErrorBody),
    )
)]
pub(super) async fn plan_bulk(
    scope: Scope<Operator>,
    State(state): State<HttpState>,
    Json(request): Json<BulkRequest>,
) -> Answer<BulkPlan> {
    let now = state.clock.now();
    let draft = draft(&scope, &state, (&request.filter, &request.change), now).await?;
    Ok(Json(draft.shown()))
}

/// Changes all jobs that a filter finds: everything that the plan says, in one transaction, or nothing. The digest of the plan says
/// what was looked at; if other jobs are found now, or one of them was changed, nothing is done. So the request is safe to repeat;
/// with `Idempotency-Key` also one that runs jobs: each job has runs under the key once.
///
/// Pausing, resuming, snoozing and running jobs needs the role operator in their groups, setting fields editor, deleting them owner.
#[utoipa::path(
    post, path = "/api/v1/jobs/bulk/apply", tag = "jobs", request_body = BulkApply,
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "For runs: makes the request safe to repeat; 1 to 128 visible ASCII characters"),
    ),
    responses(
        (status = 200, description = "What was done", body = BulkPlan),
        (status = 409, description = "Due instants before now are still being decided", body = ErrorBody),
        (status = 412, description = "Other jobs are found than in the plan, or one of them was changed", body = ErrorBody),
        (status = 422, description = "Jobs refuse it; problems has each with its field and a hint", body = ErrorBody),
    )
)]
pub(super) async fn apply_bulk(
    scope: Scope<Operator>,
    State(state): State<HttpState>,
    headers: HeaderMap,
    Json(request): Json<BulkApply>,
) -> Answer<BulkPlan> {
    let trigger = format!("{}:bulk", trigger(&state, &headers)?);
    let mut patience = Patience::default();
    let (draft, done) = loop {
        let now = state.clock.now();
        let draft = draft(&scope, &state, (&request.filter, &request.change), now).await?;
        if draft.digest() != request.digest {
            return Err(ApiError::PlanStale);
        }
        if draft.is_empty() {
            return Ok(Json(draft.shown()));
        }
        match apply(&state, &draft, (scope.user(), &trigger), now).await {
            Ok(done) => break (draft, done),
            Err(error) => patience.after(error, &state).await?,
        }
    };
    let touched: Vec<(JobId, GroupId)> = draft
        .changed()
        .map(|one| (one.job.id, one.job.group))
        .collect();
    tracing::info!(
        user.id = %scope.user(), action = action(&draft.change), jobs.changed = touched.len(),
        "many jobs were changed as one"
    );
    let mut answer = draft.shown();
    match done {
        Done::Changed(withdrawn) => tell::jobs_changed(&state, &touched, &withdrawn),
        Done::Asked(runs) => {
            state.nudges.runs_planned(runs.agents);
            state.nudges.offers_changed();
            answer.run_ids = runs.runs.iter().map(|run| run.as_uuid()).collect();
        }
    }
    Ok(Json(answer))
}

/// What was done.
enum Done {
    Changed(Withdrawn),
    Asked(ManualAnswer),
}

async fn apply(
    state: &HttpState,
    draft: &Draft,
    (user, trigger): (UserId, &str),
    now: Timestamp,
) -> Result<Done, StoreError> {
    let store = &state.store;
    let snooze = async |until: Option<Timestamp>| {
        let based_on: Vec<JobBasis> = draft.based_on_changed();
        store.snooze_jobs(&based_on, until, user, now).await
    };
    let withdrawn = match &draft.change {
        BulkChange::Run { .. } => {
            let pickers = store.pickers(&draft.chosen_agents()).await?;
            let request = many_runs(draft, pickers, (user, trigger), now);
            return Ok(Done::Asked(store.run_jobs(&request, now).await?));
        }
        BulkChange::Snooze { until } => snooze(Some(*until)).await?,
        BulkChange::Unsnooze {} => snooze(None).await?,
        BulkChange::Pause {}
        | BulkChange::Resume {}
        | BulkChange::Delete {}
        | BulkChange::Set { .. } => store.change_jobs(&change_set(draft, user), now).await?,
    };
    Ok(Done::Changed(withdrawn))
}

fn change_set(draft: &Draft, author: UserId) -> ChangeSet {
    let is_delete = matches!(draft.change, BulkChange::Delete {});
    let delete = draft.changed().filter(|_| is_delete).map(|one| one.job.id);
    let change = draft.changed().filter(|_| !is_delete).map(|one| JobChange {
        job: one.job.id,
        spec: one.spec.cloned(),
        timing: one.timing,
        is_paused: match &draft.change {
            BulkChange::Pause {} => true,
            BulkChange::Resume {} => false,
            BulkChange::Delete {}
            | BulkChange::Set { .. }
            | BulkChange::Snooze { .. }
            | BulkChange::Unsnooze {}
            | BulkChange::Run { .. } => one.job.is_paused,
        },
    });
    ChangeSet {
        based_on: draft.based_on(),
        create: Vec::new(),
        change: change.collect(),
        delete: delete.collect(),
        author,
    }
}

fn many_runs(
    draft: &Draft,
    mut pickers: HashMap<JobId, Picker>,
    (user, trigger): (UserId, &str),
    now: Timestamp,
) -> ManyRuns {
    ManyRuns {
        based_on: draft.based_on_changed(),
        trigger: trigger.to_owned(),
        due: now,
        runs: draft
            .changed()
            .flat_map(|one| runs(one, pickers.remove(&one.job.id), trigger, now))
            .collect(),
        requested_by: user,
    }
}

fn runs(
    changed: Changed<'_>,
    picker: Option<Picker>,
    trigger: &str,
    now: Timestamp,
) -> Vec<PlannedRun> {
    let Changed { job, agents, .. } = changed;
    let asked = AskedRuns {
        job: job.id,
        version: job.version,
        copies: job.spec.processes,
        trigger,
        now,
    };
    // A draft has only jobs that can run.
    scheduled(&job.spec).map_or_else(
        |_| Vec::new(),
        |scheduled| asked.planned(scheduled.start_deadline, agents, picker),
    )
}

const fn action(change: &BulkChange) -> &'static str {
    match change {
        BulkChange::Pause {} => "pause",
        BulkChange::Resume {} => "resume",
        BulkChange::Delete {} => "delete",
        BulkChange::Snooze { .. } => "snooze",
        BulkChange::Unsnooze {} => "unsnooze",
        BulkChange::Run { .. } => "run",
        BulkChange::Set { .. } => "set",
    }
}
