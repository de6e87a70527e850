//! A whole year of a job, each day of it, against a table by hand.

use cronfleet_core::schedule::{ClockChangeEffect, DstPolicy, GapPolicy, OverlapPolicy, Schedule};
use jiff::Timestamp;
use jiff::civil::Date;

use crate::{instant, schedule};

/// Days from and to, and the times of day in UTC at which the job is due on each of them.
type Rows = &'static [(&'static str, &'static str, &'static [&'static str])];

/// Every due instant that a table stands for.
fn instants(rows: Rows) -> Vec<Timestamp> {
    let mut instants = Vec::new();
    for (from, to, times) in rows {
        let (from, to): (Date, Date) = (from.parse().unwrap(), to.parse().unwrap());
        let mut day = from;
        while day <= to {
            instants.extend(times.iter().map(|time| instant(&format!("{day}T{time}Z"))));
            day = day.tomorrow().unwrap();
        }
    }
    instants
}

#[track_caller]
fn check(schedule: &Schedule, rows: Rows) {
    let year = (
        instant("2026-01-01T05:00:00Z"),
        instant("2027-01-01T05:00:00Z"),
    );
    let due = schedule.between(year.0, year.1, 1_000);
    assert_eq!(due, instants(rows));
    assert_eq!(
        schedule.count_between(year.0, year.1, u64::MAX),
        due.len() as u64
    );
}

const POLICIES: [DstPolicy; 5] = [
    DstPolicy {
        gap: None,
        overlap: None,
    },
    policy(GapPolicy::Run, OverlapPolicy::First),
    policy(GapPolicy::Run, OverlapPolicy::Both),
    policy(GapPolicy::Skip, OverlapPolicy::First),
    policy(GapPolicy::Skip, OverlapPolicy::Both),
];

const fn policy(gap: GapPolicy, overlap: OverlapPolicy) -> DstPolicy {
    DstPolicy {
        gap: Some(gap),
        overlap: Some(overlap),
    }
}

/// New York is 5 hours behind UTC until 2026-03-08T07:00Z, when 02:00 becomes 03:00, and from 2026-11-01T06:00Z on, when 02:00
/// becomes 01:00 again; 4 hours in between. So 02:30 does not exist on 8 March, and exists once on 1 November.
#[test]
fn half_past_two_in_new_york_under_each_policy() {
    const RUNS: Rows = &[
        ("2026-01-01", "2026-03-07", &["07:30:00"]),
        ("2026-03-08", "2026-03-08", &["07:00:00"]),
        ("2026-03-09", "2026-10-31", &["06:30:00"]),
        ("2026-11-01", "2026-12-31", &["07:30:00"]),
    ];
    const SKIPS: Rows = &[
        ("2026-01-01", "2026-03-07", &["07:30:00"]),
        ("2026-03-09", "2026-10-31", &["06:30:00"]),
        ("2026-11-01", "2026-12-31", &["07:30:00"]),
    ];
    for policy in POLICIES {
        let rows = match policy.gap {
            None | Some(GapPolicy::Run) => RUNS,
            Some(GapPolicy::Skip) => SKIPS,
        };
        check(
            &schedule("30 2 * * *", "America/New_York").with_dst_policy(policy),
            rows,
        );
    }
    assert_eq!(instants(RUNS).len(), 365);
    assert_eq!(instants(SKIPS).len(), 364);
}

/// 01:30 exists every day, and twice on 1 November.
#[test]
fn half_past_one_in_new_york_under_each_policy() {
    const FIRST: Rows = &[
        ("2026-01-01", "2026-03-08", &["06:30:00"]),
        ("2026-03-09", "2026-11-01", &["05:30:00"]),
        ("2026-11-02", "2026-12-31", &["06:30:00"]),
    ];
    const BOTH: Rows = &[
        ("2026-01-01", "2026-03-08", &["06:30:00"]),
        ("2026-03-09", "2026-10-31", &["05:30:00"]),
        ("2026-11-01", "2026-11-01", &["05:30:00", "06:30:00"]),
        ("2026-11-02", "2026-12-31", &["06:30:00"]),
    ];
    for policy in POLICIES {
        let rows = match policy.overlap {
            None | Some(OverlapPolicy::First) => FIRST,
            Some(OverlapPolicy::Both) => BOTH,
        };
        check(
            &schedule("30 1 * * *", "America/New_York").with_dst_policy(policy),
            rows,
        );
    }
    assert_eq!(instants(FIRST).len(), 365);
    assert_eq!(instants(BOTH).len(), 366);
}

#[test]
fn changes_of_clocks_that_make_a_difference_are_told() {
    use ClockChangeEffect::{BothPasses, FirstPassOnly, LeftOut, RunsAfterGap};

    let changes = |text: &str, policy: DstPolicy| {
        let schedule = schedule(text, "America/New_York").with_dst_policy(policy);
        let (after, until) = (
            instant("2026-03-08T06:59:59Z"),
            instant("2026-11-01T06:00:00Z"),
        );
        let changes = schedule.clock_changes(after, until);
        assert!(
            schedule
                .clock_changes(after, instant("2026-03-08T06:59:59Z"))
                .is_empty()
        );
        changes
            .iter()
            .map(|change| (change.at.to_string(), change.effect))
            .collect::<Vec<_>>()
    };
    let march = || "2026-03-08T07:00:00Z".to_owned();
    let november = || "2026-11-01T06:00:00Z".to_owned();
    let [cron, run_first, _, skip_first, skip_both] = POLICIES;
    type Case<'a> = (&'a str, DstPolicy, Vec<(String, ClockChangeEffect)>);
    let cases: [Case<'_>; 11] = [
        ("30 2 * * *", cron, vec![(march(), RunsAfterGap)]),
        ("30 2 * * *", skip_first, vec![(march(), LeftOut)]),
        ("30 1 * * *", cron, vec![(november(), FirstPassOnly)]),
        ("30 1 * * *", skip_both, vec![(november(), BothPasses)]),
        (
            "30 1,2 * * *",
            skip_both,
            vec![(march(), LeftOut), (november(), BothPasses)],
        ),
        ("*/5 2 * * *", cron, vec![(march(), LeftOut)]),
        ("0 3 * * *", cron, vec![]),
        ("30 2 * 7 *", cron, vec![]),
        ("*/15 * * * *", cron, vec![]),
        (
            "*/15 * * * *",
            run_first,
            vec![(march(), RunsAfterGap), (november(), FirstPassOnly)],
        ),
        ("@every 1h", run_first, vec![]),
    ];
    for (text, policy, expected) in cases {
        assert_eq!(changes(text, policy), expected, "{text} under {policy:?}");
    }
}
