//! Small regular work of a center: storing heartbeats, giving up agents that stay away, deleting what is old.

use std::time::Duration;

use cronfleet_core::plan::earlier;
use cronfleet_store::{Conflict, Lease, Store, StoreError};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::bus::EventBus;
use crate::election::Leadership;
use crate::fleet_clock::FleetClock;
use crate::heartbeats::Heartbeats;
use crate::link::desk::publish_moves;

/// How often heartbeats are stored.
const HEARTBEAT_STORE_INTERVAL: Duration = Duration::from_secs(5);
/// How often the slower work is done.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// How often the database refreshes its statistics.
const OPTIMIZE_INTERVAL: Duration = Duration::from_secs(86_400);
/// A run whose agent is away for this long is `lost(agent_gone)`; it is refined should the agent come back.
const LOST_AFTER: Duration = Duration::from_secs(86_400);
/// How long ended runs and lapses are kept.
const RUNS_KEPT: Duration = Duration::from_secs(90 * 86_400);
/// How long output is kept.
const OUTPUT_KEPT: Duration = Duration::from_secs(30 * 86_400);
/// Rows touched by one transaction of a sweep.
const SWEEP_BATCH: u32 = 2_000;

/// Does the regular work until `stop`.
pub(crate) async fn run(
    store: Store,
    bus: EventBus,
    heartbeats: Heartbeats,
    clock: FleetClock,
    leadership: Leadership,
    stop: CancellationToken,
) {
    let mut store_heartbeats = tokio::time::interval(HEARTBEAT_STORE_INTERVAL);
    let mut sweep = tokio::time::interval(SWEEP_INTERVAL);
    let mut optimize = tokio::time::interval(OPTIMIZE_INTERVAL);
    for timer in [&mut store_heartbeats, &mut sweep, &mut optimize] {
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        timer.reset();
    }
    loop {
        let (what, done) = tokio::select! {
            _ = store_heartbeats.tick() => ("heartbeats", put(&store, &heartbeats).await),
            _ = sweep.tick() => match leadership.lease() {
                Some(lease) => ("sweep", clean(&store, &bus, &lease, clock.now()).await),
                None => continue,
            },
            _ = optimize.tick() => ("statistics", store.optimize().await),
            () = stop.cancelled() => break,
        };
        if let Err(error) = done {
            tracing::warn!(
                what,
                error = &error as &dyn std::error::Error,
                "housekeeping failed; it is tried again"
            );
        }
    }
    if let Err(error) = put(&store, &heartbeats).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the last heartbeats could not be stored"
        );
    }
}

async fn put(store: &Store, heartbeats: &Heartbeats) -> Result<(), StoreError> {
    let waiting = heartbeats.take();
    if waiting.is_empty() {
        Ok(())
    } else {
        store.put_heartbeats(&waiting).await
    }
}

/// The sweep of the whole database; the center that plans does it.
async fn clean(
    store: &Store,
    bus: &EventBus,
    lease: &Lease,
    now: Timestamp,
) -> Result<(), StoreError> {
    let lost = match store
        .lose_unreachable(lease, earlier(now, LOST_AFTER), now, SWEEP_BATCH)
        .await
    {
        Err(StoreError::Conflict(Conflict::StaleLease)) => return Ok(()),
        lost => lost?,
    };
    publish_moves(bus, &lost);
    store.delete_expired_sessions(now).await?;
    let runs_before = earlier(now, RUNS_KEPT);
    while store.purge_runs(runs_before, SWEEP_BATCH).await?.runs >= u64::from(SWEEP_BATCH) {}
    while store
        .purge_outputs(earlier(now, OUTPUT_KEPT), SWEEP_BATCH)
        .await?
        .outputs
        >= u64::from(SWEEP_BATCH)
    {}
    while store.purge_lapses(runs_before, SWEEP_BATCH).await?.lapses >= u64::from(SWEEP_BATCH) {}
    Ok(())
}
