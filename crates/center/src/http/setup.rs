//! The first start: whoever has the setup code becomes the first administrator.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use cronfleet_api::error::ErrorBody;
use cronfleet_api::session::{Me, SetupRequest, SetupState};

use super::body::{Answer, Json};
use super::error::ApiError;
use super::guard::Public;
use super::session;
use super::state::HttpState;
use super::users::new_user;
use crate::setup;

/// Tells whether the first administrator has still to be created.
#[utoipa::path(
    get, path = "/api/v1/setup", tag = "setup",
    responses((status = 200, description = "Whether setup is needed", body = SetupState))
)]
pub(super) async fn setup_state(_: Public, State(state): State<HttpState>) -> Answer<SetupState> {
    Ok(Json(SetupState {
        is_needed: state.store.is_setup_needed().await?,
    }))
}

/// Creates the first administrator, and signs in with the session cookie.
#[utoipa::path(
    post, path = "/api/v1/setup", tag = "setup", request_body = SetupRequest,
    responses(
        (status = 200, description = "Created and signed in", body = Me),
        (status = 403, description = "The setup code is wrong or too old", body = ErrorBody),
        (status = 409, description = "There is an administrator already", body = ErrorBody),
    )
)]
pub(super) async fn set_up(
    _: Public,
    State(state): State<HttpState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Json(request): Json<SetupRequest>,
) -> Result<Response, ApiError> {
    state.throttle.attempt(peer.ip(), "setup code")?;
    if !state.store.is_setup_needed().await? {
        return Err(cronfleet_store::Conflict::SetupDone.into());
    }
    let user = new_user(
        &state,
        request.login,
        request.password,
        request.display_name,
        true,
    )
    .await?;
    let user = state
        .store
        .create_first_admin(setup::hash(&request.code), &user, state.clock.now())
        .await?;
    tracing::info!(user.id = %user.id, "the first administrator was created");
    session::open(&state, user, false).await
}
