//! Making the book again after a restart: from the ledger and from what the host found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::book::{Draws, SlotBook};
use super::io::{SlotEffect, SlotLimits};
use super::slot::{Life, Rest, Slot, SlotKey};
use super::watch::Watch;
use crate::id::ProcessId;
use crate::job::Restart;
use crate::life::{Found, Now, Owner};
use crate::order::{DaemonOrder, End, ProcessReport, StopCause};
use crate::order_book::SurveyedBoot;
use crate::record::{LaunchDigest, LifeStarted, Record};
use crate::run::Reason;

/// What the host knows of daemon processes when its agent starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotSurvey {
    /// Whether the host was restarted.
    pub boot: SurveyedBoot,
    /// What it found of processes of this boot.
    pub processes: BTreeMap<ProcessId, Found>,
    /// Whose they are, for those that the ledger does not know.
    pub owners: BTreeMap<ProcessId, Owner>,
}

/// What the ledger says.
#[derive(Default)]
struct Replay {
    generation: u64,
    orders: Vec<Arc<DaemonOrder>>,
    lives: BTreeMap<ProcessId, LifeStarted>,
    asked: BTreeMap<ProcessId, StopCause>,
    ready: BTreeSet<ProcessId>,
    replace_for: BTreeMap<ProcessId, StopCause>,
    reports: Vec<ProcessReport>,
    /// Ended, and acknowledged by the center.
    forgotten: BTreeSet<ProcessId>,
    finished: BTreeMap<SlotKey, LaunchDigest>,
}

impl Replay {
    fn of(records: impl IntoIterator<Item = Record>) -> Self {
        let mut replay = Self::default();
        for record in records {
            match record {
                Record::DaemonsWanted { generation, orders } => {
                    (replay.generation, replay.orders) = (generation, orders);
                }
                Record::LifeStarted(started) => {
                    replay.finished.remove(&(started.job, started.index));
                    replay.lives.insert(started.process, started);
                }
                Record::LifeStopAsked { process, cause } => {
                    replay.asked.insert(process, cause);
                }
                Record::LifeReady { process } => {
                    replay.ready.insert(process);
                }
                Record::LifeReplaceAsked { process, cause } => {
                    replay.replace_for.insert(process, cause);
                }
                Record::LifeEnded(report) => {
                    replay.lives.remove(&report.process);
                    replay.reports.push(*report);
                }
                Record::LifeForgotten { process } => {
                    replay.lives.remove(&process);
                    replay.reports.retain(|report| report.process != process);
                    replay.forgotten.insert(process);
                }
                Record::SlotFinished { job, index, launch } => {
                    replay.finished.insert((job, index), launch);
                }
                Record::Accepted { .. }
                | Record::StopAsked { .. }
                | Record::Settled { .. }
                | Record::Acked { .. }
                | Record::SessionEpoch(_)
                | Record::RunLimits(_) => {}
            }
        }
        replay
    }
}

impl SlotBook {
    /// Makes the book from the ledger's records, oldest first, and what the host found. Lives that are found alive go on; slots
    /// without one start.
    ///
    /// Processes that are found and that the ledger does not know are killed, for nothing says which launch they are of; they
    /// are told as lost.
    pub fn recover(
        limits: SlotLimits,
        records: impl IntoIterator<Item = Record>,
        survey: SlotSurvey,
        now: Now,
        draws: &mut dyn FnMut() -> u64,
    ) -> (Self, Vec<SlotEffect>) {
        let replay = Replay::of(records);
        let mut book = Self::new(limits);
        let mut out = Vec::new();
        book.generation = replay.generation;
        book.replace_wanted(now, replay.orders);
        for report in replay.reports {
            book.reports_by_age.push_back(report.process);
            book.reports.insert(report.process, report);
        }
        book.is_recovering = true;
        let mut found = survey.processes;
        for (process, started) in replay.lives {
            let life = Life {
                asked: replay.asked.get(&process).copied(),
                replace_for: replay.replace_for.get(&process).copied(),
                watch: Watch::new(replay.ready.contains(&process), now.boot),
                ..Life::new(&started)
            };
            book.resume(
                now,
                draws,
                &started,
                life,
                found.remove(&process),
                survey.boot,
                &mut out,
            );
        }
        if survey.boot == SurveyedBoot::Same {
            book.keep_finished(&replay.finished);
        }
        for (process, trace) in found {
            let owner = survey.owners.get(&process).copied();
            let owner = owner.filter(|_| !replay.forgotten.contains(&process));
            book.judge_unknown(now, process, trace, owner, &mut out);
        }
        book.is_recovering = false;
        book.steer_all(now, draws, &mut out);
        (book, out)
    }

    /// Takes up a life without a recorded end.
    #[expect(
        clippy::too_many_arguments,
        reason = "all of them are what is known about one life"
    )]
    fn resume(
        &mut self,
        now: Now,
        draws: Draws<'_>,
        started: &LifeStarted,
        life: Life,
        found: Option<Found>,
        boot: SurveyedBoot,
        out: &mut Vec<SlotEffect>,
    ) {
        let (process, key) = (started.process, (started.job, started.index));
        let slot = self
            .slots
            .entry(key)
            .or_insert_with(|| Slot::new(now.center));
        slot.restarts = slot.restarts.max(started.restarts);
        slot.last = Some((process, started.job_version));
        slot.life = Some(life);
        self.by_process.insert(process, key);
        match found {
            Some(Found::Alive { start, boot }) => {
                slot.last_start = Some(start);
                if let Some(life) = slot.life.as_mut() {
                    life.start = Some((start, boot));
                }
                self.begin_stop(now, key, out);
                self.show(now, key, out);
            }
            Some(Found::Ended { start, end }) => self.ended(now, draws, process, start, end, out),
            Some(Found::Vanished { start }) => self.vanished(now, draws, process, start, out),
            // The center may have heard of it while it was being prepared.
            Some(Found::NeverStarted) => {
                self.empty(key, process);
                self.report_not_started(now, key, started, out);
            }
            None if boot == SurveyedBoot::Same => {
                self.empty(key, process);
                self.report_not_started(now, key, started, out);
            }
            None => {
                self.empty(key, process);
                let life = Life::new(started);
                self.report_end(key, &life, None, None, Some(Reason::HostRebooted), out);
            }
        }
    }

    fn report_not_started(
        &mut self,
        now: Now,
        key: SlotKey,
        started: &LifeStarted,
        out: &mut Vec<SlotEffect>,
    ) {
        let end = End::not_started(now.center, Reason::AgentRestarted, String::new());
        self.report_end(key, &Life::new(started), None, Some(end), None, out);
    }

    fn empty(&mut self, key: SlotKey, process: ProcessId) {
        self.by_process.remove(&process);
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.life = None;
        }
    }

    /// Leaves alone what ended well, unless it has changed since.
    fn keep_finished(&mut self, finished: &BTreeMap<SlotKey, LaunchDigest>) {
        for (key, launch) in finished {
            let is_same = self.jobs.get(&key.0).is_some_and(|wanted| {
                wanted.launch == *launch && wanted.order.policy.restart != Restart::Always
            });
            if let Some(slot) = self
                .slots
                .get_mut(key)
                .filter(|slot| is_same && slot.life.is_none())
            {
                slot.rest = Rest::Finished;
            }
        }
    }

    /// Answers for a process that the ledger does not hold as alive: either its end is recorded, or the ledger is gone.
    fn judge_unknown(
        &mut self,
        now: Now,
        process: ProcessId,
        found: Found,
        owner: Option<Owner>,
        out: &mut Vec<SlotEffect>,
    ) {
        let is_alive = matches!(found, Found::Alive { .. });
        if is_alive {
            out.push(SlotEffect::KillAll { process });
        }
        if self.reports.contains_key(&process) {
            return;
        }
        let Some(Owner { job, index }) = owner else {
            out.extend((!is_alive).then_some(SlotEffect::Forget { process }));
            return;
        };
        let lost = Some(Reason::LedgerMissing);
        let (start, end, lost) = match found {
            Found::Alive { start, .. } => (Some(start), None, lost),
            Found::Vanished { start } => (start, None, lost),
            Found::Ended { start, end } => (start, Some(end), None),
            Found::NeverStarted => {
                let end = End::not_started(now.center, Reason::AgentRestarted, String::new());
                (None, Some(end), None)
            }
        };
        let report = ProcessReport {
            process,
            job,
            job_version: 0,
            index,
            start,
            end,
            lost,
        };
        self.keep_report(report, out);
    }
}
