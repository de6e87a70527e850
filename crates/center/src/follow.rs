//! Following calendars: when a calendar gets a new version, jobs that follow it get new versions, too, which follow that one.
//!
//! So a version of a job is due at the same instants for ever, and what is planned is superseded by the rules of every edit
//! ([`cronfleet_store::ChangeSet`]), on whichever center it was planned. A step does some of the jobs of one calendar; the next one
//! comes with the planner's next round. Nothing is lost if a center dies in between: a job that is behind stays so until a step
//! has done it.

use cronfleet_core::calendar::OwnCalendar;
use cronfleet_core::id::{GroupId, JobId};
use cronfleet_core::job::JobKind;
use cronfleet_store::{
    ChangeSet, Conflict, JobBasis, JobBehind, JobChange, Store, StoreError, Timing, Withdrawn,
};
use jiff::Timestamp;

use crate::bus::{Change, EventBus};
use crate::calendars::{Calendars, choice_of};
use crate::link::desk::publish_moves;
use crate::nudge::Nudges;

/// Jobs of one step.
const JOBS_PER_STEP: u32 = 500;
/// Most jobs that are told one by one; of more, watchers read everything again.
const TOLD_MAX: usize = 200;

/// Takes the next jobs that are behind their calendars forward.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub(crate) async fn step(
    store: &Store,
    calendars: &Calendars,
    nudges: &Nudges,
    bus: &EventBus,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut behind = store.jobs_behind_calendars(JOBS_PER_STEP).await?;
    let Some(calendar) = behind.first().map(|job| job.calendar) else {
        return Ok(());
    };
    behind.retain(|job| job.calendar == calendar);
    let mut changes = Vec::with_capacity(behind.len());
    for job in behind {
        changes.extend(change(calendars, job, now).await?);
    }
    let count = changes.len();
    match save(store, &changes, now).await {
        Ok(withdrawn) => tell(nudges, bus, &changes, &withdrawn),
        // One of them was changed meanwhile, or is behind with planning: the others need not wait for it.
        Err(StoreError::Conflict(_)) => {
            for one in changes.chunks(1) {
                match save(store, one, now).await {
                    Ok(withdrawn) => tell(nudges, bus, one, &withdrawn),
                    Err(StoreError::Conflict(Conflict::StaleSet | Conflict::PlanningBehind)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Err(error) => return Err(error),
    }
    if count > 0 {
        tracing::info!(calendar.id = %calendar.id, calendar.version = calendar.version, jobs = count, "jobs follow the new version of their calendar");
    }
    Ok(())
}

/// What becomes of one job.
struct Followed {
    basis: JobBasis,
    change: JobChange,
    author: cronfleet_core::id::UserId,
}

/// The new version of a job. One whose schedule cannot be read is put aside, as the planner does.
async fn change(
    calendars: &Calendars,
    job: JobBehind,
    now: Timestamp,
) -> Result<Option<Followed>, StoreError> {
    let JobBehind {
        job: id,
        group,
        version,
        mut spec,
        is_paused,
        calendar,
        author,
    } = job;
    let Some(choice) = choice_of(&mut spec) else {
        return Ok(None);
    };
    choice.own = Some(calendar);
    choice.days = None;
    calendars.fill_one(Some(choice)).await?;
    let JobKind::Scheduled(scheduled) = &spec.kind else {
        return Ok(None);
    };
    let next_due = match scheduled.schedule(id) {
        Ok(schedule) => schedule.next_after(now),
        Err(error) => {
            tracing::error!(job.id = %id, %error, "a job cannot be planned and is put aside until it is saved again");
            None
        }
    };
    let timing = Timing {
        next_due,
        is_reboot: false,
    };
    Ok(Some(Followed {
        basis: JobBasis {
            job: id,
            group,
            version,
            is_paused,
        },
        change: JobChange {
            job: id,
            spec: Some(spec),
            timing,
            is_paused,
        },
        author,
    }))
}

async fn save(
    store: &Store,
    followed: &[Followed],
    now: Timestamp,
) -> Result<Withdrawn, StoreError> {
    let Some(first) = followed.first() else {
        return Ok(Withdrawn::default());
    };
    let set = ChangeSet {
        based_on: followed.iter().map(|one| one.basis).collect(),
        create: Vec::new(),
        change: followed.iter().map(|one| one.change.clone()).collect(),
        delete: Vec::new(),
        author: first.author,
    };
    store.change_jobs(&set, now).await
}

fn tell(nudges: &Nudges, bus: &EventBus, followed: &[Followed], withdrawn: &Withdrawn) {
    nudges.revoke(&withdrawn.revoke);
    publish_moves(bus, &withdrawn.moved);
    if followed.len() > TOLD_MAX {
        bus.publish(Change::Everything);
        return;
    }
    for one in followed {
        let (job, group): (JobId, GroupId) = (one.basis.job, one.basis.group);
        bus.publish(Change::Job { job, group });
    }
}

/// The version of a calendar that a job's version follows.
pub(crate) fn version_followed(spec: &cronfleet_core::job::JobSpec) -> Option<OwnCalendar> {
    match &spec.kind {
        JobKind::Scheduled(scheduled) => scheduled.calendar.as_ref()?.own,
        JobKind::Daemon(_) => None,
    }
}
