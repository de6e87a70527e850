//! The agent, its clock, its ledger, the center, and everything that goes wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cronfleet_core::id::{JobId, ProcessId};
use cronfleet_core::job::{
    ADDRESS_DEFAULT, Check, Command, DaemonSpec, Endpoint, Health, Launch, Probe, Readiness,
    Recycle, StopPolicy,
};
use cronfleet_core::life::Now;
use cronfleet_core::order::{DaemonOrder, ExitStatus, ProbeKind};
use cronfleet_core::order_book::SurveyedBoot;
use cronfleet_core::record::Record;
use cronfleet_core::slot_book::{SlotBook, SlotEffect, SlotInput, SlotLimits, SlotSurvey};
use jiff::Timestamp;

use super::life::Process;
use super::{SlotMutant, SlotOutcome};
use crate::rng::Rng;

/// Milliseconds in which things go wrong.
const FAULTS_UNTIL: i64 = 300_000;

/// Milliseconds after which everything must be in order: longer than the longest backoff and many replacements.
const END: i64 = FAULTS_UNTIL + 600_000;

/// Longest time from a start until a process serves, in milliseconds.
pub(super) const READY_MAX: i64 = 2_500;

/// Records that a loss of power may take.
const TAIL_MAX: i64 = 6;

/// Something that happens.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Wake,
    AgentUp,
    Center,
    Fault,
    Heal,
    Starts {
        process: ProcessId,
        life: u32,
    },
    StartFails {
        process: ProcessId,
        life: u32,
    },
    LetGo {
        process: ProcessId,
        life: u32,
    },
    Exits {
        process: ProcessId,
        code: i32,
    },
    IsKilled {
        process: ProcessId,
        number: i32,
    },
    EndIsHeard {
        process: ProcessId,
        life: u32,
    },
    EndIsImagined {
        input: Box<SlotInput>,
        life: u32,
    },
    Answers {
        process: ProcessId,
        kind: ProbeKind,
        life: u32,
    },
}

pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) mutant: Option<SlotMutant>,
    pub(super) outcome: SlotOutcome,
    /// Milliseconds since the beginning.
    pub(super) now: i64,
    /// When the machine was started.
    booted_at: i64,
    events: BTreeMap<(i64, u64), Event>,
    sequence: u64,
    pub(super) book: SlotBook,
    ledger: Vec<Record>,
    is_new_boot: bool,
    pub(super) is_up: bool,
    /// Counts the agent's lives.
    pub(super) agent_life: u32,
    /// The agent dies after so many more effects.
    crash_after: Option<u32>,
    is_linked: bool,
    pub(super) processes: BTreeMap<ProcessId, Process>,
    pub(super) wanted: Vec<Arc<DaemonOrder>>,
    versions: u32,
    pub(super) bad_launches: BTreeSet<u32>,
    /// Failures of a slot since one of its processes was up for the whole window of crash loops.
    pub(super) failures: BTreeMap<(JobId, u32), u32>,
    pub(super) policies: BTreeMap<JobId, DaemonSpec>,
    /// Whether a restart of one slot was just asked for.
    pub(super) is_single_restart: bool,
}

/// A time since boot on the center's clock; any will do.
pub(super) fn center(boot: Duration) -> Timestamp {
    Timestamp::UNIX_EPOCH
        .checked_add(boot)
        .unwrap_or(Timestamp::MAX)
}

const fn ms(ms: i64) -> Duration {
    Duration::from_millis(ms.unsigned_abs())
}

impl World {
    pub(super) fn new(seed: u64, mutant: Option<SlotMutant>) -> Self {
        let mut rng = Rng::new(seed);
        let jobs = rng.range(1, 3) as u128;
        let policies = (1..=jobs)
            .map(|job| (JobId::from_u128(job), policy(&mut rng)))
            .collect();
        Self {
            rng,
            mutant,
            outcome: SlotOutcome::default(),
            now: 0,
            booted_at: -10_000,
            events: BTreeMap::new(),
            sequence: 0,
            book: SlotBook::new(SlotLimits::default()),
            ledger: Vec::new(),
            is_new_boot: false,
            is_up: false,
            agent_life: 0,
            crash_after: None,
            is_linked: false,
            processes: BTreeMap::new(),
            wanted: Vec::new(),
            versions: 0,
            bad_launches: BTreeSet::new(),
            failures: BTreeMap::new(),
            policies,
            is_single_restart: false,
        }
    }

    pub(super) fn run(&mut self) {
        self.change_wanted();
        self.after(0, Event::AgentUp);
        self.after(100, Event::Center);
        self.after(2_000, Event::Fault);
        self.after(FAULTS_UNTIL, Event::Heal);
        while let Some(((at, _), event)) = self.events.pop_first() {
            if at > END {
                break;
            }
            self.now = at;
            self.happen(event);
        }
        self.check_end();
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Wake => self.wake(),
            Event::AgentUp => self.agent_up(),
            Event::Center => {
                self.tell_wanted();
                self.after(500, Event::Center);
            }
            Event::Fault if self.is_faulty() => {
                self.go_wrong();
                let wait = self.rng.range(100, 12_000);
                self.after(wait, Event::Fault);
            }
            Event::Fault => {}
            Event::Heal => self.heal(),
            Event::Starts { process, life } => self.starts(process, life),
            Event::StartFails { process, life } => self.start_fails(process, life),
            Event::LetGo { process, life } => {
                self.hear(life, SlotInput::NeverStarted { process });
            }
            Event::Exits { process, code } => self.exits(process, ExitStatus::Exited(code)),
            Event::IsKilled { process, number } => {
                let has_core = false;
                let status = ExitStatus::Signalled {
                    signal: number,
                    has_core,
                };
                self.exits(process, status);
            }
            Event::EndIsHeard { process, life } => self.end_is_heard(process, life),
            Event::EndIsImagined { input, life } => self.hear(life, *input),
            Event::Answers {
                process,
                kind,
                life,
            } => self.answers(process, kind, life),
        }
    }

    pub(super) fn after(&mut self, wait: i64, event: Event) {
        self.sequence += 1;
        self.events.insert((self.now + wait, self.sequence), event);
    }

    pub(super) fn is_faulty(&self) -> bool {
        self.now < FAULTS_UNTIL
    }

    pub(super) fn boot_now(&self) -> Duration {
        ms(self.now - self.booted_at)
    }

    fn clocks(&self) -> Now {
        Now {
            center: center(ms(self.now)),
            boot: self.boot_now(),
        }
    }

    /// News for the agent that was there when it became news.
    fn hear(&mut self, life: u32, input: SlotInput) {
        if self.is_up && self.agent_life == life {
            self.feed(input);
        }
    }

    pub(super) fn feed(&mut self, input: SlotInput) {
        let now = self.clocks();
        let rng = &mut self.rng;
        let effects = self.book.handle(now, &mut || rng.next(), input);
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<SlotEffect>) {
        for effect in effects {
            if self.crash_after == Some(0) {
                return self.kill_agent();
            }
            self.crash_after = self.crash_after.map(|left| left - 1);
            self.act(effect);
        }
        if let Some(boot) = self.book.next_wake().boot {
            let wait = boot.saturating_sub(self.boot_now()).as_millis() as i64 + 1;
            self.after(wait, Event::Wake);
        }
    }

    fn act(&mut self, effect: SlotEffect) {
        match effect {
            SlotEffect::Append(record) => {
                if let Record::LifeStopAsked { process, cause } = &record {
                    self.check_replacing(*process, *cause);
                }
                if let Record::LifeReady { process } = &record
                    && let Some(one) = self.processes.get_mut(process)
                {
                    one.is_ready_on_record = true;
                }
                if self.mutant != Some(SlotMutant::NoLedger) {
                    self.ledger.push(record);
                }
            }
            SlotEffect::Start {
                process,
                job,
                index,
            } => self.launch(process, job, index),
            SlotEffect::Stop { process, signal } => self.stop(process, Some(signal)),
            SlotEffect::KillAll { process } => self.stop(process, None),
            SlotEffect::Probe { process, kind, .. } => self.ask(process, kind),
            SlotEffect::ReportSlot { .. }
            | SlotEffect::SlotGone { .. }
            | SlotEffect::ReportProcess { .. }
            | SlotEffect::Forget { .. } => {}
        }
    }

    fn wake(&mut self) {
        if self.is_up && self.book.next_wake().is_due(self.clocks()) {
            self.feed(SlotInput::Tick);
        }
    }

    fn agent_up(&mut self) {
        if self.is_up {
            return;
        }
        self.is_up = true;
        self.agent_life += 1;
        let boot = if std::mem::take(&mut self.is_new_boot) {
            SurveyedBoot::New
        } else {
            SurveyedBoot::Same
        };
        let processes = self.survey();
        let survey = SlotSurvey {
            boot,
            processes,
            owners: BTreeMap::new(),
        };
        let (now, records) = (self.clocks(), self.ledger.clone());
        let rng = &mut self.rng;
        let (book, effects) =
            SlotBook::recover(SlotLimits::default(), records, survey, now, &mut || {
                rng.next()
            });
        self.book = book;
        self.perform(effects);
    }

    pub(super) fn kill_agent(&mut self) {
        self.is_up = false;
        self.agent_life += 1;
        self.crash_after = None;
        let wait = self.rng.range(1, 4_000);
        self.after(wait, Event::AgentUp);
    }

    /// What an order says that an agent holds, with the limit as it was truly meant.
    pub(super) fn true_order(&self, job: JobId) -> Option<DaemonOrder> {
        let mut order = DaemonOrder::clone(self.book.wanted(job)?);
        order.policy.max_unavailable = self.policies.get(&job)?.max_unavailable;
        Some(order)
    }

    fn tell_wanted(&mut self) {
        if !self.is_up || !self.is_linked {
            return;
        }
        let is_all_at_once = self.mutant == Some(SlotMutant::ReplacesAllAtOnce);
        let orders = self.wanted.iter().map(|order| {
            let mut order = DaemonOrder::clone(order);
            if is_all_at_once {
                order.policy.max_unavailable = 1_000;
            }
            Arc::new(order)
        });
        let input = SlotInput::Wanted {
            generation: self.book.generation() + 1,
            orders: orders.collect(),
        };
        self.feed(input);
    }

    /// Somebody saves jobs: more or fewer processes, another command, paused ones.
    fn change_wanted(&mut self) {
        let jobs: Vec<JobId> = self.policies.keys().copied().collect();
        for job in jobs {
            let before = self.wanted.iter().position(|order| order.job == job);
            let is_paused = self.is_faulty() && self.rng.chance(0.1);
            let launch = match before.filter(|_| self.rng.chance(0.5)) {
                Some(at) => super::host::launch_of(&self.wanted[at]),
                None => {
                    self.versions += 1;
                    if self.is_faulty() && self.rng.chance(0.2) {
                        self.bad_launches.insert(self.versions);
                    }
                    self.versions
                }
            };
            if let Some(at) = before {
                self.wanted.remove(at);
            }
            if !is_paused {
                let processes = self.rng.range(1, 5) as u32;
                let policy = self.policies[&job].clone();
                self.wanted.push(order(job, launch, processes, policy));
            }
        }
    }

    fn go_wrong(&mut self) {
        match self.rng.index(12) {
            0 | 1 => self.change_wanted(),
            2 => self.is_linked = !self.is_linked,
            3 if self.is_up => self.kill_agent(),
            4 => self.crash_after = Some(self.rng.range(0, 6) as u32),
            5 => self.lose_power(),
            6 if self.is_up => self.ledger = self.book.snapshot(),
            7 | 8 if self.is_up => {
                let job = JobId::from_u128(self.rng.range(1, 3) as u128);
                let index = self.rng.chance(0.5).then(|| self.rng.range(0, 4) as u32);
                self.is_single_restart = index.is_some();
                self.feed(SlotInput::Restart { job, index });
                self.is_single_restart = false;
            }
            _ => self.harm_one(),
        }
    }

    /// A process crashes, ends on purpose, or falls ill.
    fn harm_one(&mut self) {
        let at = self.rng.index(self.processes.len());
        let Some(process) = self.processes.keys().nth(at).copied() else {
            return;
        };
        match self.rng.index(3) {
            0 => self.exits(process, ExitStatus::Exited(1)),
            1 => self.exits(process, ExitStatus::Exited(0)),
            _ => {
                if let Some(one) = self.processes.get_mut(&process) {
                    one.is_ill = true;
                }
            }
        }
    }

    fn lose_power(&mut self) {
        self.processes.clear();
        let lost = self.rng.range(0, TAIL_MAX) as usize;
        self.ledger.truncate(self.ledger.len().saturating_sub(lost));
        self.is_new_boot = true;
        self.booted_at = self.now + 1;
        self.kill_agent();
    }

    fn heal(&mut self) {
        self.crash_after = None;
        self.is_linked = true;
        self.bad_launches.clear();
        // Or a process could be between two lives just when everything is checked.
        for policy in self.policies.values_mut() {
            policy.recycle = Recycle::default();
        }
        self.change_wanted();
        for one in self.processes.values_mut() {
            one.is_deaf = false;
        }
    }
}

fn policy(rng: &mut Rng) -> DaemonSpec {
    let probe = |initial_delay| Probe {
        check: Check::Tcp(Endpoint {
            address: ADDRESS_DEFAULT,
            port: 80,
            adds_slot: true,
        }),
        initial_delay,
        period: ms(700),
        timeout: ms(400),
    };
    let is_asked_for_readiness = rng.chance(0.6);
    // Without a proof that it is ready, a process must be given the time that it may take.
    let health_delay = if is_asked_for_readiness {
        200
    } else {
        READY_MAX + 100
    };
    DaemonSpec {
        start_period: ms(rng.range(0, 1_500)),
        crash_loop_window: Duration::from_secs(20),
        readiness: is_asked_for_readiness.then(|| Readiness {
            probe: probe(ms(200)),
            successes: 1,
            start_timeout: Duration::from_secs(8),
        }),
        health: rng.chance(0.6).then(|| Health {
            probe: probe(ms(health_delay)),
            failures: rng.range(1, 3) as u32,
            successes: 1,
        }),
        recycle: Recycle {
            max_age: rng.chance(0.4).then(|| ms(rng.range(20_000, 90_000))),
            max_memory_bytes: None,
        },
        max_unavailable: rng.range(1, 3) as u32,
        ..DaemonSpec::default()
    }
}

/// The version of the launch goes as its umask, which is part of what a process is started with.
fn order(job: JobId, launch: u32, processes: u32, policy: DaemonSpec) -> Arc<DaemonOrder> {
    Arc::new(DaemonOrder {
        job,
        job_name: "worker".into(),
        job_version: launch,
        processes,
        policy,
        restarts: None,
        launch: Launch {
            umask: launch,
            stop: StopPolicy {
                grace: Duration::from_secs(3),
                ..StopPolicy::default()
            },
            ..Launch::new(Command::Argv(vec!["/bin/worker".into()]), "app")
        },
    })
}
