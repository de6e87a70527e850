//! Runs: their row, and reading one.

use std::time::Duration;

use cronfleet_core::access::Reach;
use cronfleet_core::id::{AgentId, GroupId, JobId, RunId};
use cronfleet_core::order::{Cleanup, OutputTotals, Usage};
use cronfleet_core::run::{Cause, Reason, RunState};
use jiff::Timestamp;
use sea_orm::ConnectionTrait;

use crate::error::StoreError;
use crate::run_state::{id_ceiling, id_floor, read_state};
use crate::sql::{Row, Sql};
use crate::store::Store;

/// A run that moved: enough to tell whoever watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunMoved {
    /// Run.
    pub run: RunId,
    /// Job.
    pub job: JobId,
    /// Owning group.
    pub group: GroupId,
    /// Agent.
    pub agent: AgentId,
    /// Where it is now.
    pub state: RunState,
    /// Why, where there is a reason.
    pub reason: Option<Reason>,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Id.
    pub id: RunId,
    /// Job.
    pub job: JobId,
    /// Its name now.
    pub job_name: String,
    /// Version of the job that it follows.
    pub job_version: u32,
    /// Owning group.
    pub group: GroupId,
    /// Agent.
    pub agent: AgentId,
    /// Its name now.
    pub agent_name: String,
    /// Copy index, from 0.
    pub copy: u32,
    /// Copies per agent and due instant.
    pub copies: u32,
    /// Attempt, from 1.
    pub attempt: u32,
    /// What asked for it.
    pub cause: Cause,
    /// Whether its start deadline had passed when it was planned.
    pub is_caught_up: bool,
    /// The term in which it was planned; `None` where a person or the end of another run asked for it, and in rows of older
    /// centers.
    pub epoch: Option<u64>,
    /// Idempotency key of whoever asked; empty for the schedule.
    pub trigger: String,
    /// Login of who asked.
    pub requested_by: Option<String>,
    /// Where it is on its way.
    pub state: RunState,
    /// Why.
    pub reason: Option<Reason>,
    /// More about the reason for people.
    pub detail: Option<String>,
    /// Whether it was lost before and late evidence told more.
    pub is_refined: bool,
    /// Due instant.
    pub due: Timestamp,
    /// Start not before this.
    pub not_before: Timestamp,
    /// Start not after this.
    pub not_after: Timestamp,
    /// When it was recorded.
    pub planned_at: Timestamp,
    /// When it was handed to its agent's session.
    pub dispatched_at: Option<Timestamp>,
    /// When the center heard that the agent has it.
    pub accepted_at: Option<Timestamp>,
    /// When the command started.
    pub started_at: Option<Timestamp>,
    /// When it ended, or when it was decided that it will not run.
    pub ended_at: Option<Timestamp>,
    /// How long it ran, on the agent's monotonic clock.
    pub duration: Option<Duration>,
    /// Process id on the agent.
    pub pid: Option<i32>,
    /// Exit status, if it exited.
    pub exit_code: Option<i32>,
    /// Number of the signal that ended it.
    pub signal: Option<i32>,
    /// Resources it used.
    pub usage: Option<Usage>,
    /// Its output.
    pub output: Option<OutputTotals>,
    /// Bytes of its output that were left out here to keep to the job's cap.
    pub trimmed_bytes: u64,
    /// What it took to end everything that belonged to it.
    pub cleanup: Cleanup,
    /// Since when its agent is out of reach.
    pub unreachable_since: Option<Timestamp>,
    /// When somebody asked for its end.
    pub kill_requested_at: Option<Timestamp>,
    /// Login of who asked for its end.
    pub killed_by: Option<String>,
}

/// A run and the others of its due instant: attempts, and offers to other agents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDetail {
    /// The run.
    pub run: RunRow,
    /// Ids of the other attempts, oldest first; where one of several agents is enough, also of those offered to others.
    pub attempts: Vec<RunId>,
}

impl Store {
    /// A run, if it is within reach.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn run(&self, reach: &Reach, id: RunId) -> Result<Option<RunDetail>, StoreError> {
        let Some(run) = rows_of(self.reader(), reach, &[id]).await?.pop() else {
            return Ok(None);
        };
        // Where one of several agents is enough, all that were asked belong together.
        let attempts = Sql::new(
            "SELECT o.id FROM runs r JOIN runs o ON o.job_id = r.job_id AND o.id >= ? AND o.id < ? AND o.due = r.due \
             AND (o.agent_id = r.agent_id OR r.offer IS NOT NULL) AND o.copy = r.copy AND o.trigger_key = r.trigger_key \
             AND o.job_version = r.job_version AND o.id <> r.id WHERE r.id = ? ORDER BY o.attempt, o.planned_at, o.id",
        )
        .bind(id_floor(run.due))
        .bind(id_ceiling(run.due))
        .bind(run.id)
        .all(self.reader(), Row::next)
        .await?;
        Ok(Some(RunDetail { run, attempts }))
    }
}

const SELECT_RUNS: &str = "SELECT r.id, r.job_id, j.name, r.job_version, r.group_id, r.agent_id, a.name, r.copy, r.copies, \
    r.attempt, r.cause, r.is_caught_up, r.epoch, r.trigger_key, ru.login, r.state, r.outcome, r.offer, r.reason, r.detail, r.is_refined, r.due, \
    r.not_before, r.not_after, r.planned_at, r.dispatched_at, r.accepted_at, r.started_at, r.ended_at, r.duration_us, \
    r.pid, r.exit_code, r.signal_number, r.user_time_us, r.system_time_us, r.memory_peak_bytes, r.oom_kills, \
    r.output_written_bytes, r.output_dropped_bytes, r.output_end_offset, o.trimmed_bytes, r.cleanup, r.unreachable_since, \
    r.kill_requested_at, ku.login FROM runs r LEFT JOIN jobs j ON j.id = r.job_id LEFT JOIN agents a ON a.id = r.agent_id \
    LEFT JOIN users ru ON ru.id = r.requested_by LEFT JOIN users ku ON ku.id = r.kill_requested_by \
    LEFT JOIN outputs o ON o.life_id = r.id AND o.agent_id = r.agent_id WHERE ";

/// Runs by id that are within reach, newest first.
pub(crate) async fn rows_of(
    on: &impl ConnectionTrait,
    reach: &Reach,
    ids: &[RunId],
) -> Result<Vec<RunRow>, StoreError> {
    Sql::new(SELECT_RUNS)
        .one_of("r.id", ids.iter().copied())
        .and_reach("r.group_id", reach)
        .text(" ORDER BY r.id DESC")
        .all(on, read_run)
        .await
}

fn read_run(row: &mut Row) -> Result<RunRow, StoreError> {
    Ok(RunRow {
        id: row.next()?,
        job: row.next()?,
        job_name: row.maybe()?.unwrap_or_default(),
        job_version: row.next()?,
        group: row.next()?,
        agent: row.next()?,
        agent_name: row.maybe()?.unwrap_or_default(),
        copy: row.next()?,
        copies: row.next()?,
        attempt: row.next()?,
        cause: row.next()?,
        is_caught_up: row.maybe()?.unwrap_or_default(),
        epoch: row.maybe()?,
        trigger: row.next()?,
        requested_by: row.maybe()?,
        state: read_state(row)?,
        reason: row.maybe()?,
        detail: row.maybe()?,
        is_refined: row.next()?,
        due: row.next()?,
        not_before: row.next()?,
        not_after: row.next()?,
        planned_at: row.next()?,
        dispatched_at: row.maybe()?,
        accepted_at: row.maybe()?,
        started_at: row.maybe()?,
        ended_at: row.maybe()?,
        duration: row.maybe()?,
        pid: row.maybe()?,
        exit_code: row.maybe()?,
        signal: row.maybe()?,
        usage: read_usage(row)?,
        output: read_output(row)?,
        trimmed_bytes: row.maybe()?.unwrap_or_default(),
        cleanup: row.maybe()?.unwrap_or_default(),
        unreachable_since: row.maybe()?,
        kill_requested_at: row.maybe()?,
        killed_by: row.maybe()?,
    })
}

/// Reads `user_time_us, system_time_us, memory_peak_bytes, oom_kills`.
pub(crate) fn read_usage(row: &mut Row) -> Result<Option<Usage>, StoreError> {
    let (user_time, system_time, memory) = (row.maybe()?, row.maybe()?, row.maybe()?);
    let oom_kills = row.maybe()?;
    Ok(user_time.map(|user_time| Usage {
        user_time,
        system_time: system_time.unwrap_or_default(),
        memory_peak_bytes: memory.unwrap_or_default(),
        oom_kills: oom_kills.unwrap_or_default(),
    }))
}

/// Reads `output_written_bytes, output_dropped_bytes, output_end_offset`.
pub(crate) fn read_output(row: &mut Row) -> Result<Option<OutputTotals>, StoreError> {
    let (written, dropped, end) = (row.maybe()?, row.maybe()?, row.maybe()?);
    Ok(written.map(|written_bytes| OutputTotals {
        written_bytes,
        dropped_bytes: dropped.unwrap_or_default(),
        end_offset: end.unwrap_or_default(),
    }))
}
