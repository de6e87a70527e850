//! Runs and lapses: what happened, and killing what should not go on.

use std::time::Duration;

use axum::extract::State;
use cronfleet_api::error::ErrorBody;
use cronfleet_api::limits::Cleanup;
use cronfleet_api::page::Page;
use cronfleet_api::run::{Lapse, Run};
use cronfleet_core::access::Reach;
use cronfleet_core::id::{AgentId, GroupId, JobId, RunId};
use cronfleet_core::order;
use cronfleet_core::run::{Cause, Outcome, RunState};
use cronfleet_store::{
    KillAnswer, LapseRow, ReleaseAnswer, RunDetail, RunFilter, RunPhase, RunRow,
};
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::body::{Answer, Id, Json, Query};
use super::error::ApiError;
use super::guard::{Operator, Scope, SignedIn, Viewer};
use super::jobs::PageQuery;
use super::paging;
use super::signals::signal_name;
use super::state::HttpState;
use super::tell;

/// Which runs to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RunQuery {
    /// Only runs of this job.
    job: Option<Uuid>,
    /// Only runs on this agent.
    agent: Option<Uuid>,
    /// Only runs of jobs of this group.
    group: Option<Uuid>,
    /// Only runs in these states, separated by commas: `planned`, `dispatched`, `accepted`, `running`, `ended`.
    state: Option<String>,
    /// Only runs with these outcomes, separated by commas: `succeeded`, `failed`, `killed`, `timed_out`, `skipped`, `missed`,
    /// `lost`.
    outcome: Option<String>,
    /// Only runs with these causes, separated by commas: `schedule`, `manual`, `retry`, `reboot`.
    cause: Option<String>,
    /// Only runs due at or after this.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Only runs due before this.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Most rows to answer, 1 to 500; 100 when absent.
    limit: Option<u32>,
}

/// Lists the runs of my groups' jobs, newest due instant first.
#[utoipa::path(
    get, path = "/api/v1/runs", tag = "runs", params(RunQuery),
    responses((status = 200, description = "A page of runs; `attempts` is empty in lists", body = Page<Run>))
)]
pub(super) async fn list_runs(
    scope: Scope<SignedIn>,
    State(state): State<HttpState>,
    Query(query): Query<RunQuery>,
) -> Answer<Page<Run>> {
    let (before, limit) = (
        paging::cursor(query.cursor.as_deref())?,
        paging::limit(query.limit)?,
    );
    let filter = RunFilter {
        job: query.job.map(JobId::from_uuid),
        agent: query.agent.map(AgentId::from_uuid),
        group: query.group.map(GroupId::from_uuid),
        phases: words(
            "state",
            query.state.as_deref(),
            RunPhase::from_word,
            &RunPhase::ALL.map(RunPhase::word),
        )?,
        outcomes: words(
            "outcome",
            query.outcome.as_deref(),
            Outcome::from_word,
            &Outcome::ALL.map(Outcome::word),
        )?,
        causes: words(
            "cause",
            query.cause.as_deref(),
            Cause::from_word,
            &Cause::ALL.map(Cause::word),
        )?,
        from: query.from,
        to: query.to,
    };
    let runs = state
        .store
        .runs(&scope.visible(), &filter, before, limit)
        .await?;
    Ok(Json(paging::page(runs, |run| shown(run, &[]))))
}

/// Shows a run.
#[utoipa::path(
    get, path = "/api/v1/runs/{id}", tag = "runs",
    params(("id" = uuid::Uuid, Path, description = "Run")),
    responses((status = 200, description = "The run", body = Run))
)]
pub(super) async fn get_run(
    scope: Scope<Viewer>,
    State(state): State<HttpState>,
    Id(id): Id<RunId>,
) -> Answer<Run> {
    let RunDetail { run, attempts } = find(&state, &scope.reach(), id).await?;
    Ok(Json(shown(run, &attempts)))
}

/// Asks for the end of a run. Safe to repeat; a run that has ended stays as it is.
#[utoipa::path(
    post, path = "/api/v1/runs/{id}/kill", tag = "runs",
    params(("id" = uuid::Uuid, Path, description = "Run")),
    responses((status = 202, description = "Asked for; the agent is told", body = Run))
)]
pub(super) async fn kill_run(
    scope: Scope<Operator>,
    State(state): State<HttpState>,
    Id(id): Id<RunId>,
) -> Result<(StatusCode, Json<Run>), ApiError> {
    let found = find(&state, &scope.visible(), id).await?;
    scope.allow_in(found.run.group)?;
    match state
        .store
        .request_kill(id, scope.user(), state.clock.now())
        .await?
    {
        KillAnswer::Ended(moved) => tell::moved(&state, &[moved]),
        KillAnswer::Ask(agent) => state.nudges.kill(agent, id),
        KillAnswer::AlreadyEnded => {}
    }
    let RunDetail { run, attempts } = find(&state, &scope.visible(), id).await?;
    Ok((StatusCode::ACCEPTED, Json(shown(run, &attempts))))
}

/// Gives up a run of which nobody knows whether it is alive, so that those which come after it are not blocked any more: its agent is
/// out of reach, or it is lost. Should it be alive when its agent is back, it is stopped. For jobs with target mode `any`.
#[utoipa::path(
    post, path = "/api/v1/runs/{id}/release", tag = "runs",
    params(("id" = uuid::Uuid, Path, description = "Run")),
    responses(
        (status = 200, description = "It is in the way of no others", body = Run),
        (status = 409, description = "Its agent is there, or it was not in the way", body = ErrorBody),
    )
)]
pub(super) async fn release_run(
    scope: Scope<Operator>,
    State(state): State<HttpState>,
    Id(id): Id<RunId>,
) -> Answer<Run> {
    let found = find(&state, &scope.visible(), id).await?;
    scope.allow_in(found.run.group)?;
    let now = state.clock.now();
    match state.store.release_run(id, scope.user(), now).await? {
        ReleaseAnswer::Released(_) => state.nudges.offers_changed(),
        ReleaseAnswer::NotInTheWay => {
            return Err(ApiError::Conflict {
                code: "run.not_in_the_way",
                field: None,
                message: "the run is in the way of no others",
                hint: "only a run that is lost, or whose agent is out of reach, is released, and only of a job with target mode any",
            });
        }
        ReleaseAnswer::Reachable => {
            return Err(ApiError::Conflict {
                code: "run.reachable",
                field: None,
                message: "the run's agent is there and tells what becomes of it",
                hint: "kill the run instead",
            });
        }
    }
    let RunDetail { run, attempts } = find(&state, &scope.visible(), id).await?;
    Ok(Json(shown(run, &attempts)))
}

/// Which lapses to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LapseQuery {
    /// Only lapses of this job.
    job: Option<Uuid>,
    /// Only lapses of jobs of this group.
    group: Option<Uuid>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Most rows to answer, 1 to 500; 100 when absent.
    limit: Option<u32>,
}

/// Lists the lapses of my groups' jobs, newest first.
#[utoipa::path(
    get, path = "/api/v1/lapses", tag = "runs", params(LapseQuery),
    responses((status = 200, description = "A page of lapses", body = Page<Lapse>))
)]
pub(super) async fn list_lapses(
    scope: Scope<SignedIn>,
    State(state): State<HttpState>,
    Query(query): Query<LapseQuery>,
) -> Answer<Page<Lapse>> {
    let (before, limit) = (
        paging::cursor(query.cursor.as_deref())?,
        paging::limit(query.limit)?,
    );
    let (job, group) = (
        query.job.map(JobId::from_uuid),
        query.group.map(GroupId::from_uuid),
    );
    let lapses = state
        .store
        .lapses(&scope.visible(), job, group, before, limit)
        .await?;
    Ok(Json(paging::page(lapses, shown_lapse)))
}

/// Lists the lapses of a job, newest first, also of a deleted one.
#[utoipa::path(
    get, path = "/api/v1/jobs/{id}/lapses", tag = "jobs",
    params(("id" = uuid::Uuid, Path, description = "Job"), PageQuery),
    responses((status = 200, description = "A page of lapses", body = Page<Lapse>))
)]
pub(super) async fn list_job_lapses(
    scope: Scope<Viewer>,
    State(state): State<HttpState>,
    Id(id): Id<JobId>,
    Query(query): Query<PageQuery>,
) -> Answer<Page<Lapse>> {
    let (before, limit) = (
        paging::cursor(query.cursor.as_deref())?,
        paging::limit(query.limit)?,
    );
    if state
        .store
        .job_versions(&scope.reach(), id, None, 1)
        .await?
        .items
        .is_empty()
    {
        return Err(ApiError::NotFound);
    }
    let lapses = state
        .store
        .lapses(&scope.reach(), Some(id), None, before, limit)
        .await?;
    Ok(Json(paging::page(lapses, shown_lapse)))
}

async fn find(state: &HttpState, reach: &Reach, id: RunId) -> Result<RunDetail, ApiError> {
    state.store.run(reach, id).await?.ok_or(ApiError::NotFound)
}

/// Reads words separated by commas.
fn words<T>(
    name: &str,
    text: Option<&str>,
    read: impl Fn(&str) -> Option<T>,
    known: &[&str],
) -> Result<Vec<T>, ApiError> {
    let words = text
        .unwrap_or_default()
        .split(',')
        .filter(|word| !word.is_empty());
    words
        .map(|word| {
            read(word).ok_or_else(|| ApiError::Parameter {
                name: name.to_owned(),
                message: format!("{:?} is no {name}", super::text::cut(word)),
                hint: Some(format!("use {}", known.join(", "))),
            })
        })
        .collect()
}

pub(super) fn shown(run: RunRow, attempts: &[RunId]) -> Run {
    let outcome = match run.state {
        RunState::Ended(outcome) => Some(outcome.into()),
        RunState::Planned
        | RunState::Offered
        | RunState::Dispatched
        | RunState::Accepted
        | RunState::Running => None,
    };
    let output = run.output.unwrap_or_default();
    Run {
        id: run.id.as_uuid(),
        job_id: run.job.as_uuid(),
        job_name: run.job_name,
        job_version: run.job_version,
        group_id: run.group.as_uuid(),
        agent_id: run.agent.as_uuid(),
        agent_name: run.agent_name,
        copy: run.copy,
        copies: run.copies,
        attempt: run.attempt,
        cause: run.cause.into(),
        is_caught_up: run.is_caught_up,
        requested_by: run.requested_by,
        state: run.state.into(),
        outcome,
        reason: run.reason.map(|reason| reason.word().to_owned()),
        detail: run.detail,
        due: run.due,
        not_before: run.not_before,
        not_after: run.not_after,
        planned_at: run.planned_at,
        dispatched_at: run.dispatched_at,
        accepted_at: run.accepted_at,
        started_at: run.started_at,
        ended_at: run.ended_at,
        lag_us: run
            .started_at
            .map(|started| started.as_microsecond() - run.due.as_microsecond()),
        duration_us: run.duration.map(micros),
        pid: run.pid,
        exit_code: run.exit_code,
        signal: run.signal.map(signal_name),
        user_time_us: run.usage.map(|usage| micros(usage.user_time)),
        system_time_us: run.usage.map(|usage| micros(usage.system_time)),
        memory_peak_bytes: run
            .usage
            .map(|usage| i64::try_from(usage.memory_peak_bytes).unwrap_or(i64::MAX)),
        oom_kills: run.usage.map_or(0, |usage| usage.oom_kills),
        cleanup: shown_cleanup(run.cleanup),
        output_bytes: output.written_bytes,
        output_dropped_bytes: output.dropped_bytes,
        output_trimmed_bytes: run.trimmed_bytes,
        unreachable_since: run.unreachable_since,
        is_kill_requested: run.kill_requested_at.is_some(),
        killed_by: run.killed_by,
        attempts: attempts.iter().map(|run| run.as_uuid()).collect(),
    }
}

/// Nothing to show if the process simply ended and left nobody.
pub(super) fn shown_cleanup(cleanup: order::Cleanup) -> Option<Cleanup> {
    (cleanup != order::Cleanup::default()).then(|| Cleanup {
        stop_signal: cleanup.stop_signal.map(signal_name),
        kill_means: cleanup.kill_means.map(|means| means.word().to_owned()),
        found: cleanup.found,
        left: cleanup.left,
    })
}

fn shown_lapse(row: LapseRow) -> Lapse {
    Lapse {
        job_id: row.job.as_uuid(),
        job_name: row.job_name,
        due_from: row.lapse.due_from,
        due_to: row.lapse.due_to,
        count: row.lapse.count,
        reason: row.lapse.reason.word().to_owned(),
        recorded_at: row.decision.decided_at,
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_words_are_read_strictly() {
        let read = |text| words("outcome", text, Outcome::from_word, &["lost"]);
        assert_eq!(read(None).unwrap(), []);
        assert_eq!(
            read(Some("lost,timed_out")).unwrap(),
            [Outcome::Lost, Outcome::TimedOut]
        );
        for bad in ["Lost", "lost;failed", "' OR 1=1 --", "lost, failed"] {
            assert!(
                matches!(read(Some(bad)), Err(ApiError::Parameter { .. })),
                "{bad}"
            );
        }
    }
}
