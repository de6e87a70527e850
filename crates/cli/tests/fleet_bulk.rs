//! Many jobs changed as one on a real fleet: what runs follows all of it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cronfleet_api::bulk::{BulkApply, BulkChange, BulkPlan, BulkRequest, JobSelection};
use cronfleet_api::run::Outcome;
use cronfleet_testkit::{Fleet, RunQuery, eventually};
use reqwest::Method;
use serde_json::json;

/// Time for something that takes a moment.
const PATIENCE: Duration = Duration::from_secs(30);

async fn change(fleet: &Fleet, change: BulkChange) -> Result<BulkPlan> {
    let filter = JobSelection {
        q: Some("many".to_owned()),
        ..JobSelection::default()
    };
    let request = BulkRequest { filter, change };
    let post = Method::POST;
    let plan: BulkPlan = fleet
        .api
        .call(post.clone(), "/jobs/bulk/plan", &request)
        .await?;
    let apply = BulkApply {
        filter: request.filter,
        change: request.change,
        digest: plan.digest.clone(),
    };
    let done: BulkPlan = fleet.api.call(post, "/jobs/bulk/apply", &apply).await?;
    ensure!(done.jobs.len() == plan.jobs.len(), "{done:?}");
    Ok(done)
}

#[tokio::test]
async fn what_runs_follows_a_change_of_many() -> Result<()> {
    let fleet = Fleet::start(Path::new(env!("CARGO_BIN_EXE_cronfleet"))).await?;
    let text = fleet.path("said");
    let mut scheduled = Vec::new();
    for number in 0..3 {
        let script = format!("echo \"$WORD {number}\" >> {}", text.display());
        let mut spec = Fleet::scheduled(&format!("many-{number}"), "0 0 1 1 *", &script)?;
        spec.environment
            .insert("WORD".to_owned(), "before".to_owned());
        scheduled.push(fleet.api.create(fleet.group, spec).await?);
    }
    let spec = Fleet::scheduled("other", "0 0 1 1 *", "true")?;
    fleet.api.create(fleet.group, spec).await?;

    let fields = [("environment.WORD".to_owned(), json!("after"))].into();
    let set = change(&fleet, BulkChange::Set { fields }).await?;
    ensure!(set.jobs.len() == 3 && set.unchanged == 0, "{set:?}");
    let run = BulkChange::Run {
        ignore_windows: false,
    };
    let ran = change(&fleet, run).await?;
    ensure!(ran.run_ids.len() == 3 && ran.runs == 3, "{ran:?}");
    eventually("all three have run", PATIENCE, async || {
        let runs = fleet.api.runs(&RunQuery::default()).await?;
        let succeeded = runs
            .iter()
            .filter(|run| run.outcome == Some(Outcome::Succeeded) && ran.run_ids.contains(&run.id));
        Ok((succeeded.count() == 3).then_some(()))
    })
    .await
    .with_context(|| fleet.logs())?;
    let said = std::fs::read_to_string(&text)?;
    let mut lines: Vec<&str> = said.lines().collect();
    lines.sort_unstable();
    ensure!(lines == ["after 0", "after 1", "after 2"], "{lines:?}");

    let daemon = Fleet::daemon("many-daemon", 2, "exec sleep 1000")?;
    let daemon = fleet.api.create(fleet.group, daemon).await?;
    let running = async || {
        let slots = fleet.api.slots(daemon.id).await?;
        let running = slots.iter().filter(|slot| slot.pid.is_some());
        anyhow::Ok(running.count())
    };
    eventually("two processes run", PATIENCE, async || {
        Ok((running().await? == 2).then_some(()))
    })
    .await
    .with_context(|| fleet.logs())?;
    let paused = change(&fleet, BulkChange::Pause {}).await?;
    ensure!(paused.jobs.len() == 4, "{paused:?}");
    let stopped: u32 = paused.jobs.iter().map(|job| job.processes).sum();
    ensure!(stopped == 2, "the plan says what is stopped: {paused:?}");
    eventually("they are stopped", PATIENCE, async || {
        Ok((running().await? == 0).then_some(()))
    })
    .await
    .with_context(|| fleet.logs())?;
    let again = change(&fleet, BulkChange::Pause {}).await?;
    ensure!(again.jobs.is_empty() && again.unchanged == 4, "{again:?}");
    Ok(())
}
