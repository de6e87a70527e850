//! Measuring the memory of daemon processes that are recycled when they have grown too large.

use std::time::Duration;

use cronfleet_core::id::LifeId;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::Engine;
use crate::host::tree_memory;
use crate::lives::{LifeEvent, News};

/// Time between two measurements.
const PERIOD: Duration = Duration::from_secs(5);

impl Engine {
    /// Begins to measure, if it is time and anybody's memory is limited. What is found comes as news of the lives.
    pub(super) fn measure(&mut self) {
        let is_due = self.measured_at.is_none_or(|at| at.elapsed() >= PERIOD);
        if !is_due || self.closing.is_some() {
            return;
        }
        let lives: Vec<(LifeId, i32)> = self
            .slots
            .memory_limited()
            .filter_map(|process| {
                let life = LifeId::from(process);
                Some((life, self.lives.get(&life)?.handle.shim_pid?))
            })
            .collect();
        if lives.is_empty() {
            return;
        }
        self.measured_at = Some(Instant::now());
        let events = self.life_events_out.clone();
        self.tasks.spawn(async move {
            let (lives, shims): (Vec<LifeId>, Vec<i32>) = lives.into_iter().unzip();
            let Ok(memory) = spawn_blocking(move || tree_memory(&shims)).await else {
                return;
            };
            for (life, bytes) in lives.into_iter().zip(memory) {
                let news = News::Measured(bytes);
                // Without a loop nobody is left to tell.
                let _ = events.send(LifeEvent { life, news }).await;
            }
        });
    }
}
