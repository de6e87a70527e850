//! Definitions in force, as whole sets of them are written out and compared: no runs, no slots.

use cronfleet_core::access::Reach;
use cronfleet_core::id::{GroupId, JobId};
use cronfleet_core::job::JobSpec;
use jiff::Timestamp;

use crate::error::StoreError;
use crate::group::GroupRow;
use crate::group_row::{GROUP_COLUMNS, fill_lists, read_group};
use crate::job_list::JobFilter;
use crate::page::Page;
use crate::run_state::BATCH;
use crate::spec::from_json;
use crate::sql::{Row, Sql};
use crate::store::Store;

/// A job with its definition in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinedJob {
    /// Id.
    pub id: JobId,
    /// Owning group.
    pub group: GroupId,
    /// Its name; empty if the group of a deleted job is gone.
    pub group_name: String,
    /// Version in force.
    pub version: u32,
    /// Definition in force.
    pub spec: JobSpec,
    /// Whether it is paused.
    pub is_paused: bool,
    /// Whether it is deleted.
    pub is_deleted: bool,
    /// Until when it is snoozed; also one that is over.
    pub snoozed_until: Option<Timestamp>,
}

/// What a job is called and at which version it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobHeading {
    /// Id.
    pub id: JobId,
    /// Owning group.
    pub group: GroupId,
    /// Name.
    pub name: String,
    /// Version in force.
    pub version: u32,
    /// Whether it is paused.
    pub is_paused: bool,
}

const SELECT: &str = "SELECT j.id, j.group_id, g.name, j.version, v.spec, j.is_paused, j.is_deleted, j.snoozed_until FROM jobs j \
    JOIN job_versions v ON v.job_id = j.id AND v.version = j.version LEFT JOIN job_groups g ON g.id = j.group_id";

fn read_defined(row: &mut Row) -> Result<DefinedJob, StoreError> {
    Ok(DefinedJob {
        id: row.next()?,
        group: row.next()?,
        group_name: row.maybe()?.unwrap_or_default(),
        version: row.next()?,
        spec: from_json(&row.next::<String>()?)?,
        is_paused: row.next()?,
        is_deleted: row.next()?,
        snoozed_until: row.maybe()?,
    })
}

impl Store {
    /// Jobs within reach that are not deleted, of one group or of all, by id; `after` is the last one seen.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn definitions(
        &self,
        reach: &Reach,
        group: Option<GroupId>,
        after: Option<JobId>,
        limit: u32,
    ) -> Result<Page<DefinedJob, JobId>, StoreError> {
        let rows = Sql::new(format!("{SELECT} WHERE j.is_deleted = 0"))
            .and_reach("j.group_id", reach)
            .with_some(" AND j.group_id = ?", group)
            .with_some(" AND j.id > ?", after)
            .with(" ORDER BY j.id LIMIT ?", limit + 1)
            .all(self.reader(), read_defined)
            .await?;
        Ok(Page::cut(rows, limit, |job| job.id))
    }

    /// Jobs with these ids in any group, also deleted ones: an id is never given twice. For the caller to judge, not to show.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn definitions_with_ids(&self, ids: &[JobId]) -> Result<Vec<DefinedJob>, StoreError> {
        let mut jobs = Vec::new();
        for batch in ids.chunks(BATCH) {
            let found = Sql::new(format!("{SELECT} WHERE "))
                .one_of("j.id", batch.iter().copied())
                .all(self.reader(), read_defined)
                .await?;
            jobs.extend(found);
        }
        Ok(jobs)
    }

    /// Jobs of a group with these names.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn definitions_with_names(
        &self,
        group: GroupId,
        names: &[&str],
    ) -> Result<Vec<DefinedJob>, StoreError> {
        let mut jobs = Vec::new();
        for batch in names.chunks(BATCH) {
            let found = Sql::new(format!("{SELECT} WHERE j.group_id = ?"))
                .bind(group)
                .and_in("j.name_key", batch.iter().copied())
                .all(self.reader(), read_defined)
                .await?;
            jobs.extend(found);
        }
        Ok(jobs)
    }

    /// Jobs within reach that a filter finds, by name; of `ids` those, if they are given.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn definitions_found(
        &self,
        reach: &Reach,
        filter: &JobFilter,
        ids: Option<&[JobId]>,
        limit: u32,
    ) -> Result<Vec<DefinedJob>, StoreError> {
        let found = || {
            let sql = Sql::new(format!("{SELECT} WHERE j.is_deleted = 0"));
            filter.narrow(sql.and_reach("j.group_id", reach), self.engine())
        };
        let Some(ids) = ids else {
            return found()
                .with(" ORDER BY j.name_key, j.id LIMIT ?", limit)
                .all(self.reader(), read_defined)
                .await;
        };
        let mut jobs = Vec::new();
        for batch in ids.chunks(BATCH) {
            let sql = found().and_in("j.id", batch.iter().copied());
            jobs.extend(sql.all(self.reader(), read_defined).await?);
        }
        jobs.sort_by(|a, b| (&a.spec.name, a.id).cmp(&(&b.spec.name, b.id)));
        jobs.truncate(limit as usize);
        Ok(jobs)
    }

    /// Headings of all jobs of these groups that are not deleted, by group and name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn job_headings(&self, groups: &[GroupId]) -> Result<Vec<JobHeading>, StoreError> {
        Sql::new("SELECT id, group_id, name, version, is_paused FROM jobs WHERE is_deleted = 0")
            .and_in("group_id", groups.iter().copied())
            .text(" ORDER BY group_id, name_key")
            .all(self.reader(), |row| {
                Ok(JobHeading {
                    id: row.next()?,
                    group: row.next()?,
                    name: row.next()?,
                    version: row.next()?,
                    is_paused: row.next()?,
                })
            })
            .await
    }

    /// Groups within reach with these names.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn groups_with_names(
        &self,
        reach: &Reach,
        names: &[&str],
    ) -> Result<Vec<GroupRow>, StoreError> {
        let mut groups = Vec::new();
        for batch in names.chunks(BATCH) {
            let mut found = Sql::new(format!("SELECT {GROUP_COLUMNS} FROM job_groups g WHERE "))
                .one_of("g.name", batch.iter().copied())
                .and_reach("g.id", reach)
                .all(self.reader(), read_group)
                .await?;
            fill_lists(self.reader(), &mut found).await?;
            groups.extend(found);
        }
        Ok(groups)
    }
}
