//! What the host does with what the book asks for.

use std::collections::BTreeMap;
use std::time::Duration;

use cronfleet_core::id::{JobId, ProcessId};
use cronfleet_core::job::StopSignal;
use cronfleet_core::life::Found;
use cronfleet_core::order::{ExitStatus, ProbeKind};
use cronfleet_core::run::Reason;
use cronfleet_core::slot_book::SlotInput;

use super::SlotMutant;
use super::life::{Process, Stage, end_of, start_of};
use super::world::{Event, READY_MAX, World};

impl World {
    /// Prepares a process; it starts a little later, or cannot.
    pub(super) fn launch(&mut self, process: ProcessId, job: JobId, index: u32) {
        let Some(launch) = self.book.wanted(job).map(|order| launch_of(order)) else {
            return;
        };
        let is_bad = self.is_faulty() && self.bad_launches.contains(&launch);
        let ready_after = Duration::from_millis(self.rng.range(0, READY_MAX) as u64);
        let life = Process {
            job,
            index,
            launch,
            stage: Stage::Arming,
            ready_after,
            is_deaf: self.is_faulty() && self.rng.chance(0.1),
            is_ill: false,
            was_found_ready: false,
            is_ready_on_record: false,
            is_asked: false,
        };
        self.processes.insert(process, life);
        let life = self.agent_life;
        if self.is_faulty() && self.rng.chance(0.03) {
            if self.mutant == Some(SlotMutant::DropsStarts) {
                return;
            }
            self.after(20, Event::StartFails { process, life });
            return;
        }
        let wait = self.rng.range(1, 400);
        self.after(wait, Event::Starts { process, life });
        if is_bad {
            let wait = wait + self.rng.range(1, 3_000);
            self.after(wait, Event::Exits { process, code: 1 });
        }
    }

    /// The agent's word to go arrives; without that agent nothing runs.
    pub(super) fn starts(&mut self, process: ProcessId, life: u32) {
        let boot = self.boot_now();
        let is_heard = self.is_up && self.agent_life == life;
        let Some(one) = self.processes.get_mut(&process) else {
            return;
        };
        if one.stage != Stage::Arming || !is_heard {
            return;
        }
        one.stage = Stage::Alive { since: boot };
        let key = (one.job, one.index);
        self.outcome.starts += 1;
        self.check_alone(key);
        // The agent may be killed before it hears of it.
        if self.is_faulty() && self.rng.chance(0.02) {
            return self.kill_agent();
        }
        self.feed(SlotInput::Started {
            process,
            start: start_of(boot),
            boot,
        });
    }

    pub(super) fn start_fails(&mut self, process: ProcessId, life: u32) {
        if !self.is_up || self.agent_life != life {
            return;
        }
        if let Some(one) = self.processes.remove(&process) {
            let is_hopeless = self.rng.chance(0.3);
            let reason = if is_hopeless {
                Reason::CommandMissing
            } else {
                Reason::SpawnFailed
            };
            // A command that is missing is a crash loop by itself.
            let counts = if is_hopeless { u32::MAX } else { 1 };
            let failures = self.failures.entry((one.job, one.index)).or_default();
            *failures = failures.saturating_add(counts);
            self.feed(SlotInput::StartFailed {
                process,
                reason,
                detail: String::new(),
            });
        }
    }

    pub(super) fn exits(&mut self, process: ProcessId, status: ExitStatus) {
        self.note_end(process);
        let boot = self.boot_now();
        let leaves_word = !self.is_faulty() || !self.rng.chance(0.02);
        let Some(one) = self.processes.get_mut(&process) else {
            return;
        };
        let Stage::Alive { since } = one.stage else {
            return;
        };
        let end = leaves_word.then_some((status, boot));
        one.stage = Stage::Over { since, end };
        let wait = self.rng.range(0, 30);
        let life = self.agent_life;
        self.after(wait, Event::EndIsHeard { process, life });
    }

    pub(super) fn end_is_heard(&mut self, process: ProcessId, life: u32) {
        if !self.is_up || self.agent_life != life {
            return;
        }
        let Some(Process {
            stage: Stage::Over { since, end },
            ..
        }) = self.processes.remove(&process)
        else {
            return;
        };
        let start = Some(start_of(since));
        let input = match end {
            Some((status, at)) => SlotInput::Ended {
                process,
                start,
                end: end_of(status, since, at),
            },
            None => SlotInput::Vanished { process, start },
        };
        self.feed(input);
    }

    pub(super) fn stop(&mut self, process: ProcessId, signal: Option<StopSignal>) {
        let Some(one) = self.processes.get_mut(&process) else {
            return;
        };
        one.is_asked = true;
        if one.stage == Stage::Arming {
            self.processes.remove(&process);
            let life = self.agent_life;
            self.after(3, Event::LetGo { process, life });
            return;
        }
        if self.mutant == Some(SlotMutant::EndsWhenTold)
            && let Some(since) = one.since()
        {
            let boot = self.boot_now();
            let life = self.agent_life;
            let status = ExitStatus::Exited(0);
            let input = Box::new(SlotInput::Ended {
                process,
                start: Some(start_of(since)),
                end: end_of(status, since, boot),
            });
            self.after(0, Event::EndIsImagined { input, life });
        }
        let Some(one) = self.processes.get(&process) else {
            return;
        };
        if signal.is_some() && one.is_deaf {
            return;
        }
        let wait = if signal.is_some() {
            self.rng.range(1, 2_000)
        } else {
            1
        };
        let number = signal.map_or(9, StopSignal::number);
        self.after(wait, Event::IsKilled { process, number });
    }

    /// Puts a question; the answer comes a little later, if the agent is still there.
    pub(super) fn ask(&mut self, process: ProcessId, kind: ProbeKind) {
        let wait = self.rng.range(1, 300);
        let life = self.agent_life;
        self.after(
            wait,
            Event::Answers {
                process,
                kind,
                life,
            },
        );
    }

    pub(super) fn answers(&mut self, process: ProcessId, kind: ProbeKind, life: u32) {
        if !self.is_up || self.agent_life != life {
            return;
        }
        let boot = self.boot_now();
        let Some(one) = self.processes.get_mut(&process) else {
            return;
        };
        let is_good = one.serves(boot);
        if kind == ProbeKind::Readiness && is_good {
            one.was_found_ready = true;
        }
        let answer = if is_good || self.mutant == Some(SlotMutant::ProbesLie) {
            Ok(())
        } else {
            Err("bad".to_owned())
        };
        self.feed(SlotInput::Probed {
            process,
            kind,
            answer,
        });
    }

    /// What a starting agent finds.
    pub(super) fn survey(&mut self) -> BTreeMap<ProcessId, Found> {
        if self.mutant == Some(SlotMutant::ForgetsLives) {
            return BTreeMap::new();
        }
        let mut found = BTreeMap::new();
        for (process, one) in &self.processes {
            let is_believed = self.mutant == Some(SlotMutant::BelievesLedger);
            let trace = match &one.stage {
                Stage::Arming => Found::NeverStarted,
                Stage::Over { since, .. } if is_believed => Found::Alive {
                    start: start_of(*since),
                    boot: *since,
                },
                Stage::Alive { since } => Found::Alive {
                    start: start_of(*since),
                    boot: *since,
                },
                Stage::Over { since, end } => match end {
                    Some((status, at)) => Found::Ended {
                        start: Some(start_of(*since)),
                        end: end_of(status.clone(), *since, *at),
                    },
                    None => Found::Vanished {
                        start: Some(start_of(*since)),
                    },
                },
            };
            found.insert(*process, trace);
        }
        self.processes.retain(|_, one| one.since().is_some());
        found
    }
}

/// The launch that an order runs, as its argument says.
pub(super) fn launch_of(order: &cronfleet_core::order::DaemonOrder) -> u32 {
    order.launch.umask
}
