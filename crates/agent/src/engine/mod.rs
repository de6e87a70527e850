//! The agent's loop: one task that owns the books and the ledger.
//!
//! Whatever happens becomes an input of a book; what the books answer waits in `todo` until the end of the turn. Then all records
//! of the turn are written in one go, and only then is the rest done, in order. Nothing in here waits for anybody: lives, the
//! link, the disk and the reading of output all report when they are done.

mod closing;
mod hear;
mod measure;
mod perform;
mod recover;
mod tell;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use cronfleet_core::id::{LifeId, ProcessId, RunId};
use cronfleet_core::life::{Now, Wake};
use cronfleet_core::order::SlotState;
use cronfleet_core::order_book::{Input, OrderBook};
use cronfleet_core::slot_book::{SlotBook, SlotInput};
use cronfleet_wire::v1;
use jiff::SignedDuration;
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::chores::Chores;
use crate::config::OnStop;
use crate::host::Host;
use crate::ledger::{Entry, Ledger, LedgerEvent};
use crate::link::{LinkEvent, LinkShared, Session};
use crate::lives::{Evidence, Launcher, LifeEvent, LifeHandle, Vault};
use crate::outbox::Outbox;
use crate::outputs::Outputs;
use crate::policy::PolicyKeeper;
use crate::status::{WorkRequest, WorkStatus};
use closing::Closing;
use perform::Action;
pub(crate) use recover::Opened;

/// News of lives that wait for the loop.
const LIFE_EVENTS_MAX: usize = 1_024;

/// Events that one turn takes in at most.
const EVENTS_PER_TURN: usize = 1_024;

/// Longest sleep. A machine that was suspended finds out after so long.
const SLEEP_MAX: Duration = Duration::from_secs(5);

/// Shortest sleep before a book is ticked again: below what timers can do.
const SLEEP_MIN: Duration = Duration::from_micros(100);

/// Time between two looks at what has no event of its own: progress of output, entries that could not be written.
const ROUTINE: Duration = Duration::from_secs(1);

/// What a life is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Run(RunId),
    Process(ProcessId),
}

/// A life that has a task.
#[derive(Debug)]
struct Held {
    kind: Kind,
    handle: LifeHandle,
}

/// The loop's state.
pub(crate) struct Engine {
    host: Host,
    launcher: Launcher,
    vault: Vault,
    policy: Arc<PolicyKeeper>,
    /// Grows when another policy comes into force.
    policy_versions: watch::Receiver<u64>,
    /// What the center was told of the policy last.
    policy_told: Option<v1::PolicyReport>,
    /// What it is to be told.
    policy_due: Option<v1::PolicyReport>,
    work_requests: mpsc::Receiver<WorkRequest>,
    on_stop: OnStop,
    boot_id: String,
    /// Boot and runtime directory as the ledger names them.
    boot_mark: String,
    shared: Arc<LinkShared>,
    ledger: Ledger,
    is_ledger_writable: bool,
    /// Entries that are nobody's in particular and could not be written.
    unwritten: Vec<Entry>,
    /// The clock's offset as the ledger knows it.
    recorded_offset_us: i64,
    orders: OrderBook,
    slots: SlotBook,
    outputs: Outputs,
    outbox: Outbox,
    chores: Chores,
    lives: HashMap<LifeId, Held>,
    /// Lives that may have a folder.
    folders: HashSet<LifeId>,
    tasks: JoinSet<()>,
    life_events: mpsc::Receiver<LifeEvent>,
    life_events_out: mpsc::Sender<LifeEvent>,
    session: Option<Session>,
    is_active: bool,
    draws: StdRng,
    todo: Vec<Action>,
    routine_at: Instant,
    /// When memory of daemon processes was measured last.
    measured_at: Option<Instant>,
    closing: Option<Closing>,
}

impl Engine {
    /// Works until `stop` is cancelled and everything is in order for the next agent.
    pub(crate) async fn run(
        mut self,
        mut link: mpsc::Receiver<LinkEvent>,
        stop: CancellationToken,
    ) {
        loop {
            let is_blocked = self.turn();
            if self.is_done() {
                break;
            }
            let wake = self.wake(is_blocked);
            let is_open = self.closing.is_none();
            let session = self.session.as_ref().filter(|_| is_blocked);
            tokio::select! {
                () = stop.cancelled(), if is_open => self.begin_closing(),
                Some(event) = self.life_events.recv() => self.hear_life(event),
                Some(event) = link.recv() => self.hear_link(event),
                event = self.ledger.event() => self.hear_ledger(event),
                () = self.outputs.wait_read() => {}
                () = self.chores.wait() => {}
                () = tell::room(session) => {}
                Some(answer) = self.work_requests.recv() => {
                    // Who asked may be gone.
                    let _ = answer.send(self.work());
                }
                Ok(()) = self.policy_versions.changed() => self.slot_input(SlotInput::PolicyChanged),
                Some(done) = self.tasks.join_next() => pass_on_panic(done),
                () = sleep_until(wake) => {}
            }
            self.hear_more(&mut link);
        }
        self.close().await;
    }

    /// Does everything that is due now. Says whether the session has no room for what is to be sent.
    fn turn(&mut self) -> bool {
        let now = self.now();
        if self.orders.next_wake().is_due(now) {
            self.order_input(Input::Tick);
        }
        if self.slots.next_wake().is_due(now) {
            self.slot_input(SlotInput::Tick);
        }
        if self.routine_at <= Instant::now() {
            self.routine();
        }
        self.perform();
        self.ledger.begin_sync();
        if self.ledger.wants_rewrite() {
            let entries = self.snapshot();
            self.ledger.begin_rewrite(entries);
        }
        self.chores.begin(&self.host);
        let is_blocked = self.tell();
        self.outputs
            .begin_read(&self.host, self.shared.clock.offset_us());
        is_blocked
    }

    /// Takes in what else has happened meanwhile, so that its records share one write.
    fn hear_more(&mut self, link: &mut mpsc::Receiver<LinkEvent>) {
        for _ in 0..EVENTS_PER_TURN {
            let Ok(event) = self.life_events.try_recv() else {
                break;
            };
            self.hear_life(event);
        }
        while self.todo.len() < EVENTS_PER_TURN
            && let Ok(event) = link.try_recv()
        {
            self.hear_link(event);
        }
        while let Some(done) = self.tasks.try_join_next() {
            pass_on_panic(done);
        }
    }

    fn hear_ledger(&mut self, event: LedgerEvent) {
        match event {
            LedgerEvent::Synced(runs) => {
                for run in runs {
                    self.order_input(Input::Synced { run });
                }
            }
            LedgerEvent::SyncFailed(runs) => {
                for run in runs {
                    self.order_input(Input::SyncFailed { run });
                }
            }
            LedgerEvent::Internal => {}
        }
    }

    fn routine(&mut self) {
        self.routine_at = Instant::now() + ROUTINE;
        self.outputs.retry();
        let (orders, slots) = (&self.orders, &self.slots);
        self.vault
            .retain(|job| orders.has_job(job) || slots.wanted(job).is_some());
        self.shared.spool.set(self.outputs.level());
        self.measure();
        let progress = self.outputs.progress();
        self.todo.extend(progress.into_iter().map(Action::Append));
        if !self.unwritten.is_empty() {
            self.write(&[]);
        }
        self.report_policy();
        let offset_us = self.shared.clock.offset_us();
        let is_measured = self.shared.clock.round_trip_us().is_some();
        if is_measured && (offset_us - self.recorded_offset_us).abs() > OFFSET_STEP_US {
            self.recorded_offset_us = offset_us;
            self.todo
                .push(Action::Append(Entry::ClockOffset(offset_us)));
        }
    }

    /// What there is to do, for people.
    fn work(&self) -> WorkStatus {
        let states = self.slots.slot_reports().map(|slot| slot.state);
        let (slots, running) = states.fold((0, 0), |(all, running), state| {
            (all + 1, running + u64::from(state == SlotState::Running))
        });
        WorkStatus {
            is_active: self.is_active,
            orders_open: self.orders.held_count() as u64,
            ends_unacknowledged: self.orders.ends_unacked_count() as u64,
            slots,
            slots_running: running,
            processes: self
                .lives
                .values()
                .filter(|held| held.handle.control.is_some())
                .count() as u64,
            is_ledger_writable: self.is_ledger_writable,
        }
    }

    /// Has the center told of the policy if anything about it is new, at most once a routine however much is refused.
    fn report_policy(&mut self) {
        let report = self.policy.report();
        if self.policy_told.as_ref() != Some(&report) {
            self.policy_due = Some(report.clone());
            self.policy_told = Some(report);
        }
    }

    /// Everything that is still true, for a rewritten ledger.
    fn snapshot(&self) -> Vec<Entry> {
        use cronfleet_core::record::Record;
        let epoch = self
            .shared
            .epoch_seen
            .load(std::sync::atomic::Ordering::Relaxed);
        let mut entries = vec![
            Entry::Boot {
                boot_id: self.boot_mark.clone(),
            },
            Entry::ClockOffset(self.recorded_offset_us),
            Entry::Book(Record::SessionEpoch(epoch)),
        ];
        entries.extend(self.orders.snapshot().into_iter().map(Entry::Book));
        entries.extend(self.slots.snapshot().into_iter().map(Entry::Book));
        entries.extend(self.outputs.snapshot());
        entries
    }

    fn now(&self) -> Now {
        self.shared.clock.now()
    }

    fn evidence(&self) -> Evidence<'_> {
        Evidence {
            clock: &self.shared.clock,
            boot_id: &self.boot_id,
            host: &self.host,
        }
    }

    /// Hands an input to the order book.
    fn order_input(&mut self, input: Input) {
        let effects = self.orders.handle(self.now(), input);
        self.todo.extend(effects.into_iter().map(Action::from));
    }

    /// Hands an input to the slot book.
    fn slot_input(&mut self, input: SlotInput) {
        let now = self.now();
        let draws = &mut self.draws;
        let effects = self.slots.handle(now, &mut || draws.random(), input);
        self.todo.extend(effects.into_iter().map(Action::from));
    }

    /// When there is something to do even if nothing happens.
    fn wake(&self, is_blocked: bool) -> Instant {
        let books = self.orders.next_wake().earlier(self.slots.next_wake());
        let is_telling = self.session.is_some() && !is_blocked;
        let told = self.outbox.due().filter(|_| is_telling);
        let synced = self.ledger.sync_at().map(Instant::from_std);
        let is_busy =
            !self.lives.is_empty() || !self.unwritten.is_empty() || self.session.is_some();
        let routine = is_busy.then_some(self.routine_at);
        let closed = self.closing.as_ref().map(Closing::until);
        [instant_of(books, self.now()), told, synced, routine, closed]
            .into_iter()
            .flatten()
            .fold(Instant::now() + SLEEP_MAX, Instant::min)
    }
}

/// Changes of the clock's offset up to this are not worth a record.
const OFFSET_STEP_US: i64 = 5_000;

/// A task that panicked has left a life in an unknown state: the next agent finds out.
fn pass_on_panic(done: Result<(), JoinError>) {
    if let Err(error) = done
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

fn instant_of(wake: Wake, now: Now) -> Option<Instant> {
    let center = wake
        .center
        .map(|at| positive(at.duration_since(now.center)));
    let boot = wake.boot.map(|at| at.saturating_sub(now.boot));
    let wait = center.into_iter().chain(boot).min()?;
    Some(Instant::now() + wait.clamp(SLEEP_MIN, SLEEP_MAX))
}

fn positive(duration: SignedDuration) -> Duration {
    Duration::try_from(duration).unwrap_or_default()
}
