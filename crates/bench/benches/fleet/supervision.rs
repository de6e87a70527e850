//! What keeping 100 daemon processes costs, beside supervisord doing the same.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use cronfleet_api::slot::SlotState;
use cronfleet_testkit::{Fleet, eventually};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::figures::{line, ms};

const PROCESSES: u32 = 100;
/// Kills whose way back is timed.
const KILLS: u32 = 100;
/// Pause between two looks for a successor.
const LOOK: Duration = Duration::from_micros(500);

pub(crate) async fn measure(binary: &Path) -> Result<()> {
    line(&format!("## Keeping {PROCESSES} daemon processes\n"))?;
    line("| what, without the commands | PSS MiB | of it anonymous MiB |")?;
    line("|---|---|---|")?;
    let fleet = Fleet::start(binary).await?;
    let mut spec = Fleet::daemon("sleeper", PROCESSES, "exec sleep 100000")?;
    if let Some(daemon) = &mut spec.daemon {
        daemon.backoff_initial_ms = 0;
        daemon.crash_loop_failures = 100;
        daemon.crash_loop_window_ms = 1_000;
    }
    let job = fleet.api.create(fleet.group, spec).await?;
    let pids = eventually("every slot runs", Duration::from_secs(60), async || {
        let slots = fleet.api.slots(job.id).await?;
        let pids: Vec<i32> = slots
            .iter()
            .filter(|slot| slot.state == SlotState::Running)
            .filter_map(|slot| slot.pid)
            .collect();
        Ok((pids.len() == PROCESSES as usize).then_some(pids))
    })
    .await?;
    let agent = fleet.agent.as_ref().context("the agent is down")?.pid();
    let agent = i32::try_from(agent)?;
    let shims: Vec<i32> = pids.iter().map(|pid| parent(*pid)).collect::<Result<_>>()?;
    let of_agent = Memory::of(agent)?;
    let of_shims = shims.iter().try_fold(Memory::default(), |sum, pid| {
        Ok::<_, anyhow::Error>(sum.and(Memory::of(*pid)?))
    })?;
    line(&of_agent.row("agent"))?;
    line(&of_shims.row(&format!("{PROCESSES} shims")))?;
    line(&of_agent.and(of_shims).row("together"))?;
    let other = Supervisord::start(&fleet.path("supervisord")).and_then(|other| {
        line(&format!(
            "{}\n",
            Memory::of(other.pid()?)?.row("supervisord")
        ))?;
        Ok(other)
    });
    if let Err(error) = &other {
        line(&format!(
            "| supervisord | not measured: {error:#}; install it with `pip install supervisor`, or name it in `SUPERVISORD` | |\n"
        ))?;
    }
    line(
        "| killed with SIGKILL; its successor runs after | p50 ms | p99 ms | slowest of 100 ms |",
    )?;
    line("|---|---|---|---|")?;
    back("agent", Keeper::Agent(agent))?;
    if let Ok(other) = &other {
        back("supervisord", Keeper::Supervisord(other.pid()?))?;
    }
    line("")
}

/// Who keeps the commands.
#[derive(Debug, Clone, Copy)]
enum Keeper {
    /// With a shim between itself and each of them.
    Agent(i32),
    /// As its own children.
    Supervisord(i32),
}

impl Keeper {
    /// Its children.
    fn children(self) -> Result<Vec<i32>> {
        let (Self::Agent(pid) | Self::Supervisord(pid)) = self;
        children(pid)
    }

    /// The command that is kept by way of one of its children, once it is executed.
    fn command(self, child: i32) -> Option<i32> {
        let command = match self {
            Self::Agent(_) => *children(child).ok()?.first()?,
            Self::Supervisord(_) => child,
        };
        let name = std::fs::read_to_string(format!("/proc/{command}/comm")).ok()?;
        (name.trim() == "sleep").then_some(command)
    }
}

/// Kills commands one after the other, and times how long it takes until another one runs in its place.
fn back(name: &str, keeper: Keeper) -> Result<()> {
    let mut waits = Vec::new();
    for _ in 0..KILLS {
        let before = keeper.children()?;
        let victim = before.iter().find_map(|child| keeper.command(*child));
        let killed = Instant::now();
        kill(
            Pid::from_raw(victim.context("no command is left")?),
            Signal::SIGKILL,
        )?;
        let deadline = killed + Duration::from_secs(10);
        // Only what is new is looked at, so that looking takes no time from whoever works.
        while !keeper
            .children()?
            .iter()
            .any(|child| !before.contains(child) && keeper.command(*child).is_some())
        {
            anyhow::ensure!(Instant::now() < deadline, "no process came back");
            std::thread::sleep(LOOK);
        }
        waits.push(killed.elapsed());
    }
    waits.sort_unstable();
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share).round() as usize];
    let [p50, p99, slowest] = [0.5, 0.99, 1.0].map(|share| ms(at(share)));
    line(&format!("| {name} | {p50} | {p99} | {slowest} |"))
}

fn children(pid: i32) -> Result<Vec<i32>> {
    let mut found = Vec::new();
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let list = std::fs::read_to_string(thread?.path().join("children")).unwrap_or_default();
        found.extend(
            list.split_whitespace()
                .filter_map(|pid| pid.parse::<i32>().ok()),
        );
    }
    Ok(found)
}

fn parent(pid: i32) -> Result<i32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    Ok(parent.context("no PPid")?.trim().parse()?)
}

/// Memory of processes in MiB, shared pages divided among those that share them.
#[derive(Debug, Clone, Copy, Default)]
struct Memory {
    all: f64,
    /// What no file is behind: heap, stacks, changed data.
    anonymous: f64,
}

impl Memory {
    fn of(pid: i32) -> Result<Self> {
        let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let mib = |key: &str| -> Result<f64> {
            let kib = rollup.lines().find_map(|line| line.strip_prefix(key));
            let kib = kib.and_then(|rest| rest.split_whitespace().next());
            Ok(kib.with_context(|| format!("no {key}"))?.parse::<f64>()? / 1_024.0)
        };
        Ok(Self {
            all: mib("Pss:")?,
            anonymous: mib("Pss_Anon:")?,
        })
    }

    fn and(self, other: Self) -> Self {
        Self {
            all: self.all + other.all,
            anonymous: self.anonymous + other.anonymous,
        }
    }

    fn row(self, name: &str) -> String {
        format!("| {name} | {:.1} | {:.1} |", self.all, self.anonymous)
    }
}

/// A supervisord that keeps as many; ends with it.
#[derive(Debug)]
struct Supervisord(Child);

impl Supervisord {
    /// Starts it, and waits until its processes run.
    fn start(dir: &Path) -> Result<Self> {
        std::fs::create_dir(dir)?;
        let config = dir.join("supervisord.conf");
        let own = dir.display();
        std::fs::write(
            &config,
            format!(
                "[supervisord]\nnodaemon=true\nlogfile={own}/log\npidfile={own}/pid\nchildlogdir={own}\nminfds=1024\n\
                 [program:sleeper]\ncommand=sleep 100000\nnumprocs={PROCESSES}\nprocess_name=sleeper-%(process_num)d\n\
                 startsecs=0\nautorestart=true\n"
            ),
        )?;
        let program =
            std::env::var_os("SUPERVISORD").unwrap_or_else(|| OsString::from("supervisord"));
        let child = Command::new(&program)
            .arg("-c")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let started = Self(child);
        let keeper = Keeper::Supervisord(started.pid()?);
        let deadline = Instant::now() + Duration::from_secs(60);
        while keeper.children()?.len() < PROCESSES as usize {
            anyhow::ensure!(Instant::now() < deadline, "its processes do not come up");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(started)
    }

    fn pid(&self) -> Result<i32> {
        Ok(i32::try_from(self.0.id())?)
    }
}

impl Drop for Supervisord {
    /// Its processes end with it.
    fn drop(&mut self) {
        if let Ok(pid) = self.pid() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            let _ = self.0.wait();
        }
    }
}
