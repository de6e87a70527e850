//! Decides about runs that are offered, in this center's terms: who may start and when, who is asked instead, what does not run.

use std::time::Duration;

use cronfleet_store::{Conflict, Store, StoreError};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::bus::EventBus;
use crate::election::Leadership;
use crate::fleet_clock::FleetClock;
use crate::link::desk::publish_moves;
use crate::mint::Mint;
use crate::nudge::Nudges;

/// Longest time between two looks: what agents of other centers say is heard of in no other way.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Decides about offers.
pub(crate) struct Offers {
    pub(crate) store: Store,
    pub(crate) nudges: Nudges,
    pub(crate) bus: EventBus,
    pub(crate) clock: FleetClock,
    pub(crate) leadership: Leadership,
    pub(crate) mint: Mint,
}

impl Offers {
    /// Works until `stop`. Failures of the store are logged and tried again.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut is_failing = false;
        loop {
            let wait = match self.round().await {
                Ok(next) => {
                    is_failing = false;
                    self.until(next)
                }
                Err(StoreError::Conflict(Conflict::StaleLease)) => LOOK_INTERVAL,
                Err(error) => {
                    if !is_failing {
                        let error = &error as &dyn std::error::Error;
                        tracing::error!(error, "offers are not decided about");
                    }
                    is_failing = true;
                    LOOK_INTERVAL
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.nudges.offers() => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// One round, if it is this center's turn; answers when the next decision may be due.
    async fn round(&self) -> Result<Option<Timestamp>, StoreError> {
        let Some(lease) = self.leadership.lease() else {
            return Ok(None);
        };
        let (now, draw) = (self.clock.now(), self.mint.draw());
        let decided = self.store.decide_offers(&lease, now, draw).await?;
        self.nudges.go(&decided.words);
        for (agent, run) in &decided.replaced {
            self.nudges.replace(*agent, *run);
        }
        self.nudges.runs_planned(decided.agents);
        publish_moves(&self.bus, &decided.moved);
        Ok(decided.next)
    }

    fn until(&self, next: Option<Timestamp>) -> Duration {
        let now = self.clock.now();
        match next {
            // What could not be decided now is looked at again with the others.
            Some(next) if next > now => {
                let wait = Duration::try_from(next.duration_since(now)).unwrap_or(LOOK_INTERVAL);
                wait.min(LOOK_INTERVAL)
            }
            Some(_) | None => LOOK_INTERVAL,
        }
    }
}
