//! What a set of definitions would change. The plan is made anew for every request that shows or applies it; the digest tells
//! whether two of them are the same.

use std::collections::{HashMap, HashSet};

use cronfleet_api::definition::{
    ChangeAction, DEFINITIONS_MAX, DEFINITIONS_VERSION, Definition, DefinitionChange,
    DefinitionPlan, DefinitionSet, FieldChange, field_changes,
};
use cronfleet_api::error::Problem;
use cronfleet_api::job as shape;
use cronfleet_core::access::Role;
use cronfleet_core::id::{GroupId, JobId, UserId};
use cronfleet_core::job::JobSpec;
use cronfleet_store::{ChangeSet, GroupRow, JobBasis, JobChange, JobHeading, NewJob, Timing};
use cronfleet_wire::identity::hex;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::definition_known::{Known, names_of_groups};
use super::definition_match::{Match, check_groups, check_names, match_jobs};
use super::definition_problems::{Problems, forbidden};
use super::error::ApiError;
use super::guard::{Operator, Scope};
use super::job_rules;
use super::secrets;
use super::state::HttpState;
use crate::calendars::choice_of;

/// Definitions that are worked on before others get their turn.
const AT_ONCE: usize = 100;

/// A plan with everything that it takes to make it true.
#[derive(Debug)]
pub(super) struct Draft {
    entries: Vec<Entry>,
    deletes: Vec<Delete>,
}

/// What becomes of one definition of the set.
#[derive(Debug)]
struct Entry {
    index: usize,
    group: GroupId,
    group_name: String,
    job: JobId,
    /// Whether the id was made for this draft, and is another one in the next.
    is_minted: bool,
    before: Option<JobBasis>,
    spec: JobSpec,
    shape: shape::JobSpec,
    timing: Timing,
    is_paused: bool,
    fields: Vec<FieldChange>,
    action: Option<ChangeAction>,
}

#[derive(Debug)]
struct Delete {
    heading: JobHeading,
    group_name: String,
}

/// Works out what applying a set changes.
///
/// # Errors
/// [`ApiError::Problems`] with everything that is wrong with the set.
pub(super) async fn draft(
    scope: &Scope<Operator>,
    state: &HttpState,
    set: &DefinitionSet,
    now: Timestamp,
) -> Result<Draft, ApiError> {
    check_form(set)?;
    let known = Known::read(state, &scope.visible(), set).await?;
    let mut problems = Problems::default();
    check_groups(scope, set, &known, &mut problems);
    let matches = match_jobs(scope, set, &known, &mut problems);
    let deletes = deletes(scope, set, &known, &matches, &mut problems);
    let deleted = deletes.iter().map(|delete| delete.heading.id);
    check_names(set, &known, &matches, deleted, &mut problems);
    let mut entries = Vec::with_capacity(set.jobs.len());
    for (index, definition) in set.jobs.iter().enumerate() {
        if index % AT_ONCE == AT_ONCE - 1 {
            tokio::task::yield_now().await;
        }
        let Some(found) = matches.get(index).copied().flatten() else {
            continue;
        };
        let entry = match entry(state, &known, found, (index, definition), now) {
            Ok(entry) => entry,
            Err(error) => {
                problems.rule(index, error)?;
                continue;
            }
        };
        if let Some(refusal) = refused(scope.role_in(found.group.id), found.group, entry.action) {
            problems.of_job(index, refusal);
        }
        entries.push(entry);
    }
    problems.into_result()?;
    Ok(Draft { entries, deletes })
}

fn check_form(set: &DefinitionSet) -> Result<(), ApiError> {
    if set.cronfleet != DEFINITIONS_VERSION {
        return Err(ApiError::invalid(
            "cronfleet",
            "definitions.version",
            format!(
                "this center does not know version {} of definitions",
                set.cronfleet
            ),
            format!("write {DEFINITIONS_VERSION}"),
        ));
    }
    if set.jobs.len() > DEFINITIONS_MAX {
        return Err(ApiError::invalid(
            "jobs",
            "definitions.too_many",
            format!("the set has {} jobs", set.jobs.len()),
            format!("apply at most {DEFINITIONS_MAX} at a time"),
        ));
    }
    Ok(())
}

/// The jobs that the set does not have, if it is to delete them.
fn deletes(
    scope: &Scope<Operator>,
    set: &DefinitionSet,
    known: &Known,
    matches: &[Option<Match<'_>>],
    problems: &mut Problems,
) -> Vec<Delete> {
    if !set.prune {
        return Vec::new();
    }
    let names = names_of_groups(set).filter_map(|name| known.group(name));
    let groups: HashMap<GroupId, &GroupRow> = names.map(|group| (group.id, group)).collect();
    let kept: HashSet<JobId> = matches
        .iter()
        .flatten()
        .filter_map(|found| Some(found.job?.id))
        .collect();
    let mut refused: HashSet<GroupId> = HashSet::new();
    let mut deletes = Vec::new();
    for heading in &known.headings {
        let Some(group) = groups.get(&heading.group) else {
            continue;
        };
        if kept.contains(&heading.id) {
            continue;
        }
        if scope.role_in(group.id) < Role::Owner && refused.insert(group.id) {
            problems.of_set(forbidden("prune", group, "delete jobs", Role::Owner));
        }
        deletes.push(Delete {
            heading: heading.clone(),
            group_name: group.name.clone(),
        });
    }
    deletes.sort_by(|a, b| {
        let key = |one: &Delete| (one.group_name.clone(), one.heading.name.clone());
        key(a).cmp(&key(b))
    });
    deletes
}

/// Works out one definition.
fn entry(
    state: &HttpState,
    known: &Known,
    found: Match<'_>,
    (index, definition): (usize, &Definition),
    now: Timestamp,
) -> Result<Entry, ApiError> {
    let Match { group, job } = found;
    let asked = definition.id.map(JobId::from_uuid);
    let is_minted = job.is_none() && asked.is_none();
    let id = match job {
        Some(job) => job.id,
        None => asked.unwrap_or_else(|| JobId::from_uuid(state.mint.id(now))),
    };
    let zone = &state.settings.default_time_zone;
    let mut spec = job_rules::read(definition.spec.clone(), zone)?;
    if let Some(choice) = choice_of(&mut spec) {
        known.look_up(group.id, choice);
    }
    let is_same = job.is_some_and(|job| job.spec == spec);
    let was_paused = job.is_some_and(|job| job.is_paused);
    let is_paused = definition.paused.unwrap_or(was_paused);
    // What is in force stays, even if it could not be saved today.
    let timing = if is_same && was_paused && !is_paused {
        job_rules::timing_of(id, &spec, now)?
    } else if is_same {
        Timing::default()
    } else {
        let before = job.map(|job| &job.spec);
        let timing = job_rules::check(&spec, id, group, before, now)?;
        secrets::check_known(&spec, |name| known.has_secret(group.id, name))?;
        timing
    };
    let shape = shape::JobSpec::from(&spec);
    let mut fields = Vec::new();
    if let Some(job) = job.filter(|_| !is_same) {
        fields = field_changes(&(&job.spec).into(), &shape);
    }
    if job.is_some() && was_paused != is_paused {
        fields.push(FieldChange {
            field: "paused".to_owned(),
            old: Some(was_paused.into()),
            new: Some(is_paused.into()),
        });
    }
    let action = match (job.is_some(), is_same, was_paused, is_paused) {
        (false, ..) => Some(ChangeAction::Create),
        (true, false, ..) => Some(ChangeAction::Update),
        (true, true, false, true) => Some(ChangeAction::Pause),
        (true, true, true, false) => Some(ChangeAction::Resume),
        (true, true, false, false) | (true, true, true, true) => None,
    };
    Ok(Entry {
        index,
        group: group.id,
        group_name: group.name.clone(),
        job: id,
        is_minted,
        before: job.map(|job| JobBasis {
            job: job.id,
            group: job.group,
            version: job.version,
            is_paused: job.is_paused,
        }),
        spec,
        shape,
        timing,
        is_paused,
        fields,
        action,
    })
}

/// Why a role does not allow an action.
fn refused(role: Role, group: &GroupRow, action: Option<ChangeAction>) -> Option<Problem> {
    let (what, least) = match action? {
        ChangeAction::Create => ("create jobs", Role::Editor),
        ChangeAction::Update => ("save jobs", Role::Editor),
        ChangeAction::Pause | ChangeAction::Resume => ("pause and resume jobs", Role::Operator),
        ChangeAction::Delete => ("delete jobs", Role::Owner),
    };
    (role < least).then(|| forbidden("group", group, what, least))
}

impl Draft {
    /// Whether nothing would be changed.
    pub(super) fn is_empty(&self) -> bool {
        self.deletes.is_empty() && self.entries.iter().all(|entry| entry.action.is_none())
    }

    /// Stands for what would be done and everything that it is based on. Ids that were made for this draft do not count.
    pub(super) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for entry in &self.entries {
            let id = (!entry.is_minted).then(|| entry.job.as_uuid());
            let before = entry
                .before
                .map(|before| (before.version, before.is_paused));
            let line = (
                id,
                entry.group.as_uuid(),
                before,
                entry.is_paused,
                &entry.shape,
            );
            // What is only text and numbers can always be encoded.
            hash.update(serde_json::to_vec(&line).unwrap_or_default());
            hash.update(b"\n");
        }
        for Delete { heading, .. } in &self.deletes {
            let line = (heading.id.as_uuid(), heading.version, heading.is_paused);
            hash.update(serde_json::to_vec(&line).unwrap_or_default());
            hash.update(b"\n");
        }
        hex(&hash.finalize())
    }

    /// The plan before it is applied.
    pub(super) fn planned(&self) -> DefinitionPlan {
        self.shown(|entry| !entry.is_minted)
    }

    /// The plan once it is applied: every job has its id.
    pub(super) fn applied(&self) -> DefinitionPlan {
        self.shown(|_| true)
    }

    fn shown(&self, has_id: impl Fn(&Entry) -> bool) -> DefinitionPlan {
        let changed = self.entries.iter().filter_map(|entry| {
            Some(DefinitionChange {
                action: entry.action?,
                index: u32::try_from(entry.index).ok(),
                id: has_id(entry).then(|| entry.job.as_uuid()),
                group: entry.group_name.clone(),
                name: entry.spec.name.clone(),
                version: entry.before.map(|before| before.version),
                fields: entry.fields.clone(),
            })
        });
        let deleted = self.deletes.iter().map(|delete| DefinitionChange {
            action: ChangeAction::Delete,
            index: None,
            id: Some(delete.heading.id.as_uuid()),
            group: delete.group_name.clone(),
            name: delete.heading.name.clone(),
            version: Some(delete.heading.version),
            fields: Vec::new(),
        });
        let unchanged = self.entries.iter().filter(|entry| entry.action.is_none());
        DefinitionPlan {
            digest: self.digest(),
            unchanged: u32::try_from(unchanged.count()).unwrap_or(u32::MAX),
            changes: changed.chain(deleted).collect(),
        }
    }

    /// What the store is to do.
    pub(super) fn change_set(&self, author: UserId) -> ChangeSet {
        let deleted = self.deletes.iter().map(|delete| JobBasis {
            job: delete.heading.id,
            group: delete.heading.group,
            version: delete.heading.version,
            is_paused: delete.heading.is_paused,
        });
        let kept = self.entries.iter().filter_map(|entry| entry.before);
        let with = |wanted: fn(ChangeAction) -> bool| {
            let entries = self.entries.iter();
            entries.filter(move |entry| entry.action.is_some_and(wanted))
        };
        let create = with(|action| action == ChangeAction::Create).map(|entry| NewJob {
            id: entry.job,
            group: entry.group,
            spec: entry.spec.clone(),
            is_paused: entry.is_paused,
            timing: entry.timing,
            author,
        });
        let change = with(|action| action != ChangeAction::Create).map(|entry| JobChange {
            job: entry.job,
            spec: (entry.action == Some(ChangeAction::Update)).then(|| entry.spec.clone()),
            timing: entry.timing,
            is_paused: entry.is_paused,
        });
        ChangeSet {
            based_on: kept.chain(deleted).collect(),
            create: create.collect(),
            change: change.collect(),
            delete: self
                .deletes
                .iter()
                .map(|delete| delete.heading.id)
                .collect(),
            author,
        }
    }

    /// The jobs that are changed, with their groups.
    pub(super) fn touched(&self) -> Vec<(JobId, GroupId)> {
        let changed = self.entries.iter().filter(|entry| entry.action.is_some());
        let changed = changed.map(|entry| (entry.job, entry.group));
        let deleted = self.deletes.iter();
        changed
            .chain(deleted.map(|delete| (delete.heading.id, delete.heading.group)))
            .collect()
    }
}
