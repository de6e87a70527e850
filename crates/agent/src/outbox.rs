//! What is to be told to the center: collected while the loop works, sent in batches, kept until it is acknowledged.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::time::Duration;

use cronfleet_core::id::{JobId, ProcessId, RunId};
use cronfleet_core::order_book::{OrderBook, Phase};
use cronfleet_core::slot_book::SlotBook;
use cronfleet_wire::v1::from_agent::Body;
use cronfleet_wire::{BATCH_MAX, convert, v1};
use tokio::time::Instant;

/// Longest wait for more to say.
const DELAY: Duration = Duration::from_millis(5);

/// Messages sent and not acknowledged.
const ON_THE_WAY_MAX: usize = 8;

/// What is to be told, and what was told and not yet acknowledged. Holds names only; what is said is asked of the books when it
/// is sent.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    runs: VecDeque<RunId>,
    runs_waiting: HashSet<RunId>,
    slots: BTreeSet<(JobId, u32)>,
    processes: VecDeque<ProcessId>,
    processes_waiting: HashSet<ProcessId>,
    /// Whether the center is to hear of all slots at once.
    is_complete_due: bool,
    claims_on_the_way: BTreeMap<u64, Vec<(RunId, Phase)>>,
    slots_on_the_way: BTreeMap<u64, Vec<ProcessId>>,
    sequence: u64,
    /// Since when something waits.
    since: Option<Instant>,
}

impl Outbox {
    /// A new session: everything that no center has acknowledged is told again.
    pub(crate) fn connect(&mut self, orders: &OrderBook, slots: &SlotBook) {
        *self = Self {
            sequence: self.sequence,
            ..Self::default()
        };
        for (run, _) in orders.claims_unacked() {
            self.run(run);
        }
        for report in slots.process_reports() {
            self.process(report.process);
        }
        self.all_slots();
    }

    /// Something is to be told about a run.
    pub(crate) fn run(&mut self, run: RunId) {
        if self.runs_waiting.insert(run) {
            self.runs.push_back(run);
            self.wait();
        }
    }

    /// Something is to be told about a slot.
    pub(crate) fn slot(&mut self, job: JobId, index: u32) {
        self.slots.insert((job, index));
        self.wait();
    }

    /// A process has ended.
    pub(crate) fn process(&mut self, process: ProcessId) {
        if self.processes_waiting.insert(process) {
            self.processes.push_back(process);
            self.wait();
        }
    }

    /// The center is to hear of all slots there are, and so of those that are gone.
    pub(crate) fn all_slots(&mut self) {
        self.is_complete_due = true;
        self.wait();
    }

    fn wait(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// When something is to be sent; `None` if nothing waits, or too much is on its way.
    pub(crate) fn due(&self) -> Option<Instant> {
        let since = self.since?;
        if !self.has_room() {
            return None;
        }
        Some(if self.runs.len() >= BATCH_MAX {
            since
        } else {
            since + DELAY
        })
    }

    /// Whether nothing waits and nothing is on its way.
    pub(crate) fn is_empty(&self) -> bool {
        self.since.is_none()
            && self.claims_on_the_way.is_empty()
            && self.slots_on_the_way.is_empty()
    }

    fn has_room(&self) -> bool {
        self.claims_on_the_way.len() + self.slots_on_the_way.len() < ON_THE_WAY_MAX
    }

    /// The next message, to be sent now.
    pub(crate) fn next(&mut self, orders: &OrderBook, slots: &SlotBook) -> Option<Body> {
        if !self.has_room() {
            return None;
        }
        let body = if self.is_complete_due || !self.slots.is_empty() || !self.processes.is_empty() {
            Some(self.next_slots(slots))
        } else {
            self.next_claims(orders)
        };
        let waits = self.is_complete_due
            || !(self.runs.is_empty() && self.slots.is_empty() && self.processes.is_empty());
        if !waits {
            self.since = None;
        }
        body
    }

    fn next_claims(&mut self, orders: &OrderBook) -> Option<Body> {
        let count = self.runs.len().min(BATCH_MAX);
        let mut claims = Vec::with_capacity(count);
        let mut phases = Vec::with_capacity(count);
        for run in self.runs.drain(..count) {
            self.runs_waiting.remove(&run);
            if let Some(claim) = orders.claim(run) {
                phases.push((run, Phase::of(&claim)));
                claims.push(convert::claim(run, &claim));
            }
        }
        if claims.is_empty() {
            return None;
        }
        self.sequence += 1;
        self.claims_on_the_way.insert(self.sequence, phases);
        Some(Body::Claims(v1::Claims {
            sequence: self.sequence,
            claims,
        }))
    }

    fn next_slots(&mut self, slots: &SlotBook) -> Body {
        self.sequence += 1;
        let count = self.processes.len().min(BATCH_MAX);
        let named: Vec<ProcessId> = self.processes.drain(..count).collect();
        for process in &named {
            self.processes_waiting.remove(process);
        }
        let is_complete = std::mem::take(&mut self.is_complete_due);
        let named_slots = std::mem::take(&mut self.slots);
        let shown = if is_complete {
            slots
                .slot_reports()
                .map(|report| (&report).into())
                .collect()
        } else {
            let reports = named_slots
                .iter()
                .filter_map(|(job, index)| slots.slot_report(*job, *index));
            reports.map(|report| (&report).into()).collect()
        };
        let processes = named
            .iter()
            .filter_map(|process| slots.process_report(*process));
        let message = v1::Slots {
            sequence: self.sequence,
            slots: shown,
            processes: processes.map(v1::ProcessReport::from).collect(),
            is_complete,
        };
        self.slots_on_the_way.insert(self.sequence, named);
        Body::Slots(message)
    }

    /// The center has stored these claims.
    pub(crate) fn claims_acked(&mut self, sequence: u64) -> Vec<(RunId, Phase)> {
        self.claims_on_the_way.remove(&sequence).unwrap_or_default()
    }

    /// The center has stored the ends of these processes.
    pub(crate) fn slots_acked(&mut self, sequence: u64) -> Vec<ProcessId> {
        self.slots_on_the_way.remove(&sequence).unwrap_or_default()
    }
}
