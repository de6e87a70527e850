//! Users: administrators create and change them.

use axum::extract::State;
use cronfleet_api::page::Page;
use cronfleet_api::session::{User, UserCreate, UserUpdate};
use cronfleet_core::id::UserId;
use cronfleet_store::{NewUser, UserRow};
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::body::{Answer, Id, Json, Query};
use super::error::ApiError;
use super::guard::{Admin, Scope};
use super::paging;
use super::state::HttpState;
use super::text;
use crate::password::{self, Weakness};

/// Which users to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UserQuery {
    /// Searched for in login and display name.
    q: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Most rows to answer, 1 to 500; 100 when absent.
    limit: Option<u32>,
}

/// Lists users by login.
#[utoipa::path(
    get, path = "/api/v1/users", tag = "users", params(UserQuery),
    responses((status = 200, description = "A page of users", body = Page<User>))
)]
pub(super) async fn list_users(
    _: Scope<Admin>,
    State(state): State<HttpState>,
    Query(query): Query<UserQuery>,
) -> Answer<Page<User>> {
    let (after, limit) = (
        paging::cursor(query.cursor.as_deref())?,
        paging::limit(query.limit)?,
    );
    let users = state
        .store
        .users(
            query.q.as_deref().unwrap_or_default(),
            after.as_ref(),
            limit,
        )
        .await?;
    Ok(Json(paging::page(users, |user| shown(&user))))
}

/// Creates a user.
#[utoipa::path(
    post, path = "/api/v1/users", tag = "users", request_body = UserCreate,
    responses((status = 201, description = "Created", body = User))
)]
pub(super) async fn create_user(
    _: Scope<Admin>,
    State(state): State<HttpState>,
    Json(request): Json<UserCreate>,
) -> Result<(StatusCode, Json<User>), ApiError> {
    let is_admin = request.is_admin;
    let user = new_user(
        &state,
        request.login,
        request.password,
        request.display_name,
        is_admin,
    )
    .await?;
    let user = state.store.create_user(&user, state.clock.now()).await?;
    Ok((StatusCode::CREATED, Json(shown(&user))))
}

/// Changes a user. A new password and disabling end the user's sessions.
#[utoipa::path(
    patch, path = "/api/v1/users/{id}", tag = "users", request_body = UserUpdate,
    params(("id" = uuid::Uuid, Path, description = "User")),
    responses((status = 200, description = "Changed", body = User))
)]
pub(super) async fn update_user(
    _: Scope<Admin>,
    State(state): State<HttpState>,
    Id(id): Id<UserId>,
    Json(request): Json<UserUpdate>,
) -> Answer<User> {
    let user = state.store.user(id).await?.ok_or(ApiError::NotFound)?;
    if let Some(name) = &request.display_name {
        check_display_name(name)?;
    }
    let password_hash = match request.password {
        None => None,
        Some(password) => {
            check_password("password", &password, &user.login)?;
            Some(state.passwords.hash(password).await?)
        }
    };
    let update = cronfleet_store::UserUpdate {
        display_name: request.display_name,
        is_admin: request.is_admin,
        is_disabled: request.is_disabled,
        password_hash,
    };
    Ok(Json(shown(&state.store.update_user(id, &update).await?)))
}

/// A user to create, checked and with the password hashed.
pub(super) async fn new_user(
    state: &HttpState,
    login: String,
    password: String,
    display_name: Option<String>,
    is_admin: bool,
) -> Result<NewUser, ApiError> {
    check_login(&login)?;
    let display_name = display_name.unwrap_or_else(|| login.clone());
    check_display_name(&display_name)?;
    check_password("password", &password, &login)?;
    Ok(NewUser {
        id: UserId::from_uuid(state.mint.id(state.clock.now())),
        password_hash: state.passwords.hash(password).await?,
        login,
        display_name,
        is_admin,
    })
}

fn check_login(login: &str) -> Result<(), ApiError> {
    let is_good = (1..=64).contains(&login.len())
        && login
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'@'));
    if is_good {
        return Ok(());
    }
    let message = format!("{:?} cannot be a login", text::cut(login));
    Err(ApiError::invalid(
        "login",
        "user.login",
        message,
        "use 1 to 64 letters, digits and . _ - @",
    ))
}

fn check_display_name(name: &str) -> Result<(), ApiError> {
    text::check_name("display_name", "user.display_name", name, 128)
}

/// Checks a new password; `field` is its place in the request.
pub(super) fn check_password(field: &str, password: &str, login: &str) -> Result<(), ApiError> {
    password::check(password, login).map_err(|weakness| {
        let (code, hint) = match weakness {
            Weakness::Length { .. } => ("password.length", "use 12 to 128 characters"),
            Weakness::Common => (
                "password.common",
                "use several words, or let a password manager make one",
            ),
            Weakness::ContainsLogin => ("password.contains_login", "leave the login out of it"),
        };
        ApiError::invalid(field, code, weakness.to_string(), hint)
    })
}

/// A user as the REST interface shows it.
pub(super) fn shown(user: &UserRow) -> User {
    User {
        id: user.id.as_uuid(),
        login: user.login.clone(),
        display_name: user.display_name.clone(),
        is_admin: user.is_admin,
        is_disabled: user.is_disabled,
        created_at: user.created_at,
        last_sign_in_at: user.last_sign_in_at,
    }
}
