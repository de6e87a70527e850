//! Calendars that people keep, and the jobs that follow them.
//!
//! A version of a calendar never changes, and a version of a job names the version of the calendar that it follows. So what a
//! job's version makes due never changes either. When a calendar gets a new version, the planner makes new versions of the jobs
//! that follow it ([`Store::jobs_behind_calendars`]), which supersede what is planned as every new version does.

use std::collections::{BTreeMap, BTreeSet};

use cronfleet_core::access::Reach;
use cronfleet_core::calendar::{CalendarSpec, DayRange, OwnCalendar, Weekdays};
use cronfleet_core::id::{CalendarId, GroupId, JobId, UserId};
use cronfleet_core::job::{JobKind, JobSpec};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::again::transaction;
use crate::error::{Conflict, StoreError, Thing};
use crate::group::lock_group;
use crate::job::NewVersion;
use crate::run_state::BATCH;
use crate::spec::from_json;
use crate::sql::{Row, Sql};
use crate::store::{Store, Tx};

/// Most calendars of a deployment.
pub const CALENDARS_MAX: u32 = 1_000;

/// Jobs that are named where a calendar cannot be deleted.
const NAMED_MAX: u32 = 5;

/// What a calendar is called, without its days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarHead {
    /// Id.
    pub id: CalendarId,
    /// Owning group; `None`: of the whole fleet.
    pub group: Option<GroupId>,
    /// Name of the group; empty for the fleet.
    pub group_name: String,
    /// Name.
    pub name: String,
    /// Version in force.
    pub version: u32,
    /// Login of who made that version; empty if the user is gone.
    pub updated_by: String,
    /// When the calendar was created.
    pub created_at: Timestamp,
    /// When the version was made.
    pub updated_at: Timestamp,
    /// Jobs that follow it.
    pub job_count: u64,
}

/// A calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarRow {
    /// What it is called.
    pub head: CalendarHead,
    /// What it says.
    pub spec: CalendarSpec,
}

/// A calendar to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCalendar {
    /// Id, minted by the caller.
    pub id: CalendarId,
    /// Owning group; `None`: of the whole fleet.
    pub group: Option<GroupId>,
    /// What it says, valid.
    pub spec: CalendarSpec,
    /// Who creates it.
    pub author: UserId,
}

/// What became of a calendar that was to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CalendarDeletion {
    /// It is deleted.
    Done,
    /// Jobs follow it, so it stays.
    InUse {
        /// Names of some of them, each with that of its group.
        some: Vec<(String, String)>,
        /// How many there are.
        count: u64,
    },
}

/// A job that follows an older version of its calendar than the one in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobBehind {
    /// Job.
    pub job: JobId,
    /// Owning group.
    pub group: GroupId,
    /// Version in force.
    pub version: u32,
    /// Its definition.
    pub spec: JobSpec,
    /// Whether it is paused.
    pub is_paused: bool,
    /// The calendar, and its version in force.
    pub calendar: OwnCalendar,
    /// Who made that version.
    pub author: UserId,
}

const SELECT_HEADS: &str = "SELECT c.id, c.group_id, g.name, c.name, c.version, u.login, c.created_at, v.created_at, \
     (SELECT COUNT(*) FROM jobs j WHERE j.calendar_id = c.id AND j.is_deleted = 0) FROM calendars c \
     JOIN calendar_versions v ON v.calendar_id = c.id AND v.version = c.version \
     LEFT JOIN job_groups g ON g.id = c.group_id LEFT JOIN users u ON u.id = v.author_id WHERE c.is_deleted = 0";

impl Store {
    /// Calendars of the fleet and of the groups within reach, by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn calendars(&self, reach: &Reach) -> Result<Vec<CalendarHead>, StoreError> {
        within(Sql::new(SELECT_HEADS), reach)
            .text(" ORDER BY c.name, c.id")
            .all(self.reader(), read_head)
            .await
    }

    /// A calendar of the fleet or of a group within reach.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn calendar(
        &self,
        reach: &Reach,
        id: CalendarId,
    ) -> Result<Option<CalendarRow>, StoreError> {
        let head = within(Sql::new(SELECT_HEADS), reach)
            .with(" AND c.id = ?", id)
            .one(self.reader(), read_head)
            .await?;
        let Some(head) = head else {
            return Ok(None);
        };
        let own = OwnCalendar {
            id,
            version: head.version,
        };
        let found = self.calendar_versions(&[own]).await?.pop();
        Ok(found.map(|(_, spec)| CalendarRow { head, spec }))
    }

    /// The calendars that these names mean in a group: its own come before those of the fleet.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn calendars_named(
        &self,
        group: GroupId,
        names: &BTreeSet<&str>,
    ) -> Result<BTreeMap<String, OwnCalendar>, StoreError> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let found = Sql::new(
            "SELECT name, id, version FROM calendars WHERE (scope_key = ? OR scope_key = '')",
        )
        .bind(group)
        .and_in("name_key", names.iter().copied())
        // Later ones take the places of earlier ones.
        .text(" ORDER BY scope_key")
        .all(self.reader(), |row| {
            let name: String = row.next()?;
            let (id, version) = (row.next()?, row.next()?);
            Ok((name, OwnCalendar { id, version }))
        })
        .await?;
        Ok(found.into_iter().collect())
    }

    /// What these versions say; those that are not stored are left out.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn calendar_versions(
        &self,
        versions: &[OwnCalendar],
    ) -> Result<Vec<(OwnCalendar, CalendarSpec)>, StoreError> {
        let mut found = Vec::with_capacity(versions.len());
        for own in versions {
            let row = Sql::new("SELECT c.name, v.content FROM calendar_versions v JOIN calendars c ON c.id = v.calendar_id")
                .with(" WHERE v.calendar_id = ?", own.id)
                .with(" AND v.version = ?", own.version)
                .one(self.reader(), |row| Ok((row.next::<String>()?, row.next::<String>()?)))
                .await?;
            if let Some((name, content)) = row {
                found.push((*own, read_content(name, &content)?));
            }
        }
        Ok(found)
    }

    /// Creates a calendar.
    ///
    /// # Errors
    /// [`Conflict::CalendarNameTaken`], also by a calendar of the fleet or, for one of the fleet, of any group;
    /// [`Conflict::TooManyCalendars`]; [`StoreError::Missing`] if the group does not exist.
    pub async fn create_calendar(
        &self,
        new: &NewCalendar,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            if let Some(group) = new.group {
                lock_group(&tx, group).await?;
            }
            let name = new.spec.name.as_str();
            let taken = Sql::new("SELECT 1 FROM calendars WHERE name_key = ?").bind(name);
            let taken = match new.group {
                Some(group) => taken.with(" AND (scope_key = '' OR scope_key = ?)", group),
                None => taken,
            };
            if taken.exists(&*tx).await? {
                return Err(Conflict::CalendarNameTaken.into());
            }
            let count = Sql::new("SELECT COUNT(*) FROM calendars WHERE is_deleted = 0")
                .one(&*tx, Row::next::<u64>)
                .await?
                .unwrap_or_default();
            if count >= u64::from(CALENDARS_MAX) {
                return Err(Conflict::TooManyCalendars.into());
            }
            let scope = new
                .group
                .map_or_else(String::new, |group| group.to_string());
            Sql::new("INSERT INTO calendars (id, group_id, scope_key, name, name_key, version, is_deleted, created_at) VALUES (?, ?, ?, ?, ?, 1, 0, ?)")
                .bind(new.id)
                .bind(new.group)
                .bind(scope)
                .bind(name)
                .bind(name)
                .bind(now)
                .execute(&*tx)
                .await
                .map_err(|error| error.or_taken(Conflict::CalendarNameTaken))?;
            let own = OwnCalendar {
                id: new.id,
                version: 1,
            };
            insert_version(&tx, own, &new.spec, new.author, now).await?;
            tx.commit().await
        })
    }

    /// Gives a calendar a new version; its name stays. Answers the version.
    ///
    /// # Errors
    /// [`StoreError::Missing`]; [`Conflict::StaleVersion`] unless `expected_version` is in force.
    pub async fn replace_calendar(
        &self,
        id: CalendarId,
        expected_version: u32,
        spec: &CalendarSpec,
        author: UserId,
        now: Timestamp,
    ) -> Result<u32, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let current = lock_calendar(&tx, id).await?;
            if current != expected_version {
                return Err(Conflict::StaleVersion { current }.into());
            }
            let version = current + 1;
            Sql::new("UPDATE calendars SET version = ? WHERE id = ?")
                .bind(version)
                .bind(id)
                .execute(&*tx)
                .await?;
            insert_version(&tx, OwnCalendar { id, version }, spec, author, now).await?;
            tx.commit().await?;
            Ok(version)
        })
    }

    /// Deletes a calendar that no job follows. Its versions stay, because old versions of jobs may name them.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    pub async fn delete_calendar(&self, id: CalendarId) -> Result<CalendarDeletion, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            lock_calendar(&tx, id).await?;
            let count =
                Sql::new("SELECT COUNT(*) FROM jobs WHERE calendar_id = ? AND is_deleted = 0")
                    .bind(id)
                    .one(&*tx, Row::next::<u64>)
                    .await?
                    .unwrap_or_default();
            if count > 0 {
                let some = Sql::new("SELECT g.name, j.name FROM jobs j JOIN job_groups g ON g.id = j.group_id WHERE j.is_deleted = 0")
                    .with(" AND j.calendar_id = ?", id)
                    .with(" ORDER BY j.name, j.id LIMIT ?", NAMED_MAX)
                    .all(&*tx, |row| Ok((row.next()?, row.next()?)))
                    .await?;
                return Ok(CalendarDeletion::InUse { some, count });
            }
            Sql::new("UPDATE calendars SET is_deleted = 1, name_key = NULL WHERE id = ?")
                .bind(id)
                .execute(&*tx)
                .await?;
            tx.commit().await?;
            Ok(CalendarDeletion::Done)
        })
    }

    /// Jobs that follow an older version of their calendar than the one in force, also paused ones, those of one calendar one
    /// after the other. Those that cannot be read are left out.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn jobs_behind_calendars(&self, limit: u32) -> Result<Vec<JobBehind>, StoreError> {
        // Chosen before their definitions are read: there may be very many.
        let found = Sql::new(
            "SELECT b.id, b.group_id, b.version, v.spec, b.is_paused, b.calendar_id, b.calendar_version, w.author_id FROM \
             (SELECT j.id, j.group_id, j.version, j.is_paused, j.calendar_id, c.version AS calendar_version FROM calendars c \
             JOIN jobs j ON j.calendar_id = c.id AND j.calendar_version < c.version AND j.is_deleted = 0 \
             WHERE c.is_deleted = 0 ORDER BY c.id, j.calendar_version, j.id",
        )
        .with(" LIMIT ?", limit)
        .text(
            ") AS b JOIN job_versions v ON v.job_id = b.id AND v.version = b.version \
             JOIN calendar_versions w ON w.calendar_id = b.calendar_id AND w.version = b.calendar_version \
             ORDER BY b.calendar_id, b.id",
        )
        .all(self.reader(), |row| {
            let job = (row.next()?, row.next()?, row.next()?);
            let spec = from_json(&row.next::<String>()?);
            let is_paused = row.next()?;
            let calendar = OwnCalendar {
                id: row.next()?,
                version: row.next()?,
            };
            let author = row.next()?;
            Ok(spec.ok().map(|spec| JobBehind {
                job: job.0,
                group: job.1,
                version: job.2,
                spec,
                is_paused,
                calendar,
                author,
            }))
        })
        .await?;
        Ok(found.into_iter().flatten().collect())
    }
}

/// Only calendars of the fleet and of the groups within reach.
fn within(sql: Sql, reach: &Reach) -> Sql {
    match reach {
        Reach::Everything => sql,
        Reach::Groups(groups) => sql
            .text(" AND (c.group_id IS NULL OR ")
            .one_of("c.group_id", groups.iter().copied())
            .text(")"),
    }
}

fn read_head(row: &mut Row) -> Result<CalendarHead, StoreError> {
    Ok(CalendarHead {
        id: row.next()?,
        group: row.maybe()?,
        group_name: row.maybe()?.unwrap_or_default(),
        name: row.next()?,
        version: row.next()?,
        updated_by: row.maybe()?.unwrap_or_default(),
        created_at: row.next()?,
        updated_at: row.next()?,
        job_count: row.next()?,
    })
}

/// The version in force of a calendar that is not deleted; it stays so until the end of the transaction.
async fn lock_calendar(tx: &Tx, id: CalendarId) -> Result<u32, StoreError> {
    Sql::new("SELECT version FROM calendars WHERE id = ? AND is_deleted = 0")
        .bind(id)
        .text(tx.engine.for_update())
        .one(&**tx, Row::next)
        .await?
        .ok_or(StoreError::Missing {
            what: Thing::Calendar,
        })
}

async fn insert_version(
    tx: &Tx,
    own: OwnCalendar,
    spec: &CalendarSpec,
    author: UserId,
    now: Timestamp,
) -> Result<(), StoreError> {
    Sql::new("INSERT INTO calendar_versions (calendar_id, version, content, author_id, created_at) VALUES (?, ?, ?, ?, ?)")
        .bind(own.id)
        .bind(own.version)
        .bind(content(spec)?)
        .bind(author)
        .bind(now)
        .execute(&**tx)
        .await
        .map(|_| ())
}

/// Notes which calendars the new versions of jobs follow. They are not deleted until the end of the transaction.
///
/// # Errors
/// [`Conflict::CalendarGone`] if one of them is deleted.
pub(crate) async fn follow(tx: &Tx, versions: &[NewVersion<'_>]) -> Result<(), StoreError> {
    let mut followers: BTreeMap<OwnCalendar, Vec<JobId>> = BTreeMap::new();
    for version in versions {
        if let JobKind::Scheduled(scheduled) = &version.spec.kind
            && let Some(own) = scheduled.calendar.as_ref().and_then(|choice| choice.own)
        {
            followers.entry(own).or_default().push(version.job);
        }
    }
    for batch in versions.chunks(BATCH) {
        Sql::new("UPDATE jobs SET calendar_id = NULL, calendar_version = NULL WHERE calendar_id IS NOT NULL")
            .and_in("id", batch.iter().map(|version| version.job))
            .execute(&**tx)
            .await?;
    }
    for (own, jobs) in followers {
        match lock_calendar(tx, own.id).await {
            Err(StoreError::Missing { .. }) => return Err(Conflict::CalendarGone.into()),
            found => found?,
        };
        for batch in jobs.chunks(BATCH) {
            Sql::new("UPDATE jobs SET calendar_id = ?")
                .bind(own.id)
                .with(", calendar_version = ? WHERE ", own.version)
                .one_of("id", batch.iter().copied())
                .execute(&**tx)
                .await?;
        }
    }
    Ok(())
}

/// What a version says, as it is stored. The name is that of the calendar.
#[derive(Serialize, Deserialize)]
struct StoredContent {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    extends: Option<String>,
    weekdays: Vec<String>,
    days_in: Vec<String>,
    days_out: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    known_until: Option<String>,
}

fn content(spec: &CalendarSpec) -> Result<String, StoreError> {
    let texts = |ranges: &[DayRange]| ranges.iter().map(DayRange::to_string).collect();
    let stored = StoredContent {
        description: spec.description.clone(),
        extends: spec.extends.clone(),
        weekdays: spec
            .weekdays
            .words()
            .into_iter()
            .map(str::to_owned)
            .collect(),
        days_in: texts(&spec.days_in),
        days_out: texts(&spec.days_out),
        known_until: spec.known_until.map(|date| date.to_string()),
    };
    serde_json::to_string(&stored).map_err(|error| StoreError::corrupt("calendar", error))
}

fn read_content(name: String, text: &str) -> Result<CalendarSpec, StoreError> {
    let wrong = |found: &dyn std::fmt::Display| StoreError::corrupt("calendar", found);
    let stored: StoredContent = serde_json::from_str(text).map_err(|error| wrong(&error))?;
    let ranges = |texts: &[String]| {
        let read = texts.iter().map(|text| text.parse::<DayRange>());
        read.collect::<Result<Vec<DayRange>, _>>()
            .map_err(|error| wrong(&error))
    };
    let date = |text: String| text.parse::<Date>().map_err(|error| wrong(&error));
    let words = stored.weekdays.iter().map(String::as_str);
    Ok(CalendarSpec {
        weekdays: Weekdays::from_words(words).map_err(|word| wrong(&word))?,
        days_in: ranges(&stored.days_in)?,
        days_out: ranges(&stored.days_out)?,
        known_until: stored.known_until.map(date).transpose()?,
        name,
        description: stored.description,
        extends: stored.extends,
    })
}
