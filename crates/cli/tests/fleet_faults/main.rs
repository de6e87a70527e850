//! Centers, agents, databases, disks and links of real fleets fail, one after the other; after each the promises hold and the fleet
//! is as it was before.
//!
//! Jobs that are due every second write down when they start and end; [`checker`] joins that with what the centers recorded.
//! `cargo xtask faults` runs everything, three fleets side by side on SQLite, PostgreSQL and MariaDB, and writes a table.

mod checker;
mod fault;
mod planted;
mod play;
mod report;
mod rig;
mod stamps;
mod watch;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;

use crate::fault::Fault;
use crate::play::{play, soon};
use crate::report::Report;
use crate::rig::{Engine, Rig};

/// Names a directory for the reports, one per engine, and for the logs of a fleet that broke a promise.
const REPORTS: &str = "CRONFLEET_FAULTS_REPORTS";
/// Part of the names of faults to be played; all when absent.
const CHOICE: &str = "CRONFLEET_FAULTS";

/// What CI plays: a database that forgets, and everything gone at once.
const IN_CI: [Fault; 2] = [Fault::DatabaseFailedOver, Fault::EverythingKilled];

mod sqlite {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "needs root, and a machine with nothing else to do: cargo xtask faults"]
    async fn suite() -> anyhow::Result<()> {
        super::suite(super::Engine::Sqlite).await
    }
}

mod postgres {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "needs root, and a machine with nothing else to do: cargo xtask faults"]
    async fn suite() -> anyhow::Result<()> {
        super::suite(super::Engine::Postgres).await
    }
}

mod mysql {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "needs root, and a machine with nothing else to do: cargo xtask faults"]
    async fn suite() -> anyhow::Result<()> {
        super::suite(super::Engine::Mysql).await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_sharpest_faults_break_no_promise() -> anyhow::Result<()> {
        super::befall(super::Engine::Mysql, &super::IN_CI, false).await
    }
}

async fn suite(engine: Engine) -> Result<()> {
    ensure!(
        nix::unistd::Uid::effective().is_root(),
        "the suite mounts disks and traces programs: it needs root"
    );
    let choice = std::env::var(CHOICE).unwrap_or_default();
    let all = Fault::all(engine).iter().copied();
    let chosen: Vec<Fault> = all.filter(|fault| fault.name().contains(&choice)).collect();
    befall(engine, &chosen, engine == Engine::Sqlite).await
}

/// Lets faults befall a fleet of their own.
async fn befall(engine: Engine, faults: &[Fault], has_disks: bool) -> Result<()> {
    if faults.is_empty() {
        return Ok(());
    }
    let mut rig = Rig::start(engine, has_disks).await?;
    let mut report = Report::new(engine);
    let mut from = soon()?;
    for fault in faults {
        from = next(&mut rig, *fault, from, &mut report)
            .await
            .with_context(|| format!("{}: {}", engine.name(), fault.name()))?;
    }
    ensure!(report.violations() == 0, "{}", report.text()?);
    Ok(())
}

/// Plays one fault, and keeps what came of it where somebody wants it.
async fn next(
    rig: &mut Rig,
    fault: Fault,
    from: Timestamp,
    report: &mut Report,
) -> Result<Timestamp> {
    let played = play(rig, fault, from).await;
    let reports = std::env::var_os(REPORTS);
    let has_failed = played
        .as_ref()
        .map_or(true, |(played, _)| !played.violations.is_empty());
    if let Some(reports) = &reports
        && has_failed
    {
        let kept = Path::new(reports).join(format!("{}.log", rig.engine.name()));
        std::fs::write(kept, format!("{}\n{}", fault.name(), rig.logs()))?;
    }
    let (played, until) = played?;
    report.add(played);
    if let Some(reports) = &reports {
        let file = Path::new(reports).join(format!("{}.md", rig.engine.name()));
        std::fs::write(file, report.text()?)?;
    }
    Ok(until)
}
