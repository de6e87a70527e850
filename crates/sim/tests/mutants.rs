//! Each mistake that is built in on purpose must be found within so many seeds; without one, nothing may be found.
use std::time::Duration;

use cronfleet_sim::daemons::{self, SlotMutant};
use cronfleet_sim::{Mutant, Options, run_seed};

/// Within so many seeds each mutant must be found. The slowest needed a quarter of them.
const SEEDS_MAX: u64 = 4_000;

#[test]
fn every_mutant_is_found() {
    let mut missed = Vec::new();
    for mutant in Mutant::ALL {
        let options = Options {
            mutant: Some(mutant),
            ..Options::default()
        };
        let mut reports = (0..SEEDS_MAX).map(|seed| run_seed(seed, options));
        match reports.find(|report| !report.violations.is_empty()) {
            Some(report) => println!("{mutant:?}: seed {}: {}", report.seed, report.violations[0]),
            None => missed.push(mutant),
        }
    }
    assert_eq!(missed, [], "not found within {SEEDS_MAX} seeds");
}

#[test]
fn the_product_as_it_is_keeps_every_promise() {
    for seed in 0..40 {
        let report = run_seed(seed, Options::default());
        assert_eq!(report.violations, [], "seed {seed}");
    }
}

#[test]
fn ten_minutes_out_of_reach_lose_nothing_and_alarm_nobody() {
    let mut told_late = 0;
    for seed in 0..24 {
        let options = Options {
            apart: Some(Duration::from_secs(600)),
            ..Options::default()
        };
        let report = run_seed(seed, options);
        assert_eq!(report.violations, [], "seed {seed}");
        let lost = report.tally.by_end.keys().find(|end| end.contains("lost"));
        assert_eq!(lost, None, "seed {seed}");
        told_late += report.tally.told_late;
    }
    assert!(told_late >= 24, "{told_late} ends were told late");
}

#[test]
fn a_seed_tells_the_same_story_twice() {
    let options = Options {
        is_logged: true,
        ..Options::default()
    };
    for seed in [3, 17] {
        assert_eq!(run_seed(seed, options).log, run_seed(seed, options).log);
    }
}

#[test]
fn every_mutant_of_the_daemons_is_found() {
    let mut missed = Vec::new();
    for mutant in SlotMutant::ALL {
        let mut outcomes = (0..SEEDS_MAX).map(|seed| daemons::run_seed(seed, Some(mutant)));
        match outcomes.position(|outcome| !outcome.violations.is_empty()) {
            Some(seed) => println!("{mutant:?}: seed {seed}"),
            None => missed.push(mutant),
        }
    }
    assert_eq!(missed, [], "not found within {SEEDS_MAX} seeds");
}

#[test]
fn daemons_are_kept_alive_once_and_replaced_a_few_at_a_time() {
    let (mut starts, mut replaced) = (0, 0);
    for seed in 0..200 {
        let outcome = daemons::run_seed(seed, None);
        assert_eq!(outcome.violations, [""; 0], "seed {seed}");
        starts += outcome.starts;
        replaced += outcome.replaced;
    }
    assert!(
        starts > 1_000 && replaced > 200,
        "{starts} starts, {replaced} replaced"
    );
}
