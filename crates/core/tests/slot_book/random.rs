//! Random histories.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cronfleet_core::id::{JobId, ProcessId};
use cronfleet_core::job::{DaemonSpec, Restart};
use cronfleet_core::order::{ExitStatus, SlotState};
use cronfleet_core::order_book::SurveyedBoot;
use cronfleet_core::run::Reason;
use cronfleet_core::slot_book::SlotInput;
use proptest::prelude::*;

use crate::world::{JOB, World, daemon, spec};

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
                        daemon(
                            id,
                            version.into(),
                            processes[job].into(),
                            &argument,
                            policy.clone(),
                        )
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
