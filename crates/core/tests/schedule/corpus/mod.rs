//! Schedules against golden answers of independent implementations in other languages; `generate.py` and `generate.cjs` make them.

use jiff::Timestamp;

use crate::schedule;

const CRONITER: &str = include_str!("croniter.txt");
const CRON_PARSER: &str = include_str!("cron-parser.txt");

#[test]
fn croniter_agrees_on_what_both_read_alike() {
    check(CRONITER);
}

#[test]
fn cron_parser_agrees_on_what_both_read_alike() {
    check(CRON_PARSER);
}

fn check(corpus: &str) {
    let mut count = 0;
    for line in corpus.lines() {
        check_line(line);
        count += 1;
    }
    assert!(count >= 1_000, "{count} lines");
}

fn check_line(line: &str) {
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
}
