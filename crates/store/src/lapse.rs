//! Lapses: ranges of due instants that became no runs.

use cronfleet_core::access::Reach;
use cronfleet_core::id::{GroupId, JobId};
use cronfleet_core::plan::Lapse;
use jiff::Timestamp;

use crate::error::StoreError;
use crate::page::{Page, TimeKey};
use crate::run_state::{id_ceiling, id_floor};
use crate::sql::{Row, Sql};
use crate::store::{Store, Tx};

/// A recorded lapse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LapseRow {
    /// Job.
    pub job: JobId,
    /// Its name.
    pub job_name: String,
    /// The range, its count and reason.
    pub lapse: Lapse,
    /// When it was recorded, or last extended.
    pub recorded_at: Timestamp,
}

impl Store {
    /// Lapses within reach, newest first due instant first. The key's time is the first due instant of the last row seen.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn lapses(
        &self,
        reach: &Reach,
        job: Option<JobId>,
        group: Option<GroupId>,
        before: Option<TimeKey>,
        limit: u32,
    ) -> Result<Page<LapseRow, TimeKey>, StoreError> {
        let mut sql = Sql::new(
            "SELECT l.job_id, j.name, l.due_from, l.due_to, l.due_count, l.reason, l.recorded_at FROM lapses l \
             JOIN jobs j ON j.id = l.job_id WHERE 1 = 1",
        )
        .and_reach("l.group_id", reach)
        .with_some(" AND l.job_id = ?", job)
        .with_some(" AND l.group_id = ?", group);
        if let Some(before) = before {
            sql = sql
                .with(" AND l.due_from <= ? AND (l.due_from < ?", before.at)
                .bind(before.at)
                .with(" OR l.job_id < ?)", before.id);
        }
        let rows = sql
            .with(
                " ORDER BY l.due_from DESC, l.job_id DESC LIMIT ?",
                limit + 1,
            )
            .all(self.reader(), |row| {
                Ok(LapseRow {
                    job: row.next()?,
                    job_name: row.next()?,
                    lapse: read_lapse(row)?,
                    recorded_at: row.next()?,
                })
            })
            .await?;
        Ok(Page::cut(rows, limit, |row| TimeKey {
            at: row.lapse.due_from,
            id: row.job.as_uuid(),
        }))
    }
}

/// Reads `due_from, due_to, due_count, reason`.
fn read_lapse(row: &mut Row) -> Result<Lapse, StoreError> {
    Ok(Lapse {
        due_from: row.next()?,
        due_to: row.next()?,
        count: row.next()?,
        reason: row.next()?,
    })
}

/// Records a lapse. It extends the job's last one when that has the same reason and no run was due in between.
pub(crate) async fn record_lapse(
    tx: &Tx,
    job: JobId,
    group: GroupId,
    lapse: &Lapse,
    now: Timestamp,
) -> Result<(), StoreError> {
    let last = Sql::new(
        "SELECT due_from, due_to, due_count, reason FROM lapses WHERE job_id = ? ORDER BY due_from DESC LIMIT 1",
    )
    .bind(job)
    .text(tx.engine.for_update())
    .one(&**tx, read_lapse)
    .await?;
    if let Some(last) = last
        && last.reason == lapse.reason
        && last.due_to < lapse.due_from
        && !has_run_between(tx, job, last.due_to, lapse.due_from).await?
    {
        Sql::new("UPDATE lapses SET due_to = ?, due_count = ?, recorded_at = ? WHERE job_id = ? AND due_from = ?")
            .bind(lapse.due_to)
            .bind(last.count.saturating_add(lapse.count))
            .bind(now)
            .bind(job)
            .bind(last.due_from)
            .execute(&**tx)
            .await?;
        return Ok(());
    }
    Sql::new(
        "INSERT INTO lapses (job_id, due_from, due_to, due_count, reason, group_id, recorded_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(job)
    .bind(lapse.due_from)
    .bind(lapse.due_to)
    .bind(lapse.count)
    .bind(lapse.reason)
    .bind(group)
    .bind(now)
    .text(&tx.engine.or_ignore("job_id"))
    .execute(&**tx)
    .await?;
    Ok(())
}

async fn has_run_between(
    tx: &Tx,
    job: JobId,
    after: Timestamp,
    before: Timestamp,
) -> Result<bool, StoreError> {
    Sql::new("SELECT 1 FROM runs WHERE job_id = ? AND id >= ? AND id < ? AND cause = 'schedule' AND due > ? AND due < ?")
        .bind(job)
        .bind(id_floor(after))
        .bind(id_ceiling(before))
        .bind(after)
        .bind(before)
        .text(" LIMIT 1")
        .exists(&**tx)
        .await
}
