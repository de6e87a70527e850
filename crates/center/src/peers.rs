//! The centers of the deployment: this one makes itself known, knows the others, and clears up after those that are gone.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use cronfleet_core::id::AgentId;
use cronfleet_store::{CenterRow, NewCenter, Session, Store, StoreError};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::election::Leadership;
use crate::fleet_clock::FleetClock;
use crate::nudge::Nudges;
use crate::relay::Relay;

/// How often a center makes itself heard and looks after the others.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Addresses for agents of the centers that live, this one's first. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct AgentAddresses(Arc<RwLock<Arc<[String]>>>);

impl AgentAddresses {
    /// The addresses now. The same allocation as long as they are the same.
    pub(crate) fn get(&self) -> Arc<[String]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, addresses: Vec<String>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known[..] != addresses[..] {
            *known = addresses.into();
        }
    }
}

/// This center among the others.
pub(crate) struct Registry {
    store: Store,
    me: NewCenter,
    nudges: Nudges,
    relay: Relay,
    clock: FleetClock,
    leadership: Leadership,
    addresses: AgentAddresses,
    /// Sessions that the database has with this center and this center has not.
    suspects: HashSet<(AgentId, u64)>,
}

impl Registry {
    /// Makes the center known and closes the sessions of centers that are gone.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub(crate) async fn open(
        store: Store,
        me: NewCenter,
        nudges: Nudges,
        relay: Relay,
        clock: FleetClock,
        leadership: Leadership,
    ) -> Result<Self, StoreError> {
        store.put_center(&me).await?;
        store.close_sessions_of_gone_centers(clock.now()).await?;
        let registry = Self {
            store,
            me,
            nudges,
            relay,
            clock,
            leadership,
            addresses: AgentAddresses::default(),
            suspects: HashSet::new(),
        };
        registry.know(&registry.store.centers().await?);
        Ok(registry)
    }

    /// Where the addresses for agents are kept.
    pub(crate) fn addresses(&self) -> AgentAddresses {
        self.addresses.clone()
    }

    /// Looks after the centers until `stop`, and takes leave then.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut ticks = interval(LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.reset();
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => break,
            }
            if let Err(error) = self.look().await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the centers could not be looked after");
            }
        }
        if let Err(error) = self.store.delete_center(&self.me.id).await {
            tracing::warn!(%error, "the center could not take leave");
        }
    }

    async fn look(&mut self) -> Result<(), StoreError> {
        if self.store.engine().is_shared() {
            self.store.put_center(&self.me).await?;
            self.know(&self.store.centers().await?);
            if self.leadership.is_planning() {
                let now = self.clock.now();
                let left = self.store.close_sessions_of_gone_centers(now).await?;
                if !left.is_empty() {
                    tracing::warn!(
                        agents = left.len(),
                        "a center is gone; its agents will come to another one"
                    );
                }
                self.store.purge_hints().await?;
            }
        }
        self.close_leftovers().await
    }

    /// Closes sessions whose end could not be recorded. One that is just being opened looks the same for a moment: only what is
    /// found twice counts.
    ///
    /// The other way round, a session that the database has for over (another center did so while this one was suspended) is
    /// cut, so that its agent comes back with a new one.
    async fn close_leftovers(&mut self) -> Result<(), StoreError> {
        // Asked first: every session that is here now was in the database before.
        let here = self.nudges.here();
        let open = self.store.sessions_of_center(&self.me.id).await?;
        for session in here.iter().filter(|session| !open.contains(session)) {
            self.nudges.cut(session.0, session.1);
        }
        let missing: HashSet<(AgentId, u64)> = open
            .into_iter()
            .filter(|(agent, _)| !self.nudges.is_online(*agent))
            .collect();
        for &(agent, epoch) in missing.intersection(&self.suspects) {
            let session = Session {
                agent,
                epoch,
                center: self.me.id.clone(),
            };
            self.store.close_session(&session, self.clock.now()).await?;
        }
        self.suspects = missing;
        Ok(())
    }

    fn know(&self, centers: &[CenterRow]) {
        let others = || {
            centers
                .iter()
                .filter(|row| row.is_live && row.center.id != self.me.id)
        };
        self.relay.set_listeners(others().next().is_some());
        let theirs = others().filter_map(|row| row.center.agent_address.clone());
        let mut addresses: Vec<String> = self.me.agent_address.iter().cloned().collect();
        addresses.extend(theirs);
        addresses.dedup();
        self.addresses.set(addresses);
    }
}
