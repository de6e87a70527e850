//! Processes that lived in daemon slots.

use std::time::Duration;

use cronfleet_core::access::Reach;
use cronfleet_core::id::{AgentId, JobId, ProcessId};
use cronfleet_core::order::{OutputTotals, ProcessReport, StopCause, Usage};
use cronfleet_core::run::Reason;
use jiff::Timestamp;

use crate::agent_session::Session;
use crate::error::StoreError;
use crate::page::{Page, TimeKey};
use crate::store::Store;

/// One life of a command in a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessRow {
    /// Id.
    pub id: ProcessId,
    /// Job.
    pub job: JobId,
    /// Version of the job it followed.
    pub job_version: u32,
    /// Agent.
    pub agent: AgentId,
    /// Slot index.
    pub index: u32,
    /// When the center first heard of it.
    pub first_seen_at: Timestamp,
    /// When it started; `None` if it never ran.
    pub started_at: Option<Timestamp>,
    /// Process id on the agent.
    pub pid: Option<i32>,
    /// When it ended; `None` while it lives.
    pub ended_at: Option<Timestamp>,
    /// Why it was asked to stop.
    pub stopped_for: Option<StopCause>,
    /// Exit status, if it exited.
    pub exit_code: Option<i32>,
    /// Number of the signal that ended it.
    pub signal: Option<i32>,
    /// Why it could not be started, or why its end is unknown.
    pub reason: Option<Reason>,
    /// More about the reason for people.
    pub detail: Option<String>,
    /// How long it ran.
    pub duration: Option<Duration>,
    /// Resources it used.
    pub usage: Option<Usage>,
    /// Its output.
    pub output: Option<OutputTotals>,
}

impl Store {
    /// Stores lives that an agent reports; keeps the newest 50 per slot. Reports of unknown jobs are ignored. Safe to repeat.
    ///
    /// # Errors
    /// [`Conflict::StaleSession`](crate::Conflict::StaleSession).
    pub async fn put_process_reports(
        &self,
        session: &Session,
        reports: &[ProcessReport],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        later(session, reports, now)
    }

    /// Processes of a job within reach, those first heard of last first. The key's time is `first_seen_at`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn processes(
        &self,
        reach: &Reach,
        job: JobId,
        agent: Option<AgentId>,
        index: Option<u32>,
        before: Option<TimeKey>,
        limit: u32,
    ) -> Result<Page<ProcessRow, TimeKey>, StoreError> {
        later(reach, (job, agent, index), (before, limit))
    }
}

fn later<A, B, C, T>(_: A, _: B, _: C) -> Result<T, StoreError> {
    Err(StoreError::corrupt("function", "not written yet"))
}
