//! What the center knows about the things that a set of definitions names: groups, jobs, secrets. Read in a few statements, however
//! many jobs the set has.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use cronfleet_api::definition::DefinitionSet;
use cronfleet_core::access::Reach;
use cronfleet_core::calendar::{CalendarChoice, preset};
use cronfleet_core::id::{GroupId, JobId};
use cronfleet_store::{DefinedJob, GroupRow, JobHeading};

use super::error::ApiError;
use super::state::HttpState;
use crate::calendars::GroupCalendars;

/// The surroundings of a set.
#[derive(Debug, Default)]
pub(super) struct Known {
    groups: HashMap<String, GroupRow>,
    /// Jobs that the set names by id or by name, in any group, also deleted ones.
    jobs: HashMap<JobId, DefinedJob>,
    /// The ids of those that are not deleted, by what they are called.
    names: HashMap<(GroupId, String), JobId>,
    secrets: HashMap<GroupId, HashSet<String>>,
    /// Calendars that the definitions of a group name, of those that people keep.
    calendars: GroupCalendars,
    /// With `prune`: all jobs of the groups.
    pub(super) headings: Vec<JobHeading>,
}

impl Known {
    /// Reads what is known within reach. Jobs beyond are read too, because their ids are taken.
    pub(super) async fn read(
        state: &HttpState,
        visible: &Reach,
        set: &DefinitionSet,
    ) -> Result<Self, ApiError> {
        let mut known = Self::default();
        let names: BTreeSet<&str> = names_of_groups(set).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let groups = state.store.groups_with_names(visible, &names).await?;
        known.groups = groups
            .into_iter()
            .map(|group| (group.name.clone(), group))
            .collect();
        known.read_jobs(state, set).await?;
        known.read_secrets(state, set).await?;
        known.read_calendars(state, set).await?;
        if set.prune {
            let groups: Vec<GroupId> = known.groups.values().map(|group| group.id).collect();
            known.headings = state.store.job_headings(&groups).await?;
        }
        Ok(known)
    }

    async fn read_jobs(&mut self, state: &HttpState, set: &DefinitionSet) -> Result<(), ApiError> {
        let ids: BTreeSet<JobId> = set
            .jobs
            .iter()
            .filter_map(|definition| definition.id.map(JobId::from_uuid))
            .collect();
        let ids: Vec<JobId> = ids.into_iter().collect();
        let mut jobs = state.store.definitions_with_ids(&ids).await?;
        for group in self.groups.values() {
            let named = set.jobs.iter().filter(|one| one.group == group.name);
            let names: BTreeSet<&str> = named.map(|one| one.spec.name.as_str()).collect();
            let names: Vec<&str> = names.into_iter().collect();
            let found = state.store.definitions_with_names(group.id, &names);
            jobs.extend(found.await?);
        }
        for job in jobs {
            if !job.is_deleted {
                self.names
                    .insert((job.group, job.spec.name.clone()), job.id);
            }
            self.jobs.insert(job.id, job);
        }
        Ok(())
    }

    async fn read_secrets(
        &mut self,
        state: &HttpState,
        set: &DefinitionSet,
    ) -> Result<(), ApiError> {
        let users = set.jobs.iter().filter(|one| !one.spec.secrets.is_empty());
        let names: BTreeSet<&str> = users.map(|one| one.group.as_str()).collect();
        for group in names.into_iter().filter_map(|name| self.groups.get(name)) {
            let secrets = state.store.secrets(&Reach::Everything, group.id).await?;
            let names = secrets.into_iter().map(|secret| secret.name).collect();
            self.secrets.insert(group.id, names);
        }
        Ok(())
    }

    async fn read_calendars(
        &mut self,
        state: &HttpState,
        set: &DefinitionSet,
    ) -> Result<(), ApiError> {
        let mut names: BTreeMap<GroupId, BTreeSet<&str>> = BTreeMap::new();
        for definition in &set.jobs {
            let scheduled = definition.spec.scheduled.as_ref();
            let calendar = scheduled.and_then(|scheduled| scheduled.calendar.as_ref());
            let calendar = calendar.filter(|rule| preset(&rule.name).is_none());
            if let (Some(rule), Some(group)) = (calendar, self.groups.get(&definition.group)) {
                names
                    .entry(group.id)
                    .or_default()
                    .insert(rule.name.as_str());
            }
        }
        self.calendars = state.calendars.of_groups(names).await?;
        Ok(())
    }

    /// Gives a definition the days of the calendar that its name means in a group.
    pub(super) fn look_up(&self, group: GroupId, choice: &mut CalendarChoice) {
        self.calendars.look_up(group, choice);
    }

    /// The group of that name, if it is within reach.
    pub(super) fn group(&self, name: &str) -> Option<&GroupRow> {
        self.groups.get(name)
    }

    /// The job with that id, wherever it is, also a deleted one.
    pub(super) fn job(&self, id: JobId) -> Option<&DefinedJob> {
        self.jobs.get(&id)
    }

    /// The job of that name.
    pub(super) fn job_named(&self, group: GroupId, name: &str) -> Option<&DefinedJob> {
        let id = self.names.get(&(group, name.to_owned()))?;
        self.jobs.get(id)
    }

    /// Whether the group has a secret of that name.
    pub(super) fn has_secret(&self, group: GroupId, name: &str) -> bool {
        self.secrets
            .get(&group)
            .is_some_and(|names| names.contains(name))
    }
}

/// Names of all groups that a set is about; some come more than once.
pub(super) fn names_of_groups(set: &DefinitionSet) -> impl Iterator<Item = &str> {
    let owners = set.jobs.iter().map(|definition| definition.group.as_str());
    owners.chain(set.groups.iter().map(String::as_str))
}
