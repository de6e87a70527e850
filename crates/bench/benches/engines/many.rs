//! Many runs: all at once, and again and again.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cronfleet_testkit::sleep_until;
use jiff::{Timestamp, ToSpan};

use crate::fake::Working;
use crate::line;
use crate::rig::Rig;
use crate::usage::{Used, memory_mb};

const JOBS: usize = 100_000;
/// Time to make the jobs, for the center to start and for all agents to connect.
const BEFORE: i64 = 120;
/// Longest wait for the ends of a burst.
const BURST_WAIT: Duration = Duration::from_secs(120);
/// How long a rate is kept up before it is measured, and while it is.
const WARM: Duration = Duration::from_secs(20);
const MEASURED: Duration = Duration::from_secs(30);
/// A rate is sustained when so much of it is done, and nothing came late.
const SUSTAINED_SHARE: f64 = 0.97;

/// All jobs are due at one instant.
pub(crate) async fn burst(rig: &mut Rig) -> anyhow::Result<()> {
    let due = Timestamp::from_second((Timestamp::now() + BEFORE.seconds()).as_second())?;
    rig.prepare(JOBS, &format!("@at {due}")).await?;
    rig.start_center().await?;
    let mut agents = rig.agents.connect(&rig.center).await?;
    anyhow::ensure!(
        Timestamp::now() + 16.seconds() < due,
        "everybody connected too late"
    );
    sleep_until(due).await;
    let in_time = agents.seen.orders.load(Ordering::Relaxed);
    let begin = Instant::now();
    let all = u64::try_from(rig.jobs())?;
    while agents.seen.done.load(Ordering::Relaxed) < all && begin.elapsed() < BURST_WAIT {
        agents.check()?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    line(&format!(
        "{all} jobs due in one second: {in_time} orders handed out before; {} of those later came when due, the last {:.1} s late; \
         {} ends recorded {:.1} s after the instant.\n",
        agents.seen.late.load(Ordering::Relaxed),
        agents.seen.latest_us.load(Ordering::Relaxed) as f64 / 1e6,
        agents.seen.done.load(Ordering::Relaxed),
        begin.elapsed().as_secs_f64()
    ))
}

/// Rising rates, until one is more than the center can do.
pub(crate) async fn sustained(rig: &mut Rig, rates: &[u32]) -> anyhow::Result<()> {
    line(
        "| asked runs/s | handed out /s | recorded /s | orders that came late | processors: center | server | fakes | MB: center | server |",
    )?;
    line("|---|---|---|---|---|---|---|---|---|")?;
    for &rate in rates {
        let every = JOBS / usize::try_from(rate)?;
        let schedule = if every <= 60 {
            format!("H/{every} * * * * *")
        } else {
            format!("H H/{} * * * *", every / 60)
        };
        rig.prepare(JOBS, &schedule).await?;
        rig.start_center().await?;
        let mut agents = rig.agents.connect(&rig.center).await?;
        if !measure(rig, &mut agents, rate).await? {
            break;
        }
    }
    line("")
}

async fn measure(rig: &Rig, agents: &mut Working, rate: u32) -> anyhow::Result<bool> {
    tokio::time::sleep(WARM).await;
    agents.check()?;
    let of = |pid: Option<u32>| pid.map(Used::by).transpose();
    let programs = [Some(rig.center()?), rig.server(), Some(std::process::id())];
    let before = [of(programs[0])?, of(programs[1])?];
    let own = own_time()?;
    let seen = |agents: &Working| {
        let seen = &agents.seen;
        [&seen.orders, &seen.done, &seen.late].map(|count| count.load(Ordering::Relaxed) as f64)
    };
    let (counts, begin) = (seen(agents), Instant::now());
    tokio::time::sleep(MEASURED).await;
    let (after, seconds) = (seen(agents), begin.elapsed().as_secs_f64());
    agents.check()?;
    let [orders, done, late] = [0, 1, 2].map(|index| after[index] - counts[index]);
    let busy = |index: usize| -> anyhow::Result<f64> {
        let now = of(programs[index])?;
        Ok(now
            .zip(before[index])
            .map_or(0.0, |(now, before)| now.processors_since(before)))
    };
    line(&format!(
        "| {rate} | {:.0} | {:.0} | {late} | {:.2} | {:.2} | {:.2} | {:.0} | {:.0} |",
        orders / seconds,
        done / seconds,
        busy(0)?,
        busy(1)?,
        (own_time()? - own) / seconds,
        memory_mb(rig.center()?)?,
        rig.server().map_or(Ok(0.0), memory_mb)?,
    ))?;
    Ok(done / seconds >= SUSTAINED_SHARE * f64::from(rate))
}

/// Processor time of this process alone, in seconds.
fn own_time() -> anyhow::Result<f64> {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF)?;
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}
