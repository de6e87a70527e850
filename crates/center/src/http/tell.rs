//! Telling agents, the planner and watchers what a committed change means for them.

use cronfleet_core::id::{GroupId, JobId};
use cronfleet_store::{JobEdited, RunMoved, Withdrawn};

use super::state::HttpState;
use crate::bus::Change;
use crate::link::desk::publish_moves;

/// Most jobs that are told one by one; of more, watchers read everything again.
const TOLD_MAX: usize = 200;

/// An edit of a job.
pub(super) fn job_edited(state: &HttpState, job: JobId, group: GroupId, edited: &JobEdited) {
    state.nudges.revoke(&edited.revoke);
    moved(state, &edited.moved);
    state.nudges.jobs_changed();
    state.bus.publish(Change::Job { job, group });
}

/// Many jobs that were changed as one.
pub(super) fn jobs_changed(state: &HttpState, jobs: &[(JobId, GroupId)], withdrawn: &Withdrawn) {
    self::withdrawn(state, withdrawn);
    state.nudges.jobs_changed();
    if jobs.len() > TOLD_MAX {
        state.bus.publish(Change::Everything);
        return;
    }
    for &(job, group) in jobs {
        state.bus.publish(Change::Job { job, group });
    }
}

/// Runs that are not to be started any more.
pub(super) fn withdrawn(state: &HttpState, withdrawn: &Withdrawn) {
    state.nudges.revoke(&withdrawn.revoke);
    moved(state, &withdrawn.moved);
}

/// Runs that moved.
pub(super) fn moved(state: &HttpState, moved: &[RunMoved]) {
    publish_moves(&state.bus, moved);
}
