//! Processes that lived in daemon slots.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use cronfleet_core::access::Reach;
use cronfleet_core::id::{AgentId, GroupId, JobId, LifeId, ProcessId};
use cronfleet_core::order::{Cleanup, OutputTotals, ProcessReport, SlotReport, StopCause, Usage};
use cronfleet_core::run::{Reason, outcome_of};
use jiff::Timestamp;

use crate::again::transaction;
use crate::agent_session::Session;
use crate::claim::{detail_of, with_end};
use crate::error::StoreError;
use crate::output_row::delete_outputs;
use crate::page::{Page, TimeKey};
use crate::run::{read_output, read_usage};
use crate::sql::{Row, Sql, stored};
use crate::store::{Store, Tx};

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
    /// What it took to end everything that belonged to it.
    pub cleanup: Cleanup,
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
        transaction!({
            if reports.is_empty() {
                return Ok(());
            }
            let tx = self.begin().await?;
            session.guard(&tx).await?;
            let groups = groups_of_jobs(&tx, reports.iter().map(|report| report.job)).await?;
            let mut slots = BTreeSet::new();
            for report in reports
                .iter()
                .filter(|report| groups.contains_key(&report.job))
            {
                put_report(&tx, session.agent, report, now).await?;
                slots.insert((report.job, report.index));
            }
            for (job, index) in slots {
                forget_oldest(&tx, session.agent, job, index).await?;
            }
            tx.commit().await
        })
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
        let mut sql = Sql::new(SELECT_PROCESSES)
            .bind(job)
            .and_reach("j.group_id", reach)
            .with_some(" AND p.agent_id = ?", agent)
            .with_some(" AND p.slot_index = ?", index);
        if let Some(before) = before {
            sql = sql
                .with(
                    " AND p.first_seen_at <= ? AND (p.first_seen_at < ?",
                    before.at,
                )
                .bind(before.at)
                .with(" OR p.id < ?)", before.id);
        }
        let rows = sql
            .with(
                " ORDER BY p.first_seen_at DESC, p.id DESC LIMIT ?",
                limit + 1,
            )
            .all(self.reader(), read_process)
            .await?;
        Ok(Page::cut(rows, limit, |process| TimeKey {
            at: process.first_seen_at,
            id: process.id.as_uuid(),
        }))
    }
}

/// Lives kept per slot.
const LIVES_MAX: u32 = 50;
/// Most lives that are forgotten in one go.
const FORGET_MAX: u32 = 200;

const STOP_CAUSES: [(StopCause, &str); 8] = [
    (StopCause::Kill, "kill"),
    (StopCause::Timeout, "timeout"),
    (StopCause::Shutdown, "shutdown"),
    (StopCause::ScaledDown, "scaled_down"),
    (StopCause::Replaced, "replaced"),
    (StopCause::Unhealthy, "unhealthy"),
    (StopCause::NotReady, "not_ready"),
    (StopCause::Recycled, "recycled"),
];

stored!(
    StopCause as String,
    String,
    |cause| STOP_CAUSES
        .iter()
        .find(|(one, _)| *one == cause)
        .map_or("", |(_, word)| word)
        .to_owned(),
    |raw| STOP_CAUSES
        .iter()
        .find(|(_, word)| *word == raw)
        .map(|(cause, _)| *cause)
        .ok_or_else(|| StoreError::corrupt("stop cause", raw))
);

const SELECT_PROCESSES: &str = "SELECT p.id, p.job_id, p.job_version, p.agent_id, p.slot_index, p.first_seen_at, \
    p.started_at, p.pid, p.ended_at, p.stopped_for, p.exit_code, p.signal_number, p.reason, p.detail, p.duration_us, \
    p.user_time_us, p.system_time_us, p.memory_peak_bytes, p.oom_kills, p.output_written_bytes, \
    p.output_dropped_bytes, p.output_end_offset, p.cleanup FROM processes p JOIN jobs j ON j.id = p.job_id WHERE p.job_id = ?";

fn read_process(row: &mut Row) -> Result<ProcessRow, StoreError> {
    Ok(ProcessRow {
        id: row.next()?,
        job: row.next()?,
        job_version: row.next()?,
        agent: row.next()?,
        index: row.next()?,
        first_seen_at: row.next()?,
        started_at: row.maybe()?,
        pid: row.maybe()?,
        ended_at: row.maybe()?,
        stopped_for: row.maybe()?,
        exit_code: row.maybe()?,
        signal: row.maybe()?,
        reason: row.maybe()?,
        detail: row.maybe()?,
        duration: row.maybe()?,
        usage: read_usage(row)?,
        output: read_output(row)?,
        cleanup: row.maybe()?.unwrap_or_default(),
    })
}

/// Groups of jobs, deleted ones included.
pub(crate) async fn groups_of_jobs(
    tx: &Tx,
    jobs: impl Iterator<Item = JobId>,
) -> Result<HashMap<JobId, GroupId>, StoreError> {
    let jobs: BTreeSet<JobId> = jobs.collect();
    let found = Sql::new("SELECT id, group_id FROM jobs WHERE ")
        .one_of("id", jobs)
        .all(&**tx, |row| Ok((row.next()?, row.next()?)))
        .await?;
    Ok(found.into_iter().collect())
}

/// Makes the process of a slot known while it lives, so that its output can be read.
pub(crate) async fn note_process(
    tx: &Tx,
    agent: AgentId,
    report: &SlotReport,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(process) = report.process else {
        return Ok(());
    };
    let place = Place {
        job: report.job,
        job_version: report.job_version,
        agent,
        index: report.index,
    };
    insert_process(tx, process, place, now).await?;
    if let Some(start) = report.start {
        Sql::new("UPDATE processes SET started_at = ?, pid = ? WHERE id = ? AND agent_id = ? AND started_at IS NULL")
            .bind(start.at)
            .bind(start.pid)
            .bind(process)
            .bind(agent)
            .execute(&**tx)
            .await?;
    }
    Ok(())
}

/// Where a process lives.
struct Place {
    job: JobId,
    job_version: u32,
    agent: AgentId,
    index: u32,
}

async fn insert_process(
    tx: &Tx,
    id: ProcessId,
    place: Place,
    now: Timestamp,
) -> Result<(), StoreError> {
    Sql::new(
        "INSERT INTO processes (id, job_id, job_version, agent_id, slot_index, first_seen_at) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(id)
    .bind(place.job)
    .bind(place.job_version)
    .bind(place.agent)
    .bind(place.index)
    .bind(now)
    .text(&tx.engine.or_ignore("id"))
    .execute(&**tx)
    .await?;
    Ok(())
}

async fn put_report(
    tx: &Tx,
    agent: AgentId,
    report: &ProcessReport,
    now: Timestamp,
) -> Result<(), StoreError> {
    let place = Place {
        job: report.job,
        job_version: report.job_version,
        agent,
        index: report.index,
    };
    insert_process(tx, report.process, place, now).await?;
    let mut sql = Sql::new("UPDATE processes SET id = id");
    if let Some(start) = report.start {
        sql = sql
            .with(", started_at = ?", start.at)
            .with(", pid = ?", start.pid);
    }
    if let Some(end) = &report.end {
        // That it was replaced is why it was stopped, and needs no second word.
        let reason = outcome_of(end)
            .1
            .filter(|reason| *reason != Reason::Replaced);
        sql = with_end(sql, end)
            .with(", ended_at = ?", end.at)
            .with(", stopped_for = ?", end.stopped_for)
            .with(", reason = ?", reason)
            .with(", detail = ?", detail_of(&end.status));
    } else if let Some(reason) = report.lost {
        sql = sql
            .with(", reason = ?", reason)
            .with(", ended_at = COALESCE(ended_at, ?)", now);
    }
    // An agent speaks for its own processes only.
    sql.with(" WHERE id = ?", report.process)
        .with(" AND agent_id = ?", agent)
        .execute(&**tx)
        .await?;
    Ok(())
}

/// Forgets all but the newest lives of a slot, with their output.
async fn forget_oldest(tx: &Tx, agent: AgentId, job: JobId, index: u32) -> Result<(), StoreError> {
    let old: Vec<ProcessId> = Sql::new(
        "SELECT id FROM processes WHERE job_id = ? AND agent_id = ? AND slot_index = ? AND ended_at IS NOT NULL \
         ORDER BY first_seen_at DESC, id DESC LIMIT ? OFFSET ?",
    )
    .bind(job)
    .bind(agent)
    .bind(index)
    .bind(FORGET_MAX)
    .bind(LIVES_MAX)
    .all(&**tx, Row::next)
    .await?;
    if old.is_empty() {
        return Ok(());
    }
    let lives: Vec<LifeId> = old.iter().copied().map(LifeId::from).collect();
    delete_outputs(tx, &lives).await?;
    Sql::new("DELETE FROM processes WHERE ")
        .one_of("id", old)
        .execute(&**tx)
        .await?;
    Ok(())
}
