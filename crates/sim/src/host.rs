//! A host: run folders, shims that outlive the agent, and processes.

use std::collections::BTreeMap;
use std::time::Duration;

use cronfleet_core::id::RunId;
use cronfleet_core::life::Found;
use cronfleet_core::order::{Cleanup, End, ExitStatus, OutputTotals, Start, StopCause, Usage};
use cronfleet_core::order_book::Input;
use cronfleet_core::run::Reason;

use crate::mutant::Mutant;
use crate::rng::mix;
use crate::time::{MS, Micros, duration, timestamp};
use crate::world::{Event, Stamp, TroubleKind, World};

/// Longest time from the word to go until the command runs.
pub(crate) const RELEASE_MAX: Micros = 6 * MS;

/// What happens to a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostStep {
    Prepared,
    Executed,
    Exited(i32),
    Signalled(i32),
}

/// A run folder and the shim that belongs to it.
#[derive(Debug, Clone)]
struct Folder {
    /// Tells it from an earlier folder of the run.
    number: u64,
    shim: Shim,
}

#[derive(Debug, Clone)]
enum Shim {
    Preparing,
    Ready,
    /// Told to go.
    Released,
    Alive {
        start: Start,
        boot: Duration,
    },
    /// Gone; the command was never released.
    NeverStarted,
    /// Gone, with a record of the end.
    Over {
        start: Option<Start>,
        end: End,
    },
    /// Gone without a word.
    Gone {
        start: Start,
    },
}

/// A host.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) boot: u32,
    pub(crate) boot_at: Micros,
    pub(crate) slow_until: Micros,
    folders: BTreeMap<RunId, Folder>,
    folder_count: u64,
    /// When the last news of a run reaches the agent.
    told: BTreeMap<RunId, Micros>,
}

impl Host {
    pub(crate) const fn new() -> Self {
        // Booted an hour before the simulation begins.
        Self {
            boot: 1,
            boot_at: -3_600_000_000,
            slow_until: 0,
            folders: BTreeMap::new(),
            folder_count: 0,
            told: BTreeMap::new(),
        }
    }

    /// Forgets everything; answers the runs whose processes died.
    pub(crate) fn reboot(&mut self, now: Micros) -> Vec<RunId> {
        self.boot += 1;
        self.boot_at = now;
        let folders = std::mem::take(&mut self.folders);
        let is_alive = |folder: &Folder| matches!(folder.shim, Shim::Alive { .. });
        folders
            .iter()
            .filter(|(_, folder)| is_alive(folder))
            .map(|(run, _)| *run)
            .collect()
    }

    /// Shims that were not told to go leave when their agent is gone.
    pub(crate) fn agent_died(&mut self) {
        for folder in self.folders.values_mut() {
            if matches!(folder.shim, Shim::Preparing | Shim::Ready) {
                folder.shim = Shim::NeverStarted;
            }
        }
    }

    pub(crate) fn forget(&mut self, run: RunId) {
        self.folders.remove(&run);
    }
}

impl World {
    /// Prepares a run, in a folder that nobody may have made before.
    pub(crate) fn host_arm(&mut self, agent: usize, run: RunId) {
        let is_guarded = !self.is(Mutant::ForgetsLives);
        if is_guarded && self.hosts[agent].folders.contains_key(&run) {
            let detail = "the run folder exists".to_owned();
            self.tell(
                agent,
                run,
                Input::ArmFailed {
                    run,
                    reason: Reason::SpawnFailed,
                    detail,
                },
            );
            return;
        }
        let is_slow = self.hosts[agent].slow_until > self.now;
        let wait = self.rng.range(MS, if is_slow { 2_500 } else { 15 } * MS);
        let host = &mut self.hosts[agent];
        host.folder_count += 1;
        let folder = Folder {
            number: host.folder_count,
            shim: Shim::Preparing,
        };
        let number = folder.number;
        host.folders.insert(run, folder);
        self.plan_step(agent, run, number, wait, HostStep::Prepared);
    }

    pub(crate) fn host_go(&mut self, agent: usize, run: RunId) {
        let wait = self.rng.range(MS / 2, RELEASE_MAX);
        let Some(folder) = self.hosts[agent].folders.get_mut(&run) else {
            return;
        };
        if matches!(folder.shim, Shim::Ready) {
            folder.shim = Shim::Released;
            let number = folder.number;
            self.released.entry(run).or_default().push(self.now);
            self.plan_step(agent, run, number, wait, HostStep::Executed);
        }
    }

    pub(crate) fn host_abandon(&mut self, agent: usize, run: RunId) {
        if let Some(folder) = self.hosts[agent].folders.get_mut(&run)
            && matches!(folder.shim, Shim::Preparing | Shim::Ready)
        {
            folder.shim = Shim::NeverStarted;
        }
    }

    /// Sends a signal; `None` kills everything.
    pub(crate) fn host_signal(&mut self, agent: usize, run: RunId, signal: Option<i32>) {
        let wait = self.rng.range(MS / 2, 20 * MS);
        let is_heard = signal.is_none() || !self.is_deaf(run);
        let Some(folder) = self.hosts[agent].folders.get(&run) else {
            return;
        };
        if is_heard && matches!(folder.shim, Shim::Alive { .. }) {
            let number = folder.number;
            self.plan_step(
                agent,
                run,
                number,
                wait,
                HostStep::Signalled(signal.unwrap_or(9)),
            );
        }
    }

    fn plan_step(&mut self, agent: usize, run: RunId, folder: u64, wait: Micros, step: HostStep) {
        let boot = self.hosts[agent].boot;
        self.after(
            wait,
            Event::Host {
                agent,
                boot,
                run,
                folder,
                step,
            },
        );
    }

    pub(crate) fn host_step(
        &mut self,
        agent: usize,
        boot: u32,
        run: RunId,
        number: u64,
        step: HostStep,
    ) {
        let host = &mut self.hosts[agent];
        let Some(folder) = host
            .folders
            .get_mut(&run)
            .filter(|folder| host.boot == boot && folder.number == number)
        else {
            return;
        };
        match (&folder.shim, step) {
            (Shim::Preparing, HostStep::Prepared) => {
                folder.shim = Shim::Ready;
                self.tell(agent, run, Input::Armed { run });
            }
            (Shim::Released, HostStep::Executed) => self.execute(agent, run),
            (Shim::Alive { .. }, HostStep::Exited(status)) => {
                self.stamp_end(run, |stamp, now| stamp.end = Some((now, status)));
                self.close(agent, run, ExitStatus::Exited(status));
            }
            (Shim::Alive { .. }, HostStep::Signalled(signal)) => {
                self.stamp_end(run, |stamp, now| stamp.killed = Some(now));
                let is_lie = self.is(Mutant::KillsSucceed);
                let status = ExitStatus::Signalled {
                    signal,
                    has_core: false,
                };
                self.close(
                    agent,
                    run,
                    if is_lie {
                        ExitStatus::Exited(0)
                    } else {
                        status
                    },
                );
            }
            _ => {}
        }
    }

    /// The command runs, and says so by itself.
    fn execute(&mut self, agent: usize, run: RunId) {
        let start = Start {
            at: self.agent_center_time(agent),
            pid: 1_000,
        };
        let boot = duration(self.now - self.hosts[agent].boot_at);
        let Some(folder) = self.hosts[agent].folders.get_mut(&run) else {
            return;
        };
        folder.shim = Shim::Alive { start, boot };
        let number = folder.number;
        let id = self.agents[agent].id;
        let stamp = Stamp {
            agent: id,
            start: self.now,
            end: None,
            killed: None,
        };
        self.stamps.entry(run).or_default().push(stamp);
        self.note(|| format!("agent {agent}: {run} starts"));
        let (length, status) = self.fate(run);
        self.plan_step(agent, run, number, length, HostStep::Exited(status));
        self.tell(agent, run, Input::Started { run, start, boot });
    }

    fn stamp_end(&mut self, run: RunId, set: impl FnOnce(&mut Stamp, Micros)) {
        let now = self.now;
        if let Some(stamp) = self
            .stamps
            .get_mut(&run)
            .and_then(|stamps| stamps.last_mut())
        {
            set(stamp, now);
        }
    }

    fn close(&mut self, agent: usize, run: RunId, status: ExitStatus) {
        let at = self.agent_center_time(agent);
        let boot_now = duration(self.now - self.hosts[agent].boot_at);
        let Some(folder) = self.hosts[agent].folders.get_mut(&run) else {
            return;
        };
        let Shim::Alive { start, boot } = folder.shim else {
            return;
        };
        let end = End {
            at,
            stopped_for: signal_of(&status).and(Some(StopCause::Kill)),
            status,
            duration: boot_now.saturating_sub(boot),
            usage: Usage::default(),
            output: OutputTotals::default(),
            cleanup: Cleanup::default(),
        };
        folder.shim = Shim::Over {
            start: Some(start),
            end: end.clone(),
        };
        self.note(|| format!("agent {agent}: {run} ends: {:?}", end.status));
        self.tell(
            agent,
            run,
            Input::Ended {
                run,
                start: Some(start),
                end,
            },
        );
    }

    /// The shim of some run dies, and the command with it.
    pub(crate) fn crash_shim(&mut self, agent: usize, luck: u64) {
        let live: Vec<RunId> = self.hosts[agent]
            .folders
            .iter()
            .filter(|(_, folder)| {
                matches!(
                    folder.shim,
                    Shim::Preparing | Shim::Ready | Shim::Released | Shim::Alive { .. }
                )
            })
            .map(|(run, _)| *run)
            .collect();
        let Some(run) = live
            .get((luck % live.len().max(1) as u64) as usize)
            .copied()
        else {
            return;
        };
        self.trouble(TroubleKind::ShimCrash, Some(agent), 0);
        self.note(|| format!("agent {agent}: the shim of {run} dies"));
        let is_lie = self.is(Mutant::LostSucceeds);
        let Some(folder) = self.hosts[agent].folders.get_mut(&run) else {
            return;
        };
        if let Shim::Alive { start, .. } = folder.shim {
            folder.shim = Shim::Gone { start };
            self.stamp_end(run, |stamp, now| stamp.killed = Some(now));
            if is_lie {
                let (at, status) = (start.at, ExitStatus::Exited(0));
                let (usage, output) = (Usage::default(), OutputTotals::default());
                let end = End {
                    at,
                    status,
                    stopped_for: None,
                    duration: Duration::ZERO,
                    usage,
                    output,
                    cleanup: Cleanup::default(),
                };
                self.tell(
                    agent,
                    run,
                    Input::Ended {
                        run,
                        start: Some(start),
                        end,
                    },
                );
            } else {
                self.tell(
                    agent,
                    run,
                    Input::Vanished {
                        run,
                        start: Some(start),
                    },
                );
            }
        } else {
            folder.shim = Shim::NeverStarted;
            self.tell(agent, run, Input::NeverStarted { run });
        }
    }

    /// What an agent finds when it starts. A shim that was told to go does so first.
    pub(crate) fn survey(&mut self, agent: usize) -> BTreeMap<RunId, Found> {
        let undecided: Vec<RunId> = self.hosts[agent]
            .folders
            .iter()
            .filter(|(_, folder)| matches!(folder.shim, Shim::Released))
            .map(|(run, _)| *run)
            .collect();
        for run in undecided {
            self.execute(agent, run);
        }
        let found = |folder: &Folder| match &folder.shim {
            Shim::Preparing | Shim::Ready | Shim::Released | Shim::NeverStarted => {
                Found::NeverStarted
            }
            Shim::Alive { start, boot } => Found::Alive {
                start: *start,
                boot: *boot,
            },
            Shim::Over { start, end } => Found::Ended {
                start: *start,
                end: end.clone(),
            },
            Shim::Gone { start } => Found::Vanished {
                start: Some(*start),
            },
        };
        self.hosts[agent]
            .folders
            .iter()
            .map(|(run, folder)| (*run, found(folder)))
            .collect()
    }

    /// Tells the agent, if it lives. What becomes of one run arrives in the order in which it happened: one task of the agent
    /// follows it.
    fn tell(&mut self, agent: usize, run: RunId, input: Input) {
        if self.agents[agent].is_up {
            let life = self.agents[agent].life;
            let wait = self.rng.range(MS / 10, 5 * MS);
            let told = self.hosts[agent].told.entry(run).or_default();
            *told = (*told).max(self.now + wait);
            let at = *told;
            self.at(at, Event::Tell { agent, life, input });
        }
    }

    /// How long a run's command takes and how it exits: always the same for one run.
    fn fate(&self, run: RunId) -> (Micros, i32) {
        let Some(row) = self.db.runs.get(&run) else {
            return (MS, 0);
        };
        let Some(job) = self.db.jobs.get(&row.planned.key.job) else {
            return (MS, 0);
        };
        let draw = job.draw(row.planned.key.job_version);
        let luck = mix(run.as_uuid().as_u128() as u64);
        let (shortest, longest) = draw.runs_for;
        let length = shortest + (luck % (longest - shortest) as u64) as Micros;
        let fails = (mix(luck) % 1_000) as f64 / 1_000.0 < draw.failure_chance;
        let status = if luck.is_multiple_of(3) { 75 } else { 1 };
        (length, if fails { status } else { 0 })
    }

    fn is_deaf(&self, run: RunId) -> bool {
        let Some(row) = self.db.runs.get(&run) else {
            return false;
        };
        let chance = self
            .db
            .jobs
            .get(&row.planned.key.job)
            .map_or(0.0, |job| job.draw(row.planned.key.job_version).deaf_chance);
        let luck = mix(run.as_uuid().as_u128() as u64 ^ 0xdeaf);
        (luck % 1_000) as f64 / 1_000.0 < chance
    }

    /// The center's time as this agent sees it.
    pub(crate) fn agent_center_time(&self, agent: usize) -> jiff::Timestamp {
        timestamp(self.now + self.agents[agent].clock_error)
    }
}

/// The signal that ended a process: nobody but us sends any here.
const fn signal_of(status: &ExitStatus) -> Option<i32> {
    if let ExitStatus::Signalled { signal, .. } = status {
        Some(*signal)
    } else {
        None
    }
}
