//! What must hold, judged by what truly happens and not by what the book believes.

use std::time::Duration;

use cronfleet_core::id::{JobId, ProcessId};
use cronfleet_core::order::StopCause;

use super::host::launch_of;
use super::life::Stage;
use super::world::World;

/// Violations kept.
const VIOLATIONS_MAX: usize = 10;

impl World {
    fn violated(&mut self, what: String) {
        if self.outcome.violations.len() < VIOLATIONS_MAX {
            let at = self.now;
            self.outcome.violations.push(format!("{at} ms: {what}"));
        }
    }

    /// Never two live processes in a slot.
    pub(super) fn check_alone(&mut self, key: (JobId, u32)) {
        let live = self
            .processes
            .values()
            .filter(|one| (one.job, one.index) == key && one.since().is_some());
        if live.count() > 1 {
            self.violated(format!("slot {} has two live processes", key.1));
        }
    }

    /// A process that serves is about to be stopped to be replaced: enough others must have been found ready.
    pub(super) fn check_replacing(&mut self, process: ProcessId, cause: StopCause) {
        let is_replacing = match cause {
            StopCause::Replaced | StopCause::Recycled => true,
            StopCause::Kill => !self.is_single_restart,
            StopCause::Timeout
            | StopCause::Shutdown
            | StopCause::ScaledDown
            | StopCause::Unhealthy
            | StopCause::NotReady => false,
        };
        let Some(one) = self.processes.get(&process).cloned() else {
            return;
        };
        let boot = self.boot_now();
        let Some(order) = self.true_order(one.job).filter(|_| is_replacing) else {
            return;
        };
        if !self.is_known_ready(process, boot) || self.is_doubtful(process, boot) {
            return;
        }
        self.outcome.replaced += 1;
        let others = self.processes.iter().filter(|(id, other)| {
            **id != process
                && other.job == one.job
                && other.index < order.processes
                && !other.is_asked
                && self.is_known_ready(**id, boot)
        });
        let (others, wanted) = (others.count(), order.processes);
        let least = wanted.saturating_sub(order.policy.max_unavailable);
        // A slot that is over on purpose does not count: none is here.
        if others < least as usize {
            self.violated(format!(
                "only {others} of {wanted} serve while slot {} is replaced ({cause:?})",
                one.index
            ));
        }
    }

    /// Whether a process that says it is ready may be one of many that crash soon: its slot has failed so often that it is in a crash
    /// loop, and the process has not been up for the whole window.
    ///
    /// Nobody can rely on such a process, and whoever saves a better version waits for it to come: it may be replaced at once,
    /// whatever `max_unavailable` says (`docs/daemons.md`, Replacing).
    fn is_doubtful(&self, process: ProcessId, boot: Duration) -> bool {
        let Some(one) = self.processes.get(&process) else {
            return false;
        };
        let Some(order) = self.true_order(one.job) else {
            return false;
        };
        let since = match one.stage {
            Stage::Alive { since } | Stage::Over { since, .. } => since,
            Stage::Arming => return false,
        };
        let failures = self.failures.get(&(one.job, one.index)).copied();
        failures.unwrap_or(0) >= order.policy.crash_loop_failures
            && since + order.policy.crash_loop_window > boot
    }

    /// Counts the end of a process that failed, or forgets its slot's failures after one that was up for the whole window. Failures
    /// that the book forgives for other reasons stay counted: the checker then doubts for longer.
    pub(super) fn note_end(&mut self, process: ProcessId) {
        let boot = self.boot_now();
        let Some(one) = self.processes.get(&process) else {
            return;
        };
        let (Some(since), Some(policy)) = (one.since(), self.policies.get(&one.job)) else {
            return;
        };
        let was_never_ready = policy.readiness.is_some() && !one.was_found_ready;
        let has_failed = !one.is_asked || one.is_ill || was_never_ready;
        let failures = self.failures.entry((one.job, one.index)).or_default();
        if since + policy.crash_loop_window <= boot {
            *failures = 0;
        } else if has_failed {
            *failures = failures.saturating_add(1);
        }
    }

    /// Whether the agent was told, truly, that a process is ready, has written it down, and has not yet heard of its end.
    fn is_known_ready(&self, process: ProcessId, boot: Duration) -> bool {
        let Some(one) = self.processes.get(&process) else {
            return false;
        };
        let Some(order) = self.true_order(one.job) else {
            return false;
        };
        let since = match one.stage {
            Stage::Alive { since } | Stage::Over { since, .. } => since,
            Stage::Arming => return false,
        };
        let is_answered =
            order.policy.readiness.is_none() || (one.was_found_ready && one.is_ready_on_record);
        is_answered && since + order.policy.start_period <= boot
    }

    /// Everything has healed: each wanted slot has one live process of the wanted version, and nothing else lives.
    pub(super) fn check_end(&mut self) {
        let orders = self.wanted.clone();
        for order in &orders {
            for index in 0..order.processes {
                let versions: Vec<u32> = self
                    .processes
                    .values()
                    .filter(|one| (one.job, one.index) == (order.job, index))
                    .filter(|one| one.since().is_some())
                    .map(|one| one.launch)
                    .collect();
                if versions != [launch_of(order)] {
                    self.violated(format!(
                        "slot {index} ends with {versions:?}, not with version {}",
                        launch_of(order)
                    ));
                }
            }
        }
        let is_wanted = |job: JobId, index: u32| {
            orders
                .iter()
                .any(|order| order.job == job && index < order.processes)
        };
        let strangers = self
            .processes
            .values()
            .filter(|one| one.since().is_some() && !is_wanted(one.job, one.index))
            .count();
        if strangers > 0 {
            self.violated(format!("{strangers} processes live that nobody wants"));
        }
    }
}
