//! The centers of the deployment.

use axum::extract::State;
use cronfleet_api::center::Center;
use cronfleet_api::page::Page;

use super::body::{Answer, Json};
use super::guard::{Admin, Scope};
use super::state::HttpState;
use crate::election::SHARD;

/// Lists the centers, longest running first.
#[utoipa::path(
    get, path = "/api/v1/centers", tag = "centers",
    responses((status = 200, description = "All centers", body = Page<Center>))
)]
pub(super) async fn list_centers(
    _: Scope<Admin>,
    State(state): State<HttpState>,
) -> Answer<Page<Center>> {
    let lease = state.store.lease(SHARD).await?;
    let centers = state.store.centers().await?;
    let items = centers
        .into_iter()
        .map(|row| Center {
            is_planning: lease.is_held && lease.holder == row.center.id,
            is_here: row.center.id == state.settings.center,
            id: row.center.id,
            name: row.center.name,
            version: row.center.version,
            address: row.center.address,
            agent_address: row.center.agent_address,
            started_at: row.started_at,
            last_seen_at: row.last_seen_at,
            is_live: row.is_live,
            agent_count: row.agents,
        })
        .collect();
    Ok(Json(Page {
        items,
        next_cursor: None,
    }))
}
