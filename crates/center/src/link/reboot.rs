//! Runs of jobs that run at the start of an agent's host.

use cronfleet_core::id::JobId;
use cronfleet_core::plan::PlannedRun;
use cronfleet_core::run::{Cause, RunKey};
use cronfleet_store::{JobToPlan, ManualRuns, Session};
use jiff::Timestamp;

/// The runs of a job for a boot of the session's agent: once per boot, by their trigger.
pub(super) fn reboot_runs(
    job: &JobToPlan,
    session: &Session,
    boot_id: &str,
    now: Timestamp,
) -> ManualRuns {
    let trigger = format!("reboot:{}:{boot_id}", session.agent);
    let job_id: JobId = job.job;
    let runs = (0..job.processes).map(|copy| {
        let key = RunKey {
            job: job_id,
            job_version: job.version,
            due: now,
            agent: session.agent,
            copy,
            attempt: 1,
            trigger: trigger.clone(),
        };
        PlannedRun::new(
            key,
            job.processes,
            Cause::Reboot,
            now,
            job.scheduled.start_deadline,
        )
    });
    let runs = runs.collect();
    ManualRuns {
        job: job_id,
        version: job.version,
        trigger,
        due: now,
        runs,
        requested_by: None,
        skipped: None,
    }
}
