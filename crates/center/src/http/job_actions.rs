//! What people do with jobs besides editing them: pause, resume, run now.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use cronfleet_api::error::ErrorBody;
use cronfleet_api::job::{Job, RunNow, RunNowAnswer};
use cronfleet_core::id::{AgentId, GroupId, JobId};
use cronfleet_core::job::{JobKind, JobSpec, ScheduledSpec};
use cronfleet_core::plan::{PlannedRun, targets};
use cronfleet_core::run::{Cause, RunKey};
use cronfleet_core::spread::Picker;
use cronfleet_store::{Conflict, ManualRuns, StoreError};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;

use super::body::{Id, Json};
use super::error::ApiError;
use super::guard::{Operator, Scope};
use super::job_rules;
use super::jobs::{answer, find};
use super::state::HttpState;
use super::tell;
use crate::clock;
use crate::windows::WindowBook;

/// How often an edit is tried again while the planner catches up, and the time between.
const SETTLE_TRIES: u32 = 8;
const SETTLE_WAIT: Duration = Duration::from_millis(250);
/// How often `run now` is tried again when the job is saved at the same moment.
const RUN_TRIES: u32 = 3;
/// Longest idempotency key.
const KEY_LEN_MAX: usize = 128;

/// Pauses a job: nothing more becomes due.
#[utoipa::path(
    post, path = "/api/v1/jobs/{id}/pause", tag = "jobs",
    params(("id" = uuid::Uuid, Path, description = "Job")),
    responses((status = 200, description = "The job is paused", body = Job))
)]
pub(super) async fn pause_job(
    scope: Scope<Operator>,
    State(state): State<HttpState>,
    Id(id): Id<JobId>,
) -> Result<Response, ApiError> {
    let job = find(&scope, &state, id).await?;
    scope.allow_in(job.group)?;
    let mut patience = Patience::default();
    let outcome = loop {
        match state.store.pause_job(id, state.clock.now()).await {
            Ok(outcome) => break outcome,
            Err(error) => patience.after(error, &state).await?,
        }
    };
    tell::job_edited(&state, id, job.group, &outcome);
    answer(&scope, &state, id, StatusCode::OK).await
}

/// Resumes a paused job. What would have been due meanwhile stays undone.
#[utoipa::path(
    post, path = "/api/v1/jobs/{id}/resume", tag = "jobs",
    params(("id" = uuid::Uuid, Path, description = "Job")),
    responses((status = 200, description = "The job is not paused", body = Job))
)]
pub(super) async fn resume_job(
    scope: Scope<Operator>,
    State(state): State<HttpState>,
    Id(id): Id<JobId>,
) -> Result<Response, ApiError> {
    let job = find(&scope, &state, id).await?;
    scope.allow_in(job.group)?;
    let now = state.clock.now();
    let timing = job_rules::timing_of(id, &job.spec, now)?;
    let outcome = state.store.resume_job(id, job.version, timing, now).await?;
    tell::job_edited(&state, id, job.group, &outcome);
    answer(&scope, &state, id, StatusCode::OK).await
}

/// Runs a scheduled job now, once on each of its agents and per copy; with target mode `any` on as many as it asks for, or on those
/// that are named. The same key gives the same runs.
#[utoipa::path(
    post, path = "/api/v1/jobs/{id}/run", tag = "jobs", request_body = RunNow,
    params(
        ("id" = uuid::Uuid, Path, description = "Job"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat; 1 to 128 visible ASCII characters"),
    ),
    responses(
        (status = 202, description = "Recorded; the agents are told", body = RunNowAnswer),
        (status = 409, description = "The job is a daemon, none of its agents is active, or a window holds it", body = ErrorBody),
        (status = 422, description = "An agent is not one of the job's", body = ErrorBody),
    )
)]
pub(super) async fn run_job(
    scope: Scope<Operator>,
    State(state): State<HttpState>,
    Id(id): Id<JobId>,
    headers: HeaderMap,
    Json(request): Json<RunNow>,
) -> Result<(StatusCode, Json<RunNowAnswer>), ApiError> {
    let trigger = trigger(&state, &headers)?;
    let mut tries = 0;
    let runs = loop {
        tries += 1;
        let job = find(&scope, &state, id).await?;
        scope.allow_in(job.group)?;
        let start_deadline = scheduled(&job.spec)?.start_deadline;
        let agents = chosen(
            &state.store.agents_of_job(id).await?,
            request.agent_ids.as_deref(),
        )?;
        let now = state.clock.now();
        if !request.ignore_windows {
            let book = state.windows.book(now).await?;
            refuse_in_window(&book, (job.group, id), now)?;
        }
        let of_job = [(id, &job.spec, agents.clone())];
        let picker = state.store.pickers(&of_job).await?.remove(&id);
        let picker = match request.agent_ids {
            Some(_) => picker.map(Picker::on_all),
            None => picker,
        };
        let asked = AskedRuns {
            job: id,
            version: job.version,
            copies: job.spec.processes,
            trigger: &trigger,
            now,
        };
        let runs = ManualRuns {
            job: id,
            version: job.version,
            trigger: trigger.clone(),
            due: now,
            runs: asked.planned(start_deadline, &agents, picker),
            requested_by: Some(scope.user()),
            skipped: None,
        };
        match state.store.insert_manual_runs(&runs, now).await {
            Err(StoreError::Conflict(Conflict::StaleVersion { .. })) if tries < RUN_TRIES => {}
            outcome => break outcome?,
        }
    };
    state.nudges.runs_planned(runs.agents);
    state.nudges.offers_changed();
    let run_ids = runs.runs.iter().map(|run| run.as_uuid()).collect();
    Ok((StatusCode::ACCEPTED, Json(RunNowAnswer { run_ids })))
}

/// Refuses to run a job while a window holds it. A snooze is the job's own rest and refuses nothing.
pub(super) fn refuse_in_window(
    book: &WindowBook,
    (group, job): (GroupId, JobId),
    now: Timestamp,
) -> Result<(), ApiError> {
    match book.held(group, job, None, now) {
        Some(held) => Err(ApiError::Frozen {
            reason: held.window.map(|(_, reason)| reason).unwrap_or_default(),
            until: held.until,
        }),
        None => Ok(()),
    }
}

/// The trigger of runs asked for by people. The prefix keeps it apart from triggers that the center itself makes.
pub(super) fn trigger(state: &HttpState, headers: &HeaderMap) -> Result<String, ApiError> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(format!("manual:{}", state.mint.id(state.clock.now())));
    };
    let key = value.to_str().unwrap_or_default();
    if (1..=KEY_LEN_MAX).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(format!("manual:{key}"));
    }
    Err(ApiError::Parameter {
        name: "Idempotency-Key".to_owned(),
        message: "Idempotency-Key is not usable".to_owned(),
        hint: Some(format!("use 1 to {KEY_LEN_MAX} visible ASCII characters")),
    })
}

/// The agents to run on: all of the job's, or those asked for.
fn chosen(agents: &[AgentId], asked: Option<&[uuid::Uuid]>) -> Result<Vec<AgentId>, ApiError> {
    let mut chosen: Vec<AgentId> = match asked {
        None => agents.to_vec(),
        Some(asked) => asked.iter().copied().map(AgentId::from_uuid).collect(),
    };
    chosen.sort_unstable();
    chosen.dedup();
    if let Some(stranger) = chosen.iter().find(|agent| !agents.contains(agent)) {
        let message = format!("the job does not run on agent {stranger}");
        return Err(ApiError::invalid(
            "agent_ids",
            "job.agent_not_in_target",
            message,
            "choose among the job's agents",
        ));
    }
    if chosen.is_empty() {
        return Err(no_active_agent());
    }
    Ok(chosen)
}

/// There is nowhere to run a job.
pub(super) fn no_active_agent() -> ApiError {
    ApiError::Conflict {
        code: "job.no_active_agent",
        field: None,
        message: "none of the job's agents is active",
        hint: "approve an agent for the group, or change where the job runs",
    }
}

/// What a scheduled job says; a daemon is refused.
pub(super) fn scheduled(spec: &JobSpec) -> Result<&ScheduledSpec, ApiError> {
    match &spec.kind {
        JobKind::Scheduled(scheduled) => Ok(scheduled),
        JobKind::Daemon(_) => Err(ApiError::Conflict {
            code: "job.is_daemon",
            field: None,
            message: "a daemon job is kept alive, not run",
            hint: "restart its processes instead",
        }),
    }
}

/// Runs of a job that somebody asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct AskedRuns<'a> {
    pub(super) job: JobId,
    pub(super) version: u32,
    pub(super) copies: u32,
    pub(super) trigger: &'a str,
    pub(super) now: Timestamp,
}

impl AskedRuns<'_> {
    /// One for each agent and copy; where some agents are enough, for those that are picked.
    pub(super) fn planned(
        &self,
        start_deadline: Duration,
        agents: &[AgentId],
        mut picker: Option<Picker>,
    ) -> Vec<PlannedRun> {
        let is_offer = picker.is_some();
        let runs = targets(agents, self.copies, &mut picker).into_iter();
        let runs = runs.map(|(agent, copy)| {
            let key = RunKey {
                job: self.job,
                job_version: self.version,
                due: self.now,
                agent,
                copy,
                attempt: 1,
                trigger: self.trigger.to_owned(),
            };
            PlannedRun {
                is_offer,
                ..PlannedRun::new(key, self.copies, Cause::Manual, self.now, start_deadline)
            }
        });
        runs.collect()
    }
}

/// Patience with the planner: an edit is refused while due instants before now are still being decided.
#[derive(Debug, Default)]
pub(super) struct Patience {
    tries: u32,
}

impl Patience {
    /// Waits a moment after such a refusal, so that the edit can be tried again; the planner is nudged and soon done.
    ///
    /// # Errors
    /// Every other error, and the refusal once patience has run out.
    pub(super) async fn after(
        &mut self,
        error: StoreError,
        state: &HttpState,
    ) -> Result<(), ApiError> {
        self.tries += 1;
        match error {
            StoreError::Conflict(Conflict::PlanningBehind) if self.tries < SETTLE_TRIES => {
                state.nudges.jobs_changed();
                clock::sleep(SETTLE_WAIT).await;
                Ok(())
            }
            error => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_agents_of_the_job_can_be_chosen() {
        let agents = [1, 2].map(AgentId::from_u128);
        let asked = |ids: &[u128]| {
            ids.iter()
                .map(|id| uuid::Uuid::from_u128(*id))
                .collect::<Vec<_>>()
        };
        assert_eq!(chosen(&agents, None).unwrap(), agents);
        assert_eq!(chosen(&agents, Some(&asked(&[2, 2]))).unwrap(), [agents[1]]);
        assert!(matches!(
            chosen(&agents, Some(&asked(&[3]))),
            Err(ApiError::Invalid { .. })
        ));
        assert!(matches!(
            chosen(&agents, Some(&[])),
            Err(ApiError::Conflict { .. })
        ));
        assert!(matches!(chosen(&[], None), Err(ApiError::Conflict { .. })));
    }
}
