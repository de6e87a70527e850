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
    /// Who decided that.
    pub decision: Decision,
}

/// Who planned, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The term of planning; `None` in rows of older centers.
    pub epoch: Option<u64>,
    /// Version of the job; `None` in lapses of older centers.
    pub job_version: Option<u32>,
    /// When it was recorded; of a lapse, when it was last extended.
    pub decided_at: Timestamp,
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
        let mut sql = Sql::new(format!("{SELECT_LAPSES} WHERE 1 = 1"))
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
            .all(self.reader(), read_lapse_row)
            .await?;
        Ok(Page::cut(rows, limit, |row| TimeKey {
            at: row.lapse.due_from,
            id: row.job.as_uuid(),
        }))
    }
}

/// What [`read_lapse_row`] reads.
pub(crate) const SELECT_LAPSES: &str = "SELECT l.job_id, j.name, l.due_from, l.due_to, l.due_count, l.reason, l.epoch, \
    l.job_version, l.recorded_at FROM lapses l JOIN jobs j ON j.id = l.job_id";

/// Reads [`SELECT_LAPSES`].
pub(crate) fn read_lapse_row(row: &mut Row) -> Result<LapseRow, StoreError> {
    Ok(LapseRow {
        job: row.next()?,
        job_name: row.next()?,
        lapse: read_lapse(row)?,
        decision: Decision {
            epoch: row.maybe()?,
            job_version: row.maybe()?,
            decided_at: row.next()?,
        },
    })
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

/// Records a lapse. It extends the job's last one when that has the same reason, version and term, and neither a run was due nor
/// the job paused in between.
pub(crate) async fn record_lapse(
    tx: &Tx,
    job: JobId,
    group: GroupId,
    lapse: &Lapse,
    decision: Decision,
) -> Result<(), StoreError> {
    let last = Sql::new(
        "SELECT due_from, due_to, due_count, reason, epoch, job_version FROM lapses WHERE job_id = ? \
         ORDER BY due_from DESC LIMIT 1",
    )
    .bind(job)
    .text(tx.engine.for_update())
    .one(&**tx, |row| {
        let lapse = read_lapse(row)?;
        Ok((lapse, row.maybe::<u64>()?, row.maybe::<u32>()?))
    })
    .await?;
    if let Some((last, epoch, job_version)) = last
        && (epoch, job_version) == (decision.epoch, decision.job_version)
        && last.reason == lapse.reason
        && last.due_to < lapse.due_from
        && !is_parted(tx, job, last.due_to, lapse.due_from).await?
    {
        Sql::new("UPDATE lapses SET due_to = ?, due_count = ?, recorded_at = ? WHERE job_id = ? AND due_from = ?")
            .bind(lapse.due_to)
            .bind(last.count.saturating_add(lapse.count))
            .bind(decision.decided_at)
            .bind(job)
            .bind(last.due_from)
            .execute(&**tx)
            .await?;
        return Ok(());
    }
    Sql::new(
        "INSERT INTO lapses (job_id, due_from, due_to, due_count, reason, group_id, recorded_at, epoch, job_version) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(job)
    .bind(lapse.due_from)
    .bind(lapse.due_to)
    .bind(lapse.count)
    .bind(lapse.reason)
    .bind(group)
    .bind(decision.decided_at)
    .bind(decision.epoch)
    .bind(decision.job_version)
    .text(&tx.engine.or_ignore("job_id"))
    .execute(&**tx)
    .await?;
    Ok(())
}

/// Whether a run was due, or a pause began, between two due instants.
async fn is_parted(
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
        .with(" UNION ALL SELECT 1 FROM pauses WHERE job_id = ?", job)
        .with(" AND paused_at > ?", after)
        .text(" LIMIT 1")
        .exists(&**tx)
        .await
}
