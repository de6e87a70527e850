//! Agents: who they are, and letting them in and out.

use axum::extract::State;
use cronfleet_api::agent::{
    Agent, AgentApprove, AgentPolicy, AgentState, AgentUpdate, JoinToken, JoinTokenCreate,
    PolicyExecMode, RunLimits, Spool, WaitingRuns,
};
use cronfleet_api::limits::Cgroups;
use cronfleet_api::page::Page;
use cronfleet_core::access::Reach;
use cronfleet_core::id::{AgentId, GroupId};
use cronfleet_core::policy::ExecMode;
use cronfleet_core::run_limits as domain;
use cronfleet_store::{
    AgentFilter, AgentRow, Conflict, NewJoinToken, SecretHash, StoreError, Thing,
};
use cronfleet_wire::identity;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use utoipa::IntoParams;
use uuid::Uuid;

use super::body::{Answer, Id, Json, Query};
use super::error::ApiError;
use super::guard::{Admin, Scope, SignedIn, Viewer};
use super::paging;
use super::state::HttpState;
use super::{tell, text};
use crate::bus::Change;

/// Lifetime of a join token in seconds: shortest, longest, and when none is asked for.
const TOKEN_TTL: (u64, u64, u64) = (60, 604_800, 3_600);
/// Most agents that may join with one token.
const TOKEN_USES_MAX: u32 = 1_000;

/// Which agents to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AgentQuery {
    /// Searched for in name and host name.
    q: Option<String>,
    /// Only agents that serve this group.
    group: Option<Uuid>,
    /// Only agents in this state; revoked ones are listed only when asked for.
    #[param(inline)]
    state: Option<AgentState>,
    /// Only agents with a live session, or only those without.
    online: Option<bool>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Most rows to answer, 1 to 500; 100 when absent.
    limit: Option<u32>,
}

/// Lists the agents of my groups, by name; administrators see all.
#[utoipa::path(
    get, path = "/api/v1/agents", tag = "agents", params(AgentQuery),
    responses((status = 200, description = "A page of agents", body = Page<Agent>))
)]
pub(super) async fn list_agents(
    scope: Scope<SignedIn>,
    State(state): State<HttpState>,
    Query(query): Query<AgentQuery>,
) -> Answer<Page<Agent>> {
    let (after, limit) = (
        paging::cursor(query.cursor.as_deref())?,
        paging::limit(query.limit)?,
    );
    let filter = AgentFilter {
        part: query.q.unwrap_or_default(),
        group: query.group.map(GroupId::from_uuid),
        state: query.state.map(stored_state),
        is_online: query.online,
    };
    let agents = state
        .store
        .agents(&scope.visible(), &filter, after.as_ref(), limit)
        .await?;
    Ok(Json(paging::page(agents, shown)))
}

/// Shows an agent.
#[utoipa::path(
    get, path = "/api/v1/agents/{id}", tag = "agents",
    params(("id" = uuid::Uuid, Path, description = "Agent")),
    responses((status = 200, description = "The agent", body = Agent))
)]
pub(super) async fn get_agent(
    scope: Scope<Viewer>,
    State(state): State<HttpState>,
    Id(id): Id<AgentId>,
) -> Answer<Agent> {
    let agent = state
        .store
        .agent(&scope.reach(), id)
        .await?
        .ok_or(ApiError::NotFound)?;
    let waiting = state
        .store
        .waiting_runs(&scope.reach(), id, state.clock.now())
        .await?;
    Ok(Json(Agent {
        waiting: Some(WaitingRuns {
            count: waiting.count,
            since: waiting.since,
        }),
        ..shown(agent)
    }))
}

/// Renames an agent, or changes the groups that it serves or the limits on its runs.
#[utoipa::path(
    patch, path = "/api/v1/agents/{id}", tag = "agents", request_body = AgentUpdate,
    params(("id" = uuid::Uuid, Path, description = "Agent")),
    responses((status = 200, description = "Changed", body = Agent))
)]
pub(super) async fn update_agent(
    _: Scope<Admin>,
    State(state): State<HttpState>,
    Id(id): Id<AgentId>,
    Json(request): Json<AgentUpdate>,
) -> Answer<Agent> {
    if let Some(name) = &request.name {
        text::check_name("name", "agent.name", name, 64)?;
    }
    let groups_before = existing(&state, id).await?.groups;
    let update = cronfleet_store::AgentUpdate {
        name: request.name,
        groups: request.group_ids.map(group_ids),
        run_limits: request.run_limits.map(run_limits).transpose()?,
    };
    let withdrawn = state
        .store
        .update_agent(id, &update, state.clock.now())
        .await
        .map_err(group_missing)?;
    tell::withdrawn(&state, &withdrawn);
    changed(&state, id, &groups_before).await
}

/// Lets a pending agent work.
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/approve", tag = "agents", request_body = AgentApprove,
    params(("id" = uuid::Uuid, Path, description = "Agent")),
    responses((status = 200, description = "The agent works", body = Agent))
)]
pub(super) async fn approve_agent(
    _: Scope<Admin>,
    State(state): State<HttpState>,
    Id(id): Id<AgentId>,
    Json(request): Json<AgentApprove>,
) -> Answer<Agent> {
    let groups = request.group_ids.map(group_ids);
    state
        .store
        .approve_agent(id, groups.as_deref())
        .await
        .map_err(group_missing)?;
    changed(&state, id, &[]).await
}

/// Shuts an agent out for good. Its unfinished runs end.
#[utoipa::path(
    delete, path = "/api/v1/agents/{id}", tag = "agents",
    params(("id" = uuid::Uuid, Path, description = "Agent")),
    responses((status = 204, description = "The agent is shut out"))
)]
pub(super) async fn revoke_agent(
    _: Scope<Admin>,
    State(state): State<HttpState>,
    Id(id): Id<AgentId>,
) -> Result<StatusCode, ApiError> {
    let groups = existing(&state, id).await?.groups;
    tell::moved(
        &state,
        &state.store.revoke_agent(id, state.clock.now()).await?,
    );
    state.nudges.agent_changed(id);
    state.bus.publish(Change::Agent {
        agent: id,
        groups,
        is_online: false,
    });
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a join token. Its text is shown this once.
#[utoipa::path(
    post, path = "/api/v1/agents/join-tokens", tag = "agents", request_body = JoinTokenCreate,
    responses((status = 201, description = "Created", body = JoinToken))
)]
pub(super) async fn create_join_token(
    scope: Scope<Admin>,
    State(state): State<HttpState>,
    Json(request): Json<JoinTokenCreate>,
) -> Result<(StatusCode, Json<JoinToken>), ApiError> {
    let (shortest, longest, default) = TOKEN_TTL;
    let ttl_seconds = request.ttl_seconds.unwrap_or(default);
    let uses_max = request.uses_max.unwrap_or(1);
    check_range("ttl_seconds", ttl_seconds, shortest, longest)?;
    check_range(
        "uses_max",
        u64::from(uses_max),
        1,
        u64::from(TOKEN_USES_MAX),
    )?;
    let now = state.clock.now();
    let (id, secret) = (state.mint.id(now), state.mint.secret());
    let lifetime = SignedDuration::from_secs(i64::try_from(ttl_seconds).unwrap_or(i64::MAX));
    let expires_at = now.checked_add(lifetime).unwrap_or(Timestamp::MAX);
    let token = NewJoinToken {
        id,
        secret: SecretHash(Sha256::digest(secret).into()),
        groups: group_ids(request.group_ids),
        is_preapproved: request.is_preapproved,
        uses_max,
        expires_at,
        created_by: scope.user(),
    };
    state
        .store
        .create_join_token(&token, now)
        .await
        .map_err(group_missing)?;
    let text = identity::JoinToken {
        id: format!("{:016x}", id.as_u64_pair().1),
        secret,
        ca_sha256: state.settings.ca_sha256,
    }
    .to_string();
    let center = &state.settings.agent_address;
    let command = format!("cronfleet agent join --center {center} --token {text}");
    Ok((
        StatusCode::CREATED,
        Json(JoinToken {
            token: text,
            command,
            expires_at,
        }),
    ))
}

fn run_limits(limits: RunLimits) -> Result<domain::RunLimits, ApiError> {
    let RunLimits {
        running_max,
        starts_per_second,
    } = limits;
    for (field, value, most) in [
        ("running_max", running_max, domain::RUNNING_MAX),
        (
            "starts_per_second",
            starts_per_second,
            domain::STARTS_PER_SECOND_MAX,
        ),
    ] {
        if let Some(value) = value {
            let field = format!("run_limits.{field}");
            check_range(&field, u64::from(value), 1, u64::from(most))?;
        }
    }
    Ok(domain::RunLimits {
        running_max,
        starts_per_second,
    })
}

fn check_range(field: &str, value: u64, least: u64, most: u64) -> Result<(), ApiError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let message = format!("{field} is {value}");
    Err(ApiError::invalid(
        field,
        "agent.out_of_range",
        message,
        format!("use {least} to {most}"),
    ))
}

fn group_ids(ids: Vec<Uuid>) -> Vec<GroupId> {
    let mut groups: Vec<GroupId> = ids.into_iter().map(GroupId::from_uuid).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

/// A group that a request names and that does not exist is a wrong value, not a wrong path.
fn group_missing(error: StoreError) -> ApiError {
    match error {
        StoreError::Missing { what: Thing::Group } | StoreError::Conflict(Conflict::Reference) => {
            ApiError::invalid(
                "group_ids",
                "agent.group_unknown",
                "a group of the list does not exist",
                "choose groups from the list of groups",
            )
        }
        other => other.into(),
    }
}

async fn existing(state: &HttpState, id: AgentId) -> Result<AgentRow, ApiError> {
    state
        .store
        .agent(&Reach::Everything, id)
        .await?
        .ok_or(ApiError::NotFound)
}

/// Tells of a changed agent, also those who can no longer see it, and answers it.
async fn changed(state: &HttpState, id: AgentId, groups_before: &[GroupId]) -> Answer<Agent> {
    let agent = existing(state, id).await?;
    state.nudges.agent_changed(id);
    let groups = agent.groups.iter().chain(groups_before).copied().collect();
    state.bus.publish(Change::Agent {
        agent: id,
        groups,
        is_online: agent.center.is_some(),
    });
    Ok(Json(shown(agent)))
}

fn stored_state(state: AgentState) -> cronfleet_store::AgentState {
    match state {
        AgentState::Pending => cronfleet_store::AgentState::Pending,
        AgentState::Active => cronfleet_store::AgentState::Active,
        AgentState::Revoked => cronfleet_store::AgentState::Revoked,
    }
}

fn shown(agent: AgentRow) -> Agent {
    let facts = agent.facts;
    Agent {
        id: agent.id.as_uuid(),
        name: agent.name,
        state: match agent.state {
            cronfleet_store::AgentState::Pending => AgentState::Pending,
            cronfleet_store::AgentState::Active => AgentState::Active,
            cronfleet_store::AgentState::Revoked => AgentState::Revoked,
        },
        is_online: agent.center.is_some(),
        group_ids: agent.groups.iter().map(|group| group.as_uuid()).collect(),
        hostname: facts.hostname,
        os: facts.os,
        arch: facts.arch,
        version: facts.version,
        is_root: facts.is_root,
        cgroups: facts.cgroups.map(Cgroups::from),
        cpu_count: facts.cpu_count,
        load_1m: agent.load_1m,
        memory_total_bytes: facts.memory_total_bytes,
        memory_available_bytes: agent.memory_available_bytes,
        running_count: agent.running_count,
        clock_offset_us: agent.clock_offset_us,
        round_trip_us: agent.round_trip_us,
        spool: agent.spool.map(|spool| Spool {
            bytes: spool.bytes,
            max_bytes: spool.max_bytes,
            dropped_count: spool.dropped_count,
        }),
        key_fingerprint: agent.key_fingerprint,
        joined_at: agent.joined_at,
        last_seen_at: agent.last_seen_at,
        run_limits: RunLimits {
            running_max: agent.run_limits.running_max,
            starts_per_second: agent.run_limits.starts_per_second,
        },
        waiting: None,
        policy: agent.policy.map(shown_policy),
        slots_wanted: agent.slots_wanted,
        slots_running: agent.slots_running,
    }
}

fn shown_policy(policy: cronfleet_store::AgentPolicy) -> AgentPolicy {
    AgentPolicy {
        file: policy.file,
        digest: policy.digest,
        read_at: policy.read_at,
        reload_error: policy.reload_error,
        is_root_denied: policy.is_root_denied,
        min_uid: policy.min_uid,
        run_as_allow: policy.run_as_allow,
        exec_mode: match policy.exec_mode {
            ExecMode::Any => PolicyExecMode::Any,
            ExecMode::Dirs => PolicyExecMode::Dirs,
            ExecMode::Exact => PolicyExecMode::Exact,
        },
        are_shells_allowed: policy.are_shells_allowed,
        are_scripts_allowed: policy.are_scripts_allowed,
        refused_count: policy.refused_count,
        last_refused_at: policy.last_refused_at,
        last_refusal: policy.last_refusal,
    }
}
