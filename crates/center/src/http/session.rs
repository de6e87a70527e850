//! Sessions: signing in and out, and who a request comes from.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use cronfleet_api::error::ErrorBody;
use cronfleet_api::session::{GroupRole, Me, PasswordChange, SignInRequest};
use cronfleet_core::access::{Reach, Role};
use cronfleet_store::{Credentials, Membership, NewSession, SecretHash, UserRow};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::body::Json;
use super::error::ApiError;
use super::guard::{Caller, Public, Scope, SignedIn};
use super::state::HttpState;
use super::users::{check_password, shown as shown_user};

/// Name of the cookie.
const COOKIE: &str = "cronfleet";
/// A session in use is recorded at most this often.
const TOUCH_INTERVAL: SignedDuration = SignedDuration::from_secs(60);

/// What a session was made for; decides how long it lives. The token's first letters say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Browser,
    CommandLine,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Browser, Self::CommandLine];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Browser => "cfs_",
            Self::CommandLine => "cft_",
        }
    }

    /// How long it lives without being used.
    const fn idle(self) -> SignedDuration {
        match self {
            Self::Browser => SignedDuration::from_mins(30),
            Self::CommandLine => SignedDuration::from_hours(7 * 24),
        }
    }

    /// How long it lives at most.
    const fn absolute(self) -> SignedDuration {
        match self {
            Self::Browser => SignedDuration::from_hours(12),
            Self::CommandLine => SignedDuration::from_hours(30 * 24),
        }
    }
}

/// The secret text that stands for a session. Only its hash is stored.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token {
    kind: Kind,
    text: String,
}

impl Token {
    fn mint(state: &HttpState, kind: Kind) -> Self {
        let secret = BASE64_URL_SAFE_NO_PAD.encode(state.mint.secret());
        Self {
            kind,
            text: format!("{}{secret}", kind.prefix()),
        }
    }

    /// The token that a request carries: `Authorization: Bearer`, else the cookie.
    pub(super) fn of_request(headers: &HeaderMap) -> Option<Self> {
        let text = bearer(headers).or_else(|| cookie(headers))?;
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| text.starts_with(kind.prefix()))?;
        (text.len() <= 64).then(|| Self {
            kind,
            text: text.to_owned(),
        })
    }

    fn hash(&self) -> SecretHash {
        SecretHash(Sha256::digest(self.text.as_bytes()).into())
    }
}

/// The token after `Authorization: Bearer`. Browsers never send one by themselves.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The session cookie.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// Who a token stands for. Records that the session is in use.
pub(super) async fn caller(state: &HttpState, token: &Token) -> Result<Option<Caller>, ApiError> {
    let (session, now) = (token.hash(), state.clock.now());
    let Some(found) = state.store.principal_of_session(session, now).await? else {
        return Ok(None);
    };
    if now.duration_since(found.last_seen_at) >= TOUCH_INTERVAL {
        state
            .store
            .touch_session(session, now, later(now, token.kind.idle()))
            .await?;
    }
    Ok(Some(Caller {
        user: found.user,
        principal: found.principal,
        memberships: found.memberships,
        session,
    }))
}

/// What the session's user may see now; `None` once the session is over. For streams, which look again and again: an open
/// stream does not keep a session alive.
pub(super) async fn reach_of(
    state: &HttpState,
    session: SecretHash,
) -> Result<Option<Reach>, ApiError> {
    let found = state
        .store
        .principal_of_session(session, state.clock.now())
        .await?;
    Ok(found.map(|found| found.principal.reach(Role::Viewer)))
}

/// Makes a session and the answer that tells the client of it.
pub(super) async fn open(
    state: &HttpState,
    user: UserRow,
    wants_token: bool,
) -> Result<Response, ApiError> {
    let kind = if wants_token {
        Kind::CommandLine
    } else {
        Kind::Browser
    };
    let token = Token::mint(state, kind);
    let now = state.clock.now();
    let session = NewSession {
        token: token.hash(),
        user: user.id,
        idle_expires_at: later(now, kind.idle()),
        expires_at: later(now, kind.absolute()),
    };
    state.store.create_session(&session, now).await?;
    let memberships = state.store.memberships(user.id).await?;
    let mut me = shown(
        &UserRow {
            last_sign_in_at: Some(now),
            ..user
        },
        &memberships,
    );
    if wants_token {
        me.token = Some(token.text);
        return Ok(Json(me).into_response());
    }
    let mut response = Json(me).into_response();
    set_cookie(state, response.headers_mut(), &token.text, kind.absolute());
    Ok(response)
}

/// Sets the cookie, or removes it with an empty token.
fn set_cookie(state: &HttpState, headers: &mut HeaderMap, token: &str, age: SignedDuration) {
    let secure = if state.settings.is_tls {
        "; Secure"
    } else {
        ""
    };
    let seconds = age.as_secs();
    let cookie =
        format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        headers.append(header::SET_COOKIE, value);
    }
}

fn later(now: Timestamp, wait: SignedDuration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

fn shown(user: &UserRow, memberships: &[Membership]) -> Me {
    let roles = memberships.iter().map(|membership| GroupRole {
        group_id: membership.group.as_uuid(),
        group_name: membership.group_name.clone(),
        role: membership.role.into(),
    });
    Me {
        user: shown_user(user),
        roles: roles.collect(),
        token: None,
    }
}

/// Signs in.
///
/// Sets the session cookie, or answers a token for `Authorization: Bearer` when `wants_token` is true.
#[utoipa::path(
    post, path = "/api/v1/session", tag = "session", request_body = SignInRequest,
    responses(
        (status = 200, description = "Signed in", body = Me),
        (status = 401, description = "Login or password is wrong", body = ErrorBody),
        (status = 429, description = "Too many attempts; see Retry-After", body = ErrorBody),
    )
)]
pub(super) async fn sign_in(
    _: Public,
    State(state): State<HttpState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Json(request): Json<SignInRequest>,
) -> Result<Response, ApiError> {
    state.throttle.attempt(peer.ip(), &request.login)?;
    let (user, hash) = match state.store.credentials(&request.login).await? {
        Some(Credentials {
            user,
            password_hash,
        }) => (Some(user), Some(password_hash)),
        None => (None, None),
    };
    let is_right = state.passwords.verify(request.password, hash).await?;
    match user {
        Some(user) if is_right && !user.is_disabled => {
            open(&state, user, request.wants_token).await
        }
        Some(_) | None => {
            tracing::info!(peer.address = %peer.ip(), "a sign-in was refused");
            Err(ApiError::SignInFailed)
        }
    }
}

/// Tells who is signed in.
#[utoipa::path(
    get, path = "/api/v1/session", tag = "session",
    responses(
        (status = 200, description = "The signed-in user", body = Me),
    )
)]
pub(super) async fn me(scope: Scope<SignedIn>) -> Json<Me> {
    let caller = scope.caller();
    Json(shown(&caller.user, &caller.memberships))
}

/// Signs out.
#[utoipa::path(
    delete, path = "/api/v1/session", tag = "session",
    responses(
        (status = 204, description = "Signed out"),
    )
)]
pub(super) async fn sign_out(
    scope: Scope<SignedIn>,
    State(state): State<HttpState>,
) -> Result<Response, ApiError> {
    state.store.delete_session(scope.caller().session).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&state, response.headers_mut(), "", SignedDuration::ZERO);
    Ok(response)
}

/// Changes my own password and ends my other sessions.
#[utoipa::path(
    post, path = "/api/v1/session/password", tag = "session", request_body = PasswordChange,
    responses(
        (status = 204, description = "Changed"),
        (status = 422, description = "The current password is wrong, or the new one too weak", body = ErrorBody),
        (status = 429, description = "Too many attempts; see Retry-After", body = ErrorBody),
    )
)]
pub(super) async fn change_password(
    scope: Scope<SignedIn>,
    State(state): State<HttpState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Json(request): Json<PasswordChange>,
) -> Result<StatusCode, ApiError> {
    let Caller { user, session, .. } = scope.caller();
    state.throttle.attempt(peer.ip(), &user.login)?;
    let hash = state
        .store
        .credentials_of(user.id)
        .await?
        .map(|found| found.password_hash);
    if !state.passwords.verify(request.current, hash).await? {
        return Err(ApiError::PasswordWrong);
    }
    check_password("new", &request.new, &user.login)?;
    let hash = state.passwords.hash(request.new).await?;
    state
        .store
        .change_password(user.id, &hash, *session)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn a_token_is_found_in_either_place_and_the_header_wins() {
        let text = |pairs: &[(header::HeaderName, &str)]| {
            Token::of_request(&headers(pairs)).map(|token| token.text)
        };
        let cookie = (
            header::COOKIE,
            "theme=dark; cronfleet=cfs_one; cronfleetx=no",
        );
        let bearer = (header::AUTHORIZATION, "bearer cft_two");
        assert_eq!(
            text(std::slice::from_ref(&cookie)).as_deref(),
            Some("cfs_one")
        );
        assert_eq!(text(&[cookie, bearer]).as_deref(), Some("cft_two"));
        assert_eq!(text(&[(header::AUTHORIZATION, "Basic abc")]), None);
        assert_eq!(text(&[(header::COOKIE, "cronfleet=guess")]), None);
        assert_eq!(
            text(&[(
                header::COOKIE,
                &format!("cronfleet=cfs_{}", "x".repeat(100))
            )]),
            None
        );
    }
}
