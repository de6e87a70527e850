//! What happens to every request before and after its handler: an id, a check where it comes from, security headers, and the
//! error body.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cronfleet_store::StoreError;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use uuid::fmt::Simple;

use super::body::has_json_type;
use super::error::{ApiError, Failure};
use super::session;
use super::state::HttpState;
use crate::clock;

/// Names the request in answers and in the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Scripts and everything else from here only. Styles may stand in elements: the console's component library writes them.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; \
     img-src 'self' data:; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'",
);

/// Outermost: gives the request an id, writes error bodies, logs failures inside the center, sets security headers.
pub(super) async fn finish(
    State(state): State<HttpState>,
    request: Request,
    next: Next,
) -> Response {
    let id = state.mint.id(state.clock.now());
    let mut buffer = [0; Simple::LENGTH];
    let id = HeaderValue::from_str(id.as_simple().encode_lower(&mut buffer))
        .unwrap_or(HeaderValue::from_static("none"));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let is_api = path.starts_with("/api/") || path == "/api";
    let begun = clock::instant();
    let mut response = next.run(request).await;
    if response.status().is_client_error() || response.status().is_server_error() {
        response = with_body(response, is_api, &id, &method, &path);
    }
    tracing::debug!(
        request.id = id.to_str().unwrap_or_default(),
        %method,
        path,
        status = response.status().as_u16(),
        duration_ms = begun.elapsed().as_millis(),
        "answered"
    );
    set_headers(response.headers_mut(), is_api, state.settings.is_tls);
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// Gives an error answer its body.
fn with_body(
    response: Response,
    is_api: bool,
    id: &HeaderValue,
    method: &Method,
    path: &str,
) -> Response {
    let mut response = response;
    let status = response.status();
    let failure = match response.extensions_mut().remove::<Failure>() {
        Some(failure) => failure,
        // An answer that some layer made; what it says is not in our form.
        None if is_api => Failure::of(&error_of_status(status)),
        None => return response,
    };
    if let Some(cause) = &failure.cause {
        let id = id.to_str().unwrap_or_default();
        tracing::error!(request.id = id, %method, path, status = status.as_u16(), cause, "a request failed");
    }
    let retry_after = response.headers_mut().remove(header::RETRY_AFTER);
    let allow = response.headers_mut().remove(header::ALLOW);
    let json = (header::CONTENT_TYPE, "application/json");
    let mut response = (status, [json], failure.body(status, id)).into_response();
    for (name, value) in [(header::RETRY_AFTER, retry_after), (header::ALLOW, allow)] {
        if let Some(value) = value {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The error that some layer means by a status.
fn error_of_status(status: StatusCode) -> ApiError {
    match status {
        StatusCode::NOT_FOUND => ApiError::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => ApiError::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ApiError::MediaType,
        status if status.is_client_error() => ApiError::Malformed {
            field: None,
            message: "the request is not understood".to_owned(),
        },
        _ => ApiError::Panicked,
    }
}

fn set_headers(headers: &mut HeaderMap, is_api: bool, is_tls: bool) {
    let mut set = |name: HeaderName, value: HeaderValue| {
        headers.entry(name).or_insert(value);
    };
    set(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    set(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    set(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    set(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    let same_origin = HeaderValue::from_static("same-origin");
    set(
        HeaderName::from_static("cross-origin-opener-policy"),
        same_origin.clone(),
    );
    set(
        HeaderName::from_static("cross-origin-resource-policy"),
        same_origin,
    );
    if is_api {
        set(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if is_tls {
        set(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
}

/// Refuses requests that name a host which is not ours (a page of any site may point its own name at this center's address)
/// and, below `/api`, requests that another site's page makes with the caller's cookie.
pub(super) async fn check_origin(
    State(state): State<HttpState>,
    request: Request,
    next: Next,
) -> Response {
    let Some(host) = authority(request.uri(), request.headers()) else {
        return ApiError::HostUnknown.into_response();
    };
    if state
        .settings
        .hosts
        .as_ref()
        .is_some_and(|hosts| !is_host_known(host, hosts))
    {
        return ApiError::HostUnknown.into_response();
    }
    if request.uri().path().starts_with("/api/")
        && let Err(error) = check_caller(request.method(), request.headers(), host)
    {
        return error.into_response();
    }
    next.run(request).await
}

/// The host and port that the request names.
fn authority<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(header::HOST)?.to_str().ok(),
    }
}

/// Whether a host is `localhost`, a literal address (no name, so nobody can point it elsewhere), or in the list.
fn is_host_known(authority: &str, hosts: &[String]) -> bool {
    let Ok(authority) = authority.parse::<http::uri::Authority>() else {
        return false;
    };
    let host = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']');
    host.parse::<std::net::IpAddr>().is_ok()
        || host.eq_ignore_ascii_case("localhost")
        || hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
}

fn check_caller(method: &Method, headers: &HeaderMap, host: &str) -> Result<(), ApiError> {
    if session::bearer(headers).is_some() {
        return Ok(());
    }
    let is_same_origin = says_same_origin(headers, host);
    if is_same_origin == Some(false) {
        return Err(ApiError::CrossOrigin);
    }
    if method.is_safe() {
        return Ok(());
    }
    if session::cookie(headers).is_some() && is_same_origin.is_none() {
        return Err(ApiError::CrossOrigin);
    }
    let has_body = headers
        .get(header::CONTENT_LENGTH)
        .is_some_and(|length| length != "0")
        || headers.contains_key(header::TRANSFER_ENCODING);
    let has_type = headers.contains_key(header::CONTENT_TYPE);
    if (has_body || has_type) && !has_json_type(headers) {
        return Err(ApiError::MediaType);
    }
    Ok(())
}

/// What the browser says about the page that makes the request; `None` if it says nothing. Navigating here from another
/// site's link is `cross-site`, too, but carries no `Origin`; reading is not refused for that.
fn says_same_origin(headers: &HeaderMap, host: &str) -> Option<bool> {
    let origin = headers.get(header::ORIGIN).map(|origin| {
        let origin = origin.to_str().unwrap_or("null");
        origin
            .split_once("://")
            .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
    });
    let site = headers.get(FETCH_SITE).map(|site| site == "same-origin");
    let is_navigation = headers
        .get("sec-fetch-mode")
        .is_some_and(|mode| mode == "navigate");
    match (origin, site) {
        (Some(origin), Some(site)) => Some(origin && site),
        (Some(origin), None) => Some(origin),
        (None, Some(false)) if is_navigation => None,
        (None, site) => site,
    }
}

/// The answer to a request whose handler panicked. What it said is in the log by way of the panic hook.
pub(super) fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    ApiError::Panicked.into_response()
}

/// Answers paths below `/api` that do not exist.
pub(super) async fn unknown_path() -> ApiError {
    ApiError::NotFound
}

/// Answers whether the process lives.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Answers whether requests can be served: the database answers and can be written to. A center that does not plan serves
/// all the same. The database's own words stay in the log: whoever asks here has not signed in.
pub(super) async fn readyz(State(state): State<HttpState>) -> (StatusCode, &'static str) {
    let error = match state.store.check().await {
        Ok(()) if state.leadership.is_planning() => return (StatusCode::OK, "ready, plans\n"),
        Ok(()) => return (StatusCode::OK, "ready, does not plan\n"),
        Err(error) => error,
    };
    tracing::warn!(trouble = error.trouble(), "not ready: {error}");
    let why = match error {
        StoreError::Refused { .. } => "the database must not be used: see the center's log\n",
        _ => "the database does not answer\n",
    };
    (StatusCode::SERVICE_UNAVAILABLE, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn state(dir: &tempfile::TempDir) -> HttpState {
        let file = dir.path().join("center.db");
        let mint = crate::mint::Mint::from_seed(1);
        let sealer = crate::seal::Sealer::new(&[7; 32], mint.clone());
        HttpState::new(
            super::super::Services {
                store: cronfleet_store::Store::open_sqlite(&file).await.unwrap(),
                bus: crate::bus::EventBus::default(),
                nudges: crate::nudge::Nudges::default(),
                mint,
                sealer: std::sync::Arc::new(sealer),
                clock: crate::fleet_clock::FleetClock::own(),
                leadership: crate::election::Leadership::standby(),
            },
            super::super::Settings {
                center: "here".into(),
                default_time_zone: "UTC".into(),
                agent_address: "127.0.0.1:8781".into(),
                ca_sha256: [0; 32],
                is_tls: true,
                hosts: None,
            },
            tokio_util::sync::CancellationToken::new(),
        )
    }

    #[tokio::test]
    async fn what_fails_inside_is_told_by_code_and_request_id_only() {
        use axum::routing::{get, post};
        use tower::ServiceExt;

        let dir = tempfile::tempdir().unwrap();
        let state = state(&dir).await;
        async fn panics() -> StatusCode {
            panic!("a secret");
        }
        let failing = || async {
            let damaged = StoreError::Corrupt {
                what: "spec",
                found: "a secret".into(),
            };
            ApiError::from(damaged)
        };
        let router = axum::Router::new()
            .route("/api/panics", get(panics))
            .route("/api/fails", get(failing))
            .route("/api/posts", post(panics));
        let router = super::super::surround(router, &state);
        for (path, status, code) in [
            ("/api/panics", 500, "internal"),
            ("/api/fails", 500, "store.failed"),
            ("/api/posts", 405, "request.method"),
        ] {
            let request = Request::get(path)
                .header("host", "localhost")
                .body(axum::body::Body::empty())
                .unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), status, "{path}");
            assert_eq!(
                response.headers().contains_key(header::ALLOW),
                status == 405
            );
            assert!(
                response
                    .headers()
                    .contains_key(header::STRICT_TRANSPORT_SECURITY)
            );
            let body = axum::body::to_bytes(response.into_body(), 10_000)
                .await
                .unwrap();
            let body = String::from_utf8(body.to_vec()).unwrap();
            assert!(
                body.contains(&format!("\"code\":\"{code}\"")) && body.contains("request_id"),
                "{body}"
            );
            assert!(!body.contains("secret"), "{body}");
        }
    }

    #[test]
    fn only_hosts_that_nobody_else_can_name_are_known() {
        let hosts = ["fleet.example.org".to_owned()];
        for good in [
            "localhost:8780",
            "LOCALHOST",
            "127.0.0.1:1",
            "[::1]:8780",
            "10.2.3.4",
            "Fleet.example.org:443",
        ] {
            assert!(is_host_known(good, &hosts), "{good}");
        }
        for bad in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "",
            "a b",
            "x@y@z",
        ] {
            assert!(!is_host_known(bad, &hosts), "{bad}");
        }
    }

    #[test]
    fn another_sites_page_cannot_use_the_cookie() {
        let check = |method: Method, pairs: &[(&'static str, &'static str)]| {
            let headers: HeaderMap = pairs
                .iter()
                .map(|(name, value)| {
                    (
                        HeaderName::from_static(name),
                        HeaderValue::from_static(value),
                    )
                })
                .collect();
            check_caller(&method, &headers, "fleet:8780")
                .map_err(|error| error.to_string())
                .is_ok()
        };
        let cookie = ("cookie", "cronfleet=cfs_x");
        let json = ("content-type", "application/json");
        let post = Method::POST;
        assert!(check(
            post.clone(),
            &[cookie, json, ("origin", "http://fleet:8780")]
        ));
        assert!(check(
            post.clone(),
            &[cookie, json, ("sec-fetch-site", "same-origin")]
        ));
        assert!(check(post.clone(), &[json]), "signing in without a browser");
        assert!(check(
            post.clone(),
            &[("authorization", "Bearer cft_x"), ("origin", "null")]
        ));
        assert!(check(Method::GET, &[cookie]));
        assert!(check(
            Method::GET,
            &[
                cookie,
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", "navigate")
            ]
        ));
        let refused: [&[(&'static str, &'static str)]; 7] = [
            &[cookie, json],
            &[cookie, json, ("origin", "http://evil")],
            &[cookie, json, ("origin", "null")],
            &[
                cookie,
                json,
                ("origin", "http://fleet:8780"),
                ("sec-fetch-site", "cross-site"),
            ],
            &[cookie, json, ("sec-fetch-site", "same-site")],
            &[json, ("origin", "http://evil")],
            &[
                cookie,
                ("content-type", "text/plain"),
                ("origin", "http://fleet:8780"),
            ],
        ];
        for headers in refused {
            assert!(!check(post.clone(), headers), "{headers:?}");
        }
        assert!(!check(Method::GET, &[cookie, ("origin", "http://evil")]));
        assert!(!check(
            Method::GET,
            &[cookie, ("sec-fetch-site", "cross-site")]
        ));
    }
}
