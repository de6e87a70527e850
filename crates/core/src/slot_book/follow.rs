//! What became of lives: starts, ends, failures, backoff, crash loops.

use std::time::Duration;

use super::book::{Draws, SlotBook};
use super::io::SlotEffect;
use super::slot::{Life, Rest, Slot, SlotKey};
use crate::id::ProcessId;
use crate::job::{DaemonSpec, Restart};
use crate::life::Now;
use crate::order::{End, ExitStatus, ProcessReport, Start, StopCause};
use crate::order_book::not_started;
use crate::plan::later;
use crate::record::Record;
use crate::run::Reason;

/// How a life ended, as far as its slot cares.
enum Over {
    /// With exit status 0.
    Well,
    /// Some other way, or nobody knows.
    Badly,
    /// It cannot be started at all, and will not be the next time either.
    Hopeless,
    /// The agent's policy denied it.
    Denied,
}

impl SlotBook {
    pub(super) fn started(
        &mut self,
        now: Now,
        draws: Draws<'_>,
        process: ProcessId,
        start: Start,
        boot: Duration,
        out: &mut Vec<SlotEffect>,
    ) {
        let Some(key) = self.by_process.get(&process).copied() else {
            return;
        };
        let Some(slot) = self.slots.get_mut(&key) else {
            return;
        };
        let Some(life) = slot.life.as_mut() else {
            return;
        };
        if life.start.is_some() {
            return;
        }
        life.start = Some((start, boot));
        slot.last_start = Some(start);
        out.push(SlotEffect::ReportSlot {
            job: key.0,
            index: key.1,
        });
        // The stop was said before there was anything to stop.
        self.begin_stop(now, key, out);
        self.show(now, key, out);
        self.steer(now, draws, key.0, out);
    }

    pub(super) fn start_failed(
        &mut self,
        now: Now,
        draws: Draws<'_>,
        process: ProcessId,
        reason: Reason,
        detail: String,
        out: &mut Vec<SlotEffect>,
    ) {
        self.ended(
            now,
            draws,
            process,
            None,
            not_started(now.center, reason, detail),
            out,
        );
    }

    pub(super) fn ended(
        &mut self,
        now: Now,
        draws: Draws<'_>,
        process: ProcessId,
        start: Option<Start>,
        mut end: End,
        out: &mut Vec<SlotEffect>,
    ) {
        let Some((key, life)) = self.take_life(process) else {
            self.forget_unknown(process, out);
            return;
        };
        end.stopped_for = life.asked.or(end.stopped_for);
        let over = match &end.status {
            ExitStatus::Exited(0) => Over::Well,
            ExitStatus::NotStarted {
                reason: Reason::SpawnFailed,
                ..
            }
            | ExitStatus::Exited(_)
            | ExitStatus::Signalled { .. } => Over::Badly,
            ExitStatus::NotStarted {
                reason: Reason::PolicyDenied,
                ..
            } => Over::Denied,
            ExitStatus::NotStarted { .. } => Over::Hopeless,
        };
        let uptime = end.duration;
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.last_end = Some(end.status.clone());
        }
        self.report_end(key, &life, start, Some(end), None, out);
        self.settle(now, draws, key, &life, over, uptime, out);
    }

    pub(super) fn never_started(
        &mut self,
        now: Now,
        draws: Draws<'_>,
        process: ProcessId,
        out: &mut Vec<SlotEffect>,
    ) {
        let Some((key, life)) = self.take_life(process) else {
            self.forget_unknown(process, out);
            return;
        };
        out.push(SlotEffect::Append(Record::LifeForgotten { process }));
        out.push(SlotEffect::Forget { process });
        self.settle(now, draws, key, &life, Over::Badly, Duration::ZERO, out);
    }

    pub(super) fn vanished(
        &mut self,
        now: Now,
        draws: Draws<'_>,
        process: ProcessId,
        start: Option<Start>,
        out: &mut Vec<SlotEffect>,
    ) {
        let Some((key, life)) = self.take_life(process) else {
            self.forget_unknown(process, out);
            return;
        };
        let is_known = start.is_some() || life.start.is_some();
        let reason = if is_known {
            Reason::ExitUnknown
        } else {
            Reason::AgentCrashed
        };
        let uptime = life
            .start
            .map_or(Duration::ZERO, |(_, boot)| now.boot.saturating_sub(boot));
        self.report_end(key, &life, start, None, Some(reason), out);
        self.settle(now, draws, key, &life, Over::Badly, uptime, out);
    }

    /// The center has stored an end.
    pub(super) fn acked(&mut self, process: ProcessId, out: &mut Vec<SlotEffect>) {
        if self.reports.remove(&process).is_some() {
            self.reports_by_age.retain(|other| *other != process);
            out.push(SlotEffect::Append(Record::LifeForgotten { process }));
            out.push(SlotEffect::Forget { process });
        }
    }

    pub(super) fn shut_down(&mut self, now: Now, with_processes: bool, out: &mut Vec<SlotEffect>) {
        self.is_closing = true;
        let keys: Vec<SlotKey> = self.slots.keys().copied().collect();
        for key in keys {
            if with_processes {
                self.ask_to_stop(now, key, StopCause::Shutdown, out);
            }
            self.show(now, key, out);
        }
    }

    /// A record of the process could not be written.
    pub(super) fn ledger_failed(
        &mut self,
        now: Now,
        draws: Draws<'_>,
        process: ProcessId,
        out: &mut Vec<SlotEffect>,
    ) {
        let Some(key) = self.by_process.get(&process).copied() else {
            return;
        };
        let Some(life) = self.slots.get_mut(&key).and_then(|slot| slot.life.as_mut()) else {
            return;
        };
        if life.start.is_none() && life.asked.is_none() {
            // It was never handed to the host.
            if let Some((key, life)) = self.take_life(process) {
                self.settle(now, draws, key, &life, Over::Badly, Duration::ZERO, out);
            }
        } else {
            // That somebody asked could not be written; the stop itself goes on all the same.
            self.begin_stop(now, key, out);
            self.show(now, key, out);
        }
    }

    fn take_life(&mut self, process: ProcessId) -> Option<(SlotKey, Life)> {
        let key = self.by_process.remove(&process)?;
        Some((key, self.slots.get_mut(&key)?.life.take()?))
    }

    /// Lets go of what is left of a process that no ledger knew.
    fn forget_unknown(&self, process: ProcessId, out: &mut Vec<SlotEffect>) {
        if !self.reports.contains_key(&process) {
            out.push(SlotEffect::Forget { process });
        }
    }

    /// Keeps the report of an end until it is acknowledged, and gives up the oldest if there are too many.
    pub(super) fn report_end(
        &mut self,
        key: SlotKey,
        life: &Life,
        start: Option<Start>,
        end: Option<End>,
        lost: Option<Reason>,
        out: &mut Vec<SlotEffect>,
    ) {
        let process = life.process;
        let report = ProcessReport {
            process,
            job: key.0,
            job_version: life.job_version,
            index: key.1,
            start: start.or(life.start.map(|(start, _)| start)),
            end,
            lost,
        };
        out.push(SlotEffect::Append(Record::LifeEnded(Box::new(
            report.clone(),
        ))));
        out.push(SlotEffect::ReportProcess { process });
        self.reports.insert(process, report);
        self.reports_by_age.push_back(process);
        while self.reports_by_age.len() > self.limits.reports_max {
            if let Some(oldest) = self.reports_by_age.front().copied() {
                self.acked(oldest, out);
            }
        }
    }

    /// Decides what a slot does after the end of its life.
    #[expect(
        clippy::too_many_arguments,
        reason = "all of them are what is known about one end"
    )]
    fn settle(
        &mut self,
        now: Now,
        draws: Draws<'_>,
        key: SlotKey,
        life: &Life,
        over: Over,
        uptime: Duration,
        out: &mut Vec<SlotEffect>,
    ) {
        let limits = self.limits;
        let Some(slot) = self.slots.get_mut(&key) else {
            return;
        };
        let same = self
            .jobs
            .get(&key.0)
            .filter(|wanted| life.asked.is_none() && wanted.launch == life.launch);
        let Some(policy) = same.map(|wanted| wanted.order.policy) else {
            slot.forgive();
            self.show_end(now, draws, key, out);
            return;
        };
        if matches!(over, Over::Well) && policy.restart == Restart::OnFailure {
            slot.forgive();
            slot.rest = Rest::Finished;
            let finished = Record::SlotFinished {
                job: key.0,
                index: key.1,
                launch: life.launch,
            };
            out.push(SlotEffect::Append(finished));
        } else if matches!(over, Over::Denied) {
            slot.forgive();
            slot.rest = Rest::Denied;
        } else {
            let good_uptime = limits.good_uptime.max(policy.start_period);
            let wait = slot.fail(&policy, now.boot, uptime, good_uptime, &over, unit(draws()));
            let (boot, center) = (now.boot.saturating_add(wait), later(now.center, wait));
            slot.rest = Rest::Until { boot, center };
        }
        self.show_end(now, draws, key, out);
    }

    fn show_end(&mut self, now: Now, draws: Draws<'_>, key: SlotKey, out: &mut Vec<SlotEffect>) {
        self.show(now, key, out);
        out.push(SlotEffect::ReportSlot {
            job: key.0,
            index: key.1,
        });
        self.steer(now, draws, key.0, out);
    }
}

impl Slot {
    /// Counts a failure and gives the wait before the next start.
    fn fail(
        &mut self,
        policy: &DaemonSpec,
        boot: Duration,
        uptime: Duration,
        good_uptime: Duration,
        over: &Over,
        draw: f64,
    ) -> Duration {
        if uptime >= good_uptime {
            self.streak = 0;
        }
        // The first failure of what had been running is put right at once.
        let failures = self.streak + u32::from(uptime < policy.start_period);
        self.streak = self.streak.saturating_add(1);
        self.failures.push_back(boot);
        while self
            .failures
            .front()
            .is_some_and(|at| at.saturating_add(policy.crash_loop_window) < boot)
        {
            self.failures.pop_front();
        }
        let is_too_often = self.failures.len() >= policy.crash_loop_failures as usize;
        self.is_crash_loop = self.is_crash_loop || is_too_often || matches!(over, Over::Hopeless);
        while self.failures.len() > policy.crash_loop_failures as usize {
            self.failures.pop_front();
        }
        policy.backoff.wait(
            if self.is_crash_loop {
                u32::MAX
            } else {
                failures
            },
            draw,
        )
    }
}

/// A uniform number in `[0, 1)` from 64 uniform bits.
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}
