//! Changing many jobs as one: created, saved, paused, resumed, deleted, all of them or none.
//!
//! For each job the rules are those of [`crate::job_edit`]; what differs is that statements are about many jobs, and that nothing
//! happens unless every job that the set was made from is as it was then.

use std::collections::{BTreeSet, HashMap};

use cronfleet_core::id::{GroupId, JobId, UserId};
use cronfleet_core::job::{JobSpec, Target};
use cronfleet_core::run::Reason;
use jiff::Timestamp;

use crate::again::transaction;
use crate::bulk::update_each;
use crate::error::{Conflict, StoreError};
use crate::group::lock_group;
use crate::job::{NewJob, NewVersion, Timing, insert_jobs, insert_versions};
use crate::job_edit::{JobHead, lock_jobs, mark_deleted, want_again};
use crate::job_list::JobKindWord;
use crate::run_state::{BATCH, active_of_jobs};
use crate::sql::{Given, Sql};
use crate::store::{Store, Tx};
use crate::why::{begin_pauses, end_pauses};
use crate::withdraw::{Withdrawal, Withdrawn, withdraw};

/// What is to become of a set of jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSet {
    /// Every job that the set was made from, as it was then; also those that stay as they are.
    pub based_on: Vec<JobBasis>,
    /// Jobs to create.
    pub create: Vec<NewJob>,
    /// Jobs to save, pause or resume; each is in `based_on`.
    pub change: Vec<JobChange>,
    /// Jobs to delete; each is in `based_on`.
    pub delete: Vec<JobId>,
    /// Who wants it.
    pub author: UserId,
}

/// What a job was when a set of changes was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobBasis {
    /// Job.
    pub job: JobId,
    /// Owning group.
    pub group: GroupId,
    /// Version in force.
    pub version: u32,
    /// Whether it was paused.
    pub is_paused: bool,
}

/// A change of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobChange {
    /// Job.
    pub job: JobId,
    /// New definition; `None` if only the pause changes.
    pub spec: Option<JobSpec>,
    /// What the schedule of the definition that is then in force says.
    pub timing: Timing,
    /// Whether the job is paused afterwards.
    pub is_paused: bool,
}

impl Store {
    /// Makes all changes of a set in one transaction. Answers which runs are withdrawn.
    ///
    /// # Errors
    /// [`Conflict::StaleSet`] if a job that the set was made from has changed; [`Conflict::PlanningBehind`];
    /// [`Conflict::Reference`] if a name or an id of a job to create is taken; [`StoreError::Missing`] if a group is gone.
    pub async fn change_jobs(
        &self,
        set: &ChangeSet,
        now: Timestamp,
    ) -> Result<Withdrawn, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            let groups = set.based_on.iter().map(|basis| basis.group);
            let groups: BTreeSet<GroupId> = groups
                .chain(set.create.iter().map(|job| job.group))
                .collect();
            for group in groups {
                lock_group(&tx, group).await?;
            }
            let heads = lock_jobs(&tx, set.based_on.iter().map(|basis| basis.job)).await?;
            set.expect_basis(&heads)?;
            set.expect_planned(&heads, now)?;
            let steps = Steps::of(set, &heads);
            mark_deleted(&tx, &set.delete, now).await?;
            free_names(&tx, &steps.saved).await?;
            save(&tx, set, &heads, now).await?;
            set_pauses(&tx, set, now).await?;
            insert_jobs(&tx, &set.create, now).await?;
            begin_pauses(&tx, &steps.paused, now).await?;
            end_pauses(&tx, &steps.resumed, now).await?;
            let mut withdrawn = Withdrawn::default();
            for (jobs, withdrawal) in [
                (&steps.superseded, Withdrawal::Superseded),
                (&steps.paused, Withdrawal::Paused),
                (&set.delete, Withdrawal::Deleted),
            ] {
                let runs = active_of_jobs(&tx, jobs).await?;
                withdrawn.add(withdraw(&tx, &runs, withdrawal, now).await?);
            }
            want_again(&tx, &steps.resumed, Reason::Paused).await?;
            tx.commit().await?;
            Ok(withdrawn)
        })
    }
}

impl ChangeSet {
    fn expect_basis(&self, heads: &HashMap<JobId, JobHead>) -> Result<(), Conflict> {
        let changed = self.change.iter().map(|change| change.job);
        let is_known = |job: JobId| heads.contains_key(&job);
        if !changed.chain(self.delete.iter().copied()).all(is_known) {
            return Err(Conflict::StaleSet);
        }
        expect_basis(&self.based_on, heads)
    }

    /// Nothing is due of a job that is paused, so that resuming one passes.
    fn expect_planned(
        &self,
        heads: &HashMap<JobId, JobHead>,
        now: Timestamp,
    ) -> Result<(), Conflict> {
        let changed = self.change.iter().map(|change| change.job);
        changed
            .chain(self.delete.iter().copied())
            .filter_map(|job| heads.get(&job))
            .try_for_each(|head| head.expect_planned(now))
    }
}

/// Refuses a set of jobs of which one is not as it was.
pub(crate) fn expect_basis<'a>(
    based_on: impl IntoIterator<Item = &'a JobBasis>,
    heads: &HashMap<JobId, JobHead>,
) -> Result<(), Conflict> {
    let is_as_it_was = |basis: &JobBasis| {
        heads.get(&basis.job).is_some_and(|head| {
            head.group == basis.group
                && head.version == basis.version
                && head.is_paused == basis.is_paused
        })
    };
    if based_on.into_iter().all(is_as_it_was) {
        Ok(())
    } else {
        Err(Conflict::StaleSet)
    }
}

/// Which jobs take which steps.
struct Steps {
    /// Get a new version.
    saved: Vec<JobId>,
    /// Get a new version and go on as they were: of those that are paused at the same time the pause withdraws more.
    superseded: Vec<JobId>,
    paused: Vec<JobId>,
    resumed: Vec<JobId>,
}

impl Steps {
    fn of(set: &ChangeSet, heads: &HashMap<JobId, JobHead>) -> Self {
        let was_paused =
            |change: &JobChange| heads.get(&change.job).is_some_and(|head| head.is_paused);
        let chosen = |wanted: &dyn Fn(&JobChange) -> bool| -> Vec<JobId> {
            let changes = set.change.iter().filter(|change| wanted(change));
            changes.map(|change| change.job).collect()
        };
        let pauses = |change: &JobChange| change.is_paused && !was_paused(change);
        Self {
            saved: chosen(&|change| change.spec.is_some()),
            superseded: chosen(&|change| change.spec.is_some() && !pauses(change)),
            paused: chosen(&pauses),
            resumed: chosen(&|change| !change.is_paused && was_paused(change)),
        }
    }
}

/// Takes away the names of jobs that are about to get the same or others, so that two can change theirs with each other.
async fn free_names(tx: &Tx, jobs: &[JobId]) -> Result<(), StoreError> {
    for batch in jobs.chunks(BATCH) {
        Sql::new("UPDATE jobs SET name_key = NULL WHERE ")
            .one_of("id", batch.iter().copied())
            .execute(&**tx)
            .await?;
    }
    Ok(())
}

/// Gives jobs new versions.
async fn save(
    tx: &Tx,
    set: &ChangeSet,
    heads: &HashMap<JobId, JobHead>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let columns = [
        "id",
        "name",
        "name_key",
        "kind",
        "version",
        "is_paused",
        "is_target_all",
        "processes",
        "is_reboot",
        "watermark",
        "next_due",
        "held_until",
    ];
    let (mut rows, mut versions) = (Vec::new(), Vec::new());
    for change in &set.change {
        let (Some(spec), Some(head)) = (&change.spec, heads.get(&change.job)) else {
            continue;
        };
        let version = head.version + 1;
        let row = Given::default()
            .with(change.job)
            .with(spec.name.as_str())
            .with(spec.name.as_str())
            .with(JobKindWord::of(&spec.kind))
            .with(version)
            .with(change.is_paused)
            .with(spec.target == Target::All)
            .with(spec.processes)
            .with(change.timing.is_reboot)
            .with(now)
            .with(change.next_due())
            .with(None::<Timestamp>);
        rows.push(row);
        versions.push(NewVersion {
            job: change.job,
            version,
            spec,
            author: set.author,
        });
    }
    for batch in rows.chunks(BATCH) {
        update_each(tx.engine, "jobs", &columns, &[], batch)
            .execute(&**tx)
            .await?;
    }
    insert_versions(tx, &versions, now).await
}

/// Pauses and resumes jobs that keep their version.
async fn set_pauses(tx: &Tx, set: &ChangeSet, now: Timestamp) -> Result<(), StoreError> {
    let columns = ["id", "is_paused", "watermark", "next_due", "held_until"];
    let kept = set.change.iter().filter(|change| change.spec.is_none());
    let rows: Vec<Given> = kept
        .map(|change| {
            Given::default()
                .with(change.job)
                .with(change.is_paused)
                .with(now)
                .with(change.next_due())
                .with(None::<Timestamp>)
        })
        .collect();
    for batch in rows.chunks(BATCH) {
        update_each(tx.engine, "jobs", &columns, &[], batch)
            .execute(&**tx)
            .await?;
    }
    Ok(())
}

impl JobChange {
    fn next_due(&self) -> Option<Timestamp> {
        self.timing.next_due.filter(|_| !self.is_paused)
    }
}
