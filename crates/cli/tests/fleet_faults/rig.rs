//! The fleet that the faults befall: centers over a database, and machines with agents, all on loopback; every link between them can
//! be cut.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cronfleet_api::job::{Overlap, RetryPolicy};
use cronfleet_testdb::{Kind, Server};
use cronfleet_testkit::{
    Api, CenterHost, Disk, Fleet, GROUP, Machine, Passing, Program, Proxy, SyncSwitch, Traced,
    eventually, temporary_dir,
};
use nix::sys::signal::Signal;
use tempfile::TempDir;
use uuid::Uuid;

use crate::checker::Job;
use crate::stamps::StampFile;
use crate::watch::Watch;

/// Machines with an agent each.
const MACHINES: usize = 3;
/// Processes of the daemon on each machine.
pub(crate) const SLOTS: u32 = 2;
/// Centers over a database server.
const CENTERS: usize = 2;
/// Size of the disks that get full.
const DISK_BYTES: u64 = 64 << 20;
/// Time for anything that no fault is in the way of.
pub(crate) const STEP: Duration = Duration::from_secs(90);
/// Sets the clock of the programs that it is loaded into; Debian's package `faketime` has it.
const CLOCK_SETTER: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// What the centers keep everything in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
    Mysql,
}

impl Engine {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MariaDB",
        }
    }
}

/// A program, or nothing where one was.
#[derive(Debug)]
pub(crate) enum Running {
    Down,
    Plain(Program),
    /// With a disk that can break.
    Traced(Traced),
}

/// A center with its links.
pub(crate) struct Center {
    pub(crate) host: CenterHost,
    pub(crate) running: Running,
    pub(crate) api: Api,
    pub(crate) to_agents: Proxy,
    pub(crate) to_database: Option<Proxy>,
    /// By how much its clock is off, where it can be set.
    clock: Option<PathBuf>,
}

/// A machine with its agent.
pub(crate) struct Station {
    pub(crate) id: Uuid,
    pub(crate) machine: Machine,
    pub(crate) running: Running,
}

/// The fleet.
pub(crate) struct Rig {
    pub(crate) engine: Engine,
    pub(crate) centers: Vec<Center>,
    pub(crate) stations: Vec<Station>,
    pub(crate) server: Option<Server>,
    pub(crate) jobs: Vec<Job>,
    pub(crate) daemon: Uuid,
    pub(crate) stamps: StampFile,
    pub(crate) watch: Watch,
    /// Those of the first center and of the first machine, if they can be full, and whether they are.
    disks: BTreeMap<&'static str, (Disk, bool)>,
    pub(crate) syncs: SyncSwitch,
    is_suspended: bool,
    /// All of it lives in there.
    _dir: TempDir,
}

impl Rig {
    /// Starts everything and waits until it works. The first center and the first machine have disks of their own with
    /// `has_disks`.
    pub(crate) async fn start(engine: Engine, has_disks: bool) -> Result<Self> {
        let binary = Path::new(env!("CARGO_BIN_EXE_cronfleet"));
        let dir = temporary_dir()?;
        let mut disks = BTreeMap::new();
        if has_disks {
            for (name, at) in [("center", "center-0"), ("agent", "machine-0/agent")] {
                let disk = Disk::mount(&dir.path().join(at), DISK_BYTES)?;
                disks.insert(name, (disk, false));
            }
        }
        let server = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(Server::start(Kind::Postgres, true)?),
            Engine::Mysql => Some(Server::start(Kind::Mysql, true)?),
        };
        let count = if server.is_some() { CENTERS } else { 1 };
        let mut centers: Vec<Center> = Vec::new();
        for number in 0..count {
            let first = centers.first().map(|center| &center.host);
            let at = dir.path().join(format!("center-{number}"));
            centers.push(center(binary, at, server.as_ref(), first).await?);
        }
        let group = centers[0].api.group_named(GROUP).await?;
        let mut stations: Vec<Station> = Vec::new();
        for number in 0..MACHINES {
            let at = dir.path().join(format!("machine-{number}"));
            std::fs::create_dir_all(&at)?;
            let known: Vec<Uuid> = stations.iter().map(|station| station.id).collect();
            stations.push(station(binary, at, &centers[0], group, &known).await?);
        }
        let stamps = StampFile::create(dir.path().join("stamps"))?;
        let (jobs, daemon) = create_jobs(&centers[0].api, group, &stamps).await?;
        let database = server.as_ref().map(Server::first_database);
        let rig = Self {
            engine,
            watch: Watch::start(database, stamps.clone()).await?,
            centers,
            stations,
            server,
            jobs,
            daemon,
            stamps,
            disks,
            syncs: SyncSwitch::default(),
            is_suspended: false,
            _dir: dir,
        };
        rig.wait_whole().await?;
        Ok(rig)
    }

    /// Index of the center that plans.
    pub(crate) async fn planning(&self) -> Result<usize> {
        eventually("a center plans", STEP, async || {
            for (index, center) in self.centers.iter().enumerate() {
                let centers = center.api.centers().await.unwrap_or_default();
                if centers.iter().any(|one| one.is_here && one.is_planning) {
                    return Ok(Some(index));
                }
            }
            Ok(None)
        })
        .await
    }

    /// Waits until nothing is left of a fault: every center serves and knows the others, one plans, every agent is online, every
    /// slot has its process.
    pub(crate) async fn wait_whole(&self) -> Result<()> {
        eventually("the fleet is whole", STEP, async || {
            for center in &self.centers {
                if !center.host.is_ready().await || !self.is_whole(center).await.unwrap_or(false) {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        })
        .await
    }

    async fn is_whole(&self, center: &Center) -> Result<bool> {
        let live = center.api.centers().await?;
        let live = live.iter().filter(|center| center.is_live);
        let (count, planning) = live.fold((0, 0), |(count, planning), center| {
            (count + 1, planning + usize::from(center.is_planning))
        });
        let agents = center.api.agents().await?;
        let slots = center.api.slots(self.daemon).await?;
        Ok(count == self.centers.len()
            && planning == 1
            && agents.len() == self.stations.len()
            && agents.iter().all(|agent| agent.is_online)
            && slots.len() == self.stations.len() * SLOTS as usize
            && slots.iter().all(|slot| slot.pid.is_some()))
    }

    /// Takes back every fault, in an order in which each can find what it needs.
    pub(crate) async fn heal(&mut self) -> Result<()> {
        self.syncs.fail(false);
        for (disk, is_full) in self.disks.values_mut() {
            if std::mem::take(is_full) {
                disk.free()?;
            }
        }
        if let Some(server) = &mut self.server {
            if std::mem::take(&mut self.is_suspended) {
                server.resume()?;
            } else if !server.is_running() {
                server.start_again()?;
            }
        }
        for center in &mut self.centers {
            center.to_agents.pass(Passing::All);
            if let Some(link) = &center.to_database {
                link.pass(Passing::All);
            }
            center.set_clock(0)?;
            center.running.go_on()?;
        }
        for station in &mut self.stations {
            station.running.go_on()?;
            if matches!(station.running, Running::Down) {
                station.running = Running::Plain(station.machine.start()?);
            }
        }
        for center in &mut self.centers {
            if matches!(center.running, Running::Down) {
                center.running = Running::Plain(center.host.start().await?);
            }
        }
        Ok(())
    }

    /// Lets a disk be full.
    pub(crate) fn fill(&mut self, disk: &'static str) -> Result<()> {
        let (disk, is_full) = self.disks.get_mut(disk).context("no such disk")?;
        *is_full = true;
        disk.fill()
    }

    /// Suspends the database server.
    pub(crate) fn suspend_server(&mut self) -> Result<()> {
        self.is_suspended = true;
        self.server.as_ref().context("a server")?.suspend()
    }

    /// What all programs have printed.
    pub(crate) fn logs(&self) -> String {
        let centers = self.centers.iter().map(|center| center.host.log());
        let stations = self.stations.iter().map(|station| station.machine.log());
        let texts = centers.chain(stations).map(|path| {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            format!("--- {}\n{text}\n", path.display())
        });
        texts.collect()
    }
}

impl Drop for Rig {
    /// Ends agents, then centers; what agents have started ends with their machines.
    fn drop(&mut self) {
        self.stations.clear();
        self.centers.clear();
        self.server = None;
        self.disks.clear();
    }
}

impl Running {
    /// Kills it with SIGKILL.
    pub(crate) fn kill(&mut self) -> Result<()> {
        match std::mem::replace(self, Self::Down) {
            Self::Down => {}
            Self::Plain(mut program) => program.kill()?,
            Self::Traced(mut traced) => {
                traced.kill()?;
            }
        }
        Ok(())
    }

    /// Stops it in good order.
    pub(crate) fn stop(&mut self) -> Result<()> {
        match std::mem::replace(self, Self::Down) {
            Self::Plain(mut program) => program.stop(),
            Self::Down | Self::Traced(_) => Ok(()),
        }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        match self {
            Self::Plain(program) => program.signal(signal),
            Self::Down | Self::Traced(_) => Ok(()),
        }
    }

    /// Lets one that is suspended go on, and ends one that is traced, so that it can be started as it should be.
    fn go_on(&mut self) -> Result<()> {
        match self {
            Self::Traced(_) => self.kill(),
            Self::Plain(program) => {
                if let Some(status) = program.ended()? {
                    anyhow::bail!("it has ended with {status}:\n{}", program.printed()?);
                }
                program.signal(Signal::SIGCONT)
            }
            Self::Down => Ok(()),
        }
    }
}

impl Center {
    /// Sets its clock off by so many seconds.
    pub(crate) fn set_clock(&self, seconds: i64) -> Result<()> {
        match &self.clock {
            Some(file) => Ok(std::fs::write(file, format!("{seconds:+}\n"))?),
            None => {
                ensure!(seconds == 0, "there is no {CLOCK_SETTER}: install faketime");
                Ok(())
            }
        }
    }

    /// Starts it again with a disk that can break.
    pub(crate) async fn trace(&mut self, syncs: SyncSwitch) -> Result<()> {
        self.running.stop()?;
        let traced = Traced::start_with_syncs(&self.host.command(), &self.host.log(), syncs)?;
        self.running = Running::Traced(traced);
        eventually("the traced center serves", STEP, async || {
            Ok(self.host.is_ready().await.then_some(()))
        })
        .await
    }
}

impl Station {
    /// Starts its agent again on a disk that can break.
    pub(crate) fn trace(&mut self, syncs: SyncSwitch) -> Result<()> {
        self.running.stop()?;
        let (command, log) = (self.machine.command()?, self.machine.log());
        self.running = Running::Traced(Traced::start_with_syncs(&command, &log, syncs)?);
        Ok(())
    }
}

/// A center that serves, beside the first one if there is one.
async fn center(
    binary: &Path,
    dir: PathBuf,
    server: Option<&Server>,
    first: Option<&CenterHost>,
) -> Result<Center> {
    let mut host = CenterHost::new(binary, dir.clone())?;
    let to_agents = Proxy::start(host.agent_listen()).await?;
    host = host.dialled_at(to_agents.address());
    let mut to_database = None;
    let mut clock = None;
    if let Some(server) = server {
        let link = Proxy::start(&server.address()).await?;
        let database = server.first_database();
        host = host.on_database(Some(database.replace(&server.address(), &link.address())));
        to_database = Some(link);
        if Path::new(CLOCK_SETTER).exists() {
            let file = dir.with_extension("clock");
            std::fs::write(&file, "+0\n")?;
            host = host
                .with_env("LD_PRELOAD", CLOCK_SETTER)
                .with_env("FAKETIME_TIMESTAMP_FILE", &file.to_string_lossy())
                // It is looked at once a second, not at every look at the clock.
                .with_env("FAKETIME_CACHE_DURATION", "1")
                .with_env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
            clock = Some(file);
        }
    }
    let (program, api) = match first {
        None => host.start_first().await?,
        Some(first) => {
            host.share_files_of(first)?;
            let program = host.start().await?;
            let mut api = Api::new(host.listen());
            api.sign_in().await?;
            (program, api)
        }
    };
    Ok(Center {
        host,
        running: Running::Plain(program),
        api,
        to_agents,
        to_database,
        clock,
    })
}

/// A machine whose agent is online.
async fn station(
    binary: &Path,
    dir: PathBuf,
    center: &Center,
    group: Uuid,
    known: &[Uuid],
) -> Result<Station> {
    let machine = Machine::new(binary, dir, center.host.agent_address().to_owned());
    machine.join(&center.api.invite(group).await?)?;
    let running = Running::Plain(machine.start()?);
    let id = eventually("the agent is online", STEP, async || {
        let agents = center.api.agents().await?;
        let new = agents.iter().find(|agent| !known.contains(&agent.id));
        Ok(new.filter(|agent| agent.is_online).map(|agent| agent.id))
    })
    .await?;
    Ok(Station {
        id,
        machine,
        running,
    })
}

/// The jobs, all of them on every machine, and the daemon.
async fn create_jobs(api: &Api, group: Uuid, stamps: &StampFile) -> Result<(Vec<Job>, Uuid)> {
    let mut beat = Fleet::scheduled("beat", "* * * * * *", &stamps.run("true", 0))?;
    // What is late runs all the same.
    if let Some(scheduled) = &mut beat.scheduled {
        scheduled.overlap = Overlap::Allow;
    }
    let mut fail = Fleet::scheduled("fail", "@every 1s", &stamps.run("true", 3))?;
    // What is late waits for its turn.
    if let Some(scheduled) = &mut fail.scheduled {
        scheduled.overlap = Overlap::Queue;
        scheduled.queue_max = Some(100);
        scheduled.start_deadline_ms = Some(60_000);
    }
    let lines = "for n in 1 2 3 4 5; do echo $n; sleep 1; done";
    let mut slow = Fleet::scheduled("slow", "@every 10s", &stamps.run(lines, 0))?;
    if let Some(scheduled) = &mut slow.scheduled {
        scheduled.retry = RetryPolicy {
            attempts_max: 3,
            ..RetryPolicy::default()
        };
    }
    let job = |id, name, period, code, is_exclusive, output| Job {
        id,
        name,
        period,
        code,
        is_exclusive,
        output,
    };
    let jobs = vec![
        job(api.create(group, beat).await?.id, "beat", 1, 0, false, ""),
        job(api.create(group, fail).await?.id, "fail", 1, 3, true, ""),
        job(
            api.create(group, slow).await?.id,
            "slow",
            10,
            0,
            true,
            "1\n2\n3\n4\n5\n",
        ),
    ];
    let daemon = Fleet::daemon("daemon", SLOTS, &stamps.daemon())?;
    Ok((jobs, api.create(group, daemon).await?.id))
}
