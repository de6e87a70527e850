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

pub(crate) async fn measure(binary: &Path) -> Result<()> {
    line(&format!("## Keeping {PROCESSES} daemon processes\n"))?;
    line("| what | MiB (PSS, without the commands) |")?;
    line("|---|---|")?;
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
    let of_shims: f64 = shims.iter().map(|pid| pss_mib(*pid)).sum::<Result<f64>>()?;
    let of_agent = pss_mib(agent)?;
    line(&format!("| agent | {of_agent:.1} |"))?;
    line(&format!("| {PROCESSES} shims | {of_shims:.1} |"))?;
    line(&format!("| together | {:.1} |", of_agent + of_shims))?;
    match supervisord(&fleet.path("supervisord")) {
        Ok(mib) => line(&format!("| supervisord | {mib:.1} |\n"))?,
        Err(error) => line(&format!(
            "| supervisord | not measured: {error:#}; install it with `pip install supervisor`, or name it in `SUPERVISORD` |\n"
        ))?,
    }
    back(&shims)?;
    line("")
}

/// Kills commands one after the other, and times how long it takes until another one runs in its place.
fn back(shims: &[i32]) -> Result<()> {
    let agent = parent(*shims.first().context("there are no shims")?)?;
    let mut waits = Vec::new();
    for _ in 0..KILLS {
        let before = commands(agent)?;
        let victim = *before.first().context("no command is left")?;
        let killed = Instant::now();
        kill(Pid::from_raw(victim), Signal::SIGKILL)?;
        let deadline = killed + Duration::from_secs(10);
        loop {
            let now = commands(agent)?;
            if now.iter().any(|pid| !before.contains(pid)) {
                break;
            }
            anyhow::ensure!(Instant::now() < deadline, "no process came back");
        }
        waits.push(killed.elapsed());
    }
    waits.sort_unstable();
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share).round() as usize];
    line(&format!(
        "A process that was killed with SIGKILL has a successor after {} ms (p50), {} ms (p99), {} ms (slowest of {KILLS}).",
        ms(at(0.5)),
        ms(at(0.99)),
        ms(at(1.0)),
    ))
}

/// Pids of the commands, each the child of a shim of this agent, that are `sleep` already.
fn commands(agent: i32) -> Result<Vec<i32>> {
    let mut found = Vec::new();
    for shim in children(agent)? {
        for command in children(shim).unwrap_or_default() {
            let name = std::fs::read_to_string(format!("/proc/{command}/comm")).unwrap_or_default();
            if name.trim() == "sleep" {
                found.push(command);
            }
        }
    }
    Ok(found)
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

/// Proportional share of memory, MiB.
fn pss_mib(pid: i32) -> Result<f64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let kib = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib: f64 = kib
        .and_then(|rest| rest.split_whitespace().next())
        .context("no Pss")?
        .parse()?;
    Ok(kib / 1_024.0)
}

/// Memory of a supervisord that keeps as many.
fn supervisord(dir: &Path) -> Result<f64> {
    std::fs::create_dir(dir)?;
    let config = dir.join("supervisord.conf");
    let own = dir.display();
    std::fs::write(
        &config,
        format!(
            "[supervisord]\nnodaemon=true\nlogfile={own}/log\npidfile={own}/pid\nchildlogdir={own}\nminfds=1024\n\
             [program:sleeper]\ncommand=sleep 100000\nnumprocs={PROCESSES}\nprocess_name=sleeper-%(process_num)d\n"
        ),
    )?;
    let program = std::env::var_os("SUPERVISORD").unwrap_or_else(|| OsString::from("supervisord"));
    let mut child = Command::new(&program)
        .arg("-c")
        .arg(&config)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let measured = measured(&child);
    kill(Pid::from_raw(i32::try_from(child.id())?), Signal::SIGTERM)?;
    child.wait()?;
    measured
}

fn measured(child: &Child) -> Result<f64> {
    let pid = i32::try_from(child.id())?;
    let deadline = Instant::now() + Duration::from_secs(60);
    while children(pid)?.len() < PROCESSES as usize {
        anyhow::ensure!(Instant::now() < deadline, "its processes do not come up");
        std::thread::sleep(Duration::from_millis(50));
    }
    pss_mib(pid)
}
