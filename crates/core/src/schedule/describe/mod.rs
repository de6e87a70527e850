//! Schedules as sentences for people.
//!
//! First the pattern is taken apart into phrases without any language ([`times::TimePhrase`], [`dates::DatePhrase`]),
//! then one file per language puts them into words.

mod chinese;
mod dates;
mod english;
mod times;

use jiff::Timestamp;

use self::dates::DatePhrase;
use self::times::TimePhrase;
use super::canonical::{Progression, split_progressions};
use super::every::{Every, UNITS};
use super::{Plan, Schedule};

/// The languages of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// English.
    En,
    /// Simplified Chinese.
    ZhHans,
}

pub(super) fn describe(schedule: &Schedule, language: Language) -> String {
    let zone = schedule.zone_name();
    match (&schedule.plan, language) {
        (Plan::Cron(cron), Language::En) => english::cron(
            &DatePhrase::of(&cron.pattern),
            &TimePhrase::of(&cron.pattern),
            zone,
        ),
        (Plan::Cron(cron), Language::ZhHans) => chinese::cron(
            &DatePhrase::of(&cron.pattern),
            &TimePhrase::of(&cron.pattern),
            zone,
        ),
        (Plan::Every(every), Language::En) => english::every(&parts(*every)),
        (Plan::Every(every), Language::ZhHans) => chinese::every(&parts(*every)),
        (Plan::At(at), Language::En) => {
            format!("Once on {} ({zone})", local_text(*at, schedule, " at "))
        }
        (Plan::At(at), Language::ZhHans) => {
            format!("仅一次：{}（{zone}）", local_text(*at, schedule, " "))
        }
        (Plan::Reboot, Language::En) => "Once after every boot of the host".to_owned(),
        (Plan::Reboot, Language::ZhHans) => "主机每次启动后运行一次".to_owned(),
    }
}

/// How many of which unit, from large to small; units are numbered as in [`UNITS`].
fn parts(every: Every) -> Vec<(u64, usize)> {
    let mut rest = every.millis;
    let mut parts = Vec::new();
    for (place, (_, millis)) in UNITS.iter().enumerate() {
        if rest >= *millis {
            parts.push((rest / millis, place));
            rest %= millis;
        }
    }
    parts
}

/// `2026-12-01 at 02:30`, with seconds and their fraction only where they are not zero.
fn local_text(at: Timestamp, schedule: &Schedule, between: &str) -> String {
    let local = schedule.zone.tz().to_datetime(at);
    let mut text = format!(
        "{}{between}{:02}:{:02}",
        local.date(),
        local.hour(),
        local.minute()
    );
    if local.second() != 0 || local.subsec_nanosecond() != 0 {
        text.push_str(&format!(":{:02}", local.second()));
    }
    if local.subsec_nanosecond() != 0 {
        text.push_str(&format!(".{:03}", local.millisecond()));
    }
    text
}

/// Ascending values as runs: `1, 5 to 9, 20 to 50 in steps of 10`. Short runs are listed value by value.
fn runs(values: &[u32]) -> Vec<Progression> {
    const STEPPED_LEN_MIN: u32 = 5;
    let single = |value| Progression {
        first: value,
        last: value,
        step: 1,
    };
    split_progressions(values)
        .into_iter()
        .flat_map(|run| {
            let len = (run.last - run.first) / run.step + 1;
            if run.step > 1 && len < STEPPED_LEN_MIN {
                (run.first..=run.last)
                    .step_by(run.step as usize)
                    .map(single)
                    .collect()
            } else {
                vec![run]
            }
        })
        .collect()
}

/// A second of the day as a clock shows it; seconds only where they are not zero or asked for.
fn clock(second: u32, with_seconds: bool) -> String {
    let (hours, minutes, seconds) = (second / 3_600, second / 60 % 60, second % 60);
    if with_seconds || seconds != 0 {
        format!("{hours:02}:{minutes:02}:{seconds:02}")
    } else {
        format!("{hours:02}:{minutes:02}")
    }
}
