//! What is not handed out, because the agent is too old for it.

use cronfleet_core::job::{Launch, Overlap};
use cronfleet_core::order::{DaemonOrder, ExitStatus, Order, SlotReport, SlotState};
use cronfleet_core::run::Reason;
use jiff::Timestamp;

/// What an agent can do beside the first ones.
#[derive(Debug, Clone, Copy)]
pub(super) struct Skills {
    /// Gives processes their secrets.
    pub(super) secrets: bool,
    /// Lets runs wait for each other, and take each other's place.
    pub(super) overlap: bool,
    /// Holds offers until they get the word.
    pub(super) offers: bool,
}

impl Skills {
    /// Whether it can do all that there is.
    pub(super) const fn are_complete(self) -> bool {
        self.secrets && self.overlap && self.offers
    }

    /// Whether it does all that an order asks for.
    pub(super) fn can(self, order: &Order) -> bool {
        let is_plain = matches!(order.overlap, Overlap::Forbid | Overlap::Allow);
        self.can_launch(&order.launch)
            && (self.overlap || is_plain)
            && (self.offers || !order.is_offer)
    }

    /// Whether it does all that a launch asks for.
    pub(super) fn can_launch(self, launch: &Launch) -> bool {
        self.secrets || launch.secrets.is_empty()
    }
}

/// The slots of daemons that an agent was not told of, as people are to see them.
pub(super) fn slots(orders: &[DaemonOrder], now: Timestamp) -> Vec<SlotReport> {
    let slots_of = |order: &DaemonOrder| -> Vec<SlotReport> {
        (0..order.processes)
            .map(|index| slot(order, index, now))
            .collect()
    };
    orders.iter().flat_map(slots_of).collect()
}

fn slot(order: &DaemonOrder, index: u32, now: Timestamp) -> SlotReport {
    SlotReport {
        job: order.job,
        index,
        state: SlotState::Stopped,
        since: now,
        job_version: order.job_version,
        process: None,
        start: None,
        last_end: Some(ExitStatus::NotStarted {
            reason: Reason::AgentTooOld,
            detail: "secrets".to_owned(),
        }),
        restarts: 0,
        retry_at: None,
        probe: None,
        next: None,
    }
}
