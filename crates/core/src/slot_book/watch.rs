//! What is asked of a life while it runs: whether it serves yet, whether it still does, whether it has become too old.

use std::time::Duration;

use super::book::{Draws, SlotBook};
use super::io::SlotEffect;
use super::slot::{Life, SlotKey};
use crate::id::ProcessId;
use crate::job::{DaemonSpec, Probe};
use crate::life::Now;
use crate::order::{ProbeKind, ProbeReport, StopCause};
use crate::record::Record;

/// Part of the maximum age by which a process may be recycled early: a fifth.
const EARLY_MAX: f64 = 0.2;

/// What probes say about a life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Watch {
    /// Whether it was found ready. It stays so.
    pub(super) is_ready: bool,
    /// When it was taken up or became ready, since boot: the delay before the first probe counts from here.
    since: Duration,
    /// When the last probe was asked for, since boot.
    asked_at: Option<Duration>,
    /// The probe under way.
    awaited: Option<ProbeKind>,
    /// Good answers in a row.
    successes: u32,
    /// Bad answers that count.
    failures: u32,
    last: Option<ProbeReport>,
}

impl Watch {
    /// Of a life taken up at a time since boot.
    pub(super) const fn new(is_ready: bool, since: Duration) -> Self {
        Self {
            is_ready,
            since,
            asked_at: None,
            awaited: None,
            successes: 0,
            failures: 0,
            last: None,
        }
    }

    /// The answer to the last probe.
    pub(super) fn last(&self) -> Option<&ProbeReport> {
        self.last.as_ref()
    }

    /// When a life that started at `start` counts as ready by time alone; `None` if that is not enough.
    pub(super) fn ready_at(&self, policy: &DaemonSpec, start: Duration) -> Option<Duration> {
        let is_answered = policy
            .readiness
            .as_ref()
            .is_none_or(|readiness| self.successes >= readiness.successes);
        (!self.is_ready && is_answered).then(|| start.saturating_add(policy.start_period))
    }

    /// When it has failed to become ready.
    pub(super) fn ready_by(&self, policy: &DaemonSpec) -> Option<Duration> {
        let readiness = policy.readiness.as_ref().filter(|_| !self.is_ready)?;
        Some(self.since.saturating_add(readiness.start_timeout))
    }

    /// When to ask next, and what for.
    pub(super) fn ask_at(&self, policy: &DaemonSpec) -> Option<(Duration, ProbeKind)> {
        let (kind, probe) = self.probe(policy).filter(|_| self.awaited.is_none())?;
        let at = match self.asked_at {
            None => self.since.saturating_add(probe.initial_delay),
            Some(asked) => asked.saturating_add(probe.period),
        };
        Some((at, kind))
    }

    fn probe<'a>(&self, policy: &'a DaemonSpec) -> Option<(ProbeKind, &'a Probe)> {
        if self.is_ready {
            let health = policy.health.as_ref()?;
            return Some((ProbeKind::Health, &health.probe));
        }
        let readiness = policy.readiness.as_ref()?;
        (self.successes < readiness.successes).then_some((ProbeKind::Readiness, &readiness.probe))
    }

    fn is_sick(&self, policy: &DaemonSpec) -> bool {
        let health = policy.health.as_ref().filter(|_| self.is_ready);
        health.is_some_and(|health| self.failures >= health.failures)
    }

    fn become_ready(&mut self, boot: Duration) {
        *self = Self {
            last: self.last.take(),
            ..Self::new(true, boot)
        };
    }

    /// Takes in an answer; `Err` says what was wrong.
    fn answer(&mut self, policy: &DaemonSpec, kind: ProbeKind, answer: Result<(), String>) {
        if self.awaited != Some(kind) {
            return;
        }
        self.awaited = None;
        let detail = match answer {
            Ok(()) => {
                self.successes = self.successes.saturating_add(1);
                String::new()
            }
            Err(detail) => {
                self.successes = 0;
                detail
            }
        };
        let is_ok = self.successes > 0;
        if kind == ProbeKind::Health {
            let forgives = policy
                .health
                .as_ref()
                .is_none_or(|health| self.successes >= health.successes);
            if !is_ok {
                self.failures = self.failures.saturating_add(1);
            } else if forgives {
                self.failures = 0;
            }
        }
        self.last = Some(ProbeReport {
            kind,
            is_ok,
            failures: self.failures,
            detail,
        });
    }
}

/// How old a process may become: the maximum, or up to a fifth less. Always the same for a process.
pub(super) fn age_max(max_age: Duration, process: ProcessId) -> Duration {
    let (_, low) = process.as_uuid().as_u64_pair();
    // The highest bits name the kind of id.
    let share = f64::from((low >> 16) as u32) / (f64::from(u32::MAX) + 1.0);
    max_age.mul_f64(1.0 - EARLY_MAX * share)
}

/// When a life becomes too old, since boot.
pub(super) fn too_old_at(policy: &DaemonSpec, life: &Life) -> Option<Duration> {
    let (_, start) = life.start?;
    let max_age = policy
        .recycle
        .max_age
        .filter(|_| life.replace_for.is_none())?;
    Some(start.saturating_add(age_max(max_age, life.process)))
}

impl SlotBook {
    /// Does what probes and age ask for in a slot now.
    pub(super) fn tend(&mut self, now: Now, key: SlotKey, out: &mut Vec<SlotEffect>) {
        let Some(wanted) = self.jobs.get(&key.0) else {
            return;
        };
        let policy = &wanted.order.policy;
        let Some(life) = self.slots.get_mut(&key).and_then(|slot| slot.life.as_mut()) else {
            return;
        };
        let (Some((_, start)), None) = (life.start, life.asked) else {
            return;
        };
        let is_past = |at: Option<Duration>| at.is_some_and(|at| at <= now.boot);
        if is_past(life.watch.ready_at(policy, start)) {
            life.watch.become_ready(now.boot);
            if policy.readiness.is_some() {
                out.push(SlotEffect::Append(Record::LifeReady {
                    process: life.process,
                }));
            }
        }
        if is_past(too_old_at(policy, life)) {
            life.replace_for = Some(StopCause::Recycled);
        }
        let failed = if life.watch.is_sick(policy) {
            Some(StopCause::Unhealthy)
        } else if is_past(life.watch.ready_by(policy)) {
            Some(StopCause::NotReady)
        } else {
            None
        };
        if self.is_closing {
            return;
        }
        if let Some(cause) = failed {
            self.ask_to_stop(now, key, cause, out);
        } else if let Some((_, kind)) = life.watch.ask_at(policy).filter(|(at, _)| *at <= now.boot)
        {
            life.watch.asked_at = Some(now.boot);
            life.watch.awaited = Some(kind);
            out.push(SlotEffect::Probe {
                process: life.process,
                job: key.0,
                index: key.1,
                kind,
            });
        }
    }

    /// A probe was answered.
    pub(super) fn probed(
        &mut self,
        now: Now,
        draws: Draws<'_>,
        process: ProcessId,
        kind: ProbeKind,
        answer: Result<(), String>,
        out: &mut Vec<SlotEffect>,
    ) {
        let Some(key) = self.by_process.get(&process).copied() else {
            return;
        };
        let Some(wanted) = self.jobs.get(&key.0) else {
            return;
        };
        if let Some(life) = self.slots.get_mut(&key).and_then(|slot| slot.life.as_mut()) {
            life.watch.answer(&wanted.order.policy, kind, answer);
        }
        self.show(now, key, out);
        self.steer(now, draws, key.0, out);
    }

    /// The memory of a process and its descendants was measured.
    pub(super) fn measured(
        &mut self,
        now: Now,
        draws: Draws<'_>,
        process: ProcessId,
        memory_bytes: u64,
        out: &mut Vec<SlotEffect>,
    ) {
        let Some(key) = self.by_process.get(&process).copied() else {
            return;
        };
        let limit = self
            .jobs
            .get(&key.0)
            .and_then(|wanted| wanted.order.policy.recycle.max_memory_bytes);
        let is_too_large = limit.is_some_and(|limit| memory_bytes > limit);
        if is_too_large && self.ask_to_replace(key, StopCause::Recycled, out) {
            self.steer(now, draws, key.0, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_spread_over_the_last_fifth() {
        let hour = Duration::from_secs(3_600);
        let ages: Vec<Duration> = (0..16_u128)
            .map(|n| {
                // The version and variant of a random id stay as they are.
                let id = 0x4000_8000_0000_0000_0000_u128 | (n << 44);
                age_max(hour, ProcessId::from_u128(id))
            })
            .collect();
        assert!(
            ages.iter()
                .all(|age| *age > hour.mul_f64(0.79) && *age <= hour)
        );
        let mut different = ages.clone();
        different.sort_unstable();
        different.dedup();
        assert!(different.len() > 8, "{ages:?}");
    }
}
