//! One fault: it comes, it goes, the fleet settles, and what has happened meanwhile is checked and measured.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use cronfleet_agent::read_accounts;
use cronfleet_api::run::{Outcome, Run};
use cronfleet_testkit::{eventually, sleep_until};
use jiff::{SignedDuration, Timestamp, ToSpan};
use uuid::Uuid;

use crate::checker::{History, Life, Violation, check, due_instants};
use crate::fault::Fault;
use crate::rig::{Rig, STEP};

/// Starts within this time of being due are on time.
pub(crate) const ON_TIME: SignedDuration = SignedDuration::from_secs(1);
/// Seconds of which every start must be on time before the fleet counts as recovered.
const STEADY_SECONDS: i64 = 4;
/// Longest wait for the record to get any more complete.
const SETTLE_MAX: Duration = Duration::from_secs(60);
/// How often the record is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// The start deadline of jobs that do not say.
const START_DEADLINE: SignedDuration = SignedDuration::from_secs(60);

/// What came of one fault.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) fault: Fault,
    /// Runs that were due.
    pub(crate) due: usize,
    /// Those that started more than a second after.
    pub(crate) late: usize,
    pub(crate) skipped: usize,
    /// Runs, and due instants within lapses.
    pub(crate) missed: usize,
    pub(crate) lost: usize,
    /// Longest time from being due to the start.
    pub(crate) lag_max: SignedDuration,
    /// From the end of the fault to the first due instant from which every start is on time.
    pub(crate) on_time_after: SignedDuration,
    /// From the end of the fault until everybody is back.
    pub(crate) whole_after: Duration,
    pub(crate) violations: Vec<Violation>,
}

/// Plays a fault. Everything due at or after `from` belongs to it; the answer has the instant at which the next one's time begins.
pub(crate) async fn play(
    rig: &mut Rig,
    fault: Fault,
    from: Timestamp,
) -> Result<(Played, Timestamp)> {
    let begun = Instant::now();
    fault.befall(rig).await.context("the fault")?;
    tokio::time::sleep(fault.lasts().saturating_sub(begun.elapsed())).await;
    let (healed, healing) = (Timestamp::now(), Instant::now());
    rig.heal().await.context("the end of the fault")?;
    rig.wait_whole().await?;
    let whole_after = healing.elapsed();
    let steady = wait_steady(rig, healed).await?;
    // What was due a moment ago may still be on its way.
    let until = Timestamp::from_second(Timestamp::now().as_second())?;
    sleep_until(until + ON_TIME).await;
    let (history, violations) = settle(rig, fault, from, until).await?;
    let late = history
        .starts
        .iter()
        .filter(|start| start.at.duration_since(start.due) > ON_TIME);
    let lags = history
        .starts
        .iter()
        .map(|start| start.at.duration_since(start.due));
    let count = |outcome| {
        let runs = history.runs.iter();
        runs.filter(|run| run.outcome == Some(outcome)).count()
    };
    let lapsed: u64 = history.lapses.iter().map(|lapse| lapse.count).sum();
    let played = Played {
        fault,
        due: history.runs.len(),
        late: late.count(),
        skipped: count(Outcome::Skipped),
        missed: count(Outcome::Missed) + usize::try_from(lapsed)?,
        lost: count(Outcome::Lost),
        lag_max: lags.max().unwrap_or_default(),
        on_time_after: steady.duration_since(healed).max(SignedDuration::ZERO),
        whole_after,
        violations,
    };
    Ok((played, until))
}

/// Waits until every run of some seconds has started on time on every machine, as far as the jobs themselves say; answers the
/// first due instant of those.
async fn wait_steady(rig: &Rig, healed: Timestamp) -> Result<Timestamp> {
    let expected = rig.stations.len() * rig.jobs.iter().filter(|job| job.period == 1).count();
    eventually("everything starts on time", STEP, async || {
        let stamps = rig.stamps.read()?;
        let mut on_time: BTreeMap<i64, usize> = BTreeMap::new();
        for start in stamps.starts.iter().filter(|start| start.due >= healed) {
            let is_on_time = start.at.duration_since(start.due) <= ON_TIME;
            *on_time.entry(start.due.as_second()).or_default() += usize::from(is_on_time);
        }
        let is_whole = |due: i64| on_time.get(&due).is_some_and(|count| *count >= expected);
        let first = healed.as_second() + 1;
        let now = Timestamp::now().as_second();
        let steady = (first..now).find(|due| (*due..due + STEADY_SECONDS).all(is_whole));
        Ok(steady.map(Timestamp::from_second).transpose()?)
    })
    .await
}

/// Waits until the record of this time keeps every promise, or comes no nearer to that.
async fn settle(
    rig: &Rig,
    fault: Fault,
    from: Timestamp,
    until: Timestamp,
) -> Result<(History, Vec<Violation>)> {
    let mut deadline = Instant::now() + SETTLE_MAX;
    let mut fewest = usize::MAX;
    let mut outputs = BTreeMap::new();
    loop {
        let gathered = gather(rig, fault, from, until, &mut outputs).await;
        let is_over = Instant::now() >= deadline;
        match gathered {
            Ok(history) => {
                let violations = check(&history);
                let is_nearer = violations.len() < fewest;
                if violations.is_empty() || is_over && !is_nearer {
                    return Ok((history, violations));
                }
                if is_nearer {
                    fewest = violations.len();
                    deadline = Instant::now() + SETTLE_MAX;
                }
            }
            Err(error) if is_over => return Err(error),
            // A center may have lost its database for a moment.
            Err(_) => {}
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// Everything that is known of this time.
async fn gather(
    rig: &Rig,
    fault: Fault,
    from: Timestamp,
    until: Timestamp,
    outputs: &mut BTreeMap<Uuid, String>,
) -> Result<History> {
    let api = &rig.centers[0].api;
    let runs = api.runs_due(from, until).await?;
    let mut lapses = Vec::new();
    for job in &rig.jobs {
        let of_job = api.lapses(job.id).await?;
        lapses.extend(of_job.into_iter().filter(|lapse| {
            let mut dues = due_instants(job.period, from, until);
            dues.any(|due| lapse.due_from <= due && due <= lapse.due_to)
        }));
    }
    if !fault.loses_output() {
        read_outputs(rig, &runs, outputs).await?;
    }
    let processes = api.processes(rig.daemon).await?;
    let lives = rig.watch.alive_since(from).into_iter().filter_map(|seen| {
        let process = processes.iter().find(|one| one.id == seen.birth.process)?;
        Some(Life {
            agent: process.agent_id,
            slot: process.index,
            from: seen.birth.at,
            until: seen.alive,
        })
    });
    let lives = lives.collect();
    let mut ledgers = BTreeMap::new();
    for station in &rig.stations {
        let accounts = read_accounts(&station.machine.data_dir())?;
        ledgers.extend(accounts.into_iter().filter_map(|(run, account)| {
            let (outcome, reason) = account.outcome()?;
            let reason = reason.map(|reason| reason.word().to_owned());
            Some((run.as_uuid(), (outcome.word().to_owned(), reason)))
        }));
    }
    let stamps = rig.stamps.read()?;
    let is_due = |due: Timestamp| from <= due && due < until;
    Ok(History {
        from,
        until,
        start_deadline: START_DEADLINE,
        jobs: rig.jobs.clone(),
        agents: rig.stations.iter().map(|station| station.id).collect(),
        slots: crate::rig::SLOTS,
        ends: stamps.ends,
        starts: stamps
            .starts
            .into_iter()
            .filter(|start| is_due(start.due))
            .collect(),
        runs,
        lapses,
        terms: rig.watch.terms(),
        lives,
        outputs: outputs.clone(),
        ledgers,
        reasons: fault.reasons(),
        kills_daemons: fault.kills_daemons(),
    })
}

/// Reads what the runs have written that write something, unless it is known to be complete.
async fn read_outputs(rig: &Rig, runs: &[Run], outputs: &mut BTreeMap<Uuid, String>) -> Result<()> {
    let expected = |run: &Run| {
        let job = rig.jobs.iter().find(|job| job.id == run.job_id);
        job.map_or("", |job| job.output)
    };
    let succeeded = |run: &&Run| run.outcome == Some(Outcome::Succeeded);
    for run in runs.iter().filter(succeeded) {
        let expected = expected(run);
        let is_known = outputs
            .get(&run.id)
            .is_some_and(|output| output == expected);
        if !expected.is_empty() && !is_known {
            let (output, _) = rig.centers[0].api.output(run.id).await?;
            outputs.insert(run.id, output);
        }
    }
    Ok(())
}

/// The next whole second but one: the first due instant that a fleet which works is sure to know of.
pub(crate) fn soon() -> Result<Timestamp> {
    Ok(Timestamp::from_second(Timestamp::now().as_second())? + 2.seconds())
}
