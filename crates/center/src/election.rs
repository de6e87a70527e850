//! Taking part in the election of the center that plans: asks the database, keeps the fleet's clock, publishes the term.
//!
//! [`cronfleet_core::elector`] decides; this asks its questions. With a database of its own a center plans from its start to its
//! end: the lock on the data directory has elected it.

use std::time::Duration;

use cronfleet_core::elector::{Act, Elector, Heard, LEASE_TTL};
use cronfleet_store::{Lease, Store, StoreError};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::fleet_clock::FleetClock;

/// The one shard.
pub(crate) const SHARD: u32 = 0;
/// Longest wait for an answer; the elector hears of a failure then.
const ANSWER_WAIT: Duration = Duration::from_secs(3);
/// Longest wait for anything, so that a suspended machine notices soon.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Wall time and time since boot that part by more than this within one look mean that the clock was set.
const STEP_MIN_US: i64 = 5_000_000;

/// A term in which this center plans.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    lease: Lease,
    /// Time since boot.
    trusted_until: Duration,
}

/// Whether this center plans. Clones share it.
#[derive(Debug, Clone)]
pub struct Leadership(watch::Receiver<Option<Term>>);

impl Leadership {
    /// The lease that planning goes by, if this center may plan at this moment.
    pub(crate) fn lease(&self) -> Option<Lease> {
        let term = self.0.borrow();
        let term = term.as_ref()?;
        (clock::boot() < term.trusted_until).then(|| term.lease.clone())
    }

    /// Whether this center plans at this moment.
    pub fn is_planning(&self) -> bool {
        self.lease().is_some()
    }

    /// Of a center that takes no part in planning.
    pub fn standby() -> Self {
        Self(watch::channel(None).1)
    }
}

/// This center's part in the election.
pub(crate) struct Election {
    store: Store,
    holder: String,
    clock: FleetClock,
    terms: watch::Sender<Option<Term>>,
}

impl Election {
    /// Reads the database's clock, and takes the lease of a database that belongs to this center alone. `holder` is the
    /// center's id.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub(crate) async fn open(store: Store, holder: String) -> Result<Self, StoreError> {
        let (clock, term) = if store.engine().is_shared() {
            let asked = clock::boot();
            let there = store.database_time().await?;
            let clock = FleetClock::of_database(asked, there, clock::boot());
            (clock, None)
        } else {
            let term = Term {
                lease: store.seize_lease(SHARD, &holder).await?,
                trusted_until: Duration::MAX,
            };
            (FleetClock::own(), Some(term))
        };
        Ok(Self {
            store,
            holder,
            clock,
            terms: watch::channel(term).0,
        })
    }

    /// The clock that it keeps.
    pub(crate) fn clock(&self) -> FleetClock {
        self.clock.clone()
    }

    /// Where its terms are seen.
    pub(crate) fn leadership(&self) -> Leadership {
        Leadership(self.terms.subscribe())
    }

    /// Takes part until `stop`, and hands over then.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut wall = WallClock::new();
        if !self.store.engine().is_shared() {
            while !wait(LOOK_INTERVAL, &stop).await {
                wall.look();
            }
            return;
        }
        let mut elector = Elector::new(clock::boot());
        loop {
            let now = clock::boot();
            let (next, act) = elector.act(now);
            elector = next;
            self.publish(elector, now);
            let asked = clock::boot();
            let heard = match act {
                Act::Wait { until } => {
                    let time = until.saturating_sub(now).min(LOOK_INTERVAL);
                    let is_stopping = wait(time, &stop).await;
                    wall.look();
                    if !is_stopping {
                        continue;
                    }
                    Heard::Stop
                }
                Act::Take => self.take().await,
                Act::Renew { epoch } => self.renew(epoch).await,
                Act::Resign { epoch } => self.resign(epoch).await,
                Act::Finish => return,
            };
            let was = elector;
            elector = elector.hear(heard, asked, clock::boot());
            tell(was, elector);
        }
    }

    async fn take(&self) -> Heard {
        let heard = self
            .answer(self.store.take_lease(SHARD, &self.holder, LEASE_TTL))
            .await;
        self.measure().await;
        match heard {
            Some(Some(lease)) => Heard::Taken { epoch: lease.epoch },
            Some(None) => Heard::Held,
            None => Heard::Failed,
        }
    }

    async fn renew(&self, epoch: u64) -> Heard {
        let lease = self.term(epoch);
        let heard = self.answer(self.store.renew_lease(&lease, LEASE_TTL)).await;
        self.measure().await;
        match heard {
            Some(true) => Heard::Renewed,
            Some(false) => Heard::Lost,
            None => Heard::Failed,
        }
    }

    async fn resign(&self, epoch: u64) -> Heard {
        let lease = self.term(epoch);
        match self.answer(self.store.resign_lease(&lease)).await {
            Some(_) => Heard::Lost,
            None => Heard::Failed,
        }
    }

    /// Reads the database's clock. A question that fails is no matter: the clock goes on by itself.
    async fn measure(&self) {
        let asked = clock::boot();
        if let Some(there) = self.answer(self.store.database_time()).await {
            self.clock.measured(asked, there, clock::boot());
        }
    }

    async fn answer<T>(&self, question: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
        match timeout(ANSWER_WAIT, question).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the database does not say who plans");
                None
            }
            Err(_) => {
                tracing::warn!("the database does not say in time who plans");
                None
            }
        }
    }

    fn term(&self, epoch: u64) -> Lease {
        Lease {
            shard: SHARD,
            holder: self.holder.clone(),
            epoch,
        }
    }

    fn publish(&self, elector: Elector, now: Duration) {
        let term = match elector {
            Elector::Leading {
                epoch,
                trusted_until,
                ..
            } if elector.epoch(now).is_some() => Some(Term {
                lease: self.term(epoch),
                trusted_until,
            }),
            Elector::Leading { .. }
            | Elector::Standby { .. }
            | Elector::Resigning { .. }
            | Elector::Over => None,
        };
        self.terms.send_if_modified(|published| {
            let is_new = *published != term;
            *published = term;
            is_new
        });
    }
}

/// Tells the log who plans from now on, as far as this center is concerned.
fn tell(was: Elector, is: Elector) {
    match (was, is) {
        (Elector::Standby { .. }, Elector::Leading { epoch, .. }) => {
            tracing::info!(epoch, "this center plans");
        }
        (Elector::Leading { epoch, .. }, Elector::Standby { .. }) => {
            tracing::warn!(epoch, "another center plans, or soon will");
        }
        (Elector::Leading { epoch, .. }, Elector::Resigning { .. }) => {
            tracing::info!(epoch, "this center hands planning over");
        }
        _ => {}
    }
}

/// Waits; answers whether it is time to stop.
async fn wait(time: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = clock::sleep(time) => false,
        () = stop.cancelled() => true,
    }
}

/// Notices that this machine's clock was set.
struct WallClock {
    difference: i64,
}

impl WallClock {
    fn new() -> Self {
        Self {
            difference: difference(),
        }
    }

    fn look(&mut self) {
        let difference = difference();
        let step = difference - self.difference;
        self.difference = difference;
        if step.abs() > STEP_MIN_US {
            tracing::warn!(
                step_ms = step / 1_000,
                "this machine's clock was set; planning goes on by the database's clock"
            );
        }
    }
}

/// Wall time minus time since boot, in microseconds.
fn difference() -> i64 {
    let boot = i64::try_from(clock::boot().as_micros()).unwrap_or(i64::MAX);
    clock::now().as_microsecond().saturating_sub(boot)
}
