//! Doing what the books ask for.

use std::collections::HashSet;
use std::sync::Arc;

use cronfleet_core::id::{JobId, LifeId, ProcessId};
use cronfleet_core::order::ProbeKind;
use cronfleet_core::order_book::{Effect, Input};
use cronfleet_core::record::Record;
use cronfleet_core::slot_book::{SlotEffect, SlotInput};
use rand::RngExt;
use uuid::Builder;

use super::{Engine, Held, Kind};
use crate::chores::Chore;
use crate::host::LifeControl;
use crate::ledger::Entry;
use crate::lives::{Purpose, Question, launch, probe};

/// Entries kept for another try.
const UNWRITTEN_MAX: usize = 1_000;

/// Something to do at the end of a turn.
#[derive(Debug)]
pub(super) enum Action {
    /// Write this before doing what comes after.
    Append(Entry),
    /// What the order book wants.
    Run(Effect),
    /// What the slot book wants.
    Slot(SlotEffect),
}

impl From<Effect> for Action {
    fn from(effect: Effect) -> Self {
        match effect {
            Effect::Append(record) => Self::Append(Entry::Book(*record)),
            effect => Self::Run(effect),
        }
    }
}

impl From<SlotEffect> for Action {
    fn from(effect: SlotEffect) -> Self {
        match effect {
            SlotEffect::Append(record) => Self::Append(Entry::Book(record)),
            effect => Self::Slot(effect),
        }
    }
}

impl Engine {
    /// Does all that is to be done, in order, after all records of it are in the ledger.
    pub(super) fn perform(&mut self) {
        while !self.todo.is_empty() {
            let actions = std::mem::take(&mut self.todo);
            let appends = actions
                .iter()
                .any(|action| matches!(action, Action::Append(_)));
            if !appends || self.write(&actions) {
                actions.into_iter().for_each(|action| self.act(action));
            } else {
                self.act_unwritten(actions);
            }
        }
    }

    /// Writes all records of these actions, or none. What could not be written before comes first: in which boot, and towards
    /// what, everything after it was done.
    pub(super) fn write(&mut self, actions: &[Action]) -> bool {
        let entries = actions.iter().filter_map(|action| match action {
            Action::Append(entry) => Some(entry),
            Action::Run(_) | Action::Slot(_) => None,
        });
        let written = self.ledger.append(self.unwritten.iter().chain(entries));
        if written.is_ok() {
            self.unwritten.clear();
        }
        match &written {
            Ok(()) if !self.is_ledger_writable => {
                tracing::info!("the ledger can be written again");
                self.is_ledger_writable = true;
            }
            Err(error) if self.is_ledger_writable => {
                tracing::error!(%error, "the ledger cannot be written: nothing is started until it can");
                self.is_ledger_writable = false;
            }
            Ok(()) | Err(_) => {}
        }
        written.is_ok()
    }

    /// The ledger took nothing: does only what does not rest on a record of this turn.
    fn act_unwritten(&mut self, actions: Vec<Action>) {
        let mut failed: HashSet<LifeId> = HashSet::new();
        for action in actions {
            let kind = action.kind();
            match action {
                Action::Append(entry) => match kind {
                    Some(kind) => {
                        failed.insert(kind.life());
                        self.ledger_failed(kind);
                    }
                    None if self.unwritten.len() < UNWRITTEN_MAX => self.unwritten.push(entry),
                    None => {}
                },
                // What ends something rests on nothing.
                Action::Run(Effect::Abandon { .. } | Effect::KillAll { .. })
                | Action::Slot(SlotEffect::KillAll { .. }) => self.act(action),
                _ if kind.is_some_and(|kind| failed.contains(&kind.life())) => {}
                action => self.act(action),
            }
        }
    }

    fn ledger_failed(&mut self, kind: Kind) {
        match kind {
            Kind::Run(run) => self.order_input(Input::LedgerFailed { run }),
            Kind::Process(process) => self.slot_input(SlotInput::LedgerFailed { process }),
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Append(entry) => self.settle_folder(&entry),
            Action::Run(effect) => self.act_run(effect),
            Action::Slot(effect) => self.act_slot(effect),
        }
    }

    /// The end of a life is on record, so its folder need not say it any more.
    fn settle_folder(&mut self, entry: &Entry) {
        let life = match entry {
            Entry::Book(Record::Settled { run, .. }) => LifeId::from(*run),
            Entry::Book(Record::LifeEnded(report)) => LifeId::from(report.process),
            _ => return,
        };
        if !self.lives.contains_key(&life) && self.folders.remove(&life) {
            self.chores.add([Chore::RemoveFolder(life)]);
        }
    }

    fn act_run(&mut self, effect: Effect) {
        match effect {
            // An append is an action of its own.
            Effect::Append(_) => {}
            Effect::Arm { run } => {
                if let Some(order) = self.orders.order(run) {
                    let purpose = Purpose::Run(order.clone());
                    self.launch(Kind::Run(run), purpose, false);
                }
            }
            Effect::Go { run } => {
                if let Some(held) = self.lives.get(&run.into()) {
                    held.handle.go();
                }
            }
            Effect::Abandon { run } => {
                if let Some(held) = self.lives.get(&run.into()) {
                    held.handle.let_go();
                }
            }
            Effect::Stop { run, .. } => self.signal(run.into(), LifeControl::stop),
            Effect::KillAll { run } => self.signal(run.into(), LifeControl::kill_all),
            Effect::Report { run } => {
                if self.session.is_some() {
                    self.outbox.run(run);
                }
            }
            Effect::Forget { run } => self.forget(run.into()),
        }
    }

    fn act_slot(&mut self, effect: SlotEffect) {
        match effect {
            // An append is an action of its own.
            SlotEffect::Append(_) => {}
            SlotEffect::Start {
                process,
                job,
                index,
            } => {
                if let Some(order) = self.slots.wanted(job) {
                    let purpose = Purpose::Process {
                        order: order.clone(),
                        process,
                        index,
                    };
                    self.launch(Kind::Process(process), purpose, true);
                }
            }
            SlotEffect::Stop { process, .. } => self.signal(process.into(), LifeControl::stop),
            SlotEffect::KillAll { process } => self.signal(process.into(), LifeControl::kill_all),
            SlotEffect::Probe {
                process,
                job,
                index,
                kind,
            } => self.probe(process, job, index, kind),
            SlotEffect::ReportSlot { job, index } => {
                if self.session.is_some() {
                    self.outbox.slot(job, index);
                }
            }
            SlotEffect::SlotGone { .. } => {
                if self.session.is_some() {
                    self.outbox.all_slots();
                }
            }
            SlotEffect::ReportProcess { process } => {
                if self.session.is_some() {
                    self.outbox.process(process);
                }
            }
            SlotEffect::Forget { process } => self.forget(process.into()),
        }
    }

    fn launch(&mut self, kind: Kind, purpose: Purpose, is_released: bool) {
        let life = purpose.life();
        let (handle, task) = launch(self.launcher.clone(), purpose, self.life_events_out.clone());
        if is_released {
            handle.go();
        }
        self.folders.insert(life);
        self.lives.insert(life, Held { kind, handle });
        self.tasks.spawn(task);
    }

    /// Puts a question to a process. The answer comes as news of its life.
    fn probe(&mut self, process: ProcessId, job: JobId, index: u32, kind: ProbeKind) {
        let Some(order) = self.slots.wanted(job) else {
            return;
        };
        let start = self
            .slots
            .slot_report(job, index)
            .and_then(|report| report.start);
        let question = Question {
            order: Arc::clone(order),
            process,
            index,
            kind,
            pid: start.map_or(0, |start| start.pid),
            command: LifeId::from_uuid(Builder::from_random_bytes(self.draws.random()).into_uuid()),
        };
        let task = probe(
            self.launcher.clone(),
            question,
            self.life_events_out.clone(),
        );
        self.tasks.spawn(task);
    }

    /// Signals a life, or lets go of it if its command was not released.
    fn signal(&self, life: LifeId, send: fn(&LifeControl) -> std::io::Result<()>) {
        let Some(held) = self.lives.get(&life) else {
            return;
        };
        match &held.handle.control {
            None => held.handle.let_go(),
            Some(control) => {
                if let Err(error) = send(control) {
                    tracing::warn!(life.id = %life, %error, "a process cannot be signalled");
                }
            }
        }
    }

    /// Nobody needs a life any more. Its output stays until a center has stored it. A life that never started has removed
    /// itself, so that its id is free when it is prepared again.
    fn forget(&mut self, life: LifeId) {
        if self.lives.contains_key(&life) {
            return;
        }
        if self.folders.remove(&life) {
            self.chores.add([Chore::RemoveFolder(life)]);
        }
    }
}

impl Kind {
    pub(super) fn life(self) -> LifeId {
        match self {
            Self::Run(run) => run.into(),
            Self::Process(process) => process.into(),
        }
    }
}

impl Action {
    /// What it is about, if it is about one life.
    fn kind(&self) -> Option<Kind> {
        match self {
            Self::Append(entry) => subject(entry),
            Self::Run(effect) => match effect {
                Effect::Append(_) => None,
                Effect::Arm { run }
                | Effect::Go { run }
                | Effect::Abandon { run }
                | Effect::Stop { run, .. }
                | Effect::KillAll { run }
                | Effect::Report { run }
                | Effect::Forget { run } => Some(Kind::Run(*run)),
            },
            Self::Slot(effect) => match effect {
                SlotEffect::Append(_)
                | SlotEffect::ReportSlot { .. }
                | SlotEffect::SlotGone { .. } => None,
                SlotEffect::Start { process, .. }
                | SlotEffect::Probe { process, .. }
                | SlotEffect::Stop { process, .. }
                | SlotEffect::KillAll { process }
                | SlotEffect::ReportProcess { process }
                | SlotEffect::Forget { process } => Some(Kind::Process(*process)),
            },
        }
    }
}

/// The life that an entry is about.
fn subject(entry: &Entry) -> Option<Kind> {
    let Entry::Book(record) = entry else {
        return None;
    };
    match record {
        Record::Accepted { order, .. } => Some(Kind::Run(order.run)),
        Record::StopAsked { run, .. } | Record::Settled { run, .. } | Record::Acked { run } => {
            Some(Kind::Run(*run))
        }
        Record::LifeStarted(started) => Some(Kind::Process(started.process)),
        Record::LifeStopAsked { process, .. } | Record::LifeForgotten { process } => {
            Some(Kind::Process(*process))
        }
        Record::LifeEnded(report) => Some(Kind::Process(report.process)),
        // The next two are written again later; nothing rests on them meanwhile.
        Record::LifeReady { .. }
        | Record::LifeReplaceAsked { .. }
        | Record::SessionEpoch(_)
        | Record::RunLimits(_)
        | Record::DaemonsWanted { .. }
        | Record::SlotFinished { .. } => None,
    }
}
