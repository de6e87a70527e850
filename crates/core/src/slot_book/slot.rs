//! One slot and the life in it.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use crate::id::{JobId, ProcessId};
use crate::job::{DaemonSpec, StopPolicy};
use crate::life::Stopping;
use crate::order::{ExitStatus, SlotReport, SlotState, Start, StopCause};
use crate::record::LaunchDigest;

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
    /// Whether somebody asked for its replacement.
    pub(super) is_to_be_replaced: bool,
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
    /// Ended well, and restarts on failure only.
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
    /// What was shown last, and since when.
    pub(super) shown: SlotState,
    pub(super) since: Timestamp,
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
            shown: SlotState::Stopped,
            since,
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

    /// How long its life must be up to count as running.
    fn proof(&self, policy: Option<&DaemonSpec>) -> Duration {
        let proof = |policy: &DaemonSpec| {
            if self.is_crash_loop {
                policy.crash_loop_window
            } else {
                policy.start_period
            }
        };
        policy.map_or(Duration::ZERO, proof)
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
        let is_proven = life
            .start
            .is_some_and(|(_, start)| start.saturating_add(self.proof(policy)) <= boot);
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

    /// When it has something to do, since boot.
    pub(super) fn next_alarm(
        &self,
        policy: Option<&DaemonSpec>,
        boot: Duration,
    ) -> Option<Duration> {
        match (&self.life, self.rest) {
            (
                Some(Life {
                    stopping: Some(stopping),
                    ..
                }),
                _,
            ) => Some(stopping.next_kill),
            (Some(life), _) => {
                let proven = life.start?.1.saturating_add(self.proof(policy));
                (proven > boot).then_some(proven)
            }
            (None, Rest::Until { boot, .. }) => Some(boot),
            (None, Rest::Ready | Rest::Finished | Rest::Denied) => None,
        }
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
        }
    }
}
