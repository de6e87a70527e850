//! What a change of all jobs that a filter finds would do. As with definitions, the plan is made anew for every request that shows or
//! applies it, and the digest tells whether two of them are the same.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use cronfleet_api::bulk::{
    BULK_JOBS_MAX, BULK_RUNS_MAX, BulkChange, BulkJob, BulkPlan, JobSelection,
};
use cronfleet_api::definition::{FieldChange, field_changes};
use cronfleet_api::job as shape;
use cronfleet_core::access::{Reach, Role};
use cronfleet_core::id::{AgentId, GroupId, JobId};
use cronfleet_core::job::{JobKind, JobSpec};
use cronfleet_core::spread::Spread;
use cronfleet_core::window::Snooze;
use cronfleet_store::{DefinedJob, GroupRow, JobBasis, JobFilter, Stake, Timing};
use cronfleet_wire::identity::hex;
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::bulk_refusals::Refusals;
use super::bulk_set::{calendar_set, check_paths, patched};
use super::error::ApiError;
use super::guard::{Operator, Scope};
use super::job_actions::{refuse_in_window, scheduled};
use super::job_rules;
use super::jobs::kind_word;
use super::secrets;
use super::state::HttpState;
use crate::calendars::{GroupCalendars, choice_of};
use crate::windows::WindowBook;

/// Jobs that are worked on before others get their turn.
const AT_ONCE: usize = 100;

/// A plan with everything that it takes to make it true.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) change: BulkChange,
    /// Everything that the filter finds, by name.
    found: Vec<DefinedJob>,
    /// Those that are changed, in the same order.
    entries: Vec<Entry>,
    stakes: HashMap<JobId, Stake>,
    now: Timestamp,
}

/// What becomes of one job.
#[derive(Debug, Default)]
struct Entry {
    /// Place in `found`.
    at: usize,
    fields: Vec<FieldChange>,
    /// The new definition, if it gets one.
    spec: Option<JobSpec>,
    timing: Timing,
    /// Where it runs now, if it shall.
    agents: Vec<AgentId>,
}

/// A job that is changed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Changed<'a> {
    pub(super) job: &'a DefinedJob,
    pub(super) spec: Option<&'a JobSpec>,
    pub(super) timing: Timing,
    pub(super) agents: &'a [AgentId],
}

/// Works out what a change does.
///
/// # Errors
/// [`ApiError::Refused`] with every job that refuses it; [`ApiError::Invalid`] if the request itself is wrong.
pub(super) async fn draft(
    scope: &Scope<Operator>,
    state: &HttpState,
    (filter, change): (&JobSelection, &BulkChange),
    now: Timestamp,
) -> Result<Draft, ApiError> {
    check_change(change, now)?;
    let mut refusals = Refusals::new(change);
    let found = found(scope, state, filter, &mut refusals).await?;
    let around = Around::read(state, change, &found, now).await?;
    let mut entries = Vec::new();
    for (at, job) in found.iter().enumerate() {
        if at % AT_ONCE == AT_ONCE - 1 {
            tokio::task::yield_now().await;
        }
        match around.entry(change, job, now) {
            Ok(Some(entry)) => {
                refusals.check_role(scope.role_in(job.group), job, least_role(change));
                entries.push(Entry { at, ..entry });
            }
            Ok(None) => {}
            Err(error) => refusals.add(job, error)?,
        }
    }
    refusals.into_result()?;
    let changed: Vec<JobId> = entries
        .iter()
        .filter_map(|entry| Some(found.get(entry.at)?.id))
        .collect();
    let draft = Draft {
        change: change.clone(),
        stakes: state.store.stakes(&changed).await?,
        found,
        entries,
        now,
    };
    draft.check_runs()?;
    Ok(draft)
}

fn check_change(change: &BulkChange, now: Timestamp) -> Result<(), ApiError> {
    match change {
        BulkChange::Set { fields } => check_paths(fields),
        BulkChange::Snooze { until } => {
            let snooze = Snooze {
                since: now,
                until: *until,
            };
            snooze
                .check()
                .map_err(|error| ApiError::spec("change.", error))
        }
        BulkChange::Pause {}
        | BulkChange::Resume {}
        | BulkChange::Delete {}
        | BulkChange::Unsnooze {}
        | BulkChange::Run { .. } => Ok(()),
    }
}

const fn least_role(change: &BulkChange) -> Role {
    match change {
        BulkChange::Pause {}
        | BulkChange::Resume {}
        | BulkChange::Snooze { .. }
        | BulkChange::Unsnooze {}
        | BulkChange::Run { .. } => Role::Operator,
        BulkChange::Set { .. } => Role::Editor,
        BulkChange::Delete {} => Role::Owner,
    }
}

/// Everything that a filter finds within sight of the caller.
async fn found(
    scope: &Scope<Operator>,
    state: &HttpState,
    selection: &JobSelection,
    refusals: &mut Refusals,
) -> Result<Vec<DefinedJob>, ApiError> {
    let ids = chosen(selection)?;
    if let Some(group) = selection.group.map(GroupId::from_uuid) {
        let group = state.store.group(&scope.visible(), group).await?;
        scope.allow_in(group.ok_or(ApiError::NotFound)?.id)?;
    }
    let filter = JobFilter {
        part: selection.q.clone().unwrap_or_default(),
        group: selection.group.map(GroupId::from_uuid),
        kind: selection.kind.map(kind_word),
        is_paused: selection.paused,
        agent: selection.agent.map(AgentId::from_uuid),
    };
    let limit = u32::try_from(BULK_JOBS_MAX + 1).unwrap_or(u32::MAX);
    let mut found = state
        .store
        .definitions_found(&scope.visible(), &filter, ids.as_deref(), limit)
        .await?;
    let choices = found.iter_mut().filter_map(|job| choice_of(&mut job.spec));
    state.calendars.fill(choices.collect()).await?;
    if found.len() > BULK_JOBS_MAX {
        return Err(too_many("filter"));
    }
    let known: HashSet<JobId> = found.iter().map(|job| job.id).collect();
    for (index, id) in selection.ids.iter().flatten().enumerate() {
        if !known.contains(&JobId::from_uuid(*id)) {
            refusals.add_missing(index, *id);
        }
    }
    Ok(found)
}

/// The jobs that are named one by one.
fn chosen(selection: &JobSelection) -> Result<Option<Vec<JobId>>, ApiError> {
    let Some(ids) = &selection.ids else {
        return Ok(None);
    };
    let others = JobSelection {
        ids: None,
        ..selection.clone()
    };
    if others != JobSelection::default() {
        return Err(ApiError::invalid(
            "filter.ids",
            "bulk.filter_mixed",
            "jobs are named one by one and looked for at the same time",
            "send ids alone, or leave them out",
        ));
    }
    if ids.is_empty() {
        return Err(ApiError::invalid(
            "filter.ids",
            "bulk.no_ids",
            "no job is named",
            "name at least one, or leave ids out",
        ));
    }
    let ids: BTreeSet<JobId> = ids.iter().copied().map(JobId::from_uuid).collect();
    if ids.len() > BULK_JOBS_MAX {
        return Err(too_many("filter.ids"));
    }
    Ok(Some(ids.into_iter().collect()))
}

fn too_many(field: &str) -> ApiError {
    ApiError::invalid(
        field,
        "bulk.too_many_jobs",
        format!("these are more than {BULK_JOBS_MAX} jobs"),
        "narrow it down, e.g. to one group",
    )
}

/// What jobs are checked against, read in a few statements.
#[derive(Debug, Default)]
struct Around {
    groups: HashMap<GroupId, GroupRow>,
    secrets: HashMap<GroupId, HashSet<String>>,
    /// Calendars that definitions name now, or with the change.
    calendars: GroupCalendars,
    agents: HashMap<JobId, Vec<AgentId>>,
    windows: Arc<WindowBook>,
    zone: String,
}

impl Around {
    async fn read(
        state: &HttpState,
        change: &BulkChange,
        found: &[DefinedJob],
        now: Timestamp,
    ) -> Result<Self, ApiError> {
        let mut around = Self {
            zone: state.settings.default_time_zone.clone(),
            ..Self::default()
        };
        match change {
            BulkChange::Set { fields } => {
                let mut names: BTreeMap<GroupId, BTreeSet<&str>> = BTreeMap::new();
                for job in found {
                    let of_group = names.entry(job.group).or_default();
                    of_group.extend(calendar_set(fields).or_else(|| calendar_of(&job.spec)));
                }
                for group in names.keys() {
                    around.read_group(state, *group).await?;
                }
                around.calendars = state.calendars.of_groups(names).await?;
            }
            BulkChange::Run { .. } => {
                around.agents = state.store.agents_of_defined(found).await?;
                around.windows = state.windows.book(now).await?;
            }
            BulkChange::Pause {}
            | BulkChange::Resume {}
            | BulkChange::Delete {}
            | BulkChange::Snooze { .. }
            | BulkChange::Unsnooze {} => {}
        }
        Ok(around)
    }

    async fn read_group(&mut self, state: &HttpState, group: GroupId) -> Result<(), ApiError> {
        let row = state.store.group(&Reach::Everything, group).await?;
        self.groups.insert(group, row.ok_or(ApiError::NotFound)?);
        let secrets = state.store.secrets(&Reach::Everything, group).await?;
        let names = secrets.into_iter().map(|secret| secret.name).collect();
        self.secrets.insert(group, names);
        Ok(())
    }

    /// What becomes of a job; `None` if it is as it shall be.
    fn entry(
        &self,
        change: &BulkChange,
        job: &DefinedJob,
        now: Timestamp,
    ) -> Result<Option<Entry>, ApiError> {
        let snoozed_until = job.snoozed_until.filter(|until| *until > now);
        match change {
            BulkChange::Pause {} => Ok((!job.is_paused).then(|| paused(true, Timing::default()))),
            BulkChange::Resume {} if !job.is_paused => Ok(None),
            BulkChange::Resume {} => {
                let timing = job_rules::timing_of(job.id, &job.spec, now)?;
                Ok(Some(paused(false, timing)))
            }
            BulkChange::Delete {} => Ok(Some(Entry::default())),
            BulkChange::Snooze { until } => {
                scheduled(&job.spec)?;
                // Databases keep microseconds.
                let is_changed =
                    snoozed_until.map(Timestamp::as_microsecond) != Some(until.as_microsecond());
                Ok(is_changed.then(|| snoozed(snoozed_until, Some(*until))))
            }
            BulkChange::Unsnooze {} => Ok(snoozed_until.map(|_| snoozed(snoozed_until, None))),
            BulkChange::Run { ignore_windows } => {
                scheduled(&job.spec)?;
                if !ignore_windows {
                    refuse_in_window(&self.windows, (job.group, job.id), now)?;
                }
                let agents = self.agents.get(&job.id).cloned().unwrap_or_default();
                if agents.is_empty() {
                    return Err(super::job_actions::no_active_agent());
                }
                Ok(Some(Entry {
                    agents,
                    ..Entry::default()
                }))
            }
            BulkChange::Set { fields } => {
                let asked = patched(&job.spec, fields)?;
                let mut spec = job_rules::read(asked, &self.zone)?;
                if let Some(choice) = choice_of(&mut spec) {
                    self.calendars.look_up(job.group, choice);
                }
                self.saved(job, spec, now)
            }
        }
    }

    /// A job with a new definition, if that is another one.
    fn saved(
        &self,
        job: &DefinedJob,
        spec: JobSpec,
        now: Timestamp,
    ) -> Result<Option<Entry>, ApiError> {
        if spec == job.spec {
            return Ok(None);
        }
        let group = self.groups.get(&job.group).ok_or(ApiError::NotFound)?;
        let timing = job_rules::check(&spec, job.id, group, Some(&job.spec), now)?;
        let known = self.secrets.get(&job.group);
        secrets::check_known(&spec, |name| {
            known.is_some_and(|known| known.contains(name))
        })?;
        Ok(Some(Entry {
            fields: field_changes(
                &shape::JobSpec::from(&job.spec),
                &shape::JobSpec::from(&spec),
            ),
            spec: Some(spec),
            timing,
            ..Entry::default()
        }))
    }
}

fn calendar_of(spec: &JobSpec) -> Option<&str> {
    match &spec.kind {
        JobKind::Scheduled(scheduled) => Some(scheduled.calendar.as_ref()?.name.as_str()),
        JobKind::Daemon(_) => None,
    }
}

fn paused(is_paused: bool, timing: Timing) -> Entry {
    let field = FieldChange {
        field: "paused".to_owned(),
        old: Some((!is_paused).into()),
        new: Some(is_paused.into()),
    };
    Entry {
        fields: vec![field],
        timing,
        ..Entry::default()
    }
}

fn snoozed(old: Option<Timestamp>, new: Option<Timestamp>) -> Entry {
    let value = |until: Option<Timestamp>| until.map(|until| Value::String(until.to_string()));
    let field = FieldChange {
        field: "snoozed_until".to_owned(),
        old: value(old),
        new: value(new),
    };
    Entry {
        fields: vec![field],
        ..Entry::default()
    }
}

impl Draft {
    /// Whether nothing would be changed.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The jobs that are changed, by name.
    pub(super) fn changed(&self) -> impl Iterator<Item = Changed<'_>> {
        self.entries.iter().filter_map(|entry| {
            Some(Changed {
                job: self.found.get(entry.at)?,
                spec: entry.spec.as_ref(),
                timing: entry.timing,
                agents: &entry.agents,
            })
        })
    }

    /// Everything that the plan was made from.
    pub(super) fn based_on(&self) -> Vec<JobBasis> {
        self.found.iter().map(basis).collect()
    }

    /// Only the jobs that are changed.
    pub(super) fn based_on_changed(&self) -> Vec<JobBasis> {
        self.changed().map(|changed| basis(changed.job)).collect()
    }

    /// The jobs that run, with the agents that they may run on.
    pub(super) fn chosen_agents(&self) -> Vec<(JobId, &JobSpec, Vec<AgentId>)> {
        self.entries
            .iter()
            .filter_map(|entry| {
                let job = self.found.get(entry.at)?;
                Some((job.id, &job.spec, entry.agents.clone()))
            })
            .collect()
    }

    fn check_runs(&self) -> Result<(), ApiError> {
        let runs: usize = self.changed().map(|changed| changed.runs() as usize).sum();
        if runs <= BULK_RUNS_MAX {
            return Ok(());
        }
        Err(ApiError::invalid(
            "filter",
            "bulk.too_many_runs",
            format!("these jobs would start {runs} runs"),
            format!("run at most {BULK_RUNS_MAX} at a time: narrow it down"),
        ))
    }

    /// Stands for what would be done and everything that it is based on.
    pub(super) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        // What is only text and numbers can always be encoded.
        let mut add = |line: Vec<u8>| {
            hash.update(line);
            hash.update(b"\n");
        };
        add(serde_json::to_vec(&self.change).unwrap_or_default());
        let mut entries = self.entries.iter().peekable();
        for (at, job) in self.found.iter().enumerate() {
            let entry = entries.next_if(|entry| entry.at == at);
            let agents: Option<Vec<Uuid>> =
                entry.map(|entry| entry.agents.iter().map(|agent| agent.as_uuid()).collect());
            let line = (
                job.id.as_uuid(),
                job.group.as_uuid(),
                job.version,
                job.is_paused,
                job.snoozed_until.filter(|until| *until > self.now),
                agents,
            );
            add(serde_json::to_vec(&line).unwrap_or_default());
        }
        hex(&hash.finalize())
    }

    /// The plan for people.
    pub(super) fn shown(&self) -> BulkPlan {
        let jobs = self.changed().zip(&self.entries).map(|(changed, entry)| {
            let stake = self
                .stakes
                .get(&changed.job.id)
                .copied()
                .unwrap_or_default();
            BulkJob {
                id: changed.job.id.as_uuid(),
                group: changed.job.group_name.clone(),
                name: changed.job.spec.name.clone(),
                version: changed.job.version,
                fields: entry.fields.clone(),
                runs: changed.runs(),
                waiting: stake.waiting,
                alive: stake.alive,
                processes: stake.processes,
            }
        });
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        BulkPlan {
            digest: self.digest(),
            jobs: jobs.collect(),
            unchanged: count(self.found.len() - self.entries.len()),
            runs: self.changed().map(|changed| changed.runs()).sum(),
            run_ids: Vec::new(),
        }
    }
}

impl Changed<'_> {
    /// Runs that are started.
    fn runs(&self) -> u32 {
        let spread = match &self.job.spec.kind {
            JobKind::Scheduled(scheduled) => scheduled.spread,
            JobKind::Daemon(_) => Spread::Each,
        };
        let agents = spread.width(self.agents.len());
        let agents = u32::try_from(agents).unwrap_or(u32::MAX);
        agents.saturating_mul(self.job.spec.processes)
    }
}

fn basis(job: &DefinedJob) -> JobBasis {
    JobBasis {
        job: job.id,
        group: job.group,
        version: job.version,
        is_paused: job.is_paused,
    }
}
