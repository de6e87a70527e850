//! Forecasts: what schedules and past durations promise, and what a change would make of it.

use std::collections::BTreeSet;

use axum::extract::State;
use cronfleet_api::error::ErrorBody;
use cronfleet_api::forecast::{Forecast, ForecastChange, ForecastChangeRequest};
use cronfleet_core::access::Reach;
use cronfleet_core::forecast::{self as domain, Window};
use cronfleet_core::id::{AgentId, GroupId, JobId};
use cronfleet_core::job::{JobKind, JobSpec};
use cronfleet_store::{ActiveFilter, ActiveJob, ActivePlan, GroupRow, JobRow};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::body::{Answer, Json, Query};
use super::error::ApiError;
use super::forecast_basis::{self as basis, Basis};
use super::forecast_shown::{Names, shown, shown_change};
use super::guard::{Editor, Scope, SignedIn};
use super::job_rules;
use super::jobs::find;
use super::state::HttpState;
use crate::calendars::choice_of;

/// Lengths of a forecast in hours.
const HOURS: [u32; 2] = [24, 168];

/// What a forecast is about.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ForecastQuery {
    /// Only jobs of this group.
    group: Option<Uuid>,
    /// Only what runs on this agent.
    agent: Option<Uuid>,
    /// Where it begins; now when absent.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// How long it is: 24 (in quarters of an hour) or 168 (in hours); 24 when absent.
    hours: Option<u32>,
}

/// Tells the load of the next hours, from the schedules of the jobs of my groups and from how long their past runs took: starts, peaks,
/// expected overlaps, and what would be better spread.
#[utoipa::path(
    get, path = "/api/v1/forecast", tag = "forecast", params(ForecastQuery),
    responses(
        (status = 200, description = "What is to be expected", body = Forecast),
        (status = 404, description = "There is no such group or agent, or it is not yours to see", body = ErrorBody),
        (status = 503, description = "Another forecast is being worked out; Retry-After says when to ask again", body = ErrorBody),
    )
)]
pub(super) async fn get_forecast(
    scope: Scope<SignedIn>,
    State(state): State<HttpState>,
    Query(query): Query<ForecastQuery>,
) -> Answer<Forecast> {
    let now = state.clock.now();
    let window = window(query.from, query.hours, now).map_err(|hours| ApiError::Parameter {
        name: "hours".to_owned(),
        message: hours_message(hours),
        hint: Some(HOURS_HINT.to_owned()),
    })?;
    let reach = scope.visible();
    let (group, agent) = seen(&state, &reach, query.group, query.agent).await?;
    let turn = state.forecasts.turn().await?;
    let filter = ActiveFilter {
        groups: group.map(|group| vec![group]),
        agent,
    };
    let mut basis = Basis::read(&state, &reach, &filter).await?;
    if let Some(agent) = agent {
        basis.only_on(agent);
    }
    basis.read_durations(&state, now).await?;
    let (answer, jobs) = turn
        .take(move || {
            let built = basis.build();
            let answer = domain::forecast(&built.fleet, &window);
            (answer, built.jobs)
        })
        .await?;
    let names = Names::of_forecast(&state, &answer, jobs).await?;
    let is_everything = reach == Reach::Everything;
    Ok(Json(shown(answer, &window, &names, is_everything)))
}

/// Tells what saving a definition would make of the load, before it is saved: the peaks of its agents before and after, and whether its
/// runs will come while the one before is alive. The definition is checked as when it is saved.
#[utoipa::path(
    post, path = "/api/v1/forecast/change", tag = "forecast", request_body = ForecastChangeRequest,
    responses(
        (status = 200, description = "What the change would make of the load", body = ForecastChange),
        (status = 422, description = "A value breaks a rule; field and hint say which", body = ErrorBody),
        (status = 503, description = "Another forecast is being worked out; Retry-After says when to ask again", body = ErrorBody),
    )
)]
pub(super) async fn forecast_change(
    scope: Scope<Editor>,
    State(state): State<HttpState>,
    Json(request): Json<ForecastChangeRequest>,
) -> Answer<ForecastChange> {
    let now = state.clock.now();
    let window = window(request.from, request.hours, now).map_err(|hours| {
        ApiError::invalid("hours", "forecast.hours", hours_message(hours), HOURS_HINT)
    })?;
    let (before, group) = subject(&scope, &state, &request).await?;
    // A new job has no id yet: the same seed for H as in the preview of its schedule.
    let id = before.as_ref().map_or(JobId::from_u128(0), |job| job.id);
    let zone = &state.settings.default_time_zone;
    let in_force = before.as_ref().map(|job| &job.spec);
    let mut spec = job_rules::read(request.spec, zone)?;
    let choice = choice_of(&mut spec);
    state.calendars.look_up(group.id, choice).await?;
    job_rules::check(&spec, id, &group, in_force, now)?;
    let old = before
        .as_ref()
        .filter(|job| !job.is_paused)
        .and_then(|job| active(id, group.id, job.spec.clone()));
    let new = active(id, group.id, spec);
    let turn = state.forecasts.turn().await?;
    let reach = scope.visible();
    let mut basis = Basis::around(&state, &reach, [&old, &new]).await?;
    basis.without(id);
    let durations = state.store.past_durations(&[id], now).await?;
    let durations = durations.get(&id).copied();
    let answer = turn
        .take(move || {
            let mut built = basis.build();
            let old = old.and_then(|job| built.add(&job, durations));
            let new = new.and_then(|job| built.add(&job, durations));
            domain::change(&built.fleet, old, new, &window)
        })
        .await?;
    let names = Names::of_change(&state, &answer, before.as_ref()).await?;
    let is_everything = reach == Reach::Everything;
    Ok(Json(shown_change(
        answer,
        &window,
        &names,
        durations,
        is_everything,
    )))
}

const HOURS_HINT: &str = "use 24 or 168";

fn hours_message(hours: u32) -> String {
    format!("hours is {hours}")
}

/// The stretch of time that is asked for; a length that there is not, as it is.
fn window(from: Option<Timestamp>, hours: Option<u32>, now: Timestamp) -> Result<Window, u32> {
    let from = from.unwrap_or(now);
    match hours.unwrap_or(HOURS[0]) {
        24 => Ok(Window::day(from)),
        168 => Ok(Window::week(from)),
        other => Err(other),
    }
}

/// Group and agent of a query, if they may be seen.
async fn seen(
    state: &HttpState,
    reach: &Reach,
    group: Option<Uuid>,
    agent: Option<Uuid>,
) -> Result<(Option<GroupId>, Option<AgentId>), ApiError> {
    let (group, agent) = (group.map(GroupId::from_uuid), agent.map(AgentId::from_uuid));
    if let Some(group) = group
        && state.store.group(reach, group).await?.is_none()
    {
        return Err(ApiError::NotFound);
    }
    if let Some(agent) = agent
        && state.store.agent(reach, agent).await?.is_none()
    {
        return Err(ApiError::NotFound);
    }
    Ok((group, agent))
}

/// The job that would be saved, if there is one, and the group that owns it.
async fn subject(
    scope: &Scope<Editor>,
    state: &HttpState,
    request: &ForecastChangeRequest,
) -> Result<(Option<JobRow>, GroupRow), ApiError> {
    let asked = request.group_id.map(GroupId::from_uuid);
    let before = match request.job_id {
        Some(id) => Some(find(scope, state, JobId::from_uuid(id)).await?),
        None => None,
    };
    let group = match (&before, asked) {
        (Some(job), Some(asked)) if job.group != asked => {
            return Err(ApiError::invalid(
                "group_id",
                "forecast.other_group",
                format!("the job belongs to group {:?}", job.group_name),
                "leave group_id out for a job that exists",
            ));
        }
        (Some(job), _) => job.group,
        (None, Some(asked)) => asked,
        (None, None) => {
            return Err(ApiError::invalid(
                "group_id",
                "forecast.no_group",
                "neither a job nor a group is named",
                "name the job that would be saved, or the group that would own a new one",
            ));
        }
    };
    scope.allow_in(group)?;
    let group = state.store.group(&scope.reach(), group).await?;
    Ok((before, group.ok_or(ApiError::NotFound)?))
}

/// A definition as a job that is planned; `None` for daemons.
fn active(id: JobId, group: GroupId, spec: JobSpec) -> Option<ActiveJob> {
    match spec.kind {
        JobKind::Daemon(_) => None,
        JobKind::Scheduled(scheduled) => Some(ActiveJob {
            id,
            group,
            name: spec.name,
            plan: Some(ActivePlan {
                scheduled: *scheduled,
                target: spec.target,
                processes: spec.processes,
            }),
        }),
    }
}

impl Basis {
    /// What else runs on the agents of these jobs.
    async fn around(
        state: &HttpState,
        reach: &Reach,
        jobs: [&Option<ActiveJob>; 2],
    ) -> Result<Self, ApiError> {
        let serving = state.store.serving_agents(reach).await?;
        let touched: BTreeSet<AgentId> = jobs
            .into_iter()
            .flatten()
            .flat_map(|job| basis::agents_of(job, &serving))
            .collect();
        let groups = serving
            .iter()
            .filter(|(_, agents)| agents.iter().any(|agent| touched.contains(agent)))
            .map(|(group, _)| *group);
        let filter = ActiveFilter {
            groups: Some(groups.collect()),
            agent: None,
        };
        Self::read_among(state, reach, &filter, serving).await
    }
}
