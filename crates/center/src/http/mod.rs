//! The HTTP side of the center: the REST interface under `/api/v1`, event streams, and the console's files.
//!
//! Handlers lie by entity. Each: extract, authorise, call the store, tell agents and watchers, map. What a handler asks of its
//! caller is its first parameter ([`guard`]); what a caller may see is in every query. [`edge`] surrounds them all.

mod about;
mod agents;
mod assets;
mod body;
mod bulk;
mod bulk_plan;
mod bulk_refusals;
mod bulk_set;
mod calendars;
mod centers;
mod definition_known;
mod definition_match;
mod definition_plan;
mod definition_problems;
mod definitions;
mod edge;
mod error;
mod events;
mod forecast;
mod forecast_basis;
mod forecast_shown;
mod frames;
mod groups;
mod job_actions;
mod job_rules;
mod jobs;
mod outputs;
mod paging;
mod plain_text;
mod runs;
mod schedules;
mod secrets;
mod serve;
mod session;
mod setup;
mod signals;
mod slots;
mod snooze;
mod state;
mod streams;
mod tell;
mod text;
mod throttle;
mod users;
mod why;
mod windows;

pub mod guard;
pub mod routes;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get};
use cronfleet_api::error::ErrorBody;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};

pub use self::error::ApiError;
pub use self::serve::{ServeError, serve};
pub use self::state::{HttpState, Services, Settings};

use self::routes::{Api, route};

/// Everything that answers HTTP requests. Connections must carry their peer's address as
/// [`ConnectInfo`](axum::extract::ConnectInfo), as [`serve()`] gives it.
pub fn router(state: HttpState) -> Router {
    let (api, _) = api().finish();
    let router = api
        .route("/api", any(edge::unknown_path))
        .route("/api/{*rest}", any(edge::unknown_path))
        .route("/healthz", get(edge::healthz))
        .route("/readyz", get(edge::readyz))
        .fallback(assets::console)
        .with_state(state.clone());
    surround(router, &state)
}

/// Puts around a router what happens to every request.
fn surround(router: Router, state: &HttpState) -> Router {
    let around = ServiceBuilder::new()
        .layer(CompressionLayer::new())
        .layer(from_fn_with_state(state.clone(), edge::finish))
        .layer(CatchPanicLayer::custom(edge::panicked))
        .layer(from_fn_with_state(state.clone(), edge::check_origin))
        .layer(DefaultBodyLimit::max(body::BODY_BYTES_MAX));
    router.layer(around)
}

/// The description of the REST interface: OpenAPI 3.1.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let (_, routes) = api().finish();
    let mut document = Description::openapi();
    document.merge(routes);
    let components = document.components.get_or_insert_default();
    let cookie = ApiKey::Cookie(ApiKeyValue::with_description(
        "cronfleet",
        "Set by signing in",
    ));
    components.add_security_scheme("cookie", SecurityScheme::ApiKey(cookie));
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    document
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Cronfleet",
        description = "Runs the scheduled commands and long-running worker processes of a fleet of machines.\n\n\
            `x-permission` of an operation says who may call it: `public`, `signed_in`, a role in the group of the object \
            (`viewer`, `operator`, `editor`, `owner`; each includes the ones before it), or `administrator`. What is not \
            yours to see answers 404, exactly as if it did not exist.\n\n\
            Requests that change something with the session cookie need `Content-Type: application/json` (or no body) and \
            come from the center's own pages; `Authorization: Bearer` with a session token needs neither.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(ErrorBody))
)]
struct Description;

fn api() -> Api {
    Api::default()
        .route(route!(setup::setup_state))
        .route(route!(setup::set_up))
        .route(route!(session::sign_in))
        .route(route!(session::me))
        .route(route!(session::sign_out))
        .route(route!(session::change_password))
        .route(route!(about::about))
        .route(route!(about::openapi_document))
        .route(route!(centers::list_centers))
        .route(route!(users::list_users))
        .route(route!(users::create_user))
        .route(route!(users::update_user))
        .route(route!(groups::list_groups))
        .route(route!(groups::create_group))
        .route(route!(groups::get_group))
        .route(route!(groups::update_group))
        .route(route!(groups::delete_group))
        .route(route!(groups::put_member))
        .route(route!(groups::delete_member))
        .route(route!(groups::list_candidates))
        .route(route!(secrets::list_secrets))
        .route(route!(secrets::put_secret))
        .route(route!(secrets::delete_secret))
        .route(route!(agents::list_agents))
        .route(route!(agents::create_join_token))
        .route(route!(agents::get_agent))
        .route(route!(agents::update_agent))
        .route(route!(agents::revoke_agent))
        .route(route!(agents::approve_agent))
        .route(route!(jobs::list_jobs))
        .route(route!(jobs::create_job))
        .route(route!(jobs::get_job))
        .route(route!(jobs::replace_job))
        .route(route!(jobs::delete_job))
        .route(route!(jobs::list_job_versions))
        .route(route!(definitions::list_definitions))
        .route(route!(definitions::plan_definitions).with_body_max(body::DEFINITIONS_BYTES_MAX))
        .route(route!(definitions::apply_definitions).with_body_max(body::DEFINITIONS_BYTES_MAX))
        .route(route!(bulk::plan_bulk))
        .route(route!(bulk::apply_bulk))
        .route(route!(job_actions::pause_job))
        .route(route!(job_actions::resume_job))
        .route(route!(job_actions::run_job))
        .route(route!(snooze::snooze_job))
        .route(route!(snooze::end_snooze))
        .route(route!(windows::list_windows))
        .route(route!(windows::create_window))
        .route(route!(windows::get_window))
        .route(route!(windows::replace_window))
        .route(route!(windows::end_window))
        .route(route!(runs::list_job_lapses))
        .route(route!(why::why_job))
        .route(route!(schedules::preview_schedule))
        .route(route!(forecast::get_forecast))
        .route(route!(forecast::forecast_change))
        .route(route!(calendars::list_calendars))
        .route(route!(calendars::create_calendar))
        .route(route!(calendars::preview_calendar))
        .route(route!(calendars::read_calendar).with_body_max(calendars::FILE_BODY_BYTES_MAX))
        .route(route!(calendars::get_calendar))
        .route(route!(calendars::replace_calendar))
        .route(route!(calendars::delete_calendar))
        .route(route!(runs::list_runs))
        .route(route!(runs::get_run))
        .route(route!(runs::kill_run))
        .route(route!(runs::release_run))
        .route(route!(runs::list_lapses))
        .route(route!(slots::list_slots))
        .route(route!(slots::restart_slots))
        .route(route!(slots::list_processes))
        .route(route!(outputs::get_output))
        .route(route!(outputs::download_output))
        .route(route!(outputs::stream_output))
        .route(route!(events::stream_events))
}
