//! Claims: what agents say became of their runs.

use std::collections::{BTreeSet, HashMap, HashSet};

use cronfleet_core::id::{AgentId, RunId};
use cronfleet_core::offer;
use cronfleet_core::order::{Claim, Cleanup, End, ExitStatus, Start};
use cronfleet_core::run::{Outcome, Reason, RunEvent, RunState, Step, step};
use jiff::Timestamp;

use crate::again::transaction;
use crate::agent_session::{Session, guard_all};
use crate::bulk::update_each;
use crate::error::{Conflict, StoreError};
use crate::older_run::settle_waiting;
use crate::retry::{FailedRun, insert_retries};
use crate::run::RunMoved;
use crate::run_state::{BATCH, HEAD_COLUMNS, OfferMark, RunHead, read_head};
use crate::sql::{Given, Sql};
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

/// What one agent claims in its session.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// The session.
    pub session: &'a Session,
    /// What it says, in this order.
    pub claims: &'a [AgentClaim],
}

/// What claims did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClaimsApplied {
    /// Runs that moved, the agents' and (superseded) others.
    pub moved: Vec<RunMoved>,
    /// Runs whose claim changed nothing: duplicates and overtaken messages.
    pub stale: Vec<RunId>,
    /// Runs that are not known here, and who claimed them.
    pub unknown: Vec<(AgentId, RunId)>,
    /// Runs of other agents, and who claimed them: ignored, and worth a warning.
    pub foreign: Vec<(AgentId, RunId)>,
    /// Whether something was said of offers that may ask for a decision, or a run ended that is in the way of offers.
    pub has_offers: bool,
    /// Agents that have new runs to be sent (retries, or runs that waited for an older version's), each once.
    pub agents: Vec<AgentId>,
    /// Sessions that are not their agents' newest any more or whose agents may not work, by their places in what was said:
    /// nothing of theirs was applied. An agent will say it again in its newer session.
    pub refused: Vec<(usize, Conflict)>,
}

impl Store {
    /// Applies claims in their order, those of many sessions in one transaction: moves runs, plans retries, settles runs that
    /// waited for these. Safe to repeat.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn apply_claims(
        &self,
        said: &[Said<'_>],
        now: Timestamp,
    ) -> Result<ClaimsApplied, StoreError> {
        transaction!({
            let mut applied = ClaimsApplied::default();
            let tx = self.begin().await?;
            let sessions = said.iter().map(|said| said.session);
            applied.refused = guard_all(&tx, sessions).await?;
            let refused: HashSet<usize> = applied.refused.iter().map(|(place, _)| *place).collect();
            let admitted: Vec<&Said<'_>> = said
                .iter()
                .enumerate()
                .filter(|(place, _)| !refused.contains(place))
                .map(|(_, said)| said)
                .collect();
            let claims = || admitted.iter().flat_map(|said| said.claims);
            let mut runs = load(&tx, claims().map(|claim| claim.run)).await?;
            for said in &admitted {
                let agent = said.session.agent;
                for claim in said.claims {
                    let Some(run) = runs.get_mut(&claim.run) else {
                        applied.unknown.push((agent, claim.run));
                        continue;
                    };
                    if run.head.key.agent != agent {
                        applied.foreign.push((agent, claim.run));
                    } else if !run.apply(claim, now) {
                        applied.stale.push(claim.run);
                    }
                }
            }
            let mut moved: Vec<ClaimedRun> = runs
                .into_values()
                .filter(|run| run.patch.is_some())
                .collect();
            moved.sort_unstable_by_key(|run| run.head.id);
            write(&tx, &moved, now).await?;
            let ends: Vec<FailedRun<'_>> = moved.iter().filter_map(ClaimedRun::failed).collect();
            let mut agents = insert_retries(&tx, &ends, now).await?;
            applied.has_offers = moved.iter().any(|run| run.head.offer.is_some());
            applied.moved = moved
                .iter()
                .map(|run| run.head.moved(run.head.state, run.reason))
                .collect();
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
    /// Why the agent will not start what was offered to it.
    refused: Option<Reason>,
    start: Option<Start>,
    end: Option<End>,
    detail: Option<String>,
}

impl ClaimedRun {
    /// Applies one claim; answers whether it changed anything.
    fn apply(&mut self, claim: &AgentClaim, now: Timestamp) -> bool {
        let event = RunEvent::Claim(&claim.claim);
        let Step::Moved { next, reason } = step(self.head.state, self.head.is_refined, &event)
        else {
            return false;
        };
        if self.head.state == RunState::Offered {
            if self.head.refused.is_some() {
                return false;
            }
            let has_time = now <= self.head.not_after;
            let refused = reason.filter(|reason| next.is_ended() && offer::is_passed_on(*reason));
            if let Some(refused) = refused.filter(|_| has_time) {
                self.head.refused = Some(refused);
                self.patch.get_or_insert_default().refused = Some(refused);
                return true;
            }
        }
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
    fn failed(&self) -> Option<FailedRun<'_>> {
        let RunState::Ended(outcome @ (Outcome::Failed | Outcome::TimedOut)) = self.head.state
        else {
            return None;
        };
        if self.head.is_refined || self.head.is_kill_requested {
            return None;
        }
        Some(FailedRun {
            head: &self.head,
            outcome,
            end: self.patch.as_ref().and_then(|patch| patch.end.as_ref()),
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

async fn load(
    tx: &Tx,
    claimed: impl Iterator<Item = RunId>,
) -> Result<HashMap<RunId, ClaimedRun>, StoreError> {
    let wanted: BTreeSet<RunId> = claimed.collect();
    let wanted: Vec<RunId> = wanted.into_iter().collect();
    let mut runs = HashMap::with_capacity(wanted.len());
    for batch in wanted.chunks(BATCH) {
        let found = Sql::new(format!("SELECT {HEAD_COLUMNS} FROM runs WHERE "))
            .one_of("id", batch.iter().copied())
            .text(" ORDER BY id")
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

/// Writes what changed: of runs that only go on no more than that.
async fn write(tx: &Tx, runs: &[ClaimedRun], now: Timestamp) -> Result<(), StoreError> {
    let in_state = |state| move |run: &&ClaimedRun| run.head.state == state;
    let accepted: Vec<RunId> = runs
        .iter()
        .filter(in_state(RunState::Accepted))
        .map(|run| run.head.id)
        .collect();
    for batch in accepted.chunks(BATCH) {
        Sql::new(
            "UPDATE runs SET state = 'accepted', accepted_at = ?, unreachable_since = NULL WHERE ",
        )
        .bind(now)
        .one_of("id", batch.iter().copied())
        .execute(&**tx)
        .await?;
    }
    let offered: Vec<Given> = runs
        .iter()
        .filter(in_state(RunState::Offered))
        .map(|run| run.given_offer(now))
        .collect();
    for rows in offered.chunks(BATCH) {
        update_each(tx.engine, "runs", &OFFER_COLUMNS, &OFFER_SETS, rows)
            .execute(&**tx)
            .await?;
    }
    let running: Vec<Given> = runs
        .iter()
        .filter(in_state(RunState::Running))
        .map(|run| run.given_start(now))
        .collect();
    for rows in running.chunks(BATCH) {
        update_each(tx.engine, "runs", &START_COLUMNS, &START_SETS, rows)
            .execute(&**tx)
            .await?;
    }
    let columns = [&COLUMNS[..], &END_COLUMNS[..]].concat();
    let ended: Vec<Given> = runs
        .iter()
        .filter(|run| matches!(run.head.state, RunState::Ended(_)))
        .map(|run| run.given(now))
        .collect();
    for rows in ended.chunks(BATCH) {
        update_each(tx.engine, "runs", &columns, &SETS, rows)
            .execute(&**tx)
            .await?;
    }
    Ok(())
}

/// What is given for each run that is offered.
const OFFER_COLUMNS: [&str; 3] = ["id", "accepted_at", "refused_reason"];

/// What of it is not simply stored.
const OFFER_SETS: [(&str, &str); 2] = [
    ("unreachable_since", "NULL"),
    (
        "accepted_at",
        "COALESCE(runs.accepted_at, given.accepted_at)",
    ),
];

/// What is given for each run that runs.
const START_COLUMNS: [&str; 4] = ["id", "accepted_at", "started_at", "pid"];

/// What of it is not simply stored.
const START_SETS: [(&str, &str); 3] = [
    ("state", "'running'"),
    ("unreachable_since", "NULL"),
    (
        "accepted_at",
        "COALESCE(given.accepted_at, runs.accepted_at)",
    ),
];

/// What is given for each run that ended, before the [`END_COLUMNS`].
const COLUMNS: [&str; 10] = [
    "id",
    "offer",
    "reason",
    "detail",
    "is_refined",
    "accepted_at",
    "started_at",
    "pid",
    "outcome",
    "ended_at",
];

/// What of it is not simply stored: what is known stays known.
const SETS: [(&str, &str); 7] = [
    ("state", "'ended'"),
    ("unreachable_since", "NULL"),
    (
        "accepted_at",
        "COALESCE(given.accepted_at, runs.accepted_at)",
    ),
    ("started_at", "COALESCE(given.started_at, runs.started_at)"),
    ("pid", "COALESCE(given.pid, runs.pid)"),
    ("active_agent", "NULL"),
    ("after_run", "NULL"),
];

impl ClaimedRun {
    /// When it was accepted, if a claim said so, and its start.
    fn begin(&self, now: Timestamp) -> (Option<Timestamp>, Option<Start>) {
        let patch = self.patch.as_ref();
        let is_accepted = patch.is_some_and(|patch| patch.is_accepted);
        (
            is_accepted.then_some(now),
            patch.and_then(|patch| patch.start),
        )
    }

    /// The values of [`OFFER_COLUMNS`].
    fn given_offer(&self, now: Timestamp) -> Given {
        let (accepted_at, _) = self.begin(now);
        Given::default()
            .with(self.head.id)
            .with(accepted_at)
            .with(self.head.refused)
    }

    /// The values of [`START_COLUMNS`].
    fn given_start(&self, now: Timestamp) -> Given {
        let (accepted_at, start) = self.begin(now);
        Given::default()
            .with(self.head.id)
            .with(accepted_at)
            .with(start.map(|start| start.at))
            .with(start.map(|start| start.pid))
    }

    /// The values of [`COLUMNS`] and [`END_COLUMNS`].
    fn given(&self, now: Timestamp) -> Given {
        let (accepted_at, start) = self.begin(now);
        let patch = self.patch.as_ref();
        let end = patch.and_then(|patch| patch.end.as_ref());
        let outcome = match self.head.state {
            RunState::Ended(outcome) => Some(outcome),
            RunState::Planned
            | RunState::Offered
            | RunState::Dispatched
            | RunState::Accepted
            | RunState::Running => None,
        };
        let offer = self.head.offer.map(|_| OfferMark::of_end(self.reason));
        let row = Given::default()
            .with(self.head.id)
            .with(offer.map(OfferMark::word))
            .with(self.reason)
            .with(patch.and_then(|patch| patch.detail.as_deref()))
            .with(self.head.is_refined)
            .with(accepted_at)
            .with(start.map(|start| start.at))
            .with(start.map(|start| start.pid))
            .with(outcome)
            .with(end.map_or(now, |end| end.at));
        given_end(row, end)
    }
}

/// The columns that say how a process ended, the same in `runs` and `processes`.
const END_COLUMNS: [&str; 12] = [
    "exit_code",
    "signal_number",
    "has_core",
    "duration_us",
    "user_time_us",
    "system_time_us",
    "memory_peak_bytes",
    "output_written_bytes",
    "output_dropped_bytes",
    "output_end_offset",
    "oom_kills",
    "cleanup",
];

/// Goes on with the values of [`END_COLUMNS`].
fn given_end(row: Given, end: Option<&End>) -> Given {
    let (exit_code, signal, has_core) = match end.map(|end| &end.status) {
        Some(ExitStatus::Exited(code)) => (Some(*code), None, None),
        Some(ExitStatus::Signalled { signal, has_core }) => (None, Some(*signal), Some(*has_core)),
        Some(ExitStatus::NotStarted { .. }) | None => (None, None, None),
    };
    let usage = end.map(|end| &end.usage);
    let output = end.map(|end| &end.output);
    row.with(exit_code)
        .with(signal)
        .with(has_core)
        .with(end.map(|end| end.duration))
        .with(usage.map(|usage| usage.user_time))
        .with(usage.map(|usage| usage.system_time))
        .with(usage.map(|usage| usage.memory_peak_bytes))
        .with(output.map(|output| output.written_bytes))
        .with(output.map(|output| output.dropped_bytes))
        .with(output.map(|output| output.end_offset))
        .with(usage.map(|usage| usage.oom_kills))
        .with(
            end.map(|end| end.cleanup)
                .filter(|cleanup| *cleanup != Cleanup::default()),
        )
}

/// Goes on with how a process ended: `, exit_code = ?` and the like.
pub(crate) fn with_end(sql: Sql, end: &End) -> Sql {
    let sets = END_COLUMNS.map(|column| format!(", {column} = ?"));
    sql.text(&sets.concat())
        .given(&given_end(Given::default(), Some(end)))
}
