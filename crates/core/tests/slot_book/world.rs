//! A host that does what the book says, for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cronfleet_core::backoff::Backoff;
use cronfleet_core::id::{JobId, ProcessId};
use cronfleet_core::job::{Command, DaemonSpec, Launch, Restart, StopPolicy};
use cronfleet_core::life::{Found, Now};
use cronfleet_core::order::{
    Cleanup, DaemonOrder, End, ExitStatus, NextStep, OutputTotals, ProbeKind, RestartCounts,
    SlotState, Start, Usage,
};
use cronfleet_core::order_book::SurveyedBoot;
use cronfleet_core::record::Record;
use cronfleet_core::slot_book::{SlotBook, SlotEffect, SlotInput, SlotLimits, SlotSurvey};
use jiff::Timestamp;

/// A host that starts what it is told to, and kills it when told to.
pub(crate) struct World {
    pub(crate) book: SlotBook,
    pub(crate) boot: Duration,
    pub(crate) draws: u64,
    pub(crate) ledger: Vec<Record>,
    pub(crate) generation: u64,
    /// Processes told to start that have not said anything yet, and where they belong.
    pub(crate) starting: BTreeMap<ProcessId, (JobId, u32)>,
    pub(crate) alive: BTreeMap<ProcessId, (JobId, u32)>,
    pub(crate) starts: BTreeMap<ProcessId, (Start, Duration)>,
    pub(crate) ends: BTreeMap<ProcessId, ExitStatus>,
    /// Whether processes ignore the stop signal.
    pub(crate) is_deaf: bool,
    /// Every process ever told to start, in order.
    pub(crate) history: Vec<(JobId, u32, ProcessId)>,
    /// Probes that have not been answered.
    pub(crate) probes: Vec<(ProcessId, ProbeKind)>,
}

pub(crate) const JOB: JobId = JobId::from_u128(1);

pub(crate) fn spec() -> DaemonSpec {
    DaemonSpec {
        restart: Restart::Always,
        start_period: Duration::from_secs(1),
        backoff: Backoff {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(30),
        },
        crash_loop_failures: 4,
        crash_loop_window: Duration::from_secs(60),
        ..DaemonSpec::default()
    }
}

pub(crate) fn daemon(
    job: JobId,
    version: u32,
    processes: u32,
    argument: &str,
    policy: DaemonSpec,
) -> Arc<DaemonOrder> {
    Arc::new(DaemonOrder {
        job,
        job_name: "worker".into(),
        job_version: version,
        processes,
        policy,
        restarts: Some(RestartCounts::default()),
        launch: Launch {
            stop: StopPolicy {
                grace: Duration::from_secs(5),
                ..StopPolicy::default()
            },
            ..Launch::new(
                Command::Argv(vec!["/bin/worker".into(), argument.into()]),
                "nobody",
            )
        },
    })
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            book: SlotBook::new(SlotLimits::default()),
            boot: Duration::from_secs(100),
            draws: 7,
            ledger: Vec::new(),
            generation: 0,
            starting: BTreeMap::new(),
            alive: BTreeMap::new(),
            starts: BTreeMap::new(),
            ends: BTreeMap::new(),
            is_deaf: false,
            history: Vec::new(),
            probes: Vec::new(),
        }
    }

    pub(crate) fn now(&self) -> Now {
        Now {
            center: Timestamp::from_second(1_800_000_000).unwrap() + self.boot,
            boot: self.boot,
        }
    }

    pub(crate) fn feed(&mut self, input: SlotInput) {
        let now = self.now();
        let draws = &mut self.draws;
        let effects = self.book.handle(now, &mut || draw(draws), input);
        self.perform(effects);
    }

    pub(crate) fn perform(&mut self, effects: Vec<SlotEffect>) {
        for effect in effects {
            match effect {
                SlotEffect::Append(record) => self.ledger.push(record),
                SlotEffect::Start {
                    process,
                    job,
                    index,
                } => {
                    let occupied = self.starting.values().chain(self.alive.values());
                    assert!(
                        !occupied.clone().any(|key| *key == (job, index)),
                        "two in slot {index}"
                    );
                    assert!(
                        self.book
                            .wanted(job)
                            .is_some_and(|order| index < order.processes)
                    );
                    self.starting.insert(process, (job, index));
                    self.history.push((job, index, process));
                }
                SlotEffect::Stop { process, .. } if !self.is_deaf => self.kill(process, 15),
                SlotEffect::KillAll { process } => self.kill(process, 9),
                SlotEffect::Probe { process, kind, .. } => {
                    self.probes.push((process, kind));
                }
                SlotEffect::Stop { .. }
                | SlotEffect::ReportSlot { .. }
                | SlotEffect::SlotGone { .. }
                | SlotEffect::ReportProcess { .. }
                | SlotEffect::Forget { .. } => {}
            }
        }
    }

    pub(crate) fn kill(&mut self, process: ProcessId, signal: i32) {
        if self.alive.contains_key(&process) {
            self.ends.insert(
                process,
                ExitStatus::Signalled {
                    signal,
                    has_core: false,
                },
            );
        } else if self.starting.remove(&process).is_some() {
            self.feed(SlotInput::NeverStarted { process });
        }
    }

    /// Lets what was told to start, start.
    pub(crate) fn start_all(&mut self) {
        for (process, key) in std::mem::take(&mut self.starting) {
            self.start(process, key);
        }
    }

    pub(crate) fn start(&mut self, process: ProcessId, key: (JobId, u32)) {
        self.starting.remove(&process);
        self.alive.insert(process, key);
        let start = Start {
            at: self.now().center,
            pid: 9,
        };
        self.starts.insert(process, (start, self.boot));
        self.feed(SlotInput::Started {
            process,
            start,
            boot: self.boot,
        });
    }

    /// Tells of everything that has ended.
    pub(crate) fn end_all(&mut self) {
        for (process, status) in std::mem::take(&mut self.ends) {
            self.end(process, status);
        }
    }

    pub(crate) fn end(&mut self, process: ProcessId, status: ExitStatus) {
        self.ends.remove(&process);
        if self.alive.remove(&process).is_none() {
            return;
        }
        let (start, boot) = self.starts[&process];
        let end = self.end_record(status, boot);
        self.feed(SlotInput::Ended {
            process,
            start: Some(start),
            end,
        });
    }

    pub(crate) fn end_record(&self, status: ExitStatus, started: Duration) -> End {
        End {
            at: self.now().center,
            status,
            stopped_for: None,
            duration: self.boot - started,
            usage: Usage::default(),
            output: OutputTotals::default(),
            cleanup: Cleanup::default(),
        }
    }

    pub(crate) fn advance(&mut self, wait: Duration) {
        self.boot += wait;
        self.feed(SlotInput::Tick);
    }

    pub(crate) fn want(&mut self, orders: Vec<Arc<DaemonOrder>>) {
        self.generation += 1;
        self.feed(SlotInput::Wanted {
            generation: self.generation,
            orders,
        });
    }

    pub(crate) fn state(&self, index: u32) -> Option<SlotState> {
        self.book.slot_report(JOB, index).map(|report| report.state)
    }

    pub(crate) fn process(&self, index: u32) -> ProcessId {
        let mut all = self.starting.iter().chain(&self.alive);
        *all.find(|(_, key)| **key == (JOB, index)).unwrap().0
    }

    pub(crate) fn indexes(&self) -> BTreeSet<u32> {
        self.starting
            .values()
            .chain(self.alive.values())
            .map(|(_, index)| *index)
            .collect()
    }

    /// Answers every probe that waits for an answer.
    pub(crate) fn answer_all(&mut self, answer: Result<(), &str>) {
        for (process, kind) in std::mem::take(&mut self.probes) {
            let answer = answer.map_err(str::to_owned);
            self.feed(SlotInput::Probed {
                process,
                kind,
                answer,
            });
        }
    }

    /// Slots that serve.
    pub(crate) fn ready_count(&self) -> usize {
        let reports = self.book.slot_reports();
        reports
            .filter(|report| report.state == SlotState::Running)
            .count()
    }

    pub(crate) fn next_step(&self, index: u32) -> Option<NextStep> {
        let report = self.book.slot_report(JOB, index)?;
        report.next.map(|next| next.step)
    }

    pub(crate) fn recover(&mut self, boot: SurveyedBoot) {
        let mut processes = BTreeMap::new();
        for process in std::mem::take(&mut self.starting).into_keys() {
            processes.insert(process, Found::NeverStarted);
        }
        for process in self.alive.keys() {
            let (start, boot) = self.starts[process];
            processes.insert(*process, Found::Alive { start, boot });
        }
        for (process, status) in std::mem::take(&mut self.ends) {
            self.alive.remove(&process);
            let (start, boot) = self.starts[&process];
            let end = self.end_record(status, boot);
            processes.insert(
                process,
                Found::Ended {
                    start: Some(start),
                    end,
                },
            );
        }
        let now = self.now();
        let draws = &mut self.draws;
        let survey = SlotSurvey {
            boot,
            processes,
            owners: BTreeMap::new(),
        };
        let records = self.ledger.clone();
        let (book, effects) =
            SlotBook::recover(SlotLimits::default(), records, survey, now, &mut || {
                draw(draws)
            });
        self.book = book;
        self.perform(effects);
    }
}

pub(crate) fn draw(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    state.rotate_left(17)
}

pub(crate) fn running(processes: u32) -> World {
    let mut world = World::new();
    world.want(vec![daemon(JOB, 1, processes, "a", spec())]);
    world.start_all();
    world.advance(Duration::from_secs(20));
    for index in 0..processes {
        assert_eq!(world.state(index), Some(SlotState::Running));
    }
    world
}
