//! Whether the promises were kept: what the jobs wrote down, joined with what the center recorded. Pure, so that histories with
//! planted violations can show that it sees each (`planted`).
//!
//! | rule | what holds |
//! |---|---|
//! | I1 | every due instant of every job has one run for each agent, or is inside a lapse; there are no other runs |
//! | I2 | no run starts twice, and none is tried again that did not fail |
//! | I3 | nothing starts that is not on record |
//! | I4 | nothing starts before it is due, or after its start deadline |
//! | I5 | every run is over |
//! | I6 | what is recorded as skipped or missed did not start |
//! | I7 | what did not run, or is lost, has a reason that the fault can be a reason for; or another run was in its way, as that itself wrote down |
//! | I8 | succeeded and failed are what the command itself was about to say |
//! | I9 | what ran has started |
//! | I10 | epochs of planning never decrease, and each belongs to one center |
//! | I12 | runs of a job that forbids overlap do not overlap on an agent |
//! | I13 | nor do they start out of order |
//! | I14 | a slot never has two live processes, and keeps its process unless the fault kills that |
//! | I15 | the agent's ledger says the same of a run as the record, and knows everything that started |
//! | OUT | the output of what succeeded is complete |

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use cronfleet_api::run::{Lapse, Outcome, Run};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::stamps::{End, Start};

/// How much earlier than due a start may seem to be: what agents' clock offsets are off by when everything is busy.
pub(crate) const EARLY_MAX: SignedDuration = SignedDuration::from_millis(50);

/// How long after it wrote down its end a run may still be there, when everything is busy.
const EXIT_MAX: SignedDuration = SignedDuration::from_millis(400);

/// A scheduled job.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: Uuid,
    pub(crate) name: &'static str,
    /// Seconds between two due instants, which are multiples of it.
    pub(crate) period: i64,
    /// Exit status of its command.
    pub(crate) code: i32,
    /// Whether it forbids overlap.
    pub(crate) is_exclusive: bool,
    /// Everything that its command writes.
    pub(crate) output: &'static str,
}

/// Who plans, as seen in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) epoch: u64,
    pub(crate) holder: String,
}

/// A process of a daemon, as far as it was seen alive.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) agent: Uuid,
    pub(crate) slot: u32,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
}

/// Everything that is known of the time in which a fault came and went.
#[derive(Debug, Clone)]
pub(crate) struct History {
    /// Every due instant from here on, and before `until`, is to be accounted for.
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) start_deadline: SignedDuration,
    pub(crate) jobs: Vec<Job>,
    pub(crate) agents: Vec<Uuid>,
    /// Slots of the daemon on each agent.
    pub(crate) slots: u32,
    pub(crate) runs: Vec<Run>,
    pub(crate) lapses: Vec<Lapse>,
    /// Of what was due in this time.
    pub(crate) starts: Vec<Start>,
    pub(crate) ends: Vec<End>,
    /// In the order in which they were seen.
    pub(crate) terms: Vec<Term>,
    pub(crate) lives: Vec<Life>,
    /// Output of runs that have any, as far as it was asked for.
    pub(crate) outputs: BTreeMap<Uuid, String>,
    /// What the agents' ledgers say became of runs: outcome, reason.
    pub(crate) ledgers: BTreeMap<Uuid, Told>,
    /// Reasons that the fault can give.
    pub(crate) reasons: Vec<&'static str>,
    /// Whether the fault kills processes of daemons.
    pub(crate) kills_daemons: bool,
}

/// Outcome and reason, as a ledger has them.
pub(crate) type Told = (String, Option<String>);

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) rule: &'static str,
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}

/// Every promise that was broken.
pub(crate) fn check(history: &History) -> Vec<Violation> {
    let joined = Joined::of(history);
    let mut found = Found::default();
    instants(history, &mut found);
    starts(history, &joined, &mut found);
    for run in &history.runs {
        record(history, &joined, run, &mut found);
    }
    for lapse in &history.lapses {
        let is_plausible = history.reasons.contains(&lapse.reason.as_str());
        found.unless(is_plausible, "I7", || format!("{lapse:?}"));
    }
    terms(history, &mut found);
    exclusive(history, &joined, &mut found);
    slots(history, &mut found);
    found.0
}

#[derive(Default)]
struct Found(Vec<Violation>);

impl Found {
    fn unless(&mut self, is_kept: bool, rule: &'static str, what: impl FnOnce() -> String) {
        if !is_kept {
            self.0.push(Violation { rule, what: what() });
        }
    }
}

/// Stamps and runs by run.
struct Joined<'a> {
    runs: BTreeMap<Uuid, &'a Run>,
    starts: BTreeMap<Uuid, Vec<&'a Start>>,
    ends: BTreeMap<Uuid, Vec<&'a End>>,
}

impl<'a> Joined<'a> {
    fn of(history: &'a History) -> Self {
        let mut starts: BTreeMap<Uuid, Vec<&Start>> = BTreeMap::new();
        for start in &history.starts {
            starts.entry(start.run).or_default().push(start);
        }
        let mut ends: BTreeMap<Uuid, Vec<&End>> = BTreeMap::new();
        for end in &history.ends {
            ends.entry(end.run).or_default().push(end);
        }
        Self {
            runs: history.runs.iter().map(|run| (run.id, run)).collect(),
            starts,
            ends,
        }
    }

    fn starts(&self, run: Uuid) -> &[&'a Start] {
        self.starts.get(&run).map_or(&[], Vec::as_slice)
    }

    fn ends(&self, run: Uuid) -> &[&'a End] {
        self.ends.get(&run).map_or(&[], Vec::as_slice)
    }
}

/// The due instants of a job in `[from, until)`.
pub(crate) fn due_instants(
    period: i64,
    from: Timestamp,
    until: Timestamp,
) -> impl Iterator<Item = Timestamp> {
    let first = from.as_second().div_euclid(period);
    (first..)
        .filter_map(move |number| Timestamp::from_second(number * period).ok())
        .skip_while(move |due| *due < from)
        .take_while(move |due| *due < until)
}

/// I1.
fn instants(history: &History, found: &mut Found) {
    let mut counts: BTreeMap<(Uuid, Uuid, Timestamp), usize> = BTreeMap::new();
    for run in history.runs.iter().filter(|run| run.attempt == 1) {
        *counts
            .entry((run.job_id, run.agent_id, run.due))
            .or_default() += 1;
    }
    for job in &history.jobs {
        for due in due_instants(job.period, history.from, history.until) {
            let is_lapsed = history.lapses.iter().any(|lapse| {
                lapse.job_id == job.id && lapse.due_from <= due && due <= lapse.due_to
            });
            for agent in &history.agents {
                let count = counts.remove(&(job.id, *agent, due)).unwrap_or(0);
                found.unless(count == usize::from(!is_lapsed), "I1", || {
                    format!(
                        "{count} runs of {} at {due} on {agent}, in a lapse: {is_lapsed}",
                        job.name
                    )
                });
            }
        }
    }
    for (job, agent, due) in counts.keys() {
        found.unless(false, "I1", || {
            format!("a run of {job} on {agent}, which is not due at {due}")
        });
    }
}

/// I2, I3, I4.
fn starts(history: &History, joined: &Joined<'_>, found: &mut Found) {
    for (run, starts) in &joined.starts {
        found.unless(starts.len() == 1, "I2", || {
            format!("{run} started {} times: {starts:?}", starts.len())
        });
        let is_recorded = joined.runs.contains_key(run);
        found.unless(is_recorded, "I3", || format!("not on record: {starts:?}"));
        for start in starts {
            let lag = start.at.duration_since(start.due);
            found.unless(lag >= -EARLY_MAX, "I4", || {
                format!("{lag} before it is due: {start:?}")
            });
            found.unless(lag <= history.start_deadline + EARLY_MAX, "I4", || {
                format!("{lag} after it was due: {start:?}")
            });
        }
    }
    for run in history.runs.iter().filter(|run| run.attempt > 1) {
        let has_failed = history.runs.iter().any(|earlier| {
            (earlier.job_id, earlier.agent_id, earlier.due) == (run.job_id, run.agent_id, run.due)
                && earlier.attempt + 1 == run.attempt
                && earlier.outcome == Some(Outcome::Failed)
        });
        found.unless(has_failed, "I2", || format!("tried again: {run:?}"));
    }
}

/// I5 to I9, and the output.
fn record(history: &History, joined: &Joined<'_>, run: &Run, found: &mut Found) {
    let (starts, ends) = (joined.starts(run.id), joined.ends(run.id));
    let said = || format!("{starts:?} {ends:?}, but the record says {run:?}");
    let Some(outcome) = run.outcome else {
        found.unless(false, "I5", said);
        return;
    };
    let is_plausible = run.reason.as_deref().is_some_and(|reason| {
        history.reasons.contains(&reason)
            || reason == "overlap" && is_in_the_way(history, joined, run)
    });
    match outcome {
        Outcome::Succeeded | Outcome::Failed => {
            let code = if outcome == Outcome::Succeeded { 0 } else { 1 };
            let is_that = run
                .exit_code
                .is_some_and(|exit| exit.signum().abs() == code);
            let is_said = ends.iter().map(|end| Some(end.code)).eq([run.exit_code]);
            // One that could not be started says so.
            let is_true = is_that && is_said || outcome == Outcome::Failed && is_plausible;
            found.unless(is_true, "I8", said);
            found.unless(!starts.is_empty() || !is_said, "I9", said);
        }
        Outcome::Skipped | Outcome::Missed => {
            found.unless(starts.is_empty(), "I6", said);
            found.unless(is_plausible, "I7", said);
        }
        Outcome::Lost => found.unless(is_plausible, "I7", said),
        // Nobody kills, and there is no limit.
        Outcome::Killed | Outcome::TimedOut => found.unless(false, "I8", said),
    }
    let recorded = (word(outcome), run.reason.clone());
    let is_agreed = match history.ledgers.get(&run.id) {
        Some(told) => *told == recorded,
        None => starts.is_empty(),
    };
    found.unless(is_agreed, "I15", || {
        format!(
            "the ledger says {:?} of {run:?}",
            history.ledgers.get(&run.id)
        )
    });
    if outcome == Outcome::Succeeded
        && let Some(output) = history.outputs.get(&run.id)
    {
        let job = history.jobs.iter().find(|job| job.id == run.job_id);
        let is_complete = job.is_some_and(|job| job.output == output);
        found.unless(is_complete, "OUT", || {
            format!("output {output:?} of {run:?}")
        });
    }
}

/// Whether an earlier run of the same job had not ended on the machine when this one was due, by what it wrote down itself.
fn is_in_the_way(history: &History, joined: &Joined<'_>, run: &Run) -> bool {
    let is_earlier = |earlier: &&Run| {
        (earlier.job_id, earlier.agent_id) == (run.job_id, run.agent_id) && earlier.due < run.due
    };
    history.runs.iter().filter(is_earlier).any(|earlier| {
        let mut ends = joined.ends(earlier.id).iter();
        !joined.starts(earlier.id).is_empty() && ends.all(|end| end.at + EXIT_MAX >= run.due)
    })
}

/// I10.
fn terms(history: &History, found: &mut Found) {
    for pair in history.terms.windows(2) {
        let (before, after) = (&pair[0], &pair[1]);
        let is_kept = after.epoch > before.epoch || after == before;
        found.unless(is_kept, "I10", || format!("{before:?}, then {after:?}"));
    }
}

/// I12, I13.
fn exclusive(history: &History, joined: &Joined<'_>, found: &mut Found) {
    let exclusive: BTreeSet<Uuid> = history
        .jobs
        .iter()
        .filter(|job| job.is_exclusive)
        .map(|job| job.id)
        .collect();
    let mut by_target: BTreeMap<(Uuid, Uuid), Vec<&Start>> = BTreeMap::new();
    for start in &history.starts {
        if let Some(run) = joined.runs.get(&start.run)
            && exclusive.contains(&run.job_id)
        {
            let target = (run.job_id, run.agent_id);
            by_target.entry(target).or_default().push(start);
        }
    }
    for starts in by_target.values_mut() {
        starts.sort_by_key(|start| start.at);
        for pair in starts.windows(2) {
            let (before, after) = (pair[0], pair[1]);
            let is_over = joined.ends(before.run).iter().all(|end| end.at <= after.at);
            found.unless(is_over, "I12", || format!("{before:?} overlaps {after:?}"));
            let is_in_order = before.due <= after.due;
            found.unless(is_in_order, "I13", || {
                format!("{before:?} before {after:?}")
            });
        }
    }
}

/// I14.
fn slots(history: &History, found: &mut Found) {
    for agent in &history.agents {
        for slot in 0..history.slots {
            let mut lives: Vec<&Life> = history
                .lives
                .iter()
                .filter(|life| (life.agent, life.slot) == (*agent, slot))
                .collect();
            lives.sort_by_key(|life| life.from);
            for pair in lives.windows(2) {
                let is_one = pair[0].until <= pair[1].from;
                found.unless(is_one, "I14", || format!("two at a time: {pair:?}"));
            }
            let is_kept = lives.len() == 1 || history.kills_daemons;
            found.unless(is_kept, "I14", || {
                format!("slot {slot} of {agent} has had {lives:?}")
            });
            let is_alive = lives.last().is_some_and(|life| life.until >= history.until);
            found.unless(is_alive, "I14", || {
                format!("slot {slot} of {agent} has no process at the end: {lives:?}")
            });
        }
    }
}

/// The word of an outcome, the same in records and ledgers.
pub(crate) fn word(outcome: Outcome) -> String {
    serde_json::to_value(outcome)
        .ok()
        .and_then(|value| Some(value.as_str()?.to_owned()))
        .unwrap_or_default()
}
