//! One slot and the life in it.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use super::watch::{Watch, too_old_at};
use crate::id::{JobId, ProcessId};
use crate::job::{DaemonSpec, StopPolicy};
use crate::life::{Now, Stopping};
use crate::order::{
    ExitStatus, Next, NextStep, ProbeReport, SlotReport, SlotState, Start, StopCause,
};
use crate::plan::later;
use crate::record::{LaunchDigest, LifeStarted};

/// Place of a slot: job and index.
pub(super) type SlotKey = (JobId, u32);

/// One life of the command.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub(super) process: ProcessId,
    pub(super) job_version: u32,
    pub(super) launch: LaunchDigest,
    pub(super) stop: StopPolicy,
    /// Its start, and the same instant as time since boot.
    pub(super) start: Option<(Start, Duration)>,
    /// Why it was asked to stop, on record.
    pub(super) asked: Option<StopCause>,
    /// The stop under way.
    pub(super) stopping: Option<Stopping>,
    /// Why it is to be replaced when its turn comes, though what it runs is still wanted.
    pub(super) replace_for: Option<StopCause>,
    /// What probes say about it.
    pub(super) watch: Watch,
}

impl Life {
    /// A life that is about to start, or was.
    pub(super) const fn new(started: &LifeStarted) -> Self {
        Self {
            process: started.process,
            job_version: started.job_version,
            launch: started.launch,
            stop: started.stop,
            start: None,
            asked: None,
            stopping: None,
            replace_for: None,
            watch: Watch::new(false, Duration::ZERO),
        }
    }
}

/// What an outdated life waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Others serve again.
    Waits,
    /// Fresh ones are in a crash loop no longer.
    Halted,
}

/// What a slot without a life does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// Starts.
    Ready,
    /// Starts at this time since boot.
    Until {
        /// Since boot.
        boot: Duration,
        /// The same instant on the center's clock, for people.
        center: Timestamp,
    },
    /// Ended in a way after which it is not started again.
    Finished,
    /// Denied by the agent's policy: rests until that or the job changes.
    Denied,
}

/// Place i of N of a daemon job on this agent.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) life: Option<Life>,
    pub(super) rest: Rest,
    /// Failures in a row, none of them after a good uptime.
    pub(super) streak: u32,
    /// When it failed lately, since boot; at most as many as make a crash loop.
    pub(super) failures: VecDeque<Duration>,
    pub(super) is_crash_loop: bool,
    pub(super) restarts: u64,
    /// The last process and the version it followed.
    pub(super) last: Option<(ProcessId, u32)>,
    pub(super) last_start: Option<Start>,
    pub(super) last_end: Option<ExitStatus>,
    /// What its outdated life waits for.
    pub(super) turn: Option<Turn>,
    /// What was shown last, and since when that state.
    pub(super) shown: SlotState,
    pub(super) since: Timestamp,
    pub(super) shown_next: Option<Next>,
    pub(super) shown_probe: Option<ProbeReport>,
    /// When the book looks at it again, since boot.
    pub(super) alarm: Option<Duration>,
}

impl Slot {
    pub(super) const fn new(since: Timestamp) -> Self {
        Self {
            life: None,
            rest: Rest::Ready,
            streak: 0,
            failures: VecDeque::new(),
            is_crash_loop: false,
            restarts: 0,
            last: None,
            last_start: None,
            last_end: None,
            turn: None,
            shown: SlotState::Stopped,
            since,
            shown_next: None,
            shown_probe: None,
            alarm: None,
        }
    }

    /// Forgives everything: it starts as if for the first time.
    pub(super) fn forgive(&mut self) {
        self.streak = 0;
        self.failures.clear();
        self.is_crash_loop = false;
        self.rest = Rest::Ready;
    }

    /// When its life counts as running, since boot; `None` if time alone does not make it so.
    fn proven_at(&self, policy: Option<&DaemonSpec>) -> Option<Duration> {
        let life = self.life.as_ref()?;
        let (_, start) = life.start?;
        if !life.watch.is_ready {
            return life.watch.ready_at(policy?, start);
        }
        let window = policy
            .filter(|_| self.is_crash_loop)
            .map_or(Duration::ZERO, |policy| policy.crash_loop_window);
        Some(start.saturating_add(window))
    }

    /// Its state at a time since boot; without a policy if its job is not wanted any more.
    pub(super) fn state(&self, policy: Option<&DaemonSpec>, boot: Duration) -> SlotState {
        let Some(life) = &self.life else {
            return match self.rest {
                Rest::Finished => SlotState::Stopped,
                Rest::Denied => SlotState::CrashLoop,
                Rest::Ready | Rest::Until { .. } if self.is_crash_loop => SlotState::CrashLoop,
                Rest::Ready => SlotState::Starting,
                Rest::Until { .. } => SlotState::Backoff,
            };
        };
        let is_proven = life.watch.is_ready && self.proven_at(policy).is_some_and(|at| at <= boot);
        if life.asked.is_some() {
            SlotState::Stopping
        } else if is_proven {
            SlotState::Running
        } else if self.is_crash_loop {
            SlotState::CrashLoop
        } else {
            SlotState::Starting
        }
    }

    /// When it has something to do, since boot. What was due until `boot` is done.
    pub(super) fn next_alarm(
        &self,
        policy: Option<&DaemonSpec>,
        boot: Duration,
    ) -> Option<Duration> {
        let Some(life) = &self.life else {
            return match self.rest {
                Rest::Until { boot, .. } => Some(boot),
                Rest::Ready | Rest::Finished | Rest::Denied => None,
            };
        };
        if let Some(stopping) = &life.stopping {
            return Some(stopping.next_kill);
        }
        life.start?;
        let probe = policy.and_then(|policy| life.watch.ask_at(policy));
        let times = [
            self.proven_at(policy),
            policy.and_then(|policy| life.watch.ready_by(policy)),
            probe.map(|(at, _)| at),
            policy.and_then(|policy| too_old_at(policy, life)),
        ];
        times.into_iter().flatten().filter(|at| *at > boot).min()
    }

    /// What comes next by itself, on the center's clock.
    pub(super) fn next(&self, policy: Option<&DaemonSpec>, now: Now) -> Option<Next> {
        let at = |boot: Duration| Some(later(now.center, boot.saturating_sub(now.boot)));
        let next = |step, at| Some(Next { step, at });
        let Some(life) = &self.life else {
            return match self.rest {
                Rest::Until { center, .. } => next(NextStep::Start, Some(center)),
                Rest::Ready | Rest::Finished | Rest::Denied => None,
            };
        };
        if let Some(stopping) = &life.stopping {
            return next(NextStep::Kill, at(stopping.next_kill));
        }
        match self.turn.filter(|_| life.asked.is_none()) {
            Some(Turn::Waits) => return next(NextStep::Replace, None),
            Some(Turn::Halted) => return next(NextStep::ReplaceHalted, None),
            None => {}
        }
        let policy = policy.filter(|_| life.start.is_some())?;
        if let Some(by) = life.watch.ready_by(policy) {
            return next(NextStep::Ready, at(by));
        }
        next(NextStep::Recycle, at(too_old_at(policy, life)?))
    }

    /// What the center is told. `wanted` is the wanted version and what it runs.
    pub(super) fn report(&self, key: SlotKey, wanted: Option<(u32, LaunchDigest)>) -> SlotReport {
        let retry_at = match (&self.life, self.rest) {
            (None, Rest::Until { center, .. }) => Some(center),
            (_, Rest::Ready | Rest::Until { .. } | Rest::Finished | Rest::Denied) => None,
        };
        let (process, job_version, start) = match &self.life {
            Some(life) => {
                let followed = wanted
                    .filter(|(_, launch)| *launch == life.launch)
                    .map_or(life.job_version, |(v, _)| v);
                (
                    Some(life.process),
                    followed,
                    life.start.map(|(start, _)| start),
                )
            }
            None => {
                let never = wanted.map_or(0, |(version, _)| version);
                let (process, followed) = self
                    .last
                    .map_or((None, never), |(process, v)| (Some(process), v));
                (process, followed, self.last_start)
            }
        };
        SlotReport {
            job: key.0,
            index: key.1,
            state: self.shown,
            since: self.since,
            job_version,
            process,
            start,
            last_end: self.last_end.clone(),
            restarts: self.restarts,
            retry_at,
            probe: self.shown_probe.clone(),
            next: self.shown_next,
        }
    }
}
