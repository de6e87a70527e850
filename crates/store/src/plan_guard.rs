//! What makes planning safe to repeat and safe against edits: plans count only for jobs that have not changed since, and the
//! watermark moves in the transaction that stores the runs.

use std::collections::HashMap;

use cronfleet_core::id::{GroupId, JobId};
use jiff::Timestamp;

use crate::bulk::update_each;
use crate::error::StoreError;
use crate::plan::JobPlan;
use crate::run_state::BATCH;
use crate::sql::{Given, Sql};
use crate::store::Tx;

/// Groups of the jobs that are as they were when their plans were made; they stay so until the end of the transaction.
pub(crate) async fn unchanged_groups(
    tx: &Tx,
    plans: &[JobPlan],
) -> Result<HashMap<JobId, GroupId>, StoreError> {
    let mut groups = HashMap::new();
    for batch in plans.chunks(BATCH) {
        let expected: HashMap<JobId, (u32, Timestamp, Option<Timestamp>)> = batch
            .iter()
            .map(|plan| {
                let made_from = (
                    plan.expected_version,
                    plan.expected_watermark,
                    plan.expected_snooze,
                );
                (plan.job, made_from)
            })
            .collect();
        let found = Sql::new(
            "SELECT id, group_id, version, watermark, snoozed_until FROM jobs WHERE is_deleted = 0 AND is_paused = 0",
        )
            .and_in("id", batch.iter().map(|plan| plan.job))
            .text(" ORDER BY id")
            .text(tx.engine.for_update())
            .all(&**tx, |row| {
                let place: (JobId, GroupId) = (row.next()?, row.next()?);
                Ok((place, (row.next()?, row.next()?, row.maybe()?)))
            })
            .await?;
        groups.extend(
            found
                .into_iter()
                .filter(|((job, _), now)| expected.get(job) == Some(now))
                .map(|(place, _)| place),
        );
    }
    Ok(groups)
}

/// Moves the watermarks of many jobs at once.
pub(crate) async fn move_watermarks(
    tx: &Tx,
    plans: &[(&JobPlan, GroupId)],
) -> Result<(), StoreError> {
    for batch in plans.chunks(BATCH) {
        let rows: Vec<Given> = batch
            .iter()
            .map(|(plan, _)| {
                Given::default()
                    .with(plan.job)
                    .with(plan.plan.watermark)
                    .with(plan.plan.next_due)
                    .with(plan.plan.held_until)
            })
            .collect();
        update_each(
            tx.engine,
            "jobs",
            &["id", "watermark", "next_due", "held_until"],
            &[],
            &rows,
        )
        .execute(&**tx)
        .await?;
    }
    Ok(())
}
