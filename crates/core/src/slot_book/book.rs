//! The book itself: what is kept, what is asked of it, and where each input goes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::digest::digest;
use super::io::{SlotEffect, SlotInput, SlotLimits};
use super::slot::{Slot, SlotKey};
use crate::id::{JobId, ProcessId};
use crate::life::{Now, Wake};
use crate::order::{DaemonOrder, ProcessReport, SlotReport};
use crate::record::{LaunchDigest, LifeStarted, Record};

/// A job as it is wanted here.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) order: Arc<DaemonOrder>,
    pub(super) launch: LaunchDigest,
}

impl Wanted {
    pub(super) fn new(order: Arc<DaemonOrder>) -> Self {
        let launch = digest(&order.launch);
        Self { order, launch }
    }
}

/// The daemon slots of an agent. See the [module](super).
#[derive(Debug, Clone)]
pub struct SlotBook {
    pub(super) limits: SlotLimits,
    pub(super) generation: u64,
    pub(super) jobs: BTreeMap<JobId, Wanted>,
    pub(super) slots: BTreeMap<SlotKey, Slot>,
    pub(super) by_process: BTreeMap<ProcessId, SlotKey>,
    /// Ended processes that the center has not acknowledged.
    pub(super) reports: BTreeMap<ProcessId, ProcessReport>,
    /// The same, oldest first.
    pub(super) reports_by_age: VecDeque<ProcessId>,
    pub(super) alarms: BTreeSet<(Duration, SlotKey)>,
    pub(super) is_closing: bool,
    /// Whether lives are still being taken up, so that an empty slot may not be empty.
    pub(super) is_recovering: bool,
}

/// Uniform draws, for new process ids and for jitter.
pub(super) type Draws<'a> = &'a mut dyn FnMut() -> u64;

impl SlotBook {
    /// An empty book.
    pub const fn new(limits: SlotLimits) -> Self {
        Self {
            limits,
            generation: 0,
            jobs: BTreeMap::new(),
            slots: BTreeMap::new(),
            by_process: BTreeMap::new(),
            reports: BTreeMap::new(),
            reports_by_age: VecDeque::new(),
            alarms: BTreeSet::new(),
            is_closing: false,
            is_recovering: false,
        }
    }

    /// Takes one input and gives what is to be done about it, in order.
    ///
    /// `draws` gives uniform 64-bit numbers: two for each new process, one for each wait.
    pub fn handle(
        &mut self,
        now: Now,
        draws: &mut dyn FnMut() -> u64,
        input: SlotInput,
    ) -> Vec<SlotEffect> {
        let mut out = Vec::new();
        match input {
            SlotInput::Wanted { generation, orders } => {
                self.want(now, draws, generation, orders, &mut out)
            }
            SlotInput::Restart { job, index } => self.restart(now, draws, job, index, &mut out),
            SlotInput::PolicyChanged => self.policy_changed(now, draws, &mut out),
            SlotInput::Tick => {}
            SlotInput::LedgerFailed { process } => {
                self.ledger_failed(now, draws, process, &mut out)
            }
            SlotInput::Started {
                process,
                start,
                boot,
            } => {
                self.started(now, draws, process, start, boot, &mut out);
            }
            SlotInput::StartFailed {
                process,
                reason,
                detail,
            } => {
                self.start_failed(now, draws, process, reason, detail, &mut out);
            }
            SlotInput::Ended {
                process,
                start,
                end,
            } => self.ended(now, draws, process, start, end, &mut out),
            SlotInput::NeverStarted { process } => {
                self.never_started(now, draws, process, &mut out)
            }
            SlotInput::Vanished { process, start } => {
                self.vanished(now, draws, process, start, &mut out)
            }
            SlotInput::Probed {
                process,
                kind,
                answer,
            } => self.probed(now, draws, process, kind, answer, &mut out),
            SlotInput::Measured {
                process,
                memory_bytes,
            } => self.measured(now, draws, process, memory_bytes, &mut out),
            SlotInput::Acked { process } => self.acked(process, &mut out),
            SlotInput::Shutdown { with_processes } => self.shut_down(now, with_processes, &mut out),
        }
        self.ring_alarms(now, draws, &mut out);
        out
    }

    /// When to tick the book at the latest.
    pub fn next_wake(&self) -> Wake {
        Wake {
            center: None,
            boot: self.alarms.first().map(|(at, _)| *at),
        }
    }

    /// The generation of what is wanted.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// What is wanted of a job: what a [`SlotEffect::Start`] launches.
    pub fn wanted(&self, job: JobId) -> Option<&Arc<DaemonOrder>> {
        self.jobs.get(&job).map(|wanted| &wanted.order)
    }

    /// What the center is told about a slot; `None` if there is no such slot.
    pub fn slot_report(&self, job: JobId, index: u32) -> Option<SlotReport> {
        let wanted = self
            .jobs
            .get(&job)
            .map(|wanted| (wanted.order.job_version, wanted.launch));
        Some(self.slots.get(&(job, index))?.report((job, index), wanted))
    }

    /// Every slot: what an agent tells first in every session.
    pub fn slot_reports(&self) -> impl Iterator<Item = SlotReport> {
        self.slots
            .keys()
            .filter_map(|(job, index)| self.slot_report(*job, *index))
    }

    /// How a process ended, until the center has acknowledged it.
    pub fn process_report(&self, process: ProcessId) -> Option<&ProcessReport> {
        self.reports.get(&process)
    }

    /// Every end that the center has not acknowledged, oldest first.
    pub fn process_reports(&self) -> impl Iterator<Item = &ProcessReport> {
        self.reports_by_age
            .iter()
            .filter_map(|process| self.reports.get(process))
    }

    /// The processes that may be alive.
    pub fn lives(&self) -> impl Iterator<Item = ProcessId> {
        self.by_process.keys().copied()
    }

    /// The live processes whose memory matters.
    pub fn memory_limited(&self) -> impl Iterator<Item = ProcessId> {
        self.by_process
            .iter()
            .filter(|(_, (job, _))| {
                self.jobs
                    .get(job)
                    .is_some_and(|wanted| wanted.order.policy.recycle.max_memory_bytes.is_some())
            })
            .map(|(process, _)| *process)
    }

    /// Records that make the same book again: a compacted ledger.
    pub fn snapshot(&self) -> Vec<Record> {
        let orders = self.jobs.values().map(|wanted| Arc::clone(&wanted.order));
        let mut records = vec![Record::DaemonsWanted {
            generation: self.generation,
            orders: orders.collect(),
        }];
        for (key, slot) in &self.slots {
            records.extend(self.snapshot_slot(*key, slot));
        }
        records.extend(
            self.process_reports()
                .map(|report| Record::LifeEnded(Box::new(report.clone()))),
        );
        records
    }

    fn snapshot_slot(&self, (job, index): SlotKey, slot: &Slot) -> Vec<Record> {
        let Some(life) = &slot.life else {
            let launch = self.jobs.get(&job).map(|wanted| wanted.launch);
            return launch
                .filter(|_| slot.rest == super::slot::Rest::Finished)
                .map(|launch| Record::SlotFinished { job, index, launch })
                .into_iter()
                .collect();
        };
        let started = Record::LifeStarted(LifeStarted {
            process: life.process,
            job,
            job_version: life.job_version,
            index,
            launch: life.launch,
            stop: life.stop,
            restarts: slot.restarts,
        });
        let process = life.process;
        let ready = life.watch.is_ready.then_some(Record::LifeReady { process });
        let replace = life
            .replace_for
            .map(|cause| Record::LifeReplaceAsked { process, cause });
        let asked = life
            .asked
            .map(|cause| Record::LifeStopAsked { process, cause });
        [Some(started), ready, replace, asked]
            .into_iter()
            .flatten()
            .collect()
    }
}
