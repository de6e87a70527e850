//! Tidying up: removing what nobody needs any more, in the background.

use cronfleet_core::id::LifeId;
use futures_util::future::pending;
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::host::{Host, HostError};

/// Something to tidy up. Repeating it is harmless, and so is forgetting it: the next agent finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chore {
    /// Remove the folder of a life whose end is in the ledger.
    RemoveFolder(LifeId),
    /// Remove the output of a life.
    RemoveSpool(LifeId),
    /// Give room to a running life: its output up to here is stored.
    ReleaseSpool(LifeId, u64),
}

/// The chores that are to be done.
#[derive(Debug, Default)]
pub(crate) struct Chores {
    waiting: Vec<Chore>,
    job: Option<JoinHandle<()>>,
}

impl Chores {
    /// Adds chores.
    pub(crate) fn add(&mut self, chores: impl IntoIterator<Item = Chore>) {
        self.waiting.extend(chores);
    }

    /// Begins to do what waits, if nothing is being done.
    pub(crate) fn begin(&mut self, host: &Host) {
        if self.job.is_some() || self.waiting.is_empty() {
            return;
        }
        let (host, chores) = (host.clone(), std::mem::take(&mut self.waiting));
        let runtime = Handle::current();
        let run_all = move || {
            chores
                .into_iter()
                .for_each(|chore| run(&host, &runtime, chore))
        };
        self.job = Some(spawn_blocking(run_all));
    }

    /// Resolves when what was begun is done. Cancel-safe.
    pub(crate) async fn wait(&mut self) {
        let Some(job) = &mut self.job else {
            return pending().await;
        };
        if let Err(error) = job.await {
            tracing::error!(%error, "tidying up failed");
        }
        self.job = None;
    }

    /// Does everything that is left.
    pub(crate) async fn finish(&mut self, host: &Host) {
        if self.job.is_some() {
            self.wait().await;
        }
        self.begin(host);
        if self.job.is_some() {
            self.wait().await;
        }
    }
}

fn run(host: &Host, runtime: &Handle, chore: Chore) {
    let (life, done) = match chore {
        Chore::RemoveFolder(life) => (life, runtime.block_on(host.forget(life.as_uuid()))),
        Chore::RemoveSpool(life) => (life, host.forget_output(life.as_uuid())),
        Chore::ReleaseSpool(life, upto) => {
            if let Err(error) = host.output(life.as_uuid()).release(upto) {
                tracing::warn!(life.id = %life, %error, "stored output cannot be removed");
            }
            return;
        }
    };
    match done {
        Ok(()) => {}
        Err(HostError::StillAlive { .. }) => {
            tracing::warn!(life.id = %life, "a life that is over still has a shim");
        }
        Err(error) => {
            tracing::warn!(life.id = %life, %error, "what is left of a life cannot be removed")
        }
    }
}
