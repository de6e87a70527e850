//! A flood of texts, made as fast as they are read: fewer questions per text than in `hostile`, many more texts.
//!
//! Ten million by hand, in a minute or two: `CRONFLEET_TEST_TEXTS=10000000 cargo test --release -p cronfleet-core flood`.

use cronfleet_core::schedule::{Context, Schedule};
use jiff::Timestamp;

use crate::hostile::{FRAGMENTS, STEPS_MAX};
use crate::instant;

const THREADS: u64 = 4;

/// Texts to read; more are read by hand.
fn texts() -> u64 {
    std::env::var("CRONFLEET_TEST_TEXTS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(400_000)
}

/// Good schedules, to be damaged.
const GOOD: [&str; 8] = [
    "*/5 9-17 * * MON-FRI",
    "0 30 2 L * ? 2026-2030",
    "H H(0-7) * * *",
    "@every 1h30m",
    "@at 2026-12-01T02:30:00+08:00",
    "CRON_TZ=Asia/Shanghai 0 0 15W,LW * 1#2,5L",
    "0 0 13 * +FRI",
    "@daily",
];

/// Splitmix64: what matters is speed, and that the same texts come again.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn text(&mut self, text: &mut String) {
        text.clear();
        match self.below(3) {
            0 => {
                for _ in 0..=self.below(9) {
                    text.push_str(FRAGMENTS[self.below(FRAGMENTS.len())]);
                    text.push_str(["", " ", " ", " ", ","][self.below(5)]);
                }
            }
            1 => {
                for field in 0..4 + self.below(4) {
                    text.push_str(if field == 0 { "" } else { " " });
                    for _ in 0..=self.below(3) {
                        text.push(char::from(b"0123456789*/,-LW#H"[self.below(18)]));
                    }
                }
            }
            _ => {
                let good = GOOD[self.below(GOOD.len())];
                let place = self.below(good.len());
                text.push_str(&good[..place]);
                text.push(match self.below(2) {
                    0 => char::from(b"0123456789*,"[self.below(12)]),
                    _ => char::from_u32((self.next() % 0x300) as u32).unwrap_or('?'),
                });
                text.push_str(&good[place + self.below(2)..]);
            }
        }
    }
}

/// Reads one text; answers whether it is a schedule.
fn read(text: &str, t: Timestamp) -> bool {
    let context = Context {
        zone: "Australia/Lord_Howe",
        spread: 7,
    };
    match Schedule::parse(text, &context) {
        Err(error) => {
            assert!(
                (1..=text.chars().count() + 1).contains(&error.column),
                "{text:?}: column {}",
                error.column
            );
            false
        }
        Ok(schedule) => {
            let (next, steps) = schedule.next_after_counted(t);
            assert!(steps <= STEPS_MAX, "{text:?}: {steps} steps");
            assert!(next.is_none_or(|next| next > t), "{text:?}: {next:?}");
            true
        }
    }
}

#[test]
fn every_text_is_read_without_a_panic_or_a_long_search() {
    let texts = texts();
    let from = instant("2026-11-22T00:00:00Z");
    let good: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|seed| {
                scope.spawn(move || {
                    let (mut draws, mut text) = (Draws(seed << 40), String::new());
                    (0..texts / THREADS)
                        .filter(|_| {
                            draws.text(&mut text);
                            read(&text, from)
                        })
                        .count() as u64
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    // Neither all nonsense nor all good, or the texts test nothing.
    assert!(
        (texts / 100..texts / 2).contains(&good),
        "{good} of {texts} texts are schedules"
    );
}
