//! Daemon slots as their agents last reported them.

use std::collections::{BTreeMap, HashMap, HashSet};

use cronfleet_core::access::Reach;
use cronfleet_core::id::{AgentId, GroupId, JobId};
use cronfleet_core::order::{
    ExitStatus, Next, ProbeKind, ProbeReport, SlotReport, SlotState, Start,
};
use jiff::Timestamp;
use sea_orm::ConnectionTrait;

use crate::again::transaction;
use crate::agent_session::Session;
use crate::claim::detail_of;
use crate::error::StoreError;
use crate::process::{groups_of_jobs, note_process};
use crate::spec::from_json;
use crate::sql::{Row, Sql};
use crate::store::{Store, Tx};
use crate::target::agents_of_jobs;

/// A slot that is wanted or reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotRow {
    /// Job.
    pub job: JobId,
    /// Its name.
    pub job_name: String,
    /// Owning group.
    pub group: GroupId,
    /// Agent.
    pub agent: AgentId,
    /// Its name.
    pub agent_name: String,
    /// Whether it is connected.
    pub is_agent_online: bool,
    /// Index, from 0.
    pub index: u32,
    /// What the agent last reported; `None` if it is wanted and nothing was reported yet.
    pub report: Option<SlotReport>,
}

/// A slot whose report changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotChanged {
    /// Job.
    pub job: JobId,
    /// Owning group.
    pub group: GroupId,
    /// Agent.
    pub agent: AgentId,
    /// Index.
    pub index: u32,
    /// State now; `None` if the slot is gone.
    pub state: Option<SlotState>,
}

/// Which slots to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SlotFilter {
    /// Only of this job.
    pub job: Option<JobId>,
    /// Only on this agent.
    pub agent: Option<AgentId>,
    /// Only of jobs of this group.
    pub group: Option<GroupId>,
}

impl Store {
    /// Stores what an agent reports of its slots and makes their processes known. With `is_complete` the list is all there
    /// is: slots of the agent that it does not name are gone. Reports of unknown jobs are ignored. Answers what changed.
    ///
    /// # Errors
    /// [`Conflict::StaleSession`](crate::Conflict::StaleSession).
    pub async fn put_slot_reports(
        &self,
        session: &Session,
        reports: &[SlotReport],
        is_complete: bool,
        now: Timestamp,
    ) -> Result<Vec<SlotChanged>, StoreError> {
        transaction!({
            let tx = self.begin().await?;
            session.guard(&tx).await?;
            let before = reported(&tx, session.agent).await?;
            let groups = groups_of_jobs(&tx, reports.iter().map(|report| report.job)).await?;
            let mut changed = Vec::new();
            for report in reports {
                let Some(&group) = groups.get(&report.job) else {
                    continue;
                };
                let known = before
                    .get(&(report.job, report.index))
                    .map(|(report, _)| report);
                if known == Some(report) {
                    continue;
                }
                put_report(&tx, session.agent, report, now).await?;
                note_process(&tx, session.agent, report, now).await?;
                changed.push(SlotChanged {
                    job: report.job,
                    group,
                    agent: session.agent,
                    index: report.index,
                    state: Some(report.state),
                });
            }
            if is_complete {
                let named: HashSet<(JobId, u32)> = reports
                    .iter()
                    .map(|report| (report.job, report.index))
                    .collect();
                for (&(job, index), &(_, group)) in
                    before.iter().filter(|(slot, _)| !named.contains(slot))
                {
                    Sql::new(
                        "DELETE FROM slots WHERE job_id = ? AND agent_id = ? AND slot_index = ?",
                    )
                    .bind(job)
                    .bind(session.agent)
                    .bind(index)
                    .execute(&*tx)
                    .await?;
                    changed.push(SlotChanged {
                        job,
                        group,
                        agent: session.agent,
                        index,
                        state: None,
                    });
                }
            }
            tx.commit().await?;
            Ok(changed)
        })
    }

    /// Slots within reach, wanted or reported, by job name, agent name and index; the first `limit`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn slots(
        &self,
        reach: &Reach,
        filter: SlotFilter,
        limit: u32,
    ) -> Result<Vec<SlotRow>, StoreError> {
        let wanted = wanted_slots(self.reader(), reach, filter).await?;
        let reported = reported_slots(self.reader(), reach, filter).await?;
        // A report takes the place of what is only wanted.
        let mut slots: BTreeMap<_, SlotRow> = BTreeMap::new();
        for slot in wanted.into_iter().chain(reported) {
            slots.insert(slot.place(), slot);
        }
        Ok(slots.into_values().take(limit as usize).collect())
    }
}

impl SlotRow {
    /// Its place in the list.
    fn place(&self) -> (String, JobId, String, AgentId, u32) {
        (
            self.job_name.clone(),
            self.job,
            self.agent_name.clone(),
            self.agent,
            self.index,
        )
    }
}

/// The columns that [`read_report`] reads, of table alias `s`.
const REPORT_COLUMNS: &str = "s.job_id, s.slot_index, s.state, s.since, s.job_version, s.process_id, s.started_at, s.pid, \
    s.last_exit_code, s.last_signal_number, s.last_has_core, s.last_reason, s.last_detail, s.restarts, s.retry_at, \
    s.probe_kind, s.probe_is_ok, s.probe_failures, s.probe_detail, s.next_step, s.next_at";

fn read_report(row: &mut Row) -> Result<SlotReport, StoreError> {
    Ok(SlotReport {
        job: row.next()?,
        index: row.next()?,
        state: row.next()?,
        since: row.next()?,
        job_version: row.next()?,
        process: row.maybe()?,
        start: read_start(row)?,
        last_end: read_last_end(row)?,
        restarts: row.next()?,
        retry_at: row.maybe()?,
        probe: read_probe(row)?,
        next: read_next(row)?,
    })
}

/// Reads `probe_kind, probe_is_ok, probe_failures, probe_detail`.
fn read_probe(row: &mut Row) -> Result<Option<ProbeReport>, StoreError> {
    let (kind, is_ok): (Option<ProbeKind>, Option<bool>) = (row.maybe()?, row.maybe()?);
    let (failures, detail): (Option<u32>, Option<String>) = (row.maybe()?, row.maybe()?);
    Ok(kind.map(|kind| ProbeReport {
        kind,
        is_ok: is_ok.unwrap_or_default(),
        failures: failures.unwrap_or_default(),
        detail: detail.unwrap_or_default(),
    }))
}

/// Reads `next_step, next_at`.
fn read_next(row: &mut Row) -> Result<Option<Next>, StoreError> {
    let (step, at) = (row.maybe()?, row.maybe()?);
    Ok(step.map(|step| Next { step, at }))
}

/// Reads `started_at, pid`.
fn read_start(row: &mut Row) -> Result<Option<Start>, StoreError> {
    let (at, pid): (Option<Timestamp>, Option<i32>) = (row.maybe()?, row.maybe()?);
    Ok(at.map(|at| Start {
        at,
        pid: pid.unwrap_or_default(),
    }))
}

fn read_last_end(row: &mut Row) -> Result<Option<ExitStatus>, StoreError> {
    let (code, signal, has_core) = (row.maybe()?, row.maybe()?, row.maybe()?);
    let (reason, detail) = (row.maybe()?, row.maybe()?);
    Ok(match (code, signal, reason) {
        (Some(code), _, _) => Some(ExitStatus::Exited(code)),
        (None, Some(signal), _) => Some(ExitStatus::Signalled {
            signal,
            has_core: has_core.unwrap_or_default(),
        }),
        (None, None, Some(reason)) => Some(ExitStatus::NotStarted {
            reason,
            detail: detail.unwrap_or_default(),
        }),
        (None, None, None) => None,
    })
}

/// What is stored of an agent's slots, with the group of each.
async fn reported(
    tx: &Tx,
    agent: AgentId,
) -> Result<HashMap<(JobId, u32), (SlotReport, GroupId)>, StoreError> {
    let found = Sql::new(format!(
        "SELECT {REPORT_COLUMNS}, j.group_id FROM slots s JOIN jobs j ON j.id = s.job_id WHERE s.agent_id = ?"
    ))
    .bind(agent)
    .all(&**tx, |row| Ok((read_report(row)?, row.next::<GroupId>()?)))
    .await?;
    Ok(found
        .into_iter()
        .map(|(report, group)| ((report.job, report.index), (report, group)))
        .collect())
}

async fn put_report(
    tx: &Tx,
    agent: AgentId,
    report: &SlotReport,
    now: Timestamp,
) -> Result<(), StoreError> {
    let end = report.last_end.as_ref();
    let probe = report.probe.as_ref();
    let (code, signal, has_core, reason) = match end {
        Some(ExitStatus::Exited(code)) => (Some(*code), None, None, None),
        Some(ExitStatus::Signalled { signal, has_core }) => {
            (None, Some(*signal), Some(*has_core), None)
        }
        Some(ExitStatus::NotStarted { reason, .. }) => (None, None, None, Some(*reason)),
        None => (None, None, None, None),
    };
    Sql::new(
        "INSERT INTO slots (job_id, agent_id, slot_index, state, since, job_version, process_id, started_at, pid, \
         last_exit_code, last_signal_number, last_has_core, last_reason, last_detail, restarts, retry_at, probe_kind, \
         probe_is_ok, probe_failures, probe_detail, next_step, next_at, reported_at) VALUES ",
    )
    .tuples(1, 23)
    .bind(report.job)
    .bind(agent)
    .bind(report.index)
    .bind(report.state)
    .bind(report.since)
    .bind(report.job_version)
    .bind(report.process)
    .bind(report.start.map(|start| start.at))
    .bind(report.start.map(|start| start.pid))
    .bind(code)
    .bind(signal)
    .bind(has_core)
    .bind(reason)
    .bind(end.and_then(detail_of))
    .bind(report.restarts)
    .bind(report.retry_at)
    .bind(probe.map(|probe| probe.kind))
    .bind(probe.map(|probe| probe.is_ok))
    .bind(probe.map(|probe| probe.failures))
    .bind(probe.map(|probe| probe.detail.as_str()))
    .bind(report.next.map(|next| next.step))
    .bind(report.next.and_then(|next| next.at))
    .bind(now)
    .text(&tx.engine.or_update(
        "job_id, agent_id, slot_index",
        &[
            "state", "since", "job_version", "process_id", "started_at", "pid", "last_exit_code",
            "last_signal_number", "last_has_core", "last_reason", "last_detail", "restarts", "retry_at",
            "probe_kind", "probe_is_ok", "probe_failures", "probe_detail", "next_step", "next_at", "reported_at",
        ],
    ))
    .execute(&**tx)
    .await?;
    Ok(())
}

fn with_filter(sql: Sql, reach: &Reach, filter: SlotFilter) -> Sql {
    sql.and_reach("j.group_id", reach)
        .with_some(" AND j.id = ?", filter.job)
        .with_some(" AND j.group_id = ?", filter.group)
}

/// Every place of every daemon job that is neither paused nor deleted, without reports.
async fn wanted_slots(
    on: &impl ConnectionTrait,
    reach: &Reach,
    filter: SlotFilter,
) -> Result<Vec<SlotRow>, StoreError> {
    let sql = Sql::new(
        "SELECT j.id, j.group_id, v.spec FROM jobs j \
         JOIN job_versions v ON v.job_id = j.id AND v.version = j.version \
         WHERE j.kind = 'daemon' AND j.is_deleted = 0 AND j.is_paused = 0",
    );
    let jobs: Vec<(JobId, GroupId, String)> = with_filter(sql, reach, filter)
        .all(on, |row| Ok((row.next()?, row.next()?, row.next()?)))
        .await?;
    let jobs = jobs
        .into_iter()
        .map(|(job, group, spec)| Ok((job, group, from_json(&spec)?)))
        .collect::<Result<Vec<_>, StoreError>>()?;
    let agents = agents_of_jobs(
        on,
        jobs.iter()
            .map(|(job, group, spec)| (*job, *group, &spec.target)),
    )
    .await?;
    let names: HashMap<AgentId, (String, bool)> =
        Sql::new("SELECT id, name, center FROM agents WHERE state = 'active'")
            .with_some(" AND id = ?", filter.agent)
            .all(on, |row| {
                let (id, name) = (row.next()?, row.next()?);
                Ok((id, (name, row.maybe::<String>()?.is_some())))
            })
            .await?
            .into_iter()
            .collect();
    let mut slots = Vec::new();
    for (job, group, spec) in &jobs {
        for agent in agents.get(job).into_iter().flatten() {
            let Some((agent_name, is_agent_online)) = names.get(agent) else {
                continue;
            };
            slots.extend((0..spec.processes).map(|index| SlotRow {
                job: *job,
                job_name: spec.name.clone(),
                group: *group,
                agent: *agent,
                agent_name: agent_name.clone(),
                is_agent_online: *is_agent_online,
                index,
                report: None,
            }));
        }
    }
    Ok(slots)
}

async fn reported_slots(
    on: &impl ConnectionTrait,
    reach: &Reach,
    filter: SlotFilter,
) -> Result<Vec<SlotRow>, StoreError> {
    let sql = Sql::new(format!(
        "SELECT {REPORT_COLUMNS}, j.name, j.group_id, s.agent_id, a.name, a.center FROM slots s JOIN jobs j ON j.id = s.job_id \
         JOIN agents a ON a.id = s.agent_id WHERE 1 = 1"
    ))
    .with_some(" AND s.agent_id = ?", filter.agent);
    with_filter(sql, reach, filter)
        .all(on, |row| {
            let report = read_report(row)?;
            Ok(SlotRow {
                job: report.job,
                job_name: row.next()?,
                group: row.next()?,
                agent: row.next()?,
                agent_name: row.next()?,
                is_agent_online: row.maybe::<String>()?.is_some(),
                index: report.index,
                report: Some(report),
            })
        })
        .await
}
