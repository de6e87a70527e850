//! Offers: runs of which one agent among several is to be found. The center that plans decides about them, in its term.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use cronfleet_core::id::{AgentId, JobId, RunId};
use cronfleet_core::job::{JobKind, JobSpec, ScheduledSpec};
use cronfleet_core::offer::{self, Decision, Decisions, OFFER_AHEAD, Occupant, Offer};
use cronfleet_core::order::End;
use cronfleet_core::plan::{PlannedRun, earlier, later};
use cronfleet_core::run::{Outcome, Reason, RunEvent, RunKey, RunState};
use cronfleet_core::spread;
use jiff::Timestamp;
use sea_orm::ConnectionTrait;

use crate::again::transaction;
use crate::dispatch::specs_of;
use crate::error::StoreError;
use crate::lease::Lease;
use crate::pick::pickers;
use crate::retry::{FailedRun, insert_retries};
use crate::run::RunMoved;
use crate::run_state::{
    BATCH, Fate, HEAD_COLUMNS, NewRun, OfferMark, RunHead, end_runs, id_ceiling, id_floor,
    insert_runs, read_head,
};
use crate::sql::{Row, Sql};
use crate::store::{Store, Tx};

/// What was decided about offers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OffersDecided {
    /// Runs that moved.
    pub moved: Vec<RunMoved>,
    /// Runs that may be started now: the word is to be told.
    pub words: Vec<(AgentId, RunId)>,
    /// Runs that are to be stopped, because others take their place.
    pub replaced: Vec<(AgentId, RunId)>,
    /// Agents with runs to be sent now.
    pub agents: Vec<AgentId>,
    /// When the next decision may be due, if nothing happens before; `None` if nothing is offered.
    pub next: Option<Timestamp>,
}

/// A run that waits for the word, or has it.
struct Offered {
    head: RunHead,
    /// Asked back from its agent, and why.
    revoke: Option<Reason>,
    /// Whether its agent has said that it has it.
    is_accepted: bool,
    /// Whether its agent has a session.
    is_reachable: bool,
    /// When it was sent; while it was not, when that was to have been at the latest.
    since: Timestamp,
    is_caught_up: bool,
}

/// What [`read_offered`] reads.
const OFFER_COLUMNS: &str = "revoke_reason, accepted_at, dispatched_at, planned_at, is_caught_up, \
    (SELECT a.center FROM agents a WHERE a.id = runs.agent_id) AS agent_center";

fn read_offered(row: &mut Row) -> Result<Offered, StoreError> {
    let head = read_head(row)?;
    let revoke = row.maybe()?;
    let is_accepted = row.maybe::<Timestamp>()?.is_some();
    let dispatched_at: Option<Timestamp> = row.maybe()?;
    let planned_at: Timestamp = row.next()?;
    Ok(Offered {
        revoke,
        is_accepted,
        since: dispatched_at.unwrap_or_else(|| planned_at.max(head.not_before)),
        is_caught_up: row.maybe()?.unwrap_or_default(),
        is_reachable: row.maybe::<String>()?.is_some(),
        head,
    })
}

impl Offered {
    fn offer(&self, scheduled: &ScheduledSpec) -> Offer {
        let key = &self.head.key;
        let wait = spread::wait(scheduled.jitter, key.job, key.agent, key.copy, true);
        Offer {
            run: self.head.id,
            due: key.due,
            attempt: key.attempt,
            not_before: self.head.not_before,
            not_after: self.head.not_after,
            overlap: scheduled.overlap,
            is_planned_late: key.attempt == 1 && self.head.not_before > later(key.due, wait),
            is_accepted: self.is_accepted,
            withdrawn: self.revoke.filter(|reason| !offer::is_passed_on(*reason)),
            // An agent that was removed is as good as one that refuses.
            refused: self.head.refused.or(self.revoke),
            is_reachable: self.is_reachable,
            since: self.since,
        }
    }

    fn occupant(&self) -> Occupant {
        let is_stopped = self.head.is_kill_requested || self.revoke == Some(Reason::Replaced);
        Occupant {
            run: self.head.id,
            due: self.head.key.due,
            is_asked: is_stopped,
            is_reachable: self.is_reachable && !self.head.state.is_ended(),
        }
    }

    /// Whether it has to do with offers of up to this version: one of each agent's only if it is of an older version or runs.
    fn is_in_the_way(&self, newest: u32) -> bool {
        let is_older = self.head.key.job_version < newest;
        self.head.offer.is_some() || is_older || self.head.state == RunState::Running
    }

    /// When something may have to be decided about it, if nothing happens before; the beginning of time if at once.
    fn next_look(&self) -> Timestamp {
        let is_open = self.revoke.is_none() && self.head.refused.is_none();
        if !self.is_reachable || !is_open {
            Timestamp::MIN
        } else if self.is_accepted {
            self.head.not_before
        } else if self.head.state == RunState::Planned {
            earlier(self.head.not_before, OFFER_AHEAD)
        } else {
            later(self.since, offer::ANSWER_MAX).min(self.head.not_after)
        }
    }
}

/// The key of a run on whichever agent.
fn on_any(key: &RunKey) -> RunKey {
    RunKey {
        agent: AgentId::from_u128(0),
        ..key.clone()
    }
}

impl Store {
    /// Decides about every run that is offered, in the term of `lease`: who may start, who is asked instead, what does not run.
    ///
    /// `draw` is a uniform number in `[0, 1)` for the jitter of retries.
    ///
    /// # Errors
    /// [`Conflict::StaleLease`](crate::Conflict::StaleLease), [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn decide_offers(
        &self,
        lease: &Lease,
        now: Timestamp,
        draw: f64,
    ) -> Result<OffersDecided, StoreError> {
        let open = open_offers(self.reader(), "").await?;
        let next = open.iter().map(Offered::next_look).min();
        let due = || open.iter().filter(|offered| offered.next_look() <= now);
        let planned = due().filter(|offered| offered.head.state == RunState::Planned);
        let agents: BTreeSet<AgentId> = planned.map(|offered| offered.head.key.agent).collect();
        let jobs: BTreeSet<JobId> = due().map(|offered| offered.head.key.job).collect();
        if jobs.is_empty() {
            return Ok(OffersDecided {
                next,
                ..OffersDecided::default()
            });
        }
        transaction!({
            let tx = self.begin().await?;
            lease.fence(&tx).await?;
            let mut decided = decide_jobs(&tx, &jobs, now, draw).await?;
            decided.agents.extend(&agents);
            decided.next = next;
            tx.commit().await?;
            Ok(decided)
        })
    }
}

/// Runs that wait for the word.
async fn open_offers(on: &impl ConnectionTrait, lock: &str) -> Result<Vec<Offered>, StoreError> {
    Sql::new(format!(
        "SELECT {HEAD_COLUMNS}, {OFFER_COLUMNS} FROM runs WHERE offer = 'open' AND after_run IS NULL"
    ))
    .text(lock)
    .all(on, read_offered)
    .await
}

async fn decide_jobs(
    tx: &Tx,
    jobs: &BTreeSet<JobId>,
    now: Timestamp,
    draw: f64,
) -> Result<OffersDecided, StoreError> {
    let mut rows = open_offers(&**tx, tx.engine.for_update()).await?;
    rows.retain(|offered| jobs.contains(&offered.head.key.job));
    let versions = rows
        .iter()
        .map(|row| (row.head.key.job, row.head.key.job_version));
    let specs = specs_of(&**tx, versions).await?;
    let occupants = occupants(tx, jobs, &rows, now).await?;
    let mut lanes: BTreeMap<(JobId, u32), Vec<&Offered>> = BTreeMap::new();
    for row in &rows {
        let key = &row.head.key;
        lanes.entry((key.job, key.copy)).or_default().push(row);
    }
    let mut round = Round::default();
    for ((job, copy), offered) in lanes {
        let here = |row: &&Offered| row.head.key.job == job && row.head.key.copy == copy;
        let versions = offered.iter().map(|row| row.head.key.job_version);
        let newest = versions.max().unwrap_or_default();
        let others: Vec<&Offered> = occupants
            .iter()
            .filter(here)
            .filter(|row| row.is_in_the_way(newest))
            .collect();
        let asked: Vec<Occupant> = others.iter().map(|row| row.occupant()).collect();
        let offers = offered
            .iter()
            .filter_map(|row| Some(row.offer(scheduled(&specs, &row.head)?)))
            .collect();
        let Decisions { offers, replaced } = offer::decide(offers, &asked, now);
        for (run, decision) in offers {
            let row = offered.iter().find(|row| row.head.id == run);
            round.decisions.extend(row.map(|row| (*row, decision)));
        }
        let replaced = others.iter().filter(|row| replaced.contains(&row.head.id));
        round.replaced.extend(replaced.map(|row| &row.head));
    }
    round.apply(tx, &specs, now, draw).await
}

fn scheduled<'a>(
    specs: &'a HashMap<(JobId, u32), JobSpec>,
    head: &RunHead,
) -> Option<&'a ScheduledSpec> {
    match &specs.get(&(head.key.job, head.key.job_version))?.kind {
        JobKind::Scheduled(scheduled) => Some(scheduled),
        JobKind::Daemon(_) => None,
    }
}

/// Runs of these jobs that have the word and may be alive; where a version before asked for every agent, also what those have.
async fn occupants(
    tx: &Tx,
    jobs: &BTreeSet<JobId>,
    offers: &[Offered],
    now: Timestamp,
) -> Result<Vec<Offered>, StoreError> {
    let mut occupants = Sql::new(format!(
        "SELECT {HEAD_COLUMNS}, {OFFER_COLUMNS} FROM runs WHERE offer = 'taken'"
    ))
    .and_in("job_id", jobs.iter().copied())
    .text(tx.engine.for_update())
    .all(&**tx, read_offered)
    .await?;
    let edited: BTreeSet<JobId> = offers
        .iter()
        .filter(|offered| offered.head.key.job_version > 1)
        .map(|offered| offered.head.key.job)
        .collect();
    if !edited.is_empty() {
        let index = tx.engine.index("runs_active");
        let before = Sql::new(format!(
            "SELECT {HEAD_COLUMNS}, {OFFER_COLUMNS} FROM runs{index} WHERE active_agent IS NOT NULL AND offer IS NULL \
             AND state <> 'planned'"
        ))
        .with(" AND not_before <= ?", now)
        .and_in("job_id", edited)
        .text(tx.engine.for_update())
        .all(&**tx, read_offered)
        .await?;
        occupants.extend(before);
    }
    Ok(occupants)
}

/// What is to be done in one transaction.
#[derive(Default)]
struct Round<'a> {
    decisions: Vec<(&'a Offered, Decision)>,
    replaced: Vec<&'a RunHead>,
}

impl Round<'_> {
    async fn apply(
        self,
        tx: &Tx,
        specs: &HashMap<(JobId, u32), JobSpec>,
        now: Timestamp,
        draw: f64,
    ) -> Result<OffersDecided, StoreError> {
        let mut decided = OffersDecided::default();
        let mut ends: BTreeMap<&'static str, (Reason, Vec<RunHead>)> = BTreeMap::new();
        let mut end = |head: &RunHead, reason: Reason| {
            let (_, heads) = ends.entry(reason.word()).or_insert((reason, Vec::new()));
            heads.push(head.clone());
        };
        let mut words = Vec::new();
        let mut passed_on: Vec<(&Offered, Option<Reason>)> = Vec::new();
        for (offered, decision) in self.decisions {
            match decision {
                Decision::Go => words.push(&offered.head),
                Decision::End(reason) => end(&offered.head, reason),
                Decision::Move(refused) => passed_on.push((offered, refused)),
            }
        }
        let heads = passed_on.iter().map(|(offered, _)| &offered.head);
        let mut pickers = pickers(tx, specs, heads).await?;
        let mut asked = agents_asked(tx, passed_on.iter().map(|(offered, _)| *offered)).await?;
        let mut fresh: Vec<(PlannedRun, &RunHead)> = Vec::new();
        for (offered, refused) in passed_on {
            let head = &offered.head;
            let asked = asked.entry(on_any(&head.key).id()).or_default();
            let version = (head.key.job, head.key.job_version);
            let next = pickers
                .get_mut(&version)
                .and_then(|picker| picker.instead(asked));
            if let Some(agent) = next {
                asked.push(agent);
                fresh.push((offered.planned().offered_to(agent), head));
                end(head, Reason::OfferedElsewhere);
            } else if let Some(reason) = refused {
                end(head, reason);
            }
        }
        for (reason, heads) in ends.into_values() {
            let event = RunEvent::Withdraw(reason);
            decided
                .moved
                .extend(end_runs(tx, &heads, &event, now).await?);
            decided
                .agents
                .extend(retry(tx, &heads, reason, now, draw).await?);
        }
        give_words(tx, &words).await?;
        let of_words = words.iter().map(|head| (head.key.agent, head.id));
        decided.words = of_words.collect();
        let taken = words
            .iter()
            .map(|head| head.moved(RunState::Accepted, None));
        decided.moved.extend(taken);
        insert_fresh(tx, &fresh, now).await?;
        let agents: BTreeSet<AgentId> = fresh.iter().map(|(run, _)| run.key.agent).collect();
        decided.agents.extend(agents);
        ask_back(tx, &self.replaced, Reason::Replaced).await?;
        let replaced = self.replaced.iter().map(|head| (head.key.agent, head.id));
        decided.replaced = replaced.collect();
        Ok(decided)
    }
}

impl Offered {
    fn planned(&self) -> PlannedRun {
        let head = &self.head;
        PlannedRun {
            id: head.id,
            key: head.key.clone(),
            copies: head.copies,
            cause: head.cause,
            is_caught_up: self.is_caught_up,
            is_offer: true,
            not_before: head.not_before,
            not_after: head.not_after,
        }
    }
}

/// Plans the next attempt of runs that no agent could start.
async fn retry(
    tx: &Tx,
    heads: &[RunHead],
    reason: Reason,
    now: Timestamp,
    draw: f64,
) -> Result<BTreeSet<AgentId>, StoreError> {
    if reason.outcome() != Outcome::Failed {
        return Ok(BTreeSet::new());
    }
    let end = End::not_started(now, reason, String::new());
    let wanted = heads.iter().filter(|head| !head.is_kill_requested);
    let failed: Vec<FailedRun<'_>> = wanted
        .map(|head| FailedRun {
            head,
            outcome: Outcome::Failed,
            end: Some(&end),
            draw,
        })
        .collect();
    insert_retries(tx, &failed, now).await
}

async fn give_words(tx: &Tx, heads: &[&RunHead]) -> Result<(), StoreError> {
    for batch in heads.chunks(BATCH) {
        Sql::new(format!(
            "UPDATE runs SET state = 'accepted', offer = '{}' WHERE ",
            OfferMark::Taken.word()
        ))
        .one_of("id", batch.iter().map(|head| head.id))
        .execute(&**tx)
        .await?;
    }
    Ok(())
}

/// Has runs stopped, or taken back before they start.
async fn ask_back(tx: &Tx, heads: &[&RunHead], reason: Reason) -> Result<(), StoreError> {
    for batch in heads.chunks(BATCH) {
        Sql::new("UPDATE runs SET revoke_reason = ? WHERE ")
            .bind(reason)
            .one_of("id", batch.iter().map(|head| head.id))
            .execute(&**tx)
            .await?;
    }
    Ok(())
}

async fn insert_fresh(
    tx: &Tx,
    fresh: &[(PlannedRun, &RunHead)],
    now: Timestamp,
) -> Result<(), StoreError> {
    let new: Vec<NewRun<'_>> = fresh
        .iter()
        .map(|(planned, head)| NewRun {
            planned,
            group: head.group,
            requested_by: head.requested_by,
            epoch: None,
            fate: Fate::Planned,
        })
        .collect();
    insert_runs(tx, &new, now).await?;
    Ok(())
}

/// The agents that were asked for the same as these offers, by the key on whichever agent.
async fn agents_asked<'a>(
    tx: &Tx,
    offers: impl Iterator<Item = &'a Offered>,
) -> Result<HashMap<RunId, Vec<AgentId>>, StoreError> {
    let mut asked: HashMap<RunId, Vec<AgentId>> = HashMap::new();
    for offered in offers {
        let key = on_any(&offered.head.key);
        if let Entry::Vacant(unknown) = asked.entry(key.id()) {
            let alike = alike(tx, &key).await?;
            unknown.insert(alike.iter().map(|head| head.key.agent).collect());
        }
    }
    Ok(asked)
}

/// Runs that differ in their agent only.
async fn alike(tx: &Tx, key: &RunKey) -> Result<Vec<RunHead>, StoreError> {
    Sql::new(format!(
        "SELECT {HEAD_COLUMNS} FROM runs WHERE job_id = ? AND id >= ? AND id < ? AND due = ? AND copy = ? AND attempt = ? \
         AND job_version = ? AND trigger_key = ? AND offer IS NOT NULL"
    ))
    .bind(key.job)
    .bind(id_floor(key.due))
    .bind(id_ceiling(key.due))
    .bind(key.due)
    .bind(key.copy)
    .bind(key.attempt)
    .bind(key.job_version)
    .bind(key.trigger.as_str())
    .text(tx.engine.for_update())
    .all(&**tx, read_head)
    .await
}

/// Runs of those that were asked in vain before these, which are not wanted any more.
pub(crate) async fn asked_before<'a>(
    tx: &Tx,
    heads: impl Iterator<Item = &'a RunHead>,
) -> Result<Vec<RunId>, StoreError> {
    let mut before = Vec::new();
    for head in heads.filter(|head| head.offer.is_some()) {
        let closed = alike(tx, &head.key).await?.into_iter();
        before.extend(closed.filter(is_passed_on).map(|other| other.id));
    }
    Ok(before)
}

/// Runs of a plan of one job that are not to be recorded: after a pause some of what it asks for may be on record, with agents that were
/// picked before.
pub(crate) async fn unasked(tx: &Tx, planned: &[PlannedRun]) -> Result<Vec<RunId>, StoreError> {
    let mut wanted: BTreeMap<RunId, Vec<&PlannedRun>> = BTreeMap::new();
    for run in planned.iter().filter(|run| run.is_offer) {
        wanted.entry(on_any(&run.key).id()).or_default().push(run);
    }
    let Some(first) = wanted.values().flatten().min_by_key(|run| run.key.due) else {
        return Ok(Vec::new());
    };
    let known = Sql::new(format!(
        "SELECT {HEAD_COLUMNS} FROM runs WHERE job_id = ? AND id >= ? AND job_version = ? AND offer IS NOT NULL"
    ))
    .bind(first.key.job)
    .bind(id_floor(first.key.due))
    .bind(first.key.job_version)
    .text(tx.engine.for_update())
    .all(&**tx, read_head)
    .await?;
    let mut left_out = Vec::new();
    for (target, runs) in wanted {
        let known = || known.iter().filter(|head| on_any(&head.key).id() == target);
        let open = known().filter(|head| !is_passed_on(head));
        let missing = runs.len().saturating_sub(open.count());
        let (asked, free): (Vec<&PlannedRun>, Vec<&PlannedRun>) = runs
            .iter()
            .partition(|run| known().any(|head| head.id == run.id));
        left_out.extend(asked.iter().map(|run| run.id));
        left_out.extend(free.iter().skip(missing).map(|run| run.id));
    }
    Ok(left_out)
}

/// Whether another agent was asked instead.
fn is_passed_on(head: &RunHead) -> bool {
    head.reason == Some(Reason::OfferedElsewhere)
}

/// Asks back from an agent that is shut out what it has not got the word for: others may do it. Answers what is left.
pub(crate) async fn leave_to_others(
    tx: &Tx,
    heads: Vec<RunHead>,
) -> Result<Vec<RunHead>, StoreError> {
    let (open, others): (Vec<RunHead>, Vec<RunHead>) = heads
        .into_iter()
        .partition(|head| head.offer == Some(OfferMark::Open));
    let open: Vec<&RunHead> = open.iter().collect();
    ask_back(tx, &open, Reason::AgentRemoved).await?;
    Ok(others)
}
