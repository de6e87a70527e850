//! Forecast: whatever the jobs, it says what going through every second says.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cronfleet_core::catch_up::CatchUp;
use cronfleet_core::forecast::{
    Change, Durations, ExpectedOverlap, Fleet, Forecast, JobLoad, LISTED_MAX, Load, OverlapEffect,
    Peak, Window, change, forecast,
};
use cronfleet_core::id::{AgentId, GroupId, JobId};
use cronfleet_core::job::{Overlap, START_DEADLINE_DEFAULT, ScheduledSpec};
use cronfleet_core::retry::RetryPolicy;
use cronfleet_core::schedule::{ActiveSpan, DstPolicy, Schedule, spreading};
use cronfleet_core::spread::Spread;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn scheduled(expression: &str) -> ScheduledSpec {
    ScheduledSpec {
        expression: expression.to_owned(),
        time_zone: "UTC".to_owned(),
        dst: DstPolicy::default(),
        active: ActiveSpan::default(),
        calendar: None,
        overlap: Overlap::Forbid,
        spread: Spread::Each,
        jitter: Duration::ZERO,
        start_deadline: START_DEADLINE_DEFAULT,
        catch_up: CatchUp::None,
        timeout: None,
        retry: RetryPolicy::NONE,
    }
}

/// A job as a test thinks of it.
#[derive(Debug, Clone)]
struct Plain {
    id: u128,
    group: u128,
    expression: &'static str,
    agents: Vec<u128>,
    copies: u32,
    /// p50 and p90.
    lasting_ms: Option<(u64, u64)>,
    timeout_ms: Option<u64>,
    overlap: Overlap,
}

fn plain(id: u128, expression: &'static str) -> Plain {
    Plain {
        id,
        group: 1,
        expression,
        agents: vec![1],
        copies: 1,
        lasting_ms: None,
        timeout_ms: None,
        overlap: Overlap::Forbid,
    }
}

impl Plain {
    fn spec(&self) -> ScheduledSpec {
        ScheduledSpec {
            overlap: self.overlap,
            timeout: self.timeout_ms.map(Duration::from_millis),
            ..scheduled(self.expression)
        }
    }

    fn schedule(&self) -> Schedule {
        self.spec().schedule(JobId::from_u128(self.id)).unwrap()
    }

    /// Every due instant within the window, and the last one before it.
    fn due(&self, window: &Window) -> (Option<Timestamp>, Vec<Timestamp>) {
        let schedule = self.schedule();
        let step = SignedDuration::from_micros(1);
        let (after, until) = (window.from() - step, window.until() - step);
        (
            schedule.prev_before(window.from()),
            schedule.between(after, until, usize::MAX),
        )
    }

    fn p50(&self) -> Option<SignedDuration> {
        self.lasting_ms.map(|(p50, _)| self.bounded(p50))
    }

    fn p90(&self) -> Option<SignedDuration> {
        self.lasting_ms.map(|(_, p90)| self.bounded(p90))
    }

    fn bounded(&self, ms: u64) -> SignedDuration {
        let ms = self.timeout_ms.map_or(ms, |timeout| ms.min(timeout));
        SignedDuration::from_millis(ms as i64)
    }

    /// When its processes begin and end, on one agent, for one copy.
    fn lives(&self, window: &Window) -> Vec<(Timestamp, Timestamp)> {
        let Some(lasting) = self.p50() else {
            return vec![];
        };
        let (before, due) = self.due(window);
        let mut lives: Vec<(Timestamp, Timestamp)> = vec![];
        for due in before.into_iter().chain(due) {
            if let Some(start) = self.start_of(due, &mut lives) {
                lives.push((start, start + lasting));
            }
        }
        lives
    }

    /// When a run that is due starts, if it does, beside those that have started or will.
    fn start_of(&self, due: Timestamp, lives: &mut [(Timestamp, Timestamp)]) -> Option<Timestamp> {
        let waiting = lives.iter().filter(|(start, _)| *start > due).count();
        let Some((_, end)) = lives.last_mut().filter(|(_, end)| *end > due) else {
            return Some(due);
        };
        match self.overlap {
            Overlap::Forbid => None,
            Overlap::Allow => Some(due),
            Overlap::Queue { max } => (waiting < max as usize).then_some(*end),
            Overlap::Replace => {
                *end = due;
                Some(due)
            }
        }
    }
}

fn fleet(jobs: &[Plain]) -> Fleet {
    let mut fleet = Fleet::default();
    for job in jobs {
        add(&mut fleet, job);
    }
    fleet
}

fn add(fleet: &mut Fleet, job: &Plain) -> cronfleet_core::forecast::JobPlace {
    let agents = job.agents.iter().map(|id| AgentId::from_u128(*id));
    let agents = fleet.agents(agents.collect());
    let durations = job.lasting_ms.map(|(p50, p90)| Durations {
        p50: Duration::from_millis(p50),
        p90: Duration::from_millis(p90),
        run_count: 10,
    });
    let load = JobLoad {
        job: JobId::from_u128(job.id),
        group: GroupId::from_u128(job.group),
        scheduled: job.spec(),
        agents,
        copies: job.copies,
        durations,
    };
    fleet.add(load).unwrap()
}

/// Starts, buckets, peaks and busy milliseconds of some jobs, each with the number of agents that count.
fn by_hand(
    jobs: &[(&Plain, u64)],
    window: &Window,
) -> (u64, Vec<u64>, Option<Peak>, Option<Peak>, u64) {
    let mut starts: BTreeMap<i64, u64> = BTreeMap::new();
    let mut alive: BTreeMap<i64, u64> = BTreeMap::new();
    let mut busy_ms = 0;
    for (job, agents) in jobs {
        let weight = agents * u64::from(job.copies);
        for due in job.due(window).1 {
            *starts.entry(due.as_second()).or_default() += weight;
        }
        for (begin, end) in job.lives(window) {
            if begin >= window.from() {
                busy_ms += weight * (end.duration_since(begin).as_millis() as u64);
            }
            let first = begin.as_second() + i64::from(begin.subsec_nanosecond() > 0);
            for second in first.max(window.from().as_second())..window.until().as_second() {
                if Timestamp::from_second(second).unwrap() >= end {
                    break;
                }
                *alive.entry(second).or_default() += weight;
            }
        }
    }
    let mut buckets = vec![0; window.bucket_count()];
    for (second, count) in &starts {
        let place = (second - window.first_bucket().as_second()) as usize;
        buckets[place / window.bucket_seconds() as usize] += count;
    }
    let peak = |counts: &BTreeMap<i64, u64>| {
        let most = *counts.values().max()?;
        let (second, _) = counts.iter().find(|(_, count)| **count == most)?;
        let at = Timestamp::from_second(*second).unwrap();
        Some(Peak { at, count: most })
    };
    let total = starts.values().sum();
    (total, buckets, peak(&starts), peak(&alive), busy_ms)
}

fn check(load: &Load, jobs: &[(&Plain, u64)], window: &Window) {
    let (starts, buckets, peak, alive_peak, busy_ms) = by_hand(jobs, window);
    assert_eq!(load.starts, starts);
    assert_eq!(load.starts_per_bucket, buckets);
    assert_eq!(load.peak, peak);
    assert_eq!(load.alive_peak, alive_peak);
    assert_eq!(load.busy, Duration::from_millis(busy_ms));
    let told: u64 = load.peak_jobs.told.iter().map(|job| job.starts).sum();
    if load.peak_jobs.count <= load.peak_jobs.told.len() {
        assert_eq!(told, peak.map_or(0, |peak| peak.count));
    }
}

fn overlap_by_hand(job: &Plain, window: &Window) -> Option<(Timestamp, u64, OverlapEffect)> {
    let lasting = job.p90()?;
    let (before, due) = job.due(window);
    let mut lives: Vec<(Timestamp, Timestamp)> = vec![];
    let (mut first, mut count, mut alive_max) = (None, 0, 0);
    for due in before.into_iter().chain(due) {
        let alive = lives.iter().filter(|(_, end)| *end > due).count() as u64;
        if alive > 0 && due >= window.from() {
            first = first.or(Some(due));
            count += 1;
        }
        if let Some(start) = job.start_of(due, &mut lives) {
            lives.push((start, start + lasting));
            alive_max = alive_max.max(alive + 1);
        }
    }
    let effect = match job.overlap {
        Overlap::Forbid => OverlapEffect::Skips,
        Overlap::Allow => OverlapEffect::Doubles { alive_max },
        Overlap::Queue { .. } => OverlapEffect::Waits,
        Overlap::Replace => OverlapEffect::Replaces,
    };
    first.map(|first| (first, count, effect))
}

fn check_everything(answer: &Forecast, jobs: &[Plain], window: &Window) {
    let all: Vec<(&Plain, u64)> = jobs
        .iter()
        .map(|job| (job, job.agents.len() as u64))
        .collect();
    check(&answer.total, &all, window);
    for group in &answer.groups {
        let its: Vec<_> = all
            .iter()
            .copied()
            .filter(|(job, _)| GroupId::from_u128(job.group) == group.group)
            .collect();
        check(&group.load, &its, window);
    }
    for agent in &answer.agents {
        let its: Vec<(&Plain, u64)> = jobs
            .iter()
            .filter(|job| {
                let mut agents = job.agents.iter();
                agents.any(|id| AgentId::from_u128(*id) == agent.agent)
            })
            .map(|job| (job, 1))
            .collect();
        check(&agent.load, &its, window);
    }
    let loaded: BTreeSet<u128> = jobs
        .iter()
        .filter(|job| {
            let (starts, _, _, alive, _) = by_hand(&[(job, 1)], window);
            starts > 0 || alive.is_some()
        })
        .flat_map(|job| job.agents.clone())
        .collect();
    assert_eq!(answer.agent_count, loaded.len());
    let found: BTreeMap<JobId, &ExpectedOverlap> =
        answer.overlaps.iter().map(|one| (one.job, one)).collect();
    for job in jobs {
        let told = found
            .get(&JobId::from_u128(job.id))
            .map(|one| (one.first, one.count, one.effect));
        assert_eq!(told, overlap_by_hand(job, window), "{job:?}");
    }
    assert_eq!(answer.approximate_job_count, 0);
}

fn any_job() -> impl Strategy<Value = Plain> {
    let expressions = [
        "* * * * *",
        "*/7 * * * *",
        "0 * * * *",
        "5,6 * * * *",
        "H * * * *",
        "H * * * * *",
        "*/10 * * * * *",
        "@every 250ms",
        "@every 90s",
        "@every 1h",
        "@at 2026-11-23T10:20:00.5Z",
        "@reboot",
    ];
    let shape = (
        prop::sample::select(expressions.to_vec()),
        1..3_u128,
        prop::collection::btree_set(1..5_u128, 1..4),
        1..4_u32,
    );
    let lasting = prop::option::of((1..4_000_000_u64, 0..4_000_000_u64));
    let timeout = prop::option::of(100..3_000_000_u64);
    let overlap = prop_oneof![
        2 => Just(Overlap::Forbid),
        2 => Just(Overlap::Allow),
        1 => (1..4_u32).prop_map(|max| Overlap::Queue { max }),
        1 => Just(Overlap::Replace),
    ];
    (shape, lasting, timeout, overlap).prop_map(|(shape, lasting, timeout_ms, overlap)| {
        let (expression, group, agents, copies) = shape;
        Plain {
            id: 0,
            group,
            expression,
            agents: agents.into_iter().collect(),
            copies,
            lasting_ms: lasting.map(|(p50, more)| (p50, p50 + more)),
            timeout_ms,
            overlap,
        }
    })
}

fn any_window() -> impl Strategy<Value = Window> {
    (0..86_400_i64, 1..5_000_u32, 1..900_u32).prop_map(|(from, seconds, bucket)| {
        let from = at("2026-11-23T10:00:00Z") + SignedDuration::from_secs(from % 3_600);
        Window::new(from, seconds, bucket)
    })
}

fn any_jobs() -> impl Strategy<Value = Vec<Plain>> {
    prop::collection::vec(any_job(), 0..6).prop_map(|mut jobs| {
        for (job, id) in jobs.iter_mut().zip(1..) {
            job.id = id;
        }
        jobs
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_forecast_is_what_every_second_says(jobs in any_jobs(), window in any_window()) {
        check_everything(&forecast(&fleet(&jobs), &window), &jobs, &window);
    }

    #[test]
    fn a_change_is_the_difference_of_two_forecasts(
        jobs in any_jobs(),
        old in prop::option::of(any_job()),
        new in prop::option::of(any_job()),
        window in any_window(),
    ) {
        let with = |job: &Option<Plain>| {
            let job = job.iter().map(|job| Plain { id: 99, ..job.clone() });
            let all: Vec<Plain> = jobs.iter().cloned().chain(job).collect();
            forecast(&fleet(&all), &window)
        };
        let (before, after) = (with(&old), with(&new));
        let mut both = fleet(&jobs);
        let mut place = |job: &Option<Plain>| {
            job.as_ref().map(|job| add(&mut both, &Plain { id: 99, ..job.clone() }))
        };
        let (old_place, new_place) = (place(&old), place(&new));
        let told = change(&both, old_place, new_place, &window);
        let signed = |load: &Load| -> Vec<i64> {
            load.starts_per_bucket.iter().map(|count| *count as i64).collect()
        };
        let added: Vec<i64> = signed(&after.total)
            .iter()
            .zip(signed(&before.total))
            .map(|(after, before)| after - before)
            .collect();
        prop_assert_eq!(&told.added_per_bucket, &added);
        for agent in &told.agents {
            let peak = |answer: &Forecast| {
                let load = answer.agents.iter().find(|one| one.agent == agent.agent);
                load.and_then(|one| one.load.peak)
            };
            prop_assert_eq!(agent.before, peak(&before));
            prop_assert_eq!(agent.after, peak(&after));
        }
        let overlap = after.overlaps.iter().find(|one| one.job == JobId::from_u128(99));
        prop_assert_eq!(told.overlap.as_ref(), overlap);
    }

    #[test]
    fn a_spread_schedule_is_as_often_due_and_never_earlier(
        minute in 0..50_u32, hour in 0..24_u32, id in any::<u128>(), shape in 0..4_usize,
    ) {
        let text = match shape {
            0 => format!("{minute} {hour} * * *"),
            1 => format!("0 {minute} {hour} * * 1-5"),
            2 => format!("*/15 {hour} * * *"),
            _ => format!("{minute} * * * *"),
        };
        let better = spreading(&text).unwrap();
        let read = |text: &str| scheduled(text).schedule(JobId::from_u128(id)).unwrap();
        let (from, until) = (at("2026-11-22T23:59:59Z"), at("2026-11-29T23:59:59Z"));
        let (old, new) = (
            read(&text).between(from, until, usize::MAX),
            read(&better.text).between(from, until, usize::MAX),
        );
        prop_assert_eq!(old.len(), new.len());
        for (old, new) in old.iter().zip(&new) {
            let later = new.duration_since(*old);
            prop_assert!(!later.is_negative() && later.unsigned_abs() < better.within);
        }
    }
}

#[test]
fn what_is_due_ten_times_a_second_is_counted_not_listed() {
    let window = Window::day(at("2026-11-23T10:07:00Z"));
    let fast = Plain {
        lasting_ms: Some((50, 150)),
        agents: vec![1, 2, 3],
        overlap: Overlap::Allow,
        ..plain(1, "@every 100ms")
    };
    let mut nightly: Vec<Plain> = (2..9).map(|id| plain(id, "0 2 * * *")).collect();
    nightly.push(fast);
    let answer = forecast(&fleet(&nightly), &window);
    const { assert!(864_000 > LISTED_MAX) };
    assert_eq!(answer.approximate_job_count, 1);
    assert_eq!(answer.total.starts, 3 * 864_000 + 7);
    assert_eq!(answer.total.starts_per_bucket[1], 3 * 9_000);
    let peak = answer.agents[0].load.peak.unwrap();
    assert_eq!((peak.at, peak.count), (at("2026-11-24T02:00:00Z"), 17));
    assert_eq!(answer.agents[0].load.peak_jobs.count, 8);
    assert_eq!(answer.agents[1].load.peak.unwrap().count, 10);
    assert_eq!(answer.agents[1].load.alive_peak.unwrap().count, 1);
    assert_eq!(answer.agents[1].load.busy, Duration::from_secs(43_200));
    let overlap = &answer.overlaps[0];
    assert!(overlap.is_approximate);
    assert_eq!(overlap.effect, OverlapEffect::Doubles { alive_max: 2 });
    assert!(overlap.count > 860_000 && overlap.count <= overlap.due_count);
}

#[test]
fn jobs_of_one_fixed_time_are_better_spread() {
    let window = Window::day(at("2026-11-23T10:00:00Z"));
    let mut jobs: Vec<Plain> = (1..=40).map(|id| plain(id, "0 2 * * *")).collect();
    jobs.extend((41..=44).map(|id| plain(id, "0 3 * * *")));
    jobs.push(plain(45, "* * * * *"));
    let answer = forecast(&fleet(&jobs), &window);
    assert_eq!(answer.total.peak.unwrap().count, 41);
    assert_eq!(answer.suggestions.len(), 1, "four jobs are not many");
    let told = &answer.suggestions[0];
    assert_eq!(
        (told.expression.as_str(), told.suggested.as_str()),
        ("0 2 * * *", "H 2 * * *")
    );
    assert_eq!((told.job_count, told.jobs.len()), (40, 20));
    assert_eq!(
        (told.at, told.peak_before),
        (at("2026-11-24T02:00:00Z"), 41)
    );

    // What it promises for that hour is what a forecast says of jobs that follow it.
    jobs.retain(|job| job.expression != "0 3 * * *");
    for job in jobs.iter_mut().take(40) {
        job.expression = "H 2 * * *";
    }
    let spread = forecast(&fleet(&jobs), &window);
    assert_eq!(told.peak_after, spread.total.peak.unwrap().count);
    assert!(told.peak_after < 10, "{}", told.peak_after);
    assert!(spread.suggestions.is_empty());
}

#[test]
fn an_unreadable_schedule_is_not_added() {
    let mut fleet = Fleet::default();
    let agents = fleet.agents(vec![AgentId::from_u128(1)]);
    let load = JobLoad {
        job: JobId::from_u128(1),
        group: GroupId::from_u128(1),
        scheduled: scheduled("60 * * * *"),
        agents,
        copies: 1,
        durations: None,
    };
    assert!(fleet.add(load).is_err());
    let window = Window::day(at("2026-11-23T10:00:00Z"));
    assert_eq!(forecast(&fleet, &window).job_count, 0);
}

#[test]
fn many_jobs_on_many_agents_are_worked_out_in_a_bounded_number_of_steps() {
    // A list of each of these would have 40,000 x 86,400 instants, on 500 agents each.
    let jobs: Vec<Plain> = (1..=40_000)
        .map(|id| Plain {
            group: id % 7,
            agents: (1..=500).collect(),
            lasting_ms: Some((id as u64 % 3_000 + 1, 5_000)),
            ..plain(
                id,
                if id % 2 == 0 {
                    "* * * * * *"
                } else {
                    "H * * * *"
                },
            )
        })
        .collect();
    let answer = forecast(&fleet(&jobs), &Window::day(at("2026-11-23T10:00:00Z")));
    assert_eq!(answer.total.starts, 500 * (20_000 * 86_400 + 20_000 * 24));
    assert_eq!(answer.agents.len(), 50);
    assert_eq!(answer.agent_count, 500);
    let told: Change = change(
        &fleet(&jobs[..2]),
        None,
        None,
        &Window::week(at("2026-11-23T10:00:00Z")),
    );
    assert_eq!((told.agents.len(), told.starts_after), (0, 0));
}
