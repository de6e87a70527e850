//! Taking up where an earlier agent left off: the ledger says what was to be, the host says what is.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use cronfleet_core::id::{AgentId, LifeId, ProcessId, RunId};
use cronfleet_core::life::{self, Owner};
use cronfleet_core::order_book::{self, OrderBook, Survey, SurveyedBoot};
use cronfleet_core::record::Record;
use cronfleet_core::slot_book::{SlotBook, SlotLimits, SlotSurvey};
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::{Uuid, Version};

use super::perform::Action;
use super::{Engine, Held, Kind, LIFE_EVENTS_MAX};
use crate::chores::{Chore, Chores};
use crate::clock::Clock;
use crate::config::Config;
use crate::error::AgentError;
use crate::host::{self, ExitRecord, Found, FoundState, Host, HostError, Life, StartedRecord};
use crate::ledger::{Entry, Ledger, Replayed};
use crate::link::{LinkRecord, LinkShared, SpoolGauge};
use crate::lives::{Evidence, Launcher, OutputFlag, Vault, kill_orphans, remove, watch};
use crate::outbox::Outbox;
use crate::outputs::Outputs;
use crate::policy::PolicyKeeper;
use crate::status::WorkRequest;

/// Names a runtime directory: a new one, even in the same boot, has lost its processes like a new boot (a container that was
/// started again).
const GENERATION: &str = "generation";

/// What an opened agent hands over.
pub(crate) struct Opened<'a> {
    pub(crate) config: &'a Config,
    pub(crate) agent: AgentId,
    pub(crate) host: Host,
    pub(crate) ledger: Ledger,
    pub(crate) replayed: Replayed,
    pub(crate) policy: Arc<PolicyKeeper>,
    /// Who asks what there is to do.
    pub(crate) work_requests: mpsc::Receiver<WorkRequest>,
    pub(crate) draws: StdRng,
}

/// The ledger's entries, by who needs them.
#[derive(Default)]
struct Replay {
    runs: Vec<Record>,
    processes: Vec<Record>,
    process_ids: HashSet<LifeId>,
    run_ids: HashSet<LifeId>,
    /// Lives whose end is recorded.
    over_ids: HashSet<LifeId>,
    epoch: u64,
    boot: Option<String>,
    outputs: HashMap<LifeId, u64>,
    offset_us: i64,
}

impl Replay {
    fn of(entries: Vec<Entry>) -> Self {
        let mut replay = Self::default();
        for entry in entries {
            match entry {
                Entry::Boot { boot_id } => replay.boot = Some(boot_id),
                Entry::OutputStored { life, offset } => {
                    replay.outputs.insert(life, offset);
                }
                Entry::ClockOffset(us) => replay.offset_us = us,
                Entry::Book(record) => replay.take(record),
            }
        }
        replay
    }

    fn take(&mut self, record: Record) {
        match &record {
            Record::SessionEpoch(epoch) => {
                self.epoch = self.epoch.max(*epoch);
                return;
            }
            Record::Accepted { order, .. } => {
                self.run_ids.insert(order.run.into());
            }
            Record::Settled { run, .. } => {
                self.run_ids.insert((*run).into());
                self.over_ids.insert((*run).into());
            }
            Record::LifeStarted(started) => {
                self.process_ids.insert(started.process.into());
            }
            Record::LifeEnded(report) => {
                self.process_ids.insert(report.process.into());
                self.over_ids.insert(report.process.into());
            }
            Record::StopAsked { .. }
            | Record::Acked { .. }
            | Record::RunLimits(_)
            | Record::DaemonsWanted { .. }
            | Record::LifeStopAsked { .. }
            | Record::LifeReady { .. }
            | Record::LifeReplaceAsked { .. }
            | Record::LifeForgotten { .. }
            | Record::SlotFinished { .. } => {}
        }
        match &record {
            Record::Accepted { .. }
            | Record::StopAsked { .. }
            | Record::Settled { .. }
            | Record::Acked { .. }
            | Record::RunLimits(_) => self.runs.push(record),
            _ => self.processes.push(record),
        }
    }

    /// Whether the ledger tells of a life that is not over.
    fn is_open(&self, life: LifeId) -> bool {
        let is_known = self.process_ids.contains(&life) || self.run_ids.contains(&life);
        is_known && !self.over_ids.contains(&life)
    }

    /// What a life is for, also if the ledger does not know it: ids of daemon processes are random, those of runs are not.
    fn kind(&self, life: LifeId) -> Kind {
        let uuid = life.as_uuid();
        let is_process = self.process_ids.contains(&life)
            || (!self.run_ids.contains(&life) && uuid.get_version() == Some(Version::Random));
        if is_process {
            Kind::Process(ProcessId::from_uuid(uuid))
        } else {
            Kind::Run(RunId::from_uuid(uuid))
        }
    }
}

/// What the host found, in the books' words and as it is.
#[derive(Default)]
struct Sighted {
    runs: BTreeMap<RunId, life::Found>,
    processes: BTreeMap<ProcessId, life::Found>,
    /// Whose those are that the ledger does not know.
    run_owners: BTreeMap<RunId, Owner>,
    process_owners: BTreeMap<ProcessId, Owner>,
    alive: Vec<(Kind, Life)>,
    /// Lives that started and are over.
    over: Vec<(LifeId, Option<ExitRecord>)>,
    /// Lives with a folder.
    folders: HashSet<LifeId>,
    /// Those whose folder says nothing any more: of an earlier boot, or of a life whose end is recorded.
    outdated: Vec<LifeId>,
    /// Those whose command was never released.
    unused: Vec<LifeId>,
    /// Those whose shim is gone without a word.
    orphaned: Vec<StartedRecord>,
}

impl Sighted {
    fn of(found: Vec<Found>, replay: &Replay, evidence: Evidence<'_>) -> Self {
        let mut sighted = Self::default();
        for Found { id, state } in found {
            let life = LifeId::from_uuid(id);
            let kind = replay.kind(life);
            sighted.folders.insert(life);
            if matches!(state, FoundState::NeverStarted) && replay.over_ids.contains(&life) {
                // An earlier agent was just removing the folder; the output may still have to be shipped.
                sighted.outdated.push(life);
                continue;
            }
            let owner = if replay.is_open(life) {
                None
            } else {
                evidence.owner(life, matches!(kind, Kind::Process(_)))
            };
            if let Some(trace) = sighted.look(life, kind, state, evidence) {
                match kind {
                    Kind::Run(run) => {
                        sighted.runs.insert(run, trace);
                        sighted.run_owners.extend(owner.map(|owner| (run, owner)));
                    }
                    Kind::Process(process) => {
                        sighted.processes.insert(process, trace);
                        let owned = owner.map(|owner| (process, owner));
                        sighted.process_owners.extend(owned);
                    }
                };
            }
        }
        sighted
    }

    fn look(
        &mut self,
        life: LifeId,
        kind: Kind,
        state: FoundState,
        evidence: Evidence<'_>,
    ) -> Option<life::Found> {
        Some(match state {
            FoundState::NeverStarted => {
                self.unused.push(life);
                life::Found::NeverStarted
            }
            FoundState::Ended { exit, started } => {
                let Some(end) = evidence.end(life, &exit, started.as_ref()) else {
                    self.unused.push(life);
                    return Some(life::Found::NeverStarted);
                };
                if started.is_some() {
                    self.over.push((life, Some(exit)));
                }
                life::Found::Ended {
                    start: started.map(|started| evidence.start(&started).0),
                    end,
                }
            }
            FoundState::Alive(alive) => {
                let (start, boot) = evidence.start(alive.started());
                self.alive.push((kind, *alive));
                life::Found::Alive { start, boot }
            }
            FoundState::Vanished { started } => {
                self.over.push((life, None));
                let start = Some(evidence.start(&started).0);
                self.orphaned.push(started);
                life::Found::Vanished { start }
            }
            FoundState::Rebooted { .. } => {
                self.over.push((life, None));
                self.outdated.push(life);
                return None;
            }
            FoundState::Unreadable { problem } => {
                tracing::error!(life.id = %life, problem, "what a process left behind cannot be read");
                self.over.push((life, None));
                life::Found::Vanished { start: None }
            }
        })
    }
}

impl Sighted {
    /// Makes true what the books are told: nothing is left of what never ran, nothing of what is lost is alive.
    async fn tidy(&mut self, host: &Host) -> Result<(), HostError> {
        for life in self.unused.drain(..) {
            remove(host, life).await?;
            self.folders.remove(&life);
        }
        for started in self.orphaned.drain(..) {
            kill_orphans(host, &started).await;
        }
        Ok(())
    }
}

impl Engine {
    /// Makes the books from the ledger and from what the host finds, and takes up what still runs.
    ///
    /// # Errors
    /// [`AgentError::Host`] or [`AgentError::Boot`] if the host cannot be looked at.
    pub(crate) async fn recover(opened: Opened<'_>) -> Result<Self, AgentError> {
        let Opened {
            config,
            agent,
            host,
            ledger,
            replayed,
            policy,
            work_requests,
            mut draws,
        } = opened;
        let cgroups = host.cgroup_support().clone();
        tracing::info!(
            cgroups.mode = cgroups.mode.word(),
            cgroups.controllers = ?cgroups.controllers,
            cgroups.detail,
            "control groups"
        );
        let boot_id = host::boot_id().map_err(|source| AgentError::Boot { source })?;
        let generation = generation(&host.config().runtime_dir, &mut draws)?;
        let boot_mark = format!("{boot_id} {generation}");
        let replay = Replay::of(replayed.entries);
        let clock = Clock::new(replay.offset_us);
        let found = host.survey().await?;
        let evidence = Evidence {
            clock: &clock,
            boot_id: &boot_id,
            host: &host,
        };
        let mut sighted = Sighted::of(found, &replay, evidence);
        sighted.tidy(&host).await?;
        let is_new = replay.boot.as_ref().is_some_and(|boot| *boot != boot_mark);
        let boot = if is_new {
            SurveyedBoot::New
        } else {
            SurveyedBoot::Same
        };
        if is_new {
            // What never started is gone by now. Whether it is as good as new after a boot is for the ledger to say.
            sighted
                .runs
                .retain(|_, found| *found != life::Found::NeverStarted);
        }
        let now = clock.now();
        let survey = Survey {
            boot,
            is_ledger_lost: replayed.is_lost,
            runs: sighted.runs,
            owners: sighted.run_owners,
        };
        let (orders, run_effects) =
            OrderBook::recover(order_limits(config), replay.runs, survey, now);
        let survey = SlotSurvey {
            boot,
            processes: sighted.processes,
            owners: sighted.process_owners,
        };
        let (slots, slot_effects) = {
            let draws = &mut draws;
            let draw = &mut || draws.random();
            SlotBook::recover(SlotLimits::default(), replay.processes, survey, now, draw)
        };
        tracing::info!(
            orders.open = orders.open_count(),
            processes.adopted = sighted.alive.len(),
            boot.is_new = is_new,
            "the agent takes up its work",
        );
        let (life_events_out, life_events) = mpsc::channel(LIFE_EVENTS_MAX);
        let runtime_dir = &host.config().runtime_dir;
        let vault = Vault::open(runtime_dir, host::is_tmpfs(runtime_dir));
        let shared = Arc::new(LinkShared {
            agent,
            clock,
            epoch_seen: AtomicU64::new(replay.epoch),
            running_count: AtomicU32::new(0),
            record: LinkRecord::new(),
            spool: SpoolGauge::new(config.limits.spool_max_bytes),
            cgroups,
        });
        let mut engine = Self {
            launcher: Launcher::new(
                host.clone(),
                Arc::clone(&policy),
                vault.clone(),
                Arc::clone(&shared),
            ),
            vault,
            policy_versions: policy.versions(),
            policy_told: None,
            policy_due: None,
            work_requests,
            policy,
            host,
            on_stop: config.on_stop,
            boot_id,
            boot_mark,
            shared,
            ledger,
            is_ledger_writable: true,
            unwritten: Vec::new(),
            recorded_offset_us: replay.offset_us,
            orders,
            slots,
            outputs: Outputs::new(
                config.limits.output_unacked_max_bytes,
                config.limits.spool_max_bytes,
            ),
            outbox: Outbox::default(),
            chores: Chores::default(),
            lives: HashMap::new(),
            folders: sighted.folders,
            tasks: JoinSet::new(),
            life_events,
            life_events_out,
            session: None,
            is_active: false,
            draws,
            todo: Vec::new(),
            routine_at: Instant::now(),
            measured_at: None,
            closing: None,
        };
        for (kind, life) in sighted.alive {
            engine.adopt(kind, life, &replay.outputs);
        }
        for (life, exit) in sighted.over {
            engine.take_spool(life, exit, &replay.outputs);
        }
        engine
            .chores
            .add(sighted.outdated.into_iter().map(Chore::RemoveFolder));
        engine.todo.push(Action::Append(Entry::Boot {
            boot_id: engine.boot_mark.clone(),
        }));
        engine
            .todo
            .extend(run_effects.into_iter().map(Action::from));
        engine
            .todo
            .extend(slot_effects.into_iter().map(Action::from));
        // Before anything is prepared anew: the spool of an earlier preparation would refuse it.
        engine.take_leftover_spools(&replay.outputs)?;
        engine.perform();
        Ok(engine)
    }

    /// What link and loop share.
    pub(crate) fn shared(&self) -> Arc<LinkShared> {
        Arc::clone(&self.shared)
    }

    fn adopt(&mut self, kind: Kind, life: Life, stored: &HashMap<LifeId, u64>) {
        let id = kind.life();
        let is_output_stored = self.host.config().spool_dir.join(id.to_string()).is_dir();
        let (handle, task) = watch(
            self.host.clone(),
            life,
            self.launcher.places.take(None),
            is_output_stored,
            self.life_events_out.clone(),
        );
        if is_output_stored {
            let stored = stored.get(&id).copied().unwrap_or(0);
            self.outputs.open(id, handle.output.clone(), stored);
        }
        self.lives.insert(id, Held { kind, handle });
        self.tasks.spawn(task);
        self.shared.running_count.fetch_add(1, Ordering::Relaxed);
    }

    /// Ships what a life that is over has written, if anything of it is kept.
    fn take_spool(
        &mut self,
        life: LifeId,
        exit: Option<ExitRecord>,
        stored: &HashMap<LifeId, u64>,
    ) {
        if !self.host.config().spool_dir.join(life.to_string()).is_dir() {
            return;
        }
        let bytes = self.host.output(life.as_uuid()).end().unwrap_or(0);
        self.outputs.open(
            life,
            OutputFlag::default(),
            stored.get(&life).copied().unwrap_or(0),
        );
        self.output_over(life, exit.map(|exit| exit.spool_end), bytes);
    }

    /// Spools without a folder: their lives ended in an earlier boot, or long enough ago that only their output is still here.
    fn take_leftover_spools(&mut self, stored: &HashMap<LifeId, u64>) -> Result<(), AgentError> {
        for life in spools(&self.host.config().spool_dir)? {
            if self.lives.contains_key(&life) || self.outputs.has(life) {
                continue;
            }
            if self
                .orders
                .order(RunId::from_uuid(life.as_uuid()))
                .is_some()
            {
                // Prepared once and never released; it is to be prepared anew.
                self.host.forget_output(life.as_uuid())?;
            } else {
                self.take_spool(life, None, stored);
            }
        }
        Ok(())
    }
}

fn order_limits(config: &Config) -> order_book::Limits {
    order_book::Limits {
        held_max: config.limits.orders_max,
        armed_max: config.limits.armed_max,
        ..order_book::Limits::default()
    }
}

fn spools(dir: &Path) -> Result<Vec<LifeId>, HostError> {
    let in_dir = |source| HostError::File {
        path: dir.to_owned(),
        source,
    };
    let mut lives = Vec::new();
    for entry in fs::read_dir(dir).map_err(in_dir)? {
        let name = entry.map_err(in_dir)?.file_name();
        let id = name.to_str().and_then(|name| Uuid::try_parse(name).ok());
        lives.extend(id.map(LifeId::from_uuid));
    }
    Ok(lives)
}

/// Reads the name of a runtime directory, or gives it one.
fn generation(runtime_dir: &Path, draws: &mut StdRng) -> Result<String, HostError> {
    let path = runtime_dir.join(GENERATION);
    let in_file = |source| HostError::File {
        path: path.clone(),
        source,
    };
    match fs::read_to_string(&path) {
        Ok(name) if !name.is_empty() => return Ok(name),
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(in_file(source)),
    }
    let name = format!("{:016x}", draws.random::<u64>());
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(in_file)?;
    file.write_all(name.as_bytes()).map_err(in_file)?;
    Ok(name)
}
