//! Windows and snooze: what they hold, checked against looking at every due instant by itself.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::time::Duration;

use cronfleet_core::catch_up::CatchUp;
use cronfleet_core::id::{AgentId, JobId};
use cronfleet_core::plan::{PLAN_AHEAD, Plan, Planning, plan};
use cronfleet_core::run::Reason;
use cronfleet_core::schedule::{Context, Schedule};
use cronfleet_core::window::{Hold, LASTS_MAX, Snooze, Window, WindowTime};
use jiff::Timestamp;
use proptest::prelude::*;

/// A multiple of an hour since the epoch.
const BEGIN: i64 = 1_800_000_000;
const SECOND: Duration = Duration::from_secs(1);

fn schedule(text: &str) -> Schedule {
    let context = Context {
        zone: "UTC",
        spread: 7,
    };
    Schedule::parse(text, &context).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(BEGIN + seconds).unwrap()
}

fn once(from: i64, until: i64) -> Window {
    Window {
        time: WindowTime::Once {
            from: at(from),
            until: at(until),
        },
        since: at(-1_000_000),
        ended: None,
    }
}

fn recurring(text: &str, lasts: Duration) -> Window {
    Window {
        time: WindowTime::Recurring {
            begins: Box::new(schedule(text)),
            lasts,
        },
        since: at(-1_000_000),
        ended: None,
    }
}

/// A window in numbers: `every` is 0 for one that comes once.
#[derive(Debug, Clone, Copy)]
struct Draw {
    every: i64,
    from: i64,
    lasts: i64,
    since: i64,
    ended: Option<i64>,
}

impl Draw {
    fn window(self) -> Window {
        let time = if self.every == 0 {
            WindowTime::Once {
                from: at(self.from),
                until: at(self.from + self.lasts),
            }
        } else {
            WindowTime::Recurring {
                begins: Box::new(schedule(&format!("@every {}s", self.every))),
                lasts: SECOND * self.lasts as u32,
            }
        };
        Window {
            time,
            since: at(self.since),
            ended: self.ended.map(at),
        }
    }

    /// Whether it holds what is due at that second, told by arithmetic alone.
    fn holds(self, due: i64) -> bool {
        let is_in_force = self.since < due && self.ended.is_none_or(|ended| due <= ended);
        let is_inside = if self.every == 0 {
            (self.from..self.from + self.lasts).contains(&due)
        } else {
            (BEGIN + due).rem_euclid(self.every) < self.lasts
        };
        is_in_force && is_inside
    }
}

prop_compose! {
    fn draw()(
        every in prop_oneof![Just(0), Just(60), Just(150), Just(400)],
        from in -100_i64..900,
        lasts in 1_i64..300,
        since in prop_oneof![Just(-1_000_000_i64), -50_i64..800],
        ended in proptest::option::weighted(0.3, -50_i64..900),
    ) -> Draw {
        Draw { every, from, lasts, since, ended }
    }
}

/// What should hold a due instant.
fn reason(snooze: Option<(i64, i64)>, windows: &[Draw], due: i64) -> Option<Reason> {
    if snooze.is_some_and(|(since, until)| since < due && due < until) {
        Some(Reason::Snoozed)
    } else if windows.iter().any(|window| window.holds(due)) {
        Some(Reason::Frozen)
    } else {
        None
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_second_is_held_or_not_as_looking_at_it_alone_says(
        windows in proptest::collection::vec(draw(), 0..4),
        snooze in proptest::option::of((-20_i64..500, 1_i64..400)),
    ) {
        let snooze = snooze.map(|(since, lasts)| (since, since + lasts));
        let made: Vec<Window> = windows.iter().map(|draw| draw.window()).collect();
        let made: Vec<&Window> = made.iter().collect();
        let hold = Hold {
            snooze: snooze.map(|(since, until)| Snooze { since: at(since), until: at(until) }),
            windows: &made,
        };
        let mut told = Vec::new();
        let (mut done, limit) = (at(0), at(900));
        while done < limit {
            let stretch = hold.stretch(done, limit);
            prop_assert!(done < stretch.until && stretch.until <= limit);
            while at(told.len() as i64 + 1) <= stretch.until {
                told.push(stretch.reason);
            }
            done = stretch.until;
        }
        for (index, told) in told.iter().enumerate() {
            let second = index as i64 + 1;
            let expected = reason(snooze, &windows, second);
            prop_assert_eq!(*told, expected, "stretches at {}", second);
            prop_assert_eq!(hold.reason_at(at(second)), expected, "alone at {}", second);
        }
        let every = schedule("@every 1s");
        let free = (1..900).find(|second| reason(snooze, &windows, *second).is_none());
        if let Some(free) = free {
            prop_assert_eq!(hold.next_free(&every, at(0)), Some(at(free)));
        }
        for window in &made {
            let touched = (1..=900).any(|second| window.holds_until(at(second)).is_some());
            prop_assert!(window.touches(at(0), at(900)) || !touched);
        }
    }

    #[test]
    fn planning_in_any_steps_runs_what_is_free_and_tells_what_is_held(
        windows in proptest::collection::vec(draw(), 0..3),
        snooze in proptest::option::of((0_i64..400, 1_i64..300)),
        step in prop_oneof![Just(1_i64), Just(7), Just(45), Just(200)],
        every in prop_oneof![Just(1_i64), Just(5), Just(60)],
        catch_up in prop_oneof![
            Just(CatchUp::None),
            Just(CatchUp::Latest),
            Just(CatchUp::All { max: 3, window: Duration::from_secs(120) }),
        ],
    ) {
        let snooze = snooze.map(|(since, lasts)| (since, since + lasts));
        let made: Vec<Window> = windows.iter().map(|draw| draw.window()).collect();
        let made: Vec<&Window> = made.iter().collect();
        let schedule = schedule(&format!("@every {every}s"));
        let agents = [AgentId::from_u128(1)];
        let mut planning = Planning {
            job: JobId::from_u128(9),
            job_version: 1,
            schedule: &schedule,
            jitter: Duration::ZERO,
            start_deadline: SECOND * 60,
            catch_up,
            agents: &agents,
            picker: None,
            copies: 1,
            hold: Hold {
                snooze: snooze.map(|(since, until)| Snooze { since: at(since), until: at(until) }),
                windows: &made,
            },
            watermark: at(0),
        };
        let mut plans: Vec<Plan> = Vec::new();
        for now in (0..=900).step_by(step as usize) {
            loop {
                let plan = plan(&planning, at(now), PLAN_AHEAD);
                planning.watermark = plan.watermark;
                let has_more = plan.has_more;
                if let Some(held) = plan.held_until {
                    prop_assert!(held > at(now) && plan.next_due == Some(held));
                }
                plans.push(plan);
                if !has_more {
                    break;
                }
            }
        }
        let last = (900 / step) * step;
        for due in (1..=last).filter(|due| (BEGIN + due) % every == 0) {
            let runs = plans.iter().flat_map(|plan| &plan.runs);
            let runs = runs.filter(|run| run.key.due == at(due)).count();
            let lapses: Vec<Reason> = plans
                .iter()
                .flat_map(|plan| &plan.lapses)
                .filter(|lapse| lapse.due_from <= at(due) && at(due) <= lapse.due_to)
                .map(|lapse| lapse.reason)
                .collect();
            match reason(snooze, &windows, due) {
                Some(reason) => prop_assert_eq!((runs, lapses), (0, vec![reason]), "{}", due),
                None => {
                    prop_assert_eq!(runs + lapses.len(), 1, "{}: {:?}", due, lapses);
                    prop_assert!(!lapses.contains(&Reason::Frozen) && !lapses.contains(&Reason::Snoozed));
                }
            }
        }
        let told: u64 = plans.iter().flat_map(|plan| &plan.lapses).map(|lapse| lapse.count).sum();
        let runs: usize = plans.iter().map(|plan| plan.runs.len()).sum();
        let all = schedule.count_between(at(0), planning.watermark, u64::MAX);
        prop_assert_eq!(told + runs as u64, all);
    }
}

fn planning<'a>(schedule: &'a Schedule, agents: &'a [AgentId], hold: Hold<'a>) -> Planning<'a> {
    Planning {
        job: JobId::from_u128(9),
        job_version: 1,
        schedule,
        jitter: Duration::ZERO,
        start_deadline: SECOND * 60,
        catch_up: CatchUp::None,
        agents,
        picker: None,
        copies: 1,
        hold,
        watermark: at(0),
    }
}

#[test]
fn a_dense_schedule_in_a_long_window_is_one_lapse() {
    let (schedule, agents) = (schedule("@every 100ms"), [AgentId::from_u128(1)]);
    let window = once(0, 86_400);
    let hold = Hold {
        snooze: None,
        windows: &[&window],
    };
    let plan = plan(&planning(&schedule, &agents, hold), at(86_399), PLAN_AHEAD);
    assert_eq!((plan.runs.len(), plan.lapses.len()), (0, 1));
    let lapse = plan.lapses[0];
    assert_eq!((lapse.count, lapse.reason), (863_990, Reason::Frozen));
    assert_eq!(plan.held_until, Some(at(86_399) + SECOND / 10));
}

#[test]
fn what_is_held_and_still_to_come_is_not_decided() {
    let (schedule, agents) = (schedule("@every 10s"), [AgentId::from_u128(1)]);
    let window = once(5, 300);
    let hold = Hold {
        snooze: None,
        windows: &[&window],
    };
    let plan = plan(&planning(&schedule, &agents, hold), at(0), PLAN_AHEAD);
    assert_eq!((plan.runs.len(), plan.lapses.len()), (0, 0));
    assert!(plan.watermark < at(10) && plan.held_until == Some(at(10)));
}

#[test]
fn nothing_is_caught_up_while_a_window_holds() {
    let (schedule, agents) = (schedule("@every 60s"), [AgentId::from_u128(1)]);
    let window = once(601, 2_000);
    let held = Hold {
        snooze: None,
        windows: &[&window],
    };
    let caught_up = |hold| {
        let planning = Planning {
            catch_up: CatchUp::Latest,
            ..planning(&schedule, &agents, hold)
        };
        let plan = plan(&planning, at(700), PLAN_AHEAD);
        let caught_up = plan.runs.iter().filter(|run| run.is_caught_up).count();
        let reasons: Vec<Reason> = plan.lapses.iter().map(|lapse| lapse.reason).collect();
        (caught_up, reasons)
    };
    assert_eq!(
        caught_up(held),
        (0, vec![Reason::CenterDown, Reason::Frozen])
    );
    assert_eq!(caught_up(Hold::default()).1, [Reason::Coalesced]);
}

#[test]
fn the_latest_that_was_not_held_is_caught_up_after_a_window() {
    let (schedule, agents) = (schedule("*/5 * * * *"), [AgentId::from_u128(1)]);
    let window = once(500, 1_000);
    let hold = Hold {
        snooze: None,
        windows: &[&window],
    };
    let planning = Planning {
        catch_up: CatchUp::Latest,
        ..planning(&schedule, &agents, hold)
    };
    let plan = plan(&planning, at(1_100), PLAN_AHEAD);
    let dues: Vec<Timestamp> = plan.runs.iter().map(|run| run.key.due).collect();
    assert_eq!(dues, [at(300)], "600 and 900 are held");
    let told: Vec<_> = plan
        .lapses
        .iter()
        .map(|lapse| (lapse.due_from, lapse.count, lapse.reason))
        .collect();
    assert_eq!(told, [(at(600), 2, Reason::Frozen)]);
}

#[test]
fn a_recurring_window_begins_by_the_clocks_of_its_zone() {
    let context = Context {
        zone: "Europe/Berlin",
        spread: 0,
    };
    let window = Window {
        time: WindowTime::Recurring {
            begins: Box::new(Schedule::parse("0 22 * * 6", &context).unwrap()),
            lasts: SECOND * 8 * 3_600,
        },
        since: Timestamp::UNIX_EPOCH,
        ended: None,
    };
    let holds = |text: &str| window.holds_until(text.parse().unwrap()).is_some();
    // Clocks go forward in the night of 2026-03-29, so that the eight hours end at 07:00.
    assert!(!holds("2026-03-28T20:59:59Z") && holds("2026-03-28T21:00:00Z"));
    assert!(holds("2026-03-29T04:59:59Z") && !holds("2026-03-29T05:00:00Z"));
    assert!(!holds("2026-03-29T21:00:00Z"));
}

#[test]
fn bounds_are_refused_with_the_field() {
    let refusal = |time: WindowTime| {
        let error = time.check(at(0)).unwrap_err();
        assert!(!error.hint.is_empty());
        (error.field, error.code)
    };
    let span = |from, until| once(from, until).time;
    for wrong in [span(10, 10), span(-20, -10), span(0, 367 * 86_400)] {
        assert_eq!(refusal(wrong), ("until".to_owned(), "window.span"));
    }
    for lasts in [SECOND * 59, LASTS_MAX + SECOND] {
        let wrong = recurring("@daily", lasts).time;
        assert_eq!(refusal(wrong), ("lasts_ms".to_owned(), "window.lasts"));
    }
    let wrong = recurring("@reboot", SECOND * 60).time;
    assert_eq!(refusal(wrong), ("begins".to_owned(), "window.reboot"));
    assert!(span(-10, 10).check(at(0)).is_ok());
    for until in [0, -1, 367 * 86_400] {
        let snooze = Snooze {
            since: at(0),
            until: at(until),
        };
        assert_eq!(snooze.check().unwrap_err().field, "until");
    }
}
