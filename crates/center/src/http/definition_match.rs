//! Which job each definition of a set is about, and whether the set is clear about it.

use std::collections::{HashMap, HashSet};

use cronfleet_api::definition::{Definition, DefinitionSet};
use cronfleet_api::error::Problem;
use cronfleet_core::access::Role;
use cronfleet_core::id::{GroupId, JobId};
use cronfleet_store::{DefinedJob, GroupRow};

use super::definition_known::Known;
use super::definition_problems::{Problems, forbidden, no_group, problem};
use super::guard::{Operator, Scope};

/// The job that a definition is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Match<'a> {
    /// The group that it names.
    pub(super) group: &'a GroupRow,
    /// The job, if there is one.
    pub(super) job: Option<&'a DefinedJob>,
}

/// Checks the groups that are named beside those of jobs.
pub(super) fn check_groups(
    scope: &Scope<Operator>,
    set: &DefinitionSet,
    known: &Known,
    problems: &mut Problems,
) {
    for (place, name) in set.groups.iter().enumerate() {
        let field = format!("groups[{place}]");
        if let Some(refusal) = group_refused(scope, known, name, &field) {
            problems.of_set(refusal);
        }
    }
}

fn group_refused(
    scope: &Scope<Operator>,
    known: &Known,
    name: &str,
    field: &str,
) -> Option<Problem> {
    let Some(group) = known.group(name) else {
        return Some(no_group(field));
    };
    let is_refused = scope.allow_in(group.id).is_err();
    is_refused.then(|| forbidden(field, group, "apply definitions", Role::Operator))
}

/// Finds the job that each definition is about. `None` stands for those that are wrong already.
pub(super) fn match_jobs<'a>(
    scope: &Scope<Operator>,
    set: &'a DefinitionSet,
    known: &'a Known,
    problems: &mut Problems,
) -> Vec<Option<Match<'a>>> {
    let mut seen = Seen::default();
    let mut matches = Vec::with_capacity(set.jobs.len());
    for (index, definition) in set.jobs.iter().enumerate() {
        let found = match_one(scope, known, definition)
            .and_then(|found| seen.add(index, definition, found).map(|()| found));
        matches.push(match found {
            Ok(found) => Some(found),
            Err(refusal) => {
                problems.of_job(index, *refusal);
                None
            }
        });
    }
    matches
}

/// What to do about a job that comes twice.
const KEEP_ONE: &str = "keep one of them";
/// The same where one of the two names the job by id and renames it, and the other names it by the old name.
const KEEP_ONE_OR_NAME_IT: &str =
    "keep one of them; a new job that takes over the name of a renamed one needs an id of its own";

/// The jobs of a set that were seen so far.
#[derive(Default)]
struct Seen<'a> {
    /// Where each name was seen first.
    names: HashMap<(GroupId, &'a str), usize>,
    /// Where each job was seen first, and the field that names it there.
    jobs: HashMap<JobId, (usize, &'static str)>,
}

impl<'a> Seen<'a> {
    fn add(
        &mut self,
        index: usize,
        definition: &'a Definition,
        found: Match<'_>,
    ) -> Result<(), Box<Problem>> {
        let name = (found.group.id, definition.spec.name.as_str());
        if let Some(first) = self.names.insert(name, index) {
            return Err(twice("spec.name", first, "spec.name", KEEP_ONE));
        }
        let asked = definition.id.map(JobId::from_uuid);
        let Some(job) = found.job.map(|job| job.id).or(asked) else {
            return Ok(());
        };
        let field = if asked.is_some() { "id" } else { "spec.name" };
        match self.jobs.insert(job, (index, field)) {
            None => Ok(()),
            Some((first, same)) if same == field => Err(twice(field, first, same, KEEP_ONE)),
            Some((first, other)) => Err(twice(field, first, other, KEEP_ONE_OR_NAME_IT)),
        }
    }
}

fn match_one<'a>(
    scope: &Scope<Operator>,
    known: &'a Known,
    definition: &Definition,
) -> Result<Match<'a>, Box<Problem>> {
    if let Some(refusal) = group_refused(scope, known, &definition.group, "group") {
        return Err(Box::new(refusal));
    }
    let Some(group) = known.group(&definition.group) else {
        return Err(Box::new(no_group("group")));
    };
    let Some(id) = definition.id else {
        let job = known.job_named(group.id, &definition.spec.name);
        return Ok(Match { group, job });
    };
    let job = known.job(JobId::from_uuid(id));
    let Some(job) = job else {
        return Ok(Match { group, job: None });
    };
    if !scope.visible().includes(job.group) {
        return Err(refuse(
            "id",
            "job.id_taken",
            "this id is not free",
            "leave the id out: a new job gets one of its own",
        ));
    }
    if job.is_deleted {
        return Err(refuse(
            "id",
            "job.deleted",
            "the job with this id was deleted",
            "leave the id out: a new job gets one of its own",
        ));
    }
    if job.group != group.id {
        return Err(refuse(
            "group",
            "job.other_group",
            format!("the job with this id is in group {:?}", job.group_name),
            "jobs stay in their group: leave the id out to create another one in this group",
        ));
    }
    Ok(Match {
        group,
        job: Some(job),
    })
}

fn refuse(field: &str, code: &str, message: impl Into<String>, hint: &str) -> Box<Problem> {
    Box::new(problem(field, code, message, hint))
}

/// The same job a second time; `first` and `field_of_first` are the place of the first.
fn twice(field: &str, first: usize, field_of_first: &str, hint: &str) -> Box<Problem> {
    Box::new(Problem {
        also: Some(format!("jobs[{first}].{field_of_first}")),
        ..problem(
            field,
            "definitions.twice",
            "the set has this job twice",
            hint,
        )
    })
}

/// Checks that no name is asked for that another job has and keeps.
pub(super) fn check_names(
    set: &DefinitionSet,
    known: &Known,
    matches: &[Option<Match<'_>>],
    deleted: impl Iterator<Item = JobId>,
    problems: &mut Problems,
) {
    let mut given_up: HashSet<JobId> = deleted.collect();
    let matched = || {
        let found = matches.iter().zip(&set.jobs).enumerate();
        found.filter_map(|(index, (found, definition))| Some((index, (*found)?, definition)))
    };
    for (_, found, definition) in matched() {
        let renamed = found
            .job
            .filter(|job| job.spec.name != definition.spec.name);
        given_up.extend(renamed.map(|job| job.id));
    }
    for (index, found, definition) in matched() {
        let holder = known.job_named(found.group.id, &definition.spec.name);
        let is_own = |job: &DefinedJob| found.job.is_some_and(|own| own.id == job.id);
        if holder.is_some_and(|job| !is_own(job) && !given_up.contains(&job.id)) {
            problems.of_job(
                index,
                problem(
                    "spec.name",
                    "job.name_taken",
                    "another job of the group has this name",
                    "choose another name, or leave the id out to mean that job",
                ),
            );
        }
    }
}
