//! Claims: what agents say became of their runs.

use std::collections::HashMap;

use cronfleet_core::id::{AgentId, RunId};
use cronfleet_core::order::{Claim, Cleanup, End, ExitStatus, Start};
use cronfleet_core::run::{Outcome, Reason, RunEvent, RunState, Step, step};
use jiff::Timestamp;

use crate::again::transaction;
use crate::agent_session::Session;
use crate::error::StoreError;
use crate::older_run::settle_waiting;
use crate::retry::{FailedRun, insert_retries};
use crate::run::RunMoved;
use crate::run_state::{BATCH, HEAD_COLUMNS, RunHead, read_head};
use crate::sql::Sql;
use crate::store::{Store, Tx};

/// A claim of an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentClaim {
    /// Run.
    pub run: RunId,
    /// What it says.
    pub claim: Claim,
    /// A uniform number in `[0, 1)` for the jitter of a retry.
    pub draw: f64,
}

/// What claims did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClaimsApplied {
    /// Runs that moved, the agent's and (superseded) others.
    pub moved: Vec<RunMoved>,
    /// Runs whose claim changed nothing: duplicates and overtaken messages.
    pub stale: Vec<RunId>,
    /// Runs that are not known here.
    pub unknown: Vec<RunId>,
    /// Runs of other agents: ignored, and worth a warning.
    pub foreign: Vec<RunId>,
    /// Agents that have new runs to be sent (retries, or runs that waited for an older version's), each once.
    pub agents: Vec<AgentId>,
}

impl Store {
    /// Applies claims in their order, in one transaction: moves runs, plans retries, settles runs that waited for these.
    /// Safe to repeat.
    ///
    /// # Errors
    /// [`Conflict::StaleSession`](crate::Conflict::StaleSession) if the agent has a newer session: it will say it again there.
    pub async fn apply_claims(
        &self,
        session: &Session,
        claims: &[AgentClaim],
        now: Timestamp,
    ) -> Result<ClaimsApplied, StoreError> {
        transaction!({
            let mut applied = ClaimsApplied::default();
            if claims.is_empty() {
                return Ok(applied);
            }
            let tx = self.begin().await?;
            session.guard(&tx).await?;
            let mut runs = load(&tx, claims).await?;
            for claim in claims {
                let Some(run) = runs.get_mut(&claim.run) else {
                    applied.unknown.push(claim.run);
                    continue;
                };
                if run.head.key.agent != session.agent {
                    applied.foreign.push(claim.run);
                } else if !run.apply(claim) {
                    applied.stale.push(claim.run);
                }
            }
            let moved: Vec<ClaimedRun> = runs
                .into_values()
                .filter(|run| run.patch.is_some())
                .collect();
            write(&tx, &moved, now).await?;
            let ends: Vec<FailedRun<'_>> = moved.iter().filter_map(|run| run.failed(now)).collect();
            let mut agents = insert_retries(&tx, &ends, now).await?;
            applied.moved = moved
                .iter()
                .map(|run| run.head.moved(run.head.state, run.reason))
                .collect();
            applied.moved.sort_unstable_by_key(|moved| moved.run);
            let settled = settle_waiting(&tx, &applied.moved, now).await?;
            applied.moved.extend(settled.moved);
            agents.extend(settled.agents);
            applied.agents = agents.into_iter().collect();
            tx.commit().await?;
            Ok(applied)
        })
    }
}

/// Longest detail that is stored, in characters.
const DETAIL_MAX: usize = 1_000;

/// A run while claims are applied to it.
struct ClaimedRun {
    head: RunHead,
    reason: Option<Reason>,
    /// What to write beside the state; `None` while nothing has changed.
    patch: Option<Patch>,
    /// Jitter that came with the last claim.
    draw: f64,
}

/// What claims tell beside the state.
#[derive(Default)]
struct Patch {
    is_accepted: bool,
    start: Option<Start>,
    end: Option<End>,
    detail: Option<String>,
}

impl ClaimedRun {
    /// Applies one claim; answers whether it changed anything.
    fn apply(&mut self, claim: &AgentClaim) -> bool {
        let event = RunEvent::Claim(&claim.claim);
        let Step::Moved { next, reason } = step(self.head.state, self.head.is_refined, &event)
        else {
            return false;
        };
        self.head.is_refined |= self.head.state == RunState::Ended(Outcome::Lost);
        self.head.state = next;
        self.reason = reason;
        self.draw = claim.draw;
        let patch = self.patch.get_or_insert_default();
        match &claim.claim {
            Claim::Accepted => patch.is_accepted = true,
            Claim::Refused { detail, .. } => patch.detail = detail.as_deref().map(cut),
            Claim::Running(start) => patch.start = Some(*start),
            Claim::Ended { start, end } => {
                patch.start = start.or(patch.start);
                patch.detail = detail_of(&end.status);
                patch.end = Some(end.clone());
            }
            Claim::Lost { start, .. } => patch.start = start.or(patch.start),
        }
        true
    }

    /// The run as a candidate for another attempt. A run that was lost is never tried again, whatever late evidence says, nor
    /// is one whose end somebody asked for.
    fn failed(&self, now: Timestamp) -> Option<FailedRun<'_>> {
        let has_failed = matches!(
            self.head.state,
            RunState::Ended(Outcome::Failed | Outcome::TimedOut)
        );
        if !has_failed || self.head.is_refined || self.head.is_kill_requested {
            return None;
        }
        let end = self.patch.as_ref().and_then(|patch| patch.end.as_ref());
        Some(FailedRun {
            head: &self.head,
            ended_at: end.map_or(now, |end| end.at),
            draw: self.draw,
        })
    }
}

/// What a failed start says for people, as it is stored.
pub(crate) fn detail_of(status: &ExitStatus) -> Option<String> {
    match status {
        ExitStatus::NotStarted { detail, .. } => Some(cut(detail)),
        ExitStatus::Exited(_) | ExitStatus::Signalled { .. } => None,
    }
}

fn cut(text: &str) -> String {
    text.chars().take(DETAIL_MAX).collect()
}

async fn load(tx: &Tx, claims: &[AgentClaim]) -> Result<HashMap<RunId, ClaimedRun>, StoreError> {
    let mut runs = HashMap::new();
    for batch in claims.chunks(BATCH) {
        let found = Sql::new(format!("SELECT {HEAD_COLUMNS} FROM runs WHERE "))
            .one_of("id", batch.iter().map(|claim| claim.run))
            .text(tx.engine.for_update())
            .all(&**tx, read_head)
            .await?;
        let claimed = |head: RunHead| {
            (
                head.id,
                ClaimedRun {
                    head,
                    reason: None,
                    patch: None,
                    draw: 0.5,
                },
            )
        };
        runs.extend(found.into_iter().map(claimed));
    }
    Ok(runs)
}

/// Writes what changed: the many that were only accepted together, the others one by one.
async fn write(tx: &Tx, runs: &[ClaimedRun], now: Timestamp) -> Result<(), StoreError> {
    let (accepted, others): (Vec<&ClaimedRun>, Vec<&ClaimedRun>) = runs
        .iter()
        .partition(|run| run.head.state == RunState::Accepted);
    for batch in accepted.chunks(BATCH) {
        Sql::new(
            "UPDATE runs SET state = 'accepted', accepted_at = ?, unreachable_since = NULL WHERE ",
        )
        .bind(now)
        .one_of("id", batch.iter().map(|run| run.head.id))
        .execute(&**tx)
        .await?;
    }
    for run in others {
        if let Some(patch) = &run.patch {
            write_one(tx, run, patch, now).await?;
        }
    }
    Ok(())
}

async fn write_one(
    tx: &Tx,
    run: &ClaimedRun,
    patch: &Patch,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut sql = Sql::new("UPDATE runs SET unreachable_since = NULL")
        .with(", state = ?", run.head.state.word())
        .with(", reason = ?", run.reason)
        .with(", detail = ?", patch.detail.as_deref())
        .with(", is_refined = ?", run.head.is_refined);
    if patch.is_accepted {
        sql = sql.with(", accepted_at = ?", now);
    }
    if let Some(start) = patch.start {
        sql = sql
            .with(", started_at = ?", start.at)
            .with(", pid = ?", start.pid);
    }
    if let RunState::Ended(outcome) = run.head.state {
        let ended_at = patch.end.as_ref().map_or(now, |end| end.at);
        sql = sql
            .with(", outcome = ?", outcome)
            .with(", ended_at = ?", ended_at);
        sql = sql.text(", active_agent = NULL, after_run = NULL");
    }
    if let Some(end) = &patch.end {
        sql = with_end(sql, end);
    }
    sql.with(" WHERE id = ?", run.head.id)
        .execute(&**tx)
        .await?;
    Ok(())
}

/// Goes on with the columns that say how a process ended, the same in `runs` and `processes`.
pub(crate) fn with_end(sql: Sql, end: &End) -> Sql {
    let (exit_code, signal, has_core) = match &end.status {
        ExitStatus::Exited(code) => (Some(*code), None, None),
        ExitStatus::Signalled { signal, has_core } => (None, Some(*signal), Some(*has_core)),
        ExitStatus::NotStarted { .. } => (None, None, None),
    };
    sql.with(", exit_code = ?", exit_code)
        .with(", signal_number = ?", signal)
        .with(", has_core = ?", has_core)
        .with(", duration_us = ?", end.duration)
        .with(", user_time_us = ?", end.usage.user_time)
        .with(", system_time_us = ?", end.usage.system_time)
        .with(", memory_peak_bytes = ?", end.usage.memory_peak_bytes)
        .with(", output_written_bytes = ?", end.output.written_bytes)
        .with(", output_dropped_bytes = ?", end.output.dropped_bytes)
        .with(", output_end_offset = ?", end.output.end_offset)
        .with(", oom_kills = ?", end.usage.oom_kills)
        .with(
            ", cleanup = ?",
            (end.cleanup != Cleanup::default()).then_some(end.cleanup),
        )
}
