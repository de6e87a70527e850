//! Secrets of a group: set, listed by name, deleted. No answer has a value.

use axum::extract::{Path, State};
use cronfleet_api::secret::{Secret, SecretPut};
use cronfleet_core::access::Reach;
use cronfleet_core::id::GroupId;
use cronfleet_core::job::JobSpec;
use cronfleet_core::secret::{VALUE_BYTES_MAX, is_name};
use cronfleet_store::SecretRow;
use http::StatusCode;
use uuid::Uuid;

use super::body::{Answer, Id, Json};
use super::error::ApiError;
use super::guard::{Editor, GroupPermission, Scope, Viewer};
use super::state::HttpState;
use crate::bus::Change;
use crate::seal::place;

/// Lists a group's secrets by name, without their values.
#[utoipa::path(
    get, path = "/api/v1/groups/{id}/secrets", tag = "secrets",
    params(("id" = uuid::Uuid, Path, description = "Group")),
    responses((status = 200, description = "The secrets", body = Vec<Secret>))
)]
pub(super) async fn list_secrets(
    scope: Scope<Viewer>,
    State(state): State<HttpState>,
    Id(id): Id<GroupId>,
) -> Answer<Vec<Secret>> {
    allow(&scope, &state, id).await?;
    let secrets = state.store.secrets(&scope.reach(), id).await?;
    Ok(Json(secrets.into_iter().map(shown).collect()))
}

/// Creates a secret or gives it a new value, which the next process that is started gets.
#[utoipa::path(
    put, path = "/api/v1/groups/{id}/secrets/{name}", tag = "secrets", request_body = SecretPut,
    params(
        ("id" = uuid::Uuid, Path, description = "Group"),
        ("name" = String, Path, description = "Name: 1 to 64 letters, digits, dots, _ and -, not a dot first"),
    ),
    responses((status = 200, description = "Set", body = Secret))
)]
pub(super) async fn put_secret(
    scope: Scope<Editor>,
    State(state): State<HttpState>,
    Path((id, name)): Path<(Uuid, String)>,
    Json(request): Json<SecretPut>,
) -> Answer<Secret> {
    let id = GroupId::from_uuid(id);
    allow(&scope, &state, id).await?;
    check(&name, &request.value)?;
    let sealed = state
        .sealer
        .seal(&place(id, &name), request.value.as_bytes())?;
    let secret = state
        .store
        .put_secret(id, &name, &sealed, scope.user(), state.clock.now())
        .await?;
    tracing::info!(group.id = %id, secret.name = name, user.id = %scope.user(), "a secret was set");
    state.bus.publish(Change::Group { group: id });
    Ok(Json(shown(secret)))
}

/// Deletes a secret. Processes that need it can no longer be started.
#[utoipa::path(
    delete, path = "/api/v1/groups/{id}/secrets/{name}", tag = "secrets",
    params(
        ("id" = uuid::Uuid, Path, description = "Group"),
        ("name" = String, Path, description = "Name"),
    ),
    responses((status = 204, description = "Deleted"))
)]
pub(super) async fn delete_secret(
    scope: Scope<Editor>,
    State(state): State<HttpState>,
    Path((id, name)): Path<(Uuid, String)>,
) -> Result<StatusCode, ApiError> {
    let id = GroupId::from_uuid(id);
    allow(&scope, &state, id).await?;
    if !state.store.delete_secret(id, &name).await? {
        return Err(ApiError::NotFound);
    }
    tracing::info!(group.id = %id, secret.name = name, user.id = %scope.user(), "a secret was deleted");
    state.bus.publish(Change::Group { group: id });
    Ok(StatusCode::NO_CONTENT)
}

/// Checks that the group exists and that the caller has the permission in it.
async fn allow<P: GroupPermission>(
    scope: &Scope<P>,
    state: &HttpState,
    id: GroupId,
) -> Result<(), ApiError> {
    scope.allow_in(id)?;
    let group = state.store.group(&scope.reach(), id).await?;
    group.map(|_| ()).ok_or(ApiError::NotFound)
}

fn check(name: &str, value: &str) -> Result<(), ApiError> {
    if !is_name(name) {
        return Err(ApiError::invalid(
            "name",
            "secret.name",
            format!(
                "{:?} cannot be the name of a secret",
                super::text::cut(name)
            ),
            "use 1 to 64 letters, digits, dots, _ and -, not a dot first",
        ));
    }
    if value.is_empty() || value.len() > VALUE_BYTES_MAX {
        return Err(ApiError::invalid(
            "value",
            "secret.value_length",
            format!("the value has {} bytes", value.len()),
            format!("use 1 to {VALUE_BYTES_MAX}"),
        ));
    }
    if value.contains('\0') {
        return Err(ApiError::invalid(
            "value",
            "secret.nul_byte",
            "the value contains a NUL byte",
            "remove it; no environment variable could hold it",
        ));
    }
    Ok(())
}

/// Checks that the group has every secret that a definition uses.
///
/// # Errors
/// [`ApiError::Invalid`], with the name of the first one that is missing.
pub(super) async fn check_uses(
    state: &HttpState,
    group: GroupId,
    spec: &JobSpec,
) -> Result<(), ApiError> {
    if spec.launch.secrets.is_empty() {
        return Ok(());
    }
    let known = state.store.secrets(&Reach::Everything, group).await?;
    check_known(spec, |name| known.iter().any(|secret| secret.name == name))
}

/// The same where it is known which secrets the group has.
///
/// # Errors
/// See [`check_uses`].
pub(super) fn check_known(spec: &JobSpec, is_known: impl Fn(&str) -> bool) -> Result<(), ApiError> {
    for (place, used) in spec.launch.secrets.iter().enumerate() {
        if !is_known(&used.name) {
            return Err(ApiError::invalid(
                &format!("spec.secrets[{place}].name"),
                "job.secret_unknown",
                format!("the group has no secret {:?}", used.name),
                "set it first, in the group or with cronfleet secret set",
            ));
        }
    }
    Ok(())
}

fn shown(secret: SecretRow) -> Secret {
    Secret {
        name: secret.name,
        version: secret.version,
        updated_by: secret.updated_by,
        created_at: secret.created_at,
        updated_at: secret.updated_at,
    }
}
