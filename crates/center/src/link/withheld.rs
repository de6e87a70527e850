//! What is not handed out, because the agent is too old for it.

use cronfleet_core::order::{DaemonOrder, ExitStatus, SlotReport, SlotState};
use cronfleet_core::run::Reason;
use jiff::Timestamp;

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
