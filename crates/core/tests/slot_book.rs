//! The slot book: what each event does in each state, and random histories.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cronfleet_core::backoff::Backoff;
use cronfleet_core::id::{JobId, ProcessId};
use cronfleet_core::job::{
    Command, DaemonSpec, Launch, OutputPolicy, Restart, StopPolicy, StopSignal,
};
use cronfleet_core::life::{Found, Now};
use cronfleet_core::limits::{ProcessLimits, Stragglers};
use cronfleet_core::order::{
    Cleanup, DaemonOrder, End, ExitStatus, OutputTotals, SlotState, Start, StopCause, Usage,
};
use cronfleet_core::order_book::SurveyedBoot;
use cronfleet_core::record::Record;
use cronfleet_core::run::Reason;
use cronfleet_core::slot_book::{SlotBook, SlotEffect, SlotInput, SlotLimits, SlotSurvey};
use jiff::Timestamp;
use proptest::prelude::*;

/// A host that starts what it is told to, and kills it when told to.
struct World {
    book: SlotBook,
    boot: Duration,
    draws: u64,
    ledger: Vec<Record>,
    generation: u64,
    /// Processes told to start that have not said anything yet, and where they belong.
    starting: BTreeMap<ProcessId, (JobId, u32)>,
    alive: BTreeMap<ProcessId, (JobId, u32)>,
    starts: BTreeMap<ProcessId, (Start, Duration)>,
    ends: BTreeMap<ProcessId, ExitStatus>,
    /// Whether processes ignore the stop signal.
    is_deaf: bool,
    /// Every process ever told to start, in order.
    history: Vec<(JobId, u32, ProcessId)>,
}

const JOB: JobId = JobId::from_u128(1);

fn spec() -> DaemonSpec {
    DaemonSpec {
        restart: Restart::Always,
        start_period: Duration::from_secs(1),
        backoff: Backoff {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(30),
        },
        crash_loop_failures: 4,
        crash_loop_window: Duration::from_secs(60),
    }
}

fn daemon(
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
        launch: Launch {
            command: Command::Argv(vec!["/bin/worker".into(), argument.into()]),
            run_as: "nobody".into(),
            directory: None,
            environment: BTreeMap::new(),
            umask: 0o022,
            stragglers: Stragglers::Kill,
            limits: ProcessLimits::NONE,
            secrets: Vec::new(),
            output: OutputPolicy {
                is_stored: false,
                cap_bytes: 4_096,
                when_full: Default::default(),
            },
            stop: StopPolicy {
                signal: StopSignal::Term,
                grace: Duration::from_secs(5),
            },
        },
    })
}

impl World {
    fn new() -> Self {
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
        }
    }

    fn now(&self) -> Now {
        Now {
            center: Timestamp::from_second(1_800_000_000).unwrap() + self.boot,
            boot: self.boot,
        }
    }

    fn feed(&mut self, input: SlotInput) {
        let now = self.now();
        let draws = &mut self.draws;
        let effects = self.book.handle(now, &mut || draw(draws), input);
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<SlotEffect>) {
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
                SlotEffect::Stop { .. }
                | SlotEffect::ReportSlot { .. }
                | SlotEffect::SlotGone { .. }
                | SlotEffect::ReportProcess { .. }
                | SlotEffect::Forget { .. } => {}
            }
        }
    }

    fn kill(&mut self, process: ProcessId, signal: i32) {
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
    fn start_all(&mut self) {
        for (process, key) in std::mem::take(&mut self.starting) {
            self.start(process, key);
        }
    }

    fn start(&mut self, process: ProcessId, key: (JobId, u32)) {
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
    fn end_all(&mut self) {
        for (process, status) in std::mem::take(&mut self.ends) {
            self.end(process, status);
        }
    }

    fn end(&mut self, process: ProcessId, status: ExitStatus) {
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

    fn end_record(&self, status: ExitStatus, started: Duration) -> End {
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

    fn advance(&mut self, wait: Duration) {
        self.boot += wait;
        self.feed(SlotInput::Tick);
    }

    fn want(&mut self, orders: Vec<Arc<DaemonOrder>>) {
        self.generation += 1;
        self.feed(SlotInput::Wanted {
            generation: self.generation,
            orders,
        });
    }

    fn state(&self, index: u32) -> Option<SlotState> {
        self.book.slot_report(JOB, index).map(|report| report.state)
    }

    fn process(&self, index: u32) -> ProcessId {
        let mut all = self.starting.iter().chain(&self.alive);
        *all.find(|(_, key)| **key == (JOB, index)).unwrap().0
    }

    fn indexes(&self) -> BTreeSet<u32> {
        self.starting
            .values()
            .chain(self.alive.values())
            .map(|(_, index)| *index)
            .collect()
    }

    fn recover(&mut self, boot: SurveyedBoot) {
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
        let survey = SlotSurvey { boot, processes };
        let records = self.ledger.clone();
        let (book, effects) =
            SlotBook::recover(SlotLimits::default(), records, survey, now, &mut || {
                draw(draws)
            });
        self.book = book;
        self.perform(effects);
    }
}

fn draw(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    state.rotate_left(17)
}

fn running(processes: u32) -> World {
    let mut world = World::new();
    world.want(vec![daemon(JOB, 1, processes, "a", spec())]);
    world.start_all();
    world.advance(Duration::from_secs(20));
    for index in 0..processes {
        assert_eq!(world.state(index), Some(SlotState::Running));
    }
    world
}

#[test]
fn a_slot_starts_runs_and_is_put_right_at_once_when_it_is_killed() {
    let mut world = World::new();
    world.want(vec![daemon(JOB, 1, 1, "a", spec())]);
    assert_eq!(world.state(0), Some(SlotState::Starting));
    world.start_all();
    assert_eq!(world.state(0), Some(SlotState::Starting));
    world.advance(Duration::from_secs(1));
    assert_eq!(world.state(0), Some(SlotState::Running));
    let first = world.process(0);
    world.end(
        first,
        ExitStatus::Signalled {
            signal: 9,
            has_core: false,
        },
    );
    assert_ne!(world.process(0), first, "started again without a wait");
    let report = world.book.process_report(first).unwrap();
    assert_eq!((report.index, report.lost), (0, None));
}

#[test]
fn scaling_touches_the_highest_indexes_only() {
    let mut world = running(3);
    let first: Vec<ProcessId> = (0..3).map(|index| world.process(index)).collect();
    world.want(vec![daemon(JOB, 2, 5, "a", spec())]);
    world.start_all();
    assert_eq!(world.indexes(), (0..5).collect());
    world.want(vec![daemon(JOB, 3, 2, "a", spec())]);
    assert_eq!(world.state(4), Some(SlotState::Stopping));
    world.end_all();
    assert_eq!(world.indexes(), (0..2).collect());
    assert_eq!(world.state(2), None, "the slot is gone");
    assert_eq!(first[..2], [world.process(0), world.process(1)]);
    let stopped = world.book.process_reports().next().unwrap();
    assert_eq!(
        stopped.end.as_ref().unwrap().stopped_for,
        Some(StopCause::ScaledDown)
    );
}

#[test]
fn a_changed_launch_replaces_one_life_at_a_time() {
    let mut world = running(3);
    let first: Vec<ProcessId> = (0..3).map(|index| world.process(index)).collect();
    world.want(vec![daemon(JOB, 2, 3, "b", spec())]);
    for round in 0..3_u32 {
        let stopping = (0..3)
            .filter(|i| world.state(*i) == Some(SlotState::Stopping))
            .count();
        assert_eq!(stopping, 1, "round {round}");
        world.end_all();
        world.start_all();
        world.advance(Duration::from_millis(900));
        let stopping = (0..3)
            .filter(|i| world.state(*i) == Some(SlotState::Stopping))
            .count();
        assert_eq!(
            stopping, 0,
            "the new one must run before the next is stopped"
        );
        world.advance(Duration::from_millis(100));
    }
    for index in 0..3 {
        assert_eq!(world.state(index), Some(SlotState::Running));
        assert!(!first.contains(&world.process(index)));
        assert_eq!(world.book.slot_report(JOB, index).unwrap().job_version, 2);
    }
    assert_eq!(world.history.len(), 6);
}

#[test]
fn what_fails_at_once_waits_longer_and_longer_and_ends_up_in_a_crash_loop() {
    let mut world = World::new();
    world.want(vec![daemon(JOB, 1, 1, "a", spec())]);
    let mut waits = Vec::new();
    for _ in 0..6 {
        world.start_all();
        let process = world.process(0);
        world.end(process, ExitStatus::Exited(1));
        let before = world.boot;
        while world.starting.is_empty() {
            world.boot = world.book.next_wake().boot.unwrap();
            world.feed(SlotInput::Tick);
        }
        waits.push((world.boot - before).as_secs_f64());
    }
    for (wait, expected) in waits.iter().zip([1.0, 2.0, 4.0, 30.0, 30.0, 30.0]) {
        assert!((wait / expected - 1.0).abs() <= 0.21, "{waits:?}");
    }
    world.start_all();
    assert_eq!(world.state(0), Some(SlotState::CrashLoop));
    world.advance(Duration::from_secs(59));
    assert_eq!(world.state(0), Some(SlotState::CrashLoop), "not proven yet");
    world.advance(Duration::from_secs(1));
    assert_eq!(world.state(0), Some(SlotState::Running));
}

#[test]
fn what_cannot_start_is_a_crash_loop_at_once_and_a_change_forgives_it() {
    let mut world = World::new();
    world.want(vec![daemon(JOB, 1, 1, "a", spec())]);
    let process = world.process(0);
    world.starting.clear();
    world.feed(SlotInput::StartFailed {
        process,
        reason: Reason::CommandMissing,
        detail: "/bin/worker".into(),
    });
    assert_eq!(world.state(0), Some(SlotState::CrashLoop));
    assert!(world.book.slot_report(JOB, 0).unwrap().retry_at.is_some());
    world.want(vec![daemon(JOB, 2, 1, "b", spec())]);
    assert_eq!(world.state(0), Some(SlotState::Starting));
    assert_eq!(world.starting.len(), 1);
}

#[test]
fn what_the_policy_denies_rests_until_policy_or_job_changes() {
    let mut world = World::new();
    world.want(vec![daemon(JOB, 1, 2, "a", spec())]);
    let deny = |world: &mut World| {
        for process in std::mem::take(&mut world.starting).into_keys() {
            world.feed(SlotInput::StartFailed {
                process,
                reason: Reason::PolicyDenied,
                detail: "run_as.deny_root: root has uid 0".into(),
            });
        }
    };
    let is_resting = |world: &World| {
        let report = world.book.slot_report(JOB, 0).unwrap();
        let is_denied = matches!(
            report.last_end,
            Some(ExitStatus::NotStarted {
                reason: Reason::PolicyDenied,
                ..
            })
        );
        report.state == SlotState::CrashLoop && report.retry_at.is_none() && is_denied
    };
    deny(&mut world);
    assert!(is_resting(&world));
    let tries = world.history.len();
    world.advance(Duration::from_secs(7 * 86_400));
    assert_eq!(world.history.len(), tries, "it does not try for a week");
    world.feed(SlotInput::PolicyChanged);
    assert_eq!(
        world.starting.len(),
        2,
        "both try again under another policy"
    );
    deny(&mut world);
    assert!(is_resting(&world));
    world.want(vec![daemon(JOB, 2, 2, "b", spec())]);
    assert_eq!(world.starting.len(), 2, "and when the job is another");
    deny(&mut world);
    world.feed(SlotInput::Restart {
        job: JOB,
        index: Some(0),
    });
    assert_eq!(world.starting.len(), 1, "and when somebody asks for it");
    world.start_all();
    assert_eq!(world.state(0), Some(SlotState::Starting));
}

#[test]
fn what_ends_well_stays_ended_if_it_restarts_on_failure_only() {
    let policy = DaemonSpec {
        restart: Restart::OnFailure,
        ..spec()
    };
    let mut world = World::new();
    world.want(vec![daemon(JOB, 1, 1, "a", policy)]);
    world.start_all();
    let process = world.process(0);
    world.end(process, ExitStatus::Exited(0));
    assert_eq!(world.state(0), Some(SlotState::Stopped));
    world.advance(Duration::from_secs(3_600));
    world.recover(SurveyedBoot::Same);
    assert_eq!(
        world.state(0),
        Some(SlotState::Stopped),
        "also over a restart of the agent"
    );
    world.feed(SlotInput::Restart {
        job: JOB,
        index: None,
    });
    assert_eq!(world.starting.len(), 1);
}

#[test]
fn an_operator_restarts_all_one_after_the_other_or_one_at_once() {
    let mut world = running(3);
    world.feed(SlotInput::Restart {
        job: JOB,
        index: None,
    });
    assert_eq!(world.ends.len(), 1);
    for _ in 0..3 {
        world.end_all();
        world.start_all();
        world.advance(Duration::from_secs(1));
    }
    assert_eq!((world.history.len(), world.ends.len()), (6, 0));
    world.feed(SlotInput::Restart {
        job: JOB,
        index: Some(2),
    });
    assert_eq!(world.ends.len(), 1);
    assert_eq!(world.state(2), Some(SlotState::Stopping));
}

#[test]
fn what_ignores_the_stop_signal_is_killed_after_its_grace_and_again_every_second() {
    let mut world = running(1);
    world.is_deaf = true;
    world.want(Vec::new());
    assert_eq!(world.state(0), Some(SlotState::Stopping));
    world.advance(Duration::from_millis(4_999));
    assert!(world.ends.is_empty());
    world.advance(Duration::from_millis(1));
    assert_eq!(world.ends.len(), 1);
    world.ends.clear();
    world.advance(Duration::from_secs(1));
    assert_eq!(world.ends.len(), 1, "killed again");
    world.end_all();
    assert_eq!(world.state(0), None);
}

#[test]
fn a_restart_of_the_agent_adopts_and_one_of_the_host_starts_anew() {
    let mut world = running(2);
    let (first, second) = (world.process(0), world.process(1));
    world.ends.insert(second, ExitStatus::Exited(3));
    world.recover(SurveyedBoot::Same);
    assert_eq!(world.process(0), first);
    assert_ne!(world.process(1), second);
    assert_eq!(world.state(0), Some(SlotState::Running));
    let report = world.book.process_report(second).unwrap();
    assert_eq!(report.end.as_ref().unwrap().status, ExitStatus::Exited(3));
    world.start_all();
    world.alive.clear();
    world.recover(SurveyedBoot::New);
    assert_eq!(world.starting.len(), 2);
    let lost = world.book.process_report(first).unwrap();
    assert_eq!(lost.lost, Some(Reason::HostRebooted));
}

#[test]
fn a_compacted_ledger_makes_the_same_book() {
    let mut world = running(3);
    let second = world.process(1);
    world.end(second, ExitStatus::Exited(1));
    world.start_all();
    world.ledger = world.book.snapshot();
    let before: Vec<_> = world
        .book
        .slot_reports()
        .map(|r| (r.index, r.process, r.restarts))
        .collect();
    world.recover(SurveyedBoot::Same);
    let after: Vec<_> = world
        .book
        .slot_reports()
        .map(|r| (r.index, r.process, r.restarts))
        .collect();
    assert_eq!(before, after);
    assert!(world.book.process_report(second).is_some());
}

#[derive(Debug, Clone)]
enum Action {
    Want {
        processes: [u8; 2],
        version: u8,
        on_failure: bool,
    },
    Advance(u16),
    StartOne(u8),
    FailStart(u8, bool),
    ExitOne(u8, u8),
    TellEnds,
    Vanish(u8),
    Restart(Option<u8>),
    AckAll,
    RestartAgent,
    RestartHost,
    Compact,
    Deaf(bool),
}

impl World {
    fn act(&mut self, action: Action) {
        match action {
            Action::Want {
                processes,
                version,
                on_failure,
            } => {
                let restart = if on_failure {
                    Restart::OnFailure
                } else {
                    Restart::Always
                };
                let policy = DaemonSpec { restart, ..spec() };
                let orders = (0..2)
                    .filter(|job| processes[*job] > 0)
                    .map(|job| {
                        let id = JobId::from_u128(job as u128 + 1);
                        let argument = version.to_string();
                        daemon(id, version.into(), processes[job].into(), &argument, policy)
                    })
                    .collect();
                self.want(orders);
            }
            Action::Advance(ms) => self.advance(Duration::from_millis(ms.into())),
            Action::StartOne(which) => {
                if let Some((process, key)) = nth(&self.starting, which) {
                    self.start(process, key);
                }
            }
            Action::FailStart(which, is_hopeless) => {
                if let Some((process, _)) = nth(&self.starting, which) {
                    self.starting.remove(&process);
                    let reason = if is_hopeless {
                        Reason::UserUnknown
                    } else {
                        Reason::SpawnFailed
                    };
                    self.feed(SlotInput::StartFailed {
                        process,
                        reason,
                        detail: String::new(),
                    });
                }
            }
            Action::ExitOne(which, status) => {
                if let Some((process, _)) = nth(&self.alive, which) {
                    self.ends
                        .entry(process)
                        .or_insert(ExitStatus::Exited(i32::from(status % 2)));
                }
            }
            Action::TellEnds => self.end_all(),
            Action::Vanish(which) => {
                if let Some((process, _)) = nth(&self.alive, which) {
                    self.alive.remove(&process);
                    self.ends.remove(&process);
                    let start = self.starts.get(&process).map(|(start, _)| *start);
                    self.feed(SlotInput::Vanished { process, start });
                }
            }
            Action::Restart(index) => {
                self.feed(SlotInput::Restart {
                    job: JOB,
                    index: index.map(u32::from),
                });
            }
            Action::AckAll => {
                let ended: Vec<ProcessId> =
                    self.book.process_reports().map(|r| r.process).collect();
                ended
                    .into_iter()
                    .for_each(|process| self.feed(SlotInput::Acked { process }));
            }
            Action::RestartAgent => self.recover(SurveyedBoot::Same),
            Action::RestartHost => {
                self.starting.clear();
                self.alive.clear();
                self.ends.clear();
                self.boot = Duration::from_secs(3);
                self.recover(SurveyedBoot::New);
            }
            Action::Compact => self.ledger = self.book.snapshot(),
            Action::Deaf(is_deaf) => self.is_deaf = is_deaf,
        }
    }
}

fn nth(map: &BTreeMap<ProcessId, (JobId, u32)>, which: u8) -> Option<(ProcessId, (JobId, u32))> {
    let index = usize::from(which).checked_rem(map.len())?;
    map.iter().nth(index).map(|(process, key)| (*process, *key))
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        2 => (any::<[u8; 2]>(), 0..3_u8, any::<bool>()).prop_map(|(counts, version, on_failure)| {
            Action::Want { processes: counts.map(|count| count % 5), version, on_failure }
        }),
        6 => any::<u16>().prop_map(Action::Advance),
        8 => any::<u8>().prop_map(Action::StartOne),
        1 => any::<(u8, bool)>().prop_map(|(which, hopeless)| Action::FailStart(which, hopeless)),
        4 => any::<(u8, u8)>().prop_map(|(which, status)| Action::ExitOne(which, status)),
        4 => Just(Action::TellEnds),
        1 => any::<u8>().prop_map(Action::Vanish),
        1 => proptest::option::of(0..5_u8).prop_map(Action::Restart),
        1 => Just(Action::AckAll),
        1 => Just(Action::RestartAgent),
        1 => Just(Action::RestartHost),
        1 => Just(Action::Compact),
        1 => any::<bool>().prop_map(Action::Deaf),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Two lives in one slot, or one in a slot that nobody wants, panic in [`World::perform`].
    #[test]
    fn slots_come_to_what_is_wanted(actions in proptest::collection::vec(action(), 1..120)) {
        let mut world = World::new();
        for action in actions {
            world.act(action);
        }
        world.is_deaf = false;
        world.act(Action::Want { processes: [3, 2], version: 1, on_failure: false });
        for _ in 0..60 {
            world.end_all();
            world.start_all();
            world.advance(Duration::from_secs(5));
        }
        let mut expected: BTreeSet<(JobId, u32)> = (0..3).map(|index| (JOB, index)).collect();
        expected.extend((0..2).map(|index| (JobId::from_u128(2), index)));
        let alive: BTreeSet<(JobId, u32)> = world.alive.values().copied().collect();
        prop_assert_eq!(&alive, &expected);
        for report in world.book.slot_reports() {
            prop_assert_eq!(report.state, SlotState::Running);
            prop_assert_eq!(report.job_version, 1);
        }
    }
}
