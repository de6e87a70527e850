//! Windows in which nothing starts: of a job, of a group, of the whole fleet.
//!
//! A change makes a new version and ends the one before it, so that what held a due instant can always be told. Every change
//! is a write on the lease, too: planning transactions wait for it or come before it, and those made without it do not count.

use std::time::Duration;

use cronfleet_core::access::Reach;
use cronfleet_core::id::{GroupId, JobId, UserId, WindowId};
use cronfleet_core::plan::later;
use jiff::Timestamp;

use crate::again::transaction;
use crate::error::{Conflict, StoreError, Thing};
use crate::group::lock_group;
use crate::job_edit::lock_job;
use crate::page::{Page, TimeKey};
use crate::sql::{Row, Sql};
use crate::store::{Store, Tx};

/// Most windows of one job, of one group, or of the fleet that are not over.
pub const WINDOWS_PER_SCOPE_MAX: u64 = 100;

/// What a window holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WindowScope {
    /// Every scheduled job.
    Fleet,
    /// The scheduled jobs of a group.
    Group(GroupId),
    /// One job.
    Job(JobId),
}

/// When a window holds due instants, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WindowWhen {
    /// Once.
    Once {
        /// From this instant on.
        from: Timestamp,
        /// Until just before this one.
        until: Timestamp,
    },
    /// Again and again.
    Recurring {
        /// Schedule expression of its beginnings.
        expression: String,
        /// IANA time zone name.
        time_zone: String,
        /// How long it lasts each time.
        lasts: Duration,
    },
}

/// What a person says about a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowSpec {
    /// What it is for.
    pub reason: String,
    /// When it is.
    pub when: WindowWhen,
}

/// A window to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWindow {
    /// Id, minted by the caller.
    pub id: WindowId,
    /// What it holds.
    pub scope: WindowScope,
    /// What it is, valid.
    pub spec: WindowSpec,
    /// Who creates it.
    pub author: UserId,
}

/// A version of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowRow {
    /// Id.
    pub id: WindowId,
    /// Version, from 1.
    pub version: u32,
    /// What it holds.
    pub scope: WindowScope,
    /// Group that it belongs to: of a job's window the job's group; `None` for the fleet.
    pub group: Option<GroupId>,
    /// Name of the group or of the job; empty for the fleet.
    pub scope_name: String,
    /// What it is.
    pub spec: WindowSpec,
    /// When this version was made: it holds what is due after this.
    pub since: Timestamp,
    /// When it was ended or changed: it holds nothing after this.
    pub ended_at: Option<Timestamp>,
    /// From when on it holds nothing; `None` if it may come again for ever.
    pub over_at: Option<Timestamp>,
    /// Login of who made this version; empty if the user is gone.
    pub author: String,
}

/// Which windows to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WindowFilter {
    /// Only of this group and its jobs.
    pub group: Option<GroupId>,
    /// Only of this job.
    pub job: Option<JobId>,
    /// Also those that are over.
    pub with_over: bool,
}

const SELECT: &str = "SELECT w.id, w.version, w.group_id, w.job_id, j.group_id, g.name, j.name, w.reason, w.from_at, \
    w.until_at, w.expression, w.time_zone, w.lasts_us, w.since_at, w.ended_at, w.ends_at, u.login FROM windows w \
    LEFT JOIN jobs j ON j.id = w.job_id LEFT JOIN job_groups g ON g.id = w.group_id \
    LEFT JOIN users u ON u.id = w.author_id";

fn read_window(row: &mut Row) -> Result<WindowRow, StoreError> {
    let (id, version): (WindowId, u32) = (row.next()?, row.next()?);
    let (of_group, of_job): (Option<GroupId>, Option<JobId>) = (row.maybe()?, row.maybe()?);
    let group_of_job: Option<GroupId> = row.maybe()?;
    let (group_name, job_name): (Option<String>, Option<String>) = (row.maybe()?, row.maybe()?);
    let scope = match (of_group, of_job) {
        (Some(group), _) => WindowScope::Group(group),
        (None, Some(job)) => WindowScope::Job(job),
        (None, None) => WindowScope::Fleet,
    };
    let reason = row.next()?;
    Ok(WindowRow {
        id,
        version,
        scope,
        group: of_group.or(group_of_job),
        scope_name: group_name.or(job_name).unwrap_or_default(),
        spec: WindowSpec {
            reason,
            when: read_when(row)?,
        },
        since: row.next()?,
        ended_at: row.maybe()?,
        over_at: row.maybe()?,
        author: row.maybe()?.unwrap_or_default(),
    })
}

/// Reads the columns `from_at, until_at, expression, time_zone, lasts_us`.
fn read_when(row: &mut Row) -> Result<WindowWhen, StoreError> {
    let (from, until) = (row.maybe()?, row.maybe()?);
    let (expression, time_zone, lasts) = (row.maybe()?, row.maybe()?, row.maybe()?);
    match (from, until, expression, time_zone, lasts) {
        (Some(from), Some(until), None, None, None) => Ok(WindowWhen::Once { from, until }),
        (None, None, Some(expression), Some(time_zone), Some(lasts)) => Ok(WindowWhen::Recurring {
            expression,
            time_zone,
            lasts,
        }),
        _ => Err(StoreError::corrupt("time of a window", "neither kind")),
    }
}

impl Store {
    /// A number that grows with every change of a window.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn windows_version(&self) -> Result<u64, StoreError> {
        let version = Sql::new("SELECT MAX(windows_version) FROM leases")
            .one(self.reader(), Row::maybe)
            .await?;
        Ok(version.flatten().unwrap_or_default())
    }

    /// Every version of every window that holds anything after `at`. For the center itself.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn windows_after(&self, at: Timestamp) -> Result<Vec<WindowRow>, StoreError> {
        Sql::new(format!(
            "{SELECT} WHERE (w.job_id IS NULL OR j.is_deleted = 0)"
        ))
        .with(" AND (w.ends_at IS NULL OR w.ends_at > ?)", at)
        .text(" ORDER BY w.since_at, w.id, w.version")
        .all(self.reader(), read_window)
        .await
    }

    /// Windows within reach and those of the fleet in their last versions, newest change first. The key's time is that of the
    /// last change of the last row seen.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn windows(
        &self,
        reach: &Reach,
        filter: WindowFilter,
        now: Timestamp,
        before: Option<TimeKey>,
        limit: u32,
    ) -> Result<Page<WindowRow, TimeKey>, StoreError> {
        let not_over = (!filter.with_over).then_some(now);
        let mut sql = select_last(reach)
            .with_some(" AND (w.ends_at IS NULL OR w.ends_at > ?)", not_over)
            .with_some(" AND w.job_id = ?", filter.job);
        if let Some(group) = filter.group {
            sql = sql
                .with(" AND (w.group_id = ?", group)
                .with(" OR j.group_id = ?)", group);
        }
        if let Some(before) = before {
            sql = sql
                .with(" AND (w.since_at < ?", before.at)
                .with(" OR (w.since_at = ?", before.at)
                .with(" AND w.id < ?))", before.id);
        }
        let rows = sql
            .with(" ORDER BY w.since_at DESC, w.id DESC LIMIT ?", limit + 1)
            .all(self.reader(), read_window)
            .await?;
        Ok(Page::cut(rows, limit, |window| TimeKey {
            at: window.since,
            id: window.id.as_uuid(),
        }))
    }

    /// The last version of a window within reach, or of the fleet.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn window(
        &self,
        reach: &Reach,
        id: WindowId,
    ) -> Result<Option<WindowRow>, StoreError> {
        select_last(reach)
            .with(" AND w.id = ?", id)
            .one(self.reader(), read_window)
            .await
    }

    /// Creates a window, in force for what is due after `now`.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if the group or job does not exist, [`Conflict::TooManyWindows`].
    pub async fn create_window(
        &self,
        window: &NewWindow,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            renew_version(&tx).await?;
            match window.scope {
                WindowScope::Fleet => {}
                WindowScope::Group(group) => lock_group(&tx, group).await?,
                WindowScope::Job(job) => {
                    lock_job(&tx, job).await?;
                }
            }
            let count: u64 = Sql::new("SELECT COUNT(*) FROM windows w WHERE ended_at IS NULL")
                .with(" AND (ends_at IS NULL OR ends_at > ?)", now)
                .append(of_scope(window.scope))
                .one(&*tx, Row::next)
                .await?
                .unwrap_or_default();
            if count >= WINDOWS_PER_SCOPE_MAX {
                return Err(Conflict::TooManyWindows.into());
            }
            insert_version(&tx, window, 1, now).await?;
            tx.commit().await
        })
    }

    /// Changes a window from `now` on; what it held until then stays held.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`Conflict::WindowChanged`] unless `expected_version` is in force.
    pub async fn replace_window(
        &self,
        id: WindowId,
        expected_version: u32,
        spec: &WindowSpec,
        author: UserId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            renew_version(&tx).await?;
            let (version, scope) = end_last(&tx, id, Some(expected_version), now).await?;
            let window = NewWindow {
                id,
                scope,
                spec: spec.clone(),
                author,
            };
            insert_version(&tx, &window, version + 1, now).await?;
            tx.commit().await
        })
    }

    /// Ends a window: it holds nothing of what is due after `now`. Ending one that was ended changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    pub async fn end_window(&self, id: WindowId, now: Timestamp) -> Result<(), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            renew_version(&tx).await?;
            match end_last(&tx, id, None, now).await {
                Ok(_) => tx.commit().await,
                Err(StoreError::Conflict(Conflict::WindowChanged { .. })) => Ok(()),
                Err(error) => Err(error),
            }
        })
    }
}

/// The first statement of every change: planning waits for it, and it for planning.
async fn renew_version(tx: &Tx) -> Result<(), StoreError> {
    Sql::new("UPDATE leases SET windows_version = windows_version + 1")
        .execute(&**tx)
        .await?;
    Ok(())
}

/// Last versions of windows within reach whose jobs are not deleted.
fn select_last(reach: &Reach) -> Sql {
    let sql = Sql::new(format!(
        "{SELECT} WHERE NOT EXISTS (SELECT 1 FROM windows n WHERE n.id = w.id AND n.version > w.version) \
         AND (w.job_id IS NULL OR j.is_deleted = 0)"
    ));
    match reach {
        Reach::Everything => sql,
        Reach::Groups(groups) => sql
            .text(" AND ((w.group_id IS NULL AND w.job_id IS NULL) OR ")
            .one_of("w.group_id", groups.iter().copied())
            .text(" OR ")
            .one_of("j.group_id", groups.iter().copied())
            .text(")"),
    }
}

fn of_scope(scope: WindowScope) -> Sql {
    match scope {
        WindowScope::Fleet => Sql::new(" AND group_id IS NULL AND job_id IS NULL"),
        WindowScope::Group(group) => Sql::new("").with(" AND group_id = ?", group),
        WindowScope::Job(job) => Sql::new("").with(" AND job_id = ?", job),
    }
}

/// Ends the last version of a window, which must be in force and, if one is expected, that one.
async fn end_last(
    tx: &Tx,
    id: WindowId,
    expected: Option<u32>,
    now: Timestamp,
) -> Result<(u32, WindowScope), StoreError> {
    let window = Sql::new(format!("{SELECT} WHERE w.id = ?"))
        .bind(id)
        .text(" ORDER BY w.version DESC LIMIT 1")
        .one(&**tx, read_window)
        .await?
        .ok_or(StoreError::Missing {
            what: Thing::Window,
        })?;
    let version = window.version;
    if window.ended_at.is_some() || expected.is_some_and(|expected| expected != version) {
        return Err(Conflict::WindowChanged { current: version }.into());
    }
    let over = later(now, Duration::from_micros(1));
    Sql::new("UPDATE windows SET ended_at = ?")
        .bind(now)
        .with(
            ", ends_at = ?",
            window.over_at.map_or(over, |end| end.min(over)),
        )
        .with(" WHERE id = ?", id)
        .with(" AND version = ?", version)
        .execute(&**tx)
        .await?;
    Ok((version, window.scope))
}

async fn insert_version(
    tx: &Tx,
    window: &NewWindow,
    version: u32,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (group, job) = match window.scope {
        WindowScope::Fleet => (None, None),
        WindowScope::Group(group) => (Some(group), None),
        WindowScope::Job(job) => (None, Some(job)),
    };
    let (span, recurring) = match &window.spec.when {
        WindowWhen::Once { from, until } => (Some((*from, *until)), None),
        WindowWhen::Recurring {
            expression,
            time_zone,
            lasts,
        } => (
            None,
            Some((expression.as_str(), time_zone.as_str(), *lasts)),
        ),
    };
    Sql::new(
        "INSERT INTO windows (id, version, group_id, job_id, reason, from_at, until_at, expression, time_zone, lasts_us, \
         since_at, ends_at, author_id) VALUES ",
    )
    .tuples(1, 13)
    .bind(window.id)
    .bind(version)
    .bind(group)
    .bind(job)
    .bind(window.spec.reason.as_str())
    .bind(span.map(|(from, _)| from))
    .bind(span.map(|(_, until)| until))
    .bind(recurring.map(|(expression, ..)| expression))
    .bind(recurring.map(|(_, time_zone, _)| time_zone))
    .bind(recurring.map(|(.., lasts)| lasts))
    .bind(now)
    .bind(span.map(|(_, until)| until))
    .bind(window.author)
    .execute(&**tx)
    .await?;
    Ok(())
}
