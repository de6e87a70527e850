//! Groups and their members.

use axum::extract::State;
use cronfleet_api::group::{Candidate, Group, GroupCreate, GroupUpdate, Member, MemberPut};
use cronfleet_api::page::Page;
use cronfleet_core::access::Reach;
use cronfleet_core::id::{AgentId, GroupId, UserId};
use cronfleet_core::job::check_user;
use cronfleet_store::{Conflict, GroupRow, NewGroup, StoreError, Thing};
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::body::{Answer, Id, Ids, Json, Query};
use super::error::ApiError;
use super::guard::{Admin, Owner, Scope, SignedIn, Viewer};
use super::paging;
use super::state::HttpState;
use super::{tell, text};
use crate::bus::Change;

/// Most users a job of a group may run as.
const RUN_AS_MAX: usize = 200;
/// Candidates answered at once.
const CANDIDATES_MAX: u32 = 20;

/// Which page of groups.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct GroupQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Most rows to answer, 1 to 500; 100 when absent.
    limit: Option<u32>,
}

/// Lists the groups that I belong to, by name; administrators see all.
#[utoipa::path(
    get, path = "/api/v1/groups", tag = "groups", params(GroupQuery),
    responses((status = 200, description = "A page of groups", body = Page<Group>))
)]
pub(super) async fn list_groups(
    scope: Scope<SignedIn>,
    State(state): State<HttpState>,
    Query(query): Query<GroupQuery>,
) -> Answer<Page<Group>> {
    let (after, limit) = (
        paging::cursor(query.cursor.as_deref())?,
        paging::limit(query.limit)?,
    );
    let groups = state
        .store
        .groups(&scope.visible(), after.as_ref(), limit)
        .await?;
    Ok(Json(paging::page(groups, |group| shown(&scope, group))))
}

/// Creates a group.
#[utoipa::path(
    post, path = "/api/v1/groups", tag = "groups", request_body = GroupCreate,
    responses((status = 201, description = "Created", body = Group))
)]
pub(super) async fn create_group(
    scope: Scope<Admin>,
    State(state): State<HttpState>,
    Json(request): Json<GroupCreate>,
) -> Result<(StatusCode, Json<Group>), ApiError> {
    check_texts(Some(&request.name), Some(&request.description))?;
    let now = state.clock.now();
    let group = NewGroup {
        id: GroupId::from_uuid(state.mint.id(now)),
        name: request.name,
        description: request.description,
        run_as: checked_users(request.run_as)?,
        agents: request
            .agent_ids
            .into_iter()
            .map(AgentId::from_uuid)
            .collect(),
    };
    let group = state
        .store
        .create_group(&group, now)
        .await
        .map_err(agent_missing)?;
    for agent in &group.agents {
        state.nudges.agent_changed(*agent);
    }
    state.bus.publish(Change::Group { group: group.id });
    Ok((StatusCode::CREATED, Json(shown(&scope, group))))
}

/// Shows a group.
#[utoipa::path(
    get, path = "/api/v1/groups/{id}", tag = "groups",
    params(("id" = uuid::Uuid, Path, description = "Group")),
    responses((status = 200, description = "The group", body = Group))
)]
pub(super) async fn get_group(
    scope: Scope<Viewer>,
    State(state): State<HttpState>,
    Id(id): Id<GroupId>,
) -> Answer<Group> {
    let group = state
        .store
        .group(&scope.reach(), id)
        .await?
        .ok_or(ApiError::NotFound)?;
    Ok(Json(shown(&scope, group)))
}

/// Changes a group. Runs of its jobs on agents that no longer serve it are withdrawn.
#[utoipa::path(
    patch, path = "/api/v1/groups/{id}", tag = "groups", request_body = GroupUpdate,
    params(("id" = uuid::Uuid, Path, description = "Group")),
    responses((status = 200, description = "Changed", body = Group))
)]
pub(super) async fn update_group(
    scope: Scope<Admin>,
    State(state): State<HttpState>,
    Id(id): Id<GroupId>,
    Json(request): Json<GroupUpdate>,
) -> Answer<Group> {
    check_texts(request.name.as_deref(), request.description.as_deref())?;
    let before = state
        .store
        .group(&Reach::Everything, id)
        .await?
        .ok_or(ApiError::NotFound)?;
    let update = cronfleet_store::GroupUpdate {
        name: request.name,
        description: request.description,
        run_as: request.run_as.map(checked_users).transpose()?,
        agents: request
            .agent_ids
            .map(|agents| agents.into_iter().map(AgentId::from_uuid).collect()),
    };
    let has_new_agents = update.agents.is_some();
    let (group, withdrawn) = state
        .store
        .update_group(id, &update, state.clock.now())
        .await
        .map_err(agent_missing)?;
    tell::withdrawn(&state, &withdrawn);
    if has_new_agents {
        for agent in before.agents.iter().chain(&group.agents) {
            state.nudges.agent_changed(*agent);
        }
        state.nudges.jobs_changed();
    }
    state.bus.publish(Change::Group { group: group.id });
    Ok(Json(shown(&scope, group)))
}

/// Deletes a group that owns no jobs.
#[utoipa::path(
    delete, path = "/api/v1/groups/{id}", tag = "groups",
    params(("id" = uuid::Uuid, Path, description = "Group")),
    responses((status = 204, description = "Deleted"))
)]
pub(super) async fn delete_group(
    _: Scope<Admin>,
    State(state): State<HttpState>,
    Id(id): Id<GroupId>,
) -> Result<StatusCode, ApiError> {
    state.store.delete_group(id).await?;
    state.bus.publish(Change::Group { group: id });
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a user a role in a group, in place of the one there may be.
#[utoipa::path(
    put, path = "/api/v1/groups/{id}/members/{user_id}", tag = "groups", request_body = MemberPut,
    params(
        ("id" = uuid::Uuid, Path, description = "Group"),
        ("user_id" = uuid::Uuid, Path, description = "User"),
    ),
    responses((status = 204, description = "The user has the role"))
)]
pub(super) async fn put_member(
    scope: Scope<Owner>,
    State(state): State<HttpState>,
    Ids(id, user): Ids<GroupId, UserId>,
    Json(request): Json<MemberPut>,
) -> Result<StatusCode, ApiError> {
    allow(&scope, &state, id).await?;
    state
        .store
        .put_member(id, user, request.role.into())
        .await?;
    state.bus.publish(Change::Group { group: id });
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a user's role in a group away.
#[utoipa::path(
    delete, path = "/api/v1/groups/{id}/members/{user_id}", tag = "groups",
    params(
        ("id" = uuid::Uuid, Path, description = "Group"),
        ("user_id" = uuid::Uuid, Path, description = "User"),
    ),
    responses((status = 204, description = "The user has no role"))
)]
pub(super) async fn delete_member(
    scope: Scope<Owner>,
    State(state): State<HttpState>,
    Ids(id, user): Ids<GroupId, UserId>,
) -> Result<StatusCode, ApiError> {
    allow(&scope, &state, id).await?;
    if !state.store.delete_member(id, user).await? {
        return Err(ApiError::NotFound);
    }
    state.bus.publish(Change::Group { group: id });
    Ok(StatusCode::NO_CONTENT)
}

/// Part of a name to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CandidateQuery {
    /// Searched for in login and display name.
    q: Option<String>,
}

/// Lists users without a role in the group, at most 20.
#[utoipa::path(
    get, path = "/api/v1/groups/{id}/candidates", tag = "groups",
    params(("id" = uuid::Uuid, Path, description = "Group"), CandidateQuery),
    responses((status = 200, description = "Users who could be given a role", body = Vec<Candidate>))
)]
pub(super) async fn list_candidates(
    scope: Scope<Owner>,
    State(state): State<HttpState>,
    Id(id): Id<GroupId>,
    Query(query): Query<CandidateQuery>,
) -> Answer<Vec<Candidate>> {
    allow(&scope, &state, id).await?;
    let part = query.q.unwrap_or_default();
    let users = state
        .store
        .member_candidates(id, &part, CANDIDATES_MAX)
        .await?;
    let candidates = users.into_iter().map(|user| Candidate {
        user_id: user.id.as_uuid(),
        login: user.login,
        display_name: user.display_name,
    });
    Ok(Json(candidates.collect()))
}

/// Checks that the group exists and that the caller owns it.
async fn allow(scope: &Scope<Owner>, state: &HttpState, id: GroupId) -> Result<(), ApiError> {
    scope.allow_in(id)?;
    state
        .store
        .group(&scope.reach(), id)
        .await?
        .map(|_| ())
        .ok_or(ApiError::NotFound)
}

fn check_texts(name: Option<&str>, description: Option<&str>) -> Result<(), ApiError> {
    if let Some(name) = name {
        text::check_name("name", "group.name", name, 64)?;
    }
    description.map_or(Ok(()), |text| {
        text::check_length("description", "group.description_length", text, 1_000)
    })
}

/// Checks the form of user names; sorts them and removes repetitions.
fn checked_users(mut users: Vec<String>) -> Result<Vec<String>, ApiError> {
    if users.len() > RUN_AS_MAX {
        let message = format!("{} users are listed", users.len());
        return Err(ApiError::invalid(
            "run_as",
            "group.run_as_count",
            message,
            format!("use at most {RUN_AS_MAX}"),
        ));
    }
    for (place, user) in users.iter().enumerate() {
        check_user(&format!("run_as[{place}]"), user).map_err(|error| ApiError::spec("", error))?;
    }
    users.sort_unstable();
    users.dedup();
    Ok(users)
}

/// An agent that a request names and that does not exist is a wrong value, not a wrong path.
fn agent_missing(error: StoreError) -> ApiError {
    match error {
        StoreError::Missing { what: Thing::Agent } | StoreError::Conflict(Conflict::Reference) => {
            ApiError::invalid(
                "agent_ids",
                "group.agent_unknown",
                "an agent of the list does not exist",
                "choose agents from the list of agents",
            )
        }
        other => other.into(),
    }
}

fn shown<P>(scope: &Scope<P>, group: GroupRow) -> Group {
    Group {
        id: group.id.as_uuid(),
        my_role: scope.role_in(group.id).into(),
        name: group.name,
        description: group.description,
        run_as: group.run_as,
        agent_ids: group.agents.iter().map(|agent| agent.as_uuid()).collect(),
        job_count: group.job_count,
        members: group
            .members
            .into_iter()
            .map(|member| Member {
                user_id: member.user.as_uuid(),
                login: member.login,
                display_name: member.display_name,
                role: member.role.into(),
            })
            .collect(),
        created_at: group.created_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_users_are_checked_and_put_in_order() {
        let users = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(
            checked_users(users(&["www-data", "app", "app"])).unwrap(),
            ["app", "www-data"]
        );
        let Err(ApiError::Invalid { field, code, .. }) = checked_users(users(&["app", "0"])) else {
            panic!()
        };
        assert_eq!(
            (field.as_str(), code.as_str()),
            ("run_as[1]", "job.user_name")
        );
    }
}
