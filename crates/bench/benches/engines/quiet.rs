//! What jobs cost of which none is due.

use std::time::Duration;

use crate::line;
use crate::rig::Rig;
use crate::usage::{Used, memory_mb};

const IDLE_JOBS: usize = 10_000;
const MANY_JOBS: usize = 1_000_000;
/// For how long an idle center is watched.
const WATCHED: Duration = Duration::from_secs(30);
/// Due once a year, and not soon.
const YEARLY: &str = "0 0 29 2 *";

pub(crate) async fn idle(rig: &mut Rig) -> anyhow::Result<()> {
    rig.prepare(IDLE_JOBS, YEARLY).await?;
    rig.start_center().await?;
    // It has planned all of them once, and sees that none is due.
    tokio::time::sleep(WATCHED / 3).await;
    let before = Used::by(rig.center()?)?;
    tokio::time::sleep(WATCHED).await;
    let after = Used::by(rig.center()?)?;
    line(&format!(
        "Idle with {} jobs and no agent: {:.2} % of a processor, {:.0} MB.\n",
        rig.jobs(),
        after.processors_since(before) * 100.0,
        memory_mb(rig.center()?)?
    ))
}

pub(crate) async fn start(rig: &mut Rig) -> anyhow::Result<()> {
    rig.prepare(MANY_JOBS, YEARLY).await?;
    let took = rig.start_center().await?;
    let at_first = memory_mb(rig.center()?)?;
    // All watermarks are old: it plans every job once.
    tokio::time::sleep(WATCHED).await;
    line(&format!(
        "Start with {} jobs: ready after {:.1} s with {at_first:.0} MB; {:.0} MB {} s later.\n",
        rig.jobs(),
        took.as_secs_f64(),
        memory_mb(rig.center()?)?,
        WATCHED.as_secs()
    ))
}
