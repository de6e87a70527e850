//! Windows in memory: read when one has changed, and asked for every due instant.
//!
//! The version is read before the windows, so that what is in memory is never older than the version says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cronfleet_core::id::{GroupId, JobId, WindowId};
use cronfleet_core::plan::{earlier, later};
use cronfleet_core::run::Reason;
use cronfleet_core::schedule::{Context, Schedule, ScheduleError};
use cronfleet_core::window::{Hold, Snooze, Window, WindowTime};
use cronfleet_store::{Store, StoreError, WindowRow, WindowScope, WindowWhen};
use jiff::Timestamp;

/// Windows that have been over for longer are not asked any more.
const KEPT_FOR: Duration = Duration::from_secs(366 * 86_400);
/// How far around a round of planning windows are looked for at once.
const NEAR: Duration = Duration::from_secs(120);

/// Where windows are asked for. Clones share what is in memory.
#[derive(Debug, Clone)]
pub(crate) struct Windows {
    store: Store,
    kept: Arc<Mutex<Arc<WindowBook>>>,
}

/// All windows, as they were at one version.
#[derive(Debug, Default)]
pub(crate) struct WindowBook {
    /// Grows with every change; 0 before the first.
    pub(crate) version: u64,
    fleet: Vec<Entry>,
    groups: HashMap<GroupId, Vec<Entry>>,
    jobs: HashMap<JobId, Vec<Entry>>,
}

/// A version of a window.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: WindowId,
    /// What it is for.
    pub(crate) reason: String,
    pub(crate) window: Window,
}

/// What holds a due instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) reason: Reason,
    /// Id and text of the window, if it is one.
    pub(crate) window: Option<(WindowId, String)>,
    /// Until when nothing starts, whatever holds it.
    pub(crate) until: Timestamp,
}

impl Windows {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            kept: Arc::default(),
        }
    }

    /// All windows as they are now.
    pub(crate) async fn book(&self, now: Timestamp) -> Result<Arc<WindowBook>, StoreError> {
        let version = self.store.windows_version().await?;
        let kept = Arc::clone(&self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        if kept.version == version {
            return Ok(kept);
        }
        let rows = self.store.windows_after(earlier(now, KEPT_FOR)).await?;
        let book = Arc::new(WindowBook::new(version, rows));
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&book);
        Ok(book)
    }
}

impl WindowBook {
    fn new(version: u64, rows: Vec<WindowRow>) -> Self {
        let mut book = Self {
            version,
            ..Self::default()
        };
        for row in rows {
            let time = match window_time(row.id, &row.spec.when) {
                Ok(time) => time,
                Err(error) => {
                    tracing::error!(window.id = %row.id, %error, "a window cannot be read and holds nothing: save it again");
                    continue;
                }
            };
            let entry = Entry {
                id: row.id,
                reason: row.spec.reason,
                window: Window {
                    time,
                    since: row.since,
                    ended: row.ended_at,
                },
            };
            match row.scope {
                WindowScope::Fleet => book.fleet.push(entry),
                WindowScope::Group(group) => book.groups.entry(group).or_default().push(entry),
                WindowScope::Job(job) => book.jobs.entry(job).or_default().push(entry),
            }
        }
        book
    }

    /// Windows that may hold due instants of a job.
    pub(crate) fn of(&self, group: GroupId, job: JobId) -> impl Iterator<Item = &Entry> {
        let of_group = self.groups.get(&group).into_iter().flatten();
        let of_job = self.jobs.get(&job).into_iter().flatten();
        self.fleet.iter().chain(of_group).chain(of_job)
    }

    /// The same as the decisions take them.
    pub(crate) fn windows_of(&self, group: GroupId, job: JobId) -> Vec<&Window> {
        self.of(group, job).map(|entry| &entry.window).collect()
    }

    /// What holds a due instant of a job; `None` if nothing does.
    pub(crate) fn held(
        &self,
        group: GroupId,
        job: JobId,
        snooze: Option<Snooze>,
        due: Timestamp,
    ) -> Option<Held> {
        let windows = self.windows_of(group, job);
        let hold = Hold {
            snooze,
            windows: &windows,
        };
        let reason = hold.reason_at(due)?;
        let ends = self
            .of(group, job)
            .filter(|_| reason == Reason::Frozen)
            .filter_map(|entry| Some((entry.window.holds_until(due)?, entry)));
        let longest = ends.max_by_key(|(end, _)| *end);
        Some(Held {
            reason,
            window: longest.map(|(_, entry)| (entry.id, entry.reason.clone())),
            until: hold.until(due)?,
        })
    }

    /// When the first of the windows was made that were made after `from`; `None` if there is none.
    pub(crate) fn first_made_after(&self, from: Timestamp) -> Option<Timestamp> {
        let of_groups = self.groups.values().flatten();
        let of_jobs = self.jobs.values().flatten();
        let all = self.fleet.iter().chain(of_groups).chain(of_jobs);
        all.map(|entry| entry.window.since)
            .filter(|since| *since > from)
            .min()
    }
}

/// When a window holds due instants.
///
/// # Errors
/// The expression of its beginnings, or its time zone, is refused.
pub(crate) fn window_time(id: WindowId, when: &WindowWhen) -> Result<WindowTime, ScheduleError> {
    match when {
        WindowWhen::Once { from, until } => Ok(WindowTime::Once {
            from: *from,
            until: *until,
        }),
        WindowWhen::Recurring {
            expression,
            time_zone,
            lasts,
        } => {
            let context = Context {
                zone: time_zone,
                spread: id.as_uuid().as_u128(),
            };
            Ok(WindowTime::Recurring {
                begins: Box::new(Schedule::parse(expression, &context)?),
                lasts: *lasts,
            })
        }
    }
}

/// The windows that matter around one moment: of very many jobs, most need no others.
pub(crate) struct Near {
    book: Arc<WindowBook>,
    from: Timestamp,
    until: Timestamp,
    fleet: Vec<usize>,
    groups: HashMap<GroupId, Vec<usize>>,
}

impl Near {
    /// Around `now`.
    pub(crate) fn new(book: Arc<WindowBook>, now: Timestamp) -> Self {
        let (from, until) = (earlier(now, NEAR), later(now, NEAR));
        Self {
            fleet: touching(&book.fleet, from, until),
            groups: HashMap::new(),
            book,
            from,
            until,
        }
    }

    /// Windows of a job that hold anything in (`after`, `until`].
    pub(crate) fn of(
        &mut self,
        group: GroupId,
        job: JobId,
        after: Timestamp,
        until: Timestamp,
    ) -> Vec<&Window> {
        if after < self.from || until > self.until {
            return self.book.windows_of(group, job);
        }
        let of_group = self.book.groups.get(&group).map_or(&[][..], Vec::as_slice);
        let near = self
            .groups
            .entry(group)
            .or_insert_with(|| touching(of_group, self.from, self.until));
        let fleet = self.fleet.iter().filter_map(|at| self.book.fleet.get(*at));
        let of_group = near.iter().filter_map(|at| of_group.get(*at));
        let of_job = self.book.jobs.get(&job).into_iter().flatten();
        let all = fleet.chain(of_group).chain(of_job);
        all.map(|entry| &entry.window).collect()
    }
}

fn touching(entries: &[Entry], from: Timestamp, until: Timestamp) -> Vec<usize> {
    let near = entries.iter().enumerate();
    near.filter(|(_, entry)| entry.window.touches(from, until))
        .map(|(at, _)| at)
        .collect()
}
