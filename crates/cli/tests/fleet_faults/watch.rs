//! What is looked at all the time: who plans by the database, and which processes of daemons live.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use cronfleet_store::{DatabaseUrl, Store};
use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

use crate::checker::Term;
use crate::stamps::{Birth, StampFile};

/// How often it is looked.
const INTERVAL: Duration = Duration::from_millis(200);
/// Longest wait for the database.
const ANSWER_WAIT: Duration = Duration::from_secs(2);

/// A process of a daemon, as far as it was seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) birth: Birth,
    /// When it was last seen alive.
    pub(crate) alive: Timestamp,
    is_over: bool,
}

#[derive(Debug, Default)]
struct Seeing {
    terms: Vec<Term>,
    seen: BTreeMap<Uuid, Seen>,
}

/// Looks until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    seeing: Arc<Mutex<Seeing>>,
    _tasks: JoinSet<()>,
}

impl Watch {
    /// Begins to look at the lease in this database, by a connection that no fault cuts, and at the processes that stamps tell of.
    pub(crate) async fn start(database: Option<String>, stamps: StampFile) -> Result<Self> {
        let seeing = Arc::new(Mutex::new(Seeing::default()));
        let mut tasks = JoinSet::new();
        tasks.spawn(look_at_processes(stamps, Arc::clone(&seeing)));
        if let Some(database) = database {
            let url: DatabaseUrl = database.parse()?;
            let store = Store::open_as_it_is(&url).await?;
            tasks.spawn(look_at_lease(store, Arc::clone(&seeing)));
        }
        Ok(Self {
            seeing,
            _tasks: tasks,
        })
    }

    /// Every term that was seen, in the order in which they were.
    pub(crate) fn terms(&self) -> Vec<Term> {
        self.lock().terms.clone()
    }

    /// Forgets the terms: the database has lost what it knew.
    pub(crate) fn forget_terms(&self) {
        self.lock().terms.clear();
    }

    /// Every process of a daemon that was alive at this instant or later.
    pub(crate) fn alive_since(&self, from: Timestamp) -> Vec<Seen> {
        let seeing = self.lock();
        let since = seeing.seen.values().filter(|seen| seen.alive >= from);
        since.copied().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seeing> {
        self.seeing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn look_at_lease(store: Store, seeing: Arc<Mutex<Seeing>>) {
    loop {
        if let Ok(Ok(lease)) = timeout(ANSWER_WAIT, store.lease(0)).await {
            let term = Term {
                epoch: lease.epoch,
                holder: lease.holder,
            };
            let mut seeing = seeing.lock().unwrap_or_else(PoisonError::into_inner);
            if seeing.terms.last() != Some(&term) {
                seeing.terms.push(term);
            }
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn look_at_processes(stamps: StampFile, seeing: Arc<Mutex<Seeing>>) {
    loop {
        let births = stamps.read().map(|stamps| stamps.births);
        let now = Timestamp::now();
        {
            let mut seeing = seeing.lock().unwrap_or_else(PoisonError::into_inner);
            for birth in births.unwrap_or_default() {
                let seen = seeing.seen.entry(birth.process).or_insert(Seen {
                    birth,
                    alive: birth.at,
                    is_over: false,
                });
                if !seen.is_over && is_alive(birth) {
                    seen.alive = now;
                } else {
                    seen.is_over = true;
                }
            }
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Whether a process of a daemon is there, and no other one in its place.
fn is_alive(birth: Birth) -> bool {
    let environment = std::fs::read(format!("/proc/{}/environ", birth.pid)).unwrap_or_default();
    let own = format!("CRONFLEET_PROCESS_ID={}", birth.process);
    environment
        .split(|byte| *byte == 0)
        .any(|variable| variable == own.as_bytes())
}
