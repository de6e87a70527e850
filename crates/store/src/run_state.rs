//! The part of a run's row that decides about it, inserting runs, and ending them without an agent's word.

use cronfleet_core::id::{AgentId, GroupId, JobId, RunId, UserId};
use cronfleet_core::offer;
use cronfleet_core::plan::PlannedRun;
use cronfleet_core::run::{Cause, Outcome, Reason, RunEvent, RunKey, RunState, Step, step};
use jiff::{SignedDuration, Timestamp};

use crate::error::StoreError;
use crate::run::RunMoved;
use crate::sql::{Row, Sql};
use crate::store::Tx;

/// Rows of one `INSERT`, and ids of one `IN` list.
pub(crate) const BATCH: usize = 200;

/// Jobs whose active runs are found by one walk through all active runs.
const JOBS_OF_ONE_WALK: usize = 5_000;

/// What decides about a run.
#[derive(Debug, Clone)]
pub(crate) struct RunHead {
    pub(crate) id: RunId,
    pub(crate) key: RunKey,
    pub(crate) group: GroupId,
    pub(crate) copies: u32,
    pub(crate) cause: Cause,
    pub(crate) requested_by: Option<UserId>,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) state: RunState,
    /// Set if one agent among several is asked, or was.
    pub(crate) offer: Option<OfferMark>,
    /// Why that one will not start it.
    pub(crate) refused: Option<Reason>,
    /// Why it is over.
    pub(crate) reason: Option<Reason>,
    pub(crate) is_refined: bool,
    pub(crate) is_kill_requested: bool,
}

/// The columns that [`read_head`] reads, of table `runs`.
pub(crate) const HEAD_COLUMNS: &str = "id, job_id, job_version, due, agent_id, copy, attempt, trigger_key, group_id, \
    copies, cause, requested_by, not_before, not_after, state, outcome, offer, refused_reason, reason, is_refined, kill_requested_at";

/// How far an offer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfferMark {
    /// Its agent has no word to start it.
    Open,
    /// Its agent has the word, and it may be alive.
    Taken,
    /// It is over.
    Closed,
}

impl OfferMark {
    /// The word in SQL.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Taken => "taken",
            Self::Closed => "closed",
        }
    }

    fn read(word: &str) -> Result<Self, StoreError> {
        [Self::Open, Self::Taken, Self::Closed]
            .into_iter()
            .find(|mark| mark.word() == word)
            .ok_or_else(|| StoreError::corrupt("offer", word))
    }

    /// The mark of a run that ended so: one that may be alive is in the way of others until somebody knows, or releases it.
    pub(crate) fn of_end(reason: Option<Reason>) -> Self {
        if reason.is_some_and(offer::may_be_alive) {
            Self::Taken
        } else {
            Self::Closed
        }
    }
}

/// Reads [`HEAD_COLUMNS`].
pub(crate) fn read_head(row: &mut Row) -> Result<RunHead, StoreError> {
    let id = row.next()?;
    let key = RunKey {
        job: row.next()?,
        job_version: row.next()?,
        due: row.next()?,
        agent: row.next()?,
        copy: row.next()?,
        attempt: row.next()?,
        trigger: row.next()?,
    };
    let (group, copies, cause) = (row.next()?, row.next()?, row.next()?);
    let requested_by = row.maybe()?;
    let (not_before, not_after) = (row.next()?, row.next()?);
    let (state, offer) = read_offered(row)?;
    Ok(RunHead {
        id,
        key,
        group,
        copies,
        cause,
        requested_by,
        not_before,
        not_after,
        state,
        offer,
        refused: row.maybe()?,
        reason: row.maybe()?,
        is_refined: row.next()?,
        is_kill_requested: row.maybe::<Timestamp>()?.is_some(),
    })
}

/// Reads the columns `state, outcome, offer`.
pub(crate) fn read_state(row: &mut Row) -> Result<RunState, StoreError> {
    Ok(read_offered(row)?.0)
}

/// The same with how far the offer is. What is sent and has no word is offered.
pub(crate) fn read_offered(row: &mut Row) -> Result<(RunState, Option<OfferMark>), StoreError> {
    let word: String = row.next()?;
    let outcome: Option<Outcome> = row.maybe()?;
    let offer: Option<String> = row.maybe()?;
    let offer = offer.as_deref().map(OfferMark::read).transpose()?;
    Ok((state_of(&word, outcome, offer)?, offer))
}

fn state_of(
    word: &str,
    outcome: Option<Outcome>,
    offer: Option<OfferMark>,
) -> Result<RunState, StoreError> {
    match (word, outcome) {
        ("planned", None) => Ok(RunState::Planned),
        ("dispatched", None) if offer == Some(OfferMark::Open) => Ok(RunState::Offered),
        ("dispatched", None) => Ok(RunState::Dispatched),
        ("accepted", None) => Ok(RunState::Accepted),
        ("running", None) => Ok(RunState::Running),
        ("ended", Some(outcome)) => Ok(RunState::Ended(outcome)),
        _ => Err(StoreError::corrupt("run state", word)),
    }
}

impl RunHead {
    /// The run after it moved.
    pub(crate) fn moved(&self, state: RunState, reason: Option<Reason>) -> RunMoved {
        RunMoved {
            run: self.id,
            job: self.key.job,
            group: self.group,
            agent: self.key.agent,
            state,
            reason,
        }
    }
}

/// Smallest id that a run due at or after `due` can have, give or take the millisecond.
pub(crate) fn id_floor(due: Timestamp) -> RunId {
    let millis = u128::try_from(due.as_millisecond().max(0)).unwrap_or(0);
    RunId::from_u128(millis << 80)
}

/// Smallest id that no run due at or before `due` can have.
pub(crate) fn id_ceiling(due: Timestamp) -> RunId {
    id_floor(
        due.checked_add(SignedDuration::from_millis(1))
            .unwrap_or(Timestamp::MAX),
    )
}

/// A run to insert.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewRun<'a> {
    pub(crate) planned: &'a PlannedRun,
    pub(crate) group: GroupId,
    pub(crate) requested_by: Option<UserId>,
    /// The term in which it was planned; `None` where a person or the end of another run asked for it.
    pub(crate) epoch: Option<u64>,
    pub(crate) fate: Fate,
}

/// How a run begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// To be sent when its time comes.
    Planned,
    /// To be sent once it is known that this run of an older version was not started.
    After(RunId),
    /// Not to be sent: an older version's run of the due instant was started.
    Superseded,
    /// Not to be sent, for this reason.
    Skipped(Reason),
}

/// Inserts runs; leaves those that exist as they are. Answers how many are new.
pub(crate) async fn insert_runs(
    tx: &Tx,
    runs: &[NewRun<'_>],
    now: Timestamp,
) -> Result<u64, StoreError> {
    let mut inserted = 0;
    for batch in runs.chunks(BATCH) {
        let mut sql = Sql::new(
            "INSERT INTO runs (id, job_id, job_version, group_id, agent_id, copy, copies, attempt, cause, trigger_key, \
             requested_by, state, outcome, reason, is_refined, due, not_before, not_after, planned_at, ended_at, \
             active_agent, after_run, is_caught_up, epoch, offer) VALUES ",
        )
        .tuples(batch.len(), 25);
        for run in batch {
            let planned = run.planned;
            let key = &planned.key;
            let (after_run, reason) = match run.fate {
                Fate::Planned => (None, None),
                Fate::After(older) => (Some(older), None),
                Fate::Superseded => (None, Some(Reason::Superseded)),
                Fate::Skipped(reason) => (None, Some(reason)),
            };
            let outcome = reason.map(Reason::outcome);
            let state = outcome.map_or(RunState::Planned, RunState::Ended);
            let is_ended = reason.is_some();
            let offer = if is_ended {
                OfferMark::Closed
            } else {
                OfferMark::Open
            };
            sql = sql
                .bind(planned.id)
                .bind(key.job)
                .bind(key.job_version)
                .bind(run.group)
                .bind(key.agent)
                .bind(key.copy)
                .bind(planned.copies)
                .bind(key.attempt)
                .bind(planned.cause)
                .bind(key.trigger.as_str())
                .bind(run.requested_by)
                .bind(state.word())
                .bind(outcome)
                .bind(reason)
                .bind(false)
                .bind(key.due)
                .bind(planned.not_before)
                .bind(planned.not_after)
                .bind(now)
                .bind(is_ended.then_some(now))
                .bind((!is_ended).then_some(key.agent))
                .bind(after_run)
                .bind(planned.is_caught_up)
                .bind(run.epoch)
                .bind(planned.is_offer.then_some(offer.word()));
        }
        let ignored = if tx.engine.counts_ignored() {
            count_known(tx, batch).await?
        } else {
            0
        };
        let counted = sql.text(&tx.engine.or_ignore("id")).execute(&**tx).await?;
        inserted += counted.saturating_sub(ignored);
    }
    Ok(inserted)
}

/// How many of these runs are stored already.
async fn count_known(tx: &Tx, runs: &[NewRun<'_>]) -> Result<u64, StoreError> {
    Ok(Sql::new("SELECT COUNT(*) FROM runs WHERE ")
        .one_of("id", runs.iter().map(|run| run.planned.id))
        .one(&**tx, Row::next)
        .await?
        .unwrap_or_default())
}

/// Lets one event end runs, as far as it applies to their states. `event` must not be one whose outcome depends on more
/// than its reason. Answers those that ended.
pub(crate) async fn end_runs(
    tx: &Tx,
    heads: &[RunHead],
    event: &RunEvent<'_>,
    now: Timestamp,
) -> Result<Vec<RunMoved>, StoreError> {
    let mut ended = Vec::new();
    for head in heads {
        if let Step::Moved {
            next: next @ RunState::Ended(_),
            reason,
        } = step(head.state, head.is_refined, event)
        {
            ended.push(head.moved(next, reason));
        }
    }
    for batch in ended.chunks(BATCH) {
        let Some(RunMoved {
            state: RunState::Ended(outcome),
            reason,
            ..
        }) = batch.first()
        else {
            continue;
        };
        Sql::new("UPDATE runs SET state = 'ended', outcome = ?, reason = ?, ended_at = ?, active_agent = NULL")
            .bind(*outcome)
            .bind(*reason)
            .bind(now)
            .text(", after_run = NULL, unreachable_since = NULL, offer = CASE WHEN offer IS NULL THEN NULL ELSE ")
            .text(&format!("'{}' END WHERE ", OfferMark::of_end(*reason).word()))
            .one_of("id", batch.iter().map(|moved| moved.run))
            .execute(&**tx)
            .await?;
    }
    Ok(ended)
}

/// Runs of an agent that have not ended.
pub(crate) async fn active_of_agent(tx: &Tx, agent: AgentId) -> Result<Vec<RunHead>, StoreError> {
    Sql::new(format!(
        "SELECT {HEAD_COLUMNS} FROM runs WHERE active_agent = ?"
    ))
    .bind(agent)
    .text(tx.engine.for_update())
    .all(&**tx, read_head)
    .await
}

/// Runs of jobs that have not ended.
pub(crate) async fn active_of_jobs(tx: &Tx, jobs: &[JobId]) -> Result<Vec<RunHead>, StoreError> {
    // Few runs are active; a job may have very many that have ended. Each statement walks through all that are.
    let index = tx.engine.index("runs_active");
    let mut heads = Vec::new();
    for batch in jobs.chunks(JOBS_OF_ONE_WALK) {
        let sql = format!("SELECT {HEAD_COLUMNS} FROM runs{index} WHERE active_agent IS NOT NULL");
        let found = Sql::new(sql)
            .and_in("job_id", batch.iter().copied())
            .text(tx.engine.for_update())
            .all(&**tx, read_head)
            .await?;
        heads.extend(found);
    }
    Ok(heads)
}
