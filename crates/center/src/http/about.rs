//! What is running, and the description of the interface itself.

use std::sync::LazyLock;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use cronfleet_api::session::About;
use cronfleet_core::schedule::time_zone_database_version;
use cronfleet_wire::identity::hex;
use http::header;

use super::body::{Answer, Json};
use super::guard::{Public, Scope, SignedIn};
use super::state::HttpState;

/// Tells what is running.
#[utoipa::path(
    get, path = "/api/v1/about", tag = "about",
    responses((status = 200, description = "Versions, clock and addresses", body = About))
)]
pub(super) async fn about(_: Scope<SignedIn>, State(state): State<HttpState>) -> Answer<About> {
    Ok(Json(About {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        tzdb_version: time_zone_database_version().to_owned(),
        engine: state.store.engine().word().to_owned(),
        now: state.clock.now(),
        default_time_zone: state.settings.default_time_zone.clone(),
        agent_address: state.settings.agent_address.clone(),
        ca_sha256: hex(&state.settings.ca_sha256),
    }))
}

/// Answers this description.
#[utoipa::path(
    get, path = "/api/v1/openapi.json", tag = "about",
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json"))
)]
pub(super) async fn openapi_document(_: Public) -> Response {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
        super::openapi()
            .to_json()
            .unwrap_or_else(|_| "{}".to_owned())
    });
    (
        [(header::CONTENT_TYPE, "application/json")],
        DOCUMENT.as_str(),
    )
        .into_response()
}
