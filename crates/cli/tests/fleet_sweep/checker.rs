//! Whether the promises were kept: what the jobs wrote down, joined with what the center recorded.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use cronfleet_api::run::{Lapse, Outcome, Run};
use cronfleet_api::slot::{Process, Slot};
use cronfleet_testkit::{Machine, shims};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::scenario::{COPIES, Jobs, SLOTS};
use crate::stamps::Stamps;

/// Everything that is known of a scenario that is over.
#[derive(Debug)]
pub(crate) struct Evidence {
    pub(crate) jobs: Jobs,
    /// Every due instant between these two is to be accounted for.
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    /// The quick job was edited after this.
    pub(crate) edited_from: Timestamp,
    /// Every failure due before has been tried again.
    pub(crate) settled: Timestamp,
    pub(crate) runs: Vec<Run>,
    pub(crate) lapses: Vec<Lapse>,
    /// As they were while everything still ran.
    pub(crate) slots: Vec<Slot>,
    pub(crate) processes: Vec<Process>,
    pub(crate) stamps: BTreeMap<String, Stamps>,
    /// What every life that started has said, as the center has it.
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) is_doubled: bool,
}

/// How far a run's own clock may be from the one that its start goes by: the machine is one, but the agent only measures what
/// the center's clock shows.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_millis(100);

/// Longest way from the release of a command to the first thing that it writes down, on a machine that is busy.
const START_TIME_MAX: SignedDuration = SignedDuration::from_secs(10);

/// Checks every promise. Answers what is right and rare, for people to look at.
///
/// # Errors
/// Names the promise that was broken, and by what.
pub(crate) fn check(evidence: &Evidence) -> Result<Vec<String>> {
    let mut rarities = Vec::new();
    check_starts(evidence)?;
    for run in &evidence.runs {
        check_end(evidence, run, &mut rarities)?;
        check_window(evidence, run)?;
    }
    for (job, period) in evidence.jobs.scheduled() {
        check_instants(evidence, job.id.to_string(), period, &mut rarities)?;
    }
    check_order(evidence, &mut rarities)?;
    check_slots(evidence)?;
    for (life, stamps) in &evidence.stamps {
        check_output(evidence, life, stamps)?;
    }
    Ok(rarities)
}

/// P3: whatever started did so in its window.
fn check_window(evidence: &Evidence, run: &Run) -> Result<()> {
    let stamps = evidence.stamps.get(&run.id.to_string());
    if let Some(at) = stamps.and_then(|stamps| stamps.started_at) {
        let window = run.not_before - CLOCK_TOLERANCE..=run.not_after + START_TIME_MAX;
        ensure!(window.contains(&at), "P3: started at {at}: {run:?}");
    }
    Ok(())
}

/// P7: first attempts of one copy of a job start in the order in which they are due. An edit's own runs may have had to wait for
/// the answer about those that they replace.
fn check_order(evidence: &Evidence, rarities: &mut Vec<String>) -> Result<()> {
    let mut lanes: BTreeMap<(Uuid, u32), Vec<&Run>> = BTreeMap::new();
    let is_first = |run: &&Run| run.attempt == 1 && run.started_at.is_some();
    for run in evidence.runs.iter().filter(is_first) {
        lanes.entry((run.job_id, run.copy)).or_default().push(run);
    }
    for lane in lanes.values_mut() {
        lane.sort_by_key(|run| run.started_at);
        for (before, after) in lane.iter().zip(lane.iter().skip(1)) {
            if before.due <= after.due {
                continue;
            }
            let has_waited = run_waits(evidence, after);
            ensure!(has_waited, "P7: {before:?} started before {after:?}");
            rarities.push(format!("started after {}: {after:?}", before.due));
        }
    }
    Ok(())
}

/// Whether it had to wait for the answer about an older version's run.
fn run_waits(evidence: &Evidence, run: &Run) -> bool {
    let is_same = |other: &&Run| {
        (other.job_id, other.copy, other.due) == (run.job_id, run.copy, run.due)
            && other.job_version < run.job_version
    };
    evidence.runs.iter().any(|other| is_same(&other))
}

/// P2: no life starts twice, and none that nobody has recorded.
fn check_starts(evidence: &Evidence) -> Result<()> {
    for (life, stamps) in &evidence.stamps {
        let count = stamps.starts.len();
        ensure!(count == 1, "P2: {life} started {count} times");
        let is_recorded = evidence.runs.iter().any(|run| run.id.to_string() == *life)
            || evidence
                .processes
                .iter()
                .any(|process| process.id.to_string() == *life);
        ensure!(is_recorded, "P2: {life} started and is not recorded");
    }
    Ok(())
}

/// P6: the record says what happened, no more and no less.
fn check_end(evidence: &Evidence, run: &Run, rarities: &mut Vec<String>) -> Result<()> {
    let stamps = evidence
        .stamps
        .get(&run.id.to_string())
        .cloned()
        .unwrap_or_default();
    let has_started = !stamps.starts.is_empty();
    let is_true = match run.outcome {
        Some(Outcome::Succeeded) => stamps.ends == [0] && run.exit_code == Some(0),
        Some(Outcome::Failed) => run
            .exit_code
            .is_some_and(|code| code != 0 && stamps.ends == [code]),
        Some(Outcome::Killed) => {
            has_started && stamps.ends.is_empty() && run.job_id == evidence.jobs.endless.id
        }
        Some(Outcome::Skipped) => !has_started && run.reason.is_some(),
        // Agents come back at once: only a run that had to wait for the answer about an older version's may find that a later one
        // has started before it.
        Some(Outcome::Missed) => {
            !has_started
                && run.reason.as_deref() == Some("agent_restarted")
                && run_waits(evidence, run)
                && evidence.runs.iter().any(|later| {
                    (later.job_id, later.copy) == (run.job_id, run.copy)
                        && later.not_before > run.not_before
                        && later.started_at < run.ended_at
                        && later.started_at.is_some()
                })
        }
        // And shims survive: nothing here is unknown.
        Some(Outcome::TimedOut | Outcome::Lost) | None => false,
    };
    ensure!(is_true, "P6: {stamps:?}, but the record says {run:?}");
    if run.outcome == Some(Outcome::Missed) {
        rarities.push(format!("missed: {run:?}"));
    }
    Ok(())
}

/// P1: every due instant of a job has one run for each copy, or is inside a lapse; another attempt follows a failure only.
fn check_instants(
    evidence: &Evidence,
    job: String,
    period: i64,
    rarities: &mut Vec<String>,
) -> Result<()> {
    let is_retried = job == evidence.jobs.retried.id.to_string();
    let is_quick = job == evidence.jobs.quick.id.to_string();
    let copies = if is_quick { COPIES } else { 1 };
    let mut runs: BTreeMap<(Timestamp, u32), Vec<&Run>> = BTreeMap::new();
    for run in evidence
        .runs
        .iter()
        .filter(|run| run.job_id.to_string() == job)
    {
        let is_given_up = run.reason.as_deref() == Some("superseded");
        ensure!(
            !is_given_up || is_quick,
            "P1: nobody edited the job of {run:?}"
        );
        if !is_given_up {
            runs.entry((run.due, run.copy)).or_default().push(run);
        }
    }
    for of_due in runs.values_mut() {
        // Due after the edit, and skipped by the agent before it heard of that: the instant is the new version's, and has its run.
        let newest = of_due.iter().map(|run| run.job_version).max();
        of_due.retain(|run| {
            let is_replaced = Some(run.job_version) != newest
                && run.due >= evidence.edited_from
                && run.outcome == Some(Outcome::Skipped)
                && run.reason.as_deref() == Some("overlap");
            if is_replaced {
                rarities.push(format!("skipped before the edit was known: {run:?}"));
            }
            !is_replaced
        });
    }
    let lapses: Vec<&Lapse> = evidence
        .lapses
        .iter()
        .filter(|lapse| lapse.job_id.to_string() == job)
        .collect();
    let mut instants = 0;
    let first = evidence.from.as_second() / period + 1;
    for number in first.. {
        let due = Timestamp::from_second(number * period)?;
        if due >= evidence.until {
            break;
        }
        instants += 1;
        let is_lapsed = lapses
            .iter()
            .any(|lapse| lapse.due_from <= due && due <= lapse.due_to);
        for copy in 0..copies {
            let of_due = runs.get(&(due, copy)).map_or(&[][..], Vec::as_slice);
            let first_attempts = of_due.iter().filter(|run| run.attempt == 1).count();
            ensure!(
                first_attempts == usize::from(!is_lapsed),
                "P1: {job} at {due}, copy {copy}, between {} and {}, in a lapse: {is_lapsed}: {of_due:?}",
                evidence.from,
                evidence.until
            );
        }
    }
    ensure!(instants > 0, "no instant of {job} to check");
    for of_due in runs.values_mut() {
        of_due.sort_by_key(|run| run.attempt);
        let outcomes: Vec<Option<Outcome>> = of_due.iter().map(|run| run.outcome).collect();
        let is_right = match (outcomes.as_slice(), is_retried) {
            ([Some(Outcome::Failed), Some(Outcome::Succeeded)], true) => true,
            // The job was paused before the center knew of the failure, or before there was another attempt.
            ([Some(Outcome::Failed)], true) => of_due[0].due >= evidence.settled,
            (
                [
                    Some(Outcome::Failed),
                    Some(Outcome::Skipped | Outcome::Missed),
                ],
                true,
            ) => true,
            ([Some(Outcome::Skipped)], _) | ([_], false) => true,
            _ => false,
        };
        ensure!(is_right, "attempts of one instant: {of_due:?}");
    }
    Ok(())
}

/// P9: one process in every slot, the same all the time, and never two.
fn check_slots(evidence: &Evidence) -> Result<()> {
    ensure!(!evidence.is_doubled, "P9: two processes lived in one slot");
    ensure!(
        evidence.slots.len() == SLOTS,
        "P9: slots {:?}",
        evidence.slots
    );
    let started: Vec<&Process> = evidence
        .processes
        .iter()
        .filter(|process| evidence.stamps.contains_key(&process.id.to_string()))
        .collect();
    ensure!(
        started.len() == SLOTS,
        "P9: nobody killed a process, and these have lived: {started:?}"
    );
    for process in started {
        let pid = evidence.stamps[&process.id.to_string()].starts[0];
        let slot = evidence
            .slots
            .iter()
            .find(|slot| slot.index == process.index)
            .with_context(|| format!("P9: no slot of {process:?}"))?;
        ensure!(
            slot.pid == Some(pid) && process.pid == Some(pid),
            "P9: process {pid} is recorded as {process:?} in {slot:?}"
        );
        ensure!(
            process.signal.as_deref() == Some("TERM"),
            "P9: ended otherwise than by the pause: {process:?}"
        );
    }
    Ok(())
}

/// Every line once, and none less than were said.
fn check_output(evidence: &Evidence, life: &str, stamps: &Stamps) -> Result<()> {
    let text = evidence
        .outputs
        .get(life)
        .with_context(|| format!("no output of {life}"))?;
    let lines: Vec<usize> = text
        .lines()
        .map(str::parse)
        .collect::<Result<_, _>>()
        .with_context(|| format!("output of {life}: {text:?}"))?;
    let is_whole = lines.iter().copied().eq(1..=lines.len());
    let is_complete = if stamps.ends.is_empty() {
        // Killed between saying a line and noting that down.
        lines.len() == stamps.said || lines.len() == stamps.said + 1
    } else {
        lines.len() == stamps.said
    };
    ensure!(
        is_whole && is_complete,
        "output of {life}: {} lines were said, stored are {lines:?}",
        stamps.said
    );
    Ok(())
}

/// Folders, spools and shims of lives on a machine.
///
/// # Errors
/// A directory cannot be read.
pub(crate) fn leftovers(machine: &Machine) -> Result<Vec<String>> {
    let mut left: Vec<String> = shims(&machine.runtime_dir())
        .into_iter()
        .map(|pid| format!("shim {pid}"))
        .collect();
    for dir in [machine.runtime_dir(), machine.path("agent/spool")] {
        for entry in std::fs::read_dir(&dir)? {
            let name = entry?.file_name();
            // Lives are named by ids.
            if name.len() == 36 {
                left.push(format!("{}/{}", dir.display(), name.display()));
            }
        }
    }
    Ok(left)
}
