//! The days of calendars that people keep, looked up for definitions that name them.
//!
//! A version of a calendar never changes, so what was read once is kept. Definitions come in two forms: from people, with a name
//! that means a calendar of the job's group or of the fleet; from the store, with the version that the job was saved with.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use cronfleet_core::calendar::{Calendar, CalendarChoice, OwnCalendar};
use cronfleet_core::id::GroupId;
use cronfleet_core::job::{JobKind, JobSpec};
use cronfleet_store::{Store, StoreError};

/// Versions kept; beyond it the memory starts anew.
const KNOWN_MAX: usize = 2_000;

/// Looks up days. Clones share what they know.
#[derive(Clone)]
pub(crate) struct Calendars {
    store: Store,
    known: Arc<Mutex<HashMap<OwnCalendar, Arc<Calendar>>>>,
}

impl Calendars {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            known: Arc::default(),
        }
    }

    /// Gives definitions from the store the days of their calendars. One whose calendar cannot be read stays without.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub(crate) async fn fill(&self, choices: Vec<&mut CalendarChoice>) -> Result<(), StoreError> {
        for choice in choices {
            self.fill_one(Some(choice)).await?;
        }
        Ok(())
    }

    /// The same for a definition that may have no calendar.
    pub(crate) async fn fill_one(
        &self,
        choice: Option<&mut CalendarChoice>,
    ) -> Result<(), StoreError> {
        if let Some(choice) = choice
            && let (Some(own), None) = (choice.own, &choice.days)
        {
            choice.days = self.days(own).await?;
        }
        Ok(())
    }

    /// Finds out what definitions from people mean in a group, and gives them the days. One that names no calendar stays without.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub(crate) async fn look_up(
        &self,
        group: GroupId,
        choice: Option<&mut CalendarChoice>,
    ) -> Result<(), StoreError> {
        let Some(choice) = choice.filter(|choice| choice.days.is_none()) else {
            return Ok(());
        };
        let names = BTreeSet::from([choice.name.as_str()]);
        let found = self.store.calendars_named(group, &names).await?;
        choice.own = found.get(&choice.name).copied();
        self.fill_one(Some(choice)).await
    }

    /// What names mean in some groups.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub(crate) async fn of_groups(
        &self,
        names: BTreeMap<GroupId, BTreeSet<&str>>,
    ) -> Result<GroupCalendars, StoreError> {
        let mut groups = GroupCalendars::default();
        for (group, names) in names {
            let mut found = HashMap::new();
            for (name, own) in self.store.calendars_named(group, &names).await? {
                if let Some(days) = self.days(own).await? {
                    found.insert(name, (own, days));
                }
            }
            groups.0.insert(group, found);
        }
        Ok(groups)
    }

    async fn days(&self, own: OwnCalendar) -> Result<Option<Arc<Calendar>>, StoreError> {
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().get(&own).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let Some((_, spec)) = self.store.calendar_versions(&[own]).await?.pop() else {
            return Ok(None);
        };
        let days = match spec.calendar() {
            Ok(calendar) => Arc::new(calendar),
            Err(error) => {
                tracing::error!(calendar.id = %own.id, calendar.version = own.version, error = error.message, "a stored calendar cannot be read");
                return Ok(None);
            }
        };
        let mut known = lock();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(own, Arc::clone(&days));
        Ok(Some(days))
    }
}

/// What names of calendars mean in some groups.
#[derive(Debug, Default)]
pub(crate) struct GroupCalendars(HashMap<GroupId, HashMap<String, (OwnCalendar, Arc<Calendar>)>>);

impl GroupCalendars {
    /// Gives a definition from people the days of the calendar that it names. One that names none of these stays without.
    pub(crate) fn look_up(&self, group: GroupId, choice: &mut CalendarChoice) {
        let of_group = self.0.get(&group);
        if let Some((own, days)) = of_group.and_then(|known| known.get(&choice.name)) {
            choice.own = Some(*own);
            choice.days = Some(Arc::clone(days));
        }
    }
}

/// The calendar that a definition names.
pub(crate) fn choice_of(spec: &mut JobSpec) -> Option<&mut CalendarChoice> {
    match &mut spec.kind {
        JobKind::Scheduled(scheduled) => scheduled.calendar.as_mut(),
        JobKind::Daemon(_) => None,
    }
}
