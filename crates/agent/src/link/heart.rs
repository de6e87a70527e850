//! Heartbeats: they keep a session alive, tell the agent's load, and measure the center's clock.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cronfleet_wire::v1;

use super::dialler::LinkShared;
use crate::clock;
use crate::host::Load;

/// Heartbeats without an answer that are remembered.
const UNANSWERED_MAX: usize = 8;

/// The heartbeats of one session.
#[derive(Debug, Default)]
pub(super) struct Heart {
    sequence: u64,
    /// Sequence and sending time since boot of those without an answer.
    unanswered: VecDeque<(u64, Duration)>,
}

impl Heart {
    /// The next heartbeat, to be sent now.
    pub(super) fn beat(&mut self, shared: &LinkShared) -> v1::Heartbeat {
        self.sequence += 1;
        if self.unanswered.len() == UNANSWERED_MAX {
            self.unanswered.pop_front();
        }
        self.unanswered.push_back((self.sequence, clock::boot()));
        let load = Load::read().ok();
        let round_trip_us = shared.clock.round_trip_us();
        v1::Heartbeat {
            sequence: self.sequence,
            agent_time_us: clock::wall_us(),
            load_1m: load.map_or(0.0, |load| load.average[0]),
            memory_available_bytes: load.map_or(0, |load| load.memory_available_bytes),
            running_count: shared.running_count.load(Ordering::Relaxed),
            clock_offset_us: round_trip_us.map(|_| shared.clock.offset_us()),
            round_trip_us,
            spool_bytes: Some(shared.spool.bytes.load(Ordering::Relaxed)),
            spool_max_bytes: Some(shared.spool.max_bytes),
            spool_dropped_count: Some(shared.spool.dropped_count.load(Ordering::Relaxed)),
        }
    }

    /// Takes in an answer that has just arrived.
    pub(super) fn answered(&mut self, echo: &v1::HeartbeatEcho, shared: &LinkShared) {
        let received = clock::boot();
        let Some(at) = self
            .unanswered
            .iter()
            .position(|(sequence, _)| *sequence == echo.sequence)
        else {
            return;
        };
        let (_, sent) = self.unanswered[at];
        self.unanswered.drain(..=at);
        shared.clock.observe(sent, echo.center_time_us, received);
    }
}
