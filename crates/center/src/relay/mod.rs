//! Hints between centers: what this one has committed is told to the others through the database, and the other way round.
//!
//! Only to speed things up: every session and every watcher also looks into the store by itself. A center that is alone tells
//! nothing and asks nothing.

mod told;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cronfleet_store::{HINT_BODY_MAX, Hint, Store, StoreError};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) use self::told::{Heard, Told};
use crate::bus::EventBus;
use crate::fleet_clock::FleetClock;
use crate::mint::Mint;
use crate::nudge::Nudges;

/// How often hints are exchanged.
const EXCHANGE_INTERVAL: Duration = Duration::from_millis(500);
/// How far back hints are read: longer than a transaction takes to become visible.
const WINDOW: Duration = Duration::from_secs(5);
/// Hints that wait for the next exchange; what is beyond is told as "more".
const WAITING_MAX: usize = 4_096;

/// Hints of this center that wait to be told. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Relay(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    has_listeners: AtomicBool,
    waiting: Mutex<Vec<Told>>,
}

impl Relay {
    /// Tells the other centers, if there are any.
    pub(crate) fn tell(&self, told: impl FnOnce() -> Told) {
        if !self.0.has_listeners.load(Ordering::Relaxed) {
            return;
        }
        let mut waiting = self
            .0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match waiting.len() {
            len if len < WAITING_MAX => waiting.push(told()),
            WAITING_MAX => waiting.push(Told::More),
            _ => {}
        }
    }

    /// Says whether there are other centers.
    pub(crate) fn set_listeners(&self, has_listeners: bool) {
        self.0.has_listeners.store(has_listeners, Ordering::Relaxed);
    }

    fn has_listeners(&self) -> bool {
        self.0.has_listeners.load(Ordering::Relaxed)
    }

    fn take(&self) -> Vec<Told> {
        std::mem::take(
            &mut *self
                .0
                .waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

/// Exchanges hints.
pub(crate) struct Exchange {
    pub(crate) relay: Relay,
    pub(crate) store: Store,
    /// This center's id.
    pub(crate) center: String,
    pub(crate) bus: EventBus,
    pub(crate) nudges: Nudges,
    pub(crate) mint: Mint,
    pub(crate) clock: FleetClock,
}

impl Exchange {
    /// Exchanges until `stop`, and tells what is left then.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut ticks = interval(EXCHANGE_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut known = HashSet::new();
        loop {
            let is_last = tokio::select! {
                _ = ticks.tick() => false,
                () = stop.cancelled() => true,
            };
            if let Err(error) = self.exchange(&mut known, is_last).await {
                tracing::debug!(%error, "hints could not be exchanged");
            }
            if is_last {
                return;
            }
        }
    }

    async fn exchange(&self, known: &mut HashSet<Uuid>, is_last: bool) -> Result<(), StoreError> {
        let waiting = self.relay.take();
        if !waiting.is_empty() {
            let now = self.clock.now();
            let hints: Vec<Hint> = told::write(&waiting, HINT_BODY_MAX)
                .into_iter()
                .map(|body| Hint {
                    id: self.mint.id(now),
                    body,
                })
                .collect();
            self.store.put_hints(&self.center, &hints).await?;
        }
        if is_last || !self.relay.has_listeners() {
            return Ok(());
        }
        let hints = self.store.hints(&self.center, WINDOW).await?;
        for hint in hints.iter().filter(|hint| !known.contains(&hint.id)) {
            for heard in told::read(&hint.body) {
                self.act(heard);
            }
        }
        *known = hints.into_iter().map(|hint| hint.id).collect();
        Ok(())
    }

    fn act(&self, heard: Heard) {
        match heard {
            Heard::Show(change) => self.bus.publish_here(change),
            other => self.nudges.hear(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_alone_tells_nothing_and_a_flood_is_cut() {
        let relay = Relay::default();
        relay.tell(|| Told::JobsChanged);
        assert_eq!(relay.take(), []);
        relay.set_listeners(true);
        for _ in 0..2 * WAITING_MAX {
            relay.tell(|| Told::JobsChanged);
        }
        let told = relay.take();
        assert_eq!(told.len(), WAITING_MAX + 1);
        assert_eq!(told.last(), Some(&Told::More));
    }
}
