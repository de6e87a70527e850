//! What became of lives: starts, ends, failures, backoff, crash loops.

use std::time::Duration;

use super::book::{Draws, SlotBook};
use super::io::SlotEffect;
use super::slot::{Life, Rest, Slot, SlotKey};
use super::watch::{Watch, age_max};
use crate::id::ProcessId;
use crate::job::{DaemonSpec, Restart, WELL_UPTIME_MIN};
use crate::life::Now;
use crate::order::{End, ExitStatus, ProcessReport, Start, StopCause};
use crate::plan::later;
use crate::record::Record;
use crate::run::Reason;

/// How a life ended, as far as its slot cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// It ran; with its exit status, if it exited and that is known.
    Ran(Option<i32>),
    /// It did not run.
    NotStarted,
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
        life.watch = Watch::new(false, boot);
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
            End::not_started(now.center, reason, detail),
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
            ExitStatus::Exited(code) => Over::Ran(Some(*code)),
            ExitStatus::Signalled { .. } => Over::Ran(None),
            ExitStatus::NotStarted {
                reason: Reason::SpawnFailed,
                ..
            } => Over::NotStarted,
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
        // The center may have heard of it while it was being prepared.
        let detail = "given up before the start".to_owned();
        self.start_failed(now, draws, process, Reason::SpawnFailed, detail, out);
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
        self.settle(now, draws, key, &life, Over::Ran(None), uptime, out);
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
            // It was never handed to the host, and nobody is to hear of it.
            if let Some((key, life)) = self.take_life(process) {
                if let Some(slot) = self.slots.get_mut(&key) {
                    slot.last = None;
                }
                self.settle(
                    now,
                    draws,
                    key,
                    &life,
                    Over::NotStarted,
                    Duration::ZERO,
                    out,
                );
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

    /// Reports the end of a life.
    pub(super) fn report_end(
        &mut self,
        key: SlotKey,
        life: &Life,
        start: Option<Start>,
        end: Option<End>,
        lost: Option<Reason>,
        out: &mut Vec<SlotEffect>,
    ) {
        let report = ProcessReport {
            process: life.process,
            job: key.0,
            job_version: life.job_version,
            index: key.1,
            start: start.or(life.start.map(|(start, _)| start)),
            end,
            lost,
        };
        self.keep_report(report, out);
    }

    /// Keeps the report of an end until it is acknowledged, and gives up the oldest if there are too many.
    pub(super) fn keep_report(&mut self, report: ProcessReport, out: &mut Vec<SlotEffect>) {
        let process = report.process;
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
        let Some(slot) = self.slots.get_mut(&key) else {
            return;
        };
        let good_uptime = self.limits.good_uptime;
        let same = self.jobs.get(&key.0).filter(|wanted| {
            let policy = &wanted.order.policy;
            let has_failed = life.has_failed(policy, uptime, good_uptime);
            (life.asked.is_none() || has_failed) && wanted.launch == life.launch
        });
        let Some(policy) = same.map(|wanted| &wanted.order.policy) else {
            slot.forgive();
            self.show_end(now, draws, key, out);
            return;
        };
        let is_well =
            life.asked.is_none() && matches!(over, Over::Ran(Some(code)) if policy.expects(code));
        let is_finished = match policy.restart {
            Restart::Always => false,
            Restart::OnFailure => is_well,
            Restart::Never => {
                matches!(over, Over::Ran(_)) && life.asked != Some(StopCause::Recycled)
            }
        };
        if is_finished {
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
            // One that never became ready was never up.
            let is_proven = life.watch.is_ready || policy.readiness.is_none();
            let uptime = if is_proven { uptime } else { Duration::ZERO };
            let is_on_purpose = is_well && !slot.is_crash_loop;
            let wait = if is_on_purpose && uptime >= policy.start_period.max(WELL_UPTIME_MIN) {
                slot.streak = 0;
                Duration::ZERO
            } else {
                let good_uptime = good_uptime.max(policy.start_period);
                slot.fail(policy, now.boot, uptime, good_uptime, over, unit(draws()))
            };
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

impl Life {
    /// Whether it was stopped for a failure of its own. What was stopped for another reason just starts again.
    fn has_failed(&self, policy: &DaemonSpec, uptime: Duration, good_uptime: Duration) -> bool {
        match self.asked {
            Some(StopCause::Unhealthy | StopCause::NotReady) => true,
            // One that grows too large at once, again and again, has to wait like one that crashes.
            Some(StopCause::Recycled) => {
                let is_old = policy
                    .recycle
                    .max_age
                    .is_some_and(|max_age| uptime >= age_max(max_age, self.process));
                !is_old && uptime < good_uptime
            }
            Some(
                StopCause::Kill
                | StopCause::Timeout
                | StopCause::Shutdown
                | StopCause::ScaledDown
                | StopCause::Replaced,
            )
            | None => false,
        }
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
        over: Over,
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
        let is_too_often = self.failures.len() >= policy.crash_loop_failures as usize
            || self.streak >= policy.crash_loop_failures;
        self.is_crash_loop = self.is_crash_loop || is_too_often || over == Over::Hopeless;
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
