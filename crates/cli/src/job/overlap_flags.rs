//! Flags for what happens while the previous run is alive.

use std::time::Duration;

use clap::{Args, ValueEnum};
use cronfleet_api::job::{Overlap, ScheduledSpec};
use cronfleet_core::job as domain;

use crate::shown;

/// Flags for what happens while the previous run is alive.
#[derive(Args, Clone, Copy, Default, PartialEq)]
pub(super) struct OverlapFlags {
    /// What to do while the previous run is alive [default: forbid]
    #[arg(long, value_enum)]
    overlap: Option<OverlapWord>,
    /// Runs that may wait with --overlap queue, 1 to 100 [default: 1]
    #[arg(long, value_name = "N")]
    queue_max: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum OverlapWord {
    /// Skip the new run, on record
    Forbid,
    /// Start it all the same
    Allow,
    /// Let it wait for its turn until its start deadline, an hour unless given
    Queue,
    /// Stop the previous run, and start the new one when it is over
    Replace,
}

impl OverlapFlags {
    /// Changes the policy as far as flags are given. A start deadline that was the default of the old policy becomes that of the new one.
    pub(super) fn apply(self, scheduled: &mut ScheduledSpec) {
        if let Some(word) = self.overlap {
            let before = domain::Overlap::from(scheduled.overlap).start_deadline_default();
            if scheduled.start_deadline_ms.map(Duration::from_millis) == Some(before) {
                scheduled.start_deadline_ms = None;
            }
            scheduled.queue_max = scheduled.queue_max.filter(|_| word == OverlapWord::Queue);
            scheduled.overlap = match word {
                OverlapWord::Forbid => Overlap::Forbid,
                OverlapWord::Allow => Overlap::Allow,
                OverlapWord::Queue => Overlap::Queue,
                OverlapWord::Replace => Overlap::Replace,
            };
        }
        scheduled.queue_max = self.queue_max.or(scheduled.queue_max);
    }

    /// The flags, and whether they are given.
    pub(super) const fn given(self) -> [(&'static str, bool); 2] {
        [
            ("--overlap", self.overlap.is_some()),
            ("--queue-max", self.queue_max.is_some()),
        ]
    }
}

/// The policy, for people.
pub(super) fn in_words(scheduled: &ScheduledSpec) -> String {
    let overlap = shown::word(&scheduled.overlap);
    match scheduled.queue_max {
        Some(max) => format!("{overlap}, at most {max} waiting"),
        None => overlap,
    }
}
