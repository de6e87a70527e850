//! Planning: every due instant is decided exactly once, however often and whenever it is called.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cronfleet_core::catch_up::CatchUp;
use cronfleet_core::id::{AgentId, JobId, RunId};
use cronfleet_core::jitter;
use cronfleet_core::plan::{PLAN_AHEAD, Plan, Planning, RUNS_PER_PLAN_MAX, plan};
use cronfleet_core::run::Reason;
use cronfleet_core::schedule::{Context, Schedule};
use cronfleet_core::window::Hold;
use jiff::Timestamp;
use proptest::prelude::*;

const BEGIN: i64 = 1_800_000_000;

fn schedule(text: &str) -> Schedule {
    Schedule::parse(
        text,
        &Context {
            zone: "UTC",
            spread: 7,
        },
    )
    .unwrap()
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(BEGIN * 1_000 + ms).unwrap()
}

fn agents(count: u32) -> Vec<AgentId> {
    (0..count)
        .map(|i| AgentId::from_u128(u128::from(i) + 1))
        .collect()
}

fn planning<'a>(
    schedule: &'a Schedule,
    agents: &'a [AgentId],
    copies: u32,
    watermark: Timestamp,
) -> Planning<'a> {
    Planning {
        job: JobId::from_u128(9),
        job_version: 1,
        schedule,
        jitter: Duration::ZERO,
        start_deadline: Duration::from_secs(60),
        catch_up: CatchUp::None,
        agents,
        picker: None,
        copies,
        hold: Hold::default(),
        watermark,
    }
}

#[test]
fn what_is_due_within_the_horizon_becomes_runs_and_the_watermark_goes_there() {
    let (schedule, agents) = (schedule("*/5 * * * * *"), agents(2));
    let plan = plan(&planning(&schedule, &agents, 3, at(0)), at(0), PLAN_AHEAD);
    assert_eq!(plan.runs.len(), 3 * 2 * 3);
    assert_eq!(
        (plan.watermark, plan.next_due),
        (at(15_000), Some(at(20_000)))
    );
    assert!(plan.lapses.is_empty() && !plan.has_more);
    let first = &plan.runs[0];
    assert_eq!((first.not_before, first.not_after), (at(5_000), at(65_000)));
    assert_eq!(first.id, first.key.id());
}

#[test]
fn what_is_too_late_to_start_is_one_lapse_with_its_count() {
    let (schedule, agents) = (schedule("* * * * * *"), agents(1));
    let week = 7 * 86_400_000;
    let plan = plan(
        &planning(&schedule, &agents, 1, at(0)),
        at(week),
        PLAN_AHEAD,
    );
    assert_eq!(plan.lapses.len(), 1);
    let lapse = plan.lapses[0];
    assert_eq!(lapse.reason, Reason::CenterDown);
    assert_eq!(
        (lapse.due_from, lapse.due_to),
        (at(1_000), at(week - 60_000))
    );
    assert_eq!(lapse.count, 7 * 86_400 - 60);
    assert_eq!(plan.runs.len(), 75);
    assert_eq!(plan.runs[0].key.due, at(week - 59_000));
}

/// What an outage of ten minutes leaves of a job that is due every minute: due instants caught up, and its lapses.
fn after_ten_minutes(catch_up: CatchUp, now_ms: i64) -> (Vec<i64>, Vec<(u64, Reason)>, Plan) {
    let (schedule, agents) = (schedule("@every 60s"), agents(1));
    let planning = Planning {
        catch_up,
        ..planning(&schedule, &agents, 1, at(0))
    };
    let plan = plan(&planning, at(now_ms), PLAN_AHEAD);
    let minute = |due: Timestamp| (due.as_second() - BEGIN) / 60;
    let caught_up = plan.runs.iter().filter(|run| run.is_caught_up);
    (
        caught_up.map(|run| minute(run.key.due)).collect(),
        plan.lapses
            .iter()
            .map(|lapse| (lapse.count, lapse.reason))
            .collect(),
        plan,
    )
}

#[test]
fn the_latest_missed_instant_runs_from_now_on_and_stands_for_the_others() {
    let now_ms = 10 * 60_000 - 100;
    let (caught_up, lapses, late) = after_ten_minutes(CatchUp::Latest, now_ms);
    assert_eq!(caught_up, [0; 0], "the ninth minute still runs, late");
    assert_eq!(lapses, [(8, Reason::Coalesced)]);
    assert_eq!(late.runs[0].not_before, at(9 * 60_000));

    let (schedule, agents) = (schedule("*/5 * * * *"), agents(1));
    let planning = Planning {
        catch_up: CatchUp::Latest,
        ..planning(&schedule, &agents, 1, at(0))
    };
    let now = at(18 * 60_000);
    let plan = plan(&planning, now, PLAN_AHEAD);
    let run = &plan.runs[0];
    assert!(run.is_caught_up);
    assert_eq!(run.key.due, at(15 * 60_000));
    assert_eq!(
        (run.not_before, run.not_after),
        (now, now + Duration::from_secs(60))
    );
    assert_eq!(
        (plan.lapses[0].count, plan.lapses[0].reason),
        (2, Reason::Coalesced)
    );
}

#[test]
fn each_missed_instant_runs_within_the_bounds_and_before_what_is_merely_late() {
    let now_ms = 10 * 60_000 - 100;
    let all = |max, minutes: u64| CatchUp::All {
        max,
        window: Duration::from_secs(minutes * 60),
    };
    let (caught_up, lapses, plan) = after_ten_minutes(all(100, 60), now_ms);
    assert_eq!((caught_up, lapses), ((1..=8).collect(), vec![]));
    let late = &plan.runs[8];
    assert!(!late.is_caught_up);
    assert_eq!(
        (late.key.due, late.not_before, late.not_after),
        (at(9 * 60_000), at(now_ms), at(10 * 60_000))
    );
    let (caught_up, lapses, _) = after_ten_minutes(all(3, 60), now_ms);
    assert_eq!(
        (caught_up, lapses),
        (vec![6, 7, 8], vec![(5, Reason::CatchUpExceeded)])
    );
    let (caught_up, lapses, _) = after_ten_minutes(all(100, 5), now_ms);
    assert_eq!(
        (caught_up, lapses),
        (vec![5, 6, 7, 8], vec![(4, Reason::CatchUpExceeded)])
    );
}

#[test]
fn without_agents_nothing_is_caught_up() {
    let schedule = schedule("* * * * * *");
    let planning = Planning {
        catch_up: CatchUp::Latest,
        ..planning(&schedule, &[], 1, at(0))
    };
    let plan = plan(&planning, at(100_000), PLAN_AHEAD);
    let reasons: Vec<Reason> = plan.lapses.iter().map(|lapse| lapse.reason).collect();
    assert_eq!(reasons, [Reason::CenterDown, Reason::NoTarget]);
    assert!(plan.runs.is_empty());
}

#[test]
fn without_agents_only_what_is_due_already_lapses() {
    let schedule = schedule("* * * * * *");
    let plan = plan(&planning(&schedule, &[], 1, at(0)), at(10_000), PLAN_AHEAD);
    assert_eq!(
        (
            plan.lapses.len(),
            plan.lapses[0].reason,
            plan.lapses[0].count
        ),
        (1, Reason::NoTarget, 10)
    );
    assert_eq!(
        (plan.watermark, plan.next_due),
        (at(10_000), Some(at(11_000)))
    );
}

#[test]
fn too_many_runs_are_made_in_several_calls() {
    let (schedule, agents) = (schedule("@every 100ms"), agents(50));
    let mut watermark = at(0);
    let mut ids: BTreeSet<RunId> = BTreeSet::new();
    for call in 1.. {
        let plan = plan(
            &planning(&schedule, &agents, 1, watermark),
            at(0),
            PLAN_AHEAD,
        );
        assert!(plan.runs.len() <= RUNS_PER_PLAN_MAX);
        ids.extend(plan.runs.iter().map(|run| run.id));
        watermark = plan.watermark;
        if !plan.has_more {
            assert_eq!(call, 4);
            break;
        }
    }
    assert_eq!((ids.len(), watermark), (150 * 50, at(15_000)));
}

#[test]
fn nothing_is_decided_twice_at_one_moment() {
    let (schedule, agents) = (schedule("* * * * * *"), agents(1));
    let first = plan(&planning(&schedule, &agents, 1, at(0)), at(0), PLAN_AHEAD);
    let again = plan(
        &planning(&schedule, &agents, 1, first.watermark),
        at(0),
        PLAN_AHEAD,
    );
    assert_eq!(
        (again.runs.len(), again.lapses.len(), again.watermark),
        (0, 0, first.watermark)
    );
    let back = plan(
        &planning(&schedule, &agents, 1, first.watermark),
        at(-3_600_000),
        PLAN_AHEAD,
    );
    assert_eq!(
        (back.runs.len(), back.lapses.len(), back.watermark),
        (0, 0, first.watermark)
    );
}

/// What a plan decides: due instants of runs, and those within lapses.
fn decided(schedule: &Schedule, plan: &Plan) -> Vec<Timestamp> {
    let mut due: Vec<Timestamp> = plan.runs.iter().map(|run| run.key.due).collect();
    due.dedup();
    for lapse in &plan.lapses {
        let before = lapse.due_from - Duration::from_micros(1);
        let within = schedule.between(before, lapse.due_to, 1_000_000);
        assert_eq!(within.len() as u64, lapse.count, "{lapse:?}");
        due.extend(within);
    }
    due
}

/// A plan for five agents of a job that is due each minute, with jitter of up to twenty seconds.
fn with_jitter(catch_up: CatchUp, watermark_ms: i64, now_ms: i64) -> Plan {
    let (schedule, agents) = (schedule("@every 60s"), agents(5));
    let planning = Planning {
        jitter: JITTER,
        catch_up,
        ..planning(&schedule, &agents, 2, at(watermark_ms))
    };
    plan(&planning, at(now_ms), PLAN_AHEAD)
}

const JITTER: Duration = Duration::from_secs(20);

#[test]
fn each_target_waits_for_its_own_time_and_its_deadline_counts_from_there() {
    let first = with_jitter(CatchUp::None, 0, 59_000);
    assert_eq!(first.runs.len(), 10);
    let mut waits = BTreeSet::new();
    for run in &first.runs {
        let wait = jitter::wait(JITTER, run.key.job, run.key.agent, run.key.copy);
        waits.insert(wait);
        assert_eq!(run.key.due, at(60_000));
        assert_eq!(run.not_before, at(60_000) + wait);
        assert_eq!(run.not_after, run.not_before + Duration::from_secs(60));
    }
    assert_eq!(waits.len(), 10, "{waits:?}");
    let again = with_jitter(CatchUp::None, 0, 60_500);
    assert_eq!(again.runs, first.runs, "planning anew finds the same");
    let next = with_jitter(CatchUp::None, 60_000, 119_000);
    for (run, before) in next.runs.iter().zip(&first.runs) {
        assert_eq!(run.not_before, before.not_before + Duration::from_secs(60));
    }
}

#[test]
fn a_due_instant_is_too_late_once_it_is_so_for_every_target() {
    let all = CatchUp::All {
        max: 100,
        window: Duration::from_secs(3_600),
    };
    let (due, end) = (at(60_000), at(140_000));
    for catch_up in [CatchUp::None, all] {
        let late = with_jitter(catch_up, 0, 139_999);
        let runs: Vec<_> = late.runs.iter().filter(|run| run.key.due == due).collect();
        assert_eq!((runs.len(), late.lapses.len()), (10, 0));
        for run in runs {
            let wait = jitter::wait(JITTER, run.key.job, run.key.agent, run.key.copy);
            let begin = if catch_up == all {
                at(139_999)
            } else {
                due + wait
            };
            assert!(!run.is_caught_up);
            assert_eq!(
                (run.not_before, run.not_after),
                (begin, end),
                "past its own end"
            );
        }
    }
    let lapsed = with_jitter(CatchUp::None, 0, 140_000);
    assert_eq!(lapsed.lapses[0].due_to, due);
    let now = at(140_000);
    let caught_up = with_jitter(all, 0, 140_000);
    for run in caught_up.runs.iter().filter(|run| run.key.due == due) {
        assert!(run.is_caught_up);
        let window = (now, now + Duration::from_secs(60));
        assert_eq!((run.not_before, run.not_after), window, "without jitter");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_due_instant_is_decided_exactly_once_and_no_more_is_caught_up_than_asked_for(
        text in prop::sample::select(vec![
            "* * * * * *", "*/7 * * * * *", "3,50 * * * * *", "@every 700ms", "*/2 * * * *", "@every 11s",
        ]),
        deadline_s in 1..120_u64,
        jitter_ms in prop_oneof![Just(0), 0..90_000_u64],
        catch_up in prop_oneof![
            Just(CatchUp::None),
            Just(CatchUp::Latest),
            (1..100_u32, 60..2_000_u64).prop_map(|(max, window_s)| CatchUp::All {
                max,
                window: Duration::from_secs(window_s),
            }),
        ],
        steps in prop::collection::vec((0..40_000_i64, 0..3_u32, prop::bool::weighted(0.1)), 1..30),
    ) {
        let schedule = schedule(text);
        let (mut now, mut watermark) = (at(0), at(0));
        let mut seen = Vec::new();
        for (wait, agent_count, is_outage) in steps {
            now += Duration::from_millis(wait as u64 * if is_outage { 20 } else { 1 });
            // Now and then so many that one call does not plan them all.
            let agents = agents(if is_outage { agent_count * 30 } else { agent_count });
            let mut caught_up = BTreeSet::new();
            let mut starts: BTreeMap<_, Vec<_>> = BTreeMap::new();
            loop {
                let mut planning = planning(&schedule, &agents, 2, watermark);
                planning.start_deadline = Duration::from_secs(deadline_s);
                planning.jitter = Duration::from_millis(jitter_ms);
                planning.catch_up = catch_up;
                let plan = plan(&planning, now, PLAN_AHEAD);
                prop_assert!(plan.watermark >= watermark);
                prop_assert_eq!(plan.next_due, schedule.next_after(plan.watermark));
                prop_assert!(plan.runs.len() <= RUNS_PER_PLAN_MAX);
                for run in &plan.runs {
                    prop_assert!(run.not_after >= now, "planned too late to start");
                    prop_assert!(run.not_before >= run.key.due);
                    let target = (run.key.agent, run.key.copy);
                    starts.entry(target).or_default().push((run.not_before, run.key.due));
                    if !run.is_caught_up {
                        let wait = jitter::wait(planning.jitter, run.key.job, run.key.agent, run.key.copy);
                        prop_assert!(run.not_before >= run.key.due + wait);
                        prop_assert!(run.not_after >= run.key.due + wait + planning.start_deadline);
                    }
                    if run.is_caught_up {
                        prop_assert!(run.key.due + planning.jitter + planning.start_deadline <= now);
                        prop_assert_eq!(run.not_before, now);
                        caught_up.insert(run.key.due);
                    }
                }
                seen.extend(decided(&schedule, &plan));
                watermark = plan.watermark;
                if !plan.has_more {
                    break;
                }
            }
            for starts in starts.into_values() {
                prop_assert!(starts.is_sorted_by_key(|(_, due)| *due));
                prop_assert!(starts.is_sorted(), "starts in the order of due instants: {starts:?}");
            }
            match catch_up {
                CatchUp::None => prop_assert!(caught_up.is_empty()),
                CatchUp::Latest => prop_assert!(caught_up.len() <= 1),
                CatchUp::All { max, window } => {
                    prop_assert!(caught_up.len() <= max as usize);
                    prop_assert!(caught_up.iter().all(|due| *due + window > now));
                }
            }
        }
        seen.sort();
        let expected = schedule.between(at(0), watermark, 10_000_000);
        prop_assert_eq!(seen, expected);
    }
}
