//! Daemon slots and the processes that lived in them.

use axum::extract::State;
use cronfleet_api::page::Page;
use cronfleet_api::slot::{Process, Slot, SlotRestart, SlotRestartAnswer, SlotState};
use cronfleet_core::id::{AgentId, GroupId, JobId, LifeId};
use cronfleet_core::job::JobKind;
use cronfleet_core::order::{self, ExitStatus, StopCause};
use cronfleet_store::{ProcessRow, SlotFilter, SlotRow};
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::body::{Answer, Json, Query};
use super::error::ApiError;
use super::frames;
use super::guard::{Operator, Scope, SignedIn};
use super::jobs;
use super::paging;
use super::runs::shown_cleanup;
use super::signals::signal_name;
use super::state::HttpState;

/// Slots that a list goes through at most.
const SLOTS_MAX: u32 = 100_000;
/// Bytes of a failed process's last output shown with its slot.
const LAST_OUTPUT_BYTES: usize = 2_048;
/// Slots per page whose last output is looked up.
const LAST_OUTPUTS_MAX: usize = 50;

/// Which slots to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SlotQuery {
    /// Only slots of this job.
    job: Option<Uuid>,
    /// Only slots on this agent.
    agent: Option<Uuid>,
    /// Only slots of jobs of this group.
    group: Option<Uuid>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Most rows to answer, 1 to 500; 100 when absent.
    limit: Option<u32>,
}

/// Lists daemon slots, wanted or reported, by job name, agent name, index. Slots that fail show the last output of their
/// process, the first 50 of a page.
#[utoipa::path(
    get, path = "/api/v1/slots", tag = "slots", params(SlotQuery),
    responses((status = 200, description = "A page of slots", body = Page<Slot>))
)]
pub(super) async fn list_slots(
    scope: Scope<SignedIn>,
    State(state): State<HttpState>,
    Query(query): Query<SlotQuery>,
) -> Answer<Page<Slot>> {
    let limit = paging::limit(query.limit)?;
    let skip: u32 = paging::cursor(query.cursor.as_deref())?
        .unwrap_or(0)
        .min(SLOTS_MAX);
    let filter = SlotFilter {
        job: query.job.map(JobId::from_uuid),
        agent: query.agent.map(AgentId::from_uuid),
        group: query.group.map(GroupId::from_uuid),
    };
    let mut rows = state
        .store
        .slots(&scope.visible(), filter, skip + limit + 1)
        .await?;
    let mut items = rows.split_off(rows.len().min(skip as usize));
    let next = (items.len() > limit as usize).then_some(skip + limit);
    items.truncate(limit as usize);
    let mut page = paging::page(cronfleet_store::Page { items, next }, shown);
    let failing = page
        .items
        .iter_mut()
        .filter(|slot| is_failing(slot.state))
        .take(LAST_OUTPUTS_MAX);
    for slot in failing {
        if let Some(process) = slot.process_id {
            slot.last_output = last_output(&state, process).await?;
        }
    }
    Ok(Json(page))
}

/// Stops the processes of a daemon job gracefully, as many at a time as the job lets be unavailable, and starts them again. A
/// single slot is restarted at once. An agent that is out of reach does it when it is back.
#[utoipa::path(
    post, path = "/api/v1/slots/restart", tag = "slots", request_body = SlotRestart,
    responses((status = 202, description = "It is recorded, and agents within reach are told", body = SlotRestartAnswer))
)]
pub(super) async fn restart_slots(
    scope: Scope<Operator>,
    State(state): State<HttpState>,
    Json(request): Json<SlotRestart>,
) -> Result<(StatusCode, Json<SlotRestartAnswer>), ApiError> {
    let id = JobId::from_uuid(request.job_id);
    let job = jobs::find(&scope, &state, id).await?;
    scope.allow_in(job.group)?;
    if matches!(job.spec.kind, JobKind::Scheduled(_)) {
        return Err(ApiError::Conflict {
            code: "job.is_scheduled",
            field: None,
            message: "a scheduled job has no slots",
            hint: "run it now, or kill its runs",
        });
    }
    let agent = request.agent_id.map(AgentId::from_uuid);
    let mut agents = state.store.agents_of_job(id).await?;
    agents.retain(|of_job| agent.is_none_or(|agent| agent == *of_job));
    state
        .store
        .count_restart(id, &agents, request.index)
        .await?;
    let agents_told = state.store.count_online(&agents).await?;
    state.nudges.restart_slots(id, agent, request.index);
    let agents_all = u32::try_from(agents.len()).unwrap_or(u32::MAX);
    let answer = SlotRestartAnswer {
        agents_told,
        agents_waiting: agents_all.saturating_sub(agents_told),
    };
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

/// Which processes to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ProcessQuery {
    /// Job.
    job: Uuid,
    /// Only processes on this agent.
    agent: Option<Uuid>,
    /// Only processes of the slot with this index.
    index: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Most rows to answer, 1 to 500; 100 when absent.
    limit: Option<u32>,
}

/// Lists the processes that lived in the slots of a job, newest first.
#[utoipa::path(
    get, path = "/api/v1/processes", tag = "slots", params(ProcessQuery),
    responses((status = 200, description = "A page of processes", body = Page<Process>))
)]
pub(super) async fn list_processes(
    scope: Scope<SignedIn>,
    State(state): State<HttpState>,
    Query(query): Query<ProcessQuery>,
) -> Answer<Page<Process>> {
    let (before, limit) = (
        paging::cursor(query.cursor.as_deref())?,
        paging::limit(query.limit)?,
    );
    let (job, agent) = (
        JobId::from_uuid(query.job),
        query.agent.map(AgentId::from_uuid),
    );
    let processes = state
        .store
        .processes(&scope.visible(), job, agent, query.index, before, limit)
        .await?;
    Ok(Json(paging::page(processes, shown_process)))
}

fn is_failing(state: SlotState) -> bool {
    matches!(state, SlotState::Backoff | SlotState::CrashLoop)
}

/// The last lines that a process wrote.
async fn last_output(state: &HttpState, process: Uuid) -> Result<Option<String>, ApiError> {
    let life = LifeId::from_uuid(process);
    let chunks = state
        .store
        .tail_output(life, LAST_OUTPUT_BYTES as u64)
        .await?;
    let mut bytes = Vec::new();
    for frame in frames::frames_of(&chunks) {
        bytes.extend_from_slice(&frame.data);
    }
    let start = bytes.len().saturating_sub(LAST_OUTPUT_BYTES);
    let tail = &bytes[start..];
    // Not the rest of a line that was cut.
    let tail = match tail.iter().position(|byte| *byte == b'\n') {
        Some(end) if start > 0 && end + 1 < tail.len() => &tail[end + 1..],
        _ => tail,
    };
    Ok((!tail.is_empty()).then(|| String::from_utf8_lossy(tail).into_owned()))
}

fn shown(slot: SlotRow) -> Slot {
    let report = slot.report.as_ref();
    let is_live = report.is_some_and(|report| {
        matches!(
            report.state,
            order::SlotState::Starting | order::SlotState::Running | order::SlotState::Stopping
        )
    });
    let start = report.and_then(|report| report.start).filter(|_| is_live);
    let next = report.and_then(|report| report.next);
    Slot {
        job_id: slot.job.as_uuid(),
        job_name: slot.job_name,
        group_id: slot.group.as_uuid(),
        agent_id: slot.agent.as_uuid(),
        agent_name: slot.agent_name,
        is_agent_online: slot.is_agent_online,
        index: slot.index,
        state: report.map_or(SlotState::Waiting, |report| report.state.into()),
        since: report.map(|report| report.since),
        job_version: report.map(|report| report.job_version),
        process_id: report
            .and_then(|report| report.process)
            .map(|process| process.as_uuid()),
        pid: start.map(|start| start.pid),
        started_at: start.map(|start| start.at),
        restarts: report.map_or(0, |report| report.restarts),
        retry_at: report.and_then(|report| report.retry_at),
        probe: report
            .and_then(|report| report.probe.as_ref())
            .map(Into::into),
        next_step: next.map(|next| next.step.into()),
        next_at: next.and_then(|next| next.at),
        last_end: report
            .and_then(|report| report.last_end.as_ref())
            .map(end_in_words),
        last_output: None,
    }
}

/// `exit 1`, `signal KILL`, `command_missing`.
fn end_in_words(end: &ExitStatus) -> String {
    match end {
        ExitStatus::Exited(code) => format!("exit {code}"),
        ExitStatus::Signalled { signal, .. } => format!("signal {}", signal_name(*signal)),
        ExitStatus::NotStarted { reason, .. } => reason.word().to_owned(),
    }
}

fn shown_process(process: ProcessRow) -> Process {
    let reason = end_reason(&process);
    Process {
        id: process.id.as_uuid(),
        job_id: process.job.as_uuid(),
        agent_id: process.agent.as_uuid(),
        index: process.index,
        job_version: process.job_version,
        pid: process.pid,
        started_at: process.started_at,
        ended_at: process.ended_at,
        exit_code: process.exit_code,
        signal: process.signal.map(signal_name),
        reason,
        detail: process.detail,
        oom_kills: process.usage.map_or(0, |usage| usage.oom_kills),
        cleanup: shown_cleanup(process.cleanup),
    }
}

/// Why a process ended: what was asked of it comes before how it ended.
fn end_reason(process: &ProcessRow) -> Option<String> {
    let word = match (process.stopped_for, process.reason) {
        (Some(StopCause::Kill), _) => "restarted",
        (Some(StopCause::Timeout), _) => "timed_out",
        (Some(StopCause::Shutdown), _) => "shut_down",
        (Some(StopCause::ScaledDown), _) => "scaled_down",
        (Some(StopCause::Replaced), _) => "replaced",
        (Some(StopCause::Unhealthy), _) => "unhealthy",
        (Some(StopCause::NotReady), _) => "not_ready",
        (Some(StopCause::Recycled), _) => "recycled",
        (None, Some(reason)) => reason.word(),
        (None, None) if process.exit_code.is_some() => "exited",
        (None, None) if process.signal.is_some() => "signalled",
        (None, None) => return None,
    };
    Some(word.to_owned())
}

#[cfg(test)]
mod tests {
    use cronfleet_core::run::Reason;

    use super::*;

    #[test]
    fn ends_are_put_in_words() {
        assert_eq!(end_in_words(&ExitStatus::Exited(1)), "exit 1");
        assert_eq!(
            end_in_words(&ExitStatus::Signalled {
                signal: 9,
                has_core: false
            }),
            "signal KILL"
        );
        let missing = ExitStatus::NotStarted {
            reason: Reason::CommandMissing,
            detail: "/nope".into(),
        };
        assert_eq!(end_in_words(&missing), "command_missing");
    }
}
