//! Schedules against golden answers of an independent implementation in another language; `generate.py` makes them.

use jiff::Timestamp;

use crate::schedule;

const CRONITER: &str = include_str!("croniter.txt");

#[test]
fn croniter_agrees_on_what_both_read_alike() {
    let mut count = 0;
    for line in CRONITER.lines() {
        let mut parts = line.split('|');
        let mut part = || parts.next().unwrap();
        let (text, zone, start, expected) = (part(), part(), part(), part());
        let expected: Vec<i64> = expected
            .split(' ')
            .map(|second| second.parse().unwrap())
            .collect();
        let start = Timestamp::from_second(start.parse().unwrap()).unwrap();
        let found: Vec<i64> = schedule(text, zone)
            .between(start, Timestamp::MAX, expected.len())
            .into_iter()
            .map(Timestamp::as_second)
            .collect();
        assert_eq!(found, expected, "{text} in {zone} after {start}");
        count += 1;
    }
    assert!(count >= 1_000, "{count} lines");
}
